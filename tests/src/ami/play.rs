//! Playing a recording to whoever is logged in.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::message::value;
use super::recording::{Frame, What};
use super::{FakeAmi, PATIENCE, Recording, Shared};

impl FakeAmi {
    /// Plays a recording at its own pace. Where its connection went away, so does this one; what the client of that time
    /// asked on its return is waited for.
    pub async fn play(&self, recording: &Recording) {
        let mut clock = Clock::begin(1.0);
        let frames = &recording.frames;
        for (position, frame) in frames.iter().enumerate() {
            clock.reach(frame.at, &self.shared).await;
            match &frame.what {
                What::Event(event) => self.shared.tell(event),
                What::List(list) => self.shared.state().channels.script(list.clone()),
                What::Originate(_) => {}
                What::Close => {
                    self.down();
                    self.shared.state().channels.clear();
                }
                What::Open => {
                    let list = frames[position..].iter().find_map(|frame| match &frame.what {
                        What::List(list) => Some(list.clone()),
                        _ => None,
                    });
                    self.shared.state().channels.script(list.unwrap_or_default());
                    let mut listed = self.shared.listed.subscribe();
                    let before = *listed.borrow_and_update();
                    self.listen().await;
                    let asked = timeout(PATIENCE, listed.wait_for(|listed| *listed > before)).await;
                    assert!(asked.is_ok(), "the client came back and never asked which channels are up");
                    clock.resume(frame.at);
                }
            }
        }
    }

    /// Tells a recorded call up to the moment at which a telephone rings, all at once; what is left of it.
    pub fn ring(&self, recording: &Recording) -> Vec<Vec<u8>> {
        let mut events = recording.events();
        let rings = |event: &Vec<u8>| value(event, "ChannelStateDesc").as_deref() == Some("Ringing");
        let first = events.iter().position(rings).map_or(events.len(), |at| at + 1);
        let rest = events.split_off(first);
        events.iter().for_each(|event| self.tell(event));
        rest
    }

    /// Tells what is left of a call.
    pub fn finish(&self, rest: Vec<Vec<u8>>) {
        rest.iter().for_each(|event| self.tell(event));
    }

    /// Events that the slowest client has not been sent yet.
    pub fn waiting(&self) -> usize {
        self.shared.events.len()
    }
}

impl Recording {
    /// Its events, without their times.
    pub fn events(&self) -> Vec<Vec<u8>> {
        let event = |frame: &Frame| match &frame.what {
            What::Event(event) => Some(event.clone()),
            _ => None,
        };
        self.frames.iter().filter_map(event).collect()
    }
}

/// The time of a recording.
pub(super) struct Clock {
    begun: Instant,
    speed: f64,
    hurried: bool,
}

impl Clock {
    pub fn begin(speed: f64) -> Self {
        Clock { begun: Instant::now(), speed, hurried: false }
    }

    /// Waits until it is so late, unless somebody is in a hurry.
    pub async fn reach(&mut self, at: Duration, shared: &Shared) {
        if self.hurried {
            return;
        }
        tokio::select! {
            () = sleep_until(self.begun + at.div_f64(self.speed)) => {}
            () = shared.hurry.notified() => self.hurried = true,
        }
    }

    /// From now on it is so late.
    pub fn resume(&mut self, at: Duration) {
        self.begun = Instant::now().checked_sub(at.div_f64(self.speed)).unwrap_or(self.begun);
    }
}

/// Plays frames that were made for one client.
pub(super) async fn frames(shared: std::sync::Arc<Shared>, frames: Vec<Frame>, speed: f64) {
    let first = frames.first().map(|frame| frame.at).unwrap_or_default();
    let mut clock = Clock::begin(speed);
    for frame in frames {
        clock.reach(frame.at.saturating_sub(first), &shared).await;
        if let What::Event(event) = frame.what {
            shared.tell(&event);
        }
    }
}
