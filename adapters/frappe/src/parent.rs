//! What documents link to: sessions and conversations that are made when a child comes first, contacts that are looked
//! for, and links that lead nowhere.

use std::collections::HashMap;

use cordboard_sdk::abilities::Change;
use cordboard_sdk::records::{Conversation, Item, Session};
use cordboard_sdk::serde_json::{Value, json};

use crate::api::{Row, name_of, text};
use crate::deliver::{Prepared, Work};
use crate::key;
use crate::known::Target;
use crate::preset::Kind;
use crate::refusal::{Fault, UNLINKED};
use crate::whatsapp;

impl Work<'_> {
    /// Looks which of the links lead nowhere: parents of the hub's own are made, others are left out, and that is said.
    pub(crate) fn with_links_mended(
        &mut self,
        target: &Target,
        mut doc: Row,
        prepared: &mut Prepared,
    ) -> Result<Row, Fault> {
        let given = doc.clone();
        for slot in target.slots.iter().filter(|slot| slot.kind == "Link") {
            let Some(name) = doc.get(&slot.name).and_then(Value::as_str).map(str::to_owned) else { continue };
            if self.is_there(&slot.options, &name)? {
                continue;
            }
            let parent = match slot.holds.as_str() {
                "session" => Some((Kind::Session, prepared.session.clone())),
                "conversation" => match &prepared.change.item {
                    Item::Message(message) => {
                        whatsapp::conversation_of(message, &prepared.session).map(|id| (Kind::Conversation, id))
                    }
                    _ => None,
                },
                _ => None,
            };
            let made = match parent {
                Some((kind, id)) if self.known.targets.get(&kind).is_some_and(|it| slot.links_to(&it.doctype)) => {
                    self.make_parent(kind, &id, &prepared.session)?
                }
                _ => None,
            };
            match made {
                Some(name) => {
                    doc.insert(slot.name.clone(), json!(name));
                }
                None => {
                    prepared
                        .notes
                        .push(format!("{}: there is no {} \"{name}\"; it was left out", slot.name, slot.options));
                    doc.remove(&slot.name);
                }
            }
        }
        // A person that the CRM found may be hidden from this user: nobody is left out while something else may be it.
        if doc != given {
            return Ok(doc);
        }
        let field = |holds: &str| target.slot(holds).map(|slot| slot.name.clone());
        if let (Some(doctype), Some(name)) = (field("reference_doctype"), field("reference_docname"))
            && let (Some(of), Some(to)) = (doc.get(&doctype).cloned(), doc.get(&name).cloned())
            && !self.is_there(of.as_str().unwrap_or_default(), to.as_str().unwrap_or_default())?
        {
            prepared.notes.push(format!("{name}: there is no {} {}; it was left out", of, to));
            doc.remove(&doctype);
            doc.remove(&name);
        }
        if let Some(links) = field("links")
            && let Some(rows) = doc.get(&links).and_then(Value::as_array).cloned()
        {
            let mut kept = Vec::new();
            for row in rows {
                let (of, to) = (row["link_doctype"].as_str(), row["link_name"].as_str());
                if self.is_there(of.unwrap_or_default(), to.unwrap_or_default())? {
                    kept.push(row);
                }
            }
            doc.insert(links, json!(kept));
        }
        Ok(doc)
    }

    /// Whether something can be linked to. What this user may not see may well be there.
    fn is_there(&self, doctype: &str, name: &str) -> Result<bool, Fault> {
        match self.api.list(doctype, &json!([["name", "=", name]]), &["name"], 1) {
            Ok(rows) => Ok(!rows.is_empty()),
            Err(fault) if fault.is_denied() => Ok(true),
            Err(fault) if fault.is_gone() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The document of a parent, by its id at the source. One that its own record has not made yet is made here, with
    /// little in it: messages may come before their conversation.
    pub(crate) fn parent(&mut self, kind: Kind, id: &str, session: &str) -> Result<Option<String>, Fault> {
        let place = (kind, id.to_owned());
        if let Some(known) = self.parents.get(&place) {
            return Ok(known.clone());
        }
        let Some(target) = self.known.targets.get(&kind).cloned() else { return Ok(None) };
        let name = if target.named {
            // Nobody has to be asked for the name, and whether it is there a create tells.
            Some(key::exact(id))
        } else {
            let session_name = match kind {
                Kind::Session => None,
                _ => self.parent(Kind::Session, session, session)?,
            };
            let filters = match target.slot(kind.key()) {
                Some(slot) => json!([[slot.name, "=", key::exact(id)]]),
                None => {
                    let field = |holds: &str| target.slot(holds).map(|slot| slot.name.clone()).unwrap_or_default();
                    json!([[field("session"), "=", session_name], [field("chat_id"), "=", whatsapp::bare(id)]])
                }
            };
            let rows = self.api.list(&target.doctype, &filters, &["name"], 1)?;
            match rows.first().map(name_of) {
                Some(name) => Some(name),
                None => self.make_parent(kind, id, session)?,
            }
        };
        self.parents.insert(place, name.clone());
        Ok(name)
    }

    fn make_parent(&mut self, kind: Kind, id: &str, session: &str) -> Result<Option<String>, Fault> {
        let Some(target) = self.known.targets.get(&kind).cloned() else { return Ok(None) };
        let item: Item = match kind {
            Kind::Session => Session::default().into(),
            Kind::Conversation => Conversation::default().into(),
            _ => return Ok(None),
        };
        let session_name = match kind {
            Kind::Session => None,
            _ => self.parent(Kind::Session, session, session)?,
        };
        let key = key::exact(id);
        let rendering = whatsapp::Rendering { id, key: &key, session: session_name, ..Default::default() };
        let mut doc = Row::new();
        for slot in &target.slots {
            let given = rendering.value(&self.settings, &item, slot);
            if let Some(value) = given.and_then(|given| slot.fit(given, &self.zone, &mut Vec::new())) {
                doc.insert(slot.name.clone(), value);
            }
        }
        let doc = self.with_constants(kind, &doc);
        let created = match self.api.create(&target.doctype, &doc) {
            Err(fault) if fault.code() == UNLINKED && kind != Kind::Session => {
                self.make_parent(Kind::Session, session, session)?;
                self.api.create(&target.doctype, &doc)
            }
            result => result,
        };
        let name = match created {
            Ok(stored) => {
                self.note_grown(session, kind);
                name_of(&stored)
            }
            Err(fault) if fault.is_duplicate() && target.named => key,
            Err(fault) => return Err(fault),
        };
        self.parents.insert((kind, id.to_owned()), Some(name.clone()));
        Ok(Some(name))
    }

    /// Looks for the contacts of a batch at once.
    pub(crate) fn know_contacts<'c>(
        &mut self,
        kind: Kind,
        changes: impl Iterator<Item = &'c Change>,
    ) -> Result<(), Fault> {
        if self.known.targets.get(&kind).is_none_or(|target| target.slot("contact").is_none()) {
            return Ok(());
        }
        let ids =
            |change: &Change| whatsapp::contacts(&change.item, &whatsapp::session_of(&change.subject, &change.item));
        let mut asked: Vec<Vec<String>> = changes.map(ids).filter(|ids| !ids.is_empty()).collect();
        asked.retain(|ids| !self.parents.contains_key(&(Kind::Contact, ids[0].clone())));
        asked.sort();
        asked.dedup();
        if asked.len() > 1 { self.look_for_contacts(&asked) } else { Ok(()) }
    }

    /// The contact's document among several ids that it may be known by; none is made for a message.
    pub(crate) fn contact_among(&mut self, ids: &[String]) -> Result<Option<String>, Fault> {
        let place = (Kind::Contact, ids[0].clone());
        if !self.parents.contains_key(&place) {
            self.look_for_contacts(&[ids.to_vec()])?;
        }
        Ok(self.parents.get(&place).cloned().flatten())
    }

    fn look_for_contacts(&mut self, asked: &[Vec<String>]) -> Result<(), Fault> {
        let Some(target) = self.known.targets.get(&Kind::Contact).cloned() else { return Ok(()) };
        let Some(slot) = target.slot(Kind::Contact.key()).cloned() else { return Ok(()) };
        let keys: Vec<String> = asked.iter().flatten().map(|id| key::exact(id)).collect();
        let mut fields = vec!["name", slot.name.as_str()];
        let mut any = vec![json!([slot.name, "in", keys])];
        // A contact that was first known by another id has this one in its `jid`.
        let jid = target.slot("jid").map(|slot| slot.name.clone());
        if let Some(jid) = &jid {
            fields.push(jid);
            any.push(json!([jid, "in", asked.iter().flatten().map(|id| whatsapp::bare(id)).collect::<Vec<_>>()]));
        }
        let rows = match self.api.list_any(&target.doctype, &json!(any), &fields, 0) {
            Ok(rows) => rows,
            // Who may not see contacts links to none.
            Err(fault) if fault.is_denied() => vec![],
            Err(fault) => return Err(fault),
        };
        let mut names: HashMap<String, String> = HashMap::new();
        for row in &rows {
            let key = text(row, &slot.name);
            names.insert(key.to_owned(), name_of(row));
            if let (Some(session), Some(jid)) = (whatsapp::prefix(key), &jid) {
                names.entry(format!("{session}:{}", text(row, jid))).or_insert_with(|| name_of(row));
            }
        }
        for ids in asked {
            let name = ids.iter().find_map(|id| names.get(&key::exact(id)).cloned());
            self.parents.insert((Kind::Contact, ids[0].clone()), name);
        }
        Ok(())
    }
}
