//! Recordings of calls: found where a source says that they are, fetched or converted where need be, and handed out as
//! files; and links to them that work without logging in.
//!
//! What is fetched or converted is kept in `data/recordings`, bounded in bytes, the longest unused going first. Nothing
//! here knows who asks: permission is looked at above.

mod convert;
mod copies;
mod gate;
mod kept;
mod link;
mod place;
mod sound;

use std::io::ErrorKind;
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
use gate::Gates;
use place::Place;
use sound::Unopened;

/// The largest file that is fetched: a day of telephone sound, uncompressed, is 1.3 GiB.
const FETCHED: u64 = 512 << 20;

/// How long fetching one may take.
const FETCHING: Duration = Duration::from_secs(120);

/// Fetches of one source at once, and how long one may wait for its turn.
const FETCHES: (usize, Duration) = (4, Duration::from_secs(30));

/// What is asked of one disk at once, and how long one may wait for its answer.
const DISK: (usize, Duration) = (8, Duration::from_secs(10));

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// There is a copy, of so many bytes.
    Done(u64),
    /// It may still be written.
    Early,
    /// It is not there, or could not be copied: again later.
    Failed(Uncopied),
}

/// Why a recording was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncopied {
    /// For people.
    pub why: String,
    /// It is not about this recording: the place where it is, or the storage, does not answer.
    pub general: bool,
}

/// Hands recordings out.
pub struct Recordings {
    kept: Kept,
    converter: Converter,
    /// None when nothing is to be copied; or why nothing can be.
    copies: Result<Option<Copies>, String>,
    /// Before each root.
    roots: Gates,
    /// Before each source that is fetched from.
    fetches: Gates,
}

impl Recordings {
    /// With a folder of its own for what is fetched and converted.
    pub async fn open(folder: PathBuf, serving: &Serving) -> Self {
        let copies = serving.copies.as_ref().map(Copies::open).transpose().map_err(|why| why.to_string());
        if let Err(why) = &copies {
            tracing::error!("no recording is copied: {why}");
        }
        Recordings {
            kept: Kept::open(folder, serving.cache).await,
            converter: Converter::new(serving.ffmpeg.clone(), serving.conversions),
            copies,
            roots: Gates::new(DISK.0, DISK.1),
            fetches: Gates::new(FETCHES.0, FETCHES.1),
        }
    }

    /// The recording as a file to be read.
    pub async fn sound(&self, wanted: &Wanted<'_>, format: Option<Format>) -> Result<Sound, Unserved> {
        let sound = match self.original(wanted).await {
            Err(gone @ (Unserved::Missing(..) | Unserved::Later(_))) => self.copied(wanted, gone).await?,
            sound => sound?,
        };
        let Some(format) = format.filter(|format| sound.format != Some(*format)) else { return Ok(sound) };
        let key = format!("{}.{}", digest(&[&sound.path.to_string_lossy(), &sound.tag]), format.ending());
        let name = format!("{}.{}", sound.stem(), format.ending());
        self.kept.sound(&key, name, async |to| self.converter.convert(&sound, &to, format).await).await
    }

    /// Sees to it that there is a copy of the recording, as long as the original: it may have been copied before it was
    /// whole. `known` is how long the copy is, when that was asked before.
    pub async fn copy(&self, wanted: &Wanted<'_>, known: Option<u64>) -> Copied {
        let copies = match &self.copies {
            Ok(Some(copies)) => copies,
            Ok(None) => return Copied::Early,
            Err(why) => return Copied::Failed(Uncopied { why: why.clone(), general: true }),
        };
        let over = wanted.call.phase == Some(CallPhase::Ended);
        if !over || wanted.settling().is_some() {
            return Copied::Early;
        }
        self.copy_into(copies, wanted, known).await.unwrap_or_else(|why| Copied::Failed(why.into()))
    }

    async fn copy_into(&self, copies: &Copies, wanted: &Wanted<'_>, known: Option<u64>) -> Result<Copied, CopyError> {
        let key = wanted.key();
        let copied = match known {
            Some(length) => Some(length),
            None => copies.length(&key).await?,
        };
        let place = place::of(wanted);
        let on_disk = matches!(place, Ok(Place::File { .. }));
        // How long a file behind a URL is would be known only by fetching it again.
        if let Some(length) = copied.filter(|_| !on_disk) {
            return Ok(Copied::Done(length));
        }
        let original = async { self.at(wanted, place?).await }.await;
        let whole = original.and_then(|sound| match sound.length {
            0 => Err(Unserved::Missing("it is empty".to_owned(), None)),
            _ => Ok(sound),
        });
        let sound = match whole {
            Ok(sound) => sound,
            Err(why) => return Ok(copied.map_or_else(|| Copied::Failed(why.into()), Copied::Done)),
        };
        let length = sound.length;
        if copied == Some(length) {
            return Ok(Copied::Done(length));
        }
        if on_disk && sound.modified.elapsed().is_ok_and(|age| age < SETTLING) {
            return Ok(Copied::Early);
        }
        copies.put(&key, sound).await?;
        self.kept.forget(&kept_copy(&key)).await;
        Ok(Copied::Done(length))
    }

    /// Where the source has it.
    async fn original(&self, wanted: &Wanted<'_>) -> Result<Sound, Unserved> {
        self.at(wanted, place::of(wanted)?).await
    }

    async fn at(&self, wanted: &Wanted<'_>, place: Place) -> Result<Sound, Unserved> {
        let (root, path) = match place {
            Place::File { root, path } => (root, path),
            Place::Web(url) => return self.fetched(wanted, &url).await,
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.opened(root, path, name).await.map_err(|why| match why {
            Unopened::Missing(why) => wanted.missing(why),
            Unopened::Away(why) => {
                tracing::warn!(tenant = wanted.tenant, %why, "a folder of recordings cannot be read");
                Unserved::Later("the place where the recording is does not answer".to_owned())
            }
        })
    }

    /// A file of a folder that may be mounted, and may not answer.
    async fn opened(&self, root: PathBuf, path: PathBuf, name: String) -> Result<Sound, Unopened> {
        let gate = self.roots.of(&root.to_string_lossy());
        let before = gate.clone();
        let opening = gate.blocking(move || sound::within(&root, &path, &name, before)).await;
        opening.map_err(|late| Unopened::Away(late.into()))?
    }

    /// What was copied of a recording that the source does not give; `gone` says why it does not.
    async fn copied(&self, wanted: &Wanted<'_>, gone: Unserved) -> Result<Sound, Unserved> {
        let copies = self.copies.as_ref().ok().and_then(Option::as_ref);
        let Some(copies) = copies.filter(|_| wanted.archive.is_some()) else { return Err(gone) };
        let key = wanted.key();
        let name = place::last(&wanted.recording.id);
        let unread = |why: &dyn std::fmt::Display| {
            tracing::warn!(tenant = wanted.tenant, call = wanted.record.id, "a copy cannot be read: {why}");
            Unserved::Later("the storage of copies does not answer".to_owned())
        };
        if let Some((root, path)) = copies.file(&key) {
            return self.opened(root, path, name).await.map_err(|why| match why {
                Unopened::Missing(_) => gone,
                Unopened::Away(why) => unread(&why),
            });
        }
        let bring = async |to: PathBuf| {
            let found = copies.find(&key).await.map_err(|why| match why {
                CopyError::None => gone.clone(),
                why => unread(&why),
            })?;
            self.kept.takes(found.length)?;
            found.save(&to).await.map_err(|why| unread(&why))
        };
        self.kept.sound(&kept_copy(&key), name, bring).await
    }

    async fn fetched(&self, wanted: &Wanted<'_>, url: &str) -> Result<Sound, Unserved> {
        let Some(source) = &wanted.source else {
            return Err(Unserved::Missing("its source is not configured any more".to_owned(), None));
        };
        let name_of_source = &wanted.record.subject.source;
        // While the call is young the file may still grow: what was fetched then does not stand for it later.
        let age = wanted.settling().map_or(String::new(), |_| Instant::now().millis().div_euclid(5_000).to_string());
        let key = format!("{}.fetched", digest(&[wanted.tenant, name_of_source, url, &age]));
        let name = url::Url::parse(url).ok().and_then(|url| url.path_segments()?.next_back().map(str::to_owned));
        let fetch = async |to: PathBuf| {
            let away = || Unserved::Later("the place where the recording is does not answer".to_owned());
            let gate = self.fetches.of(&digest(&[wanted.tenant, name_of_source]));
            let _place = gate.place().await.map_err(|_| away())?;
            let mut file = tokio::fs::File::create(&to).await.map_err(failed)?;
            let most = FETCHED.min(self.kept.most());
            let fetching = tokio::time::timeout(FETCHING, source.download(url, most, &mut file)).await;
            fetching.map_err(|_| away())?.map(drop).map_err(|failure| match failure {
                Failure::Rejected { code, why } if code == "404" || code == "410" => {
                    tracing::debug!(tenant = wanted.tenant, why, "a recording is not there");
                    wanted.missing("the PBX does not have it")
                }
                Failure::Rejected { code, why } if code == "too-large" => {
                    tracing::warn!(tenant = wanted.tenant, why, "a recording is too large to be fetched");
                    Unserved::Missing(format!("it has more than the {most} bytes that the hub fetches"), None)
                }
                later @ (Failure::Retryable { .. } | Failure::RateLimited { .. }) => {
                    tracing::warn!(tenant = wanted.tenant, "a recording cannot be fetched: {later}");
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

impl From<Unserved> for Uncopied {
    fn from(why: Unserved) -> Self {
        match why {
            Unserved::Missing(why, _) | Unserved::Form(why) => Uncopied { why, general: false },
            Unserved::Later(why) => Uncopied { why, general: true },
            Unserved::Failed => Uncopied { why: "the hub failed; its log says more".to_owned(), general: true },
        }
    }
}

impl From<CopyError> for Uncopied {
    fn from(why: CopyError) -> Self {
        let shorter = matches!(&why, CopyError::Original(why) if why.kind() == ErrorKind::UnexpectedEof);
        Uncopied { why: why.to_string(), general: !shorter }
    }
}

/// As what a copy is kept that was brought back.
fn kept_copy(key: &str) -> String {
    format!("{}.copy", digest(&[key]))
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
