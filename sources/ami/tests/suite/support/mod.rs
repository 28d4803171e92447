//! What the tests of the source share: a hub that plays to a session, and the hub's rules of merging in small.

pub mod fold;
pub mod pbx;
pub mod recording;
pub mod table;

use std::collections::BTreeMap;

use cordboard_ami::Session;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;
use serde_json::{Value, json};

use fold::Fold;

/// Where the tests' clocks begin. Milliseconds since 1970.
pub const START: u64 = 1_795_246_343_000;

pub fn settings() -> Value {
    json!({ "host": "pbx.test", "username": "hub", "password": "hub-lab-secret" })
}

/// A hub with one session: clock, timers, and what came out.
pub struct Hub {
    pub outside: Outside,
    pub session: Session,
    pub now: u64,
    timers: BTreeMap<u32, u64>,
    pub sent: Vec<String>,
    pub fold: Fold,
    pub observations: Vec<Observation>,
    pub statuses: Vec<String>,
    pub answers: Vec<(String, Result<CommandOutcome, Failure>)>,
    pub reconnects: Vec<Reconnect>,
    pub jobs: Vec<Job>,
}

impl Hub {
    pub fn new(settings: Value) -> Self {
        let outside = Outside::new().settings(settings);
        let session = Session::begin(&outside);
        Self {
            outside,
            session,
            now: START,
            timers: BTreeMap::new(),
            sent: vec![],
            fold: Fold::default(),
            observations: vec![],
            statuses: vec![],
            answers: vec![],
            reconnects: vec![],
            jobs: vec![],
        }
    }

    /// Logged in to an Asterisk that is up and has nothing under way.
    pub fn ready(settings: Value) -> Self {
        let mut hub = Self::new(settings);
        hub.open();
        hub
    }

    /// Connects, logs in, and says that nothing is under way.
    pub fn open(&mut self) {
        self.login();
        self.answer("CoreShowChannels", "EventList: start\r\nMessage: Channels will follow");
        self.lines("Event: CoreShowChannelsComplete\r\nEventList: Complete\r\nListItems: 0");
    }

    /// Connects and logs in.
    pub fn login(&mut self) {
        self.input(Input::Opened);
        self.input(Input::Bytes(b"Asterisk Call Manager/5.0.4\r\n".to_vec()));
        self.answer("Login", "Message: Authentication accepted");
        self.lines("Event: FullyBooted\r\nStatus: Fully Booted");
    }

    /// Asterisk answers the last action of this name.
    pub fn answer(&mut self, action: &str, more: &str) {
        self.respond(action, "Success", more);
    }

    pub fn respond(&mut self, action: &str, verdict: &str, more: &str) {
        let id = self.action_id(action).unwrap_or_else(|| panic!("{action} was not sent: {:?}", self.sent));
        self.lines(&format!("Response: {verdict}\r\nActionID: {id}\r\n{more}"));
    }

    /// The id of the last action of this name.
    pub fn action_id(&self, action: &str) -> Option<String> {
        let sent = self.sent.iter().rev().find(|sent| sent.starts_with(&format!("Action: {action}\r\n")))?;
        Some(sent.lines().find_map(|line| line.strip_prefix("ActionID: "))?.to_owned())
    }

    /// A message comes.
    pub fn lines(&mut self, message: &str) {
        self.input(Input::Bytes(format!("{message}\r\n\r\n").into_bytes()));
    }

    pub fn input(&mut self, input: Input) {
        self.inputs(vec![input]);
    }

    pub fn inputs(&mut self, inputs: Vec<Input>) {
        let actions = self.session.handle(&self.outside, self.now, inputs);
        for action in actions {
            match action {
                Action::Send(bytes) => self.sent.push(String::from_utf8(bytes).expect("text")),
                Action::Observe(observation) => {
                    self.fold.take(&observation, self.now);
                    self.observations.push(observation);
                }
                Action::SetTimer(timer) => {
                    self.timers.insert(timer.number, self.now + timer.after);
                }
                Action::CancelTimer(number) => {
                    self.timers.remove(&number);
                }
                Action::Reconnect(reconnect) => self.reconnects.push(reconnect),
                Action::Answer(answer) => self.answers.push((answer.command, answer.result)),
                Action::Start(job) => self.jobs.push(job),
                Action::Status(status) => self.statuses.push(status),
                Action::Other(other) => panic!("no such action: {other:?}"),
            }
        }
    }

    /// Time goes on to this moment; timers go off on the way.
    pub fn until(&mut self, now: u64) {
        while let Some((number, at)) = self.timers.iter().map(|(number, at)| (*number, *at)).min_by_key(|(_, at)| *at) {
            if at > now {
                break;
            }
            self.timers.remove(&number);
            self.now = self.now.max(at);
            self.input(Input::Timer(number));
        }
        self.now = now;
    }

    /// So many milliseconds go by.
    pub fn wait(&mut self, milliseconds: u64) {
        self.until(self.now + milliseconds);
    }

    pub fn command(&mut self, name: &str, arguments: Value) -> String {
        let id = format!("command-{}", self.answers.len() + self.sent.len());
        self.input(Input::Command(Command {
            id: id.clone(),
            name: name.to_owned(),
            agent: None,
            arguments: arguments.to_string(),
        }));
        id
    }

    /// What a command was answered with.
    pub fn answered(&self, id: &str) -> Option<&Result<CommandOutcome, Failure>> {
        self.answers.iter().find(|(command, _)| command == id).map(|(_, result)| result)
    }

    /// The record of a call as the hub would have it.
    pub fn call(&self, id: &str) -> Value {
        self.fold.view(id).unwrap_or_else(|| panic!("no call {id}; there are {:?}", self.fold.ids()))
    }
}
