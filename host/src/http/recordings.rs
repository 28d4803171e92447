//! Recordings of calls, for whoever may hear them: people of the tenant, and holders of a signed link.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, header, request};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::file;
use super::problem::{Kind, Problem};
use super::query::Id;
use super::signed::{Opener, Proof, Signed, chosen};
use crate::components::contract;
use crate::model::call::Recording;
use crate::model::{self, Call, Instant, Item, Subject};
use crate::recordings::{Format, Part, Unserved, Wanted};
use crate::store::Record;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Which of the call's recordings, by its id; needed when there are several.
    recording: Option<String>,
    /// `mp3` or `opus`; as it is when absent. `Accept: audio/mpeg` or `audio/ogg` says the same.
    format: Option<String>,
}

/// A recording of a call.
///
/// An agent hears those of its own desk. A link that the hub made for a CRM needs no token. `Range` is understood.
#[utoipa::path(get, path = "/v1/recordings/{call}", tag = "calls", security(("bearer" = []), ()),
    params(("call" = i64, Path, description = "The id of the call's record"), Asked, Proof),
    responses(
        (status = 200, description = "The sound", content_type = "audio/*", body = Vec<u8>),
        (status = 206, description = "The part that was asked for", content_type = "audio/*", body = Vec<u8>),
        (status = 304, description = "It is what you have"),
        (status = 404, description = "There is none, or not yet: `Retry-After` says when to ask again",
            body = super::problem::Document),
        (status = 406, description = "Not in this format", body = super::problem::Document),
        (status = 416, description = "Nothing is there"),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn recording(
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Signed(asked, proof): Signed<Asked>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let opened = (Part::Recording, id, asked.recording.as_deref());
    let Opener { tenant, name, sight } = Opener::of(&api, opened, &proof, &headers).await?;
    let record = api.store.record(&tenant, id).await?.filter(|record| sight.sees(&record.item));
    let record = record.ok_or_else(|| Problem::missing("call"))?;
    let Item::Call(call) = &record.item else { return Err(Problem::missing("call")) };
    let recording = chosen(Part::Recording, &call.recordings, |one| &one.id, asked.recording.as_deref())?;
    let format = format(asked.format.as_deref(), &headers)?;
    let what = What { record: &record, call, recording, format };
    let mut response = hand_out(&api, &tenant, &name, &what, (&method, &headers)).await?;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// The recording that a component's endpoint wants to be sent. What the ledger does not know is taken as the component
/// says it, as if the source had reported it.
pub(super) async fn sound_for(
    api: &Api,
    tenant: &str,
    asked: contract::Sound,
    head: &request::Parts,
) -> Result<Result<Response, Unserved>, Problem> {
    let subject = Subject { source: asked.source, kind: model::Kind::Call, id: asked.call };
    let known = match subject.id.is_empty() {
        true => None,
        false => api.store.record_of(tenant, &subject).await?,
    };
    let record = known.unwrap_or_else(|| unknown(subject, asked.began));
    let Item::Call(call) = &record.item else { return Ok(Err(none())) };
    let named = asked.recording.map(|id| Recording { id, url: None, media_type: None, duration: None });
    let known = |named: &Recording| call.recordings.iter().find(|recording| recording.id == named.id);
    let recording = match &named {
        Some(named) => known(named).unwrap_or(named),
        None => match call.recordings.first() {
            Some(first) => first,
            None => return Ok(Err(none())),
        },
    };
    let format = asked.format.as_deref().and_then(Format::of);
    let what = What { record: &record, call, recording, format };
    Ok(hand_out(api, tenant, "an endpoint", &what, (&head.method, &head.headers)).await)
}

fn none() -> Unserved {
    Unserved::Missing("the call has no recording".to_owned(), None)
}

/// A call that the ledger does not have: it was over before the hub knew the PBX.
fn unknown(subject: Subject, began: Option<Instant>) -> Record {
    let call = Call { started_at: began, ended_at: Some(began.unwrap_or_default()), ..Call::default() };
    let never = Instant::default();
    let item = Item::Call(call);
    Record { id: 0, subject, also: Vec::new(), revision: 0, created_at: never, updated_at: never, item }
}

/// Which recording, and in which form.
struct What<'a> {
    record: &'a Record,
    call: &'a Call,
    recording: &'a Recording,
    format: Option<Format>,
}

/// The recording as an answer to a request with this method and these headers. Who heard what is kept in the log, with
/// the part that it was: a player asks for several.
async fn hand_out(
    api: &Api,
    tenant: &str,
    who: &str,
    what: &What<'_>,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, Unserved> {
    let What { record, call, recording, format } = *what;
    let plan = api.plan.load_full();
    let source = plan.tenants.get(tenant).and_then(|tenant| tenant.sources.get(&record.subject.source));
    let entry = api.reception.entry(tenant, &record.subject.source);
    let wanted = Wanted {
        tenant,
        record,
        call,
        recording,
        archive: source.and_then(|source| source.recordings.as_ref()),
        source: entry.map(|entry| entry.component.component().clone()),
    };
    let sound = api.recordings.sound(&wanted, format).await?;
    let response = file::respond(sound, headers);
    if hears(method, &response) {
        let part = response.headers().get(header::CONTENT_RANGE).and_then(|part| part.to_str().ok());
        tracing::info!(tenant, who, call = record.id, recording = recording.id, part, "a recording was handed out");
    }
    Ok(response)
}

/// Whether there is any sound in this answer.
fn hears(method: &Method, response: &Response) -> bool {
    method != Method::HEAD && response.status().is_success()
}

/// The format that is asked for. What `Accept` says counts only when it names a format and nothing wider.
fn format(asked: Option<&str>, headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    if let Some(word) = asked {
        let unknown = || Problem::new(Kind::Malformed, "must be one of: mp3, opus").at("format");
        return Format::of(word).map(Some).ok_or_else(unknown);
    }
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut types = accepted.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    let (mut mp3, mut opus) = (false, false);
    let narrow = types.all(|one| match one {
        "audio/mpeg" | "audio/mp3" => {
            mp3 = true;
            true
        }
        "audio/ogg" | "audio/opus" => {
            opus = true;
            true
        }
        _ => false,
    });
    Ok(match (narrow, mp3, opus) {
        (true, true, _) => Some(Format::Mp3),
        (true, false, true) => Some(Format::Opus),
        _ => None,
    })
}

impl From<Unserved> for Problem {
    fn from(why: Unserved) -> Self {
        match why {
            Unserved::Missing(why, after) => {
                let problem = Problem::new(Kind::NotFound, format!("there is no file to hand out: {why}"));
                match after {
                    Some(after) => problem.after(after),
                    None => problem,
                }
            }
            Unserved::Later(why) => Problem::new(Kind::Unavailable, why).after(Duration::from_secs(10)),
            Unserved::Form(why) => Problem::new(Kind::NotAcceptable, why).at("format"),
            Unserved::Failed => Problem::new(Kind::Internal, "the file cannot be handed out; the hub's log says more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn nobody_hears_what_has_no_sound_in_it() {
        let answer = |status: u16| StatusCode::from_u16(status).unwrap().into_response();
        assert!(hears(&Method::GET, &answer(200)) && hears(&Method::GET, &answer(206)));
        assert!(!hears(&Method::HEAD, &answer(200)), "only its headers are sent");
        assert!(!hears(&Method::GET, &answer(304)) && !hears(&Method::GET, &answer(416)));
    }

    #[test]
    fn a_format_is_asked_for_by_name_or_by_a_narrow_accept() {
        let by = |accept: &'static str| {
            let headers = [(header::ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            format(None, &headers).unwrap()
        };
        assert_eq!(by("audio/mpeg"), Some(Format::Mp3));
        assert_eq!(by("audio/ogg; codecs=opus"), Some(Format::Opus));
        assert_eq!(by("audio/ogg, audio/mpeg;q=0.5"), Some(Format::Mp3));
        for wide in ["*/*", "audio/*", "audio/webm,audio/ogg,audio/wav,audio/*;q=0.9", "", "audio/mpeg, */*"] {
            assert_eq!(by(wide), None, "{wide}");
        }
        assert_eq!(format(Some("opus"), &HeaderMap::new()).unwrap(), Some(Format::Opus));
        assert!(format(Some("wav"), &HeaderMap::new()).is_err());
    }
}
