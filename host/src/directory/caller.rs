//! Naming the other side while a telephone rings: the frame `call.identified` after that of the ringing.
//!
//! The events are taken after the live feed has handed them on, so a name never comes before its ringing, and never
//! holds it up.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};

use super::Directory;
use crate::live::Audience;
use crate::model::call::{CallPhase, Direction};
use crate::model::{Call, Event, Item, Phone};
use crate::store::Events;

/// Calls that are being named at once. Further ones go without a name: a flood of calls is no reason for one of
/// questions.
const AT_ONCE: usize = 256;

/// For so long it is remembered which desk was told of which call, and of how many.
const REMEMBERED: Duration = Duration::from_secs(4 * 3600);
const TOLD: u64 = 50_000;

/// Which desks were told whom they speak with, by record and extension.
type Told = Cache<(i64, String), ()>;

/// Names the other side of every call that rings at a desk, or that a desk has placed or taken.
pub(super) async fn follow(directory: Weak<Directory>, mut heard: broadcast::Receiver<Events>) {
    let told: Told = Cache::builder().max_capacity(TOLD).time_to_live(REMEMBERED).build();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let events = match heard.recv().await {
            Ok(events) => events,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "more calls than can be named: some rang without a name");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let Some(directory) = directory.upgrade() else { return };
        for event in events.iter() {
            let Item::Call(call) = &event.about.item else { continue };
            if call.phase == Some(CallPhase::Ended) || directory.live.followers(&event.tenant) == 0 {
                continue;
            }
            let Some(number) = number(call) else { continue };
            let desks = desks(event, call, &told).await;
            // A call that waits in a queue is looked up before the first telephone rings.
            if desks.is_empty() && event.kind != "call.ringing" {
                continue;
            }
            let Ok(place) = places.clone().try_acquire_owned() else {
                metrics::counter!("cordboard_directory_total", "outcome" => "busy").increment(1);
                continue;
            };
            let (directory, event, number) = (directory.clone(), event.clone(), number.clone());
            tokio::spawn(async move {
                directory.identify(&event, desks, &number).await;
                drop(place);
            });
        }
    }
}

/// The other side's number: between the tenant's own people the caller's.
fn number(call: &Call) -> Option<&Phone> {
    let other = match call.direction {
        Some(Direction::Internal) => call.caller.as_ref(),
        _ => call.customer(),
    };
    other?.number.as_ref()
}

/// The desks that are to be told: where it begins to ring, each time; where it was placed or picked up, once.
async fn desks(event: &Event, call: &Call, told: &Told) -> Vec<String> {
    let at = &event.about.desks;
    let mut desks = at.ringing.clone();
    for extension in &desks {
        told.insert((event.about.record, extension.clone()), ()).await;
    }
    let placed = call.direction != Some(Direction::Internal);
    let agent = call.agent.as_ref().filter(|_| placed).and_then(|agent| agent.extension.as_ref());
    for extension in at.answered.iter().chain(agent) {
        let place = (event.about.record, extension.clone());
        if !told.contains_key(&place) {
            told.insert(place, ()).await;
            desks.push(extension.clone());
        }
    }
    desks
}

impl Directory {
    async fn identify(self: Arc<Self>, event: &Event, desks: Vec<String>, number: &Phone) {
        let known = self.who(&event.tenant, number).await;
        if desks.is_empty() {
            return;
        }
        let mut frame = Map::new();
        frame.insert("call".to_owned(), json!({ "record": event.about.record, "subject": event.about.subject }));
        frame.insert("desks".to_owned(), json!(desks));
        match serde_json::to_value(&known) {
            Ok(Value::Object(known)) => frame.extend(known),
            _ => return,
        }
        self.live.notice(&event.tenant, "call.identified", Audience::Desks(desks), frame);
    }
}
