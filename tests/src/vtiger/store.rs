//! The CRM's data: modules, records, users, relations, files. No HTTP and no permissions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::definition::{Field, Module};
use super::stock;
use super::vtql::{Row, folded};

/// Columns of which an index is kept: the fields that calls are looked up by.
const INDEXED: [&str; 2] = ["sourceuuid", "Call UUID"];

/// One record of any module.
#[derive(Debug, Clone)]
pub struct Record {
    /// The number part of its id.
    pub number: u64,
    /// Column values by field name. `None` is NULL.
    pub values: HashMap<String, Option<String>>,
    /// Who made it.
    pub creator: u64,
    /// In the recycle bin.
    pub deleted: bool,
}

/// Somebody who can log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The number part of the user's id.
    pub number: u64,
    /// The login name.
    pub name: String,
    /// The access key of the preferences page.
    pub key: String,
    /// Sees and may do everything.
    pub admin: bool,
    /// A role above all agents: sees everything, and Users.
    pub top: bool,
    /// A deactivated user gets a challenge and no session.
    pub active: bool,
}

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct File {
    /// The document that it belongs to.
    pub document: u64,
    /// As stored.
    pub name: String,
    /// As the part said.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The whole CRM.
#[derive(Debug)]
pub struct Crm {
    /// By name.
    pub modules: BTreeMap<String, Module>,
    /// Modules that exist and that nobody may use.
    pub forbidden: BTreeSet<String>,
    /// Who can log in.
    pub accounts: Vec<Account>,
    /// By attachment number.
    pub files: BTreeMap<u64, File>,
    /// Pairs of related records, from the person to the document.
    pub relations: BTreeSet<(u64, u64)>,
    /// Bytes of an upload that PHP takes; a greater one is dropped and nobody is told.
    pub upload_limit: usize,
    /// No file part gets through: name and size of an upload are stored as if there were a file.
    pub loses_files: bool,
    pub(super) rows: BTreeMap<String, BTreeMap<u64, Record>>,
    index: HashMap<(String, String), HashMap<String, BTreeSet<u64>>>,
    next: u64,
    documents: u64,
}

impl Default for Crm {
    fn default() -> Self {
        let modules = stock::modules().into_iter().map(|module| (module.name.clone(), module)).collect();
        Self {
            modules,
            forbidden: BTreeSet::new(),
            accounts: Vec::new(),
            files: BTreeMap::new(),
            relations: BTreeSet::new(),
            upload_limit: 2 << 20,
            loses_files: false,
            rows: BTreeMap::new(),
            index: HashMap::new(),
            next: 100,
            documents: 0,
        }
    }
}

impl Crm {
    /// The module that has this prefix.
    pub fn module_of(&self, prefix: u32) -> Option<&Module> {
        self.modules.values().find(|module| module.prefix == prefix)
    }

    /// The webservice id of a record.
    pub fn id(&self, module: &str, number: u64) -> String {
        let prefix = self.modules.get(module).map_or(0, |module| module.prefix);
        format!("{prefix}x{number}")
    }

    /// The next free record number, taken.
    pub fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Sets the number of the record that is made next.
    pub fn set_next(&mut self, number: u64) {
        self.next = number;
    }

    /// The next document's number, taken: "DOC17".
    pub fn take_document(&mut self) -> String {
        self.documents += 1;
        format!("DOC{}", self.documents)
    }

    /// Sets how many documents there have been.
    pub fn set_documents(&mut self, count: u64) {
        self.documents = count;
    }

    /// A record that is there, recycle bin included.
    pub fn record(&self, module: &str, number: u64) -> Option<&Record> {
        self.rows.get(module)?.get(&number)
    }

    /// The entity module that has this record, when it is not deleted.
    pub fn module_with(&self, number: u64) -> Option<&str> {
        self.rows
            .iter()
            .filter(|(name, _)| self.modules.get(*name).is_some_and(|module| module.entity))
            .find(|(_, rows)| rows.get(&number).is_some_and(|record| !record.deleted))
            .map(|(name, _)| name.as_str())
    }

    /// Puts a record in, or in the place of the one that was there.
    pub fn put(&mut self, module: &str, record: Record) {
        self.forget(module, record.number);
        let indexed = self.indexed(module);
        for field in indexed {
            if let Some(Some(value)) = record.values.get(&field) {
                let index = self.index.entry((module.to_owned(), field)).or_default();
                index.entry(folded(value)).or_default().insert(record.number);
            }
        }
        self.rows.entry(module.to_owned()).or_default().insert(record.number, record);
    }

    /// Takes a record out for good, past the recycle bin.
    pub fn remove(&mut self, module: &str, number: u64) {
        self.forget(module, number);
        if let Some(rows) = self.rows.get_mut(module) {
            rows.remove(&number);
        }
    }

    fn forget(&mut self, module: &str, number: u64) {
        let Some(old) = self.rows.get(module).and_then(|rows| rows.get(&number)) else { return };
        for field in self.indexed(module) {
            if let Some(Some(value)) = old.values.get(&field)
                && let Some(index) = self.index.get_mut(&(module.to_owned(), field))
                && let Some(numbers) = index.get_mut(&folded(value))
            {
                numbers.remove(&number);
            }
        }
    }

    fn indexed(&self, module: &str) -> Vec<String> {
        let fields = self.modules.get(module).map(|module| module.fields.as_slice()).unwrap_or_default();
        let known = |field: &&Field| INDEXED.contains(&field.name.as_str()) || INDEXED.contains(&field.label.as_str());
        fields.iter().filter(known).map(|field| field.name.clone()).collect()
    }

    /// The records that have one of these folded values in an indexed column; `None` when there is no index.
    pub fn found(&self, module: &str, field: &str, values: &[String]) -> Option<BTreeSet<u64>> {
        if !self.indexed(module).iter().any(|indexed| indexed == field) {
            return None;
        }
        let index = self.index.get(&(module.to_owned(), field.to_owned()));
        Some(values.iter().filter_map(|value| index?.get(value)).flatten().copied().collect())
    }

    /// The account that logs in by this name, in any case.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name.eq_ignore_ascii_case(name))
    }
}

/// A record together with its module, as conditions see it.
pub struct Seen<'a>(pub &'a Module, pub &'a Record);

impl Row for Seen<'_> {
    fn column(&self, name: &str) -> Option<(Option<&str>, bool)> {
        let Self(module, record) = self;
        if name == "deleted" {
            return Some((Some(if record.deleted { "1" } else { "0" }), true));
        }
        if name == "id" {
            return Some((record.values.get("id").and_then(Option::as_deref), true));
        }
        let field = module.field(name)?;
        let number = matches!(field.kind.as_str(), "integer" | "boolean" | "owner" | "reference");
        Some((record.values.get(name).and_then(Option::as_deref), number))
    }
}
