//! The settings of a use, read once and made ready.

use std::cell::RefCell;
use std::collections::HashMap;

use cordboard_sdk::abilities::Address;
use regex_lite::Regex;
use serde::Deserialize;

use crate::device::Device;
use crate::text;

/// Texts of which it is remembered whether the pattern fits. Each is a number or an endpoint of 80 bytes at most.
const KNOWN: usize = 1_000;

/// The JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("settings.json");

/// The settings as a tenant's file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: bool,
    username: String,
    password: String,
    #[serde(default)]
    login: Login,
    name: Option<String>,
    #[serde(default)]
    profile: ProfileName,
    internal_number_pattern: Option<String>,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    trunks: Vec<String>,
    trunk_contexts: Option<Vec<String>>,
    internal_contexts: Option<Vec<String>>,
    did_variables: Option<Vec<String>>,
    dialled_variables: Option<Vec<String>>,
    recording_variables: Option<Vec<String>>,
    contexts: Option<Vec<String>>,
    agent_channel: Option<String>,
    caller_id: Option<String>,
    originate_timeout: Option<u32>,
    #[serde(default)]
    filters: Vec<String>,
    keepalive: Option<u64>,
    #[serde(default)]
    cdr: bool,
    cdr_table: Option<String>,
    cdr_zone: Option<String>,
}

/// How the password is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Login {
    /// By sending it.
    #[default]
    Plain,
    /// By answering a challenge.
    Md5,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProfileName {
    #[default]
    Plain,
    FreePbx,
    Issabel,
}

/// What a kind of dialplan has in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    outside: Vec<String>,
    inside: Vec<String>,
    internal_number_pattern: String,
    trunk_technologies: Vec<String>,
    did_variables: Vec<String>,
    dialled_variables: Vec<String>,
    recording_variables: Vec<String>,
    contexts: Vec<String>,
    agent_channel: String,
}

impl ProfileName {
    fn read(self) -> Result<Profile, serde_json::Error> {
        serde_json::from_str(match self {
            ProfileName::Plain => include_str!("profiles/plain.json"),
            ProfileName::FreePbx => include_str!("profiles/freepbx.json"),
            ProfileName::Issabel => include_str!("profiles/issabel.json"),
        })
    }
}

/// The settings made ready.
pub struct Plan {
    /// Where Asterisk is.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the port speaks TLS.
    pub tls: bool,
    /// Who logs in.
    pub username: String,
    /// With what.
    pub password: String,
    /// And how.
    pub login: Login,
    /// The PBX in words.
    pub name: Option<String>,
    /// Filters of events to set after the login.
    pub filters: Vec<String>,
    /// Milliseconds of silence before a ping.
    pub keepalive: u64,
    /// Whether missed time is read from a CDR database.
    pub cdr: bool,
    /// Its table.
    pub cdr_table: String,
    /// The time zone of that table.
    pub cdr_zone: String,
    /// What commands may do.
    pub commands: CommandPlan,
    numbering: Numbering,
    did: Vec<String>,
    dialled: Vec<String>,
    recording: Vec<String>,
}

/// What commands may do, and how.
pub struct CommandPlan {
    /// Contexts that may be used; the first is the usual one.
    pub contexts: Vec<String>,
    /// Extensions with letters in them.
    pub extensions: Vec<String>,
    /// How an agent's telephone is called, with `{extension}` in it.
    pub agent_channel: String,
    /// That was set by a person, and is no guess of the profile.
    pub is_channel_certain: bool,
    /// The number shown outside.
    pub caller_id: Option<String>,
    /// Milliseconds that the agent's telephone rings.
    pub timeout: u32,
}

/// How one tells inside from outside.
struct Numbering {
    pattern: Regex,
    /// Texts that it was held against.
    known: RefCell<HashMap<Box<str>, bool>>,
    /// The pattern is searched in the name of the channel, and its group is the extension.
    in_names: bool,
    /// The pattern was set by a person, and so counts more than the context.
    chosen: bool,
    extensions: Vec<String>,
    trunks: Vec<String>,
    trunk_technologies: Vec<String>,
    outside: Vec<String>,
    inside: Vec<String>,
}

/// Who is at the other end of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One of the tenant's telephones.
    Extension(String),
    /// The world outside, by the trunk of this name.
    Trunk(String),
    /// Nobody: one half of a Local channel.
    Local,
}

/// What a variable of the dialplan means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The number that an outside caller dialled.
    Did,
    /// The number that was dialled.
    Dialled,
    /// The path of the recording.
    Recording,
    /// The id that a command gave to its call.
    Call,
}

/// The variable that ties a call to the command that began it, where Asterisk lets nobody choose a channel's id.
pub const CALL_VARIABLE: &str = "CORDBOARD_CALL";

impl Plan {
    /// Reads the settings; an error is for the person who wrote them.
    pub fn new(settings: &str) -> Result<Self, String> {
        let settings: Settings = serde_json::from_str(settings).map_err(|error| error.to_string())?;
        let profile = settings.profile.read().map_err(|error| format!("the profile cannot be read: {error}"))?;
        let pattern = settings.internal_number_pattern.as_ref().unwrap_or(&profile.internal_number_pattern);
        let compiled = Regex::new(pattern).map_err(|error| {
            format!("`internal_number_pattern` is `{pattern}`, which is no regular expression that works here: {error} (there is no look-ahead and no look-behind)")
        })?;
        let numbering = Numbering {
            in_names: compiled.captures_len() > 1,
            pattern: compiled,
            known: RefCell::default(),
            chosen: settings.internal_number_pattern.is_some(),
            extensions: settings.extensions.clone(),
            trunks: settings.trunks,
            trunk_technologies: profile.trunk_technologies,
            outside: settings.trunk_contexts.unwrap_or(profile.outside),
            inside: settings.internal_contexts.unwrap_or(profile.inside),
        };
        for (key, value) in [("username", &settings.username), ("password", &settings.password)] {
            if value.bytes().any(|byte| byte < 0x20) {
                return Err(format!("`{key}` has a control character in it, which cannot be sent"));
            }
        }
        Ok(Plan {
            host: settings.host,
            port: settings.port.unwrap_or(if settings.tls { 5039 } else { 5038 }),
            tls: settings.tls,
            username: settings.username,
            password: settings.password,
            login: settings.login,
            name: settings.name,
            filters: settings.filters,
            keepalive: settings.keepalive.unwrap_or(20) * 1000,
            cdr: settings.cdr,
            cdr_table: settings.cdr_table.unwrap_or_else(|| "cdr".to_owned()),
            cdr_zone: settings.cdr_zone.unwrap_or_else(|| "UTC".to_owned()),
            commands: CommandPlan {
                contexts: settings.contexts.unwrap_or(profile.contexts),
                extensions: settings.extensions,
                is_channel_certain: settings.agent_channel.is_some(),
                agent_channel: settings.agent_channel.unwrap_or(profile.agent_channel),
                caller_id: settings.caller_id,
                timeout: settings.originate_timeout.unwrap_or(30) * 1000,
            },
            numbering,
            did: settings.did_variables.unwrap_or(profile.did_variables),
            dialled: settings.dialled_variables.unwrap_or(profile.dialled_variables),
            recording: settings.recording_variables.unwrap_or(profile.recording_variables),
        })
    }

    /// Where to connect.
    pub fn address(&self) -> Address {
        Address { host: self.host.clone(), port: self.port, tls: self.tls }
    }

    /// Who is at the other end of a channel, by its name, and by the context in which it was first seen.
    pub fn place(&self, name: &[u8], context: &[u8], number: &[u8]) -> Place {
        let device = Device::of(name);
        if device.is_local() {
            return Place::Local;
        }
        let numbering = &self.numbering;
        let endpoint = text::short(device.endpoint, 80);
        let full = format!("{}/{endpoint}", text::short(device.technology, 40));
        if numbering.trunks.iter().any(|trunk| *trunk == endpoint || trunk.eq_ignore_ascii_case(&full)) {
            return Place::Trunk(endpoint);
        }
        if numbering.extensions.contains(&endpoint) {
            return Place::Extension(endpoint);
        }
        if numbering.chosen
            && let Some(extension) = numbering.extension(name, &endpoint)
        {
            return Place::Extension(extension);
        }
        let context = text::text(context);
        let begins = |names: &[String]| names.iter().any(|name| context.starts_with(name.as_str()));
        let outside = begins(&numbering.outside)
            || numbering.trunk_technologies.iter().any(|technology| technology.as_bytes() == device.technology);
        if outside {
            return Place::Trunk(endpoint);
        }
        if let Some(extension) = numbering.extension(name, &endpoint) {
            return Place::Extension(extension);
        }
        if begins(&numbering.inside) {
            let number = text::number(number).filter(|number| self.is_internal(number));
            return Place::Extension(number.unwrap_or(endpoint));
        }
        Place::Trunk(endpoint)
    }

    /// The extension that a dial string or an interface of a queue means: `PJSIP/1001`, `Local/1002@from-queue/n`.
    pub fn extension_of(&self, interface: &[u8]) -> Option<String> {
        let device = Device::of(interface);
        let endpoint = text::short(device.endpoint, 80);
        match self.numbering.extension(interface, &endpoint) {
            None if self.is_internal(&endpoint) => Some(endpoint),
            found => found,
        }
    }

    /// Whether a number is one of the tenant's own extensions.
    pub fn is_internal(&self, number: &str) -> bool {
        let numbering = &self.numbering;
        if numbering.extensions.iter().any(|extension| extension == number) {
            return true;
        }
        if numbering.in_names {
            // The pattern speaks of names of channels.
            return ["PJSIP", "SIP"].iter().any(|technology| {
                let name = format!("{technology}/{number}-00000000");
                numbering
                    .pattern
                    .captures(&name)
                    .and_then(|found| found.get(1))
                    .is_some_and(|group| group.as_str() == number)
            });
        }
        numbering.fits(number)
    }

    /// What a variable means to us, if anything.
    pub fn variable(&self, name: &[u8]) -> Option<Meaning> {
        let among = |names: &[String]| names.iter().any(|known| known.as_bytes() == name);
        if among(&self.recording) {
            Some(Meaning::Recording)
        } else if among(&self.did) {
            Some(Meaning::Did)
        } else if among(&self.dialled) {
            Some(Meaning::Dialled)
        } else if name == CALL_VARIABLE.as_bytes() {
            Some(Meaning::Call)
        } else {
            None
        }
    }
}

impl Numbering {
    fn extension(&self, name: &[u8], endpoint: &str) -> Option<String> {
        if self.in_names {
            let name = text::text(name);
            return Some(self.pattern.captures(&name)?.get(1)?.as_str().to_owned());
        }
        self.fits(endpoint).then(|| endpoint.to_owned())
    }

    /// Whether the pattern fits. The same few endpoints call and are called all day, and a small engine for patterns is a slow
    /// one.
    fn fits(&self, text: &str) -> bool {
        let mut known = self.known.borrow_mut();
        if let Some(fits) = known.get(text) {
            return *fits;
        }
        if known.len() >= KNOWN {
            known.clear();
        }
        let fits = self.pattern.is_match(text);
        known.insert(text.into(), fits);
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &str) -> Plan {
        let settings = format!(r#"{{"host":"pbx","username":"hub","password":"secret"{more}}}"#);
        Plan::new(&settings).expect("good settings")
    }

    fn place(plan: &Plan, name: &str, context: &str, number: &str) -> Place {
        plan.place(name.as_bytes(), context.as_bytes(), number.as_bytes())
    }

    fn extension(name: &str) -> Place {
        Place::Extension(name.to_owned())
    }

    #[test]
    fn inside_and_outside_without_any_settings() {
        let plan = plan("");
        assert_eq!(place(&plan, "PJSIP/1001-00000001", "from-internal", "x"), extension("1001"));
        assert_eq!(place(&plan, "PJSIP/trunk-00000001", "from-trunk", "447"), Place::Trunk("trunk".to_owned()));
        assert_eq!(place(&plan, "PJSIP/2000-00000001", "from-pstn-x", ""), Place::Trunk("2000".to_owned()));
        assert_eq!(place(&plan, "SIP/alice-00000001", "from-internal", "1005"), extension("1005"));
        assert_eq!(place(&plan, "SIP/alice-00000001", "phones", "Alice"), extension("alice"));
        assert_eq!(place(&plan, "SIP/provider-00000001", "odd", ""), Place::Trunk("provider".to_owned()));
        assert_eq!(place(&plan, "Local/1001@x-1;1", "from-internal", ""), Place::Local);
        assert_eq!(place(&plan, "DAHDI/i1/4420-1", "from-internal", ""), Place::Trunk("i1".to_owned()));
    }

    #[test]
    fn patterns_of_existing_installations() {
        let numbers = plan(r#","internal_number_pattern":"^\\d{3,4}$""#);
        assert_eq!(place(&numbers, "SIP/101-00000001", "anything", ""), extension("101"));
        assert_eq!(place(&numbers, "SIP/10101-00000001", "anything", ""), Place::Trunk("10101".to_owned()));
        assert!(numbers.is_internal("1001") && !numbers.is_internal("10011"));
        let names = plan(r#","internal_number_pattern":"(?:SIP|PJSIP)/(\\d{3})\\D""#);
        assert_eq!(place(&names, "PJSIP/101-00000001", "anything", ""), extension("101"));
        assert!(names.is_internal("101") && !names.is_internal("1011"));
        let Err(why) = Plan::new(r#"{"host":"p","username":"u","password":"p","internal_number_pattern":"(?=1)"}"#)
        else {
            panic!("it was taken")
        };
        assert!(why.contains("look-ahead"), "{why}");
    }

    #[test]
    fn settings_count_more_than_profiles() {
        let plan = plan(r#","trunks":["PJSIP/1000"],"extensions":["alice"],"tls":true"#);
        assert_eq!(place(&plan, "PJSIP/1000-00000001", "from-internal", ""), Place::Trunk("1000".to_owned()));
        assert_eq!(place(&plan, "SIP/alice-00000001", "odd", ""), extension("alice"));
        assert_eq!(plan.port, 5039);
        for profile in ["plain", "freepbx", "issabel"] {
            Plan::new(&format!(r#"{{"host":"p","username":"u","password":"p","profile":"{profile}"}}"#))
                .unwrap_or_else(|why| panic!("{profile}: {why}"));
        }
    }
}
