//! Recordings of calls, for whoever may hear them: people of the tenant, and holders of a signed link.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::auth::Caller;
use super::file;
use super::problem::{Kind, Problem};
use super::query::{Id, Query};
use crate::live::Sight;
use crate::model::call::Recording;
use crate::model::{Call, Item};
use crate::recordings::{Format, LinkError, Unserved, Wanted, short};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Which of the call's recordings, by its id; needed when there are several.
    recording: Option<String>,
    /// `mp3` or `opus`; as it is when absent. `Accept: audio/mpeg` or `audio/ogg` says the same.
    format: Option<String>,
    /// Of a signed link: whose it is.
    tenant: Option<String>,
    /// Of a signed link: when it ends, in seconds since 1970.
    expires: Option<u64>,
    /// Of a signed link: what proves it.
    signature: Option<String>,
}

/// A recording of a call.
///
/// An agent hears those of its own desk. A link that the hub made for a CRM needs no token. `Range` is understood.
#[utoipa::path(get, path = "/v1/recordings/{call}", tag = "calls", security(("bearer" = []), ()),
    params(("call" = i64, Path, description = "The id of the call's record"), Asked),
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
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Listener { tenant, name, sight } = Listener::of(&api, id, &asked, &headers).await?;
    let record = api.store.record(&tenant, id).await?.filter(|record| sight.sees(&record.item));
    let record = record.ok_or_else(|| Problem::missing("call"))?;
    let Item::Call(call) = &record.item else { return Err(Problem::missing("call")) };
    let recording = chosen(call, asked.recording.as_deref())?;
    let plan = api.plan.load_full();
    let source = plan.tenants.get(&tenant).and_then(|tenant| tenant.sources.get(&record.subject.source));
    let entry = api.reception.entry(&tenant, &record.subject.source);
    let wanted = Wanted {
        tenant: &tenant,
        record: &record,
        call,
        recording,
        archive: source.and_then(|source| source.recordings.as_ref()),
        source: entry.map(|entry| entry.component.component().clone()),
    };
    let format = format(asked.format.as_deref(), &headers)?;
    let sound = api.recordings.sound(&wanted, format).await?;
    // Who heard what is kept in the log.
    tracing::info!(tenant, who = name, call = record.id, recording = recording.id, "a recording was handed out");
    let mut response = file::respond(sound, &headers);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// Who listens.
struct Listener {
    tenant: String,
    name: String,
    sight: Sight,
}

impl Listener {
    async fn of(api: &Api, call: i64, asked: &Asked, headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(signature) = &asked.signature else {
            let caller = Caller::of(api, headers).await?;
            let sight = caller.sight();
            return Ok(Listener { tenant: caller.tenant.name.clone(), name: caller.name, sight });
        };
        let missing = |what: &str| Problem::new(Kind::Malformed, "a signed link has all of its parts").at(what);
        let tenant = asked.tenant.clone().ok_or_else(|| missing("tenant"))?;
        let recording = asked.recording.as_deref().ok_or_else(|| missing("recording"))?;
        let expires = asked.expires.ok_or_else(|| missing("expires"))?;
        api.links.check(&tenant, call, recording, expires, signature).map_err(|why| {
            let way = match why {
                LinkError::Wrong => "take the link anew from the call",
                LinkError::Expired => "log in, or have the call delivered again",
            };
            Problem::new(Kind::Forbidden, format!("{why}: {way}"))
        })?;
        // What is signed is one recording; the parameters say no more than that.
        Ok(Listener { tenant, name: "a signed link".to_owned(), sight: Sight::Tenant })
    }
}

/// The recording that is asked for, by its id or by its short name.
fn chosen<'a>(call: &'a Call, asked: Option<&str>) -> Result<&'a Recording, Problem> {
    match (asked, &*call.recordings) {
        (_, []) => Err(Problem::new(Kind::NotFound, "the call has no recording")),
        (None, [only]) => Ok(only),
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(|recording| recording.id.as_str()).collect();
            let detail = format!("the call has several recordings, say which one: {}", ids.join(", "));
            Err(Problem::new(Kind::Malformed, detail).at("recording"))
        }
        (Some(asked), all) => {
            let found = all.iter().find(|recording| recording.id == asked || short(&recording.id) == asked);
            found.ok_or_else(|| Problem::new(Kind::NotFound, "the call has no such recording").at("recording"))
        }
    }
}

/// The format that is asked for. What `Accept` says counts only when it names a format and nothing wider.
fn format(asked: Option<&str>, headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    match asked {
        Some("mp3") => return Ok(Some(Format::Mp3)),
        Some("opus") => return Ok(Some(Format::Opus)),
        Some(_) => return Err(Problem::new(Kind::Malformed, "must be one of: mp3, opus").at("format")),
        None => {}
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
                let problem = Problem::new(Kind::NotFound, format!("the recording is not there: {why}"));
                match after {
                    Some(after) => problem.after(after),
                    None => problem,
                }
            }
            Unserved::Later(why) => Problem::new(Kind::Unavailable, why).after(Duration::from_secs(10)),
            Unserved::Form(why) => Problem::new(Kind::NotAcceptable, why).at("format"),
            Unserved::Failed => {
                Problem::new(Kind::Internal, "the recording cannot be handed out; the hub's log says more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
