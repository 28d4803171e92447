//! Who may have called, and who answers.

use super::super::definition::{Field, Module};

/// A person's or company's module: its own fields, then those that all of them end with.
fn party(name: &str, label: &str, prefix: u32, id: &str, own: Vec<Field>) -> Module {
    let mut fields = own;
    fields.extend([
        Field::new("assigned_user_id", "Assigned To", "owner").required(),
        Field::new("createdtime", "Created Time", "datetime").fixed(),
        Field::new("modifiedtime", "Modified Time", "datetime").fixed(),
        Field::new("modifiedby", "Last Modified By", "reference").to(&["Users"]).fixed(),
        Field::new("description", "Description", "text"),
        Field::new("source", "Source", "string").fixed(),
        Field::new("starred", "starred", "boolean"),
        Field::new("tags", "tags", "string"),
    ]);
    let mut module = Module::new(name, label, prefix, fields);
    module.id_column = id.into();
    module
}

fn phone(name: &str, label: &str) -> Field {
    Field::new(name, label, "phone")
}

fn text(name: &str, label: &str, width: usize) -> Field {
    Field::new(name, label, "string").wide(width)
}

pub(super) fn modules() -> Vec<Module> {
    let contacts = party(
        "Contacts",
        "Contacts",
        12,
        "contactid",
        vec![
            text("firstname", "First Name", 40),
            text("contact_no", "Contact Id", 100).fixed(),
            phone("phone", "Office Phone"),
            text("lastname", "Last Name", 80).required(),
            phone("mobile", "Mobile Phone"),
            Field::new("account_id", "Organization Name", "reference").to(&["Accounts"]),
            phone("homephone", "Home Phone"),
            phone("otherphone", "Secondary Phone"),
            text("title", "Title", 50),
            phone("fax", "Fax"),
            Field::new("email", "Primary Email", "email"),
            phone("assistantphone", "Assistant Phone"),
        ],
    );
    let leads = party(
        "Leads",
        "Leads",
        10,
        "leadid",
        vec![
            text("firstname", "First Name", 40),
            text("lead_no", "Lead Number", 100).fixed(),
            phone("phone", "Primary Phone"),
            text("lastname", "Last Name", 80).required(),
            phone("mobile", "Mobile Phone"),
            text("company", "Company", 100),
            phone("fax", "Fax"),
            Field::new("email", "Primary Email", "email"),
            Field::new("leadstatus", "Lead Status", "picklist").wide(50),
        ],
    );
    let accounts = party(
        "Accounts",
        "Organizations",
        11,
        "accountid",
        vec![
            text("accountname", "Organization Name", 100).required(),
            text("account_no", "Organization Number", 100).fixed(),
            phone("phone", "Primary Phone"),
            Field::new("website", "Website", "url").wide(100),
            phone("fax", "Fax"),
            phone("otherphone", "Secondary Phone"),
            Field::new("email1", "Primary Email", "email"),
        ],
    );
    vec![contacts, leads, accounts, users(), groups()]
}

fn users() -> Module {
    let mut users = Module::new(
        "Users",
        "Users",
        19,
        vec![
            text("user_name", "User Name", 255).required(),
            Field::new("is_admin", "Admin", "boolean").or(Some("off")),
            text("first_name", "First Name", 30),
            text("last_name", "Last Name", 30).required(),
            Field::new("email1", "Email", "email").required(),
            Field::new("status", "Status", "picklist").wide(25).or(Some("Active")),
            text("title", "Title", 50),
            phone("phone_work", "Office Phone"),
            phone("phone_mobile", "Mobile"),
            phone("phone_crm_extension", "CRM Phone Extension"),
            text("time_zone", "Time Zone", 200).or(Some("UTC")),
        ],
    );
    users.entity = false;
    users.id_column = "id".into();
    users
}

fn groups() -> Module {
    let mut groups = Module::new(
        "Groups",
        "Groups",
        20,
        vec![text("groupname", "Group Name", 100).required(), text("description", "Description", 255)],
    );
    groups.entity = false;
    groups.id_column = "groupid".into();
    groups
}
