//! Files of documents: taken with an upload, or dropped without a word.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::access::parts;
use super::refusal::{Answer, Refusal};
use super::store::{Crm, File};
use super::wire::Part;

/// Endings that a web server might run.
const DANGEROUS: [&str; 12] = ["php", "php3", "php4", "php5", "pl", "cgi", "py", "asp", "jsp", "js", "vbs", "html"];

impl Crm {
    /// Keeps the uploaded file with the document that has just been made, if everything is as it must be.
    pub fn attach(&mut self, document: u64, element: &Map<String, Value>, parts: Vec<Part>) {
        let internal = element.get("filelocationtype").and_then(Value::as_str) == Some("I");
        let Some(part) = parts.into_iter().find(|part| part.file_name.is_some()) else { return };
        let name = part.file_name.clone().unwrap_or_default();
        let kept = internal && !part.bytes.is_empty() && part.bytes.len() <= self.upload_limit;
        let Some(mut record) = self.record("Documents", document).cloned() else { return };
        if self.loses_files {
            record.values.insert("filesize".into(), Some(part.bytes.len().to_string()));
        } else if kept {
            let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            let name = if DANGEROUS.contains(&ending.as_str()) { format!("{name}file.txt") } else { name };
            record.values.insert("filename".into(), Some(name.clone()));
            record.values.insert("filetype".into(), Some(part.media_type.clone()));
            record.values.insert("filesize".into(), Some(part.bytes.len().to_string()));
            let number = self.take_number();
            self.files.insert(number, File { document, name, media_type: part.media_type, bytes: part.bytes });
        } else {
            record.values.insert("filesize".into(), Some("0".into()));
        }
        self.put("Documents", record);
    }

    /// The bytes of an attachment.
    pub fn files_retrieve(&self, id: &str) -> Answer {
        let (_, number) = parts(id)?;
        let file = self
            .files
            .get(&number)
            .ok_or_else(|| Refusal::said("RECORD_NOT_FOUND", "Record you are trying to access is not found"))?;
        Ok(json!([{
            "fileid": number.to_string(), "filename": file.name, "filetype": file.media_type,
            "filesize": file.bytes.len(), "filecontents": STANDARD.encode(&file.bytes),
        }]))
    }
}
