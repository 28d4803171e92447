//! Whose a call is: who took or placed it; for one that nobody answered, whom the settings say.

use cordboard_sdk::records::Call;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Agent, Failure};

use crate::api::embedded;
use crate::call;
use crate::deliver::Work;
use crate::person;
use crate::refusal::Fault;
use crate::settings::Responsible;

/// Calls that are looked at for the last one of somebody known.
const RECENT: &str = "20";

/// Whose a call is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Who {
    /// The user.
    pub user: Option<u64>,
    /// The extension or the name, when no user is known.
    pub text: Option<String>,
}

impl Who {
    /// What the card shows.
    pub fn shown(&self) -> Option<Value> {
        self.user.map(|user| json!(user)).or_else(|| self.text.as_ref().map(|text| json!(text)))
    }

    /// For the statistics of calls `created_by` and `responsible_user_id` must be the same user.
    pub fn put_into(&self, item: &mut Value) {
        if let Some(shown) = self.shown() {
            item["call_responsible"] = shown;
        }
        if let Some(user) = self.user {
            item["responsible_user_id"] = json!(user);
            item["created_by"] = json!(user);
        }
    }
}

impl Work<'_> {
    /// Whose the call is.
    pub(crate) fn responsible(&self, call: &Call, notes: &mut Vec<String>) -> Result<Who, Fault> {
        if let Some(mut agent) = agent(call) {
            if agent.user.is_none() {
                // Of a telephone that rang the hub says the extension alone.
                let people = agent.extension.as_deref().map(|at| self.host.ledger().agents(Some(at), None));
                agent.user = people.into_iter().flatten().find_map(|one| one.user);
            }
            let user = self.account().user(&self.settings, &agent);
            let text = agent.extension.or(agent.name);
            if let (None, Some(text)) = (user, &text) {
                notes.push(format!("responsible: \"{text}\" is no user of the account; the card shows it as it is"));
            }
            return Ok(Who { user, text });
        }
        if call::outbound(call) || call::answered(call) {
            return Ok(Who::default());
        }
        for strategy in self.settings.responsible.iter().chain([&Responsible::Default]) {
            let found = match strategy {
                Responsible::ByEntity => self.by_entity(call),
                Responsible::LastActive => self.last_active(),
                Responsible::Default => {
                    Ok(self.settings.default_user.as_ref().and_then(|user| self.account().resolve(user)))
                }
            };
            match found {
                Ok(Some(user)) => return Ok(Who { user: Some(user), text: None }),
                Ok(None) => {}
                // Whose a missed call is must not keep it from being logged; what stops all requests does.
                Err(fault) => match Failure::from(fault.clone()) {
                    Failure::Unauthorized(_) | Failure::RateLimited(_) => return Err(fault),
                    failure => self.host.debug(format!("responsible, {strategy:?}: {}", failure.why())),
                },
            }
        }
        Ok(Who::default())
    }

    fn by_entity(&self, call: &Call) -> Result<Option<u64>, Fault> {
        let Some(phone) = call::client(call) else { return Ok(None) };
        match self.people(phone)?.iter().find(|card| !card.foreign) {
            Some(card) => person::owner(&self.api, &self.settings, card),
            None => Ok(None),
        }
    }

    /// Who had the last call of the whole account.
    fn last_active(&self) -> Result<Option<u64>, Fault> {
        let query = [("filter[type][]", "incoming_call"), ("filter[type][]", "outgoing_call"), ("limit", RECENT)];
        let said = self.api.get("/api/v4/events", &query)?.unwrap_or_default();
        let users = self.account().users.as_deref();
        let known = |user: &u64| *user != 0 && users.is_none_or(|users| users.iter().any(|one| one.id == *user));
        Ok(embedded(&said, "events").iter().filter_map(|event| event["created_by"].as_u64()).find(known))
    }
}

/// Who took or placed a call; of one that nobody answered, the one whose telephone alone rang.
pub fn agent(call: &Call) -> Option<Agent> {
    let ours = if call::outbound(call) { &call.caller } else { &call.callee };
    let named = call.agent.clone().or_else(|| ours.as_ref()?.agent.clone());
    if named.is_some() {
        return named;
    }
    let first = call.desks.first()?;
    let alone = call.desks.iter().all(|desk| desk.extension == first.extension);
    alone.then(|| Agent::extension(&first.extension))
}
