//! Who may see, change and give away what.

use super::refusal::Refusal;
use super::store::{Account, Crm, Record};

/// The two parts of a webservice id.
pub fn parts(id: &str) -> Result<(u32, u64), Refusal> {
    let (prefix, number) = id.split_once('x').ok_or_else(Refusal::id)?;
    match (prefix.parse(), number.parse()) {
        (Ok(prefix), Ok(number)) => Ok((prefix, number)),
        _ => Err(Refusal::id()),
    }
}

impl Crm {
    /// Whether this user may use the module at all.
    pub fn may_use(&self, account: &Account, module: &str) -> bool {
        let hidden = module == "Users" && !account.admin && !account.top;
        self.modules.contains_key(module) && !self.forbidden.contains(module) && !hidden
    }

    /// Whether the user may see the record.
    pub fn may_see(&self, account: &Account, module: &str, record: &Record) -> bool {
        let private = self.modules.get(module).is_some_and(|module| module.private);
        let public = record.values.get("visibility").and_then(Option::as_deref) == Some("Public");
        !private || public || self.may_change(account, module, record)
    }

    /// Whether the user may change the record.
    pub fn may_change(&self, account: &Account, module: &str, record: &Record) -> bool {
        let private = self.modules.get(module).is_some_and(|module| module.private);
        let owner = record.values.get("assigned_user_id").and_then(Option::as_deref);
        !private || account.admin || account.top || owner == Some(account.number.to_string().as_str())
    }

    /// The record that an id names, with every check that comes before an operation on it.
    pub fn reach(&self, account: &Account, id: &str, change: bool) -> Result<(String, u64), Refusal> {
        let (prefix, number) = parts(id)?;
        let Some(named) = self.module_of(prefix) else {
            return Err(Refusal::access("Permission to perform the operation is denied for id"));
        };
        let module = if named.entity {
            // The real module of the number is looked up first: a record that is not there has none.
            self.module_with(number).ok_or_else(Refusal::denied)?
        } else {
            named.name.as_str()
        };
        if !self.may_use(account, module) {
            return Err(Refusal::denied());
        }
        if module != named.name {
            return Err(Refusal::id());
        }
        let record = self.record(module, number).ok_or_else(Refusal::denied)?;
        let allowed =
            if change { self.may_change(account, module, record) } else { self.may_see(account, module, record) };
        if !allowed {
            return Err(Refusal::access("Permission to read given object is denied"));
        }
        Ok((module.to_owned(), number))
    }

    /// The number that an owner is stored by.
    pub fn owner(&self, account: &Account, given: &str) -> Result<u64, Refusal> {
        if !given.is_empty() && given.chars().all(|c| c.is_ascii_digit()) {
            // A bare number is no id: an administrator gets the record, whatever was meant.
            return if account.admin { Ok(account.number) } else { Err(Refusal::owner()) };
        }
        let (prefix, number) = parts(given)?;
        if account.admin {
            return Ok(number);
        }
        let own = self.module_of(prefix).is_some_and(|module| module.name == "Users") && number == account.number;
        let below = account.top && self.record("Users", number).is_some();
        if own || below { Ok(number) } else { Err(Refusal::owner()) }
    }
}
