//! What a command is given, checked before anything leaves.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value};

use crate::address::Address;
use crate::look;
use crate::refused::shown;
use crate::settings::Plan;

/// A command's arguments.
pub struct Arguments(Value);

impl Arguments {
    /// Reads them: a JSON object.
    pub fn read(command: &Command) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(&command.arguments).unwrap_or_default();
        if value.is_object() {
            return Ok(Self(value));
        }
        Err(bad("the arguments are no JSON object"))
    }

    /// A text that may be missing.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A text that must be there.
    pub fn needed(&self, name: &str) -> Result<String, Failure> {
        self.text(name).ok_or_else(|| bad(format!("`{name}` is missing, or no text")))
    }

    /// A moment in milliseconds that may be missing.
    pub fn moment(&self, name: &str) -> Option<Instant> {
        look::count(&self.0, &[name])
    }

    /// An object that may be missing.
    pub fn object(&self, name: &str) -> Option<Arguments> {
        self.0.get(name).filter(|value| value.is_object()).cloned().map(Arguments)
    }

    /// Whether there is such an argument at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// The session, which must be the tenant's. With one session alone it may be missing.
    pub fn session(&self, plan: &Plan) -> Result<String, Failure> {
        let session = match (self.text("session"), &plan.settings.sessions[..]) {
            (Some(session), _) => session,
            (None, [only]) => only.clone(),
            (None, _) => return Err(bad("`session` is missing, and there are several")),
        };
        if plan.has(&session) {
            return Ok(session);
        }
        let why = format!("the session {} is not one of the setting `sessions`", shown(&session));
        Err(Failure::rejected("unknown-session", why))
    }

    /// A person or a conversation: an address in any form, or the id of a conversation of this source.
    pub fn address(&self, name: &str, session: &str) -> Result<Address, Failure> {
        let text = self.needed(name)?;
        let own = text.strip_prefix(session).and_then(|rest| rest.strip_prefix(':'));
        let address = Address::read(own.unwrap_or(&text));
        address.ok_or_else(|| bad(format!("`{name}`: {} is no address on WhatsApp", shown(&text))))
    }
}

/// A refusal of arguments.
pub fn bad(why: impl Into<String>) -> Failure {
    Failure::rejected("bad-arguments", why)
}
