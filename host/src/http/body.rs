//! Bodies, read under the hub's own bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Api;
use super::problem::{Kind, Problem};

/// A body must be there whole in this time: a sender that drips bytes does not hold its place.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body whole. What announces itself as larger than `limit` is not read at all.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, format!("the body has more than {limit} bytes"));
    let announced = HttpBody::size_hint(&body).lower();
    if announced > limit as u64 {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(PATIENCE, collect(body, limit)).await;
    let late = format!("the body was not there within {} s", PATIENCE.as_secs());
    whole.map_err(|_| Problem::new(Kind::Timeout, late))?.map_err(|broken| match broken {
        Broken::TooLarge => too_large(),
        Broken::Cut(why) => Problem::new(Kind::Malformed, format!("the body ended too early: {why}")),
    })
}

enum Broken {
    TooLarge,
    Cut(axum::Error),
}

/// A body that comes in one piece is not copied.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Broken> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(Broken::Cut)?.into_data() else { continue };
        if first.len() + rest.len() + piece.len() > limit {
            return Err(Broken::TooLarge);
        }
        if first.is_empty() {
            first = piece;
        } else {
            rest.extend_from_slice(&piece);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// A JSON body; what is wrong with it is told with its place.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        json(request.headers())?;
        let limit = api.plan.load().hub.limits.body;
        let bytes = read(request.into_body(), limit).await?;
        parse(&bytes).map(Json)
    }
}

/// The members of a JSON object; none when there is no body.
pub(super) struct Members(pub(super) Map<String, Value>);

impl FromRequest<Arc<Api>> for Members {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let kind = json(request.headers());
        let limit = api.plan.load().hub.limits.body;
        let bytes = read(request.into_body(), limit).await?;
        if bytes.is_empty() {
            return Ok(Members(Map::new()));
        }
        kind?;
        parse(&bytes).map(Members)
    }
}

/// Whether a body says that it is JSON.
fn json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = format!("the body must be application/json, not `{}`", essence.escape_default());
    Err(Problem::new(Kind::MediaType, detail))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let pointer = pointer(why.path());
        let why = why.into_inner();
        match why.classify() {
            serde_json::error::Category::Data => Problem::new(Kind::Invalid, why.to_string()).at(pointer),
            _ => Problem::new(Kind::Malformed, format!("the body is not JSON: {why}")).at(pointer),
        }
    })?;
    json.end().map_err(|why| Problem::new(Kind::Malformed, format!("the body is not JSON: {why}")))?;
    Ok(value)
}

/// A path as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}
