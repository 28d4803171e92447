//! From a claimed delivery to what its adapter is given.

use crate::components::contract::Change;
use crate::config::Tenant;
use crate::model::{Agent, Instant, Item, Party};
use crate::recordings::Links;
use crate::store::Claimed;

/// The change that an adapter is asked to agree with: the record as it stands, the tenant's people named by their
/// users in the sink, recordings by links that work from there.
pub fn change(claimed: &Claimed, tenant: &Tenant, sink: &str, links: &Links) -> Change {
    let mut item = claimed.item.clone();
    name_people(&mut item, tenant, sink);
    links.put_into(&mut item, &tenant.name, &claimed.subject, claimed.record);
    Change {
        subject: claimed.subject.clone(),
        revision: claimed.revision,
        attempt: claimed.attempt,
        external_id: claimed.external_id.clone(),
        memo: claimed.memo.clone(),
        joined: claimed.joined.clone(),
        item,
    }
}

/// Fills in who the tenant's people are in the sink.
pub fn name_people(item: &mut Item, tenant: &Tenant, sink: &str) {
    let name = |agent: &mut Agent| {
        let Some(known) = agent.extension.as_deref().and_then(|extension| tenant.agent_at(extension)) else { return };
        agent.user = known.users.get(sink).cloned().or(agent.user.take());
        agent.name = agent.name.take().or_else(|| known.name.clone());
    };
    match item {
        Item::Call(call) => {
            for party in [&mut call.caller, &mut call.callee].into_iter().flatten() {
                recognise(party, tenant);
            }
            let parties = [&mut call.caller, &mut call.callee].into_iter().flatten();
            parties.filter_map(|party| party.agent.as_mut()).chain(&mut call.agent).for_each(name);
        }
        Item::Message(message) => {
            let ends = [&mut message.sender, &mut message.recipient].into_iter().flatten();
            ends.filter_map(|end| end.agent.as_mut()).for_each(name);
        }
        Item::Conversation(conversation) => conversation.assigned_to.iter_mut().for_each(name),
        Item::Contact(_) | Item::Session(_) => {}
    }
}

/// A party whose number is the extension of one of the tenant's people is that person.
fn recognise(party: &mut Party, tenant: &Tenant) {
    if party.agent.is_some() {
        return;
    }
    let Some(number) = &party.number else { return };
    if tenant.agent_at(&number.raw).is_some() {
        party.agent = Some(Agent { extension: Some(number.raw.clone()), ..Agent::default() });
    }
}

/// Why the moment of a delivery has passed, if it has.
pub fn stale(claimed: &Claimed, holds: impl Fn(&str, &Item) -> Result<bool, String>) -> Option<String> {
    if let Some(end) = claimed.expires_at
        && Instant::now() >= end
    {
        return Some(format!("its time to live ended at {end}"));
    }
    let condition = claimed.holds.as_deref()?;
    match holds(condition, &claimed.item) {
        Ok(true) => None,
        Ok(false) => Some(format!("`{condition}` no longer holds")),
        Err(why) => Some(format!("`{condition}` cannot be asked any more: {why}")),
    }
}
