//! What people do with their telephones: place, move, mute, hold, end calls. A failure comes back in the PBX's words.

use cordboard_sdk::Host;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Agent, Command, CommandOutcome, Failure};
use sha2::{Digest, Sha256};

/// Something done at one extension.
pub struct Telephone<'a> {
    pub host: &'a dyn Host,
    pub extension: &'a str,
}

impl Telephone<'_> {
    /// Rings the telephone and connects it with a number. Each click is a call of its own.
    pub fn call(&self, number: &str, click: &str) -> Result<(), Failure> {
        self.ask("call.originate", &json!({ "from": self.extension, "to": number }), click)
    }

    /// Moves the other side of a call to a number. `moves` is how often it was moved before, `click` the time of the
    /// click: asked twice, it is moved once.
    pub fn redirect(
        &self,
        call: &str,
        number: &str,
        moves: usize,
        click: u64,
        context: Option<&str>,
    ) -> Result<(), Failure> {
        let mut arguments = json!({ "call": call, "to": number });
        if let Some(context) = context {
            arguments["context"] = json!(context);
        }
        self.ask("call.redirect", &arguments, &format!("{call}/{moves}/{number}/{click}"))
    }

    /// Ends a call.
    pub fn hang_up(&self, call: &str, click: &str) -> Result<(), Failure> {
        self.ask("call.hangup", &json!({ "call": call }), click)
    }

    /// Switches something on or off: `call.mute`, whether the other side hears this telephone; `call.hold`, whether it
    /// waits.
    pub fn switch(&self, command: &str, call: &str, on: bool, click: &str) -> Result<(), Failure> {
        self.ask(command, &json!({ "call": call, "on": on, "extension": self.extension }), click)
    }

    fn ask(&self, name: &str, arguments: &Value, what: &str) -> Result<(), Failure> {
        let arguments = arguments.to_string();
        let mut hash = Sha256::new();
        for part in [name, self.extension, what, &arguments] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let id = hex::encode(&hash.finalize()[..16]);
        let agent = Some(Agent::extension(self.extension));
        let command = Command { id, name: name.to_owned(), agent, arguments };
        match self.host.ledger().perform(command)? {
            CommandOutcome::Done(_) | CommandOutcome::Accepted(_) => Ok(()),
            CommandOutcome::Unknown(why) | CommandOutcome::Other((_, why)) => Err(Failure::retryable(why)),
        }
    }
}
