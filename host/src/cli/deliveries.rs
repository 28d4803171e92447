//! `cordboard deliveries`: what is stuck and why, and trying again.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;

use serde_json::Value;

use super::Failure;
use super::client::{Client, Whom};

/// What `deliveries` is given.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    whom: Whom,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List deliveries, latest first (the default: those that are parked)
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one delivery with its attempts, and what was said to the outside system and back
    Show {
        /// Its number
        id: i64,
        /// Everything, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Try deliveries again now, with all their tries before them
    Retry {
        /// One of them by its number
        id: Option<i64>,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(clap::Args, Default)]
struct Filter {
    /// Only of this sink
    #[arg(long)]
    sink: Option<String>,
    /// Only those standing so
    #[arg(long, value_parser = ["due", "done", "parked", "stale", "joined"])]
    state: Option<String>,
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.sink.clone().map(|sink| ("sink", sink)));
        query.extend(self.state.clone().map(|state| ("state", state)));
        query
    }
}

/// Lists, shows or retries.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(folder, &arguments.whom)?;
    match &arguments.command {
        None => list(&client, &Filter { state: Some("parked".to_owned()), sink: None }, 50).await,
        Some(Command::List { filter, limit }) => list(&client, filter, *limit).await,
        Some(Command::Show { id, json }) => {
            let delivery = client.get(&format!("/v1/deliveries/{id}"), &[]).await?;
            println!("{}", if *json { serde_json::to_string_pretty(&delivery)? } else { story(&delivery) });
            Ok(())
        }
        Some(Command::Retry { id: Some(id), .. }) => {
            client.post(&format!("/v1/deliveries/{id}/retry"), &[]).await?;
            println!("Delivery {id} is tried again now.");
            Ok(())
        }
        Some(Command::Retry { id: None, filter }) => {
            let mut query = filter.query();
            if filter.state.is_none() {
                query.push(("state", "parked".to_owned()));
            }
            let answer = client.post("/v1/deliveries/retry", &query).await?;
            println!("{} deliveries are tried again now.", answer["retried"]);
            Ok(())
        }
    }
}

async fn list(client: &Client, filter: &Filter, limit: u32) -> Result<(), Failure> {
    let mut query = filter.query();
    query.push(("limit", limit.to_string()));
    let page = client.get("/v1/deliveries", &query).await?;
    let items = page["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        println!(
            "There are none{}.",
            filter.state.as_ref().map(|state| format!(" that are {state}")).unwrap_or_default()
        );
    }
    for item in &items {
        println!("{}", line(item));
    }
    Ok(())
}

fn line(item: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{:>8}  {:<8} {:<14} {:<8} {:<40} tries {:<3} {}",
        item["id"],
        text(&item["state"]),
        text(&item["sink"]),
        text(&item["subject"]["kind"]),
        text(&item["subject"]["id"]),
        item["attempts"],
        text(&item["reason"]),
    )
}

fn story(delivery: &Value) -> String {
    let mut text = format!("{}\n", line(delivery));
    for attempt in delivery["tries"].as_array().into_iter().flatten() {
        let word = |name: &str| attempt[name].as_str().unwrap_or_default().to_owned();
        text += &format!("\n{}  try {}  {}  {}\n", word("at"), attempt["number"], word("outcome"), word("why"));
        for exchange in attempt["exchanges"].as_array().into_iter().flatten() {
            let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let status =
                exchange["status"].as_u64().map_or_else(|| part(&exchange["error"]), |status| status.to_string());
            text += &format!(
                "    {} {}  → {status} ({} ms)\n",
                part(&exchange["method"]),
                part(&exchange["url"]),
                exchange["millis"]
            );
            for (mark, body) in [(">", &exchange["request"]["body"]), ("<", &exchange["answer"]["body"])] {
                let body = part(body);
                if !body.is_empty() {
                    text += &format!("      {mark} {body}\n");
                }
            }
        }
    }
    text
}
