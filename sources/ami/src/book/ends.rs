//! Which channel a command about a call means.

use super::channel::{Side, UP};
use super::{Book, Channel};

/// The channels of a call that a command can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Hung up, it ends the call.
    pub main: String,
    /// The telephone of the one who acts.
    pub agent: Option<String>,
    /// Whom that one talks with, or who waits for somebody to answer.
    pub other: String,
    /// Somebody has answered.
    pub talking: bool,
}

impl Book {
    /// The channels of the call with this id, as one sees them from this extension.
    pub fn ends(&self, id: &str, extension: Option<&str>) -> Option<Ends> {
        let call = &self.calls[*self.by_id.get(id.as_bytes())?];
        let live = || {
            let channels = call.channels.iter().map(|index| &self.channels[*index]);
            channels.filter(|channel| !channel.gone && channel.is_party())
        };
        let name = |channel: &Channel| crate::text::text(&channel.name);
        let on_side = |side: Side| live().find(|channel| channel.side == side && channel.state == UP);
        let caller = live().find(|channel| channel.side == Side::Caller);
        let main = caller.or_else(|| live().next())?;
        let acting = extension.or(call.last_party.as_deref()).or(call.agent());
        let here = |channel: &&Channel| channel.extension().is_some() && channel.extension() == acting;
        let agent = live().filter(here).max_by_key(|channel| channel.state == UP);
        let other = match agent {
            Some(agent) if call.answered => on_side(agent.side.other()).unwrap_or(main),
            _ => main,
        };
        Some(Ends { main: name(main), agent: agent.map(name), other: name(other), talking: call.answered })
    }

    /// Whether the telephone at this channel holds, as far as that is known; absent when nobody talks there.
    pub fn holds(&self, name: &str) -> Option<Option<bool>> {
        let channel = &self.channels[self.find_name(name.as_bytes())?];
        (channel.state == UP).then_some(channel.holds)
    }
}
