//! What can be asked of the PBX: which action it takes, and what its answer means.

mod hold;

use cordboard_sdk::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::asking::Waiting;
use crate::book::Planned;
use crate::message::{Message, integer};
use crate::outgoing::{Outgoing, action_id};
use crate::session::Work;
use crate::settings::CALL_VARIABLE;
use crate::{telephone, text};

/// Characters of a number, at most.
const NUMBER: usize = 40;
/// Variables that a command may set.
const VARIABLES: usize = 50;
/// Bytes of what Asterisk says.
const WORDS: usize = 300;

/// A command under way.
pub(crate) struct Asked {
    /// Its id; absent when it was answered and its end is still to come.
    command: Option<String>,
    what: What,
}

impl Asked {
    /// Whether the command is still to be answered.
    pub(crate) fn is_open(&self) -> bool {
        self.command.is_some()
    }
}

enum What {
    /// A call is begun under this id.
    Originate { call: String },
    /// A call is moved, and will be told as moved when Asterisk takes it on.
    Move { call: String, kind: &'static str, by: Option<String>, to: String },
    /// An agent's own telephone is hung up, and the call told who did it when Asterisk has.
    HangUp { call: String, channel: String },
    /// A telephone is muted or heard again, and the call told so when Asterisk has done it.
    Mute { call: String, extension: Option<String>, on: bool },
    /// A telephone is asked to hold, or to talk on.
    Hold { channel: String, on: bool },
    /// It was asked, and has until then to do it.
    Holds { channel: String, on: bool, until: u64 },
    /// Whether a telephone could take a call, by the value of a function.
    State,
    /// Anything that is over with the answer.
    Plain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Originate {
    from: String,
    to: String,
    caller_id: Option<String>,
    timeout: Option<u32>,
    context: Option<String>,
    #[serde(default)]
    variables: std::collections::BTreeMap<String, String>,
}

/// The commands that there are.
pub const COMMANDS: [&str; 7] =
    ["call.originate", "call.redirect", "call.transfer", "call.hangup", "call.mute", "call.hold", "extension.state"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveTo {
    call: String,
    to: String,
    context: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfCall {
    call: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfExtension {
    extension: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    call: String,
    on: bool,
    extension: Option<String>,
}

impl Work {
    /// Carries a command out, or says why not.
    pub(crate) fn command(&mut self, host: &dyn Host, command: Command) {
        let id = command.id.clone();
        if let Err(why) = self.carry_out(host, command) {
            self.tell(id, Err(why));
        }
    }

    fn carry_out(&mut self, host: &dyn Host, command: Command) -> Result<(), Failure> {
        let agent = command.agent.as_ref().and_then(|agent| agent.extension.clone());
        match command.name.as_str() {
            "call.originate" => self.originate(host, command.id, arguments(&command.arguments)?),
            "call.redirect" | "call.transfer" => {
                let transfer = command.name == "call.transfer";
                self.move_call(command.id, agent, arguments(&command.arguments)?, transfer)
            }
            "call.hangup" => {
                let OfCall { call } = arguments(&command.arguments)?;
                let ends = self.ends(&call, agent.as_deref())?;
                // Whoever hangs up puts the own telephone down: the dialplan goes on as after any other call.
                let own = ends.agent.filter(|_| agent.is_some());
                let what = match &own {
                    Some(channel) => What::HangUp { call, channel: channel.clone() },
                    None => What::Plain,
                };
                let channel = own.unwrap_or(ends.main);
                self.ask(command.id, what, "Hangup", |action| action.with("Channel", &channel).with("Cause", "16"))
            }
            "call.mute" => {
                let Switch { call, on, extension } = arguments(&command.arguments)?;
                let extension = extension.or(agent);
                let channel = self.telephone(&call, extension.as_deref())?;
                let what = What::Mute { call, extension, on };
                self.ask(command.id, what, "MuteAudio", |action| {
                    let state = if on { "on" } else { "off" };
                    action.with("Channel", &channel).with("Direction", "in").with("State", state)
                })
            }
            "extension.state" => {
                let OfExtension { extension } = arguments(&command.arguments)?;
                let channel = self.channel_of(&self.extension("extension", &extension)?);
                let function = telephone::function(&channel).ok_or_else(|| self.no_device())?;
                self.ask(command.id, What::State, "Getvar", |action| action.with("Variable", &function))
            }
            "call.hold" => {
                let Switch { call, on, extension } = arguments(&command.arguments)?;
                self.hold(command.id, &call, extension.or(agent).as_deref(), on)
            }
            other => Err(Failure::rejected("unknown-command", format!("`{other}` is no command of this source"))),
        }
    }

    fn ends(&self, call: &str, extension: Option<&str>) -> Result<crate::book::Ends, Failure> {
        self.book
            .ends(call, extension)
            .ok_or_else(|| Failure::rejected("no-such-call", format!("the call `{call}` is not under way at this PBX")))
    }

    /// The channel of an extension's telephone on a call.
    fn telephone(&self, call: &str, extension: Option<&str>) -> Result<String, Failure> {
        self.ends(call, extension)?.agent.ok_or_else(|| {
            Failure::rejected("not-on-call", format!("none of the telephones on the call `{call}` is that extension's"))
        })
    }

    fn originate(&mut self, host: &dyn Host, command: String, asked: Originate) -> Result<(), Failure> {
        let rules = &self.plan.commands;
        let from = self.extension("from", &asked.from)?;
        let to = self.extension("to", &asked.to)?;
        let context = self.context(asked.context)?;
        let shown = match asked.caller_id.as_ref().or(rules.caller_id.as_ref()) {
            Some(number) => digits("caller-id", number)?,
            None => from.clone(),
        };
        let timeout = match asked.timeout {
            Some(seconds @ 1..=300) => seconds * 1000,
            Some(other) => return Err(bad("timeout", &other.to_string(), "it is seconds, 1 to 300")),
            None => rules.timeout,
        };
        if asked.variables.len() > VARIABLES {
            return Err(bad("variables", &asked.variables.len().to_string(), "there may be 50"));
        }
        for (name, value) in &asked.variables {
            variable(name, value)?;
        }
        let channel = self.channel_of(&from);
        let call = fresh_id(host);
        let planned = Planned { from, to: to.clone(), at: self.now() };
        // The agent sees the number that is called; the dialplan decides what is shown outside.
        let caller_id = format!("\"{to}\" <{shown}>");
        let fill = |action: Outgoing| {
            let action = action
                .with("Channel", &channel)
                .with("Context", &context)
                .with("Exten", &to)
                .with("Priority", "1")
                .with("Timeout", &timeout.to_string())
                .with("CallerID", &caller_id)
                .with("Async", "true")
                .with("ChannelId", &call)
                .with("Variable", &format!("{CALL_VARIABLE}={call}"));
            let action = if channel.starts_with("Local/") {
                action.with("OtherChannelId", &format!("{call}-2"))
            } else {
                action
            };
            asked
                .variables
                .iter()
                .fold(action, |action, (name, value)| action.with("Variable", &format!("{name}={value}")))
        };
        self.ask(command, What::Originate { call: call.clone() }, "Originate", fill)?;
        self.book.plan_call(call, planned);
        Ok(())
    }

    fn move_call(
        &mut self,
        command: String,
        agent: Option<String>,
        asked: MoveTo,
        transfer: bool,
    ) -> Result<(), Failure> {
        let to = self.extension("to", &asked.to)?;
        let context = self.context(asked.context)?;
        let ends = self.ends(&asked.call, agent.as_deref())?;
        if transfer && !ends.talking {
            return Err(Failure::rejected(
                "not-answered",
                format!("nobody has answered the call `{}` yet: it can be redirected, and not transferred", asked.call),
            ));
        }
        // A blind transfer is told by Asterisk itself, with who made it.
        let told = transfer && self.book.is_modern() && ends.agent.is_some();
        let what = What::Move {
            call: asked.call,
            kind: if transfer { "blind" } else { "redirect" },
            by: agent,
            to: to.clone(),
        };
        let fill = |channel: &str, action: Outgoing| {
            action.with("Channel", channel).with("Context", &context).with("Exten", &to)
        };
        match ends.agent {
            Some(agent) if told => self.ask(command, What::Plain, "BlindTransfer", |action| fill(&agent, action)),
            _ => self.ask(command, what, "Redirect", |action| fill(&ends.other, action).with("Priority", "1")),
        }
    }

    /// Sends the action of a command.
    fn ask(
        &mut self,
        command: String,
        what: What,
        action: &str,
        fill: impl FnOnce(Outgoing) -> Outgoing,
    ) -> Result<(), Failure> {
        if !self.is_ready() {
            return Err(Failure::retryable("the PBX is not connected"));
        }
        let outgoing = std::cell::Cell::new(true);
        let id = self.act(action, |action| {
            let action = fill(action);
            outgoing.set(action.is_good());
            action
        });
        if !outgoing.get() {
            return Err(Failure::rejected(
                "unsendable",
                "a value has a control character in it or is too long for Asterisk",
            ));
        }
        self.wait(id, Waiting::Command(Asked { command: Some(command), what }));
        Ok(())
    }

    /// Asterisk answers a command's action.
    pub(crate) fn answered(&mut self, id: u64, asked: Asked, good: bool, message: &Message<'_>) {
        let Some(command) = asked.command else { return };
        let words = &text::short(message.get("Message"), WORDS);
        if !good && !matches!(asked.what, What::State) {
            if let What::Originate { call } = &asked.what {
                self.book.unplan_call(call);
            }
            return self.tell(command, Err(Failure::rejected("asterisk", words.as_str())));
        }
        match asked.what {
            What::Originate { call } => {
                self.tell(command, Ok(CommandOutcome::Accepted(Some(call.clone()))));
                self.wait(id, Waiting::Command(Asked { command: None, what: What::Originate { call } }));
            }
            What::Move { call, kind, by, to } => {
                let now = self.now();
                self.book.command_moved(&call, kind, by, to, now);
                self.tell(command, Ok(CommandOutcome::Done(done(words))));
            }
            What::Mute { call, extension, on } => {
                self.book.command_muted(&call, extension, on);
                self.tell(command, Ok(CommandOutcome::Done(done(words))));
                self.report();
            }
            What::HangUp { call, channel } => {
                self.book.command_hung_up(&call, &channel);
                self.tell(command, Ok(CommandOutcome::Done(done(words))));
                self.report();
            }
            What::Hold { channel, on } => {
                let what = self.holds(channel, on);
                self.wait(id, Waiting::Command(Asked { command: Some(command), what }));
            }
            What::State => {
                // The words of a refusal are no state: then nobody knows.
                let said = text::short(message.get(if good { "Value" } else { "Message" }), WORDS);
                let state = telephone::state(&said, self.plan.commands.is_channel_certain);
                let told = |state| CommandOutcome::Done(json!({ "state": state, "said": said }).to_string());
                let result = state.map(told).ok_or_else(|| self.no_device());
                self.tell(command, result);
            }
            What::Plain | What::Holds { .. } => self.tell(command, Ok(CommandOutcome::Done(done(words)))),
        }
    }

    /// The end of an originate: whether the agent's telephone answered.
    pub(crate) fn originated(&mut self, _host: &dyn Host, message: &Message<'_>) {
        let Some(id) = action_id(message.get("ActionID")) else { return };
        let Some(Waiting::Command(Asked { command, what: What::Originate { call } })) = self.waiting.remove(&id) else {
            return;
        };
        let now = self.now();
        if message.get("Response").eq_ignore_ascii_case(b"Success") {
            self.book.originated(&call, message.get("Uniqueid"));
            if let Some(command) = command {
                self.tell(command, Ok(CommandOutcome::Accepted(Some(call))));
            }
        } else {
            let reason = integer(message.get("Reason")).unwrap_or(0);
            self.book.not_originated(&call, reason, now);
            if let Some(command) = command {
                let why = match reason {
                    1 | 3 => "the agent's telephone was not answered",
                    5 => "the agent's telephone is busy",
                    8 => "the PBX has no way to the agent's telephone now",
                    _ => "the agent's telephone cannot be reached",
                };
                self.tell(command, Err(Failure::rejected("asterisk", why)));
            }
        }
        self.report();
    }

    /// Nobody knows any more what becomes of commands that were sent.
    pub(crate) fn connection_lost(&mut self, why: &str) {
        let mut lost: Vec<(u64, Waiting)> = self.waiting.drain().collect();
        lost.sort_by_key(|(id, _)| *id);
        for (_, waiting) in lost {
            let Waiting::Command(Asked { command: Some(command), .. }) = waiting else { continue };
            let why = format!("the connection was lost before Asterisk answered: {why}");
            self.tell(command, Ok(CommandOutcome::Unknown(why)));
        }
    }

    fn tell(&mut self, command: String, result: Result<CommandOutcome, Failure>) {
        self.out.push(Action::Answer(CommandAnswer { command, result }));
    }

    /// How an agent's telephone is called.
    fn channel_of(&self, extension: &str) -> String {
        self.plan.commands.agent_channel.replace("{extension}", extension)
    }

    fn no_device(&self) -> Failure {
        let name = &self.plan.commands.agent_channel;
        Failure::rejected("no-device", format!("Asterisk knows no telephone as `{name}`: set `agent_channel`"))
    }

    fn context(&self, asked: Option<String>) -> Result<String, Failure> {
        let allowed = &self.plan.commands.contexts;
        match asked {
            None => allowed
                .first()
                .cloned()
                .ok_or_else(|| Failure::misconfigured("`contexts` names no context that commands may use")),
            Some(context) if allowed.contains(&context) => Ok(context),
            Some(context) => Err(bad("context", &context, "it is not among the source's `contexts`")),
        }
    }

    fn extension(&self, name: &str, value: &str) -> Result<String, Failure> {
        if self.plan.commands.extensions.iter().any(|known| known == value) {
            return Ok(value.to_owned());
        }
        digits(name, value)
    }
}

fn arguments<T: for<'a> Deserialize<'a>>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::rejected("bad-arguments", format!("the arguments do not fit: {error}")))
}

fn bad(name: &str, value: &str, why: &str) -> Failure {
    let value = text::short(value.as_bytes(), 60);
    Failure::rejected("bad-arguments", format!("`{name}` is `{value}`: {why}"))
}

/// A number goes into a dialplan that gives characters a meaning: only those of numbers are let through.
fn digits(name: &str, value: &str) -> Result<String, Failure> {
    let good = !value.is_empty()
        && value.len() <= NUMBER
        && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+'));
    if good {
        Ok(value.to_owned())
    } else {
        Err(bad(name, value, "only digits, `*`, `#` and `+` can be dialled, 1 to 40 of them"))
    }
}

fn variable(name: &str, value: &str) -> Result<(), Failure> {
    let plain = name.trim_start_matches('_');
    let good_name = !plain.is_empty()
        && name.len() <= 80
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !plain.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    if !good_name || name.to_ascii_uppercase().contains("CORDBOARD_") {
        return Err(bad("variables", name, "a variable's name is letters, digits and `_`"));
    }
    // A comma would begin another variable; the others mean something where a dialplan uses the value.
    const MEANING: &str = ",$\"'`\\{}[]()|&;<>";
    let odd = value.chars().find(|letter| letter.is_control() || MEANING.contains(*letter));
    match odd {
        Some(odd) => Err(bad("variables", value, &format!("`{}` cannot stand in a variable", odd.escape_default()))),
        None if value.len() > 500 => Err(bad("variables", value, "it is longer than 500 bytes")),
        None => Ok(()),
    }
}

/// An id for a call that begins: Asterisk takes it for the channel's own from version 12 on.
fn fresh_id(host: &dyn Host) -> String {
    let mut bytes = [0; 12];
    host.random(&mut bytes);
    bytes.iter().fold("cordboard-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

fn done(words: &str) -> String {
    json!({ "message": words }).to_string()
}
