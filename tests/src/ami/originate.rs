//! `Originate`: a recorded click to call with the ids and numbers of whoever asks.

use super::Shared;
use super::action::Action;
use super::message::{replaced, value};
use super::recording::{Frame, What};

/// A call that was placed takes a quarter of its time.
pub(super) const SPEED: f64 = 4.0;

/// The words of a refusal, or what is to be played.
pub(super) fn originate(shared: &Shared, action: &Action) -> Result<Vec<Frame>, &'static str> {
    let Some(channel) = action.get("Channel") else { return Err("Channel not specified") };
    let exten = action.get("Exten").unwrap_or_default();
    let is_number = |name: &str| action.get(name).is_none_or(|value| value.parse::<u32>().is_ok());
    if !is_number("Priority") {
        return Err("Invalid priority");
    }
    if !is_number("Timeout") {
        return Err("Invalid timeout");
    }
    if !channel.contains('/') {
        return Err("Invalid channel");
    }
    if action.get("ChannelId").is_some_and(|id| id.len() > 149) {
        // The line feed is Asterisk's own.
        return Err("Uniqueid length exceeds maximum of 149\n");
    }
    // A context is looked into only when one is named.
    let missing = exten.is_empty() || shared.state().missing.iter().any(|missing| missing == exten);
    if action.get("Application").is_none() && action.get("Context").is_some() && missing {
        return Err("Extension does not exist.");
    }
    let Some(recorded) = shared.state().originated.clone() else { return Ok(Vec::new()) };
    let number = {
        let mut state = shared.state();
        state.placed += 1;
        state.placed
    };
    let begins = recorded.iter().position(|frame| matches!(frame.what, What::Originate(_))).unwrap_or_default();
    let recorded = &recorded[begins..];
    let Some(Frame { what: What::Originate(id), .. }) = recorded.first() else { return Ok(Vec::new()) };
    let mut uniqueids = Vec::new();
    let (mut device, mut dialled) = (String::new(), String::new());
    for event in recorded.iter().filter_map(event) {
        if value(event, "Event").as_deref() == Some("Newchannel") {
            uniqueids.extend(value(event, "Uniqueid"));
            let name = value(event, "Channel").unwrap_or_default();
            if device.is_empty() {
                device = name.rsplit_once('-').map_or(name.clone(), |(device, _)| device.to_owned());
            }
        }
        if dialled.is_empty() && value(event, "Event").as_deref() == Some("NewCallerid") {
            dialled = value(event, "CallerIDNum").unwrap_or_default();
        }
    }
    let (from, to) = (extension(&device).to_owned(), extension(channel).to_owned());
    let mut takes = vec![(dialled, exten.to_owned()), (device, channel.to_owned())];
    takes.push((format!(": {from}\r\n"), format!(": {to}\r\n")));
    takes.push((id.clone(), action.get("ActionID").unwrap_or_default().to_owned()));
    for (position, uniqueid) in uniqueids.into_iter().enumerate() {
        let chosen = if position == 0 { action.get("ChannelId").map(str::to_owned) } else { None };
        takes.push((uniqueid.clone(), chosen.unwrap_or_else(|| format!("{uniqueid}{number:04}"))));
    }
    let play = |frame: &Frame| {
        let What::Event(event) = &frame.what else { return Vec::new() };
        let taken = takes.iter().fold(event.clone(), |event, (from, to)| replaced(&event, from, to));
        let mut events = vec![taken];
        // The variables are those that this client sets.
        if value(event, "Variable").as_deref() == Some("CRM_REF") {
            events = with_variables(&events[0], action);
        }
        events.into_iter().map(|event| Frame { at: frame.at, what: What::Event(event) }).collect()
    };
    Ok(recorded.iter().flat_map(play).collect())
}

fn event(frame: &Frame) -> Option<&[u8]> {
    match &frame.what {
        What::Event(event) => Some(event),
        _ => None,
    }
}

/// `1001` of `PJSIP/1001` and of `Local/1001@from-internal`.
fn extension(device: &str) -> &str {
    let name = device.split_once('/').map_or(device, |(_, name)| name);
    name.split('@').next().unwrap_or(name)
}

fn with_variables(event: &[u8], action: &Action) -> Vec<Vec<u8>> {
    let (name, was) = (value(event, "Variable").unwrap_or_default(), value(event, "Value").unwrap_or_default());
    let set = |variable: &str| {
        let (own, value) = variable.split_once('=').unwrap_or((variable, ""));
        let event = replaced(
            event,
            &format!("Variable: {name}\r\n"),
            &format!("Variable: {}\r\n", own.trim_start_matches('_')),
        );
        replaced(&event, &format!("Value: {was}\r\n"), &format!("Value: {value}\r\n"))
    };
    action.all("Variable").map(set).collect()
}
