//! The side of CRMs: records, people, logging in, being called.

use cordboard_sdk::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::Everything;

#[derive(Deserialize)]
struct Settings {
    url: Option<String>,
    /// Milliseconds that a grant is good for.
    life: Option<u64>,
}

impl Sink for Everything {
    /// Puts each record to `url`/id; without a `url` only says so. The memo counts the deliveries. The subject `CRASH`
    /// breaks it down.
    fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome> {
        changes.iter().map(|change| write(host, change)).collect()
    }

    fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
        let settings: Settings = host.settings_as()?;
        Ok(if settings.url.is_none() { vec!["`url` is missing: nothing is written".to_owned()] } else { vec![] })
    }
}

fn write(host: &dyn Host, change: &Change) -> Outcome {
    let settings: Settings = match host.settings_as() {
        Ok(settings) => settings,
        Err(error) => return Outcome::Failed(error.into()),
    };
    match settings.url {
        Some(_) if change.subject.id == "CRASH" => panic!("asked to"),
        Some(url) => put(host, &url, change).into(),
        None => Outcome::Skipped("`url` is missing".to_owned()),
    }
}

fn put(host: &dyn Host, url: &str, change: &Change) -> Result<Receipt, Failure> {
    host.info(format!("writing {}", change.subject.id));
    let url = format!("{}/{}", url.trim_end_matches('/'), cordboard_sdk::http::encode(&change.subject.id));
    let mut request = Request::put(&url).json(&json!({ "revision": change.revision, "record": change.item }));
    if let Some(grant) = host.grant() {
        request = request.bearer(grant.token);
    }
    request.send(host)?.success()?;
    let deliveries = change.memo.first().copied().unwrap_or(0).saturating_add(1);
    Ok(Receipt {
        external_id: Some(change.external_id.clone().unwrap_or_else(|| format!("x-{}", change.subject.id))),
        url: Some(url),
        shortened: vec![],
        memo: vec![deliveries],
    })
}

impl Directory for Everything {
    /// Knows everybody, and answers with the spellings it was asked for.
    fn find(_host: &dyn Host, phone: Phone) -> Result<Vec<Match>, Failure> {
        let attributes =
            phone.variants.iter().enumerate().map(|(index, text)| (format!("variant-{index}"), text.clone()));
        Ok(vec![Match {
            external_id: phone.e164.clone().unwrap_or_default(),
            kind: "contact".to_owned(),
            name: phone.raw.clone(),
            url: None,
            owner: Some("1".to_owned()),
            attributes: attributes.collect(),
        }])
    }
}

impl Grants for Everything {
    /// `grant-1`, `grant-2`, …, each good for a minute or for as long as the settings say.
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
        let number = |grant: Grant| grant.token.strip_prefix("grant-")?.parse::<u32>().ok();
        let number = previous.and_then(number).unwrap_or(0) + 1;
        let life = host.settings_as().ok().and_then(|settings: Settings| settings.life).unwrap_or(60_000);
        Ok(Grant {
            token: format!("grant-{number}"),
            expires_at: Some(host.now() + life),
            attributes: vec![("number".to_owned(), number.to_string())],
        })
    }
}

impl Endpoint for Everything {
    /// Answers with the request's own method, path and body; `/call` also places a call and reports it. `/calls` tells
    /// what the ledger has, `/wait` the calls at 1001 as soon as there is one, `/do` what became of a command, and
    /// `/sound` hands a recording out.
    fn handle(host: &dyn Host, request: Incoming) -> Answer {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        match last {
            "calls" => return told(host),
            "wait" => return wait(host, &request),
            "do" => return ask(host, &request),
            "sound" => return sound(&request),
            _ => {}
        }
        let body = json!({
            "method": request.method, "path": request.path, "query": request.query,
            "body": String::from_utf8_lossy(&request.body),
        });
        let mut answer = Answer::from(Reply::json(200, &body));
        if request.path.ends_with("/call") {
            let call = Call { phase: Some(CallPhase::Ringing), ..Call::default() };
            answer.observations.push(Observation::of("clicked", call));
            answer.commands.push(Command {
                id: "click-1".to_owned(),
                name: "call.originate".to_owned(),
                agent: Some(Agent::extension("1001")),
                arguments: r#"{"to": "+34600111222"}"#.to_owned(),
            });
        }
        answer
    }
}

/// All that the ledger says: the people, the calls under way, the newest call at 1001, who has a number.
fn told(host: &dyn Host) -> Answer {
    let ledger = host.ledger();
    let at = Selection { extension: Some("1001".to_owned()), ..Selection::default() };
    let ids = |calls: Vec<KnownCall>| calls.into_iter().map(|known| known.subject.id).collect::<Vec<_>>();
    let agents_at = ["1001", "1009"].map(|extension| ledger.agents(Some(extension), None).len());
    let body = json!({
        "agents": ledger.agents(None, None),
        "at": agents_at,
        "user": ledger.agents(None, Some("nobody")),
        "under-way": ledger.under_way(None).map(ids).map_err(|failure| failure.why().to_string()),
        "calls": ledger.calls(&at, None, 1).map(|page| (ids(page.calls), page.next.is_some())).ok(),
        "of": ledger.call_of("c-1").ok().flatten().map(|known| known.call),
        "who": ledger.who("+34600111222", 1000),
    });
    Reply::json(200, &body).into()
}

fn wait(host: &dyn Host, request: &Incoming) -> Answer {
    let calls = host.ledger().under_way(Some("1001")).unwrap_or_default();
    if calls.is_empty() {
        let otherwise = Reply::json(200, &json!([]));
        let (desks, until) = (vec!["1001".to_owned()], request.received_at + 1_500);
        return Sent::Wait(Wait { desks, until, otherwise }).into();
    }
    let ids: Vec<&String> = calls.iter().map(|known| &known.subject.id).collect();
    Reply::json(200, &json!(ids)).into()
}

fn ask(host: &dyn Host, request: &Incoming) -> Answer {
    let command: Result<Command, _> = serde_json::from_slice(&request.body);
    let said = match command.map(|command| host.ledger().perform(command)) {
        Ok(Ok(outcome)) => json!({ "outcome": outcome }),
        Ok(Err(failure)) => json!({ "failure": failure }),
        Err(why) => json!({ "why": why.to_string() }),
    };
    Reply::json(200, &said).into()
}

fn sound(request: &Incoming) -> Answer {
    let pairs = request.query_pairs();
    let word = |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    Sent::Sound(Sound {
        source: "line".to_owned(),
        call: word("call").unwrap_or_default(),
        recording: word("recording"),
        began: word("began").and_then(|began| began.parse().ok()),
        format: None,
        headers: vec![("x-found".to_owned(), b"yes".to_vec())],
        missing: Reply::json(404, &json!({ "result": "none" })),
    })
    .into()
}
