//! How each question is put to a component of this version.

use std::time::Duration;

use super::bindings::cordboard::hub::records as wr;
use super::bindings::exports::cordboard::hub::setup as ws;
use super::inward::{Invalid, Inward};
use super::live::{Live, SessionState};
use super::outward::Outward;
use crate::components::contract::{
    Ability, Accepted, Action, Answer, Descriptor, Failure, Grant, Job, Match, Outcome, Page, Performed, Rate, Refusal,
    Step, Target,
};
use crate::components::fault::Fault;
use crate::components::question::{
    Begin, Check, Deliver, Describe, Find, Handle, Happened, Issue, Lacking, Make, Next, Open, Perform, Question,
    Receive, SessionState as AnySession, Where,
};
use crate::model::{Numbering, Observation};

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Fault::Answer(invalid.to_string())
    }
}

impl Question for Describe {
    const ABILITY: Option<Ability> = None;
    type Reply = Descriptor;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Descriptor> {
        let said = live.about()?.call_describe(&mut live.store).await?;
        let settings_schema = serde_json::from_str(&said.settings_schema)
            .map_err(|error| Fault::Answer(format!("settings-schema: this is not JSON: {error}")))?;
        Ok(Descriptor {
            name: said.name,
            version: said.version,
            summary: said.summary,
            settings_schema,
            hosts: said.hosts,
            batch: said.batch,
            rate: said.rate.map(|rate| Rate { requests: rate.requests, per: Duration::from_millis(rate.per) }),
            commands: said.commands,
        })
    }
}

impl Question for Receive {
    const ABILITY: Option<Ability> = Some(Ability::Webhook);
    const KEPT: bool = true;
    type Reply = Result<Accepted, Refusal>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let (webhook, store) = live.webhook()?;
        let request = self.0.outward(&Numbering::default());
        let accepted = match webhook.call_receive(store, &request).await? {
            Ok(accepted) => accepted,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        // What the sender's data cannot be is the sender's to hear; the request is kept and can be replayed.
        let observations: Result<Vec<Observation>, Invalid> =
            accepted.observations.into_iter().map(Inward::inward).collect();
        let observations = match observations {
            Ok(observations) => observations,
            Err(invalid) if invalid.unknown => return Ok(Err(Refusal::Other(invalid.to_string()))),
            Err(Invalid { field, why, .. }) => return Ok(Err(Refusal::Malformed { field, why })),
        };
        Ok(Ok(Accepted {
            observations,
            jobs: accepted.jobs.inward().map_err(Fault::from)?,
            reply: accepted.reply.inward().map_err(Fault::from)?,
            once: accepted.once.inward().map_err(Fault::from)?,
        }))
    }
}

impl Question for Deliver<'_> {
    const ABILITY: Option<Ability> = Some(Ability::Sink);
    type Reply = Vec<Outcome>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Vec<Outcome>> {
        let changes: Vec<_> = self.0.outward(self.1);
        let outcomes = live.sink()?.call_deliver(&mut live.store, &changes).await?;
        if outcomes.len() != changes.len() {
            let said = format!("{} outcomes for {} changes", outcomes.len(), changes.len());
            return Err(Fault::Answer(said).into());
        }
        Ok(outcomes.inward().map_err(Fault::from)?)
    }
}

impl Question for Check {
    const ABILITY: Option<Ability> = Some(Ability::Sink);
    type Reply = Result<Vec<String>, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        Ok(live.sink()?.call_check(&mut live.store).await?.map_err(Into::into))
    }
}

impl Question for Find<'_> {
    const ABILITY: Option<Ability> = Some(Ability::Directory);
    type Reply = Result<Vec<Match>, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let phone = self.0.outward(self.1);
        match live.directory()?.call_find(&mut live.store, &phone).await? {
            Ok(matches) => Ok(Ok(matches.inward().map_err(Fault::from)?)),
            Err(failure) => Ok(Err(failure.into())),
        }
    }
}

impl Question for Issue {
    const ABILITY: Option<Ability> = Some(Ability::Grants);
    type Reply = Result<Grant, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let previous = self.0.outward(&Numbering::default());
        match live.grants()?.call_issue(&mut live.store, previous.as_ref()).await? {
            Ok(grant) => Ok(Ok(grant.inward().map_err(Fault::from)?)),
            Err(failure) => Ok(Err(failure.into())),
        }
    }
}

impl Question for Begin {
    const ABILITY: Option<Ability> = Some(Ability::Pull);
    type Reply = Vec<Job>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Vec<Job>> {
        Ok(live.pull()?.call_begin(&mut live.store).await?.inward().map_err(Fault::from)?)
    }
}

impl Question for Next {
    const ABILITY: Option<Ability> = Some(Ability::Pull);
    type Reply = Result<Page, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let job = self.0.outward(&Numbering::default());
        let page = match live.pull()?.call_next(&mut live.store, &job, self.1.as_deref()).await? {
            Ok(page) => page,
            Err(failure) => return Ok(Err(failure.into())),
        };
        Ok(Ok(Page {
            observations: understood(live, page.observations),
            next: page.next,
            after: page.after.map(Duration::from_millis),
            progress: page.progress.inward().map_err(Fault::from)?,
        }))
    }
}

impl Question for Perform {
    const ABILITY: Option<Ability> = Some(Ability::Commands);
    type Reply = Performed;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Performed> {
        let command = self.0.outward(&Numbering::default());
        let performed = live.commands()?.call_perform(&mut live.store, &command).await?;
        Ok(Performed {
            result: performed.result.map(Into::into).map_err(Into::into),
            observations: understood(live, performed.observations),
        })
    }
}

impl Question for Lacking<'_> {
    const ABILITY: Option<Ability> = Some(Ability::Setup);
    type Reply = Result<Vec<Step>, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let steps = live.setup()?.call_plan(&mut live.store, self.0).await?;
        let step = |it: ws::Step| Step { says: it.says, details: it.details, work: it.work };
        Ok(steps.map(|steps| steps.into_iter().map(step).collect()).map_err(Into::into))
    }
}

impl Question for Make<'_> {
    const ABILITY: Option<Ability> = Some(Ability::Setup);
    type Reply = Result<Option<String>, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let Step { says, details, work } = self.0.clone();
        let step = ws::Step { says, details, work };
        Ok(live.setup()?.call_make(&mut live.store, &step).await?.map_err(Into::into))
    }
}

impl Question for Handle {
    const ABILITY: Option<Ability> = Some(Ability::Endpoint);
    type Reply = Answer;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Answer> {
        let request = self.0.outward(&Numbering::default());
        let answer = live.endpoint()?.call_handle(&mut live.store, &request).await?;
        Ok(Answer {
            sent: answer.sent.inward().map_err(Fault::from)?,
            observations: understood(live, answer.observations),
            commands: answer.commands.inward().map_err(Fault::from)?,
        })
    }
}

impl Question for Where {
    const ABILITY: Option<Ability> = Some(Ability::Connection);
    type Reply = Result<Target, Failure>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Self::Reply> {
        let (connection, store) = live.connection()?;
        let target = connection.call_target(store).await?;
        Ok(target.map(|it| Target { host: it.host, port: it.port, tls: it.tls }).map_err(Into::into))
    }
}

impl Question for Open {
    const ABILITY: Option<Ability> = Some(Ability::Connection);
    type Reply = AnySession;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<AnySession> {
        let (connection, store) = live.connection()?;
        Ok(AnySession::V1(SessionState(connection.session().call_constructor(store).await?)))
    }
}

impl Question for Happened<'_> {
    const ABILITY: Option<Ability> = Some(Ability::Connection);
    type Reply = Vec<Action>;

    async fn ask_v1(self, live: &mut Live) -> wasmtime::Result<Vec<Action>> {
        let AnySession::V1(session) = self.session;
        let inputs: Vec<_> = self.inputs.outward(&Numbering::default());
        let (connection, store) = live.connection()?;
        let actions = connection.session().call_handle(store, session.0, self.now.millis(), &inputs).await?;
        Ok(actions.into_iter().filter_map(|action| noted(live, action.inward())).collect())
    }
}

/// Those sightings that can be kept. One that cannot must not hold up all that come after it, so it is left out, and
/// the log says so.
fn understood(live: &Live, observations: Vec<wr::Observation>) -> Vec<Observation> {
    observations.into_iter().filter_map(|observation| noted(live, observation.inward())).collect()
}

fn noted<T>(live: &Live, it: Result<T, Invalid>) -> Option<T> {
    it.map_err(|invalid| {
        let context = &live.store.data().call.context;
        tracing::warn!(tenant = %context.tenant, name = %context.name, "an observation was left out: {invalid}");
    })
    .ok()
}
