//! Settings that stand in an environment: the `.env` of a middleware that posts calls to Vtiger, and of a listener at a
//! FreePBX.
//!
//! No public description of these names exists, so a name is read by the words in it: the names differ from one
//! installation to the next, what they hold does not. What no word gives away is left behind and said.

use super::ImportError;
use super::draft::Draft;

/// The names and values of an `.env`, in their order.
struct Environment(Vec<(String, String, bool)>);

impl Environment {
    fn read(text: &str) -> Result<Self, ImportError> {
        let form = |line: usize| ImportError::Form {
            what: "an `.env`",
            why: format!("line {line} is neither `NAME=value` nor a comment"),
        };
        let mut all = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let (name, value) = line.split_once('=').ok_or_else(|| form(at + 1))?;
            all.push((name.trim().to_owned(), unquoted(value), false));
        }
        Ok(Environment(all))
    }

    /// The first value whose name has one word of each of these sets.
    fn take(&mut self, words: &[&[&str]]) -> Option<String> {
        let has = |name: &str, set: &[&str]| name.to_ascii_uppercase().split('_').any(|part| set.contains(&part));
        let fits = |name: &str| words.iter().all(|set| has(name, set));
        let found = self.0.iter_mut().find(|(name, value, used)| !*used && !value.is_empty() && fits(name))?;
        found.2 = true;
        Some(found.1.clone())
    }

    fn need(&mut self, what: &str, words: &[&[&str]]) -> Result<String, ImportError> {
        self.take(words).ok_or_else(|| {
            let like: Vec<String> = words.iter().map(|set| set.join(" or ")).collect();
            ImportError::Missing(format!("{what} is missing: no name has the words {}", like.join(" and ")))
        })
    }

    fn leave(&self, draft: &mut Draft) {
        for (name, _, _) in self.0.iter().filter(|(_, _, used)| !used) {
            draft.leave(name.as_str(), "its name says nothing that the hub has a setting for");
        }
    }
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next()) {
            return inner.to_owned();
        }
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

const VTIGER: &[&str] = &["VTIGER", "VT", "CRM"];
const ADDRESS: &[&str] = &["URL", "HOST", "ENDPOINT", "BASE", "SITE", "SERVER"];
const USER: &[&str] = &["USER", "USERNAME", "LOGIN"];
const KEY: &[&str] = &["KEY", "ACCESSKEY", "TOKEN"];
const HOOK: &[&str] = &["WEBHOOK", "HMAC", "SIGNATURE", "SIGNING", "PBX"];
const SECRET: &[&str] = &["SECRET", "KEY", "TOKEN"];
const AMI: &[&str] = &["AMI", "ASTERISK", "MANAGER"];
const PASSWORD: &[&str] = &["SECRET", "PASSWORD", "PASS", "PASSWD"];

/// Reads the `.env` of a middleware that takes signed posts of calls and logs them in Vtiger.
pub fn vtiger_middleware(text: &str, tenant: &str) -> Result<Draft, ImportError> {
    let mut environment = Environment::read(text)?;
    let mut draft = Draft::of(tenant);
    let key = environment.need("Vtiger's access key", &[VTIGER, KEY])?;
    let address = environment.need("Vtiger's address", &[VTIGER, ADDRESS])?;
    let user = environment.need("Vtiger's user", &[VTIGER, USER])?;
    let hook = environment.take(&[HOOK, SECRET]);
    let site = site(&address)?;
    draft.line("# Made by `cordboard import vtiger-middleware`. Read it through before the hub takes over.");
    draft.line("\n[sources.pbx]");
    draft.set("component", "pbx-webhook");
    draft.set("paths", vec!["/webhook/call".to_owned()]);
    match hook {
        Some(hook) => {
            let reference = draft.kept("webhook_secret", &hook);
            draft.line(format!("settings = {{ secret = {reference} }}"));
        }
        None => draft.step("say what the PBX signs its posts with: `settings = { secret = … }` of the source"),
    }
    draft.line("\n[sinks.crm]");
    draft.set("component", "vtiger");
    draft.set("allow", vec![site.1]);
    draft.line("\n[sinks.crm.settings]");
    draft.set("url", site.0);
    draft.set("username", user);
    draft.secret("access_key", "vtiger_access_key", &key);
    routes(&mut draft);
    draft.step("say in the tenant's file who has which extension (`[[agents]]`), and to which country numbers belong (`region`)");
    draft.step("let the PBX post to the hub: its `paths` are the tenant's");
    environment.leave(&mut draft);
    Ok(draft)
}

/// Reads the settings of a listener at a FreePBX's manager interface: the hub listens itself.
pub fn freepbx_listener(text: &str, tenant: &str) -> Result<Draft, ImportError> {
    let mut environment = Environment::read(text)?;
    let mut draft = Draft::of(tenant);
    let password = environment.need("the manager's secret", &[AMI, PASSWORD])?;
    let host = environment.need("the manager's host", &[AMI, ADDRESS])?;
    let user = environment.need("the manager's user", &[AMI, USER])?;
    let port = environment.take(&[AMI, &["PORT"]]).and_then(|port| port.parse::<u16>().ok()).unwrap_or(5038);
    let name = environment.take(&[&["PBX"], &["SYSTEM", "NAME"]]);
    draft.line("# Made by `cordboard import freepbx-listener`. Read it through before the hub takes over.");
    draft.line("\n[sources.pbx]");
    draft.set("component", "ami");
    draft.set("allow", vec![host.clone()]);
    draft.line("\n[sources.pbx.settings]");
    draft.set("host", host);
    draft.set("port", i64::from(port));
    draft.set("username", user);
    draft.secret("password", "ami_password", &password);
    draft.set("profile", "freepbx");
    if let Some(name) = name {
        draft.set("name", name);
    }
    for (key, words) in [("the address that it posted to", [HOOK, ADDRESS]), ("what it signed with", [HOOK, SECRET])] {
        if environment.take(&words).is_some() {
            draft.leave(key, "the hub listens at the PBX itself: nothing is posted in between");
        }
    }
    draft.step("add the sink that calls go to, its routes, and who has which extension");
    environment.leave(&mut draft);
    Ok(draft)
}

/// An address without what stands behind the site, and its host.
fn site(address: &str) -> Result<(String, String), ImportError> {
    let address = address.trim_end_matches('/').trim_end_matches("/webservice.php").trim_end_matches('/');
    let address = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let url = url::Url::parse(&address).ok().filter(url::Url::has_host);
    let host = url.as_ref().and_then(url::Url::host_str).map(str::to_owned);
    host.map(|host| (address.clone(), host)).ok_or_else(|| ImportError::Missing(format!("`{address}` names no host")))
}

fn routes(draft: &mut Draft) {
    draft.line("\n[[routes]]");
    draft.set("from", "pbx");
    draft.set("to", "crm");
    draft.set("when", "event.type in ['call.ended', 'call.recorded']");
}
