//! Who is on the other side: found by number in Contacts, Leads, Accounts.

use cordboard_sdk::crm::holds;
use cordboard_sdk::vocabulary::Phone;

use crate::api::{Api, Row, field};
use crate::known::{Known, People};
use crate::memo::Linked;
use crate::refusal::Fault;
use crate::settings::{Ambiguous, Settings};
use crate::vtql;

/// Somebody whose record has the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The record.
    pub linked: Linked,
    /// The responsible user or group.
    pub owner: Option<String>,
}

impl Known {
    /// Everybody of a module with this number, newest first.
    fn search(&self, api: &Api, settings: &Settings, people: &People, digits: &str) -> Result<Vec<Person>, Fault> {
        let decisive = &digits[digits.len().saturating_sub(settings.digits)..];
        let pattern = vtql::pattern(decisive);
        let conditions: Vec<String> = people.phones.iter().map(|phone| format!("{phone} LIKE {pattern}")).collect();
        let names = match people.module.as_str() {
            "Accounts" => "accountname",
            "Contacts" => "firstname,lastname,account_id",
            _ => "firstname,lastname,company",
        };
        let query = format!(
            "SELECT id,{names},{},assigned_user_id,createdtime FROM {} WHERE {} ORDER BY createdtime DESC LIMIT 0,100;",
            people.phones.join(","),
            people.module,
            conditions.join(" OR ")
        );
        let rows = api.query(&query)?;
        let verified = |row: &&Row| people.phones.iter().any(|phone| holds(field(row, phone), digits, settings.digits));
        Ok(rows.iter().filter(verified).map(|row| person(people, row)).collect())
    }

    /// Everybody with this number, best first.
    pub fn everybody(&self, api: &Api, settings: &Settings, phone: &Phone) -> Result<Vec<Person>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for people in &self.people {
            all.extend(self.search(api, settings, people, &digits)?);
        }
        Ok(all)
    }

    /// The one person to link a call to: from the first module that knows the number.
    pub fn person(
        &self,
        api: &Api,
        settings: &Settings,
        phone: &Phone,
        notes: &mut Vec<String>,
    ) -> Result<Option<Person>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(None) };
        for people in &self.people {
            let mut found = self.search(api, settings, people, &digits)?;
            if found.is_empty() {
                continue;
            }
            let count = found.len();
            let newest = found.swap_remove(0);
            if count == 1 {
                return Ok(Some(newest));
            }
            let module = &people.module;
            return Ok(match settings.ambiguous {
                Ambiguous::Newest => {
                    let name = &newest.linked.name;
                    notes.push(format!("person: {count} {module} have this number; the newest, {name}, was linked"));
                    Some(newest)
                }
                Ambiguous::Unlinked => {
                    notes.push(format!("person: {count} {module} have this number; none was linked"));
                    None
                }
            });
        }
        Ok(None)
    }
}

fn person(people: &People, row: &Row) -> Person {
    let name = match people.module.as_str() {
        "Accounts" => field(row, "accountname").to_owned(),
        _ => format!("{} {}", field(row, "firstname"), field(row, "lastname")).trim().to_owned(),
    };
    let some = |name: &str| Some(field(row, name)).filter(|text| text.contains('x')).map(str::to_owned);
    Person {
        linked: Linked {
            id: field(row, "id").to_owned(),
            module: people.module.clone(),
            name,
            account: some("account_id"),
        },
        owner: some("assigned_user_id"),
    }
}
