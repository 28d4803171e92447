//! One subscriber's way through a tenant's events: first from the store, then as they happen, without a seam.
//!
//! Its place is taken before the store is read. Whatever was committed before that is in the store, whatever is committed
//! after it is put into the place, and what comes both ways is dropped by its number.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;

use super::frame::{self, Frame, Texts};
use super::place::{Followers, Place, Wants, Without};
use super::subscription::Subscription;
use crate::store::{EventFilter, Store, StoreError};

/// Events read from the store at once.
const PAGE: u32 = 256;

/// One subscriber's place in a tenant's events.
pub struct Feed {
    store: Store,
    tenant: String,
    place: Place,
    wants: Wants,
    /// Everything up to this number has been handed out or was not wanted.
    seen: u64,
    stage: Stage,
    waiting: VecDeque<(u64, Utf8Bytes)>,
    gap: Option<Gap>,
    /// To be told that all there was in the store has been handed out.
    announce: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Reads from the store.
    Behind,
    /// Has just read all there was in the store: what was missed meanwhile is read from the store too.
    Fresh,
    /// Takes what happens.
    Level,
    /// Was too slow.
    Lost,
}

/// Why a feed ends.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The subscriber's place was full.
    #[error("too slow, resume with since={0}")]
    TooSlow(u64),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hub is stopping.
    #[error("the feed has ended")]
    Ended,
}

/// Events that a subscriber asked for are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The oldest event that is still kept has this number.
    Swept(u64),
    /// There has never been such a number: the newest event has this one.
    Ahead(u64),
}

impl Feed {
    pub(super) async fn begin(
        store: Store,
        tenant: &str,
        followers: &Arc<Followers>,
        since: Option<u64>,
        wants: Wants,
    ) -> Result<Self, StoreError> {
        let place = followers.take(tenant, wants.clone());
        let newest = store.last_seq(tenant).await?;
        let gap = match since {
            Some(since) if since > newest => Some(Gap::Ahead(newest)),
            Some(since) if since > 0 => {
                let oldest = store.events_since(tenant, 0, 1, &EventFilter::default()).await?.events;
                oldest.first().map(|oldest| oldest.seq).filter(|oldest| *oldest > since).map(Gap::Swept)
            }
            _ => None,
        };
        let (seen, stage) = match (since, gap) {
            (None, _) | (_, Some(Gap::Ahead(_))) => (newest, Stage::Level),
            (Some(since), _) => (since, Stage::Behind),
        };
        let (tenant, waiting) = (tenant.to_owned(), VecDeque::new());
        Ok(Feed { store, tenant, place, wants, seen, stage, waiting, gap, announce: stage == Stage::Behind })
    }

    /// The number to resume after.
    pub fn seen(&self) -> u64 {
        self.waiting.front().map_or(self.seen, |(seq, _)| seq.saturating_sub(1))
    }

    /// What was asked for at the beginning and is not there.
    pub fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// Wants something else from now on.
    pub fn subscribe(&mut self, subscription: Subscription) {
        self.wants.subscription = subscription;
        self.place.want(self.wants.clone());
    }

    /// The next frame. May be dropped before it is done: nothing is lost.
    pub async fn next(&mut self) -> Result<Utf8Bytes, Cut> {
        loop {
            if let Some((_, text)) = self.waiting.pop_front() {
                return Ok(text);
            }
            match self.stage {
                Stage::Behind => self.read().await?,
                Stage::Lost => return Err(Cut::TooSlow(self.seen)),
                Stage::Fresh | Stage::Level => match self.place.next().await {
                    Ok(frame) => {
                        if let Some(text) = self.take(&frame) {
                            return Ok(text);
                        }
                    }
                    Err(Without::Some) => self.missed(),
                    Err(Without::Frames) => {}
                    Err(Without::Hub) => return Err(Cut::Ended),
                },
            }
        }
    }

    /// A frame that is there already.
    pub fn ready(&mut self) -> Option<Utf8Bytes> {
        loop {
            if let Some((_, text)) = self.waiting.pop_front() {
                return Some(text);
            }
            if !matches!(self.stage, Stage::Fresh | Stage::Level) {
                return None;
            }
            match self.place.ready() {
                Ok(frame) => {
                    if let Some(text) = self.take(&frame) {
                        return Some(text);
                    }
                }
                Err(Without::Some) => self.missed(),
                Err(Without::Frames | Without::Hub) => return None,
            }
        }
    }

    /// Reads a page from the store.
    async fn read(&mut self) -> Result<(), StoreError> {
        let filter = self.wants.subscription.filter(!self.wants.desks().is_empty());
        let page = self.store.events_since(&self.tenant, self.seen, PAGE, &filter).await?;
        for event in &page.events {
            if let Some(told) = self.wants.told(event) {
                match Texts::of(event) {
                    Ok(texts) => self.waiting.push_back((event.seq, texts.told(event, told))),
                    Err(why) => tracing::error!(tenant = self.tenant, seq = event.seq, %why, "an event has no JSON"),
                }
            }
        }
        self.seen = self.seen.max(page.next);
        if !page.more {
            self.stage = Stage::Fresh;
            if std::mem::take(&mut self.announce) {
                self.waiting.push_back((self.seen + 1, frame::level(self.seen)));
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Option<Utf8Bytes> {
        self.stage = Stage::Level;
        match frame {
            Frame::Event { event, texts } => {
                if event.seq <= self.seen {
                    return None;
                }
                self.seen = event.seq;
                self.wants.told(event).map(|told| texts.told(event, told))
            }
            Frame::Notice { kind, audience, text } => self.wants.hears(kind, audience).then(|| text.clone()),
            Frame::Behind => {
                self.stage = Stage::Behind;
                None
            }
        }
    }

    /// Frames found no room before others were taken. While the store was read that is nobody's fault.
    fn missed(&mut self) {
        self.stage = if self.stage == Stage::Fresh { Stage::Behind } else { Stage::Lost };
    }
}
