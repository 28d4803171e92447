//! Who has a number: contacts, then companies, by the documented search, their own numbers compared.

use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::Phone;

use crate::api::{Api, embedded};
use crate::refusal::Fault;
use crate::settings::{OwnerOf, Settings};

/// Leads of one contact that are looked at.
const LEADS: usize = 5;

/// Leads that are closed, in every pipeline: won and lost.
const CLOSED: [u64; 2] = [142, 143];

/// A card with the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// "contacts" or "companies".
    pub of: &'static str,
    /// Its number.
    pub id: u64,
    /// As people see it.
    pub name: String,
    /// The responsible user.
    pub owner: Option<u64>,
    /// Its leads.
    pub leads: Vec<u64>,
    /// Its customers.
    pub customers: Vec<u64>,
    /// The number that ends like this one is written out as another country's: amoCRM puts calls here, and it is
    /// somebody else.
    pub foreign: bool,
    updated: u64,
}

/// Everybody with this number as amoCRM compares them, contacts first, the newest first.
pub fn everybody(api: &Api, settings: &Settings, phone: &Phone, digits: &str) -> Result<Vec<Card>, Fault> {
    let mut all = search(api, settings, "contacts", phone, digits)?;
    all.extend(search(api, settings, "companies", phone, digits)?);
    Ok(all)
}

fn search(api: &Api, settings: &Settings, of: &'static str, phone: &Phone, digits: &str) -> Result<Vec<Card>, Fault> {
    let query = [("query", last(digits, settings.digits)), ("with", "leads,customers")];
    let rows = api.list(&format!("/api/v4/{of}"), &query, of)?;
    let found = rows.iter().filter_map(|row| {
        // The search looks into every field: only a telephone number counts.
        let mut numbers = numbers(row);
        numbers.retain(|number| same(number, digits, settings.digits));
        let card = card(of, row).filter(|_| !numbers.is_empty())?;
        Some(Card { foreign: numbers.iter().all(|number| is_foreign(number, phone)), ..card })
    });
    let mut cards: Vec<Card> = found.collect();
    cards.sort_by_key(|card| std::cmp::Reverse((card.updated, card.id)));
    Ok(cards)
}

/// Whether a stored number ends like the one searched for, as amoCRM itself compares them: `8 999 000-11-22` and
/// `+79990001122` are one. A number that has not as many digits as decide must be the whole of the other.
pub fn same(stored: &str, wanted: &str, decide: usize) -> bool {
    let own = digits(stored);
    if own.len().min(wanted.len()) < decide {
        return !own.is_empty() && own.trim_start_matches('0') == wanted.trim_start_matches('0');
    }
    last(&own, decide) == last(wanted, decide)
}

/// Whether a number is written out with the code of another country. Many write 8 where it should be 7.
fn is_foreign(stored: &str, phone: &Phone) -> bool {
    let Some(wanted) = phone.e164.as_deref().and_then(|number| number.strip_prefix('+')) else { return false };
    let Some(own) = stored.trim_start().strip_prefix('+').map(digits) else { return false };
    own != wanted && !(own.starts_with('8') && wanted.starts_with('7') && own[1..] == wanted[1..])
}

/// The digits of a text.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn last(digits: &str, count: usize) -> &str {
    &digits[digits.len().saturating_sub(count)..]
}

fn numbers(row: &Value) -> Vec<String> {
    let fields = row["custom_fields_values"].as_array().into_iter().flatten();
    let phones = fields.filter(|field| field["field_code"] == "PHONE");
    let values = phones.flat_map(|field| field["values"].as_array().into_iter().flatten());
    values.map(|value| crate::refusal::plain(&value["value"])).collect()
}

fn card(of: &'static str, row: &Value) -> Option<Card> {
    let ids = |name| embedded(row, name).iter().filter_map(|one| one["id"].as_u64()).collect();
    Some(Card {
        of,
        id: row["id"].as_u64()?,
        name: row["name"].as_str().unwrap_or_default().to_owned(),
        owner: row["responsible_user_id"].as_u64().filter(|user| *user != 0),
        leads: ids("leads"),
        customers: ids("customers"),
        foreign: false,
        updated: row["updated_at"].as_u64().unwrap_or_default(),
    })
}

/// Who is responsible for whoever has the card: for its only active lead, where the settings say so, else for itself.
pub fn owner(api: &Api, settings: &Settings, card: &Card) -> Result<Option<u64>, Fault> {
    if settings.owner_of == OwnerOf::Contact || card.leads.len() > LEADS {
        return Ok(card.owner);
    }
    let mut active = Vec::new();
    for id in &card.leads {
        let Some(lead) = api.get(&format!("/api/v4/leads/{id}"), &[])? else { continue };
        let closed = lead["status_id"].as_u64().is_some_and(|status| CLOSED.contains(&status));
        if !closed && lead["is_deleted"] != true {
            active.push(lead["responsible_user_id"].as_u64());
        }
    }
    match active.as_slice() {
        [only] => Ok(only.or(card.owner)),
        _ => Ok(card.owner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_by_their_last_digits() {
        for stored in ["+7 (999) 000-11-22", "89990001122", "9990001122", "0079990001122"] {
            assert!(same(stored, "79990001122", 10), "{stored}");
        }
        for stored in ["", "0", "0001122", "990001122", "79990001123", "caller 42", "99900011220"] {
            assert!(!same(stored, "79990001122", 10), "{stored}");
        }
        assert!(same("555-1234", "5551234", 10), "a short number has to be there whole");
        assert!(same("0 555-1234", "5551234", 10) && !same("12 555-1234", "5551234", 10));
        // Where the tenth digit from the end is the zero that is dialled inside the country.
        for stored in ["099 000 11 22", "+380 99 000 11 22", "380990001122"] {
            assert!(same(stored, "380990001122", 10), "{stored}");
        }
        assert!(!same("199 000 11 22", "380990001122", 10));
    }

    #[test]
    fn the_same_end_in_another_country_is_somebody_else() {
        let phone = |e164: Option<&str>| Phone { e164: e164.map(str::to_owned), ..Phone::raw("9990001122") };
        let known = phone(Some("+79990001122"));
        for own in ["+7 (999) 000-11-22", "+8 999 000 11 22", "8 999 000 11 22", "9990001122", "1 999 000 11 22"] {
            assert!(!is_foreign(own, &known), "{own}");
        }
        for foreign in ["+1 999 000 11 22", " +49 999 000 11 22"] {
            assert!(is_foreign(foreign, &known), "{foreign}");
            assert!(!is_foreign(foreign, &phone(None)), "{foreign}: nothing says which country it is");
        }
    }
}
