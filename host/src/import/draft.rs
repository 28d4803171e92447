//! A tenant's file in the making: its text, the secrets that stand beside it, and what was left behind.

use std::fmt::Write as _;

/// A tenant's file in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The tenant's name.
    pub tenant: String,
    /// The text of the file.
    pub text: String,
    /// Secrets: the name of a file of the folder `secrets/TENANT`, and what is in it.
    pub secrets: Vec<(String, String)>,
    /// What was not carried over.
    pub left: Vec<Left>,
    /// What a person must do before the hub takes over.
    pub steps: Vec<String>,
}

/// Something that was not carried over, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The key, as the old configuration has it.
    pub key: String,
    /// Why.
    pub why: String,
}

impl Draft {
    /// Nothing yet, for this tenant.
    pub(super) fn of(tenant: &str) -> Self {
        Draft { tenant: tenant.to_owned(), ..Draft::default() }
    }

    /// A line, and its end.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// `name = value`.
    pub(super) fn set(&mut self, name: &str, value: impl Into<toml::Value>) {
        let value: toml::Value = value.into();
        let _ = writeln!(self.text, "{name} = {value}");
    }

    /// `name = { file = … }`, and the secret beside the file.
    pub(super) fn secret(&mut self, name: &str, file: &str, value: &str) {
        let reference = self.kept(file, value);
        let _ = writeln!(self.text, "{name} = {reference}");
    }

    /// Keeps a secret; what stands for it in the file.
    pub(super) fn kept(&mut self, file: &str, value: &str) -> String {
        self.secrets.push((file.to_owned(), value.to_owned()));
        format!("{{ file = {} }}", toml::Value::from(format!("secrets/{}/{file}", self.tenant)))
    }

    /// Notes what is left behind.
    pub(super) fn leave(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.left.push(Left { key: key.into(), why: why.into() });
    }

    /// Notes what a person must do.
    pub(super) fn step(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }
}
