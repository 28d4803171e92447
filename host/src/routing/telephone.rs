//! Whether a telephone could take a call, as the tenant's PBXs say.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::commands::Commands;
use crate::components::contract::{CommandOutcome, Failure};
use crate::config::Tenant;
use crate::intake::Settled;

/// What a source is asked.
const QUESTION: &str = "extension.state";

/// What was said is believed for so long: a telephone is picked up in a moment, and a flood of callers asks once.
const BELIEVED: Duration = Duration::from_secs(1);

/// Answers that are kept, of all tenants together.
const ANSWERS: u64 = 10_000;

/// How a telephone stands. The later ones count for more when several PBXs know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telephone {
    /// It is not registered, or there is none.
    Unreachable,
    /// It rings, or somebody talks there.
    Busy,
    /// Nobody has said.
    Unclear,
    /// It could take a call.
    Free,
}

/// The telephones of all tenants, as far as somebody has asked lately.
pub(super) struct Telephones {
    commands: Arc<Commands>,
    answers: Cache<(String, String), Telephone>,
}

impl Telephones {
    /// Asked by these.
    pub fn new(commands: Arc<Commands>) -> Self {
        Telephones { commands, answers: Cache::builder().max_capacity(ANSWERS).time_to_live(BELIEVED).build() }
    }

    /// How the telephone of an extension stands, as far as that comes to light until then. Whoever stops waiting does not
    /// stop the asking, and one telephone is asked for once at a time.
    pub async fn look(&self, tenant: &Arc<Tenant>, extension: &str, until: Instant) -> Telephone {
        let place = (tenant.name.clone(), extension.to_owned());
        if let Some(known) = self.answers.get(&place).await {
            return known;
        }
        let (answers, commands, tenant) = (self.answers.clone(), self.commands.clone(), tenant.clone());
        let asking = tokio::spawn(async move {
            let arguments = Map::from_iter([("extension".to_owned(), Value::String(place.1.clone()))]);
            let ask = async { best(&commands.question(&tenant, QUESTION, arguments).await) };
            answers.get_with(place, ask).await
        });
        match timeout_at(until, asking).await {
            Ok(Ok(telephone)) => telephone,
            Ok(Err(_)) | Err(_) => Telephone::Unclear,
        }
    }
}

/// What several say of one telephone.
fn best(said: &[Settled]) -> Telephone {
    said.iter().filter_map(heard).max().unwrap_or(Telephone::Unclear)
}

/// What one of them says; absent when it refuses to: then it has no such telephone, or knows of none.
fn heard(said: &Settled) -> Option<Telephone> {
    let result = match said {
        Ok(CommandOutcome::Done(result)) => serde_json::from_str(result).unwrap_or(Value::Null),
        Err(Failure::Rejected { .. }) => return None,
        Ok(_) | Err(_) => Value::Null,
    };
    Some(match result["state"].as_str() {
        Some("free") => Telephone::Free,
        Some("busy") => Telephone::Busy,
        Some("unreachable") => Telephone::Unreachable,
        _ => Telephone::Unclear,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(state: &str) -> Settled {
        Ok(CommandOutcome::Done(format!(r#"{{"state":"{state}","said":"X"}}"#)))
    }

    #[test]
    fn a_telephone_is_passed_over_only_when_nobody_doubts_it() {
        let away = || Err(Failure::Retryable { why: "away".to_owned(), status: None, after: None });
        let refused = || Err(Failure::Rejected { code: "x".to_owned(), why: "no such telephone".to_owned() });
        let lost = || Ok(CommandOutcome::Unknown("lost".to_owned()));
        let broken = || Ok(CommandOutcome::Done("free".to_owned()));
        for (said, telephone) in [
            (vec![], Telephone::Unclear),
            (vec![says("free")], Telephone::Free),
            (vec![says("busy")], Telephone::Busy),
            (vec![says("unreachable")], Telephone::Unreachable),
            (vec![says("unknown")], Telephone::Unclear),
            (vec![says("FREE")], Telephone::Unclear),
            (vec![away()], Telephone::Unclear),
            (vec![lost()], Telephone::Unclear),
            (vec![broken()], Telephone::Unclear),
            (vec![refused()], Telephone::Unclear),
            (vec![refused(), says("unreachable")], Telephone::Unreachable),
            (vec![says("unreachable"), away()], Telephone::Unclear),
            (vec![lost(), says("busy")], Telephone::Unclear),
            (vec![says("unreachable"), says("busy")], Telephone::Busy),
            (vec![says("free"), says("unreachable"), away()], Telephone::Free),
        ] {
            assert_eq!(best(&said), telephone, "{said:?}");
        }
    }
}
