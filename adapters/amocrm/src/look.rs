//! Looking whether a call stands in amoCRM already. Nothing there refuses the same call twice, so what may have been
//! added is looked for before it is added.

use cordboard_sdk::serde_json::Value;

use crate::api::embedded;
use crate::call;
use crate::deliver::{Prepared, Work};
use crate::memo::{Note, Place};
use crate::person;
use crate::refusal::{Fault, plain};
use crate::settings::Unknown;

/// Cards with the number that are looked at.
const CARDS: usize = 10;

/// Leads of one card that are looked at.
const LEADS: usize = 10;

impl Work<'_> {
    /// Where the call stands, if it does.
    pub(crate) fn look_up(&self, prepared: &Prepared) -> Result<Option<Place>, Fault> {
        if let Some(phone) = call::client(prepared.call) {
            // amoCRM may have chosen the contact, the company, or a lead of theirs.
            for card in self.people(phone)?.iter().take(CARDS) {
                let leads = card.leads.iter().rev().take(LEADS).map(|lead| ("leads", *lead));
                for (of, id) in [(card.of, card.id)].into_iter().chain(leads) {
                    if let Some(note) = self.note_of(of, id, prepared)? {
                        return Ok(Some(Place::Note(note)));
                    }
                }
            }
        }
        if call::outbound(prepared.call) || self.settings.unknown_inbound != Unknown::IncomingLead {
            return Ok(None);
        }
        Ok(self.waiting()?.iter().find(|row| self.is_it(row, prepared)).and_then(unsorted))
    }

    /// The call's note among those of a card.
    fn note_of(&self, of: &str, card: u64, prepared: &Prepared) -> Result<Option<Note>, Fault> {
        let query = [("filter[note_type][]", "call_in"), ("filter[note_type][]", "call_out")];
        let notes = match self.api.list(&format!("/api/v4/{of}/{card}/notes"), &query, "notes") {
            Err(fault) if fault.is_gone() => return Ok(None),
            result => result?,
        };
        let found = notes.iter().find(|note| note["params"]["uniq"] == prepared.key.as_str());
        let id = found.and_then(|note| note["id"].as_u64());
        Ok(id.map(|id| Note { of: of.to_owned(), card, id }))
    }

    /// Incoming leads of calls that wait to be accepted, the newest first.
    pub(crate) fn waiting(&self) -> Result<Vec<Value>, Fault> {
        let pipeline = self.account().pipeline_id(&self.settings).map(|id| id.to_string());
        let mut query = vec![("filter[category][]", "sip"), ("order[created_at]", "desc"), ("limit", "250")];
        query.extend(pipeline.as_deref().map(|id| ("filter[pipeline_id]", id)));
        let said = self.api.get("/api/v4/leads/unsorted", &query)?.unwrap_or_default();
        Ok(embedded(&said, "unsorted").to_vec())
    }

    /// Whether an incoming lead is this call. What amoCRM gives back of it is loosely typed, and not all of it.
    fn is_it(&self, row: &Value, prepared: &Prepared) -> bool {
        let told = &row["metadata"];
        if let Some(uniq) = told["uniq"].as_str().filter(|uniq| !uniq.is_empty()) {
            return uniq == prepared.key;
        }
        let rendering = self.rendering(prepared);
        let same = ["phone", "from"].iter().any(|name| self.same_number(&plain(&told[*name]), &rendering.phone()));
        same && told["called_at"].as_u64() == Some(rendering.began())
    }

    /// Whether two texts name one number, or are the same word for a withheld one.
    pub(crate) fn same_number(&self, stored: &str, phone: &str) -> bool {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        stored == phone || (!digits.is_empty() && person::same(stored, &digits, self.settings.digits))
    }
}

/// An incoming lead as a place.
pub(crate) fn unsorted(row: &Value) -> Option<Place> {
    let lead = embedded(row, "leads").first().and_then(|lead| lead["id"].as_u64());
    Some(Place::Unsorted { uid: row["uid"].as_str()?.to_owned(), lead })
}
