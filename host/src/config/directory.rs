//! `[directory]` of a tenant's file: who is asked whose a number is.

use std::time::Duration;

use super::document::{Place, Table};
use super::suggest::suggestion;

/// Who is asked whose a number is, and how long one waits for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Directory {
    /// The sinks, in this order; absent: all whose components know people.
    pub sinks: Option<Vec<String>>,
    /// Nobody waits for a name longer than this.
    pub budget: Duration,
    /// Where it stands.
    pub place: Place,
}

impl Directory {
    /// What nobody waits longer for unless a file says so.
    pub const BUDGET: Duration = Duration::from_millis(1500);

    /// Shorter ones would never have a name, with longer ones the ringing is over.
    const BUDGETS: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);

    /// Reads the table `directory`; `sinks` are those of the file.
    pub(super) fn read(tenant: &Table<'_>, sinks: &[&str]) -> Self {
        let mut directory = Directory { sinks: None, budget: Directory::BUDGET, place: tenant.place() };
        let Some(table) = tenant.take("directory").and_then(|node| node.table()) else { return directory };
        directory.place = table.place();
        if let Some(node) = table.take("budget")
            && let Some(budget) = node.duration()
        {
            match Directory::BUDGETS.contains(&budget) {
                true => directory.budget = budget,
                false => node.problem("`directory.budget` must be from 50ms to 10s", None),
            }
        }
        directory.sinks = table.take("sinks").map(|node| {
            let mut named: Vec<String> = Vec::new();
            for (name, node) in node.texts() {
                if !sinks.contains(&name) {
                    let hint = suggestion(name, sinks.iter().copied());
                    node.problem(format!("the directory asks `{name}`, which is no sink"), Some(hint));
                } else if named.iter().any(|known| known == name) {
                    node.problem(format!("`sinks` names `{name}` twice"), None);
                }
                named.push(name.to_owned());
            }
            named
        });
        directory
    }
}
