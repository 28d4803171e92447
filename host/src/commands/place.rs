//! Where a command belongs: the source that can do it, and whether who asks may.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::form::{complete, invalid};
use super::{Ask, Asker, CommandError, Commands};
use crate::components::contract::{Ability, Command};
use crate::intake::Entry;
use crate::model::{Agent, Item, Kind, Subject, occupies};

/// A command and the source that is to carry it out.
pub(super) struct Place {
    pub entry: Arc<Entry>,
    pub command: Command,
}

impl Commands {
    /// Finds the source, fills in what goes without saying, and holds it against what who asks may do.
    pub(super) async fn place(&self, asker: &Asker, ask: &Ask) -> Result<Place, CommandError> {
        let mut arguments = ask.arguments.clone();
        // A component says for whom: that is whose telephone rings.
        if let Some(extension) = ask.agent.as_ref().and_then(|agent| agent.extension.clone())
            && ask.name == ORIGINATE
        {
            arguments.entry("from").or_insert(extension.into());
        }
        if let Some(desk) = &asker.desk {
            for_oneself(desk, ask, &mut arguments)?;
        }
        complete(&ask.name, &arguments)?;
        let entry = self.source(asker, ask, &arguments).await?;
        let telephone = match &asker.desk {
            _ if ask.name == ORIGINATE => text(&arguments, "from"),
            Some(desk) => Some(self.own_telephone(asker, desk, &entry, &arguments).await?),
            None => None,
        };
        let agent = ask.agent.clone().or_else(|| {
            let extension = telephone?;
            let name = asker.tenant.agent_at(&extension).and_then(|agent| agent.name.clone());
            Some(Agent { extension: Some(extension), name, user: None })
        });
        let command = Command {
            id: ask.key.clone(),
            name: ask.name.clone(),
            agent,
            arguments: Value::Object(arguments).to_string(),
        };
        Ok(Place { entry, command })
    }

    /// The source that was named; else, of those that have the command, the one that the call belongs to; else the only
    /// one.
    async fn source(
        &self,
        asker: &Asker,
        ask: &Ask,
        arguments: &Map<String, Value>,
    ) -> Result<Arc<Entry>, CommandError> {
        let tenant = &asker.tenant;
        let able: Vec<Arc<Entry>> =
            tenant.sources.keys().filter_map(|name| self.reception.entry(&tenant.name, name)).filter(can).collect();
        let names = |entries: &[Arc<Entry>]| {
            entries.iter().map(|entry| format!("`{}`", entry.name)).collect::<Vec<_>>().join(", ")
        };
        if able.is_empty() {
            return Err(invalid("/source", "no source of this tenant takes commands"));
        }
        if let Some(name) = &ask.source {
            let found = able.iter().find(|entry| entry.name == *name).cloned();
            let why = || format!("`{name}` is no source that takes commands; these are: {}", names(&able));
            let found = found.ok_or_else(|| invalid("/source", why()))?;
            let why = || format!("`{name}` has no such command; it has: {}", commands(&found).join(", "));
            return if has(&found, &ask.name) { Ok(found) } else { Err(invalid("/name", why())) };
        }
        let known: Vec<String> = able.iter().flat_map(|entry| commands(entry)).collect();
        let able: Vec<Arc<Entry>> = able.into_iter().filter(|entry| has(entry, &ask.name)).collect();
        if able.is_empty() {
            let why = format!("no source of this tenant has such a command; there are: {}", known.join(", "));
            return Err(invalid("/name", why));
        }
        let mut of_call = Vec::new();
        if let Some(id) = text(arguments, "call") {
            for entry in &able {
                let subject = Subject { source: entry.name.clone(), kind: Kind::Call, id: id.clone() };
                if self.store.record_of(&tenant.name, &subject).await?.is_some() {
                    of_call.push(entry.clone());
                }
            }
        }
        let choice = if of_call.is_empty() { able } else { of_call };
        match choice.as_slice() {
            [only] => Ok(only.clone()),
            several => Err(invalid("/source", format!("several sources could do it, say which: {}", names(several)))),
        }
    }

    /// Which of the agent's own telephones has the call: it rings there, or somebody talks there. What a colleague has
    /// taken, or what is over, is not the agent's any more; whether there is such a call is nobody's business.
    async fn own_telephone(
        &self,
        asker: &Asker,
        desk: &[String],
        entry: &Entry,
        arguments: &Map<String, Value>,
    ) -> Result<String, CommandError> {
        let id = text(arguments, "call").unwrap_or_default();
        let subject = Subject { source: entry.name.clone(), kind: Kind::Call, id };
        let record = self.store.record_of(&asker.tenant.name, &subject).await?;
        let own = record.and_then(|record| match record.item {
            Item::Call(call) => desk.iter().find(|extension| occupies(&call, extension)).cloned(),
            _ => None,
        });
        own.ok_or_else(|| forbidden("/arguments/call", "no such call rings or is talked on at your extensions"))
    }
}

const ORIGINATE: &str = "call.originate";

/// What an agent may ask for, and at which telephone.
fn for_oneself(desk: &[String], ask: &Ask, arguments: &mut Map<String, Value>) -> Result<(), CommandError> {
    if !ask.name.starts_with("call.") {
        return Err(forbidden("/name", "an agent gives commands about calls; this one is for supervisors"));
    }
    let Some(first) = desk.first() else {
        return Err(forbidden("", "you have no extension in the tenant's file"));
    };
    let member = if ask.name == ORIGINATE { "from" } else { "extension" };
    match arguments.get(member) {
        None if ask.name == ORIGINATE => {
            arguments.insert(member.to_owned(), first.clone().into());
        }
        Some(Value::String(asked)) if !desk.contains(asked) => {
            let why = format!("`{member}` must be one of your own extensions: {}", desk.join(", "));
            return Err(forbidden(&format!("/arguments/{member}"), why));
        }
        None | Some(_) => {}
    }
    Ok(())
}

fn forbidden(field: &str, why: impl Into<String>) -> CommandError {
    CommandError::Forbidden { field: field.to_owned(), why: why.into() }
}

fn text(arguments: &Map<String, Value>, name: &str) -> Option<String> {
    arguments.get(name)?.as_str().map(str::to_owned)
}

/// The commands that a source has.
fn commands(entry: &Entry) -> Vec<String> {
    entry.component.component().component().descriptor().commands.clone()
}

/// Whether a source has this command.
pub(super) fn has(entry: &Entry, name: &str) -> bool {
    entry.component.component().component().descriptor().commands.iter().any(|known| known == name)
}

/// Whether a source takes commands.
fn can(entry: &Arc<Entry>) -> bool {
    let component = entry.component.component().component();
    component.abilities().has(Ability::Commands) || component.abilities().has(Ability::Connection)
}
