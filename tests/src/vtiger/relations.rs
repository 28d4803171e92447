//! add_related, retrieve_related, query_related, relatedtypes.

use serde_json::{Map, Value, json};

use super::access::parts;
use super::refusal::{Answer, Refusal};
use super::store::{Account, Crm};

/// Related lists: of which module, the label, the other module. Events and PBXManager have none.
const LISTS: [(&str, &str, &str); 6] = [
    ("Contacts", "Documents", "Documents"),
    ("Contacts", "PBXManager", "PBXManager"),
    ("Leads", "Documents", "Documents"),
    ("Leads", "PBXManager", "PBXManager"),
    ("Accounts", "Documents", "Documents"),
    ("Accounts", "PBXManager", "PBXManager"),
];

impl Crm {
    /// Relates two records. Says success also when the modules have no such relation, or the related is not there.
    pub fn add_related(&mut self, source: &str, related: &str, label: &str) -> Answer {
        let (source_prefix, source) = parts(source)?;
        let (related_prefix, related) = parts(related)?;
        if self.module_with(source).is_none() {
            return Err(Refusal::internal());
        }
        let name = |prefix| self.module_of(prefix).map(|module| module.name.clone()).unwrap_or_default();
        let (from, to) = (name(source_prefix), name(related_prefix));
        let listed = LISTS.iter().any(|(a, l, b)| *a == from && *b == to && (label.is_empty() || *l == label));
        if listed && self.record(&to, related).is_some() {
            self.relations.insert((source, related));
        }
        Ok(json!({"message": "successfull"}))
    }

    /// All related records of a list.
    pub fn retrieve_related(&self, account: &Account, id: &str, module: &str, label: &str) -> Answer {
        self.query_related(account, &format!("SELECT * FROM {module}"), id, label)
    }

    /// Related records of a list by a query, which has no semicolon.
    pub fn query_related(&self, account: &Account, query: &str, id: &str, label: &str) -> Answer {
        let (from, number) = self.reach(account, id, false)?;
        let mut words = query.split_whitespace();
        let target = words.by_ref().find(|word| word.eq_ignore_ascii_case("from")).and_then(|_| words.next());
        let target = target.unwrap_or_default();
        if !LISTS.iter().any(|(a, l, b)| *a == from && *l == label && *b == target) {
            return Err(Refusal::relation());
        }
        let related: Vec<String> = self
            .rows
            .get(target)
            .into_iter()
            .flatten()
            .filter(|(other, record)| {
                let customer = record.values.get("customer").and_then(Option::as_deref);
                let linked = target == "PBXManager" && customer == Some(number.to_string().as_str());
                linked || self.relations.contains(&(number, **other))
            })
            .map(|(other, _)| format!("'{}'", self.id(target, *other)))
            .collect();
        if related.is_empty() {
            return Ok(json!([]));
        }
        let chosen = format!("id IN ({})", related.join(","));
        let query = match query.split_once("WHERE") {
            Some((before, after)) => format!("{before} WHERE {chosen} AND {after};"),
            None => format!("{query} WHERE {chosen};"),
        };
        self.query(account, &query)
    }

    /// The lists of a module.
    pub fn related_types(&self, account: &Account, module: &str) -> Answer {
        if !self.may_use(account, module) {
            return Err(Refusal::denied());
        }
        let lists = LISTS.iter().filter(|(from, _, _)| *from == module);
        let information: Map<String, Value> = lists
            .clone()
            .map(|(_, label, to)| {
                ((*label).to_owned(), json!({"name": to, "label": label, "isEntity": true, "relationType": "1:N"}))
            })
            .collect();
        Ok(json!({"types": lists.map(|(_, _, to)| to).collect::<Vec<_>>(), "information": information}))
    }
}
