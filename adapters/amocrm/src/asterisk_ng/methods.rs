//! The methods of the widget AsteriskNG.

use cordboard_sdk::Selection;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Agent, Failure};

use super::panel::{Asked, Outcome};
use super::telephone::Telephone;
use super::{number, state};

/// A long poll is answered after so many milliseconds: amoCRM's proxy gives up after ten seconds.
const POLL: u64 = 9_500;

/// The same redirect within so many milliseconds is the same click: the widget sends it twice.
const AGAIN: u64 = 2_000;

/// Contacts when the widget sets no bound.
const CONTACTS: usize = 100;

/// Calls that are looked through for the last contacts.
const LOOKED_AT: u32 = 200;

/// A method: its name, the parameters it knows, those it needs.
type Method = (&'static str, &'static [&'static str], &'static [&'static str]);

const METHODS: [Method; 10] = [
    ("ping", &[], &[]),
    ("originate", &["phone"], &["phone"]),
    ("originate_by_contact", &["contact_uuid"], &["contact_uuid"]),
    ("redirect", &["phone"], &["phone"]),
    ("hangup", &[], &[]),
    ("set_mute", &["is_mute"], &["is_mute"]),
    ("set_hold", &["is_hold"], &["is_hold"]),
    ("get_contacts", &["start_with", "max_results"], &[]),
    ("get_last_contacts", &["max_results"], &[]),
    ("get_agent_status", &["current_status"], &[]),
];

/// Carries a method out.
pub fn carry_out(asked: &Asked<'_>, method: &str) -> Outcome {
    let Some((_, known, needed)) = METHODS.iter().find(|(name, ..)| *name == method) else {
        return Outcome::Refused(404, format!("Unknown method: {method}"));
    };
    if let Some(odd) = asked.params.keys().find(|name| !known.contains(&name.as_str())) {
        return Outcome::Refused(410, format!("Unknown parameter: {odd}"));
    }
    if let Some(absent) = needed.iter().find(|name| asked.params.get(**name).is_none_or(Value::is_null)) {
        return Outcome::Refused(400, format!("Missing parameter: {absent}"));
    }
    let done = match method {
        "ping" => Ok(json!({ "ping": "pong" })),
        "originate" => asked.originate(),
        "originate_by_contact" => asked.originate_by_contact(),
        "redirect" => asked.redirect(),
        "hangup" => asked.hang_up(),
        "set_mute" => asked.switch("is_mute", "call.mute"),
        // Whether the PBX can is the source's to say.
        "set_hold" => asked.switch("is_hold", "call.hold"),
        "get_contacts" => Ok(asked.contacts()),
        "get_last_contacts" => asked.last_contacts(),
        _ => return asked.status(),
    };
    match done {
        Ok(result) => Outcome::Result(result),
        Err(Trouble::Nothing(what)) => Outcome::Raised("KeyError", what.to_owned()),
        Err(Trouble::Wrong(why)) => Outcome::Refused(400, why),
        Err(Trouble::Outside(failure)) => raised(&failure),
    }
}

/// Why a method was not carried out.
enum Trouble {
    /// There is no such call or agent.
    Nothing(&'static str),
    /// A parameter says nothing that can be used.
    Wrong(String),
    /// The PBX or the hub refused.
    Outside(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Outside(failure)
    }
}

/// What the PBX refuses is shown to the user. A call that is gone by now is no call, as for the old server.
fn raised(failure: &Failure) -> Outcome {
    let name = match failure {
        Failure::Rejected(rejected) if matches!(&*rejected.code, "no-such-call" | "not-on-call" | "forbidden") => {
            "KeyError"
        }
        Failure::Rejected(_) => "ValueError",
        _ => "TimeoutError",
    };
    Outcome::Raised(name, failure.why().to_string())
}

impl Asked<'_> {
    /// The extension of who asks.
    fn own(&self) -> Result<String, Trouble> {
        let by_email = || self.extension_of(Some(&*self.email).filter(|email| !email.is_empty())?);
        self.extension_of(&self.user.to_string()).or_else(by_email).ok_or(Trouble::Nothing("the user is no agent"))
    }

    /// The first extension of a user, by what the tenant's file says that they are: the id or the e-mail.
    fn extension_of(&self, user: &str) -> Option<String> {
        self.host.ledger().agents(None, Some(user)).into_iter().next()?.extension
    }

    fn text(&self, name: &str) -> Result<&str, Trouble> {
        let wrong = || Trouble::Wrong(format!("`{name}` is no text"));
        self.params.get(name).and_then(Value::as_str).ok_or_else(wrong)
    }

    fn number(&self) -> Result<String, Trouble> {
        let wrong = || Trouble::Wrong("`phone` is nothing that can be dialled".to_owned());
        number::dialled(self.settings, self.text("phone")?).ok_or_else(wrong)
    }

    fn originate(&self) -> Result<Value, Trouble> {
        let (own, number) = (self.own()?, self.number()?);
        Telephone { host: self.host, extension: &own }.call(&number, &self.click)?;
        Ok(Value::Null)
    }

    fn originate_by_contact(&self) -> Result<Value, Trouble> {
        let own = self.own()?;
        let id = self.text("contact_uuid")?;
        let to = self.extension_of(id).ok_or(Trouble::Nothing("there is no such contact"))?;
        Telephone { host: self.host, extension: &own }.call(&to, &self.click)?;
        Ok(Value::Null)
    }

    fn redirect(&self) -> Result<Value, Trouble> {
        let (own, number) = (self.own()?, self.number()?);
        let nothing = Trouble::Nothing("there is no call at this telephone");
        let known = match state::conversation(self.host, &own)? {
            Some(known) => known,
            None => return self.moved_already(&own, &number).then_some(Value::Null).ok_or(nothing),
        };
        let moves = &known.call.transfers;
        if !moves.iter().any(|made| self.is_same(made, &number)) {
            let context = self.settings.redirect_context.as_deref();
            let telephone = Telephone { host: self.host, extension: &own };
            // Both halves of one click are one command; a later click is another try.
            let click = self.at / (5 * AGAIN);
            telephone.redirect(&known.subject.id, &number, moves.len(), click, context)?;
        }
        Ok(Value::Null)
    }

    /// Whether the telephone's last call has just been moved there: then this is the second half of one click.
    fn moved_already(&self, own: &str, number: &str) -> bool {
        let calls = self.host.ledger().under_way(Some(own)).unwrap_or_default();
        calls.iter().flat_map(|known| &known.call.transfers).any(|made| self.is_same(made, number))
    }

    fn is_same(&self, made: &cordboard_sdk::records::Transfer, number: &str) -> bool {
        made.to.as_deref() == Some(number) && made.at + AGAIN > self.at
    }

    fn hang_up(&self) -> Result<Value, Trouble> {
        let own = self.own()?;
        let known = state::conversation(self.host, &own)?;
        let known = known.ok_or(Trouble::Nothing("there is no call at this telephone"))?;
        Telephone { host: self.host, extension: &own }.hang_up(&known.subject.id, &self.click)?;
        Ok(Value::Null)
    }

    /// Switches something of the own call on or off.
    fn switch(&self, parameter: &str, command: &str) -> Result<Value, Trouble> {
        let wrong = || Trouble::Wrong(format!("`{parameter}` is neither true nor false"));
        let on = self.params.get(parameter).and_then(Value::as_bool).ok_or_else(wrong)?;
        let own = self.own()?;
        let known = state::conversation(self.host, &own)?;
        let known = known.ok_or(Trouble::Nothing("there is no call at this telephone"))?;
        Telephone { host: self.host, extension: &own }.switch(command, &known.subject.id, on, &self.click)?;
        Ok(Value::Null)
    }

    /// So many, at most; a negative bound is none.
    fn most(&self) -> usize {
        let most = self.params.get("max_results").and_then(Value::as_i64);
        most.and_then(|most| usize::try_from(most).ok()).unwrap_or(CONTACTS)
    }

    /// The agents whose name or extension begins so.
    fn contacts(&self) -> Value {
        let start = self.params.get("start_with").and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
        let agents = self.host.ledger().agents(None, None);
        let contacts = agents.iter().filter_map(|agent| {
            let (extension, name) = (agent.extension.as_deref()?, shown(agent));
            let begins = extension.starts_with(&start)
                || name.to_lowercase().split_whitespace().any(|word| word.starts_with(&start))
                || name.to_lowercase().starts_with(&start);
            let uuid = agent.user.as_deref()?;
            begins.then(|| json!({ "uuid": uuid, "name": name, "phone": extension }))
        });
        Value::Array(contacts.take(self.most()).collect())
    }

    /// With whom the telephone talked last, each once.
    fn last_contacts(&self) -> Result<Value, Trouble> {
        let own = self.own()?;
        let which = Selection { extension: Some(own.clone()), ..Selection::default() };
        let page = self.host.ledger().calls(&which, None, LOOKED_AT)?;
        let mut contacts: Vec<Value> = Vec::new();
        for known in &page.calls {
            let Some(number) = state::other_number(&known.call, &own) else { continue };
            if contacts.len() >= self.most() {
                break;
            }
            if number == own || contacts.iter().any(|contact| contact["phone"] == number) {
                continue;
            }
            let colleague = self.host.ledger().agents(Some(number), None).into_iter().next();
            let (uuid, name) = match colleague {
                Some(agent) => (agent.user.clone().unwrap_or_else(|| number.to_owned()), shown(&agent)),
                None => {
                    let person = self.host.ledger().who(number, 0).into_iter().next();
                    person.map_or((number.to_owned(), number.to_owned()), |person| (person.id, person.name))
                }
            };
            contacts.push(json!({ "uuid": uuid, "name": name, "phone": number }));
        }
        Ok(Value::Array(contacts))
    }

    /// The long poll: the state at once when the widget does not know it, else when it changes.
    fn status(&self) -> Outcome {
        let own = self.own().ok();
        let extension = own.as_deref().unwrap_or_default();
        let known = match &own {
            Some(own) => state::conversation(self.host, own),
            None => Ok(None),
        };
        let state = match known {
            Ok(known) => state::shown(self.host, known.as_ref(), extension, self.site),
            Err(failure) => return raised(&failure),
        };
        match self.params.get("current_status") {
            Some(current) if current.is_object() && state::is_known(current, &state) => {
                Outcome::Later { desks: own.into_iter().collect(), until: self.at + POLL, otherwise: current.clone() }
            }
            _ => Outcome::Result(state),
        }
    }
}

fn shown(agent: &Agent) -> String {
    agent.name.clone().or_else(|| agent.extension.clone()).unwrap_or_default()
}
