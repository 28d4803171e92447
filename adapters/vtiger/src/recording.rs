//! Recordings as documents of the person: fetched, uploaded, proved to be stored, related, and proved to be related.

use cordboard_sdk::crm;
use cordboard_sdk::records::{Call, Recording};
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::Failure;

use crate::api::{Row, field};
use crate::deliver::Work;
use crate::memo::{Linked, Memo};
use crate::owner::Owner;
use crate::refusal::Fault;
use crate::settings::Recordings;
use crate::vtql;

/// After so many attempts a file that cannot be fetched is given up; the call has been logged all the same.
const PATIENCE: u32 = 4;

impl Work<'_> {
    /// Attaches every recording of the call that is not attached yet.
    pub(crate) fn attach(
        &self,
        call: &Call,
        key: &str,
        owner: &Owner,
        attempt: u32,
        memo: &mut Memo,
        notes: &mut Vec<String>,
    ) -> Result<(), Fault> {
        if self.settings.recording != Recordings::Document {
            return Ok(());
        }
        for recording in call.linked_recordings() {
            if memo.documents.contains_key(&recording.id) {
                continue;
            }
            let Some(person) = memo.person.clone() else {
                notes.push(
                    "recording: not attached, since nobody is linked; documents hang on people, not on calls".into(),
                );
                return Ok(());
            };
            match self.document(recording, key, owner, &person, notes) {
                Ok(document) => {
                    memo.documents.insert(recording.id.clone(), document);
                }
                Err(Attached::Not(why)) => notes.push(format!("recording: not attached: {why}")),
                Err(Attached::Fault(fault)) => return Err(fault),
                Err(Attached::Fetch(failure)) => match failure {
                    Failure::Retryable(_) | Failure::RateLimited(_) if attempt < PATIENCE => {
                        return Err(Fault::Silent { failure: Failure::retryable(failure.why()), uncertain: false });
                    }
                    other => notes.push(format!("recording: not attached: {}", other.why())),
                },
            }
        }
        Ok(())
    }

    fn document(
        &self,
        recording: &Recording,
        key: &str,
        owner: &Owner,
        person: &Linked,
        notes: &mut Vec<String>,
    ) -> Result<String, Attached> {
        let url = recording.url.as_deref().unwrap_or_default();
        let title = title(key, &recording.id);
        if let Some(document) = self.standing_document(&title)? {
            self.relate(&document, &title, person)?;
            return Ok(document);
        }
        let limit = self.settings.recording_limit << 20;
        let content = self.host.fetch(url, limit).map_err(Attached::Fetch)?;
        if content.bytes.is_empty() {
            return Err(Attached::Not(format!("the file at {url} is empty")));
        }
        let size = content.bytes.len();
        let media_type = recording.media_type.clone().or(content.media_type).unwrap_or_else(|| "audio/wav".into());
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        let name = file_name(key, url, &media_type);
        // Whoever may not read users may give nothing to them.
        let owner = if self.known.users.is_some() { &owner.id } else { &self.known.user };
        let element: Row = [
            ("notes_title", json!(title)),
            ("assigned_user_id", json!(owner)),
            ("filename", json!(name)),
            ("filetype", json!(media_type)),
            ("filelocationtype", json!("I")),
            ("filestatus", json!(1)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let stored = self.api.upload(&element, &name, &media_type, content.bytes)?;
        let document = field(&stored, "id").to_owned();
        // Success does not mean stored: a file over PHP's limit is dropped and nobody is told.
        let kept = !field(&stored, "imageattachmentids").is_empty() && field(&stored, "filesize") == size.to_string();
        if !kept {
            self.api.delete(&document)?;
            return Err(Attached::Not(format!(
                "Vtiger kept nothing of {size} bytes; PHP's `upload_max_filesize` is probably less"
            )));
        }
        self.owned(&document, "assigned_user_id", owner, stored, notes)?;
        self.relate(&document, &title, person)?;
        Ok(document)
    }

    /// A document of this title that really has its file.
    fn standing_document(&self, title: &str) -> Result<Option<String>, Fault> {
        let Some(literal) = vtql::literal(title) else { return Ok(None) };
        let rows = self.api.query(&format!(
            "SELECT id,notes_title,filesize,filelocationtype FROM Documents WHERE notes_title = {literal} LIMIT 0,5;"
        ))?;
        let whole = |row: &&Row| {
            let size: u64 = field(row, "filesize").parse().unwrap_or_default();
            field(row, "notes_title") == title && field(row, "filelocationtype") == "I" && size > 0
        };
        Ok(rows.iter().find(whole).map(|row| field(row, "id").to_owned()))
    }

    fn relate(&self, document: &str, title: &str, person: &Linked) -> Result<(), Attached> {
        if self.related(document, title, person)? {
            return Ok(());
        }
        self.api.add_related(&person.id, document, "Documents")?;
        if self.related(document, title, person)? {
            Ok(())
        } else {
            Err(Attached::Not(format!("Vtiger did not relate the document {document} to {}", person.name)))
        }
    }

    fn related(&self, document: &str, title: &str, person: &Linked) -> Result<bool, Fault> {
        let Some(literal) = vtql::literal(title) else { return Ok(false) };
        // Asked by title, for a person may have more documents than one answer holds.
        let query = format!("SELECT id,notes_title FROM Documents WHERE notes_title = {literal}");
        match self.api.query_related(&query, &person.id, "Documents") {
            Ok(rows) => Ok(rows.iter().any(|row| field(row, "id") == document)),
            Err(fault) if fault.is_gone() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// Why a recording is not attached.
enum Attached {
    /// It cannot be, and why.
    Not(String),
    /// It could not be fetched.
    Fetch(Failure),
    /// Vtiger refused, or did not answer.
    Fault(Fault),
}

impl From<Fault> for Attached {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Names the call and the recording, in letters that can be asked for again.
fn title(key: &str, recording: &str) -> String {
    format!("Call {key} recording {}", crm::short(recording))
}

fn file_name(key: &str, url: &str, media_type: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let ending = last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let sound = ["wav", "mp3", "ogg", "oga", "opus", "m4a", "flac", "gsm", "webm", "mp4"];
    let ending = ending.filter(|ending| sound.contains(&ending.as_str())).unwrap_or_else(|| {
        match media_type {
            "audio/mpeg" | "audio/mp3" => "mp3",
            "audio/ogg" => "ogg",
            "audio/mp4" => "m4a",
            _ => "wav",
        }
        .to_owned()
    });
    let name: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    format!("{name}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_call() {
        assert_eq!(file_name("5f1c", "https://pbx.test/a/b.WAV?sig=1", "audio/x-wav"), "5f1c.wav");
        assert_eq!(file_name("a/b:c", "https://pbx.test/play.php", "audio/mpeg"), "a-b-c.mp3");
    }
}
