//! Who has a number: by the CRM's own look-up, and by the phone fields of leads and contacts.

use cordboard_sdk::crm::holds;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Phone;

use crate::api::{Api, Row, name_of, text};
use crate::call::Person;
use crate::known::Known;
use crate::memo::Linked;
use crate::refusal::Fault;
use crate::settings::Settings;

/// How many of one DocType are looked at.
const MOST: usize = 50;

/// Somebody who has the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The deal, lead or contact, and the contact of a deal.
    pub person: Person,
    /// The responsible user.
    pub owner: Option<String>,
}

/// A DocType of people: its name, its title, its owner, its phone fields.
struct People {
    doctype: &'static str,
    title: &'static str,
    owner: &'static str,
    phones: &'static [&'static str],
}

const CRM_LEAD: People =
    People { doctype: "CRM Lead", title: "lead_name", owner: "lead_owner", phones: &["mobile_no", "phone"] };
const LEAD: People =
    People { doctype: "Lead", title: "lead_name", owner: "lead_owner", phones: &["mobile_no", "phone"] };

/// Looks for people.
pub struct Search<'a> {
    /// The site.
    pub api: &'a Api<'a>,
    /// What is known of it.
    pub known: &'a Known,
    /// The settings of this use.
    pub settings: &'a Settings,
}

impl Search<'_> {
    /// The one to link a call to: the CRM's own answer, else the first that is found.
    pub fn person(&self, phone: &Phone, notes: &mut Vec<String>) -> Result<Option<Person>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(None) };
        if let Some(person) = self.by_crm(phone)? {
            return Ok(Some(person));
        }
        let mut found = Vec::new();
        match self.everywhere(&digits, &mut found) {
            // Who may not look there finds nobody there.
            Err(fault) if fault.is_denied() => {}
            result => result?,
        }
        let count = found.len();
        let first = found.into_iter().next();
        if let (Some(first), true) = (&first, count > 1) {
            let title = &first.person.linked.title;
            notes.push(format!("person: {count} have this number; the newest, {title}, was linked"));
        }
        Ok(first.map(|found| found.person))
    }

    /// Everybody with this number, best first.
    pub fn everybody(&self, phone: &Phone) -> Result<Vec<Found>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let best = self.by_crm(phone)?;
        let asked = best.is_some();
        if let Some(person) = best {
            let owner = self.owner(&person.linked)?;
            found.push(Found { person, owner });
        }
        match self.everywhere(&digits, &mut found) {
            Err(fault) if fault.is_denied() && asked => {}
            result => result?,
        }
        Ok(found)
    }

    /// The CRM compares whole numbers with their country's code, and asks for no right to leads.
    fn by_crm(&self, phone: &Phone) -> Result<Option<Person>, Fault> {
        let Some(e164) = phone.e164.as_deref().filter(|_| self.known.crm) else { return Ok(None) };
        let method = "crm.integrations.api.get_contact_by_phone_number";
        let answer = match self.api.ask(method, [("phone_number", e164)]) {
            Ok(answer) => answer,
            // A CRM without the method.
            Err(fault) if fault.is_gone() || matches!(fault.code(), "ValidationError" | "PermissionError") => {
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        let some = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(name) = some("name") else { return Ok(None) };
        let title = some("full_name").or_else(|| some("lead_name")).unwrap_or_default();
        let linked = |doctype: &str, name: String| Linked { doctype: doctype.into(), name, title: title.clone() };
        Ok(Some(match (some("deal"), some("lead")) {
            (Some(deal), _) => Person { linked: linked("CRM Deal", deal), contact: Some(name) },
            (None, Some(lead)) => Person { linked: linked("CRM Lead", lead), contact: None },
            (None, None) => Person { linked: linked("Contact", name), contact: None },
        }))
    }

    /// By the phone fields. Only when nobody could be looked at is a missing right a failure.
    fn everywhere(&self, digits: &str, found: &mut Vec<Found>) -> Result<(), Fault> {
        let mut looked = false;
        let mut refused = None;
        let erpnext = self.known.versions.contains_key("erpnext");
        let leads = [(self.known.crm, &CRM_LEAD), (erpnext, &LEAD)];
        for (_, people) in leads.into_iter().filter(|(there, _)| *there) {
            match self.among(people, digits, found) {
                Ok(()) => looked = true,
                Err(fault) if fault.is_denied() || fault.is_gone() => refused = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        match self.contacts(digits, found) {
            Ok(()) => looked = true,
            Err(fault) if fault.is_denied() || fault.is_gone() => refused = refused.or(Some(fault)),
            Err(fault) => return Err(fault),
        }
        match refused {
            Some(fault) if !looked => Err(fault),
            _ => Ok(()),
        }
    }

    fn among(&self, people: &People, digits: &str, found: &mut Vec<Found>) -> Result<(), Fault> {
        let pattern = pattern(digits, self.settings.digits);
        let any: Vec<Value> = people.phones.iter().map(|phone| json!([phone, "like", pattern])).collect();
        let fields = [&["name", people.title, people.owner], people.phones].concat();
        let rows = self.api.list_any(people.doctype, &json!(any), &fields, MOST)?;
        let right =
            |row: &&Row| people.phones.iter().any(|phone| holds(text(row, phone), digits, self.settings.digits));
        for row in rows.iter().filter(right) {
            add(found, people.doctype, row, text(row, people.title), text(row, people.owner));
        }
        Ok(())
    }

    /// All numbers of a contact stand in rows of their own.
    fn contacts(&self, digits: &str, found: &mut Vec<Found>) -> Result<(), Fault> {
        let filters = json!([["Contact Phone", "phone", "like", pattern(digits, self.settings.digits)]]);
        let fields = ["name", "full_name", "`tabContact Phone`.phone"];
        let rows = self.api.list("Contact", &filters, &fields, MOST)?;
        for row in rows.iter().filter(|row| holds(text(row, "phone"), digits, self.settings.digits)) {
            add(found, "Contact", row, text(row, "full_name"), "");
        }
        Ok(())
    }

    /// Who is responsible; nobody when this user may not know.
    fn owner(&self, linked: &Linked) -> Result<Option<String>, Fault> {
        let field = match linked.doctype.as_str() {
            "CRM Deal" => "deal_owner",
            "CRM Lead" => "lead_owner",
            _ => return Ok(None),
        };
        match self.api.list(&linked.doctype, &json!([["name", "=", linked.name]]), &["name", field], 1) {
            Ok(rows) => Ok(rows.first().map(|row| text(row, field).to_owned()).filter(|owner| !owner.is_empty())),
            Err(fault) if fault.is_denied() || fault.code() == "DataError" => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// The last digits, whatever stands between them.
fn pattern(digits: &str, decide: usize) -> String {
    let last = &digits[digits.len().saturating_sub(decide)..];
    let spread: Vec<String> = last.chars().map(String::from).collect();
    format!("%{}%", spread.join("%"))
}

fn add(found: &mut Vec<Found>, doctype: &str, row: &Row, title: &str, owner: &str) {
    let name = name_of(row);
    let same = |found: &Found| {
        let linked = &found.person.linked;
        (linked.doctype == doctype && linked.name == name)
            || (doctype == "Contact" && found.person.contact.as_deref() == Some(name.as_str()))
    };
    if name.is_empty() || found.iter().any(same) {
        return;
    }
    let title = if title.is_empty() { name.clone() } else { title.to_owned() };
    let linked = Linked { doctype: doctype.to_owned(), name, title };
    let owner = Some(owner.to_owned()).filter(|owner| !owner.is_empty());
    found.push(Found { person: Person { linked, contact: None }, owner });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_lets_anything_stand_between_digits() {
        assert_eq!(pattern("34600111222", 9), "%6%0%0%1%1%1%2%2%2%");
    }
}
