//! What the server says to an action of somebody who is logged in, in the words of the real one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::action::Action;
use super::message::message;
use super::{Shared, User, originate, play};

/// Which classes allow an action: any of these. Those that are not here need none.
const RIGHTS: [(&str, &[&str]); 16] = [
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
    ("muteaudio", &["system"]),
    ("pjsipnotify", &["system"]),
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
            let (calls, restarts) = {
                let state = shared.state();
                (state.channels.list().len().to_string(), state.restarts)
            };
            let started = format!("07:{:02}:42", 40 + restarts % 20);
            success(&[
                ("CoreStartupDate", "2026-11-21"),
                ("CoreStartupTime", &started),
                ("CoreReloadDate", "2026-11-21"),
                ("CoreReloadTime", &started),
                ("CoreCurrentCalls", &calls),
            ])
        }
        "queuestatus" => list(action, "Queue status will follow", "QueueStatusComplete", &[]),
        "setvar" => success(&[("Message", "Variable Set")]),
        "getvar" => match action.get("Variable").filter(|name| !name.is_empty()) {
            None => error(action, "No variable specified"),
            Some(name) => success(&[("Variable", name), ("Value", &variable(shared, name))]),
        },
        "command" => success(&[("Message", "Command output follows"), ("Output", "")]),
        "hangup" if channel.is_empty() => error(action, "No channel specified"),
        "hangup" if !shared.state().channels.has(channel) => error(action, "No such channel"),
        "hangup" => {
            shared.hurry.notify_one();
            success(&[("Message", "Channel Hungup")])
        }
        "redirect" if channel.is_empty() => error(action, "Channel not specified"),
        "redirect" if action.get("Priority").is_none_or(|at| at.parse::<u32>().is_err()) => {
            error(action, "Priority is invalid")
        }
        "redirect" if !shared.state().channels.has(channel) => {
            error(action, &format!("Channel does not exist: {channel}"))
        }
        "redirect" => success(&[("Message", "Redirect successful")]),
        "blindtransfer" | "atxfer" => match transfer(shared, action, channel) {
            Some(why) => error(action, why),
            None if name.eq_ignore_ascii_case("atxfer") => success(&[("Message", "Atxfer successfully queued")]),
            None => success(&[("Message", "Transfer succeeded")]),
        },
        "muteaudio" => match mute(shared, action, channel) {
            Some(why) => error(action, why),
            None => success(&[]),
        },
        "pjsipnotify" => match notify(shared, action, channel) {
            Some(why) => error(action, why),
            None => success(&[("Message", "NOTIFY sent")]),
        },
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

/// What a function says of a device or a hint; other variables are empty.
fn variable(shared: &Shared, name: &str) -> String {
    let state = shared.state();
    let of = |function: &str| name.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
    let said = |name: &str, nothing: &str| state.states.get(name).cloned().unwrap_or_else(|| nothing.to_owned());
    match (of("DEVICE_STATE"), of("EXTENSION_STATE")) {
        (Some(device), _) => said(device, "INVALID"),
        (_, Some(extension)) => said(extension, "UNKNOWN"),
        (None, None) => String::new(),
    }
}

/// Why a call cannot be transferred.
fn transfer(shared: &Shared, action: &Action, channel: &str) -> Option<&'static str> {
    let blind = action.get("Action").is_some_and(|name| name.eq_ignore_ascii_case("blindtransfer"));
    if channel.is_empty() {
        return Some("No channel specified");
    }
    if action.get("Exten").is_none_or(str::is_empty) {
        return Some("No extension specified");
    }
    let state = shared.state();
    match (state.channels.has(channel), state.channels.is_bridged(channel)) {
        (false, _) => Some("Channel specified does not exist"),
        (true, false) if blind => Some("Transfer invalid"),
        (true, _) => None,
    }
}

/// Why a channel cannot be muted.
fn mute(shared: &Shared, action: &Action, channel: &str) -> Option<&'static str> {
    let direction = action.get("Direction").unwrap_or_default().to_ascii_lowercase();
    match direction.as_str() {
        _ if channel.is_empty() => Some("Channel not specified"),
        _ if action.get("State").is_none_or(str::is_empty) => Some("State not specified"),
        "" => Some("Direction not specified"),
        _ if !shared.state().channels.has(channel) => Some("No such channel"),
        "in" | "out" | "all" => None,
        _ => Some("Failed to mute/unmute stream"),
    }
}

/// Why a telephone cannot be told anything within its dialogue. What it makes of what it is told, nobody hears.
fn notify(shared: &Shared, action: &Action, channel: &str) -> Option<&'static str> {
    if action.get("Variable").is_none_or(str::is_empty) {
        return Some("PJSIPNotify requires either an Option or Variable(s).You must use only one of them.");
    }
    if channel.is_empty() {
        return Some("PJSIPNotify requires either an endpoint name, a SIP URI, or a channel.");
    }
    let is_there = channel.starts_with("PJSIP/") && shared.state().channels.has(channel);
    (!is_there).then_some("Channel not found")
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
