//! A component of this version made ready, and an instance of it.

use wasmtime::component::{Instance, InstancePre, Linker, ResourceAny};
use wasmtime::{Engine, Store};

use super::bindings::exports::cordboard::hub as exported;
use crate::components::contract::Ability;
use crate::components::state::State;

/// Linked, and its exports found: what is done once for all instances.
#[derive(Clone)]
pub struct Ready {
    pre: InstancePre<State>,
    about: exported::about::GuestIndices,
    webhook: Option<exported::webhook::GuestIndices>,
    connection: Option<exported::connection::GuestIndices>,
    pull: Option<exported::pull::GuestIndices>,
    commands: Option<exported::commands::GuestIndices>,
    sink: Option<exported::sink::GuestIndices>,
    directory: Option<exported::directory::GuestIndices>,
    grants: Option<exported::grants::GuestIndices>,
    setup: Option<exported::setup::GuestIndices>,
    endpoint: Option<exported::endpoint::GuestIndices>,
}

/// One instance and its store. An exported interface is looked at when it is first called.
pub struct Live {
    pub store: Store<State>,
    instance: Instance,
    ready: Ready,
    webhook: Option<exported::webhook::Guest>,
    connection: Option<exported::connection::Guest>,
}

/// A connection's state inside its instance.
pub struct SessionState(pub(super) ResourceAny);

/// The linker for components of this version.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    super::host::link(&mut linker)?;
    super::ledger::link(&mut linker)?;
    Ok(linker)
}

impl Ready {
    /// Finds what the component exports; `able` says what its type names.
    pub fn new(pre: InstancePre<State>, able: impl Fn(Ability) -> bool) -> wasmtime::Result<Self> {
        macro_rules! find {
            ($interface:ident, $ability:ident) => {
                able(Ability::$ability).then(|| exported::$interface::GuestIndices::new(&pre)).transpose()?
            };
        }
        Ok(Ready {
            about: exported::about::GuestIndices::new(&pre)?,
            webhook: find!(webhook, Webhook),
            connection: find!(connection, Connection),
            pull: find!(pull, Pull),
            commands: find!(commands, Commands),
            sink: find!(sink, Sink),
            directory: find!(directory, Directory),
            grants: find!(grants, Grants),
            setup: find!(setup, Setup),
            endpoint: find!(endpoint, Endpoint),
            pre,
        })
    }

    /// Makes an instance in a store that has its bounds already.
    pub async fn start(&self, mut store: Store<State>) -> Result<Live, (wasmtime::Error, Store<State>)> {
        match self.pre.instantiate_async(&mut store).await {
            Ok(instance) => Ok(Live { store, instance, ready: self.clone(), webhook: None, connection: None }),
            Err(error) => Err((error, store)),
        }
    }
}

/// Looks an interface up in an instance that is used for one call.
macro_rules! guest {
    ($interface:ident) => {
        pub(super) fn $interface(&mut self) -> wasmtime::Result<exported::$interface::Guest> {
            let found = self.ready.$interface.as_ref().ok_or_else(missing)?;
            found.load(&mut self.store, &self.instance)
        }
    };
}

impl Live {
    pub(super) fn about(&mut self) -> wasmtime::Result<exported::about::Guest> {
        self.ready.about.load(&mut self.store, &self.instance)
    }

    guest!(pull);
    guest!(commands);
    guest!(sink);
    guest!(directory);
    guest!(grants);
    guest!(setup);
    guest!(endpoint);

    /// Instances of webhooks are kept, and so is what was found in them.
    pub(super) fn webhook(&mut self) -> wasmtime::Result<(&exported::webhook::Guest, &mut Store<State>)> {
        if self.webhook.is_none() {
            let found = self.ready.webhook.as_ref().ok_or_else(missing)?;
            self.webhook = Some(found.load(&mut self.store, &self.instance)?);
        }
        Ok((self.webhook.as_ref().ok_or_else(missing)?, &mut self.store))
    }

    pub(super) fn connection(&mut self) -> wasmtime::Result<(&exported::connection::Guest, &mut Store<State>)> {
        if self.connection.is_none() {
            let found = self.ready.connection.as_ref().ok_or_else(missing)?;
            self.connection = Some(found.load(&mut self.store, &self.instance)?);
        }
        Ok((self.connection.as_ref().ok_or_else(missing)?, &mut self.store))
    }
}

/// Never seen: the abilities are looked at before anything is asked.
fn missing() -> wasmtime::Error {
    wasmtime::format_err!("the component does not export this interface")
}
