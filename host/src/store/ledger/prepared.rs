//! An intake with everything done to it that needs no ledger, in the task of whoever hands it in: batches are committed
//! one after the other, and each has so much less to do.

use super::batch::Key;
use super::facets::Facets;
use crate::model::event::Shown;
use crate::model::session::Pairing;
use crate::model::{Item, Kind, Merged, Observation};
use crate::store::error::StoreError;
use crate::store::intake::Intake;

/// An intake whose observations are in merged form already.
pub(in crate::store) struct Prepared {
    pub intake: Intake,
    pub sightings: Vec<Sighting>,
    /// Those of the raw request, as JSON.
    pub headers: String,
    /// The raw body is kept as bytes alone.
    pub bytes_only: bool,
}

/// One observation.
pub(in crate::store) struct Sighting {
    /// The first is the one that the source calls it by.
    pub ids: Vec<String>,
    pub merged: Merged,
    pub alone: Alone,
    /// A code to pair a device with: it is told, and is no part of what is kept.
    pub pairing: Option<Pairing>,
}

/// The record when this sighting is the first of its subject, as most are.
pub(in crate::store) struct Alone {
    /// The fields that are there.
    pub changed: Vec<&'static str>,
    pub view: Item,
    pub shown: Shown,
    pub kept: Kept,
}

/// What is written of a record that has changed.
#[derive(Clone)]
pub(in crate::store) struct Kept {
    pub facets: Facets,
    pub merged: String,
}

impl Prepared {
    /// Does what can be done before the commit.
    pub fn new(mut intake: Intake) -> Result<Self, StoreError> {
        let observations = std::mem::take(&mut intake.observations);
        let sightings = observations.into_iter().map(|observation| Sighting::new(observation, &intake));
        let sightings: Vec<Sighting> = sightings.collect::<Result<_, StoreError>>()?;
        if let Some(raw) = &mut intake.raw
            && sightings.iter().any(|sighting| sighting.pairing.is_some())
        {
            // The code stands in it.
            raw.body.clear();
        }
        let headers = intake.raw.as_ref().map(|raw| serde_json::to_string(&raw.headers).map_err(unwritable));
        Ok(Prepared { sightings, headers: headers.transpose()?.unwrap_or_default(), intake, bytes_only: false })
    }

    /// The key of a subject by one of its ids.
    pub fn key<'a>(&'a self, kind: Kind, id: &'a str) -> Key<'a> {
        Key { tenant: &self.intake.tenant, source: &self.intake.source, kind, id }
    }
}

impl Sighting {
    fn new(mut observation: Observation, intake: &Intake) -> Result<Self, StoreError> {
        let mut ids = vec![std::mem::take(&mut observation.id)];
        for id in std::mem::take(&mut observation.also) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let pairing = match &mut observation.item {
            Item::Session(session) => session.pairing.take(),
            _ => None,
        };
        let merged = observation.merged(&intake.numbering, intake.received_at);
        let view = merged.view();
        let alone = Alone { changed: merged.present(), shown: shown(&view)?, kept: Kept::of(&merged, &view)?, view };
        Ok(Sighting { ids, merged, alone, pairing })
    }
}

impl Kept {
    /// Of a record in both its forms.
    pub fn of(merged: &Merged, view: &Item) -> Result<Self, StoreError> {
        Ok(Kept { facets: Facets::of(view), merged: serde_json::to_string(merged).map_err(unwritable)? })
    }
}

/// A record's JSON, for its event.
pub(in crate::store) fn shown(item: &Item) -> Result<Shown, StoreError> {
    Shown::of(item).map_err(unwritable)
}

/// What has no JSON cannot be kept.
pub(in crate::store) fn unwritable(why: serde_json::Error) -> StoreError {
    StoreError::Refused(why.to_string())
}
