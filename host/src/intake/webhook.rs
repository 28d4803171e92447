//! One request of a webhook: decode, commit, answer.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Entry, IntakeError, Received, Reception, malformed, redact};
use crate::components::Fault;
use crate::components::contract::{Accepted, Refusal, Request, Response};
use crate::store::{Committed, Raw, Verdict};

impl Reception {
    /// Takes one request of a source's webhook. What comes back was committed before.
    pub async fn receive(&self, tenant: &str, source: &str, request: Request) -> Result<Received, IntakeError> {
        let entry = self.entry(tenant, source).ok_or(IntakeError::Unknown)?;
        self.take(&entry, request, None).await
    }

    /// Gives a kept request to its component again, as it came.
    pub async fn replay(&self, tenant: &str, id: i64) -> Result<Received, IntakeError> {
        let (row, raw) = self.store.raw(tenant, id).await?.ok_or(IntakeError::NotReplayable)?;
        let entry = self.entry(tenant, &row.source).ok_or(IntakeError::NotReplayable)?;
        let (path, query) = match raw.path.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (raw.path, None),
        };
        let request = Request {
            method: raw.method,
            path,
            query,
            headers: redact::restored(raw.headers, &entry.secrets),
            body: raw.body.into(),
            received_at: row.received_at,
        };
        self.take(&entry, request, Some(id)).await
    }

    async fn take(&self, entry: &Arc<Entry>, request: Request, replays: Option<i64>) -> Result<Received, IntakeError> {
        let decoded = entry.component.component().receive(request.clone()).await;
        let decoded = decoded.map(|decoded| decoded.and_then(checked));
        let (accepted, verdict, error) = match decoded {
            Ok(Ok(accepted)) => (accepted, Verdict::Accepted, None),
            Ok(Err(refusal @ Refusal::Unauthenticated(_))) => {
                count(entry, "unauthenticated");
                return Err(IntakeError::Refused(refusal));
            }
            Ok(Err(Refusal::Ignored(why))) => (Accepted::default(), Verdict::Ignored { why }, None),
            Ok(Err(refusal)) => (Accepted::default(), refused(&refusal), Some(IntakeError::Refused(refusal))),
            Err(Fault::Unable { .. }) => return Err(IntakeError::Unknown),
            Err(fault) => {
                tracing::error!(tenant = entry.tenant.name, source = entry.name, "{fault}");
                let component = entry.component.component().component().descriptor().name.clone();
                metrics::counter!("cordboard_component_faults_total", "component" => component).increment(1);
                let verdict =
                    Verdict::Refused { kind: "fault".to_owned(), field: String::new(), why: fault.to_string() };
                (Accepted::default(), verdict, Some(IntakeError::Fault(fault)))
            }
        };
        if replays.is_none() && !matches!(error, Some(IntakeError::Fault(_))) {
            entry.hearing.heard(request.received_at);
        }
        let Accepted { observations, jobs, reply, once } = accepted;
        let mut intake = entry.intake(request.received_at, observations);
        let word = verdict.word();
        intake.verdict = verdict;
        intake.jobs = jobs;
        intake.replays = replays;
        intake.raw = replays.is_none().then(|| raw(entry, request, once.is_some()));
        intake.once = once;
        let committed = self.store.commit(intake).await?;
        count(entry, if committed.repeats.is_some() { "ignored" } else { word });
        match error {
            Some(error) => Err(error),
            None => Ok(Received { reply: reply.unwrap_or_else(|| acknowledgement(&committed)), committed }),
        }
    }
}

/// The hub's own bounds on what a component reports.
fn checked(accepted: Accepted) -> Result<Accepted, Refusal> {
    accepted.observations.iter().try_for_each(|observation| observation.check().map_err(malformed))?;
    Ok(accepted)
}

fn refused(refusal: &Refusal) -> Verdict {
    let (kind, field) = match refusal {
        Refusal::Malformed { field, .. } => ("malformed", field.clone()),
        Refusal::NotMine(_) => ("not-mine", String::new()),
        _ => ("other", String::new()),
    };
    let why = match refusal {
        Refusal::Malformed { why, .. } => why.clone(),
        other => other.to_string(),
    };
    Verdict::Refused { kind: kind.to_owned(), field, why }
}

fn raw(entry: &Entry, request: Request, once: bool) -> Raw {
    let path = match &request.query {
        Some(query) => format!("{}?{query}", request.path),
        None => request.path,
    };
    Raw {
        method: request.method,
        path: redact::text(&path, &entry.secrets).unwrap_or(path),
        headers: redact::headers(request.headers, &entry.secrets),
        digest: once.then(|| Sha256::digest(&request.body).into()),
        body: request.body.into(),
    }
}

fn acknowledgement(committed: &Committed) -> Response {
    let body = format!(r#"{{"intake":{},"events":{}}}"#, committed.intake, committed.events.len());
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    Response { status: 200, headers, body: body.into_bytes() }
}

fn count(entry: &Entry, verdict: &'static str) {
    entry.counted.of(verdict, || {
        let (tenant, source) = (entry.tenant.name.clone(), entry.name.clone());
        metrics::counter!("cordboard_intake_total", "tenant" => tenant, "source" => source, "verdict" => verdict)
    });
}
