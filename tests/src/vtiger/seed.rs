//! The people of the recorded server, and a way to add others.

use std::collections::HashMap;

use super::store::{Account, Crm, Record};

/// The access key of the user `hub`.
pub const HUB_KEY: &str = "b71UgJOy33Qz3mYZ";

impl Crm {
    /// A user: name, access key, first and last name, extension (`None` for one that was never set).
    pub fn add_user(&mut self, account: Account, first: &str, last: &str, extension: Option<&str>) {
        let admin = if account.admin { "on" } else { "off" };
        let mail = format!("{}@example.com", account.name);
        let status = if account.active { "Active" } else { "Inactive" };
        let values = [
            ("user_name", Some(account.name.as_str())),
            ("is_admin", Some(admin)),
            ("first_name", Some(first)),
            ("last_name", Some(last)),
            ("email1", Some(mail.as_str())),
            ("status", Some(status)),
            ("phone_crm_extension", extension),
            ("time_zone", Some("UTC")),
        ];
        self.seed("Users", account.number, &values);
        self.accounts.push(account);
    }

    /// A record with the given values and number; what is not given is as after a create that left it out.
    pub fn seed(&mut self, module: &str, number: u64, given: &[(&str, Option<&str>)]) {
        let mut values: HashMap<String, Option<String>> = self
            .modules
            .get(module)
            .map(|module| module.fields.iter().map(|field| (field.name.clone(), field.default.clone())).collect())
            .unwrap_or_default();
        values.insert("id".into(), Some(number.to_string()));
        for (name, value) in given {
            values.insert((*name).into(), value.map(str::to_owned));
        }
        self.put(module, Record { number, values, creator: 1, deleted: false });
    }

    /// A person or company of one's own: the fields by name, the owner a user's number. Gives the webservice id.
    pub fn add(&mut self, module: &str, owner: u64, fields: &[(&str, &str)]) -> String {
        let number = self.take_number();
        let owner = owner.to_string();
        let mut given: Vec<(&str, Option<&str>)> = vec![("assigned_user_id", Some(owner.as_str()))];
        given.extend(fields.iter().map(|(name, value)| (*name, Some(*value))));
        self.seed(module, number, &given);
        self.id(module, number)
    }

    /// The recorded server before its first recorded call.
    pub fn recorded() -> Self {
        let mut crm = Self::default();
        let account = |number, name: &str, key: &str, admin| Account {
            number,
            name: name.into(),
            key: key.into(),
            admin,
            top: false,
            active: true,
        };
        crm.add_user(account(1, "admin", "adminAccessKey01", true), "Ad", "Min", None);
        crm.add_user(account(5, "agent1", "agent1AccessKey1", false), "Agent", "One", Some("101"));
        crm.add_user(account(6, "agent2", "agent2AccessKey2", false), "Agent", "Two", Some("102"));
        crm.add_user(account(7, "hub", HUB_KEY, true), "Comms", "Hub", Some(""));
        for (number, name, about) in [
            (2, "Team Selling", "Group Related to Sales"),
            (3, "Marketing Group", "Group Related to Marketing Activities"),
            (4, "Support Group", "Group Related to providing Support to Customers"),
        ] {
            crm.seed("Groups", number, &[("groupname", Some(name)), ("description", Some(about))]);
        }
        let folder = [
            ("foldername", Some("Default")),
            ("description", Some("This is a Default Folder")),
            ("createdby", None),
            ("sequence", Some("1")),
        ];
        crm.seed("DocumentFolders", 1, &folder);
        let mut party = |module: &str, number, owner, given: &[(&str, &str)]| {
            let mut values = vec![("assigned_user_id", Some(owner))];
            values.extend(given.iter().map(|(name, value)| (*name, Some(*value))));
            crm.seed(module, number, &values);
        };
        party("Accounts", 2, "1", &[("accountname", "Contoso Ltd"), ("phone", "+44 20 7946 0000")]);
        let one = [
            ("firstname", "Caller"),
            ("lastname", "O'One"),
            ("phone", "+44 20 7946 0123"),
            ("mobile", "07700 900123"),
            ("account_id", "2"),
        ];
        party("Contacts", 3, "5", &one);
        let two = [("firstname", "Caller"), ("lastname", "Zwölf & Söhne"), ("phone", "(020) 7946-0456")];
        party("Contacts", 4, "6", &two);
        party("Contacts", 5, "1", &[("firstname", "Plain"), ("lastname", "Digits"), ("phone", "442079460999")]);
        party("Leads", 6, "2", &[("lastname", "Leadone"), ("company", "Lead Co"), ("phone", "+33 1 99 00 11 22")]);
        crm
    }
}
