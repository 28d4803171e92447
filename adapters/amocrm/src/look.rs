//! Looking whether a call stands in amoCRM already. Nothing there refuses the same call twice, so what may have been
//! added is looked for before it is added.

use cordboard_sdk::serde_json::Value;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::api::embedded;
use crate::call::{self, Rendering};
use crate::deliver::{Prepared, Work};
use crate::memo::{Note, Place};
use crate::person;
use crate::refusal::{Fault, plain};
use crate::settings::Unknown;

/// Cards with the number that are looked at.
const CARDS: usize = 5;

/// Customers and leads of one card that are looked at.
const THEIRS: usize = 10;

/// Cards, customers and leads that are looked at for one call, all together: each is a request.
const PLACES: usize = 20;

impl Work<'_> {
    /// Where the call stands, if it does.
    pub(crate) fn look_up(&self, prepared: &Prepared) -> Result<Option<Place>, Fault> {
        for (of, id) in self.places(prepared)? {
            if let Some(note) = self.note_of(of, id, prepared)? {
                return Ok(Some(Place::Note(note)));
            }
        }
        if call::outbound(prepared.call) || self.settings.unknown_inbound != Unknown::IncomingLead {
            return Ok(None);
        }
        if let Some(place) = self.find_waiting(|row| self.is_it(row, prepared))? {
            return Ok(Some(place));
        }
        // It may have joined the lead of another call of its day.
        match self.todays(&self.rendering(prepared))? {
            Some(Place::Unsorted { lead: Some(lead), .. }) => {
                Ok(self.note_of("leads", lead, prepared)?.map(Place::Note))
            }
            _ => Ok(None),
        }
    }

    /// Where amoCRM may have put the call: with whoever has the number, a customer or a lead of theirs, the newest first.
    fn places(&self, prepared: &Prepared) -> Result<Vec<(&'static str, u64)>, Fault> {
        let Some(phone) = call::client(prepared.call) else { return Ok(Vec::new()) };
        let people = self.people(phone)?;
        let cards = || people.iter().take(CARDS);
        let theirs = cards().flat_map(|card| {
            let customers = card.customers.iter().rev().map(|id| ("customers", *id));
            customers.chain(card.leads.iter().rev().map(|id| ("leads", *id))).take(THEIRS)
        });
        Ok(cards().map(|card| (card.of, card.id)).chain(theirs).take(PLACES).collect())
    }

    /// The call's note among those of a card.
    fn note_of(&self, of: &str, card: u64, prepared: &Prepared) -> Result<Option<Note>, Fault> {
        let query = [("filter[note_type][]", "call_in"), ("filter[note_type][]", "call_out")];
        let notes = match self.api.list(&format!("/api/v4/{of}/{card}/notes"), &query, "notes") {
            Err(fault) if fault.is_gone() => return Ok(None),
            result => result?,
        };
        let joined = |note: &Value| prepared.change.joined.iter().any(|one| one.external_id == plain(&note["id"]));
        let found = notes.iter().find(|note| note["params"]["uniq"] == prepared.key.as_str() || joined(note));
        let id = found.and_then(|note| note["id"].as_u64());
        Ok(id.map(|id| Note { of: of.to_owned(), card, id }))
    }

    /// The incoming lead of this number that waits since the same day, where one a day is enough.
    pub(crate) fn todays(&self, rendering: &Rendering) -> Result<Option<Place>, Fault> {
        if !self.settings.one_lead_a_day {
            return Ok(None);
        }
        let (zone, phone) = (self.account().zone(), rendering.phone());
        let today = day(&zone, rendering.began());
        self.find_waiting(|row| {
            let told = &row["metadata"];
            let called = told["called_at"].as_u64().or(row["created_at"].as_u64());
            called.is_some_and(|called| day(&zone, called) == today) && self.is_from(told, &phone)
        })
    }

    /// The newest incoming lead that waits to be accepted and of which this is so. A batch asks for them once.
    fn find_waiting(&self, is: impl Fn(&Value) -> bool) -> Result<Option<Place>, Fault> {
        if self.waiting.borrow().is_none() {
            let rows = self.ask_waiting()?;
            *self.waiting.borrow_mut() = Some(rows);
        }
        let waiting = self.waiting.borrow();
        Ok(waiting.iter().flatten().find(|row| is(row)).and_then(unsorted))
    }

    fn ask_waiting(&self) -> Result<Vec<Value>, Fault> {
        let pipeline = self.account().pipeline_id(&self.settings).map(|id| id.to_string());
        let mut query = vec![("filter[category][]", "sip"), ("order[created_at]", "desc"), ("limit", "250")];
        query.extend(pipeline.as_deref().map(|id| ("filter[pipeline_id]", id)));
        let said = self.api.get("/api/v4/leads/unsorted", &query)?.unwrap_or_default();
        Ok(embedded(&said, "unsorted").to_vec())
    }

    /// One more waits: what was sent, and what amoCRM has said of it.
    pub(crate) fn waits(&self, sent: &Value, said: &Value) {
        if let (Some(waiting), Some(said)) = (self.waiting.borrow_mut().as_mut(), said.as_object()) {
            let mut row = said.clone();
            row.insert("metadata".to_owned(), sent["metadata"].clone());
            waiting.insert(0, Value::Object(row));
        }
    }

    /// Whether an incoming lead is this call. What amoCRM gives back of it is loosely typed, and not all of it.
    fn is_it(&self, row: &Value, prepared: &Prepared) -> bool {
        let told = &row["metadata"];
        if prepared.change.joined.iter().any(|one| row["uid"] == one.external_id.as_str()) {
            return true;
        }
        if let Some(uniq) = told["uniq"].as_str().filter(|uniq| !uniq.is_empty()) {
            return uniq == prepared.key;
        }
        let rendering = self.rendering(prepared);
        told["called_at"].as_u64() == Some(rendering.began()) && self.is_from(told, &rendering.phone())
    }

    /// Whether an incoming lead is of this number, or of the same word for a withheld one. Pages differ in which of the
    /// two members has it.
    fn is_from(&self, told: &Value, phone: &str) -> bool {
        let digits = person::digits(phone);
        ["phone", "from"].iter().any(|name| {
            let stored = plain(&told[*name]);
            stored == phone || (!digits.is_empty() && person::same(&stored, &digits, self.settings.digits))
        })
    }
}

/// An incoming lead as a place.
pub(crate) fn unsorted(row: &Value) -> Option<Place> {
    let lead = embedded(row, "leads").first().and_then(|lead| lead["id"].as_u64());
    Some(Place::Unsorted { uid: row["uid"].as_str()?.to_owned(), lead })
}

/// The day of a moment, told in seconds, by the account's clock.
fn day(zone: &TimeZone, seconds: u64) -> Option<Date> {
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(at.to_zoned(zone.clone()).date())
}
