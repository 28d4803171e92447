//! One connection to one Asterisk: login, boot, what is under way, keeping alive; and the calls, which live on when the
//! connection does not.

use std::collections::HashMap;
use std::rc::Rc;

use cordboard_sdk::prelude::*;

use crate::asking::Waiting;
use crate::book::{Book, Listed};
use crate::clock::Clock;
use crate::event::{self, Event, Interest};
use crate::frame::{Framer, Piece};
use crate::login;
use crate::message::{Line, Message, first_line, last};
use crate::search::is;
use crate::settings::{Login, Plan};
use crate::text;

/// Timers by their numbers.
pub(crate) mod timer {
    /// Is the PBX still there?
    pub const KEEPALIVE: u32 = 1;
    /// The login, or the boot after it, takes too long.
    pub const LOGIN: u32 = 2;
    /// A call's grace is over.
    pub const CALLS: u32 = 3;
    /// Calls that nobody confirms are given up.
    pub const UNHEARD: u32 = 4;
    /// A telephone that was asked to hold has let its time go by.
    pub const HOLDS: u32 = 5;
}

/// How long a login may take. Asterisk lets a wrong password wait for a second. Milliseconds.
const LOGIN_TIME: u64 = 15_000;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Down,
    LoggingIn,
    Booting,
    Ready,
}

/// One connection's state.
pub struct Session(Result<Box<Work>, String>);

/// A session whose settings are good.
pub(crate) struct Work {
    pub(crate) plan: Rc<Plan>,
    pub(crate) book: Book,
    pub(crate) clock: Clock,
    framer: Framer,
    lines: Vec<Line>,
    pub(crate) stage: Stage,
    /// The next action's number.
    pub(crate) next: u64,
    pub(crate) waiting: HashMap<u64, Waiting>,
    /// What was shown last.
    shown: String,
    /// When anything came last, by the hub's clock.
    pub(crate) heard: u64,
    /// A ping is out.
    pub(crate) pinged: bool,
    /// When Asterisk was started, in its own words.
    pub(crate) started: Option<String>,
    /// Since when nothing was heard, by the hub's clock: this session, or one before it, lost the connection.
    pub(crate) lost: Option<u64>,
    /// For when the timer of calls is set.
    calls_timer: Option<u64>,
    /// For when the timer of telephones that were asked to hold is set.
    holds_timer: Option<u64>,
    pub(crate) out: Vec<Action>,
}

impl Dialog for Session {
    fn begin(host: &dyn Host) -> Self {
        Session(Plan::new(host.settings()).map(|plan| Box::new(Work::new(Rc::new(plan)))))
    }

    fn handle(&mut self, host: &dyn Host, now: Instant, inputs: Vec<Input>) -> Vec<Action> {
        match &mut self.0 {
            Ok(work) => work.handle(host, now, inputs),
            Err(why) => inputs.into_iter().filter_map(|input| misconfigured(input, why)).collect(),
        }
    }
}

fn misconfigured(input: Input, why: &str) -> Option<Action> {
    match input {
        Input::Opened => Some(Action::Reconnect(Reconnect { why: why.to_owned(), misconfigured: true })),
        Input::Command(command) => {
            let result = Err(Failure::misconfigured(why));
            Some(Action::Answer(CommandAnswer { command: command.id, result }))
        }
        _ => None,
    }
}

impl Work {
    fn new(plan: Rc<Plan>) -> Self {
        Self {
            book: Book::new(plan.clone()),
            plan,
            clock: Clock::default(),
            framer: Framer::default(),
            lines: Vec::new(),
            stage: Stage::Down,
            next: 1,
            waiting: HashMap::new(),
            shown: String::new(),
            heard: 0,
            pinged: false,
            started: None,
            lost: None,
            calls_timer: None,
            holds_timer: None,
            out: Vec::new(),
        }
    }

    fn handle(&mut self, host: &dyn Host, now: Instant, inputs: Vec<Input>) -> Vec<Action> {
        self.clock.set(now, self.book.is_busy());
        for input in inputs {
            match input {
                Input::Left(left) => {
                    self.lost = Some(left.heard);
                    self.book.inherit(left.unfinished);
                }
                Input::Opened => self.opened(now),
                Input::Bytes(bytes) => self.bytes(host, now, bytes),
                Input::Timer(number) => self.timer(number, now),
                Input::Closed(why) => self.closed(&why),
                Input::Command(command) => self.command(host, command),
                Input::Other(_) => {}
            }
        }
        let holds = self.settle_holds();
        self.report();
        let evicted = self.book.take_evicted();
        if evicted > 0 {
            host.warn(format!("more calls at once than can be kept: {evicted} of them are not followed any more"));
        }
        let calls = self.book.deadline();
        self.calls_timer = self.move_timer(timer::CALLS, self.calls_timer, calls);
        self.holds_timer = self.move_timer(timer::HOLDS, self.holds_timer, holds);
        // There is mostly as much to be said the next time.
        let room = Vec::with_capacity(self.out.len());
        std::mem::replace(&mut self.out, room)
    }

    /// The time for calls.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    fn opened(&mut self, now: u64) {
        self.framer = Framer::default();
        self.clock.forget();
        self.waiting.clear();
        (self.heard, self.pinged) = (now, false);
        self.stage = Stage::LoggingIn;
        match self.plan.login {
            Login::Plain => {
                let plan = self.plan.clone();
                self.act("Login", |action| action.with("Username", &plan.username).with("Secret", &plan.password));
            }
            Login::Md5 => {
                self.act("Challenge", |action| action.with("AuthType", "MD5"));
            }
        }
        self.set_timer(timer::LOGIN, LOGIN_TIME);
        self.set_timer(timer::KEEPALIVE, self.plan.keepalive);
        self.show("logging in");
    }

    fn closed(&mut self, why: &str) {
        self.lose();
        for number in [timer::KEEPALIVE, timer::LOGIN] {
            self.out.push(Action::CancelTimer(number));
        }
        self.framer = Framer::default();
        self.book.doubt(self.clock.now());
        self.connection_lost(why);
    }

    fn bytes(&mut self, host: &dyn Host, now: u64, bytes: Vec<u8>) {
        if self.stage == Stage::Down {
            return;
        }
        (self.heard, self.pinged) = (now, false);
        // Pieces borrow the framer, and what they say changes everything else.
        let mut framer = std::mem::take(&mut self.framer);
        let mut lines = std::mem::take(&mut self.lines);
        framer.push(bytes);
        loop {
            match framer.next() {
                Ok(Some(Piece::Message(message))) => self.message(host, message, &mut lines),
                Ok(Some(Piece::Banner(banner))) => self.banner(banner),
                Ok(None) => break,
                Err(why) => {
                    self.reconnect(why, false);
                    break;
                }
            }
            if self.stage == Stage::Down {
                break;
            }
        }
        if self.stage != Stage::Down {
            self.framer = framer;
        }
        self.lines = lines;
    }

    fn banner(&mut self, banner: &[u8]) {
        if !banner.starts_with(b"Asterisk Call Manager") {
            let banner = text::short(banner, 60);
            self.reconnect(
                format!(
                    "{}:{} is no manager interface of Asterisk: it greets with `{banner}`",
                    self.plan.host, self.plan.port
                ),
                true,
            );
        }
    }

    fn message(&mut self, host: &dyn Host, raw: &[u8], lines: &mut Vec<Line>) {
        let (name, value) = first_line(raw);
        if is(name, b"Event") {
            self.event(host, value, raw, lines);
        } else if is(name, b"Response") {
            let message = Message::read(raw, lines);
            self.response(host, value, &message);
        }
    }

    fn event(&mut self, host: &dyn Host, name: &[u8], raw: &[u8], lines: &mut Vec<Line>) {
        let wanted = match event::interest(name) {
            Interest::Whole => true,
            Interest::Variable => {
                last(raw, "Variable: ").is_some_and(|variable| self.plan.variable(variable).is_some())
            }
            Interest::Application => self.book.wants_extensions() || self.tells(raw),
            Interest::Nothing => {
                self.own_event(host, name, raw, lines);
                false
            }
        };
        if !wanted {
            return;
        }
        let message = Message::read(raw, lines);
        let at = self.clock.of(&message);
        let book = &mut self.book;
        event::decode(name, &message, |event: Event<'_>| book.take(&event, at));
        let out = &mut self.out;
        self.book.report(at, |observation| out.push(Action::Observe(observation)));
    }

    /// Whether a step in the dialplan says something about its call.
    fn tells(&self, raw: &[u8]) -> bool {
        let Some(application) = last(raw, "Application: ") else { return false };
        if application.eq_ignore_ascii_case(b"Set") {
            let data = last(raw, "AppData: ").unwrap_or_default();
            let name = &data[..memchr::memchr(b'=', data).unwrap_or(0)];
            return self.plan.variable(name.trim_ascii()).is_some();
        }
        event::telling(application)
    }

    /// Events about the connection and what was asked over it.
    fn own_event(&mut self, host: &dyn Host, name: &[u8], raw: &[u8], lines: &mut Vec<Line>) {
        match name {
            b"FullyBooted" if self.stage == Stage::Booting => self.booted(),
            b"Shutdown" => {
                self.book.shut_down(self.clock.now());
                self.report();
                self.show("Asterisk is shutting down");
            }
            b"CoreShowChannel" => {
                let message = Message::read(raw, lines);
                let listed = Listed {
                    chan: message.chan(""),
                    age: login::duration(message.get("Duration")),
                    bridge: message.get("BridgeId"),
                    with: message.get("BridgedUniqueID"),
                    application: message.get("Application"),
                    data: message.get("ApplicationData"),
                };
                self.book.listed(&listed, self.clock.now());
            }
            b"CoreShowChannelsComplete" => self.list_complete(),
            b"OriginateResponse" => {
                let message = Message::read(raw, lines);
                self.originated(host, &message);
            }
            _ => {}
        }
    }

    fn timer(&mut self, number: u32, now: u64) {
        match number {
            timer::KEEPALIVE => self.keep_alive(now),
            timer::LOGIN if self.stage == Stage::LoggingIn => {
                self.reconnect(format!("no answer to the login within {} s", LOGIN_TIME / 1000), false);
            }
            timer::LOGIN if self.stage == Stage::Booting => self.booted(),
            timer::CALLS => {
                self.calls_timer = None;
                self.book.forget_old(self.clock.now());
            }
            timer::HOLDS => self.holds_timer = None,
            timer::UNHEARD => {
                self.book.give_up_unheard(self.clock.now());
                self.report();
            }
            _ => {}
        }
    }

    /// Drops the connection. The hub says when it is gone.
    pub(crate) fn reconnect(&mut self, why: String, misconfigured: bool) {
        self.lose();
        self.out.push(Action::Reconnect(Reconnect { why, misconfigured }));
    }

    /// The connection is of no use any more. A dead link is noticed long after it died.
    fn lose(&mut self) {
        if self.is_ready() {
            self.lost.get_or_insert(self.heard);
        }
        self.stage = Stage::Down;
    }

    pub(crate) fn report(&mut self) {
        let out = &mut self.out;
        self.book.report(self.clock.now(), |observation| out.push(Action::Observe(observation)));
    }

    pub(crate) fn show(&mut self, what: &str) {
        if self.shown != what {
            what.clone_into(&mut self.shown);
            self.out.push(Action::Status(what.to_owned()));
        }
    }

    pub(crate) fn set_timer(&mut self, number: u32, after: u64) {
        self.out.push(Action::SetTimer(Timer { number, after }));
    }

    /// Sets a timer that was set for one moment for another one, or stops it.
    fn move_timer(&mut self, number: u32, from: Option<u64>, to: Option<u64>) -> Option<u64> {
        match to {
            _ if to == from => {}
            Some(to) => self.set_timer(number, to.saturating_sub(self.clock.now()).max(1)),
            None => self.out.push(Action::CancelTimer(number)),
        }
        to
    }
}
