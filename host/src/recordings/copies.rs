//! Copies of recordings in a storage of one's own: a folder, or a bucket of S3 or of what speaks like it. A PBX keeps its
//! files for a while only; what was copied can be heard later.
//!
//! The storage itself is the truth of what has been copied: there is no list of it elsewhere.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, GetResult, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, path};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::gate::{Gate, Late};
use super::{FETCHING, Sound, digest};
use crate::config::{Storage, StoragePlace};

/// A person may be waiting for the sound, and what is copied is tried again later anyway.
const PATIENCE: Duration = Duration::from_secs(20);

/// Questions to the storage at once.
const QUESTIONS: usize = 16;

/// Copies that are made at once, and for how long one may wait and take.
const UPLOADS: (usize, Duration) = (8, Duration::from_secs(3600));

/// Copies that are brought back at once, and for how long one may wait.
const FETCHES: (usize, Duration) = (4, Duration::from_secs(30));

/// Bytes that are sent at once: what is larger goes in parts of this size.
const PART: u64 = 8 << 20;

/// Where copies are.
pub(super) struct Copies {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    folder: Option<PathBuf>,
    questions: Gate,
    uploads: Gate,
    fetches: Gate,
}

/// Why a copy was not made or not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// There is none.
    #[error("there is no copy")]
    None,
    /// The storage.
    #[error("the storage of copies: {0}")]
    Storage(#[from] object_store::Error),
    /// The storage, for too long.
    #[error("the storage of copies: {0}")]
    Late(#[from] Late),
    /// What is to be copied.
    #[error("the file cannot be read: {0}")]
    Original(std::io::Error),
    /// A file of this machine.
    #[error("a file cannot be written: {0}")]
    File(#[from] std::io::Error),
}

impl Copies {
    /// A storage as it is configured. Nothing is asked of it yet.
    pub fn open(storage: &Storage) -> Result<Self, CopyError> {
        match &storage.place {
            StoragePlace::Folder(folder) => {
                std::fs::create_dir_all(folder)?;
                let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(false);
                Ok(Copies::at(Arc::new(store), String::new(), Some(folder.clone())))
            }
            StoragePlace::S3 { bucket, prefix, region, endpoint, access_key, secret_key } => {
                // Fails when another part of the program has chosen one already, which is as well.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let plain = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(bucket)
                    .with_region(region)
                    .with_access_key_id(access_key.reveal())
                    .with_secret_access_key(secret_key.reveal())
                    .with_retry(RetryConfig { max_retries: 2, retry_timeout: PATIENCE, ..RetryConfig::default() })
                    .with_client_options(ClientOptions::new().with_allow_http(plain).with_timeout(FETCHING));
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                Ok(Copies::at(Arc::new(builder.build()?), format!("{prefix}/"), None))
            }
        }
    }

    fn at(store: Arc<dyn ObjectStore>, prefix: String, folder: Option<PathBuf>) -> Self {
        let questions = Gate::new(QUESTIONS, PATIENCE);
        let (uploads, fetches) = (Gate::new(UPLOADS.0, UPLOADS.1), Gate::new(FETCHES.0, FETCHES.1));
        Copies { store, prefix, folder, questions, uploads, fetches }
    }

    /// By what the source calls the recording: a record may be joined into another one, its recordings stay what they
    /// are.
    pub fn key(tenant: &str, source: &str, recording: &str) -> String {
        format!("{tenant}/{source}/{}", digest(&[recording]))
    }

    fn path(&self, key: &str) -> path::Path {
        path::Path::from(format!("{}{key}", self.prefix))
    }

    /// Where the copy lies, when that is in a folder: as a root, and as a path below it.
    pub fn file(&self, key: &str) -> Option<(PathBuf, PathBuf)> {
        self.folder.clone().map(|folder| (folder, PathBuf::from(self.path(key).as_ref())))
    }

    /// Bytes of the copy, if there is one.
    pub async fn length(&self, key: &str) -> Result<Option<u64>, CopyError> {
        let (store, path) = (self.store.clone(), self.path(key));
        match self.questions.task(async move { store.head(&path).await }).await? {
            Ok(about) => Ok(Some(about.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// Copies a file. Before it is whole there is nothing, or what was there before.
    pub async fn put(&self, key: &str, sound: Sound) -> Result<(), CopyError> {
        let (store, path) = (self.store.clone(), self.path(key));
        if self.folder.is_some() {
            // A folder's files are made where the question is asked, and their disk may be dead.
            let runtime = Handle::current();
            return self.uploads.blocking(move || runtime.block_on(put(&*store, &path, &sound))).await?;
        }
        self.uploads.task(async move { put(&*store, &path, &sound).await }).await?
    }

    /// The copy, to be brought back.
    pub async fn find(&self, key: &str) -> Result<Found, CopyError> {
        let place = self.fetches.place().await?;
        let (store, path) = (self.store.clone(), self.path(key));
        match self.questions.task(async move { store.get(&path).await }).await? {
            Ok(found) => Ok(Found { length: found.meta.size, found, _place: place }),
            Err(object_store::Error::NotFound { .. }) => Err(CopyError::None),
            Err(why) => Err(why.into()),
        }
    }
}

/// A copy that is there.
pub(super) struct Found {
    /// Its bytes.
    pub length: u64,
    found: GetResult,
    _place: OwnedSemaphorePermit,
}

impl Found {
    /// Brings it back as a file.
    pub async fn save(self, to: &Path) -> Result<(), CopyError> {
        let saving = async {
            let mut file = tokio::fs::File::create(to).await?;
            let mut pieces = self.found.into_stream();
            while let Some(piece) = pieces.try_next().await? {
                file.write_all(&piece).await?;
            }
            file.flush().await?;
            Ok::<(), CopyError>(())
        };
        tokio::time::timeout(FETCHING, saving).await.map_err(|_| Late)?
    }
}

/// What was sent of a file that does not come to its end is taken back: a bucket would keep it unseen, and at a price.
async fn put(store: &dyn ObjectStore, path: &path::Path, sound: &Sound) -> Result<(), CopyError> {
    let mut pieces = pin!(sound.pieces(0, sound.length).map_err(CopyError::Original)?);
    if sound.length <= PART {
        store.put(path, part(&mut pieces).await?).await?;
        return Ok(());
    }
    let mut upload = store.put_multipart(path).await?;
    let sent = async {
        loop {
            let part = part(&mut pieces).await?;
            if part.content_length() == 0 {
                upload.complete().await?;
                return Ok::<(), CopyError>(());
            }
            upload.put_part(part).await?;
        }
    };
    let sent = sent.await;
    if sent.is_err()
        && let Err(why) = upload.abort().await
    {
        tracing::warn!(%path, "what was sent of a copy cannot be taken back, and stays in the storage: {why}");
    }
    sent
}

/// The next bytes: as many as are sent at once, or what is left.
async fn part(pieces: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin)) -> Result<PutPayload, CopyError> {
    let (mut part, mut length) = (Vec::new(), 0);
    while length < PART
        && let Some(piece) = pieces.try_next().await.map_err(CopyError::Original)?
    {
        length += piece.len() as u64;
        part.push(piece);
    }
    Ok(part.into_iter().collect())
}
