//! What is attached to messages, as files: fetched early, because links of messengers expire, kept in `data/media`, and
//! handed out.
//!
//! Keeping, links and answers are those of recordings. Nothing here decides when something is fetched, or knows who asks.

mod kind;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::components::Use;
use crate::components::contract::Failure;
use crate::config::Fetching;
use crate::model::message;
use crate::recordings::{Kept, Sound, Unserved, digest, failed};
use crate::store::Record;

/// Something attached that is asked for.
pub struct Attached<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// The record of the message.
    pub record: &'a Record,
    /// Which of its media.
    pub media: &'a message::Media,
    /// What fetches: the source that reported it.
    pub source: Option<Arc<Use>>,
}

/// The files of media.
pub struct Media {
    kept: Kept,
    fetching: Fetching,
    at_once: Semaphore,
}

impl Media {
    /// With a folder of its own.
    pub async fn open(folder: PathBuf, fetching: Fetching) -> Self {
        Media { kept: Kept::open(folder, fetching.space).await, fetching, at_once: Semaphore::new(fetching.at_once) }
    }

    /// Whether the file is there.
    pub fn has(&self, attached: &Attached<'_>) -> bool {
        self.kept.has(&attached.key())
    }

    /// The file, fetched if it is not there: once for all who ask meanwhile.
    pub async fn file(&self, attached: &Attached<'_>) -> Result<Sound, Unserved> {
        let name = attached.media.file_name.clone().unwrap_or_else(|| "attachment".to_owned());
        let fetch = async |to: PathBuf| self.fetch(attached, to).await;
        let mut file = self.kept.sound(&attached.key(), name, fetch).await?;
        let (media_type, inline) =
            kind::served(&mut file.file, attached.media.media_type.as_deref()).map_err(failed)?;
        (file.media_type, file.inline) = (media_type, inline);
        Ok(file)
    }

    async fn fetch(&self, attached: &Attached<'_>, to: PathBuf) -> Result<(), Unserved> {
        let missing = |why: &str| Unserved::Missing(why.to_owned(), None);
        let url = attached.media.url.as_deref().ok_or_else(|| missing("the source reported no link to it"))?;
        if !url.starts_with("https://") {
            return Err(missing("its link is not https"));
        }
        if attached.media.size.is_some_and(|size| size > self.fetching.size) {
            return Err(missing("it is larger than the hub fetches"));
        }
        let Some(source) = &attached.source else { return Err(missing("its source is not configured any more")) };
        let later = |why: &str| Unserved::Later(why.to_owned());
        let _place = self.at_once.acquire().await.map_err(|_| Unserved::Failed)?;
        let mut file = tokio::fs::File::create(&to).await.map_err(failed)?;
        let fetching = source.download(url, self.fetching.size, &mut file);
        let fetched = tokio::time::timeout(self.fetching.timeout, fetching).await;
        let kind = match fetched.map_err(|_| later("the place where it is does not answer in time"))? {
            Ok(kind) => kind,
            Err(Failure::Rejected { code, .. }) if code == "too-large" => {
                return Err(missing("it is larger than the hub fetches"));
            }
            Err(Failure::Rejected { code, .. }) if code == "insecure" => {
                return Err(missing("its link leads away from https"));
            }
            Err(Failure::Rejected { code, .. }) if code == "redirects" => {
                return Err(missing("its link leads on and on, and to no file"));
            }
            Err(Failure::Rejected { code, .. }) => {
                return Err(missing(&format!("the place where it was answers {code}: its link has expired, say")));
            }
            Err(Failure::Misconfigured { .. }) => {
                return Err(missing("the host of its link is not in the source's `allow`"));
            }
            Err(why) => {
                tracing::debug!(tenant = attached.tenant, message = attached.record.id, "media is not fetched: {why}");
                return Err(later("the place where it is does not answer"));
            }
        };
        // A page that says something about the file is not the file.
        let page = |kind: &str| kind.trim_start().to_ascii_lowercase().starts_with("text/html");
        if kind.as_deref().is_some_and(page) && !attached.media.media_type.as_deref().is_some_and(page) {
            return Err(missing("a page came in its place: its link has expired, say"));
        }
        Ok(())
    }
}

impl Attached<'_> {
    fn key(&self) -> String {
        let subject = &self.record.subject;
        digest(&[self.tenant, &subject.source, &subject.id, &self.media.id])
    }
}
