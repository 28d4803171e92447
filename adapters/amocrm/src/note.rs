//! What comes after a call was logged: a recording, a correction, what a person wrote about it.

use cordboard_sdk::abilities::Outcome;
use cordboard_sdk::serde_json::json;

use crate::api::embedded;
use crate::deliver::{Prepared, Work};
use crate::memo::Place;
use crate::refusal::Fault;

/// Characters of what a person wrote, at most.
const WORDS: usize = 20_000;

impl Work<'_> {
    /// Brings a call that stands in amoCRM up to date.
    pub(crate) fn revise(&self, mut prepared: Prepared) -> Result<Outcome, Fault> {
        let params = self.rendering(&prepared).params();
        if prepared.memo.fields.has("params", &params) {
            return self.told(prepared);
        }
        let said = match prepared.memo.place.clone() {
            Some(Place::Note(note)) => {
                let path = format!("/api/v4/{}/{}/notes/{}", note.of, note.card, note.id);
                let body = json!({"note_type": self.rendering(&prepared).note_type(), "params": params});
                self.api.patch(&path, &body).map(|_| ())
            }
            Some(Place::Unsorted { lead, .. }) => self.revise_waiting(&prepared, lead),
            None => return self.told(prepared),
        };
        match said {
            Ok(()) => {}
            // Somebody has deleted the note, or may not let it be changed: that is how they want it.
            Err(fault) if fault.is_gone() || fault.is_refused() => prepared.notes.push(format!(
                "the call stands in amoCRM as it was logged: its note cannot be changed any more (HTTP {})",
                fault.status().unwrap_or_default()
            )),
            Err(fault) => return Err(fault),
        }
        prepared.memo.fields.wrote("params", &params);
        prepared.memo.fields.wrote("link", &params["link"]);
        self.told(prepared)
    }

    /// Nothing of an incoming lead can be changed; a recording that came late is told in a note of the lead.
    fn revise_waiting(&self, prepared: &Prepared, lead: Option<u64>) -> Result<(), Fault> {
        let rendering = self.rendering(prepared);
        let (Some(link), Some(lead)) = (rendering.link(), lead) else { return Ok(()) };
        if prepared.memo.fields.has("link", &json!(link)) {
            return Ok(());
        }
        let path = format!("/api/v4/leads/{lead}/notes");
        if prepared.change.attempt > 1 && self.same_words(&path, link)?.is_some() {
            return Ok(());
        }
        self.api.post(&path, &json!([{"note_type": "common", "params": {"text": link}}])).map(|_| ())
    }

    /// What a person wrote about the call, as a note of the same card.
    pub(crate) fn write_words(&self, prepared: &mut Prepared) -> Result<(), Fault> {
        let Some(words) = prepared.call.notes.as_deref().map(str::trim).filter(|words| !words.is_empty()) else {
            return Ok(());
        };
        let words: String = words.chars().filter(|c| *c == '\n' || !c.is_control()).take(WORDS).collect();
        if prepared.memo.fields.has("words", &json!(words)) {
            return Ok(());
        }
        let Some((of, card)) = prepared.memo.place.as_ref().and_then(Place::card) else { return Ok(()) };
        let path = format!("/api/v4/{of}/{card}/notes");
        let mut note = json!({"note_type": "common", "params": {"text": words}});
        let known = match prepared.memo.words {
            None if prepared.change.attempt > 1 => self.same_words(&path, &words)?,
            known => known,
        };
        let said = match known {
            Some(id) => self.api.patch(&format!("{path}/{id}"), &note).map(|_| Some(id)),
            None => {
                if let Some(user) = prepared.who.user {
                    note["created_by"] = json!(user);
                }
                self.api.post(&path, &json!([note])).map(|said| embedded(&said, "notes").first()?["id"].as_u64())
            }
        };
        match said {
            Ok(id) => prepared.memo.words = id.or(known),
            Err(fault) if fault.is_gone() || fault.is_refused() => prepared
                .notes
                .push(format!("what was written about the call: not noted (HTTP {})", fault.status().unwrap_or(0))),
            Err(fault) => return Err(fault),
        }
        prepared.memo.fields.wrote("words", &json!(words));
        Ok(())
    }

    /// A note with these very words, from a try that nobody heard the end of.
    fn same_words(&self, path: &str, words: &str) -> Result<Option<u64>, Fault> {
        match self.api.list(path, &[("filter[note_type][]", "common")], "notes") {
            Ok(notes) => {
                let same = notes.iter().find(|note| note["params"]["text"] == words);
                Ok(same.and_then(|note| note["id"].as_u64()))
            }
            Err(fault) if fault.is_gone() => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
