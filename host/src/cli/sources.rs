//! `cordboard sources`: the sources, and how their connections stand.
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
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let sources = Client::new(folder, &arguments.whom)?.get("/v1/sources", &[]).await?;
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
        return line("-", "");
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
    let counted = ["connects", "received", "sent", "observations", "dropped", "uncommitted"];
    let counted = counted.map(|name| format!("{name} {}", connection[name]));
    let last = text(&connection["last_input"]);
    let last = if last.is_empty() { "nothing heard yet".to_owned() } else { format!("last heard {last}") };
    format!("{}    {}, {last}\n", line(&text(&connection["state"]), &more), counted.join(", "))
}
