//! Recordings of calls: found where a source says that they are, fetched or converted where need be, and handed out as
//! files; and links to them that work without logging in.
//!
//! What is fetched or converted is kept in `data/recordings`, bounded in bytes, the longest unused going first. Nothing
//! here knows who asks: permission is looked at above.

mod convert;
mod copies;
mod kept;
mod link;
mod place;
mod sound;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use convert::Format;
pub(crate) use kept::Kept;
pub use link::{LinkError, Links, Part, short};
pub use sound::Sound;

use crate::components::Use;
use crate::components::contract::Failure;
use crate::config::{Archive, Serving};
use crate::model::call::{CallPhase, Recording};
use crate::model::{Call, Instant};
use crate::store::Record;
use convert::Converter;
use copies::{Copies, CopyError};
use place::Place;

/// The largest file that is fetched: a day of telephone sound, uncompressed, is 1.3 GiB.
const FETCHED: u64 = 512 << 20;

/// How long fetching one may take.
const FETCHING: Duration = Duration::from_secs(120);

/// A recording is written to its end a moment after the call.
const SETTLING: Duration = Duration::from_secs(60);

/// When to ask again for a recording that is being written.
const AGAIN: Duration = Duration::from_secs(5);

/// Why a recording is not handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// There is none, for people; perhaps after this time.
    Missing(String, Option<Duration>),
    /// The place where it is does not answer, or too much is under way: later.
    Later(String),
    /// It cannot be had in this form.
    Form(String),
    /// The hub failed; the log says more.
    Failed,
}

/// A recording that is asked for.
pub struct Wanted<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// The record of the call.
    pub record: &'a Record,
    /// The call itself.
    pub call: &'a Call,
    /// Which of its recordings.
    pub recording: &'a Recording,
    /// Where the source's recordings are, if its configuration says so.
    pub archive: Option<&'a Archive>,
    /// What fetches: the source that reported it.
    pub source: Option<Arc<Use>>,
}

/// What came of copying a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// There is a copy.
    Done,
    /// It may still be written.
    Early,
    /// It is not there, or could not be copied: again later.
    Failed,
}

/// Hands recordings out.
pub struct Recordings {
    kept: Kept,
    converter: Converter,
    copies: Option<Copies>,
}

impl Recordings {
    /// With a folder of its own for what is fetched and converted.
    pub async fn open(folder: PathBuf, serving: &Serving) -> Self {
        let converter = Converter::new(serving.ffmpeg.clone(), serving.conversions);
        let opened = serving.copies.as_ref().map(Copies::open).transpose();
        let copies = opened.unwrap_or_else(|why| {
            tracing::error!("no recording is copied: {why}");
            None
        });
        Recordings { kept: Kept::open(folder, serving.cache).await, converter, copies }
    }

    /// The recording as a file to be read.
    pub async fn sound(&self, wanted: &Wanted<'_>, format: Option<Format>) -> Result<Sound, Unserved> {
        let sound = match self.original(wanted).await {
            Err(gone @ (Unserved::Missing(..) | Unserved::Later(_))) => self.copied(wanted, gone).await?,
            sound => sound?,
        };
        let Some(format) = format.filter(|format| format.media_type() != sound.media_type) else { return Ok(sound) };
        let key = format!("{}.{}", digest(&[&sound.path.to_string_lossy(), &sound.tag]), format.ending());
        let name = format!("{}.{}", sound.stem(), format.ending());
        let from = sound.path.clone();
        self.kept.sound(&key, name, async |to| self.converter.convert(&from, &to, format).await).await
    }

    /// Sees to it that there is a copy of the recording.
    pub async fn copy(&self, wanted: &Wanted<'_>) -> Copied {
        let over = wanted.call.phase == Some(CallPhase::Ended);
        let Some(copies) = self.copies.as_ref().filter(|_| over && wanted.settling().is_none()) else {
            return Copied::Early;
        };
        let key = wanted.key();
        let copying = async {
            if copies.has(&key).await? {
                return Ok(true);
            }
            match self.original(wanted).await {
                Ok(sound) => copies.put(&key, sound).await.map(|()| true),
                Err(_) => Ok(false),
            }
        };
        match copying.await {
            Ok(true) => Copied::Done,
            Ok(false) => Copied::Failed,
            Err::<_, CopyError>(why) => {
                tracing::warn!(tenant = wanted.tenant, call = wanted.record.id, "a recording was not copied: {why}");
                Copied::Failed
            }
        }
    }

    /// Where the source has it.
    async fn original(&self, wanted: &Wanted<'_>) -> Result<Sound, Unserved> {
        match place::of(wanted)? {
            Place::File { root, path } => {
                // A folder that is mounted can let one wait.
                let opening = tokio::task::spawn_blocking(move || sound::within(&root, &path));
                opening.await.map_err(|_| Unserved::Failed)?.map_err(|missing| wanted.missing(missing))
            }
            Place::Web(url) => self.fetched(wanted, &url).await,
        }
    }

    /// What was copied of a recording that the source does not give; `gone` says why it does not.
    async fn copied(&self, wanted: &Wanted<'_>, gone: Unserved) -> Result<Sound, Unserved> {
        let Some(copies) = self.copies.as_ref().filter(|_| wanted.archive.is_some()) else { return Err(gone) };
        let key = wanted.key();
        let name = place::last(&wanted.recording.id);
        let bring = async |to: PathBuf| {
            copies.get(&key, &to).await.map_err(|why| match why {
                CopyError::None => gone.clone(),
                why => {
                    tracing::warn!(tenant = wanted.tenant, call = wanted.record.id, "a copy cannot be read: {why}");
                    Unserved::Later("the storage of copies does not answer".to_owned())
                }
            })
        };
        self.kept.sound(&format!("{}.copy", digest(&[&key])), name, bring).await
    }

    async fn fetched(&self, wanted: &Wanted<'_>, url: &str) -> Result<Sound, Unserved> {
        let Some(source) = &wanted.source else {
            return Err(Unserved::Missing("its source is not configured any more".to_owned(), None));
        };
        // While the call is young the file may still grow: what was fetched then does not stand for it later.
        let age = wanted.settling().map_or(String::new(), |_| Instant::now().millis().div_euclid(5_000).to_string());
        let key = format!("{}.fetched", digest(&[wanted.tenant, &wanted.record.subject.source, url, &age]));
        let name = url::Url::parse(url).ok().and_then(|url| url.path_segments()?.next_back().map(str::to_owned));
        let fetch = async |to: PathBuf| {
            let mut file = tokio::fs::File::create(&to).await.map_err(failed)?;
            let away = || Unserved::Later("the place where the recording is does not answer".to_owned());
            let fetching = tokio::time::timeout(FETCHING, source.download(url, FETCHED, &mut file)).await;
            fetching.map_err(|_| away())?.map(drop).map_err(|failure| match failure {
                Failure::Rejected { code, why } if code == "404" || code == "410" => {
                    tracing::debug!(tenant = wanted.tenant, why, "a recording is not there");
                    wanted.missing("the PBX does not have it")
                }
                Failure::Retryable { why, .. } => {
                    tracing::warn!(tenant = wanted.tenant, why, "a recording cannot be fetched");
                    away()
                }
                other => {
                    tracing::warn!(tenant = wanted.tenant, "a recording cannot be fetched: {other}");
                    Unserved::Missing("it cannot be fetched; the hub's log says why".to_owned(), None)
                }
            })
        };
        self.kept.sound(&key, name.unwrap_or_default(), fetch).await
    }
}

impl Wanted<'_> {
    /// Under which its copy is.
    fn key(&self) -> String {
        Copies::key(self.tenant, &self.record.subject.source, &self.recording.id)
    }

    /// When to ask again, while the recording may still be written.
    fn settling(&self) -> Option<Duration> {
        let ended = self.call.ended_at.unwrap_or(self.record.updated_at);
        (ended.after(SETTLING) > Instant::now()).then_some(AGAIN)
    }

    /// That there is no such recording, or not yet.
    fn missing(&self, why: &str) -> Unserved {
        match self.settling() {
            Some(after) => {
                Unserved::Missing(format!("{why}; it may still be written, since the call is young"), Some(after))
            }
            None => Unserved::Missing(why.to_owned(), None),
        }
    }
}

/// What a folder for files fails with.
pub(crate) fn failed(why: std::io::Error) -> Unserved {
    tracing::error!(%why, "a folder for files cannot be used");
    Unserved::Failed
}

/// Names a file by what it was made of.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}
