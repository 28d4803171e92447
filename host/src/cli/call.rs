//! `cordboard call`: two telephones brought together.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;

use serde_json::json;

use super::Failure;
use super::client::{Client, Whom};

/// What `call` is given.
#[derive(clap::Args)]
pub struct Arguments {
    /// The extension that rings first
    from: String,
    /// The number that it is then connected with
    to: String,
    /// The source; needed only when several could do it
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    whom: Whom,
}

/// Places the call.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { from, to, source, whom } = arguments;
    let asked = json!({
        "source": source, "name": "call.originate", "arguments": { "from": from, "to": to },
    });
    let told = Client::new(folder, whom)?.send("/v1/commands", &[], &asked).await?;
    let word = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    match told["subject"].as_str() {
        Some(call) => println!("{from} rings. The call is `{call}` of the source `{}`.", word("source")),
        None => println!("The command `{}` is {}. {}", word("id"), word("state"), word("why")),
    }
    Ok(())
}
