//! What is learnt of an installation at login and kept in the grant: prefixes, fields, users. Every call is a fresh
//! instance; without this each would have to ask for it again.

use cordboard_sdk::Host;
use cordboard_sdk::serde_json::{self, Value};
use cordboard_sdk::vocabulary::Failure;
use serde::{Deserialize, Serialize};

use crate::api::{Api, Described, field, text};
use crate::field::{self, Slot};
use crate::refusal::Fault;
use crate::settings::{Recordings, Settings};
use crate::status;

/// Rows of one query at most: Vtiger's own limit.
const PAGE: usize = 100;

/// Pages of users, and of groups, that are read. Whoever stands after them owns nothing, and `check` says so.
const PAGES: usize = 20;

/// A session and what it is good for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The settings it was learnt under.
    pub stamp: String,
    /// The session's name.
    #[serde(skip)]
    pub session: String,
    /// The integration user's id.
    pub user: String,
    /// The left part of the target module's record ids.
    pub prefix: String,
    /// The fields that are written.
    pub slots: Vec<Slot>,
    /// Where people are looked for, in order.
    pub people: Vec<People>,
    /// Everybody who can own a record; absent when the integration user may not read them.
    pub users: Option<Vec<User>>,
    /// Groups that can own a record.
    pub groups: Vec<User>,
    /// What a person must mend.
    pub problems: Vec<String>,
    /// Why nothing can be delivered at all.
    pub blocked: Option<String>,
}

/// A module of people or companies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct People {
    /// "Contacts".
    pub module: String,
    /// Its fields of type `phone`.
    pub phones: Vec<String>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// "19x5".
    pub id: String,
    /// The login name, or the group's.
    pub name: String,
    /// The field `phone_crm_extension`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extension: String,
    /// Whether they can log in.
    pub active: bool,
}

impl Known {
    /// What the grant holds, when it was learnt under these very settings.
    pub fn of(host: &dyn Host, settings: &Settings) -> Result<Self, Failure> {
        let grant = host.grant().ok_or_else(|| Failure::unauthorized("not logged in yet"))?;
        let known = Self::read(&grant.token)
            .ok_or_else(|| Failure::unauthorized("the session was made by another version of this adapter"))?;
        if known.stamp == settings.stamp() {
            Ok(known)
        } else {
            Err(Failure::unauthorized("the settings have changed since the login"))
        }
    }

    /// What the grant keeps. The session stands by itself and the rest is one text, for the hub blacks out whatever
    /// texts a grant has in it, and nobody could read exchanges without the names of fields and users.
    pub fn token(&self) -> String {
        let rest = serde_json::to_string(self).unwrap_or_default();
        serde_json::json!({"session": self.session, "known": rest}).to_string()
    }

    fn read(token: &str) -> Option<Self> {
        let token: Value = serde_json::from_str(token).ok()?;
        let known: Self = serde_json::from_str(text(&token, "known")).ok()?;
        Some(Self { session: text(&token, "session").to_owned(), ..known })
    }

    /// Asks the installation. `login` is what it answered to the login.
    pub fn learn(api: &Api, settings: &Settings, login: &Value) -> Result<Self, Fault> {
        let mut known = Self {
            stamp: settings.stamp(),
            session: text(login, "sessionName").to_owned(),
            user: text(login, "userId").to_owned(),
            ..Self::default()
        };
        known.learn_target(api, settings)?;
        known.learn_people(api, settings)?;
        known.learn_users(api, settings)?;
        if settings.recording == Recordings::Document && described(api, "Documents")?.is_none() {
            known.problems.push(denied("Documents", "recordings cannot be attached"));
        }
        Ok(known)
    }

    fn learn_target(&mut self, api: &Api, settings: &Settings) -> Result<(), Fault> {
        let name = &settings.module;
        let Some(module) = described(api, name)? else {
            let types = api.types()?;
            let why = if types.contains(name) {
                denied(name, "calls cannot be logged")
            } else {
                format!(
                    "{name}: there is no such module, or the user may not use it (names are case-sensitive); there are: {}",
                    types.join(", ")
                )
            };
            self.blocked = Some(why.clone());
            self.problems.push(why);
            return Ok(());
        };
        self.prefix.clone_from(&module.id_prefix);
        self.slots = field::slots(settings, &module, &mut self.problems);
        for (can, what) in [(module.createable, "make"), (module.updateable, "change")] {
            if !can {
                self.block(format!("{name}: the user may not {what} records: give its role that right"));
            }
        }
        for needed in ["call_uuid", "owner"] {
            if self.slot(needed).is_none() {
                self.block(format!("{name}: without a field for `{needed}` no call can be logged"));
            }
        }
        self.check_constants(settings, &module);
        self.check_words(settings, &module);
        Ok(())
    }

    fn check_constants(&mut self, settings: &Settings, module: &Described) {
        let name = &settings.module;
        for constant in settings.constants.keys() {
            if !module.fields.iter().any(|field| field.name == *constant) {
                self.problems.push(format!("{name}: the setting `constants` names the field \"{constant}\", and there is none of this machine name"));
            }
        }
        for field in module.fields.iter().filter(|field| field.mandatory) {
            let filled = self.slots.iter().any(|slot| slot.name == field.name);
            let constant = settings.constants.get(&field.name).is_some_and(|value| !value.is_empty());
            if !filled && !constant {
                self.block(format!(
                    "{name}: the field {} ({}) is mandatory and gets no value: give it one in `constants`, or make it optional",
                    field.name, field.label
                ));
            }
        }
    }

    /// Vtiger does not check picklists: a word that is not in one is stored and fits no filter.
    fn check_words(&mut self, settings: &Settings, module: &Described) {
        let words: [(&str, Vec<String>); 3] = [
            ("status", status::words(settings)),
            ("activity_type", vec!["Call".into()]),
            ("visibility", vec![settings.visibility.clone()]),
        ];
        for (holds, words) in words {
            let Some(slot) = self.slot(holds) else { continue };
            let field = module.fields.iter().find(|field| field.name == slot.name);
            let Some(list) = field.and_then(|field| field.kind["picklistValues"].as_array()) else { continue };
            let values: Vec<&str> = list.iter().map(|value| text(value, "value")).collect();
            let missing: Vec<String> = words.into_iter().filter(|word| !values.contains(&word.as_str())).collect();
            if !missing.is_empty() {
                let sentence = format!(
                    "{}: the list of {} has no value {}; it has {}: add them there, or set other words in `statuses`",
                    settings.module,
                    slot.name,
                    missing.join(", "),
                    values.join(", ")
                );
                self.problems.push(sentence);
            }
        }
    }

    fn learn_people(&mut self, api: &Api, settings: &Settings) -> Result<(), Fault> {
        for name in &settings.link {
            let Some(module) = described(api, name)? else {
                self.problems.push(denied(name, "nobody is found there"));
                continue;
            };
            let phones = module.fields.iter().filter(|field| field.kind["name"] == "phone");
            let phones: Vec<String> = phones.map(|field| field.name.clone()).collect();
            if !phones.is_empty() {
                self.people.push(People { module: name.clone(), phones });
            }
        }
        Ok(())
    }

    fn learn_users(&mut self, api: &Api, settings: &Settings) -> Result<(), Fault> {
        self.users = self.owners(api, "Users", ["user_name", "status", "phone_crm_extension"])?;
        self.groups = self.owners(api, "Groups", ["groupname"])?.unwrap_or_default();
        match &self.users {
            None => self.problems.push(
                "the user may not read Users: it is neither an administrator nor in a role above all agents, so it \
                 does not see the agents' calls and would log them a second time; extensions cannot be looked up either"
                    .into(),
            ),
            Some(users) if settings.owners_by_extension => {
                for user in users.iter().filter(|user| user.active && !user.extension.is_empty()) {
                    let twin = |other: &&User| other.active && other.extension == user.extension && other.id != user.id;
                    if let Some(other) = users.iter().find(twin).filter(|other| other.id > user.id) {
                        let extension = &user.extension;
                        self.problems.push(format!(
                            "the extension {extension} stands with the users {} and {}: name one of them in `owners`",
                            user.name, other.name
                        ));
                    }
                }
            }
            Some(_) => {}
        }
        let named = settings.owner.iter().map(|owner| ("owner".to_owned(), owner));
        let named = named.chain(settings.owners.iter().map(|(extension, user)| (format!("owners.{extension}"), user)));
        for (setting, owner) in named {
            if self.resolve(owner).is_none() {
                self.problems.push(format!(
                    "the setting `{setting}` names \"{owner}\": there is no active user or group of this id or name"
                ));
            }
        }
        Ok(())
    }

    /// All users or groups, by their name, which is the first of the fields; `None` when they may not be read.
    fn owners<const N: usize>(
        &mut self,
        api: &Api,
        module: &str,
        fields: [&str; N],
    ) -> Result<Option<Vec<User>>, Fault> {
        let (name, fields) = (fields[0], fields.join(","));
        let mut owners: Vec<User> = Vec::new();
        for page in 0..PAGES {
            let from = page * PAGE;
            let query = format!("SELECT id,{fields} FROM {module} ORDER BY {name} LIMIT {from},{PAGE};");
            let rows = match api.query(&query) {
                Ok(rows) => rows,
                Err(fault) if fault.is_gone() => return Ok(None),
                Err(fault) => return Err(fault),
            };
            owners.extend(rows.iter().map(|row| User {
                id: field(row, "id").to_owned(),
                name: field(row, name).to_owned(),
                extension: field(row, "phone_crm_extension").trim().to_owned(),
                active: field(row, "status") != "Inactive",
            }));
            if rows.len() < PAGE {
                return Ok(Some(owners));
            }
        }
        self.problems.push(format!(
            "only the first {} {module}, by name, are known; calls of the others go to the default owner",
            owners.len()
        ));
        Ok(Some(owners))
    }

    fn block(&mut self, why: String) {
        self.blocked.get_or_insert_with(|| why.clone());
        self.problems.push(why);
    }

    /// Where a logical field is written.
    pub fn slot(&self, holds: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.holds == holds)
    }
}

/// A module's description; `None` when the user may not use it, or there is none.
fn described(api: &Api, module: &str) -> Result<Option<Described>, Fault> {
    match api.describe(module) {
        Ok(described) => Ok(Some(described)),
        Err(fault) if fault.is_gone() => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn denied(module: &str, so: &str) -> String {
    format!("{module}: the user may not use this module, so {so}: give its role and profile access")
}
