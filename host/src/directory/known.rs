//! What is known of a number: one ranked list out of all that was asked.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::components::contract;
use crate::config::{Agent, Tenant};
use crate::model::Phone;
use crate::store::Named;

/// What is known of a number.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Known {
    /// The number, in all its forms.
    #[schema(value_type = Object)]
    pub number: Phone,
    /// Who has it, best first: the sinks in the tenant's order, each in its own; then the hub's own records.
    pub matches: Vec<Match>,
    /// Everybody that was to be asked has answered.
    pub complete: bool,
}

/// Somebody who has the number.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Match {
    /// The sink that knows them; absent when the hub itself does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// The source whose record names them, when the hub itself knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The id over there; the extension of a colleague.
    pub id: String,
    /// `contact`, `lead`, `account`, …; `agent` for a colleague, `call` for a name that stands in a call logged by hand.
    pub kind: String,
    /// Their name.
    pub name: String,
    /// Their page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Who looks after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// What else the sink says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Who looks after somebody.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Owner {
    /// The user's id over there.
    pub user: String,
    /// The extension, when the tenant's file has a person with that user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// That person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Known {
    /// That nobody has it.
    pub(super) fn nobody(number: Phone) -> Self {
        Known { number, matches: Vec::new(), complete: true }
    }

    /// Puts what the hub's own records say after what others said, without saying a name twice.
    pub(super) fn add_own(&mut self, own: Vec<Named>) {
        for named in own {
            let same = |known: &Match| known.name.to_lowercase() == named.name.to_lowercase();
            if !self.matches.iter().any(same) {
                self.matches.push(Match::own(named));
            }
        }
    }
}

impl Match {
    /// Somebody whom a sink knows.
    pub(super) fn of(tenant: &Tenant, sink: &str, found: &contract::Match) -> Self {
        let owner = found.owner.as_ref().map(|user| {
            let agent = tenant.agents.iter().find(|agent| agent.users.get(sink) == Some(user));
            Owner {
                user: user.clone(),
                extension: agent.and_then(|agent| agent.extensions.first().cloned()),
                name: agent.and_then(|agent| agent.name.clone()),
            }
        });
        Match {
            sink: Some(sink.to_owned()),
            source: None,
            id: found.external_id.clone(),
            kind: found.kind.clone(),
            name: found.name.clone(),
            link: found.url.clone(),
            owner,
            attributes: found.attributes.iter().cloned().collect(),
        }
    }

    /// Somebody whom the hub's own records name.
    pub fn own(named: Named) -> Self {
        Match {
            sink: None,
            source: Some(named.source),
            id: named.subject,
            kind: named.kind.word().to_owned(),
            name: named.name,
            link: None,
            owner: None,
            attributes: BTreeMap::new(),
        }
    }

    /// One of the tenant's own people.
    pub(super) fn colleague(agent: &Agent, phone: &Phone) -> Self {
        let extension = phone.raw.trim().to_owned();
        Match {
            sink: None,
            source: None,
            name: agent.name.clone().unwrap_or_else(|| extension.clone()),
            id: extension,
            kind: "agent".to_owned(),
            link: None,
            owner: None,
            attributes: BTreeMap::new(),
        }
    }
}
