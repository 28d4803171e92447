//! `GET /asterisk`: what amoCRM's stock Asterisk widget asks, in its own script's words.

use cordboard_sdk::Host;
use cordboard_sdk::abilities::Answer;
use cordboard_sdk::records::{CallPhase, Direction};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Failure, Incoming, Party, Reply};
use cordboard_sdk::{KnownCall, Selection};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::settings::AsteriskNg;
use super::telephone::Telephone;
use super::{not_allowed, number, records};
use crate::secret::same;

const DAY: u64 = 86_400;

/// A longer window of history is cut to a week.
const WINDOW: u64 = 10 * DAY;
const WEEK: u64 = 7 * DAY;

/// Shorter calls are no part of the history.
const SHORTEST: u32 = 5;

/// Calls of one page, and pages of one answer.
const PAGE: u32 = 500;
const PAGES: usize = 20;

/// Answers the widget; absent when no login is set for it.
pub fn answer(host: &dyn Host, settings: &AsteriskNg, request: &Incoming) -> Option<Answer> {
    let (login, password) = (settings.login.as_deref()?, settings.password.as_deref()?);
    if request.method == "OPTIONS" {
        return Some(super::preflight(request).into());
    }
    if request.method != "GET" {
        return Some(not_allowed("GET").into());
    }
    let pairs = request.query_pairs();
    let given = |name: &str| {
        let found = pairs.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let said = |text: &str| callback(settings, &json!({ "status": text })).into();
    if let Some(id) = given("GETFILE").filter(|_| !settings.short) {
        return Some(records::attachment(host, settings, id));
    }
    let (Some(own_login), Some(secret), Some(action)) = (given("_login"), given("_secret"), given("_action")) else {
        return Some(if settings.short { missing(&pairs) } else { Reply::text(200, "NO_PARAMS") }.into());
    };
    if !(same(own_login, login) & same(secret, password)) {
        return Some(said("not authorized."));
    }
    Some(match action {
        "status" if settings.short => said("ok"),
        "status" => status(host, settings).into(),
        "cdr" if settings.short => said("no cdr."),
        "cdr" => history(host, settings, given("date_from"), given("date_to")).into(),
        "call" => match (given("from"), given("to")) {
            (Some(from), Some(to)) if from.chars().count() < 3 || to.chars().count() < 3 => said("invalid phones."),
            (Some(from), Some(to)) => call(host, settings, request, (from, to)),
            _ => said("invalid data."),
        },
        _ => said("unknown action."),
    })
}

/// JavaScript that hands an object to the widget. Double quotes are JSON as well; the old server wrote single ones.
fn callback(settings: &AsteriskNg, object: &Value) -> Reply {
    let text = match (settings.short, object["status"].as_str()) {
        (true, Some(word)) => format!("asterisk_cb({{'status': '{}'}});", word.replace(['\'', '\\', '\n', '\r'], " ")),
        _ => format!("asterisk_cb({object});"),
    };
    let headers = vec![("content-type".to_owned(), b"text/javascript; charset=utf-8".to_vec())];
    Reply { status: 200, headers, body: text.into_bytes() }
}

/// What the old server's framework said.
fn missing(pairs: &[(String, String)]) -> Reply {
    let absent = ["_login", "_secret", "_action"].into_iter().filter(|name| !pairs.iter().any(|(own, _)| own == name));
    let detail = |name| json!({ "loc": ["query", name], "msg": "field required", "type": "value_error.missing" });
    Reply::json(422, &json!({ "detail": absent.map(detail).collect::<Vec<_>>() }))
}

fn failed(settings: &AsteriskNg, failure: &Failure) -> Reply {
    callback(settings, &json!({ "status": "error", "data": failure.why() }))
}

fn call(host: &dyn Host, settings: &AsteriskNg, request: &Incoming, (from, to): (&str, &str)) -> Answer {
    let said = |text: &str| callback(settings, &json!({ "status": text })).into();
    if host.ledger().agents(Some(from), None).is_empty() {
        return said("unknown agent number.");
    }
    let Some(number) = number::dialled(settings, to) else { return said("invalid phones.") };
    let click = format!("{}/{number}", request.received_at);
    match (Telephone { host, extension: from }.call(&number, &click), settings.short) {
        (Ok(()), true) => said("ok"),
        (Ok(()), false) => {
            let data = json!({ "from": from, "to": number });
            callback(settings, &json!({ "status": "ok", "action": "call", "data": data })).into()
        }
        (Err(failure), _) => failed(settings, &failure).into(),
    }
}

/// The telephones that ring, with who calls.
fn status(host: &dyn Host, settings: &AsteriskNg) -> Reply {
    let calls = match host.ledger().under_way(None) {
        Ok(calls) => calls,
        Err(failure) => return failed(settings, &failure),
    };
    let rings = calls.iter().flat_map(|known| {
        let call = &known.call;
        let ringing = call.desks.iter().filter(move |desk| {
            desk.answered_at.is_none() && desk.stopped_at.is_none() && call.phase != Some(CallPhase::Ended)
        });
        ringing.filter_map(move |desk| {
            let caller = call.caller.as_ref()?;
            Some(json!({
                "event": "Status",
                "uniqueid": known.subject.id,
                "linkedid": known.subject.id,
                "calleridnum": desk.extension,
                "connectedlinenum": raw(Some(caller))?,
                "connectedlinename": caller.name.clone().unwrap_or_default(),
                "channelstate": "5",
                "channelstatedesc": "Ringing",
                "exten": desk.extension,
            }))
        })
    });
    let data: Vec<Value> = rings.collect();
    callback(settings, &json!({ "status": "ok", "action": "status", "data": data }))
}

fn raw(party: Option<&Party>) -> Option<&str> {
    party?.number.as_ref().map(|number| number.raw.as_str())
}

/// Answered calls of a window, as the call detail records of the old script.
fn history(host: &dyn Host, settings: &AsteriskNg, from: Option<&str>, to: Option<&str>) -> Reply {
    let now = host.now() / 1000;
    let seconds = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
    let to = seconds(to).filter(|to| *to > 0).unwrap_or(now);
    let from = seconds(from).unwrap_or(0);
    let from = if to.saturating_sub(from) > WINDOW { to.saturating_sub(WEEK) } else { from };
    let which =
        Selection { extension: None, since: Some(from.saturating_mul(1000)), until: Some(to.saturating_mul(1000)) };
    let zone = TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC);
    let (mut data, mut after) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = match host.ledger().calls(&which, after.as_deref(), PAGE) {
            Ok(page) => page,
            Err(failure) => return Reply::json(200, &json!({ "status": "error", "data": failure.why() })),
        };
        data.extend(page.calls.iter().filter_map(|known| row(known, &zone)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut reply = Reply::json(200, &json!({ "status": "ok", "data": data }));
    let real = moment(from * 1000, &TimeZone::UTC).unwrap_or_default();
    reply.headers.push(("x-real_date".to_owned(), real.into_bytes()));
    reply
}

/// A call that somebody answered and that was with the outside.
fn row(known: &KnownCall, zone: &TimeZone) -> Option<Value> {
    let call = &known.call;
    let talk = call.talk.filter(|talk| *talk >= SHORTEST)?;
    call.answered_at?;
    let (src, dst) = (raw(call.caller.as_ref())?, raw(call.callee.as_ref())?);
    let agent = call.agent.as_ref().and_then(|agent| agent.extension.as_deref());
    let (src, dst) = match call.direction {
        Some(Direction::Internal) => return None,
        Some(Direction::Inbound) => (src, agent.unwrap_or(dst)),
        Some(Direction::Outbound) => (agent.unwrap_or(src), dst),
        None => (src, dst),
    };
    if src.len() <= 4 && dst.len() <= 4 {
        return None;
    }
    let recording = call.recordings.first();
    let file = recording.map(|recording| recording.id.rsplit('/').next().unwrap_or_default().to_owned());
    Some(json!({
        "calldate": moment(call.started_at?, zone)?,
        "src": src,
        "dst": dst,
        "duration": call.duration.unwrap_or(talk),
        "billsec": talk,
        "uniqueid": known.subject.id,
        "recordingfile": file.unwrap_or_default(),
    }))
}

fn moment(millis: u64, zone: &TimeZone) -> Option<String> {
    let at = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    Some(at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}
