//! query, retrieve, describe, listtypes.

use serde_json::{Map, Value, json};

use super::access::parts;
use super::refusal::{Answer, Refusal};
use super::stock;
use super::store::{Account, Crm, Record, Seen};
use super::vtql::{self, Comparison, Query, Statement};

/// What one query gives at most.
const MOST: usize = 100;

impl Crm {
    /// The modules that the user may use.
    pub fn list_types(&self, account: &Account, kinds: &str) -> Answer {
        let mut types = stock::types();
        let kinds: Vec<String> = serde_json::from_str(kinds).unwrap_or_default();
        let listed: Vec<String> = types["types"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .chain(self.modules.keys().cloned())
            .fold(Vec::new(), |mut all, name| {
                if !all.contains(&name) {
                    all.push(name);
                }
                all
            });
        let played = |name: &String| self.modules.get(name);
        let shown = |name: &&String| {
            let known = played(name).is_none() || self.may_use(account, name);
            let of_kind = |module: &super::definition::Module| module.fields.iter().any(|f| kinds.contains(&f.kind));
            known && !self.forbidden.contains(*name) && (kinds.is_empty() || played(name).is_some_and(of_kind))
        };
        let names: Vec<&String> = listed.iter().filter(shown).collect();
        let information: Map<String, Value> = names
            .iter()
            .map(|name| {
                let known = types["information"][name.as_str()].take();
                let own = || json!({"isEntity": true, "label": played(name).map(|m| &m.label), "singular": name});
                ((*name).clone(), if known.is_null() { own() } else { known })
            })
            .collect();
        Ok(json!({"types": names, "information": information}))
    }

    /// What the fields of a module are.
    pub fn describe(&self, account: &Account, name: &str) -> Answer {
        match self.modules.get(name) {
            Some(module) if self.may_use(account, name) => Ok(module.described()),
            _ => Err(Refusal::access(format!("Permission to perform the operation is denied for name : {name}"))),
        }
    }

    /// One record.
    pub fn retrieve(&self, account: &Account, id: &str) -> Answer {
        let (module, number) = self.reach(account, id, false)?;
        match (self.modules.get(&module), self.record(&module, number)) {
            (Some(module), Some(record)) => Ok(self.whole(module, record)),
            _ => Err(Refusal::denied()),
        }
    }

    /// Records by VTQL, those that the user may see.
    pub fn query(&self, account: &Account, text: &str) -> Answer {
        let query = vtql::parse(text)?;
        let Some(module) = self.modules.get(&query.module).filter(|_| self.may_use(account, &query.module)) else {
            return Err(Refusal::access("Permission to perform the operation is denied for query"));
        };
        let known = |name: &str| name == "id" || module.field(name).is_some();
        if query.columns == ["count(*)"] {
            return Ok(json!([]));
        }
        if let Some(unknown) = query.columns.iter().find(|name| *name != "*" && !known(name)) {
            let shown = format!("Permission to access '.{unknown}.' attribute denied.");
            return Err(Refusal::access(shown));
        }
        let sql = self.sql(module, &query)?;
        // What the database refuses comes back as a success without rows.
        let Some(statement) = Statement::read(&sql) else { return Ok(json!([])) };
        if !query.order.iter().all(|name| known(name)) {
            return Ok(json!([]));
        }
        let rows = self.rows_of(&query.module, &statement);
        let rows: Vec<Value> = rows
            .into_iter()
            .filter(|record| self.may_see(account, &query.module, record))
            .map(|record| self.row(module, record, &query.columns))
            .collect();
        Ok(Value::Array(rows))
    }

    fn rows_of(&self, module: &str, statement: &Statement) -> Vec<&Record> {
        let (Some(definition), Some(all)) = (self.modules.get(module), self.rows.get(module)) else {
            return Vec::new();
        };
        let indexed = definition.fields.iter().find_map(|field| {
            let keys = statement.condition.keys(&field.name)?;
            self.found(module, &field.name, &keys)
        });
        let holds = |record: &&Record| statement.condition.holds(&Seen(definition, record));
        let mut rows: Vec<&Record> = match indexed {
            Some(numbers) => numbers.iter().filter_map(|number| all.get(number)).filter(holds).collect(),
            None => all.values().filter(holds).collect(),
        };
        if let Some(column) = statement.order.first() {
            let key = |record: &&Record| record.values.get(column).cloned().flatten().unwrap_or_default();
            rows.sort_by_key(|record| vtql::folded(&key(record)));
            if column == "id" {
                rows.sort_by_key(|record| record.number);
            }
            if statement.descending {
                rows.reverse();
            }
        }
        rows.into_iter().skip(statement.offset).take(statement.count).collect()
    }

    fn sql(&self, module: &super::definition::Module, query: &Query) -> Result<String, Refusal> {
        let mut sql = String::new();
        for (at, comparison) in query.conditions.iter().enumerate() {
            sql.push_str(if at == 0 { "(" } else { " " });
            if at > 0 {
                sql.push_str(&query.joints[at - 1]);
                sql.push(' ');
            }
            sql.push_str(&condition(module, comparison)?);
        }
        sql.push_str(if query.conditions.is_empty() { "deleted=0" } else { ") AND deleted=0" });
        if !query.order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", query.order.join(",")));
            sql.push_str(if query.descending { " DESC" } else { "" });
        }
        let capped = |text: &String| text.parse().map_or(text.clone(), |count: usize| count.min(MOST).to_string());
        let limit = match query.limit.as_slice() {
            [] => MOST.to_string(),
            [count] => capped(count),
            [offset, count, ..] => format!("{offset},{}", capped(count)),
        };
        sql.push_str(&format!(" LIMIT {limit};"));
        Ok(sql)
    }
}

/// One condition as SQL: literals go over as they were spelt, ids as bare numbers.
fn condition(module: &super::definition::Module, comparison: &Comparison) -> Result<String, Refusal> {
    let Comparison { column, operator, values } = comparison;
    let kind = match (column.as_str(), module.field(column)) {
        ("id", _) => "reference",
        (_, Some(field)) => field.kind.as_str(),
        (_, None) => return Err(Refusal::access(format!("Permission to access {column} attribute denied."))),
    };
    let values = values
        .iter()
        .map(|value| match kind {
            "reference" | "owner" => {
                let (_, number) = parts(value.trim_matches(['\'', '"']))?;
                Ok(if operator == "LIKE" { format!("'{number}'") } else { number.to_string() })
            }
            _ => Ok(value.clone()),
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    Ok(match operator.as_str() {
        "IN" => format!("{column} IN ({})", values.join(",")),
        _ => format!("{column} {operator} {}", values.join(",")),
    })
}
