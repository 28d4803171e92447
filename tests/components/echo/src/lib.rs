//! A component that exports every interface of the contract and does the least that makes sense in each. What it is
//! told comes back in its answers, so that a test sees what went over the border, both ways.

#![cfg(target_family = "wasm")]
#![allow(missing_docs, unsafe_code, unused_qualifications, reason = "a tool makes the bindings")]

use std::cell::{Cell, RefCell};

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:echo;
        world echo {
            import cordboard:hub/host@1.0.0;
            export cordboard:hub/about@1.0.0;
            export cordboard:hub/webhook@1.0.0;
            export cordboard:hub/connection@1.0.0;
            export cordboard:hub/pull@1.0.0;
            export cordboard:hub/commands@1.0.0;
            export cordboard:hub/sink@1.0.0;
            export cordboard:hub/directory@1.0.0;
            export cordboard:hub/grants@1.0.0;
            export cordboard:hub/setup@1.0.0;
            export cordboard:hub/endpoint@1.0.0;
        }
    ",
    generate_all,
});

use cordboard::hub::host;
use cordboard::hub::records::{Call, CallPhase, Item, Observation, Trust};
use cordboard::hub::vocabulary::{
    Command, CommandOutcome, Failure, Grant, Instant, Job, Kind, Party, Phone, Rejected, Request, Response,
};
use exports::cordboard::hub::{about, commands, connection, directory, endpoint, grants, pull, setup, sink, webhook};

struct Echo;

export!(Echo);

thread_local! {
    /// Calls that this instance has served: shows whether it is kept.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn call(id: &str, phase: CallPhase, from: Option<&str>, attributes: Vec<(String, String)>) -> Observation {
    let number = |raw: &str| Phone { raw: raw.to_owned(), e164: None, national: None, variants: Vec::new() };
    let record = Call {
        phase: Some(phase),
        outcome: None,
        direction: None,
        caller: from.map(|raw| Party { number: Some(number(raw)), name: None, agent: None }),
        callee: None,
        line: None,
        queue: None,
        agent: None,
        started_at: None,
        answered_at: None,
        ended_at: None,
        duration: None,
        talk: None,
        hold: None,
        wait: None,
        hangup_cause: None,
        hangup_by: None,
        desks: Vec::new(),
        recordings: Vec::new(),
        transfers: Vec::new(),
        system: None,
        notes: None,
        attributes,
    };
    Observation { id: id.to_owned(), also: Vec::new(), at: None, trust: Trust::Reported, item: Item::Call(record) }
}

impl about::Guest for Echo {
    fn describe() -> about::Descriptor {
        about::Descriptor {
            name: "echo".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Answers with what it was told.".to_owned(),
            settings_schema: r#"{"type": "object", "properties": {
                "secret": {"type": "string", "writeOnly": true},
                "number": {"type": "integer", "minimum": 1}
            }, "additionalProperties": false}"#
                .to_owned(),
            hosts: Vec::new(),
            batch: 10,
            rate: Some(about::Rate { requests: 5, per: 1000 }),
            commands: ["call.originate", "message.send", "call.hangup"].map(str::to_owned).to_vec(),
        }
    }
}

impl webhook::Guest for Echo {
    /// The body is `{"call": id, "from": number, …}`; the word after the last slash of the path may ask for a refusal.
    fn receive(request: Request) -> Result<webhook::Accepted, webhook::Refusal> {
        let calls = CALLS.get() + 1;
        CALLS.set(calls);
        match request.path.rsplit('/').next() {
            Some("unauthenticated") => return Err(webhook::Refusal::Unauthenticated("no signature".to_owned())),
            Some("ignored") => return Err(webhook::Refusal::Ignored("a ping".to_owned())),
            Some("not-mine") => return Err(webhook::Refusal::NotMine("another's".to_owned())),
            Some("other") => return Err(webhook::Refusal::Other("something else".to_owned())),
            _ => {}
        }
        let malformed =
            |field: &str, why: String| webhook::Refusal::Malformed(webhook::Malformed { field: field.to_owned(), why });
        let body: serde_json::Value =
            serde_json::from_slice(&request.body).map_err(|error| malformed("", error.to_string()))?;
        let id = body["call"].as_str().ok_or_else(|| malformed("/call", "is missing".to_owned()))?;
        let mut seen =
            call(id, CallPhase::Ringing, body["from"].as_str(), vec![("calls".to_owned(), calls.to_string())]);
        if let Some(at) = body["at"].as_u64() {
            seen.at = Some(at);
        }
        let reply = body["reply"].as_u64().map(|status| Response {
            status: status as u16,
            headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
            body: request.body.clone(),
        });
        let jobs = if body["sync"] == true {
            let (kind, parameters) = ("sync".to_owned(), "{}".to_owned());
            vec![Job { id: "sync-1".to_owned(), kind, parameters, session: None, anew: None }]
        } else {
            Vec::new()
        };
        Ok(webhook::Accepted { observations: vec![seen], jobs, reply, once: None })
    }
}

/// What a connection has seen: lines of text, each the id of a call.
struct Lines {
    rest: RefCell<Vec<u8>>,
}

impl connection::Guest for Echo {
    type Session = Lines;

    fn target() -> Result<connection::Address, Failure> {
        Ok(connection::Address { host: "127.0.0.1".to_owned(), port: 5038, tls: false })
    }
}

impl connection::GuestSession for Lines {
    fn new() -> Self {
        Lines { rest: RefCell::default() }
    }

    fn handle(&self, now: Instant, inputs: Vec<connection::Input>) -> Vec<connection::Action> {
        use connection::{Action, Answer, Input, Reconnect, Timer};
        let mut actions = Vec::new();
        for input in inputs {
            match input {
                Input::Opened => {
                    actions.push(Action::Send(b"hello\n".to_vec()));
                    actions.push(Action::SetTimer(Timer { number: 1, after: 1000 }));
                    actions.push(Action::Status("logged-in".to_owned()));
                }
                Input::Bytes(bytes) => {
                    let mut rest = self.rest.borrow_mut();
                    rest.extend_from_slice(&bytes);
                    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = rest.drain(..=end).collect();
                        let id = String::from_utf8_lossy(&line[..end]).into_owned();
                        let mut seen = call(&id, CallPhase::Answered, None, Vec::new());
                        seen.at = Some(now);
                        actions.push(Action::Observe(seen));
                    }
                }
                Input::Timer(number) => actions.push(Action::CancelTimer(number)),
                Input::Closed(why) => actions.push(Action::Reconnect(Reconnect { why, misconfigured: false })),
                Input::Command(command) => actions.push(Action::Answer(Answer {
                    command: command.id,
                    result: Ok(CommandOutcome::Done(command.arguments)),
                })),
                Input::Left(_) | Input::Other(_) => {}
            }
        }
        actions
    }
}

impl pull::Guest for Echo {
    fn begin() -> Vec<Job> {
        Vec::new()
    }

    /// Three pages of one call each; the cursor is the number of the page.
    fn next(job: Job, cursor: Option<Vec<u8>>) -> Result<pull::Page, Failure> {
        let page = cursor.and_then(|cursor| cursor.first().copied()).unwrap_or(0);
        let done = u32::from(page) + 1;
        Ok(pull::Page {
            observations: vec![call(&format!("{}-{page}", job.id), CallPhase::Ended, None, Vec::new())],
            next: (page < 2).then(|| vec![page + 1]),
            after: Some(10),
            progress: vec![pull::Progress {
                stage: job.kind,
                rows: Kind::Call,
                processed: done,
                total: Some(3),
                errors: 0,
            }],
        })
    }
}

impl commands::Guest for Echo {
    fn perform(command: Command) -> commands::Performed {
        let result = match command.name.as_str() {
            "call.originate" => Ok(CommandOutcome::Accepted(Some(format!("call-of-{}", command.id)))),
            "message.send" => Ok(CommandOutcome::Unknown("the answer was lost".to_owned())),
            "call.hangup" => Ok(CommandOutcome::Done(command.arguments.clone())),
            name => Err(Failure::Rejected(Rejected {
                code: "unknown-command".to_owned(),
                why: format!("`{name}` is not known"),
            })),
        };
        commands::Performed { result, observations: vec![call(&command.id, CallPhase::Ringing, None, Vec::new())] }
    }
}

impl sink::Guest for Echo {
    /// Every call is stored under its own id; everything else is skipped.
    fn deliver(changes: Vec<sink::Change>) -> Vec<sink::Outcome> {
        changes
            .into_iter()
            .map(|change| match change.item {
                Item::Call(call) => {
                    let number = call.caller.and_then(|caller| caller.number);
                    sink::Outcome::Done(sink::Receipt {
                        external_id: Some(format!("echo-{}", change.subject.id)),
                        url: number.as_ref().and_then(|number| number.e164.clone()),
                        shortened: number.map(|number| number.variants).unwrap_or_default(),
                        memo: change.revision.to_le_bytes().to_vec(),
                    })
                }
                _ => sink::Outcome::Skipped("only calls".to_owned()),
            })
            .collect()
    }

    fn check() -> Result<Vec<String>, Failure> {
        let settings = host::settings();
        host::log(host::Level::Info, &format!("the settings are {settings}"));
        Ok(vec![settings])
    }
}

impl directory::Guest for Echo {
    fn find(phone: Phone) -> Result<Vec<directory::Match>, Failure> {
        Ok(vec![directory::Match {
            external_id: "12x1".to_owned(),
            kind: "contact".to_owned(),
            name: phone.raw,
            url: phone.e164,
            owner: None,
            attributes: Vec::new(),
        }])
    }
}

impl grants::Guest for Echo {
    /// A longer token each time. Without a previous one it says which grant it sees itself.
    fn issue(previous: Option<Grant>) -> Result<Grant, Failure> {
        let seen = host::current_grant().map_or_else(String::new, |grant| grant.token);
        let token = previous.map_or_else(|| format!("seen:{seen}"), |grant| format!("{}+", grant.token));
        Ok(Grant {
            token,
            expires_at: Some(1_800_000_000_000),
            attributes: vec![("account".to_owned(), "echo".to_owned())],
        })
    }
}

impl setup::Guest for Echo {
    /// One step, whose work is the endpoint's address.
    fn plan(endpoint: Option<String>) -> Result<Vec<setup::Step>, Failure> {
        let work = endpoint.ok_or_else(|| Failure::Misconfigured("no address".to_owned()))?;
        Ok(vec![setup::Step { says: "echo".to_owned(), details: vec!["twice".to_owned()], work }])
    }

    fn make(step: setup::Step) -> Result<Option<String>, Failure> {
        Ok(Some(step.work))
    }
}

impl endpoint::Guest for Echo {
    fn handle(request: Request) -> endpoint::Answer {
        endpoint::Answer {
            sent: endpoint::Sent::Response(Response { status: 200, headers: request.headers, body: request.body }),
            observations: vec![call("clicked", CallPhase::Ringing, None, Vec::new())],
            commands: vec![Command {
                id: "1".to_owned(),
                name: "call.originate".to_owned(),
                agent: None,
                arguments: "{}".to_owned(),
            }],
        }
    }
}
