//! Who has a number: contacts, then companies, by the documented search, their own numbers compared.

use cordboard_sdk::serde_json::Value;

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
    updated: u64,
}

/// Everybody with this number, contacts first, the newest first.
pub fn everybody(api: &Api, settings: &Settings, digits: &str) -> Result<Vec<Card>, Fault> {
    let mut all = search(api, settings, "contacts", digits)?;
    all.extend(search(api, settings, "companies", digits)?);
    Ok(all)
}

fn search(api: &Api, settings: &Settings, of: &'static str, digits: &str) -> Result<Vec<Card>, Fault> {
    let query = [("query", last(digits, settings.digits)), ("with", "leads")];
    let rows = api.list(&format!("/api/v4/{of}"), &query, of)?;
    // The search looks into every field: only a telephone number counts.
    let right = |row: &&Value| numbers(row).iter().any(|number| same(number, digits, settings.digits));
    let mut cards: Vec<Card> = rows.iter().filter(right).filter_map(|row| card(of, row)).collect();
    cards.sort_by_key(|card| std::cmp::Reverse((card.updated, card.id)));
    Ok(cards)
}

/// Whether a stored number ends like the one searched for, as amoCRM itself compares them: `8 999 000-11-22` and
/// `+79990001122` are one.
pub fn same(stored: &str, digits: &str, decide: usize) -> bool {
    let own: String = stored.chars().filter(char::is_ascii_digit).collect();
    !own.is_empty() && last(own.trim_start_matches('0'), decide) == last(digits, decide)
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
    Some(Card {
        of,
        id: row["id"].as_u64()?,
        name: row["name"].as_str().unwrap_or_default().to_owned(),
        owner: row["responsible_user_id"].as_u64().filter(|user| *user != 0),
        leads: embedded(row, "leads").iter().filter_map(|lead| lead["id"].as_u64()).collect(),
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
        for stored in ["", "0001122", "79990001123", "caller 42", "99900011220"] {
            assert!(!same(stored, "79990001122", 10), "{stored}");
        }
        assert!(same("555-1234", "5551234", 10), "a short number has to be there whole");
        assert!(!same("12 555-1234", "5551234", 10));
    }
}
