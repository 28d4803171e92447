//! The counters of sessions: counted by the site itself, so that no repeat makes them wrong.

use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::api::Row;
use crate::deliver::Work;
use crate::key;
use crate::preset::Kind;
use crate::refusal::Fault;

impl Work<'_> {
    /// Looks at the counters again of which something was made in this batch. The records are written by now: what
    /// fails here is put right with the next one.
    pub(crate) fn count(&mut self) {
        if !self.settings.counters {
            return;
        }
        for (session, kinds) in by_session(std::mem::take(&mut self.grown)) {
            if let Err(fault) = self.count_of(&session, &kinds) {
                self.host.warn(format!("the counters of {session} were not written: {}", Failure::from(fault).why()));
            }
        }
    }

    fn count_of(&mut self, session: &str, kinds: &[Kind]) -> Result<(), Fault> {
        let Some(target) = self.known.targets.get(&Kind::Session).cloned() else { return Ok(()) };
        let Some(name) = self.parents.get(&(Kind::Session, session.to_owned())).cloned().flatten() else {
            return Ok(());
        };
        let mut totals = Row::new();
        for kind in kinds {
            let (holds, outgoing) = match kind {
                Kind::Contact => ("total_contacts", false),
                Kind::Conversation => ("total_conversations", false),
                Kind::Message => ("total_messages_sent", true),
                Kind::Session | Kind::Call => continue,
            };
            let (Some(total), Some(of)) = (target.slot(holds), self.known.targets.get(kind)) else { continue };
            let Some(belongs) = of.slot("session") else { continue };
            let value = if belongs.kind == "Link" { name.clone() } else { key::exact(session) };
            let mut filters: Vec<Value> = vec![json!([belongs.name, "=", value])];
            if let Some(direction) = of.slot("message_direction").filter(|_| outgoing) {
                filters.push(json!([direction.name, "=", "Outgoing"]));
                // What waits to be sent, or was refused, has no key.
                filters.extend(of.slot(kind.key()).map(|key| json!([key.name, "is", "set"])));
            }
            totals.insert(total.name.clone(), json!(self.api.count(&of.doctype, &json!(filters))?));
        }
        if let Some(slot) = target.slot("last_sync").filter(|_| !totals.is_empty()) {
            totals.insert(slot.name.clone(), json!(self.zone.datetime(self.host.now())));
        }
        if totals.is_empty() { Ok(()) } else { self.api.update(&target.doctype, &name, &totals).map(|_| ()) }
    }
}

fn by_session(grown: Vec<(String, Kind)>) -> Vec<(String, Vec<Kind>)> {
    let mut sessions: Vec<(String, Vec<Kind>)> = Vec::new();
    for (session, kind) in grown {
        match sessions.iter_mut().find(|(name, _)| *name == session) {
            Some((_, kinds)) => kinds.push(kind),
            None => sessions.push((session, vec![kind])),
        }
    }
    sessions
}
