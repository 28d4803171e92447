//! Documents, their folders, and comments.

use super::super::definition::{Field, Module};

pub(super) fn modules() -> Vec<Module> {
    vec![documents(), folders(), comments()]
}

fn text(name: &str, label: &str, width: usize) -> Field {
    Field::new(name, label, "string").wide(width)
}

fn documents() -> Module {
    let mut documents = Module::new(
        "Documents",
        "Documents",
        15,
        vec![
            text("notes_title", "Title", 255).required(),
            Field::new("createdtime", "Created Time", "datetime").fixed(),
            Field::new("modifiedtime", "Modified Time", "datetime").fixed(),
            Field::new("filename", "File Name", "file").wide(200),
            Field::new("assigned_user_id", "Assigned To", "owner").required(),
            Field::new("notecontent", "Note", "text"),
            text("filetype", "File Type", 50).fixed(),
            Field::new("filesize", "File Size", "integer").fixed(),
            text("filelocationtype", "Download Type", 5),
            text("fileversion", "Version", 50),
            Field::new("filestatus", "Active", "boolean"),
            Field::new("filedownloadcount", "Download Count", "integer").fixed().or(Some("")),
            Field::new("folderid", "Folder Name", "reference").to(&["DocumentFolders"]),
            text("note_no", "Document No", 100).fixed(),
            Field::new("modifiedby", "Last Modified By", "reference").to(&["Users"]).fixed(),
            text("source", "Source", 100).fixed(),
            Field::new("starred", "starred", "boolean"),
            text("tags", "tags", 1),
        ],
    );
    documents.id_column = "notesid".into();
    documents
}

fn folders() -> Module {
    let mut folders = Module::new(
        "DocumentFolders",
        "DocumentFolders",
        22,
        vec![
            text("foldername", "Folder Name", 200).required(),
            text("description", "Description", 250),
            Field::new("createdby", "Created By", "reference").to(&["Users"]),
            Field::new("sequence", "Sequence", "integer"),
        ],
    );
    folders.entity = false;
    folders.id_column = "folderid".into();
    folders
}

fn comments() -> Module {
    let mut comments = Module::new(
        "ModComments",
        "Comments",
        30,
        vec![
            Field::new("commentcontent", "Comment", "text").required(),
            Field::new("assigned_user_id", "Assigned To", "owner").required(),
            Field::new("createdtime", "Created Time", "datetime").fixed(),
            Field::new("modifiedtime", "Modified Time", "datetime").fixed(),
            Field::new("related_to", "Related To", "reference").to(&["Leads", "Contacts", "Accounts"]).required(),
            Field::new("creator", "Creator", "reference").to(&["Users"]).fixed(),
            Field::new("parent_comments", "Related To Comments", "reference").to(&["ModComments"]),
            text("source", "Source", 100).fixed(),
            Field::new("customer", "Customer", "reference").to(&["Contacts"]),
            Field::new("userid", "User", "reference").to(&["Users"]),
            text("reasontoedit", "Reason To Edit", 100),
            Field::new("is_private", "Is Private", "boolean"),
            Field::new("filename", "Attachment", "file"),
            Field::new("related_email_id", "Related Email Id", "integer"),
        ],
    );
    comments.id_column = "modcommentsid".into();
    comments
}
