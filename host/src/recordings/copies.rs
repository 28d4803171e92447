//! Copies of recordings in a storage of one's own: a folder, or a bucket of S3 or of what speaks like it. A PBX keeps its
//! files for a while only; what was copied can be heard later.
//!
//! The storage itself is the truth of what has been copied: there is no list of it elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, path};
use tokio::io::AsyncWriteExt;

use super::{Sound, digest};
use crate::config::{Storage, StoragePlace};

/// A person may be waiting for the sound, and what is copied is tried again later anyway.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where copies are.
pub(super) struct Copies {
    store: Arc<dyn ObjectStore>,
    prefix: String,
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
    /// A file of this machine.
    #[error("a file cannot be read or written: {0}")]
    File(#[from] std::io::Error),
}

impl Copies {
    /// A storage as it is configured. Nothing is asked of it yet.
    pub fn open(storage: &Storage) -> Result<Self, CopyError> {
        match &storage.place {
            StoragePlace::Folder(folder) => {
                std::fs::create_dir_all(folder)?;
                let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(false);
                Ok(Copies { store: Arc::new(store), prefix: String::new() })
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
                    .with_client_options(ClientOptions::new().with_allow_http(plain));
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                Ok(Copies { store: Arc::new(builder.build()?), prefix: format!("{prefix}/") })
            }
        }
    }

    /// By what the source calls the recording: a record may be joined into another one, its recordings stay what they
    /// are.
    pub fn key(tenant: &str, source: &str, recording: &str) -> String {
        format!("{tenant}/{source}/{}", digest(&[recording]))
    }

    fn path(&self, key: &str) -> path::Path {
        path::Path::from(format!("{}{key}", self.prefix))
    }

    pub async fn has(&self, key: &str) -> Result<bool, CopyError> {
        match self.store.head(&self.path(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(why) => Err(why.into()),
        }
    }

    /// Copies a file. Before it is whole there is nothing.
    pub async fn put(&self, key: &str, sound: Sound) -> Result<(), CopyError> {
        let mut file = tokio::fs::File::from_std(sound.file);
        let mut writer = BufWriter::new(self.store.clone(), self.path(key));
        tokio::io::copy(&mut file, &mut writer).await?;
        writer.shutdown().await?;
        Ok(())
    }

    /// Brings a copy back as a file.
    pub async fn get(&self, key: &str, to: &Path) -> Result<(), CopyError> {
        let found = self.store.get(&self.path(key)).await.map_err(|why| match why {
            object_store::Error::NotFound { .. } => CopyError::None,
            why => why.into(),
        })?;
        let mut file = tokio::fs::File::create(to).await?;
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        Ok(())
    }
}
