//! `host`: what the hub gives to components of this version.

use wasmtime::component::{HasData, Linker};

use super::bindings::cordboard::hub::host::{self, Content, Level, Rows};
use super::bindings::cordboard::hub::vocabulary::{Failure, Grant};
use super::outward::Outward;
use crate::components::state::State;
use crate::components::trace::clip;
use crate::model::Numbering;

/// A line of the log is cut here.
const LINE: usize = 4 << 10;

struct Hub;

impl HasData for Hub {
    type Data<'a> = &'a mut State;
}

/// Puts `host` into a linker.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    host::add_to_linker::<State, Hub>(linker, |state| {
        state.call.count();
        state
    })
}

impl host::Host for State {
    fn settings(&mut self) -> wasmtime::Result<String> {
        Ok(self.call.context.settings.clone())
    }

    fn current_grant(&mut self) -> wasmtime::Result<Option<Grant>> {
        let grant = self.call.context.access.grant();
        Ok(grant.map(|grant| grant.as_ref().clone().outward(&Numbering::default())))
    }

    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        if self.call.count_line() {
            let context = &self.call.context;
            let redactor = context.access.redactor();
            let message = redactor.text(clip(&message, LINE), &mut Vec::new());
            let (tenant, name) = (context.tenant.as_str(), context.name.as_str());
            match level {
                Level::Debug => tracing::debug!(target: "component", tenant, name, "{message}"),
                Level::Info => tracing::info!(target: "component", tenant, name, "{message}"),
                Level::Warn => tracing::warn!(target: "component", tenant, name, "{message}"),
                Level::Error => tracing::error!(target: "component", tenant, name, "{message}"),
            }
        }
        Ok(())
    }

    async fn fetch(&mut self, url: String, limit: u64) -> wasmtime::Result<Result<Content, Failure>> {
        if !self.call.count_request() {
            let over = self.call.over().map_or_else(String::new, |fault| fault.to_string());
            return Ok(Err(Failure::Misconfigured(over)));
        }
        let (egress, recorder) = (self.call.context.egress.clone(), self.call.recorder.clone());
        let fetched = egress.fetch(&url, limit, recorder).await;
        Ok(fetched
            .map(|(media_type, bytes)| Content { media_type, bytes })
            .map_err(|failure| failure.outward(&Numbering::default())))
    }

    async fn query(
        &mut self,
        database: String,
        statement: String,
        parameters: Vec<String>,
    ) -> wasmtime::Result<Result<Rows, Failure>> {
        if !self.call.count_request() {
            let over = self.call.over().map_or_else(String::new, |fault| fault.to_string());
            return Ok(Err(Failure::Misconfigured(over)));
        }
        let databases = self.call.context.databases.clone();
        let answer = databases.query(&database, &statement, &parameters).await;
        Ok(answer
            .map(|rows| Rows { columns: rows.columns, rows: rows.rows })
            .map_err(|failure| failure.outward(&Numbering::default())))
    }
}
