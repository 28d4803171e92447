//! Telephones that are asked to hold, or to talk on, and whether they do.

use cordboard_sdk::prelude::*;

use super::{Asked, What, done};
use crate::asking::Waiting;
use crate::session::Work;

/// How long a telephone may take. Milliseconds.
const HOLDING: u64 = 3_000;

impl Work {
    /// Asterisk holds nothing by itself. It can ask the telephone to, in the dialogue of its call, and tells when it does.
    pub(super) fn hold(
        &mut self,
        command: String,
        call: &str,
        extension: Option<&str>,
        on: bool,
    ) -> Result<(), Failure> {
        let channel = self.telephone(call, extension)?;
        if !channel.starts_with("PJSIP/") {
            let why = "Asterisk has no action that puts a call on hold: only the telephone itself can, and only on a \
                       PJSIP channel can it be asked to";
            return Err(Failure::rejected("unsupported", why));
        }
        match self.book.holds(&channel) {
            None => {
                let why = format!("the telephone on the call `{call}` has not answered: it has nothing to hold");
                Err(Failure::rejected("not-answered", why))
            }
            Some(holds) if holds == Some(on) => {
                self.tell(command, Ok(CommandOutcome::Done(done("it is so already"))));
                Ok(())
            }
            Some(_) => {
                let event = if on { "Event=hold" } else { "Event=talk" };
                let what = What::Hold { channel: channel.clone(), on };
                self.ask(command, what, "PJSIPNotify", |action| {
                    action.with("Channel", &channel).with("Variable", event)
                })
            }
        }
    }

    /// A telephone that was asked just now.
    pub(super) fn holds(&self, channel: String, on: bool) -> What {
        What::Holds { channel, on, until: self.now() + HOLDING }
    }

    /// Which telephones have done what they were asked, and which have let their time go by. Gives the moment at which
    /// the next one has.
    pub(crate) fn settle_holds(&mut self) -> Option<u64> {
        let now = self.now();
        let (mut settled, mut next) = (Vec::new(), None);
        for (id, waiting) in &self.waiting {
            let Waiting::Command(Asked { what: What::Holds { channel, on, until }, .. }) = waiting else { continue };
            let result = match self.book.holds(channel) {
                Some(holds) if holds == Some(*on) => Ok(CommandOutcome::Done(done("the telephone has done it"))),
                Some(_) if now < *until => {
                    next = Some(next.map_or(*until, |next: u64| next.min(*until)));
                    continue;
                }
                Some(_) => Err("the telephone was asked, and does not do it: it may not know what it is asked"),
                None => Err("the telephone was hung up before it did it"),
            };
            settled.push((*id, result.map_err(|why| Failure::rejected("not-done", why))));
        }
        for (id, result) in settled {
            if let Some(Waiting::Command(Asked { command: Some(command), .. })) = self.waiting.remove(&id) {
                self.tell(command, result);
            }
        }
        next
    }
}
