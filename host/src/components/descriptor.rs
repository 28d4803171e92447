//! Whether what a component says of itself can be.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::Value;

use super::allow::{Pattern, setting_name};
use super::contract::Descriptor;

/// The longest name; it becomes a part of paths and metrics.
const NAME: usize = 63;

/// The longest of the texts for people.
const TEXT: usize = 500;

/// The largest batch: a thousand records are some megabytes already.
const BATCH: u32 = 1000;

/// The most commands.
const COMMANDS: usize = 100;

/// The most kinds of jobs.
const JOBS: usize = 100;

/// The schemas of a component, made ready.
#[derive(Debug)]
pub(super) struct Schemas {
    /// Of its settings.
    pub settings: Validator,
    /// Of what each kind of job may be given; absent when the component does not say.
    pub jobs: Option<BTreeMap<String, Validator>>,
}

/// Before it was asked.
pub(super) fn unknown() -> Descriptor {
    Descriptor {
        name: String::new(),
        version: String::new(),
        summary: String::new(),
        settings_schema: Value::Null,
        hosts: Vec::new(),
        batch: 1,
        rate: None,
        commands: Vec::new(),
    }
}

/// Checks it all, and makes its schemas ready.
pub(super) fn check(said: &Descriptor) -> Result<Schemas, String> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = &said.name;
    if name.is_empty() || name.len() > NAME || !name.chars().all(sound) || name.starts_with('-') || name.ends_with('-')
    {
        return Err(format!(
            "name: `{}` is not 1 to {NAME} lower-case letters, digits and dashes, none at an end",
            name.escape_debug()
        ));
    }
    for (field, text) in [("version", &said.version), ("summary", &said.summary)] {
        if text.trim().is_empty() || text.len() > TEXT || text.contains(char::is_control) {
            return Err(format!("{field}: must be one line of 1 to {TEXT} bytes"));
        }
    }
    if !(1..=BATCH).contains(&said.batch) {
        return Err(format!("batch: {} is not between 1 and {BATCH}", said.batch));
    }
    if let Some(rate) = said.rate
        && (rate.requests == 0 || rate.per.is_zero())
    {
        return Err("rate: neither `requests` nor `per` can be 0".to_owned());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    for command in &said.commands {
        if command.is_empty() || command.len() > NAME || !command.chars().all(plain) {
            return Err(format!("commands: `{}` is no word like `call.originate`", command.escape_debug()));
        }
    }
    if said.commands.len() > COMMANDS {
        return Err(format!("commands: {} are more than {COMMANDS}", said.commands.len()));
    }
    if !said.settings_schema.is_object() {
        return Err("settings-schema: must be a JSON object".to_owned());
    }
    let settings =
        jsonschema::validator_for(&said.settings_schema).map_err(|error| format!("settings-schema: {error}"))?;
    let jobs = jobs(&said.settings_schema)?;
    for host in &said.hosts {
        check_host(host, &said.settings_schema)?;
    }
    Ok(Schemas { settings, jobs })
}

/// What jobs may be given: `x-jobs` of the settings' schema has a schema for each kind.
fn jobs(schema: &Value) -> Result<Option<BTreeMap<String, Validator>>, String> {
    let Some(jobs) = schema.get("x-jobs") else { return Ok(None) };
    let Some(jobs) = jobs.as_object() else { return Err("settings-schema: `x-jobs` must be an object".to_owned()) };
    if jobs.len() > JOBS {
        return Err(format!("settings-schema: {} jobs are more than {JOBS}", jobs.len()));
    }
    let ready = |(kind, schema): (&String, &Value)| {
        if kind.is_empty() || kind.len() > NAME || kind.contains(char::is_control) || !schema.is_object() {
            return Err(format!("settings-schema: the job `{}` is no word with a schema", kind.escape_debug()));
        }
        // A date that is none should be told to whoever writes it, and not stop the job.
        let validator = jsonschema::options().should_validate_formats(true).build(schema);
        let validator = validator.map_err(|error| format!("settings-schema: the job `{kind}`: {error}"))?;
        Ok((kind.clone(), validator))
    };
    jobs.iter().map(ready).collect::<Result<_, _>>().map(Some)
}

fn check_host(host: &str, schema: &Value) -> Result<(), String> {
    match setting_name(host) {
        Some(name) if schema["properties"].get(name).is_none() => {
            Err(format!("hosts: `{host}` means the setting `{name}`, which settings-schema does not have"))
        }
        Some(_) => Ok(()),
        None => host.parse::<Pattern>().map(drop).map_err(|error| format!("hosts: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sound() -> Descriptor {
        Descriptor {
            name: "vtiger".into(),
            version: "1.0.0".into(),
            summary: "Puts calls into Vtiger.".into(),
            settings_schema: json!({"properties": {"url": {"type": "string"}}, "required": ["url"]}),
            hosts: vec!["{url}".into(), "*.vtiger.com".into()],
            batch: 1,
            rate: None,
            commands: vec!["call.originate".into()],
        }
    }

    #[test]
    fn a_sound_descriptor_is_taken() {
        assert!(check(&sound()).is_ok());
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        type Spoil = fn(&mut Descriptor);
        let cases: [(Spoil, &str); 14] = [
            (|it| it.name = "Vtiger 8".into(), "name: `Vtiger 8`"),
            (|it| it.name = "../x".into(), "name: "),
            (|it| it.version = String::new(), "version: "),
            (|it| it.summary = "a\nb".into(), "summary: "),
            (|it| it.batch = 0, "batch: 0"),
            (|it| it.commands = vec!["Call me".into()], "commands: `Call me`"),
            (|it| it.commands = vec!["call.x".into(); 101], "commands: 101"),
            (|it| it.settings_schema = json!("x"), "must be a JSON object"),
            (|it| it.settings_schema = json!({"type": "nothing"}), "settings-schema: "),
            (|it| it.settings_schema = json!({"x-jobs": ["sync"]}), "`x-jobs` must be an object"),
            (|it| it.settings_schema = json!({"x-jobs": {"sync": true}}), "the job `sync` is no word with a schema"),
            (|it| it.settings_schema = json!({"x-jobs": {"sync": {"type": 7}}}), "the job `sync`: "),
            (|it| it.hosts = vec!["{server}".into()], "means the setting `server`"),
            (|it| it.hosts = vec!["*".into()], "hosts: `*`"),
        ];
        for (spoil, hint) in cases {
            let mut said = sound();
            spoil(&mut said);
            let why = check(&said).unwrap_err();
            assert!(why.contains(hint), "{why}");
        }
    }
}
