//! What one instance has around it: the system interfaces, its bounds, and the call that it is serving.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::context::Context;
use super::fault::Fault;
use super::limits::Limits;
use super::trace::{Recorder, clip};

/// Of what a component prints, this much of each call is kept.
const PRINTED: usize = 4 << 10;

/// Things that a component may hold at once: streams, requests, answers. More are a leak.
const RESOURCES: usize = 10_000;

/// The data of a store.
pub(super) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    printed: Printed,
    pub bounds: Bounds,
    pub call: Call,
}

/// One call, from its beginning to its answer.
pub(super) struct Call {
    pub context: Arc<Context>,
    pub recorder: Recorder,
    pub deadline: Instant,
    /// Whether the component may have commands carried out.
    pub commands: bool,
    host_calls: u64,
    requests: u32,
    log_lines: u32,
    fault: Option<Fault>,
}

impl State {
    pub fn new(call: Call) -> Self {
        let printed = Printed::default();
        let limits = &call.context.limits;
        let wasi = WasiCtx::builder().stdout(printed.clone()).stderr(printed.clone()).build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.headers);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        State { wasi, http, table, printed, bounds: Bounds::new(limits), call }
    }

    /// What the component printed since this was asked last.
    pub fn printed(&self) -> String {
        let mut printed = self.printed.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *printed)).into_owned()
    }

    /// Called at every tick while the component runs.
    pub fn interrupted(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
        let state = store.data();
        if let Some(fault) = state.call.over() {
            return Err(fault.into());
        }
        if Instant::now() >= state.call.deadline {
            return Err(Fault::Deadline(state.call.context.limits.timeout).into());
        }
        Ok(UpdateDeadline::Yield(1))
    }
}

impl Call {
    pub fn new(context: Arc<Context>) -> Self {
        let deadline = Instant::now() + context.limits.timeout;
        Call {
            context,
            recorder: Recorder::default(),
            deadline,
            commands: false,
            host_calls: 0,
            requests: 0,
            log_lines: 0,
            fault: None,
        }
    }

    /// A call that may have commands carried out.
    pub fn commanding(context: Arc<Context>) -> Self {
        Call { commands: true, ..Call::new(context) }
    }

    /// The budget that is used up, when one is.
    pub fn over(&self) -> Option<Fault> {
        let most = self.context.limits.host_calls;
        self.fault.clone().or_else(|| (self.host_calls > most).then_some(Fault::HostCalls(most)))
    }

    /// Counts a call into the hub.
    pub fn count(&mut self) {
        self.host_calls += 1;
    }

    /// Counts a request; false when there were too many.
    pub fn count_request(&mut self) -> bool {
        let most = self.context.limits.requests;
        if self.requests >= most {
            self.fault = Some(Fault::Requests(most));
            return false;
        }
        self.requests += 1;
        true
    }

    /// Counts a line of the log; false when there were too many.
    pub fn count_line(&mut self) -> bool {
        self.log_lines += 1;
        self.log_lines <= self.context.limits.log_lines
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.call.count();
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.call.count();
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.call }
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Call {
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        if !self.count_request() {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let (egress, recorder) = (self.context.egress.clone(), self.recorder.clone());
        Box::new(async move {
            let answer = egress.send(request, options, recorder).await?;
            let nothing_more: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((answer, nothing_more))
        })
    }
}

/// Memory and tables, all of the instance together.
pub(super) struct Bounds {
    memory: usize,
    most_memory: usize,
    most_table: usize,
    refused: Option<Fault>,
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        Bounds { memory: 0, most_memory: limits.memory, most_table: limits.table, refused: None }
    }

    /// Bytes of linear memory in use.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// What was refused since this was asked last.
    pub fn refused(&mut self) -> Option<Fault> {
        self.refused.take()
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, current: usize, desired: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory + desired.saturating_sub(current);
        if total > self.most_memory {
            let mebibytes = |bytes: usize| (bytes as u64).div_ceil(1 << 20);
            self.refused = Some(Fault::Memory { wanted: mebibytes(total), limit: mebibytes(self.most_memory) });
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.most_table {
            self.refused = Some(Fault::Table { wanted: desired as u64, limit: self.most_table as u64 });
            return Ok(false);
        }
        Ok(true)
    }
}

/// What the component prints: the last words of a panic, mostly. Never full, so that printing never fails.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = PRINTED.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

/// The words of a panic in what was printed, on one line.
pub(super) fn last_words(printed: &str) -> Option<String> {
    let words = printed.split("panicked at ").nth(1)?;
    let words: Vec<&str> = words.lines().take_while(|line| !line.starts_with("note: ")).map(str::trim).collect();
    Some(format!("it panicked at {}", clip(&words.join(" "), 500)))
}
