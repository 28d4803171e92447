//! Files that were fetched or converted, so that it is done once. Bounded in bytes; the longest unused goes first.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moka::future::Cache;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use tempfile::NamedTempFile;

use super::gate::Gate;
use super::sound::Sound;
use super::{DISK, Unserved, failed};

/// How the names of files begin that are not yet whole.
const UNFINISHED: &str = ".part-";

/// The folder, and what is in it.
pub(crate) struct Kept {
    folder: PathBuf,
    /// Bytes of each file by its name.
    files: Cache<String, u64>,
    most: u64,
    gate: Gate,
}

impl Kept {
    /// Takes over what an earlier run left, but for what it did not finish.
    pub async fn open(folder: PathBuf, most: u64) -> Self {
        let below = folder.clone();
        let files = Cache::builder()
            .max_capacity(kibibytes(most))
            .weigher(|_, bytes: &u64| kibibytes(*bytes).try_into().unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |name: Arc<String>, _, cause| {
                if cause != RemovalCause::Replaced {
                    let _ = std::fs::remove_file(below.join(&*name));
                }
            })
            .build();
        let kept = Kept { folder, files, most, gate: Gate::new(DISK.0, DISK.1) };
        kept.take_over().await;
        kept
    }

    async fn take_over(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let mut found: Vec<(std::time::SystemTime, String, u64)> = Vec::new();
        for entry in entries.flatten() {
            let (Ok(name), Ok(about)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
            if name.starts_with(UNFINISHED) {
                let _ = std::fs::remove_file(entry.path());
            } else if about.is_file() {
                found.push((about.accessed().or(about.modified()).unwrap_or(std::time::UNIX_EPOCH), name, about.len()));
            }
        }
        found.sort();
        for (_, name, bytes) in found {
            self.files.insert(name, bytes).await;
        }
        self.files.run_pending_tasks().await;
    }

    /// Whether the file of this name is there.
    pub fn has(&self, key: &str) -> bool {
        self.files.contains_key(key)
    }

    /// Bytes of the largest file that can be here.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Whether a file of so many bytes can be here: asked before it is made, where that is known.
    pub fn takes(&self, bytes: u64) -> Result<(), Unserved> {
        if bytes <= self.most {
            return Ok(());
        }
        let (most, folder) = (self.most, self.folder.display());
        tracing::warn!(bytes, most, %folder, "a file is larger than all that may be kept");
        let why = format!("it has {bytes} bytes, and the hub's configuration lets it keep {most} of all such files");
        Err(Unserved::Missing(why, None))
    }

    /// Lets the file of this name go: there is another one in its place.
    pub async fn forget(&self, key: &str) {
        self.files.invalidate(key).await;
    }

    /// The file of this name; when it is not there it is made, once for all who ask meanwhile.
    pub async fn sound(
        &self,
        key: &str,
        name: String,
        make: impl AsyncFnOnce(PathBuf) -> Result<(), Unserved>,
    ) -> Result<Sound, Unserved> {
        let path = self.folder.join(key);
        if self.files.get(key).await.is_some() {
            match self.opened(&path, &name) {
                Ok(sound) => return Ok(sound),
                // Somebody has taken it away.
                Err(_) => self.files.invalidate(key).await,
            }
        }
        let made = self.files.try_get_with(key.to_owned(), self.made(&path, make)).await;
        made.map_err(|why| (*why).clone())?;
        // Opened before room is made, lest it be this one that goes.
        let sound = self.opened(&path, &name).map_err(failed)?;
        self.files.run_pending_tasks().await;
        Ok(sound)
    }

    fn opened(&self, path: &Path, name: &str) -> std::io::Result<Sound> {
        Sound::of(File::open(path)?, path, name, self.gate.clone())
    }

    /// Makes a file beside its place and puts it there when it is whole. Its length.
    async fn made(
        &self,
        path: &Path,
        make: impl AsyncFnOnce(PathBuf) -> Result<(), Unserved>,
    ) -> Result<u64, Unserved> {
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder).map_err(failed)?;
        let part: NamedTempFile = file;
        make(part.path().to_owned()).await?;
        let bytes = part.path().metadata().map_err(failed)?.len();
        self.takes(bytes)?;
        part.persist(path).map_err(|why| failed(why.error))?;
        Ok(bytes)
    }
}

fn kibibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn put(kept: &Kept, key: &str, bytes: usize) -> Result<Sound, Unserved> {
        let make = async |path: PathBuf| std::fs::write(path, vec![0; bytes]).map_err(failed);
        kept.sound(key, String::new(), make).await
    }

    #[tokio::test]
    async fn the_longest_unused_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path().to_owned(), 10 << 10).await;
        for key in ["a", "b"] {
            put(&kept, key, 4 << 10).await.unwrap();
        }
        put(&kept, "a", 1).await.unwrap();
        let sound = put(&kept, "c", 4 << 10).await.unwrap();
        assert_eq!((names(folder.path()), sound.length), (vec!["a".to_owned(), "c".to_owned()], 4 << 10));
        let why = "it has 11264 bytes, and the hub's configuration lets it keep 10240 of all such files";
        assert_eq!(put(&kept, "d", 11 << 10).await.unwrap_err(), Unserved::Missing(why.to_owned(), None));
        assert_eq!(names(folder.path()), ["a", "c"], "what is too large leaves nothing behind");
        std::fs::write(folder.path().join(format!("{UNFINISHED}x")), "x").unwrap();
        drop(kept);
        let again = Kept::open(folder.path().to_owned(), 10 << 10).await;
        assert_eq!(names(folder.path()), ["a", "c"]);
        assert_eq!(put(&again, "a", 1).await.unwrap().length, 4 << 10, "what was there is used again");
        std::fs::remove_file(folder.path().join("a")).unwrap();
        assert_eq!(put(&again, "a", 1).await.unwrap().length, 1, "what somebody took away is made anew");
        again.files.run_pending_tasks().await;
        assert_eq!(names(folder.path()), ["a", "c"]);
        again.forget("a").await;
        assert_eq!(put(&again, "a", 2).await.unwrap().length, 2, "what was let go is made anew");
    }

    #[tokio::test]
    async fn it_is_made_once_for_all_who_ask() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path().to_owned(), 1 << 20).await;
        let made = AtomicUsize::new(0);
        let make = async |path: PathBuf| {
            made.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            std::fs::write(path, "x").map_err(failed)
        };
        let all = futures::future::join_all((0..5).map(|_| kept.sound("a", String::new(), &make))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(made.into_inner(), 1);
    }
}
