//! The running hub: a plan at work.
//!
//! Starting and reloading share one path, [`Hub::apply`]: what the new plan has in common with the old one goes on, the
//! rest is stopped or started. A plan that is wrong changes nothing.

mod build;
mod catalog;
mod copying;
mod fetching;
mod inside;
mod keeping;
mod listening;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use catalog::Offered;

use crate::commands::Commands;
use crate::components::{Inside, Library, Runtime, RuntimeError, RuntimeOptions};
use crate::config::{Plan, Problem, Problems, StoreAddress};
use crate::delivery::{Bell, Lanes};
use crate::directory::Directory;
use crate::grants::Granted;
use crate::intake::{self, Connections, Entry, Reception};
use crate::live::Live;
use crate::media::Media;
use crate::recordings::{Links, Recordings};
use crate::routing::Router;
use crate::store::{Options, Store, StoreError};

/// How long running deliveries may take to end when the hub stops.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long commands and the hub's own tasks may take after them.
const LAST: Duration = Duration::from_secs(1);

/// The hub at work.
pub struct Hub {
    folder: PathBuf,
    /// The plan as it is now.
    pub plan: Arc<ArcSwap<Plan>>,
    /// The ledger.
    pub store: Store,
    /// The components folder.
    pub library: Arc<Library>,
    /// The lanes.
    pub lanes: Arc<Lanes>,
    /// Where requests come in.
    pub reception: Arc<Reception>,
    /// The live feed.
    pub live: Arc<Live>,
    /// Who has which number.
    pub directory: Arc<Directory>,
    /// Hands recordings out.
    pub recordings: Arc<Recordings>,
    /// Hands media of messages out.
    pub media: Arc<Media>,
    /// Links to recordings and media.
    pub links: Arc<Links>,
    /// The connections of sources behind a socket.
    pub connections: Arc<Connections>,
    /// Where callers go.
    pub routing: Arc<Router>,
    /// What sources are asked to do.
    pub commands: Arc<Commands>,
    /// Components hold it weakly.
    _inside: Arc<inside::Tenants>,
    runtime: Arc<Runtime>,
    bell: Bell,
    applying: tokio::sync::Mutex<build::Built>,
    readers: std::sync::Mutex<Readers>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Those who read the sources that can be read.
#[derive(Default)]
struct Readers {
    stop: CancellationToken,
    /// What they read: a source that is among these is not new.
    of: Vec<Arc<Granted>>,
}

/// Why the hub does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("{0}")]
    Plan(#[from] Problems),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine does not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The folder cannot be watched.
    #[error("{folder} cannot be watched for changes: {why}")]
    Watch {
        /// Which one.
        folder: String,
        /// What the system says.
        why: notify::Error,
    },
}

impl Hub {
    /// Opens the store, loads the components and puts the plan to work.
    pub async fn start(folder: &Path, plan: Plan) -> Result<Arc<Hub>, StartError> {
        let settings = plan.hub.clone();
        let options = Options {
            data: settings.data.clone(),
            key: settings.encryption.as_ref().map(|key| key.0),
            ..Options::default()
        };
        let store = Store::open(&address(&settings.store), options).await?;
        let cache = Some(settings.data.join("compiled"));
        let runtime = Runtime::new(RuntimeOptions { cache, ..RuntimeOptions::default() })?;
        let library = Library::open(runtime.clone(), &settings.components).await;
        let recordings = Recordings::open(settings.data.join("recordings"), &settings.recordings).await;
        let media = Media::open(settings.data.join("media"), settings.media).await;
        let current = Arc::new(ArcSwap::from_pointee(plan.clone()));
        let (live, bell, reception) = (Live::new(&store), Bell::new(settings.alerts), Reception::new(store.clone()));
        let connections = Connections::new(store.clone(), live.clone(), bell.clone());
        let directory = Directory::new(store.clone(), live.clone());
        let commands = Commands::new(store.clone(), reception.clone(), connections.clone());
        let inside = Arc::new(inside::Tenants {
            plan: current.clone(),
            store: store.clone(),
            live: live.clone(),
            directory: directory.clone(),
            commands: commands.clone(),
        });
        let asked: Weak<dyn Inside> = Arc::downgrade(&inside) as Weak<dyn Inside>;
        runtime.set_inside(asked);
        let hub = Arc::new(Hub {
            folder: folder.to_owned(),
            recordings: Arc::new(recordings),
            media: Arc::new(media),
            links: Arc::new(Links::new(current.clone(), store.derived_key("links to recordings"))),
            plan: current,
            library,
            lanes: Lanes::new(&store),
            routing: Router::new(directory.clone(), live.clone(), commands.clone()),
            directory,
            commands,
            _inside: inside,
            reception,
            connections,
            live,
            runtime,
            bell,
            applying: tokio::sync::Mutex::default(),
            readers: std::sync::Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            store,
        });
        hub.apply(plan).await?;
        let weak = Arc::downgrade(&hub);
        hub.library.set_check(Arc::new(move |component| match weak.upgrade() {
            Some(hub) => catalog::fits(&hub.plan.load(), component),
            None => Ok(()),
        }));
        hub.tasks.spawn(copying::copy(Arc::downgrade(&hub), hub.stop.clone()));
        hub.tasks.spawn(fetching::fetch(Arc::downgrade(&hub), hub.stop.clone()));
        hub.tasks.spawn(listening::listen(Arc::downgrade(&hub), hub.stop.clone()));
        hub.tasks.spawn(keeping::sweep(hub.store.clone(), hub.plan.clone(), hub.stop.clone()));
        hub.tasks.spawn(hub.commands.clone().look_after(hub.stop.clone()));
        Ok(hub)
    }

    /// Follows changes of the configuration and of the components from now on.
    pub fn watch(self: &Arc<Self>) -> Result<(), StartError> {
        let wrong = |folder: &Path| {
            let folder = folder.display().to_string();
            move |why| StartError::Watch { folder, why }
        };
        self.library.watch().map_err(wrong(self.library.folder()))?;
        let changes = watch::configuration(&self.folder).map_err(wrong(&self.folder))?;
        let components = self.library.changes();
        self.tasks.spawn(watch::follow(Arc::downgrade(self), changes, components, self.stop.clone()));
        Ok(())
    }

    /// Reads the configuration again and puts it to work; when it is wrong, the old plan goes on.
    pub async fn reload(&self) -> Result<(), Problems> {
        let folder = self.folder.clone();
        // On a thread of its own: the files may lie on a disk that does not answer.
        let plan = tokio::task::spawn_blocking(move || Plan::load(&folder)).await.unwrap_or_else(|why| {
            let (file, what) = (self.folder.display().to_string(), format!("it could not be read: {why}"));
            Err(Problems(vec![Problem { file, line: 0, column: 0, what, hint: None }]))
        });
        self.apply(plan?).await
    }

    /// Puts a plan to work in place of the one before.
    pub async fn apply(&self, plan: Plan) -> Result<(), Problems> {
        let mut built = self.applying.lock().await;
        let odd = plan.check_components(&Offered(&self.library))?;
        for problem in plan.warnings.iter().chain(&odd) {
            tracing::warn!("{problem}");
        }
        let next = built.next(&plan, self)?;
        let obsolete = built.replace(next);
        let entries = built.entries();
        self.follow_jobs(&entries);
        self.reception.set(entries);
        self.directory.set(built.directories(&plan));
        self.plan.store(Arc::new(plan));
        for lane in obsolete.lanes {
            self.lanes.stop(&lane).await;
        }
        for spec in obsolete.starting {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            self.lanes.start(spec).await;
        }
        if self.stop.is_cancelled() {
            return Ok(());
        }
        self.connections.set(built.connections()).await;
        Ok(())
    }

    /// Reads the jobs of the sources that can be read; those of the plan before end after their page.
    fn follow_jobs(&self, entries: &[Arc<Entry>]) {
        let stop = self.stop.child_token();
        let able: Vec<&Arc<Entry>> = entries.iter().filter(|entry| intake::can_be_read(entry)).collect();
        let of = able.iter().map(|entry| entry.component.clone()).collect();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *readers, Readers { stop: stop.clone(), of });
        before.stop.cancel();
        for entry in able {
            let new = !before.of.iter().any(|known| Arc::ptr_eq(known, &entry.component));
            let (store, live, bell) = (self.store.clone(), self.live.clone(), self.bell.clone());
            let reader = intake::Reader { entry: entry.clone(), store, live, bell };
            self.tasks.spawn(reader.run(new, stop.clone()));
        }
    }

    /// Takes no new work, lets running calls end, closes the store. All but the last is over in some seconds; a store that
    /// does not answer is waited for.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::join!(self.lanes.shut(PATIENCE), self.connections.shut(PATIENCE));
        let _ = tokio::join!(self.commands.shut(LAST), tokio::time::timeout(LAST, self.tasks.wait()));
        self.store.close().await;
    }
}

fn address(store: &StoreAddress) -> String {
    match store {
        StoreAddress::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreAddress::Postgres(url) => url.reveal().to_owned(),
    }
}
