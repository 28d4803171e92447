//! Requests of an outside system to a component's own addresses: widgets, click-to-call, a CRM's webhooks.

use std::sync::Arc;

use super::{Entry, IntakeError, Reception, malformed};
use crate::components::Fault;
use crate::components::contract::{Command, Request, Sent};
use crate::model::{Instant, Observation};

/// What an endpoint answered, after its observations were committed.
pub struct Answered {
    /// Who answered.
    pub entry: Arc<Entry>,
    /// To whoever asked.
    pub sent: Sent,
    /// To be carried out; the answer does not wait for them.
    pub commands: Vec<Command>,
}

impl Reception {
    /// Hands a request to the component of that name.
    pub async fn endpoint(&self, tenant: &str, name: &str, request: Request) -> Result<Answered, IntakeError> {
        let entry = self.entry(tenant, name).ok_or(IntakeError::Unknown)?;
        let received_at = request.received_at;
        let (answer, _) = entry.component.component().handle(request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Fault::Unable { .. }) => return Err(IntakeError::Unknown),
            Err(fault) => {
                tracing::error!(tenant, endpoint = name, "{fault}");
                return Err(IntakeError::Fault(fault));
            }
        };
        self.report(&entry, received_at, answer.observations).await?;
        Ok(Answered { entry, sent: answer.sent, commands: answer.commands })
    }

    /// Commits what a component reports beside its answer.
    pub async fn report(
        &self,
        entry: &Entry,
        received_at: Instant,
        observations: Vec<Observation>,
    ) -> Result<(), IntakeError> {
        for observation in &observations {
            observation.check().map_err(|rejected| IntakeError::Refused(malformed(rejected)))?;
        }
        if !observations.is_empty() {
            self.store.commit(entry.intake(received_at, observations)).await?;
        }
        Ok(())
    }
}
