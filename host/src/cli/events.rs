//! `cordboard events`: what has happened, and what happens.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::Failure;
use super::client::{Client, Whom};

/// What `events` is given.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// Only events after this sequence number. By default all that are kept; with --follow those that are still to come
    #[arg(long)]
    since: Option<u64>,
    /// Only these types: `call.ended`, or `call` for all of calls. May be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Go on showing events as they happen, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// One JSON object on a line, whole
    #[arg(long)]
    json: bool,
}

/// Between two looks.
const PACE: Duration = Duration::from_millis(500);

/// Shows events.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(folder, &arguments.whom)?;
    let mut since = match arguments.since {
        Some(since) => since,
        None if arguments.follow => latest(&client).await?,
        None => 0,
    };
    loop {
        let mut query = vec![("since", since.to_string()), ("limit", "500".to_owned())];
        if !arguments.types.is_empty() {
            query.push(("types", arguments.types.join(",")));
        }
        let page = client.get("/v1/events", &query).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            println!("{}", if arguments.json { event.to_string() } else { line(event) });
        }
        since = page["next"].as_u64().unwrap_or(since);
        match page["more"].as_bool() {
            Some(true) => {}
            _ if arguments.follow => tokio::time::sleep(PACE).await,
            _ => return Ok(()),
        }
    }
}

async fn latest(client: &Client) -> Result<u64, Failure> {
    let page =
        client.get("/v1/events", &[("since", u64::from(u32::MAX).to_string()), ("limit", "1".to_owned())]).await?;
    Ok(page["last"].as_u64().unwrap_or_default())
}

fn line(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |party: &Value| {
        let number = &party["number"];
        let shown = number["e164"].as_str().or(number["raw"].as_str()).unwrap_or("-");
        shown.to_owned()
    };
    let about = match event.get("call") {
        Some(call) => format!("{} → {}", number(&call["caller"]), number(&call["callee"])),
        None => text(&event["subject"]["id"]),
    };
    format!(
        "{:>8}  {}  {:<22} {:<14} {about}",
        event["seq"],
        text(&event["at"]),
        text(&event["type"]),
        text(&event["subject"]["source"])
    )
}
