//! What becomes of a call with a number that nobody in amoCRM has.

use cordboard_sdk::abilities::Outcome;
use cordboard_sdk::serde_json::json;

use crate::add::Added;
use crate::api::embedded;
use crate::call;
use crate::deliver::{Prepared, Work, unclear};
use crate::look;
use crate::memo::{Note, Place};
use crate::refusal::Fault;
use crate::settings::Unknown;

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
        if let Some(Place::Unsorted { lead: Some(lead), .. }) = self.todays(&rendering)? {
            return self.noted(prepared, "leads", lead);
        }
        let pipeline = self.account().pipeline_id(&self.settings);
        let path = "/api/v4/leads/unsorted/sip";
        let sent = rendering.unsorted(pipeline);
        let place = match self.api.post(path, &json!([sent])) {
            Ok(said) => embedded(&said, "unsorted").first().and_then(|row| {
                self.waits(&sent, row);
                look::unsorted(row)
            }),
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

    /// A contact, with a lead or without, and then the call. Where amoCRM does not find by its number what has just been
    /// made, the call becomes a note of it.
    fn with_card(&self, prepared: Prepared, lead: bool) -> Result<Outcome, Fault> {
        let card = match self.card_there(&prepared)? {
            None => self.make_card(&prepared, lead)?,
            known => known,
        };
        let Some((of, card)) = card else { return Ok(unclear("make a contact")) };
        match self.add_one(&prepared)? {
            Added::Nobody => self.noted(prepared, of, card),
            added => self.placed(prepared, added),
        }
    }

    /// The card that an earlier call of this number has made, or an earlier try: amoCRM says that nobody has a number
    /// until it has looked through what is new.
    fn card_there(&self, prepared: &Prepared) -> Result<Option<(&'static str, u64)>, Fault> {
        let made = self.made.borrow().get(&self.rendering(prepared).phone()).copied();
        let (None, Some(phone)) = (made, call::client(prepared.call)) else { return Ok(made) };
        Ok(self.people(phone)?.iter().find(|card| !card.foreign).map(|card| (card.of, card.id)))
    }

    /// Makes a contact, with a lead or without; where the call is to stand, when the answer says it.
    fn make_card(&self, prepared: &Prepared, lead: bool) -> Result<Option<(&'static str, u64)>, Fault> {
        let rendering = self.rendering(prepared);
        let mut contact = rendering.contact();
        if let Some(user) = prepared.who.user {
            contact["responsible_user_id"] = json!(user);
        }
        let made = if lead {
            let mut lead = json!({"name": contact["name"], "_embedded": {"contacts": [contact]}});
            if let Some(pipeline) = self.account().pipeline_id(&self.settings) {
                lead["pipeline_id"] = json!(pipeline);
            }
            if let Some(user) = prepared.who.user {
                lead["responsible_user_id"] = json!(user);
            }
            // Both at once, and amoCRM's own control of duplicates looks at them.
            let said = self.api.post("/api/v4/leads/complex", &json!([lead]))?;
            said[0]["id"].as_u64().map(|id| ("leads", id))
        } else {
            let said = self.api.post("/api/v4/contacts", &json!([contact]))?;
            embedded(&said, "contacts").first().and_then(|row| row["id"].as_u64()).map(|id| ("contacts", id))
        };
        self.forget_people();
        if let Some(card) = made {
            self.made.borrow_mut().insert(rendering.phone(), card);
        }
        Ok(made)
    }

    /// The call as a note of a card that the hub chooses.
    fn noted(&self, prepared: Prepared, of: &str, card: u64) -> Result<Outcome, Fault> {
        let path = format!("/api/v4/{of}/{card}/notes");
        let said = self.api.post(&path, &json!([self.rendering(&prepared).note()]))?;
        match embedded(&said, "notes").first().and_then(|note| note["id"].as_u64()) {
            Some(id) => self.stands(prepared, Place::Note(Note { of: of.to_owned(), card, id })),
            None => Ok(unclear(&format!("post {path}"))),
        }
    }
}
