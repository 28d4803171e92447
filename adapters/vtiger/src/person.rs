//! Who is on the other side: found by number in Contacts, Leads, Accounts.

use cordboard_sdk::vocabulary::Phone;

use crate::api::{Api, Row, field};
use crate::known::{Known, People};
use crate::memo::Linked;
use crate::refusal::Fault;
use crate::settings::{Ambiguous, Settings};
use crate::vtql;

/// Fewer digits than this are an extension or a service, and nobody's number.
const LEAST: usize = 6;

/// Somebody whose record has the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The record.
    pub linked: Linked,
    /// The responsible user or group.
    pub owner: Option<String>,
}

/// The digits of a number that identify it: without the plus sign and the zeros before it.
pub fn digits(phone: &Phone) -> Option<String> {
    let text = phone.e164.as_deref().or(phone.national.as_deref()).unwrap_or(&phone.raw);
    // An address or a name is no number, however many digits it has.
    if phone.e164.is_none() && phone.national.is_none() && text.chars().any(|c| c.is_alphabetic() || c == '@') {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0').to_owned();
    (digits.len() >= LEAST).then_some(digits)
}

/// Whether a stored text holds the number. The pattern in the query finds too much; this decides.
pub fn holds(stored: &str, digits: &str, decide: usize) -> bool {
    let stored = stored.replace("(0)", "");
    stored.split(|c: char| c.is_alphabetic() || "/,;|#".contains(c)).any(|piece| {
        let own: String = piece.chars().filter(char::is_ascii_digit).collect();
        let own = own.trim_start_matches('0');
        let enough = own.len().min(digits.len()) >= decide.min(digits.len());
        enough && (own.ends_with(digits) || digits.ends_with(own))
    })
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
        let Some(digits) = digits(phone) else { return Ok(Vec::new()) };
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
        let Some(digits) = digits(phone) else { return Ok(None) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_are_verified_by_their_digits() {
        let number = "442079460123";
        for stored in [
            "+44 20 7946 0123",
            "(020) 7946-0123",
            "+44 (0)20 7946 0123",
            "0044 20 79460123",
            "20.7946.0123",
            "7946 0123",
            "tel. +44 20 7946 0123 ext 5",
            "+33 1 99 00 11 22 / 020 7946 0123",
        ] {
            assert!(holds(stored, number, 8), "{stored}");
        }
        for stored in ["", "0123", "+44 20 7946 0124", "+49 20 7946 0123", "+44 20 7946 01230", "79460123 4"] {
            assert!(!holds(stored, number, 8), "{stored}");
        }
    }

    #[test]
    fn extensions_and_names_are_no_numbers() {
        let phone = |raw: &str| Phone::raw(raw);
        assert_eq!(digits(&phone("101")), None);
        assert_eq!(digits(&phone("sip:0034600111222@pbx")), None);
        assert_eq!(digits(&phone("' OR 1=1")), None);
        assert_eq!(digits(&phone("020 7946 0123")).as_deref(), Some("2079460123"));
        let e164 = Phone { e164: Some("+442079460123".into()), ..phone("x") };
        assert_eq!(digits(&e164).as_deref(), Some("442079460123"));
    }
}
