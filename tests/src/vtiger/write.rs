//! create, update, revise, delete.

use serde_json::{Map, Value, json};

use super::access::parts;
use super::column;
use super::refusal::{Answer, Refusal};
use super::store::{Account, Crm, Record};

/// The three ways to write a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new one.
    Create,
    /// All mandatory fields must be given.
    Update,
    /// Only what is given changes.
    Revise,
}

/// A write whose checks have all been passed.
#[derive(Debug, Clone)]
pub struct Write {
    /// The module.
    pub module: String,
    /// The record to change; absent for a new one.
    pub number: Option<u64>,
    values: Vec<(String, Option<String>)>,
}

impl Crm {
    /// Checks a write and works out what would be stored.
    pub fn prepare(
        &self,
        account: &Account,
        way: Way,
        module: &str,
        element: &Map<String, Value>,
    ) -> Result<Write, Refusal> {
        let (module, number) = match way {
            Way::Create if !self.may_use(account, module) => return Err(Refusal::denied()),
            Way::Create => (module.to_owned(), None),
            Way::Update | Way::Revise => {
                let id = element.get("id").map(column::text).unwrap_or_default();
                let (module, number) = self.reach(account, &id, true)?;
                (module, Some(number))
            }
        };
        self.check_references(&module, element)?;
        self.check_mandatory(way, &module, element)?;
        let values = self.converted(account, way, &module, element)?;
        Ok(Write { module, number, values })
    }

    fn check_references(&self, module: &str, element: &Map<String, Value>) -> Result<(), Refusal> {
        for field in self.modules.get(module).into_iter().flat_map(|module| &module.fields) {
            let given = element.get(&field.name).map(column::text).unwrap_or_default();
            if field.kind != "reference" || given.is_empty() {
                continue;
            }
            let (prefix, _) = parts(&given)?;
            match self.module_of(prefix) {
                None => return Err(Refusal::access("Permission to perform the operation is denied for id")),
                Some(target) if !field.refers_to().contains(&target.name.as_str()) => {
                    return Err(Refusal::reference(&field.name));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn check_mandatory(&self, way: Way, module: &str, element: &Map<String, Value>) -> Result<(), Refusal> {
        for field in self.modules.get(module).into_iter().flat_map(|module| &module.fields) {
            let given = element.get(&field.name);
            let empty = given.is_none_or(|value| value.is_null() || value == "");
            if field.mandatory && empty && (given.is_some() || way != Way::Revise) {
                return Err(Refusal::mandatory(&field.name));
            }
        }
        Ok(())
    }

    fn converted(
        &self,
        account: &Account,
        way: Way,
        module: &str,
        element: &Map<String, Value>,
    ) -> Result<Vec<(String, Option<String>)>, Refusal> {
        let mut values = Vec::new();
        // What the module does not have is left out, and nobody is told.
        for field in self.modules.get(module).into_iter().flat_map(|module| &module.fields) {
            let Some(given) = element.get(&field.name).map(column::text) else { continue };
            let value = match field.kind.as_str() {
                "owner" => Some(self.owner(account, &given)?.to_string()),
                "reference" if given.is_empty() && way == Way::Update => continue,
                "reference" if given.is_empty() => None,
                "reference" => Some(parts(&given)?.1.to_string()),
                _ => column::stored(field, &given),
            };
            values.push((field.name.clone(), value));
        }
        Ok(values)
    }

    /// Whether another record has the same values in the fields that duplicate prevention looks at. It sees records
    /// that the user cannot read; empty values do not count.
    pub fn duplicate(&self, write: &Write) -> bool {
        let Some(module) = self.modules.get(&write.module) else { return false };
        let unique: Vec<&str> = module.fields.iter().filter(|f| f.unique).map(|f| f.name.as_str()).collect();
        let own = write.number.and_then(|number| self.record(&write.module, number));
        let wanted: Vec<(&str, String)> = unique
            .iter()
            .filter_map(|name| {
                let given = write.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
                let value = given.unwrap_or_else(|| own.and_then(|record| record.values.get(*name).cloned().flatten()));
                value.filter(|value| !value.is_empty()).map(|value| (*name, value))
            })
            .collect();
        let twin = |record: &Record| {
            let same = |(name, value): &(&str, String)| {
                record.values.get(*name).and_then(Option::as_deref).is_some_and(|v| v.eq_ignore_ascii_case(value))
            };
            !record.deleted && Some(record.number) != write.number && wanted.iter().all(same)
        };
        !wanted.is_empty() && self.rows.get(&write.module).is_some_and(|rows| rows.values().any(twin))
    }

    /// Stores a prepared write; gives the record's number.
    pub fn store(&mut self, account: &Account, write: Write, now: &str) -> u64 {
        let created = write.number.is_none();
        let number = write.number.unwrap_or_else(|| self.take_number());
        let mut record = self.record(&write.module, number).cloned().unwrap_or_else(|| Record {
            number,
            values: [("id".to_owned(), Some(number.to_string()))].into(),
            creator: account.number,
            deleted: false,
        });
        let fields = self.modules.get(&write.module).map(|module| module.fields.clone()).unwrap_or_default();
        if created {
            record.values.extend(fields.iter().map(|field| (field.name.clone(), field.default.clone())));
        }
        let changed = write.values.iter().any(|(name, value)| record.values.get(name) != Some(value));
        record.values.extend(write.values);
        let user = account.number.to_string();
        for field in &fields {
            let stamp = match field.name.to_ascii_lowercase().as_str() {
                "createdtime" if created => now.to_owned(),
                "modifiedtime" if created || changed => now.to_owned(),
                "modifiedby" | "creator" if created || changed => user.clone(),
                "source" if created => "WEBSERVICE".to_owned(),
                "reminder_time" if !created => String::new(),
                _ => continue,
            };
            record.values.insert(field.name.clone(), Some(stamp));
        }
        if write.module == "Documents" && created {
            record.values.insert("note_no".into(), Some(self.take_document()));
            let folder = record.values.entry("folderid".into()).or_default();
            folder.get_or_insert_with(|| "1".into());
        }
        self.put(&write.module, record);
        number
    }

    /// The answer to a write.
    pub fn written(&self, module: &str, number: u64) -> Answer {
        match (self.modules.get(module), self.record(module, number)) {
            (Some(module), Some(record)) => Ok(self.whole(module, record)),
            _ => Err(Refusal::said("DATABASE_QUERY_ERROR", "Database error while performing required operation")),
        }
    }

    /// Puts a record into the recycle bin.
    pub fn delete(&mut self, account: &Account, id: &str) -> Answer {
        let (module, number) = self.reach(account, id, true)?;
        if let Some(mut record) = self.record(&module, number).cloned() {
            record.deleted = true;
            self.put(&module, record);
        }
        Ok(json!({"status": "successful"}))
    }
}
