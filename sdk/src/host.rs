//! All that a component sees of the world.

use serde::de::DeserializeOwned;

use crate::http::{Error, Request, Response};
use crate::vocabulary::{Agent, Command, CommandOutcome, Failure, Grant, Instant};

pub use crate::bindings::base::cordboard::hub::host::{Content, Level, Rows};
pub use crate::bindings::base::cordboard::hub::ledger::{KnownCall, Page as CallPage, Person, Selection};

/// All that a component sees of the world: the hub, or whatever plays it in a test.
pub trait Host {
    /// This use's settings as JSON, secrets put in. `settings_as` parses them.
    fn settings(&self) -> &str;

    /// The grant that `Grants::issue` made last.
    fn grant(&self) -> Option<Grant>;

    /// Writes one line to the hub's log.
    fn log(&self, level: Level, message: &str);

    /// Milliseconds since 1970.
    fn now(&self) -> Instant;

    /// Fills `bytes` with random ones, fit for secrets.
    fn random(&self, bytes: &mut [u8]);

    /// Sends a request and waits for the whole answer. Every status is an answer; redirects are not followed.
    fn send(&self, request: Request) -> Result<Response, Error>;

    /// Fetches a file by its link; longer than `limit` bytes is a failure.
    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure>;

    /// Asks a database that the tenant's file gives to this use under a name; it is only read. In the statement `$1`
    /// stands for the first parameter. What else it may say, and how values are written, stands in `host.wit`.
    fn query(&self, database: &str, statement: &str, parameters: &[&str]) -> Result<Rows, Failure> {
        let _ = (statement, parameters);
        Err(Failure::misconfigured(format!("there is no database `{database}` here")))
    }

    /// What may be asked of the tenant's own ledger.
    fn ledger(&self) -> &dyn Ledger {
        &NoLedger
    }
}

/// The component's own tenant: its calls, its people, commands to its sources. See `ledger.wit` for what each says.
/// What is not overridden answers as where there is no ledger.
pub trait Ledger {
    /// The calls under way, newest first; with an extension only those that concern it.
    fn under_way(&self, extension: Option<&str>) -> Result<Vec<KnownCall>, Failure> {
        let _ = extension;
        Ok(vec![])
    }

    /// Calls, newest first.
    fn calls(&self, which: &Selection, after: Option<&str>, limit: u32) -> Result<CallPage, Failure> {
        let _ = (which, after, limit);
        Ok(CallPage::default())
    }

    /// The call with this id at any of the tenant's sources.
    fn call_of(&self, id: &str) -> Result<Option<KnownCall>, Failure> {
        let _ = id;
        Ok(None)
    }

    /// The tenant's people, one entry for each extension: all, or those of an extension or a user.
    fn agents(&self, extension: Option<&str>, user: Option<&str>) -> Vec<Agent> {
        let _ = (extension, user);
        vec![]
    }

    /// Who has this number, as far as that is known within so many milliseconds.
    fn who(&self, number: &str, patience: u64) -> Vec<Person> {
        let _ = (number, patience);
        vec![]
    }

    /// Has a source carry a command out, and waits for its end.
    fn perform(&self, command: Command) -> Result<CommandOutcome, Failure> {
        Err(Failure::misconfigured(format!("there is nobody here to carry out `{}`", command.name)))
    }
}

/// Where there is no ledger.
struct NoLedger;

impl Ledger for NoLedger {}

/// One row of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

impl Rows {
    /// The rows in their order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }
}

impl<'a> Row<'a> {
    /// The value of a column, whatever the case of its name; absent for NULL, and when there is no such column.
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.values.get(at)?.as_deref()
    }
}

/// Settings that are not what the component expects: they slipped past its own schema.
#[derive(Debug, thiserror::Error)]
#[error("the settings do not fit: {0}")]
pub struct SettingsError(#[from] serde_json::Error);

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Failure::Misconfigured(error.to_string())
    }
}

impl dyn Host + '_ {
    /// This use's settings, parsed.
    pub fn settings_as<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        Ok(serde_json::from_str(self.settings())?)
    }

    /// Logs what only a developer wants to know.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.log(Level::Debug, message.as_ref());
    }

    /// Logs what is worth knowing.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(Level::Info, message.as_ref());
    }

    /// Logs what a person should look at some time.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.log(Level::Warn, message.as_ref());
    }

    /// Logs what a person should look at now.
    pub fn error(&self, message: impl AsRef<str>) {
        self.log(Level::Error, message.as_ref());
    }
}
