//! What is learnt of an account with the grant: its users, its pipelines, its chat. Every call is a fresh instance;
//! without this each would have to ask for it again.

use std::collections::BTreeSet;

use cordboard_sdk::crm;
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::{Agent, Failure, Instant};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::api::{Api, embedded};
use crate::refusal::Fault;
use crate::settings::{self, Settings, Unknown};

/// Users who are told of by name in one sentence.
const NAMED: usize = 10;

/// An account, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// The settings it was learnt under.
    pub stamp: String,
    /// The setting `url` that it was reached by first.
    pub url: String,
    /// Where it is now.
    pub base: String,
    /// The code and the refresh token of the settings that have been used up.
    pub seed: String,
    /// When the access token ends.
    pub ends: Option<Instant>,
    /// Its id.
    pub id: u64,
    /// Its id in the chat service.
    pub amojo: String,
    /// The name of its time zone.
    pub zone: String,
    /// Those who can log in; absent when the integration may not list them.
    pub users: Option<Vec<User>>,
    /// Its pipelines.
    pub pipelines: Vec<Pipeline>,
    /// The connected channel of the chat service.
    pub scope: Option<String>,
    /// What a person should mend.
    pub problems: Vec<String>,
    /// Not all of it could be had this time.
    #[serde(skip)]
    pub partial: bool,
}

/// Somebody who can be responsible.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The number of the user.
    pub id: u64,
    /// The e-mail, in lower case.
    pub email: String,
    /// The id in the chat service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub amojo: String,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its number.
    pub id: u64,
    /// As people see it.
    pub name: String,
    /// The one that is taken when none is named.
    pub main: bool,
    /// Whether it has a stage for incoming leads.
    pub unsorted: bool,
}

impl Account {
    /// What is known of it, under these settings: a channel is the one that they name.
    pub fn under(self, settings: &Settings) -> Self {
        let stamp = crm::stamp(settings);
        let scope = self.scope.filter(|_| self.stamp == stamp);
        Self { stamp, scope, ..self }
    }

    /// Asks the account. Of what was known before, where it is and what was used up stays.
    pub fn learn(self, api: &Api, settings: &Settings) -> Result<Self, Fault> {
        let mut account = Self { problems: Vec::new(), partial: false, ..self.under(settings) };
        let said = api.get("/api/v4/account", &[("with", "amojo_id,datetime_settings")])?.unwrap_or_default();
        let Some(id) = said["id"].as_u64() else {
            return Err(odd("get /api/v4/account: there is no id in the answer"));
        };
        account.id = id;
        account.amojo = said["amojo_id"].as_str().unwrap_or_default().to_owned();
        account.zone = said["_embedded"]["datetime_settings"]["timezone"].as_str().unwrap_or_default().to_owned();
        account.learn_users(api, settings)?;
        account.learn_pipelines(api, settings)?;
        Ok(account)
    }

    /// A list that cannot be had now is the one that was known before: calls go on under it, and it is said.
    fn learn_users(&mut self, api: &Api, settings: &Settings) -> Result<(), Fault> {
        match api.list("/api/v4/users", &[("with", "amojo_id")], "users") {
            Ok(rows) => self.users = Some(rows.iter().filter_map(user).collect()),
            Err(fault) if fault.status() == Some(403) => self.problems.push(
                "the integration may not list the account's users: name users by their numbers, and give it an \
                 administrator's consent"
                    .to_owned(),
            ),
            Err(fault) if self.users.is_some() && passes(&fault) => self.unsaid("users", fault),
            Err(fault) => return Err(fault),
        }
        let mut named: Vec<&settings::User> = settings.users.values().chain(&settings.default_user).collect();
        named.dedup();
        for user in named {
            if self.resolve(user).is_none() {
                self.problems.push(format!("there is no active user \"{}\" in the account", user.text()));
            }
        }
        Ok(())
    }

    fn learn_pipelines(&mut self, api: &Api, settings: &Settings) -> Result<(), Fault> {
        match api.get("/api/v4/leads/pipelines", &[]) {
            Ok(said) => {
                let said = said.unwrap_or_default();
                self.pipelines = embedded(&said, "pipelines").iter().filter_map(pipeline).collect();
            }
            Err(fault) if !self.pipelines.is_empty() && passes(&fault) => self.unsaid("pipelines", fault),
            Err(fault) => return Err(fault),
        }
        match self.pipeline(settings) {
            None => {
                let named = settings.pipeline.as_ref().map(settings::Pipeline::text).unwrap_or_default();
                self.problems.push(format!("there is no pipeline \"{named}\" in the account; the main one is used"));
            }
            Some(pipeline) if settings.unknown_inbound == Unknown::IncomingLead && !pipeline.unsorted => {
                self.problems.push(format!(
                    "the pipeline \"{}\" has its stage of incoming leads switched off: switch it on, or set \
                     `unknown_inbound` to something else",
                    pipeline.name
                ));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// What was known before is taken, since nothing else was said.
    fn unsaid(&mut self, what: &str, fault: Fault) {
        let why = Failure::from(fault);
        self.partial = true;
        self.problems.push(format!("the {what} are those that were known before: {}", why.why()));
    }

    /// The pipeline that the settings name; the main one when they name none.
    pub fn pipeline(&self, settings: &Settings) -> Option<&Pipeline> {
        match &settings.pipeline {
            None => self.pipelines.iter().find(|one| one.main),
            Some(settings::Pipeline::Id(id)) => self.pipelines.iter().find(|one| one.id == *id),
            Some(settings::Pipeline::Name(name)) => self
                .pipelines
                .iter()
                .find(|one| one.name == *name || one.id.to_string() == *name)
                .or_else(|| self.pipelines.iter().find(|one| one.name.to_lowercase() == name.to_lowercase())),
        }
    }

    /// The number of the pipeline to write: the one named, else the main one.
    pub fn pipeline_id(&self, settings: &Settings) -> Option<u64> {
        let main = || self.pipelines.iter().find(|one| one.main);
        self.pipeline(settings).or_else(main).map(|one| one.id)
    }

    /// The user that the settings name, by number or e-mail. Only those whom the account has, where that is known.
    pub fn resolve(&self, user: &settings::User) -> Option<u64> {
        let text = user.text();
        let number: Option<u64> = text.trim().parse().ok();
        let Some(users) = &self.users else { return number };
        let email = text.trim().to_lowercase();
        users.iter().find(|one| Some(one.id) == number || one.email == email).map(|one| one.id)
    }

    /// Whom the hub's table names that are nobody here; their calls would be nobody's.
    pub fn strangers(&self, agents: &[Agent]) -> Option<String> {
        self.users.as_ref()?;
        let named = agents.iter().filter_map(|agent| agent.user.as_deref());
        let unknown: BTreeSet<&str> =
            named.filter(|user| self.resolve(&settings::User::Text((*user).to_owned())).is_none()).collect();
        let list = unknown.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let count = unknown.len();
        (count > 0).then(|| format!("{count} of the agents' users are no active users of the account: {list}"))
    }

    /// The user of an agent: by the hub's table, else by the settings.
    pub fn user(&self, settings: &Settings, agent: &Agent) -> Option<u64> {
        let named = agent.user.as_deref().map(str::trim).filter(|user| !user.is_empty());
        let named = named.and_then(|user| self.resolve(&settings::User::Text(user.to_owned())));
        let extension = agent.extension.as_deref().map(str::trim).unwrap_or_default();
        named.or_else(|| settings.users.get(extension).and_then(|user| self.resolve(user)))
    }

    /// By what clock its days begin: UTC when it does not say.
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// A card's page.
    pub fn page(&self, entity: &str, id: u64) -> String {
        format!("{}/{entity}/detail/{id}", self.base)
    }
}

fn user(row: &Value) -> Option<User> {
    let rights = &row["rights"];
    if rights["is_active"] == false {
        return None;
    }
    let email = row["email"].as_str().unwrap_or_default().to_lowercase();
    let amojo = row["amojo_id"].as_str().unwrap_or_default().to_owned();
    Some(User { id: row["id"].as_u64()?, email, amojo })
}

fn pipeline(row: &Value) -> Option<Pipeline> {
    if row["is_archive"] == true {
        return None;
    }
    Some(Pipeline {
        id: row["id"].as_u64()?,
        name: row["name"].as_str().unwrap_or_default().to_owned(),
        main: row["is_main"] == true,
        unsorted: row["is_unsorted_on"] != false,
    })
}

/// Whether it is only the list that cannot be had, and only now.
fn passes(fault: &Fault) -> bool {
    matches!(Failure::from(fault.clone()), Failure::Retryable(_))
}

fn odd(why: &str) -> Fault {
    Fault::Silent { failure: Failure::retryable(why), uncertain: false }
}
