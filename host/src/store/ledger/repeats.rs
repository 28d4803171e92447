//! Requests that take effect once and have come before: known by the digest of their body.

use std::collections::HashMap;

use super::prepared::Prepared;
use super::{Result, Tx, postgres, sqlite};
use crate::model::Instant;
use crate::store::intake::{Digest, Once};

/// A body at a source.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Body<'a> {
    pub tenant: &'a str,
    pub source: &'a str,
    pub digest: &'a Digest,
}

impl<'a> Body<'a> {
    fn of(prepared: &'a Prepared) -> Option<(Self, &'a Once)> {
        let intake = &prepared.intake;
        let digest = intake.raw.as_ref()?.digest.as_ref()?;
        Some((Body { tenant: &intake.tenant, source: &intake.source, digest }, intake.once.as_ref()?))
    }
}

/// For each of a batch, when the same was accepted before it, also within the batch.
pub(super) async fn of(tx: &mut Tx, items: &[Prepared]) -> Result<Vec<Option<Instant>>> {
    let bodies: Vec<_> = items.iter().map(Body::of).collect();
    let mut accepted: HashMap<Body<'_>, Instant> = HashMap::new();
    let asked: Vec<_> = bodies.iter().flatten().map(|(body, _)| *body).collect();
    if !asked.is_empty() {
        let rows = match tx.is_postgres() {
            true => postgres::accepted(tx, &asked).await?,
            false => sqlite::accepted(tx, &asked).await?,
        };
        for row in &rows {
            if let Some(body) = usize::try_from(row.int(0)?).ok().and_then(|at| asked.get(at)) {
                accepted.insert(*body, row.instant(1)?);
            }
        }
    }
    let repeats = items.iter().zip(bodies).map(|(prepared, body)| {
        let (body, once) = body?;
        let now = prepared.intake.received_at;
        let before = accepted.get(&body).copied().filter(|at| now < at.after(once.within));
        if before.is_none() {
            accepted.insert(body, now);
        }
        before
    });
    Ok(repeats.collect())
}
