//! A component with one tenant's settings: what every other module calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::io::AsyncWrite;

use super::allow::{Allowed, Pattern, PatternError, asked};
use super::component::Component;
use super::context::{Access, Context, marked};
use super::contract::{
    Ability, Accepted, Answer, Change, Command, Failure, Grant, Job, Match, Outcome, Page, Performed, Refusal, Request,
    Step, Target,
};
use super::database::Databases;
use super::egress::{Egress, World};
use super::fault::Fault;
use super::kept::Kept;
use super::limits::Limits;
use super::question::{
    self, Begin, Check, Deliver, Find, Issue, Lacking, Make, Next, Open, Perform, Question, Receive, Where,
};
use super::resolve::Unreachable;
use super::runtime::Runtime;
use super::session::Session;
use super::state::Call;
use super::trace::{Exchange, Recorder};
use crate::config::DatabaseAddress;
use crate::model::{Numbering, Phone};

/// A component that may be replaced by a newer file between two calls.
#[derive(Clone)]
pub struct Handle(Arc<ArcSwap<Component>>);

impl Handle {
    /// A handle on this one.
    pub fn new(component: Arc<Component>) -> Self {
        Handle(Arc::new(ArcSwap::new(component)))
    }

    /// The component as it is now.
    pub fn component(&self) -> Arc<Component> {
        self.0.load_full()
    }

    /// Puts a newer one in its place. Calls under way finish with the old one.
    pub fn swap(&self, component: Arc<Component>) {
        self.0.store(component);
    }
}

/// What a use is made of.
#[derive(Clone, Debug)]
pub struct UseOptions {
    /// The tenant.
    pub tenant: String,
    /// The name of the source or the sink.
    pub name: String,
    /// The settings with secrets put in: a JSON object.
    pub settings: Value,
    /// What must never be seen in a log or an exchange. The settings that the component's schema marks as `writeOnly`
    /// are added by themselves.
    pub secrets: Vec<String>,
    /// What the tenant's file allows, see [`Pattern`](super::Pattern).
    pub allow: Vec<String>,
    /// The databases that the tenant's file gives, by name. They are connected to when they are first asked.
    pub databases: BTreeMap<String, DatabaseAddress>,
    /// How the tenant's numbers are read: adapters get the spellings worth searching for.
    pub numbering: Arc<Numbering>,
    /// What one call may use.
    pub limits: Limits,
}

/// Why there is no use.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// A pattern of the tenant's that is none.
    #[error("allow: {0}")]
    Allow(#[from] PatternError),
    /// Settings are a JSON object.
    #[error("settings: must be a table of names and values")]
    Settings,
}

/// What a call came to, and the requests made on the way, which are there after a fault too.
pub type Called<T> = (Result<T, Fault>, Vec<Exchange>);

/// A component with one tenant's settings. Shared freely; any number of calls may be under way.
pub struct Use {
    runtime: Arc<Runtime>,
    handle: Handle,
    own: Own,
    fitted: ArcSwap<Fitted>,
    kept: Arc<Kept>,
}

/// What the tenant's file says, whatever the component.
struct Own {
    tenant: String,
    name: String,
    settings: Value,
    allow: Vec<Pattern>,
    numbering: Arc<Numbering>,
    limits: Limits,
    access: Arc<Access>,
    databases: Arc<Databases>,
    world: World,
    /// The way out for the hub itself, which asks for whatever the tenant's file allows.
    files: Egress,
}

/// The component as it is now, with what follows from its descriptor.
pub(super) struct Fitted {
    pub component: Arc<Component>,
    pub context: Arc<Context>,
}

impl Own {
    /// What the component asks for, put together with what the tenant grants.
    fn fit(&self, component: Arc<Component>, runtime: &Arc<Runtime>) -> Fitted {
        let mut secrets = Vec::new();
        marked(&component.descriptor().settings_schema, &self.settings, &mut secrets);
        self.access.learn(secrets);
        let asked = asked(&component.descriptor().hosts, &self.settings);
        let allowed = Allowed { asked: Some(asked), granted: self.allow.clone() };
        // What is asked of a source is counted where it is read and commanded, ahead of any request.
        let rate = component.descriptor().rate.filter(|_| component.abilities().has(Ability::Sink));
        let egress = Egress::new(allowed, self.world.clone(), self.limits.clone()).at(rate);
        let context = Context {
            tenant: self.tenant.clone(),
            name: self.name.clone(),
            settings: self.settings.to_string(),
            limits: self.limits.clone(),
            egress: Arc::new(egress),
            databases: self.databases.clone(),
            access: self.access.clone(),
            numbering: self.numbering.clone(),
            runtime: Some(runtime.clone()),
        };
        Fitted { component, context: Arc::new(context) }
    }
}

impl Use {
    /// Puts a component and settings together.
    pub fn new(runtime: &Arc<Runtime>, handle: Handle, options: UseOptions) -> Result<Arc<Use>, UseError> {
        if !options.settings.is_object() {
            return Err(UseError::Settings);
        }
        let allow = options.allow.iter().map(|pattern| pattern.parse()).collect::<Result<Vec<Pattern>, _>>()?;
        let allowed = Allowed { asked: None, granted: allow.clone() };
        let files = Egress::new(allowed, runtime.world(), options.limits.clone());
        let own = Own {
            files,
            tenant: options.tenant,
            name: options.name,
            settings: options.settings,
            allow,
            numbering: options.numbering,
            limits: options.limits,
            access: Arc::new(Access::new(options.secrets)),
            databases: Arc::new(Databases::new(options.databases)),
            world: runtime.world(),
        };
        let fitted = ArcSwap::from_pointee(own.fit(handle.component(), runtime));
        let kept = Arc::new(Kept::default());
        runtime.remember(&kept);
        Ok(Arc::new(Use { runtime: runtime.clone(), handle, own, fitted, kept }))
    }

    /// The newest component, fitted to this use. Looked at once for each call, so that a call sees one and the same.
    fn now(&self) -> Arc<Fitted> {
        let newest = self.handle.component();
        let fitted = self.fitted.load_full();
        if Arc::ptr_eq(&fitted.component, &newest) {
            return fitted;
        }
        let fitted = Arc::new(self.own.fit(newest, &self.runtime));
        self.fitted.store(fitted.clone());
        self.kept.clear();
        fitted
    }

    async fn call<Q: Question>(&self, question: Q) -> Called<Q::Reply> {
        let now = self.now();
        let call = Call::new(now.context.clone());
        let recorder = call.recorder.clone();
        let result = self.run(&now, question, call).await;
        (result, recorder.exchanges(&self.own.access.redactor()))
    }

    async fn run<Q: Question>(&self, now: &Fitted, question: Q, call: Call) -> Result<Q::Reply, Fault> {
        able::<Q>(&now.component)?;
        let wait = self.own.limits.timeout;
        let kept = if Q::KEPT { self.kept.take(&now.component) } else { None };
        let mut instance = match kept {
            Some(mut instance) => {
                instance.live.begin(call);
                instance
            }
            None => self.runtime.start(&now.component, call).await?,
        };
        let reply = instance.live.ask(question, wait).await?;
        if Q::KEPT {
            self.kept.put(&now.component, instance, &self.own.limits);
        }
        Ok(reply)
    }

    /// Fetches a file for the hub, from a host that the tenant's file allows to this use; more than `limit` bytes are a
    /// failure. Its type.
    pub async fn download(
        &self,
        url: &str,
        limit: u64,
        into: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Option<String>, Failure> {
        self.own.files.fetch_into(into, url, limit, Recorder::default()).await
    }

    /// The component as it is now.
    pub fn component(&self) -> Arc<Component> {
        self.handle.component()
    }

    /// The grant that later calls are given.
    pub fn set_grant(&self, grant: Option<Grant>) {
        self.own.access.set(grant);
    }

    /// The grant that calls are given now.
    pub fn grant(&self) -> Option<Grant> {
        self.own.access.grant().map(|grant| grant.as_ref().clone())
    }

    /// A text that the component wrote, such as the reason of a failure, without the secrets of this use.
    pub fn redacted(&self, text: &str) -> String {
        self.own.access.redactor().text(text, &mut Vec::new())
    }

    /// `webhook`: verifies and decodes a request.
    pub async fn receive(&self, request: Request) -> Result<Result<Accepted, Refusal>, Fault> {
        let now = self.now();
        self.run(&now, Receive(request), Call::new(now.context.clone())).await
    }

    /// `sink`: makes the outside system agree. One outcome for each change, in their order.
    pub async fn deliver(&self, changes: Vec<Change>) -> Called<Vec<Outcome>> {
        self.call(Deliver(changes, &self.own.numbering)).await
    }

    /// `sink`: looks whether it can work; sentences that a person must mend.
    pub async fn check(&self) -> Called<Result<Vec<String>, Failure>> {
        self.call(Check).await
    }

    /// `directory`: who has this number, best first.
    pub async fn find(&self, phone: Phone) -> Called<Result<Vec<Match>, Failure>> {
        self.call(Find(phone, &self.own.numbering)).await
    }

    /// `grants`: logs in. The caller keeps to one at a time, stores the grant, and gives it to [`Use::set_grant`].
    pub async fn issue(&self, previous: Option<Grant>) -> Called<Result<Grant, Failure>> {
        let now = self.now();
        let call = Call::new(now.context.clone());
        let recorder = call.recorder.clone();
        let old = previous.as_ref().map(|grant| grant.token.clone());
        let result = self.run(&now, Issue(previous), call).await;
        let new = result.as_ref().ok().and_then(|grant| grant.as_ref().ok()).map(|grant| grant.token.clone());
        let redactor = self.own.access.redactor().with(old.into_iter().chain(new));
        (result, recorder.exchanges(&redactor))
    }

    /// `pull`: the reading that is to go on by itself.
    pub async fn begin(&self) -> Called<Vec<Job>> {
        self.call(Begin).await
    }

    /// `pull`: reads one page.
    pub async fn next(&self, job: Job, cursor: Option<Vec<u8>>) -> Called<Result<Page, Failure>> {
        self.call(Next(job, cursor)).await
    }

    /// `commands`: carries out one command.
    pub async fn perform(&self, command: Command) -> Called<Performed> {
        self.call(Perform(command)).await
    }

    /// `setup`: what the outside system lacks, in the order in which it must be made.
    pub async fn lacking(&self, endpoint: Option<&str>) -> Called<Result<Vec<Step>, Failure>> {
        self.call(Lacking(endpoint)).await
    }

    /// `setup`: makes one of them; a text is for the person alone.
    pub async fn make(&self, step: &Step) -> Called<Result<Option<String>, Failure>> {
        self.call(Make(step)).await
    }

    /// `endpoint`: answers a request of the outside system.
    pub async fn handle(&self, request: Request) -> Called<Answer> {
        let now = self.now();
        let call = Call::commanding(now.context.clone());
        let recorder = call.recorder.clone();
        let result = self.run(&now, question::Handle(request), call).await;
        (result, recorder.exchanges(&self.own.access.redactor()))
    }

    /// `connection`: where to connect.
    pub async fn target(&self) -> Called<Result<Target, Failure>> {
        self.call(Where).await
    }

    /// The addresses of a connection's other side, as far as this use may reach them.
    pub async fn reach(&self, target: &Target) -> Result<Vec<SocketAddr>, Unreachable> {
        self.now().context.egress.reach(target).await
    }

    /// `connection`: a new state machine, in an instance of its own.
    pub async fn open_session(&self) -> Result<Session, Fault> {
        let now = self.now();
        able::<Open>(&now.component)?;
        let instance = self.runtime.start(&now.component, Call::new(now.context.clone())).await?;
        Session::open(instance, now).await
    }
}

fn able<Q: Question>(component: &Component) -> Result<(), Fault> {
    match Q::ABILITY {
        Some(ability) if !component.abilities().has(ability) => {
            Err(Fault::Unable { component: component.descriptor().name.clone(), ability })
        }
        _ => Ok(()),
    }
}
