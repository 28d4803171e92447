//! What becomes of a call with a number that nobody in amoCRM has.

use cordboard_sdk::abilities::Outcome;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::api::embedded;
use crate::call;
use crate::deliver::{Prepared, Work};
use crate::look;
use crate::memo::{Note, Place};
use crate::refusal::{Fault, plain};
use crate::settings::Unknown;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

impl Work<'_> {
    /// As the settings say.
    pub(crate) fn unknown(&self, prepared: Prepared) -> Result<Outcome, Fault> {
        let outbound = call::outbound(prepared.call);
        let (wanted, setting) = if outbound {
            (self.settings.unknown_outbound, "unknown_outbound")
        } else {
            (self.settings.unknown_inbound, "unknown_inbound")
        };
        let withheld = call::client(prepared.call).is_none();
        match wanted {
            Unknown::Nothing => {
                let phone = self.rendering(&prepared).phone();
                Ok(Outcome::Skipped(format!("nobody in amoCRM has {phone}, and the setting `{setting}` is nothing")))
            }
            // Incoming leads are for calls that come in.
            Unknown::IncomingLead if !outbound => self.incoming_lead(prepared),
            Unknown::Contact | Unknown::ContactAndLead if withheld => {
                Ok(Outcome::Skipped("the caller withholds the number: there is nobody to make a contact of".into()))
            }
            Unknown::Contact => self.with_card(prepared, false),
            Unknown::ContactAndLead | Unknown::IncomingLead => self.with_card(prepared, true),
        }
    }

    /// An incoming lead; or a note of the one of this number that waits already, where one a day is enough.
    fn incoming_lead(&self, prepared: Prepared) -> Result<Outcome, Fault> {
        let rendering = self.rendering(&prepared);
        if self.settings.one_lead_a_day
            && let Some(place) = self.todays(&rendering)?
            && let Some((of, card)) = place.card().map(|(of, card)| (of.to_owned(), card))
        {
            let said = self.api.post(&format!("/api/v4/{of}/{card}/notes"), &json!([rendering.note()]))?;
            let Some(id) = embedded(&said, "notes").first().and_then(|note| note["id"].as_u64()) else {
                return Ok(unclear(&format!("post /api/v4/{of}/{card}/notes")));
            };
            return self.stands(prepared, Place::Note(Note { of, card, id }));
        }
        let pipeline = self.account().pipeline_id(&self.settings);
        let path = "/api/v4/leads/unsorted/sip";
        let place = match self.api.post(path, &json!([rendering.unsorted(pipeline)])) {
            Ok(said) => embedded(&said, "unsorted").first().and_then(look::unsorted),
            // The same data cannot stand there twice: then it is there.
            Err(fault) if fault.is_refused() => match self.look_up(&prepared)? {
                Some(place) => Some(place),
                None => return Err(fault),
            },
            Err(fault) => return Err(fault),
        };
        match place {
            Some(place) => self.stands(prepared, place),
            None => Ok(unclear(&format!("post {path}"))),
        }
    }

    /// The incoming lead of this number that waits since today.
    fn todays(&self, rendering: &call::Rendering) -> Result<Option<Place>, Fault> {
        let began = rendering.began();
        let today = |row: &&Value| {
            let told = &row["metadata"];
            let called = told["called_at"].as_u64().or(row["created_at"].as_u64()).unwrap_or_default();
            called / DAY == began / DAY
                && ["phone", "from"].iter().any(|name| self.same_number(&plain(&told[*name]), &rendering.phone()))
        };
        Ok(self.waiting()?.iter().find(today).and_then(look::unsorted))
    }

    /// A contact, with a lead or without, and then the call. A try that breaks off in between finds the contact when it
    /// comes again.
    fn with_card(&self, prepared: Prepared, lead: bool) -> Result<Outcome, Fault> {
        let rendering = self.rendering(&prepared);
        let mut contact = rendering.contact();
        let user = prepared.who.user;
        if let Some(user) = user {
            contact["responsible_user_id"] = json!(user);
        }
        if lead {
            let mut lead = json!({"name": contact["name"], "_embedded": {"contacts": [contact]}});
            if let Some(pipeline) = self.account().pipeline_id(&self.settings) {
                lead["pipeline_id"] = json!(pipeline);
            }
            if let Some(user) = user {
                lead["responsible_user_id"] = json!(user);
            }
            // Both at once, and amoCRM's own control of duplicates looks at them.
            self.api.post("/api/v4/leads/complex", &json!([lead]))?;
        } else {
            self.api.post("/api/v4/contacts", &json!([contact]))?;
        }
        self.forget_people();
        match self.add_known(&prepared)? {
            Some(note) => self.stands(prepared, Place::Note(note)),
            None => Ok(Outcome::Failed(
                Failure::retryable("the contact has been made, and amoCRM does not find it by its number yet")
                    .uncertain(),
            )),
        }
    }
}

fn unclear(operation: &str) -> Outcome {
    let why = format!("{operation}: success, and what was added is not in the answer");
    Outcome::Failed(Failure::retryable(why).uncertain())
}
