//! Actions that are sent, and what their answers mean.

use cordboard_sdk::prelude::*;

use crate::commands::Asked;
use crate::login;
use crate::message::Message;
use crate::outgoing::{Outgoing, action_id};
use crate::session::{Stage, Work, timer};
use crate::text;

/// Actions whose answers are waited for.
const WAITING: usize = 1_000;

/// What an answer is waited for.
pub(crate) enum Waiting {
    Startup,
    Channels,
    Ping,
    Filter(String),
    Command(Asked),
}

impl Waiting {
    /// Whether somebody waits for an answer.
    fn is_owed(&self) -> bool {
        matches!(self, Waiting::Command(asked) if asked.is_open())
    }
}

impl Work {
    /// Sends an action and gives its number. What a setting may hold was looked at before.
    pub(crate) fn act(&mut self, name: &str, fill: impl FnOnce(Outgoing) -> Outgoing) -> u64 {
        let id = self.next;
        self.next += 1;
        if let Ok(bytes) = fill(Outgoing::new(name, id)).bytes() {
            self.out.push(Action::Send(bytes));
        }
        id
    }

    /// Keeps in mind what an action was sent for.
    pub(crate) fn wait(&mut self, id: u64, what: Waiting) {
        if self.waiting.len() >= WAITING
            && let Some(oldest) = self.waiting.iter().filter(|(_, one)| !one.is_owed()).map(|(id, _)| *id).min()
        {
            self.waiting.remove(&oldest);
        }
        self.waiting.insert(id, what);
    }

    /// Whether commands can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Booting)
    }

    pub(crate) fn response(&mut self, host: &dyn Host, verdict: &[u8], message: &Message<'_>) {
        let words = || text::short(message.get("Message"), 300);
        let good = verdict.eq_ignore_ascii_case(b"Success");
        if self.stage == Stage::LoggingIn {
            // Nothing else was asked: whatever answers, answers the login.
            if !good {
                return self.login_refused(&words());
            }
            if let Some(challenge) = message.find("Challenge") {
                let plan = self.plan.clone();
                let key = login::key(challenge, &plan.password);
                let login = |action: Outgoing| {
                    action.with("AuthType", "MD5").with("Username", &plan.username).with("Key", &key)
                };
                self.act("Login", login);
                return;
            }
            return self.logged_in();
        }
        let Some(waiting) = action_id(message.get("ActionID")).and_then(|id| Some((id, self.waiting.remove(&id)?)))
        else {
            return;
        };
        let (id, waiting) = waiting;
        match waiting {
            Waiting::Startup => {
                if good {
                    let word = |name| text::short(message.get(name), 40);
                    self.started_at(format!("{} {}", word("CoreStartupDate"), word("CoreStartupTime")));
                }
            }
            Waiting::Channels => {
                if !good {
                    self.no_list(&words());
                }
            }
            Waiting::Ping => {}
            Waiting::Filter(filter) => {
                if !good {
                    host.warn(format!("Asterisk refuses the filter `{filter}`: {}", words()));
                }
            }
            Waiting::Command(asked) => self.answered(id, asked, good, message),
        }
    }

    /// An idle PBX sends nothing, and a dead link looks the same.
    pub(crate) fn keep_alive(&mut self, now: u64) {
        if self.stage == Stage::Down {
            return;
        }
        let silence = now.saturating_sub(self.heard);
        if silence < self.plan.keepalive {
            self.set_timer(timer::KEEPALIVE, self.plan.keepalive - silence);
        } else if self.pinged {
            self.reconnect(format!("no answer to a ping within {} s", self.plan.keepalive / 1000), false);
        } else {
            if self.stage != Stage::LoggingIn {
                let id = self.act("Ping", |action| action);
                self.wait(id, Waiting::Ping);
                self.pinged = true;
            }
            self.set_timer(timer::KEEPALIVE, self.plan.keepalive);
        }
    }
}
