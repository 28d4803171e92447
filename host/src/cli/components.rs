//! `cordboard components`: what is there, what a file is, and what an outside system needs for one.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::{Path, PathBuf};

use super::{Failure, setup};
use crate::components::contract::Grant;
use crate::components::{Component, Library, Port, Runtime, RuntimeOptions};
use crate::config::Plan;
use crate::conformance::{self, Grade, Report};

/// What `components` is given.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the components in the configuration's folder (the default)
    List,
    /// Say what a .wasm file is, what it wants, what it exports and imports
    Inspect {
        /// The file
        file: PathBuf,
    },
    /// Try whether a .wasm file keeps to the contract: requests that prove nothing, an outside system that refuses and
    /// lies, records with every oddity. Nothing leaves the machine
    Try {
        /// The file
        file: PathBuf,
        /// A JSON or TOML file with settings that fit the component's schema, secrets made up. `{}` when left out
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
        /// A file with a token such as the component's `grants` would issue, made up too: without it one that logs in
        /// makes no request, and what it would make of the answers is not tried
        #[arg(long, value_name = "FILE")]
        grant: Option<PathBuf>,
        /// Show the rules that are kept too
        #[arg(long)]
        all: bool,
    },
    /// Show what a sink's outside system needs beforehand (kinds of records, fields, rights, a webhook back), and make it
    /// on consent. It can be asked again at any time
    Setup(setup::Arguments),
}

/// Lists or inspects.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        None | Some(Command::List) => list(folder).await,
        Some(Command::Inspect { file }) => {
            let runtime = Runtime::new(RuntimeOptions::default())?;
            print!("{}", told(runtime.load(file).await?.as_ref()));
            Ok(())
        }
        Some(Command::Try { file, settings, grant, all }) => {
            let settings = settings.as_deref().map_or(Ok(serde_json::json!({})), read_settings)?;
            let grant = grant.as_deref().map(read_grant).transpose()?;
            tried(conformance::run(file, settings, grant).await?, *all)
        }
        Some(Command::Setup(arguments)) => setup::run(folder, arguments).await,
    }
}

pub(super) fn read_settings(file: &Path) -> Result<serde_json::Value, Failure> {
    let within = |why: String| format!("{}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|why| within(why.to_string()))?;
    let read = match file.extension().and_then(|ending| ending.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|why| why.to_string()),
        _ => serde_json::from_str(&text).map_err(|why| why.to_string()),
    };
    Ok(read.map_err(within)?)
}

fn read_grant(file: &Path) -> Result<Grant, Failure> {
    let token = std::fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
    Ok(Grant { token: token.trim_end().to_owned(), expires_at: None, attributes: Vec::new() })
}

fn tried(report: Report, all: bool) -> Result<(), Failure> {
    let conforms = report.conforms();
    let count = |grade| report.findings.iter().filter(|finding| finding.grade == grade).count();
    let (kept, advice, broken) = (count(Grade::Kept), count(Grade::Advice), count(Grade::Broken));
    let untried = count(Grade::NotTried);
    let shown = report.findings.into_iter().filter(|finding| all || finding.grade != Grade::Kept).collect();
    print!("{}", Report { findings: shown });
    println!("{kept} rules kept, {broken} broken, {untried} not tried, {advice} to think about");
    if conforms { Ok(()) } else { Err("the component does not keep to the contract".into()) }
}

async fn list(folder: &Path) -> Result<(), Failure> {
    let plan = Plan::load(folder)?;
    let cache = Some(plan.hub.data.join("compiled"));
    let runtime = Runtime::new(RuntimeOptions { cache, ..RuntimeOptions::default() })?;
    let library = Library::open(runtime, &plan.hub.components).await;
    let all = library.status();
    if all.is_empty() {
        println!("There is no component in {}.", plan.hub.components.display());
    }
    for status in all {
        let name = status.name.as_deref().unwrap_or("?");
        let version = status.version.as_deref().unwrap_or("-");
        println!("{name:<20} {version:<10} {:<28} {}", status.file, status.abilities);
        if let Some(error) = &status.error {
            println!("    {error}");
        }
    }
    Ok(())
}

fn told(component: &Component) -> String {
    let descriptor = component.descriptor();
    let mut text = format!(
        "{} {}\n  {}\n\nfile      {} ({} KiB)\nsha256    {}\nexports   {}\nbatch     {}\n",
        descriptor.name,
        descriptor.version,
        descriptor.summary,
        component.path().display(),
        component.size().div_ceil(1024),
        component.hash(),
        component.abilities(),
        descriptor.batch,
    );
    if let Some(rate) = descriptor.rate {
        text += &format!("rate      {} requests in {} s\n", rate.requests, rate.per.as_secs_f64());
    }
    text += &format!(
        "hosts     {}\n",
        if descriptor.hosts.is_empty() { "none".to_owned() } else { descriptor.hosts.join(", ") }
    );
    if !descriptor.commands.is_empty() {
        text += &format!("commands  {}\n", descriptor.commands.join(", "));
    }
    text += &ports("\nexported interfaces", component.exports());
    text += &ports("\nimported interfaces", component.imports());
    let schema = serde_json::to_string_pretty(&descriptor.settings_schema).unwrap_or_default();
    text + &format!("\nsettings (JSON Schema)\n{schema}\n")
}

fn ports(title: &str, ports: &[Port]) -> String {
    let lines = ports.iter().map(|port| match port.functions.is_empty() {
        true => format!("  {}\n", port.name),
        false => format!("  {}: {}\n", port.name, port.functions.join(", ")),
    });
    format!("{title}\n{}", lines.collect::<String>())
}
