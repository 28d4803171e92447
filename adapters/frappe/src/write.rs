//! Writing documents so that each is there once: create, and when it is there already, look and change what differs.

use std::collections::HashMap;

use cordboard_sdk::records::{Direction, Item};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::api::{Row, name_of, text};
use crate::deliver::{Prepared, Work, among};
use crate::known::Target;
use crate::preset::Kind;
use crate::refusal::{Fault, UNLINKED};
use crate::status;
use crate::whatsapp;

/// Documents that are made at once, at most: Frappe's own limit.
const AT_ONCE: usize = 200;

/// Messages waiting to be sent that are looked at to find the one which was sent.
const WAITING: usize = 200;

/// How often links that lead nowhere are mended: users and parents first, then the person of a call.
const MENDED: usize = 2;

/// Milliseconds that the site's clock may be ahead of the source's.
const SKEW: u64 = 60_000;

impl Work<'_> {
    /// Makes all new documents of a kind in one go. What cannot be made so is left to be written one by one.
    pub(crate) fn make_at_once(&mut self, kind: Kind, prepared: Vec<&mut Prepared>) -> Result<(), Failure> {
        let Some(target) = self.known.targets.get(&kind).cloned().filter(|target| target.sure) else { return Ok(()) };
        let Some(key) = target.slot(kind.key()).cloned() else { return Ok(()) };
        let mut fresh: Vec<&mut Prepared> =
            prepared.into_iter().filter(|prepared| prepared.name.is_none() && prepared.asked.is_none()).collect();
        if fresh.len() < 2 {
            return Ok(());
        }
        let keys: Vec<&str> = fresh.iter().map(|prepared| prepared.key.as_str()).collect();
        let rows = self.api.list(&target.doctype, &among(&key.name, &keys), &["name", &key.name], 0);
        let there: HashMap<String, String> = rows
            .map_err(Failure::from)?
            .iter()
            .map(|row| (text(row, &key.name).to_lowercase(), name_of(row)))
            .collect();
        for prepared in &mut fresh {
            prepared.name = there.get(&prepared.key.to_lowercase()).cloned();
        }
        let mut fresh: Vec<&mut Prepared> = fresh.into_iter().filter(|prepared| prepared.name.is_none()).collect();
        for part in fresh.chunks_mut(AT_ONCE) {
            if part.len() < 2 {
                continue;
            }
            let docs: Vec<Row> = part.iter().map(|prepared| self.with_constants(kind, &prepared.doc)).collect();
            match self.api.insert_many(&target.doctype, &docs.iter().collect::<Vec<_>>()) {
                Ok(names) => {
                    for (prepared, name) in part.iter_mut().zip(names) {
                        prepared.name = Some(name);
                        prepared.made = true;
                        self.grew(prepared);
                    }
                }
                // One bad row undoes all: each is tried by itself, so that only the bad one is refused.
                Err(Fault::Said(said)) if matches!(said.status, 400 | 403 | 404 | 409 | 413 | 417 | 500) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    /// Writes one document and gives its name.
    pub(crate) fn write(&mut self, prepared: &mut Prepared) -> Result<String, Fault> {
        if prepared.made {
            return prepared.name.clone().ok_or_else(|| lost("its name"));
        }
        let target = self.known.targets[&prepared.kind].clone();
        if let (Some(name), false) = (&prepared.name, prepared.memo.fields.is_empty()) {
            let changed: Row = prepared
                .doc
                .iter()
                .filter(|(field, value)| !prepared.memo.fields.has(field, value))
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect();
            if changed.is_empty() {
                return Ok(name.clone());
            }
            let name = name.clone();
            match self.change(&target, &name, changed, prepared) {
                // Deleted in Frappe: it is made again.
                Err(fault) if fault.is_gone() => {}
                result => return result.map(|()| name),
            }
            prepared.memo.fields.clear();
            prepared.name = None;
        }
        if let Some(name) = prepared.asked.clone().filter(|_| prepared.name.is_none()) {
            if let Item::Message(message) = &prepared.change.item
                && whatsapp::unsent(message)
            {
                // It never was a message: the document may be sent again.
                let ids = ["message_key", "message_id"].map(|holds| target.slot(holds).map(|slot| slot.name.clone()));
                ids.into_iter().flatten().for_each(|id| drop(prepared.doc.remove(&id)));
            }
            match self.reconcile(&target, &name, prepared) {
                Err(fault) if fault.is_gone() => {}
                result => {
                    if result.is_ok() {
                        self.grew(prepared);
                    }
                    return result.map(|()| name);
                }
            }
        }
        if let Some(name) = prepared.name.clone() {
            match self.reconcile(&target, &name, prepared) {
                Err(fault) if fault.is_gone() => {}
                result => return result.map(|()| name),
            }
        }
        if !target.sure
            && let Some(name) = self.find(&target, prepared)?
        {
            return self.reconcile(&target, &name, prepared).map(|()| name);
        }
        self.create(&target, prepared)
    }

    fn create(&mut self, target: &Target, prepared: &mut Prepared) -> Result<String, Fault> {
        let mut doc = self.with_constants(prepared.kind, &prepared.doc);
        let mut created = self.api.create(&target.doctype, &doc);
        for _ in 0..MENDED {
            if matches!(&created, Err(fault) if fault.code() == UNLINKED) {
                doc = self.with_links_mended(target, doc, prepared)?;
                created = self.api.create(&target.doctype, &doc);
            }
        }
        match created {
            Ok(stored) => {
                self.grew(prepared);
                let name = name_of(&stored);
                compare(&doc, &stored, target, &mut prepared.notes);
                Ok(name)
            }
            Err(fault) if fault.is_duplicate() => match self.find(target, prepared)? {
                Some(name) => self.reconcile(target, &name, prepared).map(|()| name),
                // The twin has the same value in some other field, or this user may not see it.
                None => Err(fault),
            },
            Err(fault) => Err(fault),
        }
    }

    /// The document that a record is known by.
    fn find(&self, target: &Target, prepared: &Prepared) -> Result<Option<String>, Fault> {
        let filters = match target.slot(prepared.kind.key()) {
            Some(_) if target.named => return Ok(Some(prepared.key.clone())),
            Some(slot) => json!([[slot.name, "=", prepared.key]]),
            None => {
                let value = |holds: &str| {
                    let slot = target.slot(holds)?;
                    Some(json!([slot.name, "=", prepared.doc.get(&slot.name)?]))
                };
                let (Some(session), Some(chat)) = (value("session"), value("chat_id")) else { return Ok(None) };
                json!([session, chat])
            }
        };
        let rows = self.api.list(&target.doctype, &filters, &["name"], 1)?;
        Ok(rows.first().map(name_of).filter(|name| !name.is_empty()))
    }

    /// Changes what differs in a document that is there, whoever has written it.
    fn reconcile(&mut self, target: &Target, name: &str, prepared: &mut Prepared) -> Result<(), Fault> {
        let stored = self.api.get(&target.doctype, name)?;
        if let Some(slot) = target.slot(prepared.kind.key()).filter(|_| prepared.asked.is_none()) {
            let there = text(&stored, &slot.name);
            // Names ignore case and accents: what answers may be another's.
            if !there.is_empty() && there != prepared.key {
                return Err(Fault::Silent {
                    failure: Failure::rejected(
                        "name-taken",
                        format!(
                            "{} {name} belongs to \"{there}\", which Frappe does not tell from \"{}\"",
                            target.doctype, prepared.key
                        ),
                    ),
                    uncertain: false,
                });
            }
        }
        let changed: Row = prepared
            .doc
            .iter()
            .filter(|(field, value)| !same(value, stored.get(field.as_str())))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        if changed.is_empty() { Ok(()) } else { self.change_in(target, name, &stored, changed, prepared) }
    }

    fn change(&mut self, target: &Target, name: &str, changed: Row, prepared: &mut Prepared) -> Result<(), Fault> {
        let rows = changed.values().any(Value::is_array);
        let stored = if rows { self.api.get(&target.doctype, name)? } else { Row::new() };
        self.change_in(target, name, &stored, changed, prepared)
    }

    /// Rows that are sent replace all that are there: what others have put in stays in.
    fn change_in(
        &mut self,
        target: &Target,
        name: &str,
        stored: &Row,
        mut changed: Row,
        prepared: &mut Prepared,
    ) -> Result<(), Fault> {
        for (field, value) in &mut changed {
            if let Value::Array(rows) = value {
                let there = stored.get(field.as_str()).and_then(Value::as_array).cloned().unwrap_or_default();
                let new: Vec<Value> =
                    rows.iter().filter(|row| !there.iter().any(|it| covers(it, row))).cloned().collect();
                *rows = there.into_iter().chain(new).collect();
            }
        }
        let mut updated = self.api.update(&target.doctype, name, &changed);
        for _ in 0..MENDED {
            if matches!(&updated, Err(fault) if fault.code() == UNLINKED) {
                changed = self.with_links_mended(target, changed, prepared)?;
                updated = self.api.update(&target.doctype, name, &changed);
            }
        }
        let stored = updated?;
        changed.retain(|_, value| !value.is_array());
        compare(&changed, &stored, target, &mut prepared.notes);
        Ok(())
    }

    /// Finds the documents by which somebody in Frappe asked for these messages to be sent: by the command that sent it,
    /// else by its text among those that still wait in the same conversation, the oldest first.
    pub(crate) fn find_asked(&self, prepared: Vec<&mut Prepared>) -> Result<(), Failure> {
        let Some(target) = self.known.targets.get(&Kind::Message) else { return Ok(()) };
        let mut ours: Vec<&mut Prepared> = prepared.into_iter().filter(|prepared| may_be_asked_for(prepared)).collect();
        for prepared in &mut ours {
            let Item::Message(message) = &prepared.change.item else { continue };
            prepared.asked = whatsapp::command(message).and_then(|id| document_of(id, &target.doctype));
        }
        ours.retain(|prepared| prepared.asked.is_none());
        let field = |holds: &str| target.slot(holds).map(|slot| slot.name.as_str());
        let (Some(key), Some(conversation), Some(direction), Some(state), Some(content)) = (
            field("message_key"),
            field("conversation"),
            field("message_direction"),
            field("message_status"),
            field("content"),
        ) else {
            return Ok(());
        };
        if ours.is_empty() {
            return Ok(());
        }
        let pending = status::words(&self.settings, Kind::Message, "queued");
        let filters = json!([[direction, "=", "Outgoing"], [state, "in", pending], [key, "is", "not set"]]);
        let fields = ["name", conversation, content, key, "creation"];
        let mut waiting = self.api.list(&target.doctype, &filters, &fields, WAITING).map_err(Failure::from)?;
        waiting.retain(|row| text(row, key).is_empty());
        waiting.sort_by(|one, other| text(one, "creation").cmp(text(other, "creation")));
        for prepared in ours {
            let Item::Message(message) = &prepared.change.item else { continue };
            let (Some(chat), Some(words)) = (prepared.doc.get(conversation), message.text.as_deref()) else { continue };
            // What was sent before somebody asked for it is another one.
            let until = message.sent_at.map(|at| self.zone.datetime(at + SKEW));
            let fits = |row: &Row| {
                row.get(conversation) == Some(chat)
                    && text(row, content).trim() == words.trim()
                    && until.as_deref().is_none_or(|until| text(row, "creation") <= until)
            };
            if let Some(at) = waiting.iter().position(fits) {
                prepared.asked = Some(name_of(&waiting.remove(at)));
            }
        }
        Ok(())
    }

    pub(crate) fn with_constants(&self, kind: Kind, doc: &Row) -> Row {
        let mut doc = doc.clone();
        for (field, value) in self.settings.constants.get(kind.word()).into_iter().flatten() {
            doc.entry(field.clone()).or_insert_with(|| json!(value));
        }
        doc
    }

    fn grew(&mut self, prepared: &Prepared) {
        let sent = match &prepared.change.item {
            Item::Message(message) => message.direction == Some(Direction::Outbound),
            Item::Call(_) | Item::Session(_) | Item::Other(_) => false,
            _ => true,
        };
        if sent {
            self.note_grown(&prepared.session, prepared.kind);
        }
    }

    /// The session has one more of these: its counter is to be looked at.
    pub(crate) fn note_grown(&mut self, session: &str, kind: Kind) {
        let place = (session.to_owned(), kind);
        if !self.grown.contains(&place) {
            self.grown.push(place);
        }
    }
}

/// The document that a command came from: `DocType/name`.
fn document_of(command: &str, doctype: &str) -> Option<String> {
    // The hub may have put the sink's name before it.
    let start = command.find(&format!("{doctype}/"))?;
    let before = &command[..start];
    let name = &command[start + doctype.len() + 1..];
    let name = name.split('#').next().unwrap_or_default();
    ((before.is_empty() || before.ends_with(':')) && !name.is_empty()).then(|| name.to_owned())
}

/// Whether somebody in Frappe may have asked for it: ours, and not written before.
fn may_be_asked_for(prepared: &Prepared) -> bool {
    matches!(&prepared.change.item, Item::Message(message) if message.direction == Some(Direction::Outbound))
        && prepared.name.is_none()
}

/// Whether a stored row says what a new one would.
fn covers(stored: &Value, row: &Value) -> bool {
    let Some(row) = row.as_object() else { return stored == row };
    row.iter().all(|(field, value)| stored.get(field) == Some(value))
}

/// Whether the stored value is the one wanted. Frappe leaves out what is empty, and makes 95.0 of 95.
fn same(wanted: &Value, stored: Option<&Value>) -> bool {
    let stored = stored.unwrap_or(&Value::Null);
    match (wanted, stored) {
        (Value::Array(rows), Value::Array(there)) => rows.iter().all(|row| there.iter().any(|it| covers(it, row))),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::Null) => a.is_empty(),
        (Value::Number(a), Value::Null) => a.as_f64() == Some(0.0),
        (Value::Number(a), Value::String(b)) => b.parse::<f64>().ok() == a.as_f64(),
        (Value::String(a), Value::String(b)) => a == b || moment(a) == moment(b),
        (a, b) => a == b,
    }
}

/// A moment without what stands for nothing in it.
fn moment(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, fraction)) if whole.len() == 19 && fraction.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}

/// Compares what was sent with what is stored: Frappe says success to much that it does not keep.
fn compare(sent: &Row, stored: &Row, target: &Target, notes: &mut Vec<String>) {
    for (field, value) in sent {
        let there = stored.get(field);
        let ours = target.slots.iter().any(|slot| slot.name == *field);
        if same(value, there) || value.is_array() || !ours {
            continue;
        }
        notes.push(match (value.as_str(), there.and_then(Value::as_str)) {
            (_, None) if there.is_none() => format!("{field}: Frappe does not show this field again; it may be lost"),
            (Some(wanted), Some(kept)) if wanted.len() + kept.len() > 200 => {
                format!(
                    "{field}: Frappe kept {} of {} characters, or changed them",
                    kept.chars().count(),
                    wanted.chars().count()
                )
            }
            _ => format!("{field}: Frappe made {} of {value}", there.unwrap_or(&Value::Null)),
        });
    }
}

fn lost(what: &str) -> Fault {
    Fault::Silent {
        failure: Failure::retryable(format!("a document was made, and {what} is not known")),
        uncertain: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_values_are_known_again() {
        for (wanted, stored) in [
            (json!(95), json!(95.0)),
            (json!("x"), json!("x")),
            (json!(""), Value::Null),
            (json!(0), Value::Null),
            (json!(0), json!("0")),
            (json!("2026-03-05 10:15:30"), json!("2026-03-05 10:15:30.000000")),
            (
                json!([{"link_doctype": "CRM Lead", "link_name": "L"}]),
                json!([{"name": "r", "link_doctype": "CRM Lead", "link_name": "L"}]),
            ),
        ] {
            assert!(same(&wanted, Some(&stored)), "{wanted} {stored}");
        }
        assert!(!same(&json!("2026-03-05 10:15:30"), Some(&json!("2026-03-05 10:15:31"))));
        assert!(!same(&json!("x"), None));
    }

    #[test]
    fn a_command_names_its_document() {
        let doctype = "Hub WhatsApp Message";
        assert_eq!(document_of("Hub WhatsApp Message/aeh2be9b47", doctype).as_deref(), Some("aeh2be9b47"));
        assert_eq!(document_of("crm:Hub WhatsApp Message/aeh2be9b47#2", doctype).as_deref(), Some("aeh2be9b47"));
        assert_eq!(document_of("My Hub WhatsApp Message/x", doctype), None);
        assert_eq!(document_of("other", doctype), None);
    }
}
