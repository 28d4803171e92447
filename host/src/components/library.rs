//! The components folder: every `.wasm` in it, looked after while the hub runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde::Serialize;
use tokio::sync::watch;

use super::component::Component;
use super::contract::Abilities;
use super::runtime::Runtime;
use super::uses::Handle;

/// How long the folder must be quiet before it is looked at: a large file is written in many pieces.
const QUIET: Duration = Duration::from_millis(200);

/// Says whether a component fits every configuration that uses it; a sentence when not.
pub type Check = Arc<dyn Fn(&Component) -> Result<(), String> + Send + Sync>;

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Status {
    /// The component's name; absent when the file never loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The file's name in the folder.
    pub file: String,
    /// The component's own version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One sentence about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Of the file that is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The interfaces it exports.
    #[schema(value_type = Vec<String>)]
    pub abilities: Abilities,
    /// How it stands.
    pub state: State,
    /// Why the file as it is now was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a file of the folder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In use as it is.
    Loaded,
    /// Refused, and there is none before it.
    Refused,
    /// The file as it is now was refused; the one before it goes on.
    Outdated,
    /// The file is gone; what was loaded goes on until the hub stops.
    Removed,
}

/// The components folder.
pub struct Library {
    runtime: Arc<Runtime>,
    folder: PathBuf,
    shelves: Mutex<BTreeMap<String, Shelf>>,
    check: Mutex<Option<Check>>,
    changes: watch::Sender<u64>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
    watcher: Mutex<Option<RecommendedWatcher>>,
}

/// What is known of one file.
#[derive(Default)]
struct Shelf {
    /// In use.
    handle: Option<Handle>,
    /// The file as it was last looked at.
    seen: Option<Stamp>,
    error: Option<String>,
    removed: bool,
}

/// Changes whenever the file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: u64,
}

impl Library {
    /// Loads every file of the folder. Bad ones are in the [`status`](Library::status), and no error.
    pub async fn open(runtime: Arc<Runtime>, folder: &Path) -> Arc<Library> {
        let library = Arc::new(Library {
            runtime,
            folder: folder.to_owned(),
            shelves: Mutex::default(),
            check: Mutex::default(),
            changes: watch::Sender::new(0),
            looking: tokio::sync::Mutex::default(),
            watcher: Mutex::default(),
        });
        library.reload().await;
        library
    }

    /// What decides whether a file may go into use from now on.
    pub fn set_check(&self, check: Check) {
        *self.check.lock().unwrap_or_else(PoisonError::into_inner) = Some(check);
    }

    /// Watches the folder from now on, until the library is dropped.
    pub fn watch(self: &Arc<Self>) -> Result<(), notify::Error> {
        let (stirred, mut stirs) = tokio::sync::mpsc::channel::<()>(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let read_only = event.is_ok_and(|event| event.kind.is_access());
            if !read_only {
                // Full means that a look is due anyway.
                let _ = stirred.try_send(());
            }
        })?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        let library = Arc::downgrade(self);
        tokio::spawn(async move {
            while stirs.recv().await.is_some() {
                while let Ok(Some(())) = tokio::time::timeout(QUIET, stirs.recv()).await {}
                let Some(library) = library.upgrade() else { return };
                library.reload().await;
            }
        });
        Ok(())
    }

    /// Looks at the folder now: loads what is new, replaces what has changed.
    pub async fn reload(&self) {
        let _turn = self.looking.lock().await;
        let files = match files(&self.folder) {
            Ok(files) => files,
            Err(error) => {
                tracing::error!("{}: cannot be read: {error}", self.folder.display());
                return;
            }
        };
        for (name, shelf) in self.shelves().iter_mut() {
            let gone = !files.contains_key(name);
            if gone && !shelf.removed && shelf.handle.is_some() {
                tracing::warn!("{name}: the file is gone; the component goes on until the hub stops");
            }
            shelf.removed = gone;
            if gone {
                shelf.seen = None;
            }
        }
        self.shelves().retain(|_, shelf| !shelf.removed || shelf.handle.is_some());
        for (file, stamp) in files {
            if self.shelves().get(&file).and_then(|shelf| shelf.seen) == Some(stamp) {
                continue;
            }
            let outcome = self.take_in(&file).await;
            if let Err(why) = &outcome {
                tracing::error!("{why}");
            }
            let mut shelves = self.shelves();
            let shelf = shelves.entry(file).or_default();
            shelf.seen = Some(stamp);
            shelf.error = outcome.err();
        }
    }

    /// Loads one file and puts it into use, or says why not.
    async fn take_in(&self, file: &str) -> Result<(), String> {
        let path = self.folder.join(file);
        let component = self.runtime.load(&path).await.map_err(|error| error.to_string())?;
        let name = component.descriptor().name.clone();
        let refuse = |why: String| Err(format!("{}: {why}", path.display()));
        let current = self.shelves().get(file).and_then(|shelf| shelf.handle.clone());
        let before = current.as_ref().map(Handle::component);
        if let Some(before) = &before
            && before.descriptor().name != name
        {
            let old = &before.descriptor().name;
            return refuse(format!("was the component `{old}` and is now `{name}`; give a new component a new file"));
        }
        if before.is_some_and(|before| before.hash() == component.hash()) {
            return Ok(());
        }
        if let Some(other) = self.file_of(&name).filter(|other| other != file) {
            return refuse(format!("there is a component `{name}` already, in {other}; remove one of the two"));
        }
        let check = self.check.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(check) = check {
            check(&component).or_else(|why| refuse(format!("does not fit the configuration: {why}")))?;
        }
        let version = component.descriptor().version.clone();
        match current {
            Some(handle) => handle.swap(component),
            None => self.shelves().entry(file.to_owned()).or_default().handle = Some(Handle::new(component)),
        }
        tracing::info!("{file}: the component `{name}` {version} is in use");
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    fn file_of(&self, name: &str) -> Option<String> {
        let shelves = self.shelves();
        let holds = |shelf: &Shelf| shelf.handle.as_ref().is_some_and(|it| it.component().descriptor().name == name);
        shelves.iter().find(|(_, shelf)| holds(shelf)).map(|(file, _)| file.clone())
    }

    /// The component with this name.
    pub fn get(&self, name: &str) -> Option<Handle> {
        let shelves = self.shelves();
        shelves
            .values()
            .filter_map(|shelf| shelf.handle.as_ref())
            .find(|it| it.component().descriptor().name == name)
            .cloned()
    }

    /// The names of all components in use, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.status().into_iter().filter_map(|status| status.name).collect();
        names.sort();
        names
    }

    /// How each file stands, sorted by file.
    pub fn status(&self) -> Vec<Status> {
        self.shelves().iter().map(|(file, shelf)| shelf.status(file)).collect()
    }

    /// Counts up whenever a component came into use, so that others can look again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn shelves(&self) -> MutexGuard<'_, BTreeMap<String, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn status(&self, file: &str) -> Status {
        let component = self.handle.as_ref().map(Handle::component);
        let said = component.as_ref().map(|component| component.descriptor());
        Status {
            name: said.map(|said| said.name.clone()),
            file: file.to_owned(),
            version: said.map(|said| said.version.clone()),
            summary: said.map(|said| said.summary.clone()),
            hash: component.as_ref().map(|component| component.hash().to_owned()),
            abilities: component.as_ref().map(|component| component.abilities()).unwrap_or_default(),
            state: match (&component, &self.error) {
                (None, _) => State::Refused,
                (Some(_), _) if self.removed => State::Removed,
                (Some(_), Some(_)) => State::Outdated,
                (Some(_), None) => State::Loaded,
            },
            error: self.error.clone(),
        }
    }
}

/// The `.wasm` files of the folder. Those whose name begins with a dot are somebody's unfinished copies.
fn files(folder: &Path) -> std::io::Result<BTreeMap<String, Stamp>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let wasm = Path::new(&name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wasm"));
        if !wasm || name.starts_with('.') {
            continue;
        }
        // Through a link, if it is one.
        let Ok(about) = std::fs::metadata(entry.path()) else { continue };
        if about.is_file() {
            files.insert(name, Stamp::of(&about));
        }
    }
    Ok(files)
}

impl Stamp {
    fn of(about: &std::fs::Metadata) -> Self {
        Stamp {
            size: about.len(),
            modified: about.modified().ok(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(about),
        }
    }
}
