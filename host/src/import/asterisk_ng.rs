//! `config.yml` of amocrm_asterisk_ng 3.0.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::{ImportError, python, tokens};

/// The plugins whose settings are read. A plugin that is not uploaded is a function that is off.
const PLUGINS: [&str; 13] = [
    "standard.domain",
    "amocrm.amoclient",
    "amocrm.functions",
    "amocrm.records.provider",
    "amocrm.widget.asterisk",
    "amocrm.widget.asterisk_ng",
    "telephony.ami_manager",
    "telephony.asterisk16.functions",
    "telephony.asterisk16.reflector",
    "telephony.records_provider",
    "telephony.redirecting",
    "system.storage",
    "system.fastapi",
];

/// What has no counterpart, and why.
const LEFT: [(&str, &str, &str); 6] = [
    ("system.storage", "host", "the hub keeps no state in Redis"),
    ("system.storage", "port", "the hub keeps no state in Redis"),
    ("system.storage", "database", "the hub keeps no state in Redis"),
    ("system.storage", "password", "the hub keeps no state in Redis"),
    ("system.fastapi", "workers", "one process serves everything; the old server ignored it too"),
    ("system.converter", "tmp_dir", "converted recordings are kept in `data/recordings`"),
];

/// Reads the configuration. `tokens` is the text of the file that `backup_file_path` names, if there is one.
pub fn asterisk_ng(text: &str, tokens: Option<&str>, tenant: &str) -> Result<Draft, ImportError> {
    let form = |why: String| ImportError::Form { what: "a config.yml of amocrm_asterisk_ng", why };
    let root: Value = serde_yaml_ng::from_str(text).map_err(|why| form(why.to_string()))?;
    let plugins = &root["dynamic"]["plugins"];
    let settings = plugins["plugins_settings"].as_object();
    let settings = settings.ok_or_else(|| form("`dynamic.plugins.plugins_settings` is missing".to_owned()))?;
    let uploaded = plugins["uploaded"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
    let mut read = Reader { settings, uploaded, used: BTreeSet::new(), draft: Draft::of(tenant) };
    if !root["static"]["logger"].is_null() {
        read.draft.leave("static.logger", "Python's logging; see `[log]` in cordboard.toml");
    }
    read.head();
    read.agents();
    read.source()?;
    read.sink(tokens)?;
    read.routing();
    read.routes();
    read.rest();
    Ok(read.draft)
}

struct Reader<'a> {
    settings: &'a Map<String, Value>,
    uploaded: Option<BTreeSet<&'a str>>,
    used: BTreeSet<(&'static str, String)>,
    draft: Draft,
}

impl<'a> Reader<'a> {
    /// Whether a function is on: also one whose settings are all left to their defaults.
    fn is_on(&self, plugin: &str) -> bool {
        match &self.uploaded {
            Some(uploaded) => uploaded.contains(plugin),
            None => self.settings.contains_key(plugin),
        }
    }

    fn value(&mut self, plugin: &'static str, key: &str) -> Option<&'a Value> {
        self.used.insert((plugin, key.to_owned()));
        self.settings.get(plugin)?.get(key).filter(|value| !value.is_null())
    }

    /// Numbers are as good as texts.
    fn text(&mut self, plugin: &'static str, key: &str) -> Option<String> {
        self.value(plugin, key).and_then(plain)
    }

    fn text_or(&mut self, plugin: &'static str, key: &str, default: &str) -> String {
        self.text(plugin, key).unwrap_or_else(|| default.to_owned())
    }

    fn number_or(&mut self, plugin: &'static str, key: &str, default: u64) -> u64 {
        self.text(plugin, key).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    fn need(&mut self, plugin: &'static str, key: &str) -> Result<String, ImportError> {
        let missing = || ImportError::Missing(format!("`{key}` of the plugin `{plugin}` is missing"));
        self.text(plugin, key).ok_or_else(missing)
    }

    fn head(&mut self) {
        self.draft.line("# Made by `cordboard import amocrm-asterisk-ng`. Read it through before the hub takes over.");
        let site = self.text("amocrm.amoclient", "base_url").unwrap_or_default();
        if site.trim_end_matches('/').ends_with(".ru") {
            self.draft.set("region", "RU");
        } else {
            self.draft
                .step("say in the tenant's file to which country numbers without a prefix belong: `region = \"US\"`");
        }
    }

    fn agents(&mut self) {
        let agents = self.value("standard.domain", "agents").and_then(Value::as_object);
        let mut owners: Vec<(String, String)> = Vec::new();
        for (email, extension) in agents.into_iter().flatten() {
            let Some(extension) = plain(extension) else {
                self.draft
                    .leave(format!("standard.domain agents {email}"), "its extension is neither a number nor a text");
                continue;
            };
            if let Some((other, _)) = owners.iter().find(|(_, own)| *own == extension) {
                let why = format!("{other} has the extension {extension} too, and one person has it here");
                self.draft.leave(format!("standard.domain agents {email}"), why);
                continue;
            }
            self.draft.line("\n[[agents]]");
            self.draft.set("login", email.as_str());
            self.draft.set("extensions", vec![extension.clone()]);
            self.draft.line(format!("users = {{ crm = {} }}", quoted(email)));
            owners.push((email.clone(), extension));
        }
    }

    fn source(&mut self) -> Result<(), ImportError> {
        const AMI: &str = "telephony.ami_manager";
        const CALLS: &str = "telephony.asterisk16.functions";
        let (host, port) = (self.text_or(AMI, "host", "127.0.0.1"), self.number_or(AMI, "port", 5038));
        let (user, secret) = (self.text_or(AMI, "user", "admin"), self.need(AMI, "secret")?);
        self.draft.line("\n[sources.pbx]");
        self.draft.set("component", "ami");
        self.draft.set("allow", vec![host.clone()]);
        self.recordings();
        self.draft.line("\n[sources.pbx.settings]");
        self.draft.set("host", host);
        self.draft.set("port", port as i64);
        self.draft.set("username", user);
        self.draft.secret("password", "ami_password", &secret);
        match self.text("telephony.asterisk16.reflector", "internal_number_pattern").map(|text| python::pattern(&text))
        {
            Some(Ok((pattern, warnings))) => {
                self.draft.set("internal_number_pattern", pattern);
                for warning in warnings {
                    self.draft.leave("telephony.asterisk16.reflector internal_number_pattern", warning);
                }
            }
            Some(Err(why)) => self.draft.leave("telephony.asterisk16.reflector internal_number_pattern", why),
            None => {}
        }
        let origination = self.text_or(CALLS, "origination_context", "from-internal");
        let redirect = self.text_or(CALLS, "redirect_context", "from-internal");
        let mut contexts = vec![origination.clone()];
        contexts.extend((redirect != origination).then_some(redirect));
        self.draft.set("contexts", contexts);
        self.draft.set("agent_channel", format!("Local/{{extension}}@{origination}"));
        let timeout = self.number_or(CALLS, "origination_timeout", 30_000).div_ceil(1000).clamp(1, 300);
        self.draft.set("originate_timeout", timeout as i64);
        Ok(())
    }

    /// Recordings are found by the path that the PBX tells, below the part of `media_root` that has no date in it.
    fn recordings(&mut self) {
        if !self.is_on("telephony.records_provider") {
            return;
        }
        let root = self.media_root();
        let plain = root.split('%').next().unwrap_or_default();
        let folder =
            if plain.len() == root.len() { plain } else { plain.rsplit_once('/').map_or("/", |(above, _)| above) };
        let folder = quoted(folder.trim_end_matches('/'));
        self.draft.line(format!("recordings = {{ root = {folder}, strip = {folder} }}"));
    }

    fn media_root(&mut self) -> String {
        self.text_or("telephony.records_provider", "media_root", "/var/spool/asterisk/monitor/%Y/%m/%d/")
    }

    fn sink(&mut self, tokens: Option<&str>) -> Result<(), ImportError> {
        const CLIENT: &str = "amocrm.amoclient";
        let base = self.need(CLIENT, "base_url")?;
        let base = base.trim_end_matches('/');
        let url = if base.contains("://") { base.to_owned() } else { format!("https://{base}") };
        let site = url::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let site = site.ok_or_else(|| ImportError::Missing(format!("`base_url` is `{base}`, which names no host")))?;
        self.draft.line("\n[sinks.crm]");
        self.draft.set("component", "amocrm");
        let mut allow = vec![site.clone()];
        // The account may move, and the chat service stands elsewhere.
        allow.extend(site.split_once('.').filter(|(_, rest)| rest.contains('.')).map(|(_, rest)| format!("*.{rest}")));
        self.draft.set("allow", allow);
        // Calls come in the order in which they were, also after an outage.
        self.draft.set("concurrency", 1);
        let paths = self.paths();
        if !paths.is_empty() {
            self.draft.set("paths", paths);
            let listen = self.listen();
            self.draft.set("listen", listen);
        }
        let cdr = self.is_on("telephony.records_provider").then(|| self.database()).flatten();
        if let Some(address) = &cdr {
            let reference = self.draft.kept("cdr_url", address);
            self.draft.line(format!("databases = {{ cdr = {reference} }}"));
        }
        self.draft.line("\n[sinks.crm.settings]");
        self.draft.set("url", url);
        self.login(tokens)?;
        self.functions();
        self.widgets();
        self.records(cdr.is_some());
        Ok(())
    }

    fn listen(&mut self) -> String {
        let host = self.text_or("system.fastapi", "host", "0.0.0.0");
        format!("{host}:{}", self.number_or("system.fastapi", "port", 8000))
    }

    fn paths(&self) -> Vec<String> {
        let all = [
            ("amocrm.widget.asterisk", "/asterisk"),
            ("amocrm.widget.asterisk_ng", "/asterisk_ng"),
            ("amocrm.records.provider", "/records/*"),
        ];
        let on = all.into_iter().filter(|(plugin, _)| self.is_on(plugin));
        on.map(|(_, path)| path.to_owned()).collect()
    }

    /// The address of the database of call detail records.
    fn database(&mut self) -> Option<String> {
        let mysql = self.value("telephony.records_provider", "mysql")?;
        let part = |key: &str, default: &str| mysql.get(key).and_then(plain).unwrap_or_else(|| default.to_owned());
        let mut url = url::Url::parse("mysql://host/database").ok()?;
        url.set_host(Some(&part("host", "127.0.0.1"))).ok()?;
        url.set_port(part("port", "3306").parse().ok()).ok()?;
        url.set_username(&part("user", "root")).ok()?;
        url.set_password(Some(&part("password", "")).filter(|password| !password.is_empty()).map(String::as_str))
            .ok()?;
        url.set_path(&part("database", "asteriskcdrdb"));
        Some(url.to_string())
    }

    fn login(&mut self, text: Option<&str>) -> Result<(), ImportError> {
        const CLIENT: &str = "amocrm.amoclient";
        let id = self.need(CLIENT, "integration_id")?;
        let secret = self.need(CLIENT, "secret_key")?;
        let redirect = self.need(CLIENT, "redirect_uri")?;
        self.draft.set("client_id", id);
        self.draft.secret("client_secret", "client_secret", &secret);
        self.draft.set("redirect_uri", redirect);
        let key = self.text_or(CLIENT, "encryption_key", "secret");
        let file = self.text_or(CLIENT, "backup_file_path", "backup.txt");
        let code = self.text(CLIENT, "auth_code");
        match text.map(|text| tokens::read(text, &key)) {
            Some(Ok(tokens)) => {
                self.draft.secret("refresh_token", "refresh_token", &tokens.refresh_token);
                if code.is_some() {
                    self.draft.leave(
                        "amocrm.amoclient auth_code",
                        "a code works once, within 20 minutes; the refresh token is taken",
                    );
                }
                if tokens.refresh_token_expire.is_some_and(|end| end < now()) {
                    self.draft.step("the refresh token has expired: paste a new `code` from the integration's keys");
                }
                self.draft.step("stop the old server before the hub starts: the refresh token works once");
            }
            Some(Err(why)) => {
                self.draft.leave(format!("the tokens in {file}"), format!("they cannot be believed: {why}"));
                self.code(code);
            }
            None => {
                self.draft.leave(format!("the tokens in {file}"), "the file was not given: name it with `--tokens`");
                self.code(code);
            }
        }
        Ok(())
    }

    fn code(&mut self, code: Option<String>) {
        if let Some(code) = code {
            self.draft.secret("code", "code", &code);
        }
        self.draft
            .step("make a new authorization code in the integration's keys and put it into `code` within 20 minutes");
    }

    fn functions(&mut self) {
        const FUNCTIONS: &str = "amocrm.functions";
        const DOMAIN: &str = "standard.domain";
        let pipeline = self.text_or(FUNCTIONS, "pipeline", "Воронка");
        self.draft.set("pipeline", pipeline);
        for key in ["source", "source_uid", "source_name", "service_code"] {
            let value = self.text_or(FUNCTIONS, key, "AsteriskNG");
            self.draft.set(key, value);
        }
        // The page of the old server calls it by a name that its code does not know.
        let [default, other] = ["default_responsible_agent", "responsible_agent"].map(|key| self.text(DOMAIN, key));
        if default.is_some() && other.is_some() && default != other {
            self.draft.leave("standard.domain responsible_agent", "`default_responsible_agent` names somebody else");
        }
        match default.or(other) {
            Some(default) => self.draft.set("default_user", default),
            None => self.draft.step("name the user of calls that nobody took: `default_user` of the sink"),
        }
        let strategy = self.value(DOMAIN, "call_responsible_strategy").and_then(Value::as_array);
        let words = strategy.map(|words| words.iter().filter_map(plain).collect::<Vec<_>>());
        let mut known = Vec::new();
        for word in words.unwrap_or_else(|| vec!["default".to_owned()]) {
            match ["by_entity", "last_active", "default"].contains(&&*word) {
                true => known.push(word),
                false => self
                    .draft
                    .leave(format!("standard.domain call_responsible_strategy {word}"), "there is no such strategy"),
            }
        }
        self.draft.set("responsible", known);
        // It logged the calls of its agents, and those that nobody took.
        self.draft.set("users_only", true);
        self.corrector();
    }

    fn corrector(&mut self) {
        const KEY: &str = "standard.domain client_corrector";
        let rules = self.value("standard.domain", "client_corrector").and_then(Value::as_array);
        let mut ours = Vec::new();
        for (at, rule) in rules.into_iter().flatten().enumerate() {
            let key = format!("{KEY} {}", at + 1);
            let pair = rule.as_array().and_then(|pair| match pair.as_slice() {
                [from, to] => Some((plain(from)?, plain(to)?)),
                _ => None,
            });
            let Some((from, to)) = pair else {
                self.draft.leave(key, "it is no pair of a pattern and a replacement");
                continue;
            };
            match (python::pattern(&from), python::replacement(&to)) {
                (Ok((pattern, warnings)), Ok(with)) => {
                    for warning in warnings {
                        self.draft.leave(key.clone(), format!("carried over; {warning}"));
                    }
                    ours.push(toml::Value::from(vec![pattern, with]));
                }
                (Err(why), _) | (_, Err(why)) => self.draft.leave(key, format!("`{from}`: {why}")),
            }
        }
        if !ours.is_empty() {
            self.draft.set("client_corrector", toml::Value::Array(ours));
        }
    }

    fn widgets(&mut self) {
        const STOCK: &str = "amocrm.widget.asterisk";
        const NG: &str = "amocrm.widget.asterisk_ng";
        if self.paths().is_empty() {
            return;
        }
        self.draft.line("\n[sinks.crm.settings.asterisk_ng]");
        if self.is_on(STOCK) {
            match (self.text(STOCK, "login"), self.text(STOCK, "password")) {
                (Some(login), Some(password)) => {
                    self.draft.set("login", login);
                    self.draft.secret("password", "widget_password", &password);
                }
                _ => self.draft.leave(STOCK, "its `login` or its `password` is missing, so nobody could log in"),
            }
        }
        if self.is_on(NG) {
            match self.text_or(NG, "secret_key", "AsteriskNG").as_str() {
                "AsteriskNG" => {
                    let why = "everybody knows the old server's default: choose another one, here and in the widget";
                    self.draft.leave("amocrm.widget.asterisk_ng secret_key", why);
                    self.draft.step("set `secret_key` under `[sinks.crm.settings.asterisk_ng]` and in the widget");
                }
                key => self.draft.secret("secret_key", "widget_secret_key", key),
            }
        }
        let redirect = self.text_or("telephony.asterisk16.functions", "redirect_context", "from-internal");
        if redirect != self.text_or("telephony.asterisk16.functions", "origination_context", "from-internal") {
            self.draft.set("redirect_context", redirect);
        }
    }

    fn records(&mut self, cdr: bool) {
        const PROVIDER: &str = "amocrm.records.provider";
        const FILES: &str = "telephony.records_provider";
        if !self.is_on(PROVIDER) {
            return;
        }
        if let Some(base) = self.text(PROVIDER, "base_url") {
            let public = base.trim_end_matches('/').trim_end_matches("/records").to_owned();
            self.draft
                .leave("amocrm.records.provider base_url", "links to recordings are made with the hub's `public_url`");
            self.draft
                .step(format!("set `public_url` in cordboard.toml to where browsers reach the hub: {public:?}, say"));
        }
        self.draft.line("\n[sinks.crm.settings.asterisk_ng.records]");
        self.draft.set("source", "pbx");
        let convert = self.value(PROVIDER, "enable_conversion").and_then(Value::as_bool).unwrap_or(true);
        self.draft.set("convert", convert);
        self.draft.set("cdr", cdr);
        for key in ["cdr_table", "calldate_column", "recordingfile_column"] {
            if let Some(value) = self.text(FILES, key) {
                self.draft.set(key, value);
            }
        }
        let root = self.media_root();
        self.draft.set("media_root", root);
        self.draft.step(
            "when the hub has taken over, set `unsigned_before` under `[sinks.crm.settings.asterisk_ng.records]` to that \
             moment: recordings of later calls then play by signed links alone",
        );
    }

    fn routing(&mut self) {
        if !self.is_on("telephony.redirecting") {
            if self.text("standard.domain", "redirect_responsible_agent").is_some() {
                let why = "the plugin `telephony.redirecting` is not uploaded, so no dialplan asks where callers go";
                self.draft.leave("standard.domain redirect_responsible_agent", why);
            }
            return;
        }
        self.draft.line("\n[routing]");
        self.draft.set("paths", vec!["/redirecting?phone={number}".to_owned()]);
        let listen = self.listen();
        self.draft.set("listen", listen);
        if let Some(email) = self.text("standard.domain", "redirect_responsible_agent") {
            let agents = self.settings.get("standard.domain").and_then(|domain| domain.get("agents"));
            match agents.and_then(|agents| agents.get(&email)).and_then(plain) {
                Some(extension) => self.draft.set("unknown", extension),
                None => self.draft.leave("standard.domain redirect_responsible_agent", format!("{email} is no agent")),
            }
        }
    }

    fn routes(&mut self) {
        self.draft.line("\n[[routes]]");
        self.draft.set("from", "pbx");
        self.draft.set("to", "crm");
        // Also what becomes known of it afterwards, from a call detail record say.
        self.draft
            .set("when", "event.type in ['call.ended', 'call.recorded', 'call.updated'] && call.phase == 'ended'");
        self.draft.line("\n[[routes]]");
        self.draft.set("from", "pbx");
        self.draft.set("to", "crm");
        self.draft.set("when", "event.type == 'call.ringing' && call.direction == 'inbound'");
        self.draft.set("while", "call.phase == 'ringing'");
        self.draft.set("ttl", "20s");
    }

    /// What nobody asked for.
    fn rest(&mut self) {
        for (plugin, values) in self.settings {
            let known = PLUGINS.contains(&plugin.as_str()) || plugin == "system.converter";
            if !known {
                self.draft.leave(plugin.as_str(), "the old server had no such plugin");
                continue;
            }
            for key in values.as_object().into_iter().flat_map(Map::keys) {
                if self.used.iter().any(|(own, used)| *own == plugin.as_str() && used == key) {
                    continue;
                }
                let reason = LEFT
                    .iter()
                    .find(|(own, left, _)| *own == plugin.as_str() && *left == key.as_str())
                    .map(|(_, _, why)| *why);
                let off = "the plugin is not uploaded, so its function is off";
                let unknown = "the old server had no such setting";
                let why = reason.unwrap_or(if self.is_on(plugin) { unknown } else { off });
                self.draft.left.push(super::Left { key: format!("{plugin} {key}"), why: why.to_owned() });
            }
        }
        self.draft.step("amoCRM's servers ask from few addresses: raise `limits.requests_per_second` for them, or set it to 0 behind a proxy that bounds requests");
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn now() -> f64 {
    crate::model::Instant::now().millis() as f64 / 1000.0
}
