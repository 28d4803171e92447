//! SQLite: opening a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::{Db, failed};
use crate::store::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Keeps other hubs off the file while it lives.
pub(in crate::store) struct FileLock {
    _file: File,
}

/// Opens or makes the file at `path`.
///
/// `synchronous = FULL`: each commit is on the disk before it is acknowledged, so that not only a killed hub but a
/// power cut loses nothing. Group commit spreads the price over all that was waiting.
pub(in crate::store) async fn open(path: &Path, readers: u32) -> Result<(Db, FileLock)> {
    let lock = lock(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(false)
        .pragma("temp_store", "memory")
        .pragma("cache_size", "-16000")
        .pragma("mmap_size", "268435456")
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864")
        .statement_cache_capacity(200);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(whole(connection)))
        .connect_with(options.clone().row_buffer_size(1024))
        .await
        .map_err(failed)?;
    super::migrated(sqlx::migrate!("migrations/sqlite").run(&writer).await)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(readers.max(1))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.read_only(true).pragma("query_only", "on"))
        .await
        .map_err(failed)?;
    Ok((Db::Sqlite { readers, writer, statements: Arc::new(AtomicU64::new(0)) }, lock))
}

/// Whether a connection can be used again. Where the disk is full or broken, SQLite takes a transaction back by itself;
/// whoever rolls it back then fails, and counts one transaction too many for ever.
async fn whole(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    if connection.is_in_transaction() {
        // The roll-back may still be on its way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

fn lock(path: &Path) -> Result<FileLock> {
    let beside = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        PathBuf::from(name)
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|why| StoreError::File { path: folder.to_owned(), why })?;
    }
    let lock = beside(path);
    let at_fault = |why| StoreError::File { path: lock.clone(), why };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(at_fault)?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(why)) => Err(at_fault(why)),
    }
}
