//! A call that rings, shown to the users whose telephones ring.

use cordboard_sdk::abilities::{Outcome, Receipt};
use cordboard_sdk::records::Call;
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::Agent;

use crate::call;
use crate::deliver::Work;
use crate::memo::Memo;
use crate::refusal::Fault;

/// How many users are told of one call: more telephones than that are a queue for which there is a wallboard.
const USERS: usize = 20;

impl Work<'_> {
    /// Shows a call, once to each user, in one request for all who do not know of it. It cannot be withdrawn.
    pub(crate) fn show(&self, call: &Call, mut memo: Memo) -> Result<Outcome, Fault> {
        let skipped = |why: &str| Ok(Outcome::Skipped(why.into()));
        let client = call::client(call);
        let phone = client.map_or_else(|| self.settings.hidden.clone(), |phone| self.settings.shown(phone));
        let users: Vec<u64> = self.ringing(call).into_iter().filter(|user| !memo.told.contains(user)).collect();
        // Without users everybody would see it.
        if users.is_empty() {
            return skipped(match memo.told.is_empty() {
                true => "no telephone that rings is a user's",
                false => "everybody whose telephone rings has been told",
            });
        }
        let event = json!({"type": "phone_call", "phone_number": phone, "users": users});
        match self.api.post("/api/v2/events", &json!({"add": [event]})) {
            Ok(_) => {}
            // A word where a number should be: numbers of any form are taken, says the page.
            Err(fault) if client.is_none() && fault.is_refused() => {
                return skipped("the caller withholds the number, and amoCRM does not show the word for it");
            }
            Err(fault) => return Err(fault),
        }
        memo.told.extend(users);
        Ok(Outcome::Done(Receipt { memo: memo.bytes(), ..Receipt::default() }))
    }

    /// The users whose telephones ring now, each once.
    fn ringing(&self, call: &Call) -> Vec<u64> {
        let desks = call.desks.iter().filter(|desk| desk.stopped_at.is_none() && desk.answered_at.is_none());
        let desks = desks.map(|desk| {
            let known = self.host.ledger().agents(Some(&desk.extension), None).into_iter().next();
            known.unwrap_or_else(|| Agent::extension(&desk.extension))
        });
        let mut named: Vec<Agent> = desks.collect();
        // Of an agent whom the hub knows by the extension it says who the user is.
        let known = call.agent.iter().chain(call.callee.as_ref().and_then(|party| party.agent.as_ref()));
        for agent in known {
            match named.iter_mut().find(|one| one.extension == agent.extension) {
                Some(desk) => *desk = agent.clone(),
                None if call.desks.is_empty() => named.push(agent.clone()),
                None => {}
            }
        }
        let mut users = Vec::new();
        for user in named.iter().filter_map(|agent| self.account().user(&self.settings, agent)) {
            if !users.contains(&user) && users.len() < USERS {
                users.push(user);
            }
        }
        users
    }
}
