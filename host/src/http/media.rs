//! What is attached to messages, for whoever may see it: people of the tenant, and holders of a signed link.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::file;
use super::problem::Problem;
use super::query::Id;
use super::signed::{Opener, Proof, Signed, chosen};
use crate::media::Attached;
use crate::model::Item;
use crate::recordings::Part;

/// Nothing in a file that a stranger sent may run.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Which of the message's media, by its id; needed when there are several.
    media: Option<String>,
}

/// What is attached to a message.
///
/// A link that the hub made for a CRM needs no token. `Range` is understood. The type of the answer is what the bytes
/// are, when that is what the sender said; else it is a file to be kept.
#[utoipa::path(get, path = "/v1/media/{message}", tag = "people", security(("bearer" = []), ()),
    params(("message" = i64, Path, description = "The id of the message's record"), Asked, Proof),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, description = "The part that was asked for", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 304, description = "It is what you have"),
        (status = 404, description = "It is not there, and why", body = super::problem::Document),
        (status = 416, description = "Nothing is there"),
        (status = 503, description = "Its place does not answer: later", body = super::problem::Document),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn media(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Signed(asked, proof): Signed<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let opened = (Part::Media, id, asked.media.as_deref());
    let Opener { tenant, name, sight } = Opener::of(&api, opened, &proof, &headers).await?;
    let record = api.store.record(&tenant, id).await?.filter(|record| sight.sees(&record.item));
    let record = record.ok_or_else(|| Problem::missing("message"))?;
    let Item::Message(message) = &record.item else { return Err(Problem::missing("message")) };
    let media = chosen(Part::Media, &message.media, |media| &media.id, asked.media.as_deref())?;
    let entry = api.reception.entry(&tenant, &record.subject.source);
    let source = entry.map(|entry| entry.component.component().clone());
    let file = api.media.file(&Attached { tenant: &tenant, record: &record, media, source }).await?;
    tracing::info!(tenant, who = name, message = record.id, media = media.id, "media was handed out");
    let mut response = file::respond(file, &headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Ok(response)
}
