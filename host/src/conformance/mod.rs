//! Whether a component keeps to the contract: what every hub relies on, tried out against requests that nobody proved,
//! an outside system that refuses, lies and falls silent, and records with every oddity. Nothing leaves the machine.
//!
//! A rule that is broken costs deliveries or lets strangers in; advice is for those who will look after the component.

mod about;
mod outside;
mod sink;
mod socket;
mod source;
mod specimen;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::components::contract::{Ability, Grant};
use crate::components::{Component, Handle, Limits, LoadError, Runtime, RuntimeError, RuntimeOptions, Use, UseOptions};
use crate::model::Numbering;
use outside::{Play, Stage};

/// A call that takes longer has hung: nothing it asks for is slow here.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Kept.
    Kept,
    /// Not seen: the component did nothing by which it could be told.
    NotTried,
    /// Not kept, and it should be.
    Advice,
    /// Not kept, and it must be.
    Broken,
}

/// What came of trying one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `sink`, `webhook`, …; `about` for what concerns them all.
    pub part: &'static str,
    /// The rule, as a sentence.
    pub rule: String,
    /// Whether it is kept.
    pub grade: Grade,
    /// What was seen, where it is not.
    pub seen: Option<String>,
}

/// All that was tried.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order of trying.
    pub findings: Vec<Finding>,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// The engine does not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The file is no component: the first rule of all.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The settings do not fit the component's schema.
    #[error("the settings do not fit the component's schema:{0}")]
    Settings(String),
}

impl Report {
    /// Whether every rule is kept.
    pub fn conforms(&self) -> bool {
        self.findings.iter().all(|finding| finding.grade != Grade::Broken)
    }

    fn rule(&mut self, part: &'static str, rule: impl Into<String>, seen: Result<(), String>) {
        self.note(part, rule, Grade::Broken, seen);
    }

    /// A rule about what comes of requests: where none was made, nothing has been shown.
    async fn asking(
        &mut self,
        candidate: &Candidate,
        part: &'static str,
        rule: impl Into<String>,
        trial: impl Future<Output = Result<(), String>>,
    ) {
        let before = candidate.stage.asked();
        match trial.await {
            Ok(()) if candidate.stage.asked() == before => {
                let seen = match candidate.can(Ability::Grants) && candidate.grant.is_none() {
                    true => "it made no request without a grant: give the trial one that its `issue` might have made",
                    false => "it made no request",
                };
                let (rule, seen) = (rule.into(), Some(seen.to_owned()));
                self.findings.push(Finding { part, rule, grade: Grade::NotTried, seen });
            }
            seen => self.rule(part, rule, seen),
        }
    }

    fn advice(&mut self, part: &'static str, rule: impl Into<String>, seen: Result<(), String>) {
        self.note(part, rule, Grade::Advice, seen);
    }

    fn note(&mut self, part: &'static str, rule: impl Into<String>, broken: Grade, seen: Result<(), String>) {
        let grade = if seen.is_ok() { Grade::Kept } else { broken };
        self.findings.push(Finding { part, rule: rule.into(), grade, seen: seen.err() });
    }
}

/// One line for each rule, what was seen below those that are not kept.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { part, rule, grade, seen } in &self.findings {
            let mark = match grade {
                Grade::Kept => "ok       ",
                Grade::NotTried => "not tried",
                Grade::Advice => "advice   ",
                Grade::Broken => "BROKEN   ",
            };
            writeln!(f, "{mark}  {part:<10}  {rule}")?;
            for line in seen.iter().flat_map(|seen| seen.lines()) {
                writeln!(f, "           {:<10}    {line}", "")?;
            }
        }
        Ok(())
    }
}

/// The component under trial.
struct Candidate {
    component: Arc<Component>,
    settings: Value,
    grant: Option<Grant>,
    stage: Arc<Stage>,
    runtime: Arc<Runtime>,
}

impl Candidate {
    /// A use of its own for one trial, with an outside that behaves like this.
    fn on(&self, play: Play) -> Result<Arc<Use>, String> {
        self.stage.set(play);
        let options = UseOptions {
            tenant: "conformance".to_owned(),
            name: "trial".to_owned(),
            settings: self.settings.clone(),
            secrets: Vec::new(),
            allow: specimen::hosts(&self.component.descriptor().hosts, &self.settings),
            databases: BTreeMap::new(),
            numbering: Arc::new(Numbering::default()),
            limits: Limits { timeout: TIMEOUT, ..Limits::default() },
        };
        let used = Use::new(&self.runtime, Handle::new(self.component.clone()), options);
        let used = used.map_err(|why| why.to_string())?;
        used.set_grant(self.grant.clone());
        Ok(used)
    }

    fn can(&self, ability: Ability) -> bool {
        self.component.abilities().has(ability)
    }

    /// Says what of a text must never be in it: the values that the schema marks as secrets.
    fn leaks(&self, text: &str) -> bool {
        specimen::secrets(&self.component.descriptor().settings_schema, &self.settings)
            .iter()
            .any(|secret| text.contains(secret.as_str()))
    }
}

/// Tries the component in this file with these settings. One that logs in goes on to its requests only with a `grant`,
/// such as its `issue` might have made.
pub async fn run(file: &Path, settings: Value, grant: Option<Grant>) -> Result<Report, ConformanceError> {
    let stage = Arc::new(Stage::default());
    let options = RuntimeOptions { outside: Some(stage.clone()), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options)?;
    let component = runtime.load(file).await?;
    let mistakes = component.mistakes(&settings);
    if !mistakes.is_empty() {
        let lines = mistakes.iter().map(|mistake| format!("\n  {}: {}", mistake.pointer, mistake.what));
        return Err(ConformanceError::Settings(lines.collect()));
    }
    let candidate = Candidate { component, settings, grant, stage, runtime };
    let mut report = Report::default();
    about::run(&candidate, file, &mut report).await;
    source::run(&candidate, &mut report).await;
    socket::run(&candidate, &mut report).await;
    sink::run(&candidate, &mut report).await;
    Ok(report)
}
