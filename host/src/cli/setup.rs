//! `cordboard components setup`: what a sink's outside system needs beforehand, shown, and made on consent.
//!
//! The component runs here, in this process, with credentials of this one time: they come to no running hub, no store
//! and no log.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::Failure;
use super::components::read_settings;
use crate::components::contract::{Ability, Step};
use crate::components::{Called, Handle, Library, Limits, Runtime, RuntimeOptions, Use, UseOptions};
use crate::config::{Plan, Sink, Tenant};

/// What `components setup` is given.
#[derive(clap::Args)]
pub struct Arguments {
    /// The sink, as the tenant's file names it
    sink: String,
    /// The tenant; not needed when the configuration has only one
    #[arg(long)]
    tenant: Option<String>,
    /// A JSON or TOML file with settings that stand in for the sink's own this one time: the credentials of somebody who
    /// may change the outside system
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Make it without asking
    #[arg(long, short)]
    yes: bool,
}

/// Shows what is lacking, asks, and makes it.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    // What the component says goes to the person.
    let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    let _ = lines.without_time().with_target(false).try_init();
    let plan = Plan::load(folder)?;
    let (tenant, sink) = named(&plan, arguments)?;
    let component = component(&plan, tenant, sink, arguments.with.as_deref()).await?;
    let endpoint = endpoint(&plan, tenant, sink);
    let steps = answered(component.lacking(endpoint.as_deref()).await)?;
    if steps.is_empty() {
        println!("The sink {} has all that it needs: there is nothing to do.", sink.name);
        return Ok(());
    }
    println!("The sink {} of {} needs this:\n", sink.name, tenant.name);
    for (at, Step { says, details, .. }) in steps.iter().enumerate() {
        println!("{:>4}. {says}", at + 1);
        details.iter().for_each(|line| println!("        {line}"));
    }
    if !(arguments.yes || agreed()?) {
        println!("\nNothing was made.");
        return Ok(());
    }
    println!();
    for (at, step) in steps.iter().enumerate() {
        let told = answered(component.make(step).await).map_err(|why| {
            format!("{}. {}: {why}\nWhat was made before stays; the same command goes on from here", at + 1, step.says)
        })?;
        println!("made  {}", step.says);
        if let Some(secret) = told {
            println!("\n{secret}\n\nKeep this now: it is shown once.\n");
        }
    }
    Ok(())
}

fn named<'p>(plan: &'p Plan, arguments: &Arguments) -> Result<(&'p Arc<Tenant>, &'p Sink), Failure> {
    let tenant = match (&arguments.tenant, plan.tenants.len()) {
        (Some(name), _) => plan.tenants.get(name).ok_or_else(|| format!("there is no tenant `{name}`"))?,
        (None, 1) => plan.tenants.values().next().ok_or("there is no tenant")?,
        (None, _) => return Err("which tenant? Give --tenant NAME".into()),
    };
    let known = || tenant.sinks.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let sink = tenant.sinks.get(&arguments.sink);
    let sink =
        sink.ok_or_else(|| format!("{} has no sink `{}`; there are: {}", tenant.name, arguments.sink, known()))?;
    Ok((tenant, sink))
}

/// The sink's component, logged in with the settings of this one time.
async fn component(plan: &Plan, tenant: &Tenant, sink: &Sink, with: Option<&Path>) -> Result<Arc<Use>, Failure> {
    let mut settings: Value = serde_json::from_str(sink.settings.reveal())?;
    if let (Some(file), Some(own)) = (with, settings.as_object_mut()) {
        let others = read_settings(file)?;
        own.extend(others.as_object().cloned().ok_or_else(|| format!("{}: no table of settings", file.display()))?);
    }
    let cache = Some(plan.hub.data.join("compiled"));
    let runtime = Runtime::new(RuntimeOptions { cache, ..RuntimeOptions::default() })?;
    let library = Library::open(runtime.clone(), &plan.hub.components).await;
    let handle: Handle =
        library.get(&sink.component).ok_or_else(|| format!("there is no component `{}`", sink.component))?;
    let component = handle.component();
    if !component.abilities().has(Ability::Setup) {
        return Err(format!("the component {} prepares nothing: it does not export `setup`", sink.component).into());
    }
    // No value is repeated: it may be a secret.
    if let Some(mistake) = component.mistakes(&settings).first() {
        return Err(format!("the settings do not fit: {}: {}", mistake.pointer, mistake.what).into());
    }
    let used = Use::new(
        &runtime,
        handle,
        UseOptions {
            tenant: tenant.name.clone(),
            name: sink.name.clone(),
            settings,
            secrets: sink.settings.secrets().map(|secret| secret.reveal().to_owned()).collect(),
            allow: sink.allow.iter().map(ToString::to_string).collect(),
            databases: sink.databases.clone(),
            numbering: Arc::new(tenant.numbering.clone()),
            limits: Limits { timeout: sink.timeout, ..Limits::default() },
        },
    )?;
    if component.abilities().has(Ability::Grants) {
        used.set_grant(Some(answered(used.issue(None).await)?));
    }
    Ok(used)
}

/// Where the outside system reaches the sink, when the hub can be reached at all.
fn endpoint(plan: &Plan, tenant: &Tenant, sink: &Sink) -> Option<String> {
    let known = plan.hub.public_url.is_some() || !plan.hub.listen.ip().is_unspecified();
    known.then(|| format!("{}/v1/endpoints/{}/{}", plan.hub.address(), tenant.name, sink.name))
}

fn answered<T>((result, _): Called<Result<T, crate::components::contract::Failure>>) -> Result<T, Failure> {
    match result {
        Ok(answer) => answer.map_err(|failure| failure.to_string().into()),
        Err(fault) => Err(fault.to_string().into()),
    }
}

/// Whether the person at the terminal says yes. Without a terminal nobody does.
fn agreed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        println!("\nTo have it made, say --yes.");
        return Ok(false);
    }
    print!("\nMake all of it? [y/N] ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
