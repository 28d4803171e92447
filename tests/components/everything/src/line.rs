//! The side of sources: webhooks, a line protocol, pages, commands.

use std::collections::VecDeque;

use cordboard_sdk::prelude::*;
use serde::Deserialize;

use crate::Everything;

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    secret: String,
    /// Where lines are spoken: `tcp://HOST:PORT`, `tls://HOST:PORT`.
    #[serde(default = "nowhere")]
    line: String,
    /// Milliseconds between two `PING`s; a line that says nothing between two of them is given up.
    heartbeat: Option<u64>,
}

fn nowhere() -> String {
    "tls://pbx.test:5038".to_owned()
}

/// The body of a webhook.
#[derive(Deserialize)]
struct Notice {
    id: String,
    phase: String,
    /// Milliseconds for which the same bytes are the same notice.
    once: Option<u64>,
}

impl Webhook for Everything {
    /// Takes `{"id": …, "phase": …, "once": …}` and answers 202 with the call's id.
    fn receive(host: &dyn Host, request: Incoming) -> Result<Accepted, Refusal> {
        let settings: Settings = host.settings_as().map_err(|error| Refusal::Other(error.to_string()))?;
        if request.header("x-secret") != Some(&settings.secret) {
            return Err(Refusal::Unauthenticated("the header X-Secret is not the secret".to_owned()));
        }
        match request.query.as_deref() {
            Some("ignore") => return Err(Refusal::Ignored("asked to".to_owned())),
            Some("stranger") => return Err(Refusal::NotMine("asked to".to_owned())),
            _ => {}
        }
        let notice: Notice =
            serde_json::from_slice(&request.body).map_err(|error| Refusal::malformed("", error.to_string()))?;
        let observation = sighting(&notice.id, &notice.phase, None)
            .ok_or_else(|| Refusal::malformed("/phase", format!("`{}` is no phase", notice.phase)))?;
        Ok(Accepted {
            observations: vec![observation],
            jobs: vec![job("all")],
            reply: Some(Reply::text(202, notice.id)),
            once: notice.once.map(|within| Once { within, again: vec![job("again")] }),
        })
    }
}

fn job(id: &str) -> Job {
    Job { id: id.to_owned(), kind: "sync".to_owned(), parameters: "{}".to_owned(), ..Job::default() }
}

fn sighting(id: &str, phase: &str, at: Option<&str>) -> Option<Observation> {
    let phase = match phase {
        "ringing" => CallPhase::Ringing,
        "answered" => CallPhase::Answered,
        "ended" => CallPhase::Ended,
        _ => return None,
    };
    Some(Observation::of(id, Call { phase: Some(phase), agent: at.map(Agent::extension), ..Call::default() }))
}

/// What is known of a connection that speaks lines: `CALL id phase`, with an extension behind it, `OK id`, `NO id why`, `ACK`, `FLOOD`, `BYE`,
/// `LOCKED`, `CRASH`.
pub struct Line {
    unread: Vec<u8>,
    waiting: VecDeque<String>,
    heartbeat: u64,
    /// Without a heartbeat of its own, silence means nothing.
    is_strict: bool,
    heard: bool,
}

impl Connection for Everything {
    type Session = Line;

    fn target(host: &dyn Host) -> Result<Address, Failure> {
        let Settings { line, .. } = host.settings_as()?;
        let wrong = || Failure::Misconfigured(format!("`{line}` is no line"));
        let (scheme, place) = line.split_once("://").ok_or_else(wrong)?;
        let (name, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        Ok(Address { host: name.to_owned(), port: port.parse().map_err(|_| wrong())?, tls: scheme == "tls" })
    }
}

impl Dialog for Line {
    fn begin(host: &dyn Host) -> Self {
        let heartbeat = host.settings_as().ok().and_then(|settings: Settings| settings.heartbeat);
        let (unread, waiting) = (Vec::new(), VecDeque::new());
        Line { unread, waiting, heartbeat: heartbeat.unwrap_or(30_000), is_strict: heartbeat.is_some(), heard: true }
    }

    fn handle(&mut self, _host: &dyn Host, _now: Instant, inputs: Vec<Input>) -> Vec<Action> {
        inputs.into_iter().flat_map(|input| self.handle_one(input)).collect()
    }
}

impl Line {
    fn handle_one(&mut self, input: Input) -> Vec<Action> {
        match input {
            Input::Opened => vec![
                Action::Send(b"HELLO\n".to_vec()),
                Action::SetTimer(Timer { number: 1, after: self.heartbeat }),
                Action::Status("connected".to_owned()),
            ],
            Input::Bytes(bytes) => {
                self.heard = true;
                self.unread.extend(bytes);
                self.lines()
            }
            Input::Timer(_) if self.is_strict && !std::mem::take(&mut self.heard) => {
                vec![reconnect("the other side is silent", false)]
            }
            Input::Timer(number) => {
                vec![Action::Send(b"PING\n".to_vec()), Action::SetTimer(Timer { number, after: self.heartbeat })]
            }
            Input::Closed(_) => {
                self.unread.clear();
                self.heard = true;
                let unknown =
                    |command| answer(command, Ok(CommandOutcome::Unknown("the connection is gone".to_owned())));
                let mut actions = vec![Action::CancelTimer(1)];
                actions.extend(self.waiting.drain(..).map(unknown));
                actions
            }
            Input::Command(command) => {
                let line = format!("DO {} {}\n", command.id, command.name);
                self.waiting.push_back(command.id);
                vec![Action::Send(line.into_bytes())]
            }
            // Nobody hangs up while this line is away.
            Input::Left(left) => left
                .unfinished
                .into_iter()
                .filter_map(|open| sighting(&open.id, "ended", None))
                .map(Action::Observe)
                .collect(),
            Input::Other(_) => vec![],
        }
    }

    /// What whole lines say; the rest waits for more bytes.
    fn lines(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        let whole = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = self.unread.drain(..whole).collect();
        for line in String::from_utf8_lossy(&whole).lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["CALL", id, phase] => actions.extend(sighting(id, phase, None).map(Action::Observe)),
                ["CALL", id, phase, at] => actions.extend(sighting(id, phase, Some(at)).map(Action::Observe)),
                ["OK", id] => {
                    self.waiting.retain(|waiting| waiting != id);
                    actions.push(answer(id.to_owned(), Ok(CommandOutcome::Done("{}".to_owned()))));
                }
                ["NO", id, ..] => {
                    self.waiting.retain(|waiting| waiting != id);
                    let why = line.trim_end().splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
                    actions.push(answer(id.to_owned(), Err(Failure::rejected("no", why))));
                }
                ["ACK"] => actions.push(Action::Send(b"ACK\n".to_vec())),
                ["FLOOD"] => actions.push(Action::Send(vec![b'.'; 100_000])),
                ["BYE"] => actions.push(reconnect("the other side says goodbye", false)),
                ["LOCKED"] => actions.push(reconnect("the other side does not know us", true)),
                ["CRASH"] => panic!("asked to"),
                _ => {}
            }
        }
        actions
    }
}

fn reconnect(why: &str, misconfigured: bool) -> Action {
    Action::Reconnect(Reconnect { why: why.to_owned(), misconfigured })
}

fn answer(command: String, result: Result<CommandOutcome, Failure>) -> Action {
    Action::Answer(CommandAnswer { command, result })
}

impl Pull for Everything {
    /// Five contacts, two on a page; the cursor is how many were read. A job `cdr` has one page: what a database has
    /// under the id that the job names.
    fn next(host: &dyn Host, job: Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        if job.kind == "cdr" {
            let rows = host.query("cdr", "select uniqueid, src from cdr where uniqueid = $1", &[&job.parameters])?;
            let contact = |row: cordboard_sdk::Row<'_>| {
                let name = row.get("SRC").map(str::to_owned);
                Observation::of(row.get("uniqueid").unwrap_or_default(), Contact { name, ..Contact::default() })
            };
            return Ok(Page { observations: rows.iter().map(contact).collect(), ..Page::default() });
        }
        if job.kind != "sync" {
            return Err(Failure::rejected("unknown-job", format!("`{}` is no job of this source", job.kind)));
        }
        let read = cursor.and_then(|cursor| cursor.first().copied()).unwrap_or(0);
        let end = (read + 2).min(5);
        let contact = |number: u8| {
            Observation::of(
                format!("contact-{number}"),
                Contact { name: Some(format!("No. {number}")), ..Contact::default() },
            )
        };
        Ok(Page {
            observations: (read..end).map(contact).collect(),
            next: (end < 5).then(|| vec![end]),
            after: None,
            progress: vec![Progress {
                stage: "contacts".to_owned(),
                rows: Kind::Contact,
                processed: u32::from(end),
                total: Some(5),
                errors: 0,
            }],
        })
    }
}

impl Commands for Everything {
    fn perform(_host: &dyn Host, command: Command) -> Performed {
        let result = match command.name.as_str() {
            "call.originate" => Ok(CommandOutcome::Accepted(Some(format!("call-{}", command.id)))),
            "message.send" => Ok(CommandOutcome::Done(command.arguments)),
            "call.hangup" => Ok(CommandOutcome::Unknown("no answer".to_owned())),
            other => Err(Failure::rejected("unknown-command", format!("`{other}` is no command of this source"))),
        };
        result.into()
    }
}
