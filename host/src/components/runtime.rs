//! The one engine, what all components share, and how an instance comes to be.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Linker;
use wasmtime::{Engine, Store};

use super::address::{Lookup, SystemLookup};
use super::cache::Cache;
use super::component::Component;
use super::egress::{Outside, World};
use super::engine;
use super::fault::Fault;
use super::inside::Inside;
use super::kept::Kept;
use super::question::Live;
use super::state::{Call, State};
use super::v1;

/// What the runtime is built with.
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Where compiled code is kept between starts; absent: nowhere.
    pub cache: Option<PathBuf>,
    /// The largest file taken. A Python component is 22 MiB.
    pub file_size: u64,
    /// How long compiling one file may take. A Python component takes 5 s on two cores.
    pub compile_time: Duration,
    /// How long a component may take to say who it is; the first call of an interpreter is its slowest.
    pub describe_time: Duration,
    /// How many instances may live at once, all tenants together.
    pub instances: u32,
    /// How names become addresses.
    pub lookup: Arc<dyn Lookup>,
    /// Who answers requests in place of the network.
    pub outside: Option<Arc<dyn Outside>>,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        RuntimeOptions {
            cache: None,
            file_size: 64 << 20,
            compile_time: Duration::from_secs(120),
            describe_time: Duration::from_secs(5),
            instances: 500,
            lookup: Arc::new(SystemLookup),
            outside: None,
        }
    }
}

/// The engine and what all components share. One for the whole hub.
pub struct Runtime {
    pub(super) options: RuntimeOptions,
    pub(super) engine: Engine,
    pub(super) linker_v1: Linker<State>,
    pub(super) cache: Option<Cache>,
    /// One compilation at a time: each uses all cores, and much memory.
    pub(super) compiling: Semaphore,
    inside: OnceLock<Weak<dyn Inside>>,
    slots: Arc<Semaphore>,
    kept: Mutex<Vec<Weak<Kept>>>,
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not start here.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// The cache folder cannot be used.
    #[error("{path}: cannot be used for compiled components: {why}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
}

/// An instance, and its place among all that may live.
pub(super) struct Instance {
    pub live: Live,
    pub calls: u32,
    _slot: OwnedSemaphorePermit,
}

impl Runtime {
    /// Starts the engine.
    pub fn new(options: RuntimeOptions) -> Result<Arc<Runtime>, RuntimeError> {
        let engine = engine::engine(&options)?;
        let linker_v1 = v1::linker(&engine).map_err(|error| RuntimeError::Engine(format!("{error:#}")))?;
        let cache = options.cache.as_deref().map(|folder| Cache::open(folder, &engine)).transpose()?;
        let slots = Arc::new(Semaphore::new(options.instances as usize));
        let (compiling, kept, inside) = (Semaphore::new(1), Mutex::default(), OnceLock::new());
        Ok(Arc::new(Runtime { options, engine, linker_v1, cache, compiling, inside, slots, kept }))
    }

    /// A fresh instance, ready to serve this call.
    pub(super) async fn start(&self, component: &Component, call: Call) -> Result<Instance, Fault> {
        let wait = call.context.limits.timeout;
        let slot = self.slot(wait).await?;
        let transfer = call.context.limits.transfer;
        let mut store = Store::new(&self.engine, State::new(call));
        store.limiter(|state| &mut state.bounds);
        store.set_hostcall_fuel(transfer);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(State::interrupted);
        let starting = component.ready.start(store);
        let live = tokio::time::timeout(wait, starting).await.map_err(|_| Fault::Deadline(wait))??;
        Ok(Instance { live, calls: 0, _slot: slot })
    }

    /// Whom components ask about their tenants from now on. The first one counts.
    pub fn set_inside(&self, inside: Weak<dyn Inside>) {
        let _ = self.inside.set(inside);
    }

    /// Whom components ask about their tenants.
    pub(super) fn inside(&self) -> Option<Arc<dyn Inside>> {
        self.inside.get()?.upgrade()
    }

    /// Where the requests of components go.
    pub(super) fn world(&self) -> World {
        match &self.options.outside {
            Some(outside) => World::Played(outside.clone()),
            None => World::Network(self.options.lookup.clone()),
        }
    }

    /// A place among all that may live; when there is none, those that are only kept have to go.
    async fn slot(&self, wait: Duration) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        for kept in self.kept().iter().filter_map(Weak::upgrade) {
            kept.clear();
        }
        let waiting = tokio::time::timeout(wait, self.slots.clone().acquire_owned()).await;
        waiting.ok().and_then(Result::ok).ok_or(Fault::Busy(wait))
    }

    /// Remembers whom to ask for places.
    pub(super) fn remember(&self, kept: &Arc<Kept>) {
        let mut all = self.kept();
        all.retain(|kept| kept.strong_count() > 0);
        all.push(Arc::downgrade(kept));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
