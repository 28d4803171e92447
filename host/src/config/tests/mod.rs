//! Configurations that load, and what is said of those that do not.

mod components;
mod problems;
mod samples;
mod values;

use std::collections::HashMap;
use std::path::Path;

use super::*;

/// Secrets for tests.
#[derive(Default)]
pub(super) struct Safe(HashMap<String, String>);

impl Safe {
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Safe(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

impl Keeper for Safe {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        self.0.get(&*path.to_string_lossy()).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// A plan of one tenant, `acme`.
fn plan(hub: &str, tenant: &str) -> Result<Plan, Problems> {
    let keeper = Safe::of(&[("ACME_WEBHOOK_SECRET", "s3cr3t"), ("ACME_VTIGER_KEY", "k3y")]);
    let files = [("cordboard.toml", hub), ("tenants/acme.toml", tenant)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Plan::read(Path::new("/etc/cordboard"), &files, &keeper)
}

const ACME: &str = r#"
region = "ES"
correct = [["^00", "+"]]

[[agents]]
extensions = ["1001"]
users = { crm = "19x5" }

[sources.pbx]
component = "pbx-webhook"
paths = ["/webhook/call"]
settings = { secret = { env = "ACME_WEBHOOK_SECRET" } }

[sinks.crm]
component = "vtiger"
allow = ["crm.acme.example"]
settings = { url = "https://crm.acme.example", username = "integrator", access_key = { env = "ACME_VTIGER_KEY" } }

[[routes]]
from = "pbx"
to = "crm"
when = "event.type in ['call.ended', 'call.recorded']"   # CEL

[[routes]]                      # popups inside the CRM
from = "pbx"
to = "crm"
when = "event.type == 'call.ringing'"
while = "call.phase == 'ringing'"
ttl = "20s"
"#;

/// The sample with one piece of text put in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(ACME.contains(from), "{from}");
    ACME.replacen(from, to, 1)
}

#[test]
fn a_tenant_loads() {
    let plan = plan("", ACME).unwrap_or_else(|problems| panic!("{problems}"));
    let acme = &plan.tenants["acme"];
    assert_eq!(acme.routes.len(), 2);
    assert_eq!(acme.sinks["crm"].attempts, 12);
    assert!(acme.sources["pbx"].settings.reveal().contains("s3cr3t"));
    assert!(!format!("{plan:?}").contains("s3cr3t"), "{plan:?}");
    assert_eq!(
        plan.claimed(None, "/webhook/call"),
        Some(&Claim { tenant: "acme".to_owned(), of: Claimed::Source("pbx".to_owned()) })
    );
}
