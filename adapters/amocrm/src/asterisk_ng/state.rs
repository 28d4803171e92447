//! What goes on at a desk, as the widget shows it: the one call that somebody talks in.

use cordboard_sdk::Host;
use cordboard_sdk::KnownCall;
use cordboard_sdk::records::{Call, CallPhase};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Failure, Party};
use sha2::{Digest, Sha256};

/// A name that takes longer comes with the next answer; the panel must not wait for it.
const PATIENCE: u64 = 100;

/// The members of a call as the widget knows it.
const MEMBERS: [&str; 7] =
    ["unique_id", "contact_name", "contact_id", "contact_phone", "is_hold", "is_mute", "timestamp"];

/// The call in which somebody talks at this extension now.
pub fn conversation(host: &dyn Host, extension: &str) -> Result<Option<KnownCall>, Failure> {
    let calls = host.ledger().under_way(Some(extension))?;
    let talks = calls.into_iter().filter(|known| talks_at(&known.call, extension));
    Ok(talks.max_by_key(|known| began(&known.call, extension)))
}

/// The state that the widget is shown. `site` is where the account is.
pub fn shown(host: &dyn Host, known: Option<&KnownCall>, extension: &str, site: &str) -> Value {
    let Some(known) = known else { return json!({ "status": "NOT_CONVERSATION", "call_info": null }) };
    let call = &known.call;
    let other = other_side(call, extension);
    let number = other.and_then(|party| party.number.as_ref()).map(|number| number.raw.clone());
    let colleague = other.and_then(|party| party.agent.as_ref());
    let (mut name, mut contact) = (colleague.and_then(|agent| agent.name.clone()), None);
    if let (None, Some(number)) = (colleague, &number) {
        let known = host.ledger().who(number, PATIENCE);
        let here = |person: &&cordboard_sdk::Person| {
            person.url.as_deref().is_some_and(|url| !site.is_empty() && url.starts_with(site))
        };
        let contacts = || known.iter().filter(|person| person.sink.is_some() && person.kind == "contact");
        let person = contacts().find(here).or_else(|| contacts().next());
        contact = person.and_then(|person| person.id.parse::<u64>().ok());
        name = person.or(known.first()).map(|person| person.name.clone());
    }
    let attribute = |name: &str| {
        let found = call.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    json!({
        "status": "CONVERSATION",
        "call_info": {
            "unique_id": unique_id(&known.subject.source, &known.subject.id, extension),
            "contact_name": name.or_else(|| number.clone()),
            "contact_id": contact,
            "contact_phone": number,
            "is_hold": attribute("on-hold") == "true",
            "is_mute": attribute("muted").split(' ').any(|muted| muted == extension),
            "timestamp": began(call, extension) / 1000,
        }
    })
}

/// Whether the widget knows this state already: member by member, whatever else it sends along.
pub fn is_known(current: &Value, state: &Value) -> bool {
    let call = |state: &Value, member: &str| state["call_info"].get(member).cloned().unwrap_or_default();
    current["status"] == state["status"]
        && current["call_info"].is_null() == state["call_info"].is_null()
        && MEMBERS.iter().all(|member| call(current, member) == call(state, member))
}

/// Whether somebody talks there: a telephone that was picked up and has not been let go of, or who placed the call once
/// the other side has answered.
fn talks_at(call: &Call, extension: &str) -> bool {
    if call.phase != Some(CallPhase::Answered) {
        return false;
    }
    if call
        .desks
        .iter()
        .any(|desk| desk.extension == extension && desk.answered_at.is_some() && desk.stopped_at.is_none())
    {
        return true;
    }
    let moved = call.transfers.iter().any(|transfer| transfer.by.as_deref() == Some(extension));
    let let_go = call.desks.iter().any(|desk| desk.extension == extension && desk.stopped_at.is_some());
    let own = is(call.caller.as_ref(), extension)
        || call.desks.iter().all(|desk| desk.answered_at.is_none()) && is_agent(call, extension);
    own && !moved && !let_go
}

fn is_agent(call: &Call, extension: &str) -> bool {
    call.agent.as_ref().is_some_and(|agent| agent.extension.as_deref() == Some(extension))
}

fn is(party: Option<&Party>, extension: &str) -> bool {
    let agent = party.and_then(|party| party.agent.as_ref());
    agent.is_some_and(|agent| agent.extension.as_deref() == Some(extension))
}

/// Whom somebody at this extension talks with.
fn other_side<'a>(call: &'a Call, extension: &str) -> Option<&'a Party> {
    if is(call.caller.as_ref(), extension) { call.callee.as_ref() } else { call.caller.as_ref() }
}

/// When the talk began there, in milliseconds.
fn began(call: &Call, extension: &str) -> u64 {
    let picked_up = call.desks.iter().filter(|desk| desk.extension == extension).filter_map(|desk| desk.answered_at);
    picked_up.max().or(call.answered_at).or(call.started_at).unwrap_or(0)
}

/// The same for one call at one desk, and nobody else's: not the PBX's own id.
fn unique_id(source: &str, call: &str, extension: &str) -> String {
    let hash = hex::encode(Sha256::digest(format!("{source}\0{call}\0{extension}")));
    format!("{}-{}-4{}-a{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32])
}

/// The number of whom a call was with, as one sees it from this extension.
pub fn other_number<'a>(call: &'a Call, extension: &str) -> Option<&'a str> {
    let number = other_side(call, extension)?.number.as_ref()?;
    Some(number.raw.as_str())
}
