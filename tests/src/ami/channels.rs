//! The channels that are up, as the events that were told say.

use std::time::Instant;

use super::message::{lines, value};

/// What a list of channels shows of each.
const SHOWN: [&str; 13] = [
    "Channel",
    "ChannelState",
    "ChannelStateDesc",
    "CallerIDNum",
    "CallerIDName",
    "ConnectedLineNum",
    "ConnectedLineName",
    "AccountCode",
    "Context",
    "Exten",
    "Priority",
    "Uniqueid",
    "Linkedid",
];

/// The channels.
#[derive(Debug, Default)]
pub(super) struct Channels {
    up: Vec<Channel>,
    /// A list that was recorded takes the place of the one that was worked out, until the next event.
    scripted: Option<Vec<Vec<(String, String)>>>,
}

#[derive(Debug)]
struct Channel {
    since: Instant,
    fields: Vec<(String, String)>,
    bridge: String,
}

impl Channel {
    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

impl Channels {
    /// Takes an event into account.
    pub fn note(&mut self, event: &[u8]) {
        let Some(kind) = value(event, "Event") else { return };
        let Some(uniqueid) = value(event, "Uniqueid") else { return };
        if kind == "Cdr" {
            return;
        }
        self.scripted = None;
        if kind == "Hangup" {
            self.up.retain(|channel| channel.get("Uniqueid") != uniqueid);
            return;
        }
        let shown = lines(event).filter(|(name, _)| SHOWN.contains(&name.as_str()));
        match self.up.iter_mut().find(|channel| channel.get("Uniqueid") == uniqueid) {
            Some(channel) => {
                channel.fields = shown.collect();
                match kind.as_str() {
                    "BridgeEnter" => channel.bridge = value(event, "BridgeUniqueid").unwrap_or_default(),
                    "BridgeLeave" => channel.bridge.clear(),
                    _ => {}
                }
            }
            None if kind == "Newchannel" => {
                let fields = shown.collect();
                self.up.push(Channel { since: Instant::now(), fields, bridge: String::new() });
            }
            None => {}
        }
    }

    /// From now on this is the list.
    pub fn script(&mut self, list: Vec<Vec<(String, String)>>) {
        self.scripted = Some(list);
    }

    /// All of them are gone.
    pub fn clear(&mut self) {
        self.up.clear();
    }

    /// Whether there is a channel of that name.
    pub fn has(&self, name: &str) -> bool {
        self.up.iter().any(|channel| channel.get("Channel") == name)
    }

    /// Whether that channel is in a bridge.
    pub fn is_bridged(&self, name: &str) -> bool {
        self.up.iter().any(|channel| channel.get("Channel") == name && !channel.bridge.is_empty())
    }

    /// The list, without the action's id.
    pub fn list(&self) -> Vec<Vec<(String, String)>> {
        if let Some(scripted) = &self.scripted {
            return scripted.clone();
        }
        let listed = |channel: &Channel| {
            let mut fields = channel.fields.clone();
            let seconds = channel.since.elapsed().as_secs();
            let duration = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            let (duration, bridge) = (duration.as_str(), channel.bridge.as_str());
            let more = [("Application", ""), ("ApplicationData", ""), ("Duration", duration), ("BridgeId", bridge)];
            fields.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
            fields
        };
        self.up.iter().map(listed).collect()
    }
}
