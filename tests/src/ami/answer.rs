//! What the server says to an action of somebody who is logged in, in the words of the real one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::action::Action;
use super::message::message;
use super::{Shared, User, originate, play};

/// Which classes allow an action: any of these. Those that are not here need none.
const RIGHTS: [(&str, &[&str]); 14] = [
    ("coreshowchannels", &["system", "reporting"]),
    ("corestatus", &["system", "reporting"]),
    ("coresettings", &["system", "reporting"]),
    ("status", &["system", "call", "reporting"]),
    ("hangup", &["system", "call"]),
    ("redirect", &["call"]),
    ("blindtransfer", &["call"]),
    ("atxfer", &["call"]),
    ("setvar", &["call"]),
    ("getvar", &["call", "reporting"]),
    ("originate", &["originate"]),
    ("filter", &["system"]),
    ("command", &["command"]),
    ("userevent", &["user"]),
];

/// Whether the user may do this.
pub(super) fn allowed(user: &User, name: &str) -> bool {
    let needed = RIGHTS.iter().find(|(action, _)| name.eq_ignore_ascii_case(action)).map(|(_, classes)| *classes);
    needed.is_none_or(|needed| needed.iter().any(|class| user.write.contains(class)))
}

/// A response with these further lines.
pub(super) fn response(action: &Action, word: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut lines = vec![("Response", word)];
    lines.extend(action.get("ActionID").map(|id| ("ActionID", id)));
    lines.extend_from_slice(more);
    message(&lines)
}

/// A refusal.
pub(super) fn error(action: &Action, why: &str) -> Vec<u8> {
    response(action, "Error", &[("Message", why)])
}

/// The answer, whole.
pub(super) fn answer(shared: &Arc<Shared>, user: &User, action: &Action) -> Vec<u8> {
    let name = action.get("Action").unwrap_or_default();
    if !allowed(user, name) {
        return error(action, "Permission denied");
    }
    let channel = action.get("Channel").unwrap_or_default();
    let success = |more: &[(&str, &str)]| response(action, "Success", more);
    match name.to_ascii_lowercase().as_str() {
        "ping" => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            success(&[("Ping", "Pong"), ("Timestamp", &format!("{}.{:06}", now.as_secs(), now.subsec_micros()))])
        }
        "coreshowchannels" => channels(shared, action),
        "corestatus" => {
            let calls = shared.state().channels.list().len().to_string();
            success(&[
                ("CoreStartupDate", "2026-11-21"),
                ("CoreStartupTime", "07:40:42"),
                ("CoreReloadDate", "2026-11-21"),
                ("CoreReloadTime", "07:40:42"),
                ("CoreCurrentCalls", &calls),
            ])
        }
        "queuestatus" => list(action, "Queue status will follow", "QueueStatusComplete", &[]),
        "filter" => success(&[("Message", "Success")]),
        "setvar" => success(&[("Message", "Variable Set")]),
        "command" => success(&[("Message", "Command output follows"), ("Output", "")]),
        "hangup" if !shared.state().channels.has(channel) => error(action, "No such channel"),
        "hangup" => {
            shared.hurry.notify_one();
            success(&[("Message", "Channel Hungup")])
        }
        "redirect" if !shared.state().channels.has(channel) => {
            error(action, &format!("Channel does not exist: {channel}"))
        }
        "redirect" => success(&[("Message", "Redirect successful")]),
        "originate" => match originate::originate(shared, action) {
            Err(why) => error(action, why),
            Ok(frames) => {
                tokio::spawn(play::frames(shared.clone(), frames, originate::SPEED));
                success(&[("Message", "Originate successfully queued")])
            }
        },
        _ => {
            let hint = "Use Action: ListCommands to show available commands.";
            error(action, &format!("Invalid/unknown command: {name}. {hint}"))
        }
    }
}

fn channels(shared: &Shared, action: &Action) -> Vec<u8> {
    let all = shared.state().channels.list();
    shared.listed.send_modify(|listed| *listed += 1);
    list(action, "Channels will follow", "CoreShowChannelsComplete", &all)
}

/// A list: that it begins, what is in it, that it has ended.
fn list(action: &Action, what: &str, end: &str, items: &[Vec<(String, String)>]) -> Vec<u8> {
    let id = action.get("ActionID").unwrap_or_default();
    let mut bytes = response(action, "Success", &[("EventList", "start"), ("Message", what)]);
    for item in items {
        let mut lines = vec![("Event", "CoreShowChannel"), ("ActionID", id)];
        lines.extend(item.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        bytes.extend(message(&lines));
    }
    let count = items.len().to_string();
    bytes.extend(message(&[("Event", end), ("ActionID", id), ("EventList", "Complete"), ("ListItems", &count)]));
    bytes
}
