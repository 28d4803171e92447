//! The side of CRMs: records, people, logging in, being called.

use cordboard_sdk::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::Everything;

#[derive(Deserialize)]
struct Settings {
    url: Option<String>,
}

impl Sink for Everything {
    /// Puts each record to `url`/id; without a `url` only says so. The memo counts the deliveries.
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
    /// `grant-1`, `grant-2`, …, each good for a minute.
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
        let number = |grant: Grant| grant.token.strip_prefix("grant-")?.parse::<u32>().ok();
        let number = previous.and_then(number).unwrap_or(0) + 1;
        Ok(Grant {
            token: format!("grant-{number}"),
            expires_at: Some(host.now() + 60_000),
            attributes: vec![("number".to_owned(), number.to_string())],
        })
    }
}

impl Endpoint for Everything {
    /// Answers with the request's own method, path and body; `/call` also places a call and reports it.
    fn handle(_host: &dyn Host, request: Incoming) -> Answer {
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
