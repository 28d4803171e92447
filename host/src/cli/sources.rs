//! `cordboard sources`: the sources, how they stand, and reading them.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;

use serde_json::Value;

use super::Failure;
use super::client::{Client, Whom};

/// What `sources` is given.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// Everything, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Read a source now: contacts, conversations and messages of a WhatsApp account, say
    Sync {
        /// The source
        source: String,
        /// Only this session; all of the source's when it is not given
        #[arg(long)]
        session: Option<String>,
        /// What is to be read, by the component's own word
        #[arg(long, default_value = "sync")]
        kind: String,
        /// What the job is given, as a JSON object: `{"since": "2026-11-20T08:00:00Z"}` or `{"chat": "34600111222"}` for
        /// a repair of WhatsApp. `cordboard components inspect` shows what there is, under `x-jobs`
        #[arg(long, value_name = "JSON", value_parser = object)]
        parameters: Option<Value>,
    },
    /// Show what is read of a source, and how far it is
    Jobs {
        /// The source
        source: String,
    },
}

/// Lists them, or reads one.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(folder, &arguments.whom)?;
    match &arguments.command {
        None => list(&client, arguments).await,
        Some(Command::Sync { source, session, kind, parameters }) => {
            let mut query = vec![("kind", kind.clone())];
            query.extend(session.clone().map(|session| ("session", session)));
            let path = format!("/v1/sources/{source}/sync");
            let row = match parameters {
                Some(parameters) => client.send(&path, &query, parameters).await?,
                None => client.post(&path, &query).await?,
            };
            print!("{}", if arguments.json { serde_json::to_string_pretty(&row)? + "\n" } else { job(&row) });
            Ok(())
        }
        Some(Command::Jobs { source }) => {
            let rows = client.get(&format!("/v1/sources/{source}/jobs"), &[]).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&rows)?);
                return Ok(());
            }
            match rows.as_array().map_or(&[][..], Vec::as_slice) {
                [] => println!("Nothing has been read of it."),
                rows => rows.iter().for_each(|row| print!("{}", job(row))),
            }
            Ok(())
        }
    }
}

/// A JSON object, as somebody types it.
fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    if value.is_object() { Ok(value) } else { Err("this is no JSON object".to_owned()) }
}

/// A job with its stages.
fn job(row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let state = if row["held"] == true { "waits for its session".to_owned() } else { text(&row["state"]) };
    let mut told = format!("{:<32} {state}, begun {}", text(&row["id"]), text(&row["started_at"]));
    for (before, value) in [("next page", &row["next_at"]), ("because", &row["why"])] {
        let value = text(value);
        if !value.is_empty() {
            told += &format!(", {before} {value}");
        }
    }
    told.push('\n');
    for stage in row["progress"].as_array().into_iter().flatten() {
        let of = stage["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
        told += &format!(
            "    {:<12} {}{of}: {} new, {} known, {} of no use\n",
            text(&stage["stage"]),
            stage["processed"],
            stage["created"],
            stage["updated"],
            stage["errors"]
        );
    }
    told
}

async fn list(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let sources = client.get("/v1/sources", &[]).await?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&sources)?);
        return Ok(());
    }
    let sources = sources.as_array().cloned().unwrap_or_default();
    if sources.is_empty() {
        println!("There are none.");
    }
    for source in &sources {
        print!("{}", told(source));
    }
    Ok(())
}

fn told(source: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |state: &str, more: &str| {
        format!("{:<16} {:<16} {state:<14} {more}", text(&source["name"]), text(&source["component"]))
            .trim_end()
            .to_owned()
            + "\n"
    };
    let connection = &source["connection"];
    if connection.is_null() {
        let (heard, silent) = (text(&source["heard_at"]), text(&source["silent_since"]));
        return match (silent.is_empty(), heard.is_empty()) {
            (false, _) => line("silent", &format!("since {silent}")),
            (true, false) => line("-", &format!("last heard {heard}")),
            (true, true) => line("-", ""),
        };
    }
    let mut more = format!("since {}", text(&connection["since"]));
    for (before, value) in
        [("", &connection["status"]), ("because ", &connection["why"]), ("until ", &connection["until"])]
    {
        let value = text(value);
        if !value.is_empty() {
            more += &format!(", {before}{value}");
        }
    }
    let lost = &connection["lost"];
    if connection["why"].is_null() && !lost.is_null() {
        more += &format!(", lost before at {} because {}", text(&lost["at"]), text(&lost["why"]));
    }
    let counted = ["connects", "received", "sent", "observations", "dropped", "uncommitted"];
    let counted = counted.map(|name| format!("{name} {}", connection[name]));
    let last = text(&connection["last_input"]);
    let last = if last.is_empty() { "nothing heard yet".to_owned() } else { format!("last heard {last}") };
    format!("{}    {}, {last}\n", line(&text(&connection["state"]), &more), counted.join(", "))
}
