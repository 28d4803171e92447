//! What a call's record says now and did not say before.
//!
//! A call is looked at after nearly every event that speaks of it, and mostly there is no news: what it says by now is
//! compared as it stands in the call, and copied only when it is news.

use std::borrow::Cow;

use cordboard_sdk::records::{Desk, Recording, Transfer};
use cordboard_sdk::vocabulary::{Agent, Party, Phone};

use super::moves::Move;
use crate::search::same;

/// What stands for a part of a record, before it is one.
pub trait Says<T> {
    /// Whether that is what was said.
    fn is(&self, said: &T) -> bool;
    /// The part itself.
    fn say(&self) -> T;
}

/// What is said now, unless it has been said.
pub fn fresh<T: Clone>(said: &mut Option<T>, now: Option<impl Says<T>>) -> Option<T> {
    match (&now, &said) {
        (None, None) => return None,
        (Some(now), Some(said)) if now.is(said) => return None,
        _ => {}
    }
    *said = now.map(|now| now.say());
    said.clone()
}

/// Those of a list that have not been said.
pub fn fresh_of<T: Clone, S: Says<T>>(said: &mut Vec<T>, now: impl Iterator<Item = S> + Clone) -> Vec<T> {
    let mut before = said.iter();
    if now.clone().all(|now| before.next().is_some_and(|said| now.is(said))) && before.next().is_none() {
        return Vec::new();
    }
    let news = now.clone().filter(|now| !said.iter().any(|said| now.is(said))).map(|now| now.say()).collect();
    *said = now.map(|now| now.say()).collect();
    news
}

impl<T: Copy + PartialEq> Says<T> for T {
    fn is(&self, said: &T) -> bool {
        self == said
    }

    fn say(&self) -> T {
        *self
    }
}

impl Says<String> for &str {
    fn is(&self, said: &String) -> bool {
        same(self, said)
    }

    fn say(&self) -> String {
        (*self).to_owned()
    }
}

impl Says<(String, String)> for &(&'static str, Cow<'_, str>) {
    fn is(&self, (name, value): &(String, String)) -> bool {
        same(self.0, name) && same(&self.1, value)
    }

    fn say(&self) -> (String, String) {
        (self.0.to_owned(), self.1.clone().into_owned())
    }
}

impl Says<Recording> for &str {
    fn is(&self, said: &Recording) -> bool {
        same(self, &said.id)
    }

    fn say(&self) -> Recording {
        Recording { id: (*self).to_owned(), url: None, media_type: None, duration: None }
    }
}

impl Says<Transfer> for &Move {
    fn is(&self, said: &Transfer) -> bool {
        let Move { kind, at, by, to, answered } = self;
        *kind == said.kind && *at == said.at && *by == said.by && *to == said.to && *answered == said.answered
    }

    fn say(&self) -> Transfer {
        let Move { kind, at, by, to, answered } = (*self).clone();
        Transfer { kind: kind.to_owned(), at, by, to, answered }
    }
}

/// A number as Asterisk tells it.
pub struct Number<'a>(pub &'a str);

impl Says<Phone> for Number<'_> {
    fn is(&self, said: &Phone) -> bool {
        same(self.0, &said.raw)
    }

    fn say(&self) -> Phone {
        Phone::raw(self.0)
    }
}

/// One of the tenant's own people, by the extension.
pub struct Extension<'a>(pub &'a str);

impl Says<Agent> for Extension<'_> {
    fn is(&self, said: &Agent) -> bool {
        said.extension.as_ref().is_some_and(|said| same(self.0, said))
    }

    fn say(&self) -> Agent {
        Agent::extension(self.0)
    }
}

/// Somebody at one side of a call.
pub struct Face<'a> {
    /// Absent when withheld.
    pub number: Option<&'a str>,
    /// The display name.
    pub name: Option<&'a str>,
    /// When it is one of the tenant's own.
    pub extension: Option<&'a str>,
}

impl Says<Party> for Face<'_> {
    fn is(&self, said: &Party) -> bool {
        let extension = said.agent.as_ref().and_then(|agent| agent.extension.as_deref());
        both(self.number, said.number.as_ref().map(|number| number.raw.as_str()))
            && both(self.name, said.name.as_deref())
            && both(self.extension, extension)
    }

    fn say(&self) -> Party {
        Party {
            number: self.number.map(Phone::raw),
            name: self.name.map(str::to_owned),
            agent: self.extension.map(Agent::extension),
        }
    }
}

fn both(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// A telephone that rang.
#[derive(Clone, Copy)]
pub struct Rung<'a> {
    /// Whose.
    pub extension: &'a str,
    /// Since when.
    pub rang_at: u64,
    /// When it was picked up.
    pub answered_at: Option<u64>,
    /// When it stopped ringing or was hung up.
    pub stopped_at: Option<u64>,
}

impl<'a> From<&'a Desk> for Rung<'a> {
    fn from(desk: &'a Desk) -> Self {
        let Desk { extension, rang_at, answered_at, stopped_at } = desk;
        Self { extension, rang_at: *rang_at, answered_at: *answered_at, stopped_at: *stopped_at }
    }
}

impl Says<Desk> for Rung<'_> {
    fn is(&self, said: &Desk) -> bool {
        let Rung { extension, rang_at, answered_at, stopped_at } = *self;
        same(extension, &said.extension)
            && rang_at == said.rang_at
            && answered_at == said.answered_at
            && stopped_at == said.stopped_at
    }

    fn say(&self) -> Desk {
        let Rung { extension, rang_at, answered_at, stopped_at } = *self;
        Desk { extension: extension.to_owned(), rang_at, answered_at, stopped_at }
    }
}
