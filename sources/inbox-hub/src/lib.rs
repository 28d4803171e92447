//! A source for WhatsApp through an Inbox Hub server: its webhooks, its history, and what it can be asked to do.
//!
//! From the ground up: `refused`, `json`, `look`, `time`, `fit` know bytes and JSON; `address`, `person`, `key`,
//! `status`, `vcard`, `content` know WhatsApp; `settings` and `proof` say what is taken from whom; `message`,
//! `receipt`, `chat`, `session` make observations; `jobs` says what is to be read; `event` reads webhooks. `limits`, `refusal`, `api` and `grant` speak to
//! the server; `cursor` and `pull` read its history; `arguments`, `send`, `register` and `command` do what is asked.
//! Nothing is kept from one call to the next but the settings made ready.

mod address;
mod api;
mod arguments;
mod chat;
mod command;
mod content;
mod cursor;
mod event;
mod fit;
mod grant;
mod jobs;
mod json;
mod key;
mod limits;
mod look;
mod message;
mod person;
mod proof;
mod pull;
mod receipt;
mod refusal;
mod refused;
mod register;
mod send;
mod session;
mod settings;
mod status;
mod time;
mod vcard;

use cordboard_sdk::prelude::*;
use cordboard_sdk::vocabulary::Incoming;

use event::{Events, Hints, Not};
use refused::Refused;

/// The component.
pub struct InboxHub;

impl About for InboxHub {
    fn describe() -> Descriptor {
        Descriptor {
            hosts: vec!["{url}".into(), "{media_url}".into()],
            // Published, for each session.
            rate: Some(Rate { requests: 30, per: 60_000 }),
            commands: command::COMMANDS.map(str::to_owned).to_vec(),
            ..descriptor!("WhatsApp through an Inbox Hub server", settings::SCHEMA)
        }
    }
}

impl Webhook for InboxHub {
    fn receive(host: &dyn Host, request: Incoming) -> Result<Accepted, Refusal> {
        let plan = settings::ready(host);
        let plan = plan.as_ref().as_ref().map_err(|why| Refusal::Unauthenticated(format!("misconfigured: {why}")))?;
        plan.proof.check(&request).map_err(Refusal::Unauthenticated)?;
        let hints = Hints { event: request.header("x-webhook-event"), session: request.header("x-webhook-session") };
        let body = json::read(&request.body).map_err(malformed)?;
        let events = event::read(plan, &body, hints, request.received_at).map_err(|not| match not {
            Not::Understood(refused) => malformed(refused),
            Not::Ours(why) => {
                host.warn(&why);
                Refusal::NotMine(why)
            }
        })?;
        differ(host, &body, hints);
        let Events { observations, jobs, mut ignored, again } = events;
        if observations.is_empty() && jobs.is_empty() {
            ignored.dedup();
            let why = if ignored.is_empty() { "there is no event in it".to_owned() } else { ignored.join("; ") };
            return Err(Refusal::Ignored(why));
        }
        let within = plan.settings.replay_memory * 3_600_000;
        let once = (within > 0 && !again.is_empty()).then_some(Once { within, again });
        Ok(Accepted { observations, jobs, reply: None, once })
    }
}

impl Pull for InboxHub {
    fn begin(host: &dyn Host) -> Vec<Job> {
        let plan = settings::ready(host);
        plan.as_ref().as_ref().map_or_else(|_| vec![], |plan| jobs::standing(plan, host.now()))
    }

    fn next(host: &dyn Host, job: Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        pull::next(host, &job, cursor)
    }
}

impl Commands for InboxHub {
    fn perform(host: &dyn Host, command: Command) -> Performed {
        command::perform(host, &command)
    }
}

impl Grants for InboxHub {
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
        grant::issue(host, previous)
    }
}

/// Tells of headers that say something else than the body: the body is signed, and counts.
fn differ(host: &dyn Host, body: &serde_json::Value, hints: Hints<'_>) {
    let pairs = [
        ("X-Webhook-Event", hints.event, look::text(body, &["event"])),
        ("X-Webhook-Session", hints.session, look::text(body, &["sessionId", "session", "data.sessionId"])),
    ];
    for (name, hint, said) in pairs {
        if let (Some(hint), Some(said)) = (hint, said)
            && hint != said
        {
            host.warn(format!(
                "the header {name} says {}, the body {}: the body counts",
                refused::shown(hint),
                refused::shown(&said)
            ));
        }
    }
}

fn malformed(Refused { field, why }: Refused) -> Refusal {
    Refusal::malformed(field, why)
}

cordboard_sdk::export!(InboxHub: about, webhook, pull, commands, grants);
