//! What is learnt of a site and kept in the grant: time zone, apps, DocTypes with their fields, users. Every call is a
//! fresh instance; without this each would have to ask for it again.

use std::collections::BTreeMap;

use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::Failure;
use serde::{Deserialize, Serialize};

use crate::api::{Api, name_of, text};
use crate::clock::Zone;
use crate::field::{self, Slot};
use crate::meta::Meta;
use crate::preset::{KINDS, Kind};
use crate::refusal::Fault;
use crate::settings::{Media, Popup, Recordings, Settings};

/// Agents that are read.
const AGENTS: usize = 500;

/// A site, as far as the deliveries need to know it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// The settings it was learnt under.
    pub stamp: String,
    /// As whom.
    pub user: String,
    /// The site's time zone, by name.
    pub zone: String,
    /// The apps, and their versions.
    pub versions: BTreeMap<String, String>,
    /// Whether the methods of Frappe CRM are there.
    pub crm: bool,
    /// Where each kind of record goes.
    pub targets: BTreeMap<Kind, Target>,
    /// Kinds that cannot be written, and why.
    pub blocked: BTreeMap<Kind, String>,
    /// Telephone to user, by the CRM's own list.
    pub agents: BTreeMap<String, String>,
    /// What a person must mend.
    pub problems: Vec<String>,
}

/// A DocType that records of one kind are written to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its name.
    pub doctype: String,
    /// The fields that are written.
    pub slots: Vec<Slot>,
    /// Documents are named by the field that holds the key.
    pub named: bool,
    /// No two documents can have the same key: creating is safe without looking.
    pub sure: bool,
}

impl Target {
    /// Where a logical field is written.
    pub fn slot(&self, holds: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.holds == holds)
    }
}

impl Known {
    /// What the grant holds.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|known: &Self| !known.stamp.is_empty())
    }

    /// What the grant keeps.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The site's time zone.
    pub fn zone(&self) -> Result<Zone, Failure> {
        Zone::named(&self.zone).ok_or_else(|| {
            Failure::misconfigured(format!(
                "the site says that its time zone is \"{}\", and there is none of this name: set `time_zone`",
                self.zone
            ))
        })
    }

    /// Asks the site.
    pub fn learn(api: &Api, settings: &Settings) -> Result<Self, Fault> {
        let user = api.ask::<&str>("frappe.auth.get_logged_user", [])?;
        let user = user.as_str().unwrap_or_default().to_owned();
        if user.is_empty() || user == "Guest" {
            let why = "the site takes the hub for a guest: the credentials did not reach it, or are empty";
            return Err(Fault::Silent { failure: Failure::unauthorized(why), uncertain: false });
        }
        let mut known = Self { stamp: settings.stamp(), user, ..Self::default() };
        known.zone = match &settings.time_zone {
            Some(zone) => zone.trim().to_owned(),
            None => known.learn_zone(api)?,
        };
        known.versions = versions(api)?;
        known.crm = known.versions.contains_key("crm");
        if Zone::named(&known.zone).is_none() {
            known.problems.push(format!(
                "the site's time zone \"{}\" is not known: set `time_zone` to one of the time zone database",
                known.zone
            ));
        }
        for kind in KINDS {
            if let Some(doctype) = kind.doctype(settings) {
                known.learn_target(api, settings, kind, &doctype)?;
            } else if kind == Kind::Call && settings.calls == crate::settings::Calls::Own {
                known.block(kind, "calls = \"own\": name the DocType in `doctypes.call`".to_owned());
            }
        }
        known.learn_agents(api)?;
        known.check_settings(settings);
        Ok(known)
    }

    /// The zone of the site's datetimes. The method that is named for it answers with the asking user's own.
    fn learn_zone(&mut self, api: &Api) -> Result<String, Fault> {
        let query = [
            ("doctype", "DefaultValue"),
            ("parent", "User"),
            ("fields", r#"["defvalue"]"#),
            ("filters", r#"[["parent","=","__default"],["defkey","=","time_zone"]]"#),
        ];
        let zone = match api.ask("frappe.client.get_list", query).map_err(Failure::from) {
            Ok(rows) => text_of(&rows[0]["defvalue"]),
            Err(Failure::Rejected(_) | Failure::Misconfigured(_)) => String::new(),
            Err(failure) => return Err(Fault::Silent { failure, uncertain: false }),
        };
        if !zone.is_empty() {
            return Ok(zone);
        }
        let own = text_of(&api.ask::<&str>("frappe.client.get_time_zone", [])?["time_zone"]);
        self.problems.push(format!(
            "{} may not see the site's time zone; its own, {own}, is taken for it: set `time_zone` if the site has \
             another",
            self.user
        ));
        Ok(own)
    }

    fn learn_target(&mut self, api: &Api, settings: &Settings, kind: Kind, doctype: &str) -> Result<(), Fault> {
        let meta = match api.meta(doctype) {
            Ok(meta) => meta,
            Err(fault) if fault.is_gone() || fault.code() == "ImportError" => {
                self.block(kind, missing(settings, kind, doctype, None));
                return Ok(());
            }
            // Frappe hides what is not there from those who may not see all DocTypes.
            Err(fault) if fault.is_denied() => {
                self.block(kind, missing(settings, kind, doctype, Some(&self.user)));
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        // Who may not read the versions knows the CRM by its call log.
        self.crm |= meta.module == "FCRM";
        if kind == Kind::Message && meta.sends() {
            self.block(
                kind,
                format!(
                    "{doctype} belongs to an app (module {}) that sends to the customer what is written into it: the \
                     hub never writes there; set `whatsapp = \"own\"`, or name another DocType in `doctypes.message`",
                    meta.module
                ),
            );
            return Ok(());
        }
        let slots = field::slots(settings, kind, doctype, &meta, &mut self.problems);
        let mut target = Target { doctype: doctype.to_owned(), slots, named: false, sure: false };
        match target.slot(kind.key()).cloned() {
            Some(slot) => {
                let unique = meta.field(&slot.name).is_some_and(|field| field.unique);
                target.named = meta.named_by(&slot.name);
                target.sure = target.named || unique;
                if !target.sure {
                    self.problems.push(format!(
                        "{doctype}: the field \"{}\" is not unique, and documents are not named by it: two at once may \
                         be made for one record; make it unique",
                        slot.name
                    ));
                }
            }
            // The app that has these knows a chat by its session and its id.
            None if kind == Kind::Conversation && ["session", "chat_id"].iter().all(|f| target.slot(f).is_some()) => {}
            None => {
                let name = kind.usual(settings).iter().find(|usual| usual.holds == kind.key()).map(|it| it.names[0]);
                self.block(
                    kind,
                    format!(
                        "{doctype}: without a field for `{}` (\"{}\") nothing can be written: what was written once \
                         could not be found again",
                        kind.key(),
                        name.unwrap_or_default()
                    ),
                );
            }
        }
        self.check_mandatory(settings, kind, &target, &meta);
        self.check_hooks(kind, &target);
        for slot in target.slots.iter().filter(|slot| slot.holds == "content" && !slot.raw) {
            if matches!(slot.kind.as_str(), "Long Text" | "Text" | "Small Text" | "Data") {
                self.problems.push(format!(
                    "{doctype}: Frappe's filter changes messages with markup in them: set the property \
                     ignore_xss_filter of the field \"{}\"",
                    slot.name
                ));
            }
        }
        self.check_rights(api, doctype)?;
        self.targets.insert(kind, target);
        Ok(())
    }

    fn check_mandatory(&mut self, settings: &Settings, kind: Kind, target: &Target, meta: &Meta) {
        let constants = settings.constants.get(kind.word());
        for name in constants.into_iter().flat_map(|constants| constants.keys()) {
            if meta.field(name).is_none() {
                self.problems.push(format!(
                    "{}: the setting `constants.{}` names the field \"{name}\", and there is none: Frappe drops it",
                    target.doctype,
                    kind.word()
                ));
            }
        }
        for field in meta.fields.iter().filter(|field| field.mandatory && !field.filled && field.takes_values()) {
            let written = target.slots.iter().any(|slot| slot.name == field.name);
            let constant = constants.and_then(|constants| constants.get(&field.name)).is_some_and(|v| !v.is_empty());
            if !written && !constant {
                self.block(
                    kind,
                    format!(
                        "{}: the field \"{}\" is mandatory and gets no value: give it one in `constants.{}`, or make it \
                         optional",
                        target.doctype,
                        field.name,
                        kind.word()
                    ),
                );
            }
        }
    }

    /// Frappe CRM hooks every DocType called WhatsApp Message, and fails over one that lacks its columns.
    fn check_hooks(&mut self, kind: Kind, target: &Target) {
        let crm = self.crm || self.versions.is_empty();
        if kind != Kind::Message || target.doctype != "WhatsApp Message" || !crm {
            return;
        }
        let needed = ["crm_type", "crm_from", "crm_to", "crm_message", "crm_content_type"];
        let gone: Vec<&str> = needed.into_iter().filter(|holds| target.slot(holds).is_none()).collect();
        if !gone.is_empty() {
            let names = gone.iter().map(|holds| holds.trim_start_matches("crm_")).collect::<Vec<_>>().join(", ");
            self.block(
                kind,
                format!(
                    "{}: Frappe CRM has hooked the DocType of this name, and fails over one without the fields {names}: \
                     add them, or set `whatsapp = \"own\"`",
                    target.doctype
                ),
            );
        }
    }

    /// Rights show in a document that is there; on an empty DocType only the first create can tell.
    fn check_rights(&mut self, api: &Api, doctype: &str) -> Result<(), Fault> {
        let first = match api.list(doctype, &json!([]), &["name"], 1) {
            Ok(rows) => rows.first().map(name_of),
            Err(fault) if fault.is_denied() => {
                self.problems.push(denied(&self.user, doctype, "read"));
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let Some(name) = first else { return Ok(()) };
        let query = [("doctype", doctype), ("docname", name.as_str())];
        match api.ask("frappe.client.get_doc_permissions", query) {
            Ok(answer) => {
                let rights = &answer["permissions"];
                for right in ["read", "write", "create"] {
                    if rights.is_object() && rights[right] != 1 && rights[right] != true {
                        self.problems.push(denied(&self.user, doctype, right));
                    }
                }
                Ok(())
            }
            // It went away in between, or shows itself to nobody: nothing is proved by that.
            Err(Fault::Said(said)) if said.status < 429 => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn learn_agents(&mut self, api: &Api) -> Result<(), Fault> {
        if !self.crm {
            return Ok(());
        }
        let rows = match api.list("CRM Telephony Agent", &json!([]), &["name", "user", "mobile_no"], AGENTS) {
            Ok(rows) => rows,
            // An older CRM has no such list, or this user may not read it.
            Err(Fault::Said(said)) if said.status < 429 => return Ok(()),
            Err(fault) => return Err(fault),
        };
        for row in &rows {
            let (number, user) = (text(row, "mobile_no").trim(), text(row, "user"));
            if !number.is_empty() && !user.is_empty() {
                self.agents.insert(number.to_owned(), user.to_owned());
            }
        }
        Ok(())
    }

    fn check_settings(&mut self, settings: &Settings) {
        let missing = |value: &Option<String>| value.as_deref().is_none_or(|value| value.trim().is_empty());
        if settings.recording != Recordings::Link && missing(&settings.recordings_url) {
            self.problems
                .push("recordings are to be attached: set `recordings_url`, or the hub may not fetch them".into());
        }
        if settings.media == Media::File && missing(&settings.media_url) {
            self.problems
                .push("files of messages are to be attached: set `media_url`, or the hub may not fetch them".into());
        }
        if settings.popup == Popup::Exotel && missing(&settings.exotel_key) {
            self.problems.push("popup = \"exotel\" needs `exotel_key`, the verify token of CRM Exotel Settings".into());
        }
        if settings.popup != Popup::Off && !self.crm {
            self.problems
                .push("popups are shown by Frappe CRM, and the site does not have it: set `popup = \"off\"`".into());
        }
    }

    fn block(&mut self, kind: Kind, why: String) {
        self.problems.push(why.clone());
        self.blocked.entry(kind).or_insert(why);
    }
}

/// The apps of a site. Without them little is lost.
fn versions(api: &Api) -> Result<BTreeMap<String, String>, Fault> {
    match api.ask::<&str>("frappe.utils.change_log.get_versions", []) {
        Ok(Value::Object(apps)) => {
            Ok(apps.into_iter().map(|(app, about)| (app, text_of(&about["version"]))).take(50).collect())
        }
        Ok(_) => Ok(BTreeMap::new()),
        Err(Fault::Said(said)) if said.status < 429 && said.status != 401 => Ok(BTreeMap::new()),
        Err(fault) => Err(fault),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn missing(settings: &Settings, kind: Kind, doctype: &str, hidden_from: Option<&str>) -> String {
    let way = match kind {
        Kind::Call => "install the app that has it, or set `calls`".to_owned(),
        _ if settings.doctypes.contains_key(kind.word()) => {
            format!("make it, or name another in `doctypes.{}`", kind.word())
        }
        _ => "set the site up for the hub, or set `whatsapp = \"off\"`".to_owned(),
    };
    match hidden_from {
        None => format!("{doctype}: there is no such DocType on the site: {way}"),
        Some(user) => format!(
            "{doctype}: there is no such DocType on the site, or {user} may not see it: {way}, or give a role of this \
             user the right to read, in the Role Permission Manager"
        ),
    }
}

fn denied(user: &str, doctype: &str, right: &str) -> String {
    format!("{doctype}: {user} may not {right}: give a role of this user the right, in the Role Permission Manager")
}
