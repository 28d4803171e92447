//! The merge: four small lattices that every field of every record is made of.
//!
//! Each has one operation, [`Join::join`], which is commutative, associative and idempotent. A record is a product of
//! them, so a record's merge is too: any order of arrival and any number of repeats end in the same record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Instant;

/// A value that takes in another of its kind.
pub trait Join {
    /// Takes `other` in; true when that changed anything.
    fn join(&mut self, other: Self) -> bool;
}

/// Absent joined with anything is that thing.
impl<T: Join> Join for Option<T> {
    fn join(&mut self, other: Self) -> bool {
        match (self.as_mut(), other) {
            (_, None) => false,
            (Some(mine), Some(theirs)) => mine.join(theirs),
            (None, theirs) => {
                *self = theirs;
                true
            }
        }
    }
}

/// For elements of which there is nothing more to know than that they are there.
impl Join for () {
    fn join(&mut self, (): Self) -> bool {
        false
    }
}

/// How far to believe an observation, beside others of the same subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Worked out or estimated.
    Inferred,
    /// Reported as it happened.
    #[default]
    Reported,
    /// The outside system's own final account, or a person's word.
    Settled,
}

/// Where a fact comes from: what decides between two values of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u8, u64)", into = "(u8, u64)")]
pub struct Stamp {
    /// Counts first.
    pub trust: Trust,
    /// Counts next: the source's own time.
    pub at: Instant,
}

impl From<Stamp> for (u8, u64) {
    fn from(stamp: Stamp) -> Self {
        (stamp.trust as u8, stamp.at.millis())
    }
}

impl From<(u8, u64)> for Stamp {
    fn from((trust, at): (u8, u64)) -> Self {
        let trust = match trust {
            0 => Trust::Inferred,
            1 => Trust::Reported,
            _ => Trust::Settled,
        };
        Stamp { trust, at: Instant::clamped(at) }
    }
}

/// The most trusted value, then the latest, then the greatest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// The value.
    #[serde(rename = "v")]
    pub value: T,
    /// Its origin.
    #[serde(rename = "s")]
    pub stamp: Stamp,
}

impl<T: Ord> Join for Fact<T> {
    fn join(&mut self, other: Self) -> bool {
        let wins = (&other.stamp, &other.value) > (&self.stamp, &self.value);
        if wins {
            *self = other;
        }
        wins
    }
}

/// The value furthest along its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Furthest<T>(pub T);

impl<T: Ord> Join for Furthest<T> {
    fn join(&mut self, other: Self) -> bool {
        let wins = other > *self;
        if wins {
            *self = other;
        }
        wins
    }
}

/// The earliest moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Earliest(pub Instant);

impl Join for Earliest {
    fn join(&mut self, other: Self) -> bool {
        let wins = other < *self;
        if wins {
            *self = other;
        }
        wins
    }
}

/// Something that stands in a set: which one it is, and what it becomes when it is reported twice.
pub trait Element: Sized {
    /// What makes two reports the same element.
    type Key: Ord + Clone + std::fmt::Debug + Serialize + for<'de> Deserialize<'de>;
    /// What is kept for the element.
    type Body: Join + Clone + std::fmt::Debug + PartialEq + Eq + Serialize + for<'de> Deserialize<'de>;

    /// Takes the element apart.
    fn split(self, stamp: Stamp) -> (Self::Key, Self::Body);
    /// Puts it together again.
    fn unite(key: &Self::Key, body: &Self::Body) -> Self;
}

/// All that was ever reported, once each, in the order of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Set<E: Element>(Vec<(E::Key, E::Body)>);

impl<E: Element> Default for Set<E> {
    fn default() -> Self {
        Set(Vec::new())
    }
}

impl<E: Element> Set<E> {
    /// A set of what one observation reported.
    pub fn of(elements: Vec<E>, stamp: Stamp) -> Self {
        let mut bodies: BTreeMap<E::Key, E::Body> = BTreeMap::new();
        for element in elements {
            let (key, body) = element.split(stamp);
            match bodies.entry(key) {
                std::collections::btree_map::Entry::Occupied(mut slot) => {
                    slot.get_mut().join(body);
                }
                std::collections::btree_map::Entry::Vacant(slot) => {
                    slot.insert(body);
                }
            }
        }
        Set(bodies.into_iter().collect())
    }

    /// The elements, in the order of their keys.
    pub fn elements(&self) -> Vec<E> {
        self.0.iter().map(|(key, body)| E::unite(key, body)).collect()
    }

    /// True when nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<E: Element> Join for Set<E> {
    fn join(&mut self, other: Self) -> bool {
        let mut changed = false;
        for (key, body) in other.0 {
            match self.0.binary_search_by(|(mine, _)| mine.cmp(&key)) {
                Ok(at) => changed |= self.0[at].1.join(body),
                Err(at) => {
                    self.0.insert(at, (key, body));
                    changed = true;
                }
            }
        }
        changed
    }
}
