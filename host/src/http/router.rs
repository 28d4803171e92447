//! The paths, each with its handler and its description.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Kind, Problem};
use super::{
    Api, calls, commands, deliveries, docs, endpoints, events, hooks, hub, intake, live, media, metrics, people,
    recordings, route, sources, tickets,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cordboard",
        description = "A communications hub: calls and messages in, CRMs made to agree with them.\n\nThe tenant comes \
            from the token. An agent sees its own desk; a supervisor sees the tenant and retries deliveries; an admin \
            replays the intake too. Errors are problem documents (RFC 9457)."
    ),
    security(("bearer" = [])),
    tags(
        (name = "webhooks", description = "From outside systems"),
        (name = "live", description = "Events as they happen"),
        (name = "calls", description = "The records of calls"),
        (name = "people", description = "Who has a number, and what was said with them"),
        (name = "commands", description = "What sources are asked to do"),
        (name = "deliveries", description = "What CRMs were told"),
        (name = "intake", description = "What came in, raw"),
        (name = "hub", description = "The hub itself"),
    )
)]
struct Face;

fn paths() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Face::openapi())
        .routes(routes!(hooks::hook))
        .routes(routes!(endpoints::endpoint))
        .routes(routes!(live::live))
        .routes(routes!(tickets::issue))
        .routes(routes!(events::events))
        .routes(routes!(calls::list, calls::log))
        .routes(routes!(calls::one))
        .routes(routes!(people::who))
        .routes(routes!(people::timeline))
        .routes(routes!(people::inbox))
        .routes(routes!(route::route))
        .routes(routes!(recordings::recording))
        .routes(routes!(media::media))
        .routes(routes!(commands::ask))
        .routes(routes!(commands::one))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::retry_many))
        .routes(routes!(deliveries::one))
        .routes(routes!(deliveries::retry))
        .routes(routes!(intake::list))
        .routes(routes!(intake::replay_many))
        .routes(routes!(intake::one))
        .routes(routes!(intake::replay))
        .routes(routes!(hub::components))
        .routes(routes!(hub::lanes))
        .routes(routes!(sources::list))
        .routes(routes!(sources::jobs))
        .routes(routes!(sources::sync))
        .routes(routes!(hub::root))
        .routes(routes!(hub::health))
        .routes(routes!(hub::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(docs::openapi))
        .routes(routes!(docs::page))
}

/// The API's description.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut described = paths().into_openapi();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A JWT with the claims tenant, role, sub and exp; or an API key, which begins with ck_"))
        .build();
    let components = described.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(token));
    described
}

/// Everything that the hub answers.
pub fn router(api: Arc<Api>) -> Router {
    let (paths, _) = paths().split_for_parts();
    paths
        .fallback(hooks::elsewhere)
        .method_not_allowed_fallback(no_such_method)
        .layer(CatchPanicLayer::custom(crashed))
        .with_state(api)
}

/// What is answered on a port of the tenants' own: the paths that their files claim there, and nothing else.
pub(super) fn claims_alone(api: Arc<Api>) -> Router {
    Router::new().fallback(hooks::elsewhere).layer(CatchPanicLayer::custom(crashed)).with_state(api)
}

/// What stands here does not take the method; axum adds `Allow`.
async fn no_such_method() -> Problem {
    Problem::new(Kind::Method, "the path is there, but not with this method; `Allow` names those that it has")
}

fn crashed(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(said, "a handler crashed");
    Problem::new(Kind::Internal, "the hub failed at this request; its log says more").into_response()
}
