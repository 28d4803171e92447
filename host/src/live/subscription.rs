//! What a subscriber wants of what it may see.

use serde::{Deserialize, Serialize};

use super::frame::{Audience, concerns};
use crate::model::Event;
use crate::store::EventFilter;

/// What a subscriber wants. What is empty or absent does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subscription {
    /// Types of events and notices: `call.ended`, `call.*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Extensions that the record concerns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// Names of sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The hub's id of one record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// The id of one subject at its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl Subscription {
    /// Whether an event is wanted by whoever is told of it under this type.
    pub fn admits(&self, event: &Event, told: &str) -> bool {
        self.admits_kind(told)
            && (self.sources.is_empty() || self.sources.contains(&event.about.subject.source))
            && self.record.is_none_or(|record| event.about.record == record)
            && self.subject.as_ref().is_none_or(|subject| event.about.subject.id == *subject)
            && (self.agents.is_empty() || concerns(&event.about.item, &self.agents))
    }

    /// Whether a notice is wanted: of what is told to desks only what is for those asked for.
    pub(super) fn admits_notice(&self, kind: &str, audience: &Audience) -> bool {
        let elsewhere = match audience {
            Audience::Desks(desks) => !self.agents.is_empty() && !desks.iter().any(|desk| self.agents.contains(desk)),
            Audience::Everybody | Audience::Supervisors => false,
        };
        self.admits_kind(kind) && !elsewhere
    }

    /// Whether events or notices of a type are wanted.
    pub fn admits_kind(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| matches(wanted, kind))
    }

    /// As much of it as the store can look after: not the types, when events may be told under others.
    pub(super) fn filter(&self, at_desk: bool) -> EventFilter {
        let types = self.types.iter().map(|wanted| wanted.strip_suffix(".*").unwrap_or(wanted).to_owned());
        let all = at_desk || self.types.iter().any(|wanted| wanted == "*");
        let source = if let [source] = self.sources.as_slice() { Some(source.clone()) } else { None };
        EventFilter { types: if all { Vec::new() } else { types.collect() }, record: self.record, source }
    }
}

fn matches(wanted: &str, kind: &str) -> bool {
    let stem = wanted.strip_suffix(".*").unwrap_or(wanted);
    wanted == "*" || kind.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
