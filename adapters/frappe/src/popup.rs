//! A call that rings, shown in Frappe CRM: by its bell, or by the call window of its Exotel integration.

use cordboard_sdk::records::{Call, CallPhase, Direction, Item};
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::{Agent, Failure, Phone};

use crate::api::Row;
use crate::call;
use crate::deliver::{Prepared, Work};
use crate::refusal::Fault;
use crate::settings::Popup;
use crate::text;

/// How many users are told of one call: more telephones than that are a queue for which there is a wallboard.
const USERS: usize = 10;

impl Work<'_> {
    /// Shows a call to whose telephone rings, once to each. The call has been written by now: that it is not shown is
    /// said, and is no failure, for by the next try nothing rings any more.
    pub(crate) fn show(&self, prepared: &mut Prepared, name: &str) {
        let Item::Call(call) = &prepared.change.item else { return };
        let inbound = !matches!(call.way(), Some(Direction::Outbound | Direction::Internal));
        if self.settings.popup == Popup::Off || call.phase != Some(CallPhase::Ringing) || !inbound {
            return;
        }
        for user in self.ringing(call) {
            if prepared.memo.told.contains(&user) {
                continue;
            }
            let shown = match self.settings.popup {
                Popup::Exotel => self.by_exotel(prepared, call, &user),
                _ => self.by_bell(prepared, call, name, &user),
            };
            match shown {
                Ok(()) => prepared.memo.told.push(user),
                Err(fault) => {
                    prepared.notes.push(format!("popup: not shown to {user}: {}", Failure::from(fault).why()))
                }
            }
        }
    }

    /// The users whose telephones ring now.
    fn ringing(&self, call: &Call) -> Vec<String> {
        let desks = call.desks.iter().filter(|desk| desk.stopped_at.is_none());
        let desks = desks.map(|desk| Agent::extension(&desk.extension));
        let mut users: Vec<String> = call
            .agent
            .clone()
            .into_iter()
            .chain(desks)
            .filter_map(|agent| call::user(&self.settings, &self.known, &agent))
            .collect();
        let mut seen = Vec::new();
        users.retain(|user| {
            !seen.contains(user) && {
                seen.push(user.clone());
                true
            }
        });
        users.truncate(USERS);
        users
    }

    fn by_bell(&self, prepared: &Prepared, call: &Call, name: &str, user: &str) -> Result<(), Fault> {
        let who = self.who(prepared, call);
        let doctype = self.known.targets[&prepared.kind].doctype.as_str();
        let (about, of) = match &prepared.person {
            Some(person) => (person.linked.doctype.as_str(), person.linked.name.as_str()),
            None => (doctype, name),
        };
        let values = [
            ("from_user", self.known.user.as_str()),
            ("to_user", user),
            ("type", "Task"),
            ("message", &format!("Incoming call: {who}")),
            // It is shown as HTML, and who calls chooses the name.
            ("notification_text", &format!("Incoming call from <b>{}</b>", text::markup(&who))),
            ("reference_doctype", about),
            ("reference_name", of),
            ("notification_type_doctype", about),
            ("notification_type_doc", of),
        ];
        let doc: Row = values.into_iter().map(|(field, value)| (field.to_owned(), json!(value))).collect();
        self.api.create("CRM Notification", &doc).map(|_| ())
    }

    /// The window opens for the user of this e-mail address; the CRM finds the call log by its id and goes on with it.
    fn by_exotel(&self, prepared: &Prepared, call: &Call, user: &str) -> Result<(), Fault> {
        let number = |party: &Option<cordboard_sdk::vocabulary::Party>| {
            let party = party.as_ref().and_then(|party| party.number.as_ref());
            party.map(Phone::shown).unwrap_or_default().to_owned()
        };
        let (from, to) = (number(&call.caller), number(&call.callee));
        let told = json!({
            "CallSid": prepared.key, "CallFrom": from, "CallTo": to, "To": to, "DialWhomNumber": to,
            "Direction": "incoming", "Status": "busy", "CallType": "call-attempt", "EventType": "Dial",
            "AgentEmail": user,
        });
        self.api.exotel(self.settings.exotel_key.as_deref().unwrap_or_default(), &told)
    }

    fn who(&self, prepared: &Prepared, call: &Call) -> String {
        let linked = prepared.person.as_ref().map(|person| person.linked.title.clone());
        let party = call.caller.as_ref();
        let name = party.and_then(|party| party.name.clone()).filter(|name| !name.trim().is_empty());
        let number = party.and_then(|party| party.number.as_ref()).map(|number| number.shown().to_owned());
        let who = linked.filter(|name| !name.is_empty()).or(name).or(number);
        text::line("who", &who.unwrap_or_else(|| "a withheld number".into()), 80, &mut Vec::new())
    }
}
