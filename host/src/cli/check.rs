//! `cordboard check`: everything that can be said about a configuration without running it.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;

use super::Failure;
use crate::components::{Library, Runtime, RuntimeOptions};
use crate::config::Plan;
use crate::hub::Offered;

/// Checks the files, then every component's settings against the component's own schema.
pub async fn run(folder: &Path) -> Result<(), Failure> {
    let plan = Plan::load(folder)?;
    let cache = Some(plan.hub.data.join("compiled"));
    let runtime = Runtime::new(RuntimeOptions { cache, ..RuntimeOptions::default() })?;
    let library = Library::open(runtime, &plan.hub.components).await;
    for status in library.status() {
        if let Some(error) = status.error {
            println!("warning: {error}");
        }
    }
    let odd = plan.check_components(&Offered(&library))?;
    for problem in plan.warnings.iter().chain(&odd) {
        println!("warning: {problem}");
    }
    let (mut sources, mut sinks, mut routes) = (0, 0, 0);
    for tenant in plan.tenants.values() {
        sources += tenant.sources.len();
        sinks += tenant.sinks.len();
        routes += tenant.routes.len();
    }
    let counted = [(plan.tenants.len(), "tenant"), (sources, "source"), (sinks, "sink"), (routes, "route")];
    let counted = counted.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }));
    println!("The configuration is good: {}.", counted.join(", "));
    Ok(())
}
