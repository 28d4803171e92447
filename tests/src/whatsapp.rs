//! WhatsApp between an Inbox Hub and a Frappe site: the tenant's file, and the site set up by the hub's own command.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::frappe::FakeFrappe;
use crate::hub::Setup;
use crate::inbox_hub::{API_KEY, SESSION};

/// With which the Inbox Hub signs.
pub const INBOX_SECRET: &str = "a-secret-of-the-inbox-hub";

/// With which the Frappe site signs.
pub const SITE_SECRET: &str = "a-secret-of-the-site";

/// Who may change the site.
pub const ADMIN: &str = "admin@example.test";

/// A tenant with an Inbox Hub as its source `whatsapp`, of which nothing is read unless it is asked for. `lines` are more
/// of the source's own; whatever else the tenant has can follow.
pub fn inbox(components: &[&'static str], region: &str, url: &str, lines: &str) -> Setup {
    let host = url.trim_start_matches("http://");
    let tenant = format!(
        r#"
region = "{region}"

[sources.whatsapp]
component = "inbox-hub"
allow = ["{host}"]
{lines}

[sources.whatsapp.settings]
url = "{url}"
sessions = ["{SESSION}"]
secret = {{ env = "ACME_WHATSAPP_SECRET" }}
api_key = {{ env = "ACME_WHATSAPP_KEY" }}
auth = "api_key"
sync = {{ auto = false }}
repair = {{ auto = false }}
"#
    );
    let mut setup = Setup::of(components, tenant);
    setup.environment = environment(&[("ACME_WHATSAPP_SECRET", INBOX_SECRET), ("ACME_WHATSAPP_KEY", API_KEY)]);
    setup
}

/// What stands in a hub's environment.
pub fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Everything of one Inbox Hub into one Frappe site. The text ends within the sink's settings. The bot's key pair stands
/// in two files of the hub's folder.
pub fn setup(inbox_url: &str, site: &str) -> Setup {
    let mut setup = inbox(&["frappe", "inbox-hub"], "ES", inbox_url, "");
    setup.tenant += &format!(
        r#"
[[routes]]
from = "whatsapp"
to = "crm"

[sinks.crm]
component = "frappe"
allow = ["{host}"]
backoff = {{ first = "100ms", ceiling = "2s" }}
breaker = {{ failures = 5, pause = "1s" }}

[sinks.crm.settings]
url = "{site}"
api_key = {{ file = "frappe.key" }}
api_secret = {{ file = "frappe.secret" }}
webhook_secret = {{ env = "ACME_FRAPPE_WEBHOOK" }}
bot = "hub@example.test"
"#,
        host = site.trim_start_matches("http://"),
    );
    setup.environment.extend(environment(&[("ACME_FRAPPE_WEBHOOK", SITE_SECRET)]));
    setup
}

/// The bot's key pair, as the tenant's file finds it.
pub fn write_keys(folder: &Path, key: &str, secret: &str) -> std::io::Result<()> {
    std::fs::write(folder.join("frappe.key"), key)?;
    std::fs::write(folder.join("frappe.secret"), secret)
}

/// A site with an administrator, whose credentials are written into the hub's folder for one command. The bot has no key
/// yet.
pub fn prepare(folder: &Path, site: &FakeFrappe) -> std::io::Result<()> {
    let admin = site.world().user(ADMIN, &["System Manager"]);
    std::fs::write(folder.join("admin.json"), json!({"api_key": admin.key, "api_secret": admin.secret}).to_string())?;
    write_keys(folder, "not-yet", "not-yet")
}

/// `components setup crm` as the administrator: `command` is the hub's program with its configuration.
pub async fn asked(mut command: Command, folder: &Path, tenant: &str, more: &[&str]) -> std::io::Result<Output> {
    command
        .args(["components", "setup", "crm", "--tenant", tenant, "--with"])
        .arg(folder.join("admin.json"))
        .args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || command.output()).await.map_err(std::io::Error::other)?
}

/// The same with consent; the bot's key pair is kept where the tenant's file finds it.
pub async fn set_up(command: Command, folder: &Path, tenant: &str) -> std::io::Result<()> {
    let output = asked(command, folder, tenant, &["--yes"]).await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let after = |name: &str| told.lines().find_map(|line| line.strip_prefix(name));
    match (after("api_key: "), after("api_secret: ")) {
        (Some(key), Some(secret)) => write_keys(folder, key, secret),
        _ => Err(std::io::Error::other(format!("{told}\n{}", String::from_utf8_lossy(&output.stderr)))),
    }
}
