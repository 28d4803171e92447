//! `cordboard people`: who has a number, and what was said with them lately.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Failure;
use super::client::{Client, Whom};

/// What `people` is given.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    whom: Whom,
    /// The number, as anybody may write it
    number: String,
    /// Calls and messages to show
    #[arg(long, default_value_t = 10)]
    limit: u32,
    /// Everything, as JSON
    #[arg(long)]
    json: bool,
}

/// Asks and shows.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(folder, &arguments.whom)?;
    let path = format!("/v1/people/{}", utf8_percent_encode(&arguments.number, NON_ALPHANUMERIC));
    let known = client.get(&path, &[]).await?;
    let said = client.get(&format!("{path}/timeline"), &[("limit", arguments.limit.to_string())]).await?;
    if arguments.json {
        println!("{:#}", serde_json::json!({ "known": known, "timeline": said }));
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = known["number"]["e164"].as_str().or(known["number"]["raw"].as_str()).unwrap_or_default();
    println!("{number}{}", if known["complete"] == true { "" } else { " (not everybody has answered)" });
    for found in list(&known["matches"]) {
        let by = found["sink"].as_str().or(found["source"].as_str()).unwrap_or("the tenant's file");
        let owner = found["owner"]["name"].as_str().or(found["owner"]["user"].as_str());
        let owner = owner.map(|owner| format!(", looked after by {owner}")).unwrap_or_default();
        println!("  {} ({} {} in {by}{owner})", text(&found["name"]), text(&found["kind"]), text(&found["id"]));
    }
    for item in list(&said["items"]) {
        let kind = text(&item["type"]);
        let record = &item[kind.as_str()];
        let how = record["outcome"].as_str().or(record["status"].as_str()).unwrap_or_default();
        println!("{}  {kind:<8} {:<9} {how}", text(&item["at"]), text(&record["direction"]));
    }
    Ok(())
}
