//! Recordings and files of messages as private files of their document: fetched, uploaded once, and pointed to.

use cordboard_sdk::crm;
use cordboard_sdk::records::Item;
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::Failure;

use crate::api::{Row, text};
use crate::deliver::{Prepared, Work};
use crate::refusal::Fault;
use crate::settings::{Media, Recordings};

/// After so many attempts a file that cannot be fetched is given up; the record has been written all the same.
const PATIENCE: u32 = 4;

/// A file that a record has.
struct Wanted {
    id: String,
    url: String,
    media_type: Option<String>,
    file_name: Option<String>,
}

impl Work<'_> {
    /// Attaches every file of the record that is not attached yet.
    pub(crate) fn attach(&self, prepared: &mut Prepared, name: &str) -> Result<(), Fault> {
        let (all, holds) = self.wanted(&prepared.change.item);
        for file in all {
            if prepared.memo.files.contains_key(&file.id) {
                continue;
            }
            match self.stored(prepared, name, &file) {
                Ok(url) => {
                    let first = prepared.memo.files.is_empty();
                    prepared.memo.files.insert(file.id.clone(), url.clone());
                    let target = &self.known.targets[&prepared.kind];
                    if let (Some(slot), true) = (holds.and_then(|holds| target.slot(holds)), first) {
                        let mut changed = Row::new();
                        changed.insert(slot.name.clone(), json!(url));
                        self.api.update(&target.doctype, name, &changed)?;
                    }
                }
                Err(Attached::Not(why)) => prepared.notes.push(format!("file: not attached: {why}")),
                Err(Attached::Fetch(failure)) => match failure {
                    Failure::Retryable(_) | Failure::RateLimited(_) if prepared.change.attempt < PATIENCE => {
                        return Err(Fault::Silent { failure: Failure::retryable(failure.why()), uncertain: false });
                    }
                    other => prepared.notes.push(format!("file: not attached: {}", other.why())),
                },
                Err(Attached::Fault(fault)) => return Err(fault),
            }
        }
        Ok(())
    }

    /// The files to attach, and the logical field that points to the first.
    fn wanted(&self, item: &Item) -> (Vec<Wanted>, Option<&'static str>) {
        match item {
            Item::Call(call) if self.settings.recording != Recordings::Link => {
                let recordings = call.linked_recordings().into_iter().filter_map(|it| {
                    let (id, url) = (it.id.clone(), it.url.clone()?);
                    Some(Wanted { id, url, media_type: it.media_type.clone(), file_name: None })
                });
                let points = (self.settings.recording == Recordings::File).then_some("recording_url");
                (recordings.collect(), points)
            }
            Item::Message(message) if self.settings.media == Media::File => {
                let files = message.media.iter().filter_map(|it| {
                    let (id, url) = (it.id.clone(), it.url.clone()?);
                    Some(Wanted { id, url, media_type: it.media_type.clone(), file_name: it.file_name.clone() })
                });
                (files.collect(), Some("attachment"))
            }
            _ => (vec![], None),
        }
    }

    fn stored(&self, prepared: &Prepared, name: &str, file: &Wanted) -> Result<String, Attached> {
        let doctype = &self.known.targets[&prepared.kind].doctype;
        let title = file_name(&prepared.key, file);
        // The same upload again would be another file on the same bytes.
        let filters =
            json!([["attached_to_doctype", "=", doctype], ["attached_to_name", "=", name], ["file_name", "=", title],]);
        let rows = self.api.list("File", &filters, &["name", "file_name", "file_url"], 1)?;
        if let Some(url) = rows.first().map(|row| text(row, "file_url")).filter(|url| !url.is_empty()) {
            return Ok(url.to_owned());
        }
        let limit = self.settings.file_limit << 20;
        let content = self.host.fetch(&file.url, limit).map_err(Attached::Fetch)?;
        if content.bytes.is_empty() {
            return Err(Attached::Not(format!("the file at {} is empty", file.url)));
        }
        let media_type = file.media_type.clone().or(content.media_type).unwrap_or_else(|| "audio/wav".into());
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        self.api.upload(doctype, name, &title, &media_type, content.bytes).map_err(|fault| {
            match Failure::from(fault.clone()) {
                // Too large for the site, of a type that this user may not upload, a picture or a PDF that is none.
                Failure::Rejected(rejected) => Attached::Not(rejected.why),
                _ => fault.into(),
            }
        })
    }
}

/// Why a file is not attached.
enum Attached {
    /// It cannot be, and why.
    Not(String),
    /// It could not be fetched.
    Fetch(Failure),
    /// Frappe refused, or did not answer.
    Fault(Fault),
}

impl From<Fault> for Attached {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A name that no other file has: after the record and the file, never what a stranger called it.
fn file_name(key: &str, file: &Wanted) -> String {
    let path = file.url.split(['?', '#']).next().unwrap_or_default();
    let ending = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let known = [
        "wav", "mp3", "ogg", "oga", "opus", "m4a", "flac", "gsm", "webm", "mp4", "jpg", "jpeg", "png", "webp", "gif",
        "pdf", "3gp", "vcf", "txt", "csv", "docx", "xlsx", "zip",
    ];
    let ending = [file.file_name.as_deref().and_then(ending), ending(path.rsplit('/').next().unwrap_or_default())]
        .into_iter()
        .flatten()
        .find(|ending| known.contains(&ending.as_str()))
        .unwrap_or_else(|| {
            match file.media_type.as_deref().and_then(|it| it.split(';').next()).unwrap_or_default() {
                "audio/mpeg" | "audio/mp3" => "mp3",
                "audio/ogg" => "ogg",
                "audio/mp4" => "m4a",
                "image/jpeg" => "jpg",
                "image/png" => "png",
                "image/webp" => "webp",
                "video/mp4" => "mp4",
                "application/pdf" => "pdf",
                "audio/wav" | "audio/x-wav" | "" => "wav",
                _ => "bin",
            }
            .to_owned()
        });
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let start: String = key.chars().map(safe).take(80).collect();
    format!("{start}-{}.{ending}", &crm::short(&file.id)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_record() {
        let file = |url: &str, kind: Option<&str>, name: Option<&str>| Wanted {
            id: "r1".into(),
            url: url.into(),
            media_type: kind.map(Into::into),
            file_name: name.map(Into::into),
        };
        let hash = &crm::short("r1")[..8];
        assert_eq!(file_name("5f1c", &file("https://p.test/b.WAV?sig=1", None, None)), format!("5f1c-{hash}.wav"));
        assert_eq!(
            file_name("a/b:c", &file("https://p.test/x.php", Some("audio/mpeg"), None)),
            format!("a-b-c-{hash}.mp3")
        );
        let named = file("https://p.test/x", Some("image/jpeg"), Some("../../<b>.JPG"));
        assert_eq!(file_name("m", &named), format!("m-{hash}.jpg"));
    }
}
