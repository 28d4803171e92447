//! Numbers for Prometheus.
//!
//! Those of the whole hub can be read by whoever can reach it; those that name a tenant only by that tenant.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use crate::config::Role;
use crate::intake::ConnectionPhase;

/// Seconds that are told apart: from what a commit takes to what a CRM takes.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Sizes of commits that are told apart.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Makes this process count, once; what is counted before is lost.
pub fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let made = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch".to_owned()), &SIZES));
        let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder of metrics is in place: /metrics stays empty");
        }
        describe();
        handle
    };
    RECORDER.get_or_init(made).clone()
}

fn describe() {
    describe_counter!("cordboard_webhooks_total", "Webhooks by what became of them");
    describe_histogram!("cordboard_webhook_seconds", Unit::Seconds, "From a webhook's last byte to its answer");
    describe_counter!("cordboard_intakes_total", "Intakes committed");
    describe_counter!("cordboard_commits_total", "Commits");
    describe_counter!("cordboard_events_total", "Events");
    describe_counter!("cordboard_duplicates_total", "Observations that changed nothing");
    describe_counter!("cordboard_busy_total", "Intakes refused because the queue of the store was full");
    describe_gauge!("cordboard_intakes_waiting", "Intakes that wait for a commit");
    describe_counter!("cordboard_intake_total", "Webhooks noted, by tenant, source and verdict");
    describe_counter!("cordboard_deliveries_total", "Delivery attempts by outcome");
    describe_histogram!("cordboard_delivery_seconds", Unit::Seconds, "Time of one call of an adapter");
    describe_gauge!("cordboard_deliveries_due", "Deliveries that are due");
    describe_gauge!("cordboard_deliveries_parked", "Deliveries that wait for a person");
    describe_gauge!("cordboard_lanes_paused", "Lanes that wait for a person");
    describe_gauge!("cordboard_lanes_waiting", "Lanes that wait for their outside system, and go on by themselves");
    describe_counter!("cordboard_component_faults_total", "Calls that broke a component down, by component");
    describe_counter!("cordboard_directory_total", "Questions whose a number is, by what became of them");
    describe_counter!("cordboard_route_total", "Questions of a dialplan, by what became of them");
    describe_gauge!("cordboard_connections", "Connections of sources, by how they stand");
    describe_counter!("cordboard_connections_total", "Connections that stood, were lost, or cannot be, by source");
    describe_counter!("cordboard_observations_total", "What connections reported, by source and outcome");
    describe_counter!("cordboard_commands_total", "Commands by source and outcome");
    describe_gauge!("cordboard_live_sockets", "Open live sockets");
    describe_gauge!("cordboard_long_polls", "Requests to endpoints that wait for something to happen");
    describe_counter!("cordboard_media_missing_total", "Media of messages that could not be fetched in time");
    describe_gauge!("cordboard_recordings_failing", "Recordings that could not be copied yet, by source");
    describe_counter!("cordboard_recordings_uncopied_total", "Recordings that were never copied, by source");
    describe_counter!("cordboard_live_frames_total", "Frames sent to live sockets");
    describe_counter!("cordboard_live_cut_total", "Live sockets that were cut for being slow");
}

/// What the handlers count: looked up once, because looking up costs more than counting.
pub(super) struct Meters {
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) unauthenticated: Counter,
    pub(super) unknown: Counter,
    pub(super) failed: Counter,
    pub(super) webhook: Histogram,
    pub(super) frames: Counter,
    pub(super) cut: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        let webhooks = |outcome: &'static str| counter!("cordboard_webhooks_total", "outcome" => outcome);
        Meters {
            accepted: webhooks("accepted"),
            refused: webhooks("refused"),
            unauthenticated: webhooks("unauthenticated"),
            unknown: webhooks("unknown"),
            failed: webhooks("failed"),
            webhook: histogram!("cordboard_webhook_seconds"),
            frames: counter!("cordboard_live_frames_total"),
            cut: counter!("cordboard_live_cut_total"),
        }
    }
}

/// Numbers for Prometheus.
///
/// Those of the whole hub, for anybody. A supervisor's token adds its own tenant's.
#[utoipa::path(get, path = "/metrics", tag = "hub", security(()),
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4"),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn metrics(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let caller = match headers.contains_key(header::AUTHORIZATION) {
        true => Some(Caller::of(&api, &headers).await?.at_least(Role::Supervisor)?),
        false => None,
    };
    let counts = api.store.counts();
    counter!("cordboard_intakes_total").absolute(counts.intakes);
    counter!("cordboard_commits_total").absolute(counts.commits);
    counter!("cordboard_events_total").absolute(counts.events);
    counter!("cordboard_duplicates_total").absolute(counts.duplicates);
    counter!("cordboard_busy_total").absolute(counts.busy);
    gauge!("cordboard_intakes_waiting").set(counts.waiting as f64);
    gauge!("cordboard_live_sockets").set(api.sockets.len() as f64);
    // The numbers of this process are told also while the store is away.
    if let Ok(lanes) = api.store.lanes(None).await {
        gauge!("cordboard_deliveries_due").set(lanes.iter().map(|lane| lane.due).sum::<u64>() as f64);
        gauge!("cordboard_deliveries_parked").set(lanes.iter().map(|lane| lane.parked).sum::<u64>() as f64);
    }
    let plan = api.plan.load();
    let lanes: Vec<_> = plan.tenants.keys().flat_map(|tenant| api.lanes.states(tenant)).collect();
    for (state, gauge) in [("paused", gauge!("cordboard_lanes_paused")), ("waiting", gauge!("cordboard_lanes_waiting"))]
    {
        gauge.set(lanes.iter().filter(|lane| lane.state == state).count() as f64);
    }
    let phases = api.connections.phases();
    for phase in ConnectionPhase::ALL {
        let count = phases.get(phase.word()).copied().unwrap_or_default();
        gauge!("cordboard_connections", "state" => phase.word()).set(count as f64);
    }
    let text = api.prometheus.render();
    let own = caller.map(|caller| format!("tenant=\"{}\"", caller.tenant.name));
    let visible = |line: &&str| !line.contains("tenant=\"") || own.as_ref().is_some_and(|own| line.contains(own));
    let text: String = text.split_inclusive('\n').filter(visible).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
