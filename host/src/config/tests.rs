//! Configurations that load, and what is said of those that do not.

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

/// The problems of a tenant's file that is otherwise right, one on a line.
fn wrong(tenant: &str) -> String {
    match plan("", tenant) {
        Ok(_) => panic!("it loads: {tenant}"),
        Err(problems) => problems.to_string(),
    }
}

/// The sample with one piece of text put in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(ACME.contains(from), "{from}");
    ACME.replacen(from, to, 1)
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        (
            with("paths =", "path ="),
            "tenants/acme.toml:11:1: `sources.pbx.path` is not a setting; did you mean `paths`?",
        ),
        (
            with("paths =", "secret = { env = \"ACME_WEBHOOK_SECRET\" }\npaths ="),
            "tenants/acme.toml:11:1: `sources.pbx.secret` is not a setting; what belongs to the component stands under \
             `settings = { … }`",
        ),
        (with("region", "regoin"), "tenants/acme.toml:2:1: `regoin` is not a setting; did you mean `region`?"),
        (with("\"ES\"", "\"Spain\""), "tenants/acme.toml:2:10: `region` is `Spain`; write two letters, such as `ES`"),
        (with("\"^00\"", "\"^(00\""), "tenants/acme.toml:3:13: `^(00` is not a regular expression: unclosed group"),
        (
            with("component = \"vtiger\"\n", ""),
            "tenants/acme.toml:14:8: `sinks.crm` has no `component`; add `component = …`",
        ),
        (
            with("ACME_VTIGER_KEY", "ACME_VTIGER_KYE"),
            "`sinks.crm.settings.access_key`: the environment variable `ACME_VTIGER_KYE` is not set; set it before the hub \
             starts: `export ACME_VTIGER_KYE=…`",
        ),
        (
            with("{ env = \"ACME_VTIGER_KEY\" }", "{ file = \"keys/vtiger\" }"),
            "the file `keys/vtiger` cannot be read: entity not found; looked for it at `/etc/cordboard/keys/vtiger`",
        ),
        (
            with("from = \"pbx\"", "from = \"pxb\""),
            "tenants/acme.toml:20:8: the route comes from `pxb`, which is no source; did you mean `pbx`?",
        ),
        (
            with("to = \"crm\"", "to = \"vtiger\""),
            "tenants/acme.toml:21:6: the route leads to `vtiger`, which is no sink; known: `crm`",
        ),
        (with("to = \"crm\"\n", ""), "tenants/acme.toml:19:1: `routes[0]` has no `to`; add `to = …`"),
        (
            with("'call.recorded'", "'call.recrded'"),
            "tenants/acme.toml:22:38: `routes[0].when`: `event.type` is never `call.recrded`; did you mean `call.recorded`?",
        ),
        (
            with("call.phase == 'ringing'", "call.phse == 'ringing'"),
            "`routes[1].while`: `call` has no field `phse`; did you mean `phase`?",
        ),
        (with("\"20s\"", "\"20\""), "`routes[1].ttl`: `20` is not a length of time like `250ms`"),
        (with("\"20s\"", "\"0s\""), "tenants/acme.toml:29:7: `ttl` is under a second"),
        (with("\"20s\"", "\"30d\""), "`ttl` is over a day: that is no popup; leave `ttl` out"),
        (with("\"20s\"", "20"), "tenants/acme.toml:29:7: `routes[1].ttl` is a whole number and must be a text"),
        (with("[\"crm.acme.example\"]", "[\"https://crm.acme.example\"]"), "is not a host: write the name alone"),
        (with("[\"crm.acme.example\"]", "[\"*\"]"), "`*` is every host there is: name the hosts"),
        (with("/webhook/call", "webhook"), "`webhook` is not a plain path"),
        (with("/webhook/call", "/v1/calls"), "`/v1/calls` is the hub's own"),
        (with("crm = \"19x5\"", "crn = \"19x5\""), "tenants/acme.toml:7:11: `crn` is no sink; did you mean `crm`?"),
        (
            with("[sources.pbx]", "[[agents]]\nextensions = [\"1002\", \"1001\"]\n\n[sources.pbx]"),
            "tenants/acme.toml:10:23: extension `1001` has two people; it is also in line 5",
        ),
        (with("[sources.pbx]", "[sources.\"P B X\"]"), "`P B X` is not a name: lower-case letters"),
        (with("region", "retention = { events = \"0s\" }\nregion"), "`retention.events` would keep nothing"),
        (with("allow =", "attempts = 0\nallow ="), "`sinks.crm.attempts` is 0 and must be from 1 to 1000"),
        (with("allow =", "rate = \"fast\"\nallow ="), "`fast` is not a rate like `10/s`"),
        (with("allow =", "backoff = { first = \"2h\" }\nallow ="), "`backoff.first` is longer than `backoff.ceiling`"),
        (
            with("paths =", "recordings = { path = \"{file}\" }\npaths ="),
            "tenants/acme.toml:11:14: `recordings` says neither `root` nor `url`; add `root = ",
        ),
        (
            with("paths =", "recordings = { root = \"/r\", url = \"https://x/{file}\" }\npaths ="),
            "`recordings` has both a `root` and a `url`; keep one of them",
        ),
        (
            with("paths =", "recordings = { root = \"/r\", path = \"%Y/{fil}\" }\npaths ="),
            "`sources.pbx.recordings.path`: `{fil}` is nothing that a recording has; did you mean `file`?",
        ),
        (
            with("paths =", "recordings = { root = \"/r\", path = \"%Y/%!/{file}\" }\npaths ="),
            "`strftime` has it; `%%` for a percent sign",
        ),
        (
            with("paths =", "recordings = { root = \"/r\", zone = \"Madrid\" }\npaths ="),
            "`Madrid` is no time zone that this machine knows; write a name like `Europe/Madrid`",
        ),
        (
            with("paths =", "recordings = { url = \"/rec/{file}\" }\npaths ="),
            "`sources.pbx.recordings.url` is not an address of the web",
        ),
        (
            with("paths =", "recordings = { url = \"{url}\", strip = \"/a\" }\npaths ="),
            "`sources.pbx.recordings.strip` belongs to a `root`, and here is a `url`",
        ),
        (
            with("paths =", "databases = { cdr = \"mysqll://a@b/c\" }\npaths ="),
            "tenants/acme.toml:11:21: `sources.pbx.databases.cdr`: `mysqll` is no kind of database that the hub reads; did \
             you mean `mysql`?",
        ),
        (
            with("paths =", "databases = { cdr = \"mysql://a:sesame@b/c\" }\npaths ="),
            "the address has a password in it and must not stand in the file; write `{ env = \"NAME\" }`",
        ),
        (
            with("allow =", "databases = { cdr = \"postgres://b\" }\nallow ="),
            "the address names no host or no database; write `mysql://user@host/database`",
        ),
        (
            with("paths =", "databases = { cdr = { env = \"ACME_WEBHOOK_SECRET\" } }\npaths ="),
            "`sources.pbx.databases.cdr`: this is not the address of a database; write",
        ),
        (
            with("[[routes]]", "[[keys]]\nname = \"x\"\nsha256 = \"abc\"\nrole = \"boss\"\n[[routes]]"),
            "`sha256` is not 64 hex digits",
        ),
        (with("region = \"ES\"", "region = \"ES"), "tenants/acme.toml:2:"),
        (with("region", "region = \"FR\"\nregion"), "duplicate key"),
        (format!("{ACME}\n[[routes]]\nfrom = \"crm\"\nto = \"crm\"\n"), "the routes go in a circle: `crm` to `crm`"),
        (
            format!(
                "{ACME}\n[sinks.b]\ncomponent = \"b\"\n[[routes]]\nfrom = \"crm\"\nto = \"b\"\n[[routes]]\nfrom = \"b\"\nto = \"crm\"\n"
            ),
            "tenants/acme.toml:36:1: the routes go in a circle: `b` to `crm` to `b`; take one of them out",
        ),
    ];
    let mut missed = String::new();
    for (text, expected) in cases {
        let told = wrong(&text);
        if !told.contains(expected) {
            missed.push_str(&format!("{expected}\n  is not in\n{told}\n"));
        }
        assert!(!told.contains("k3y") && !told.contains("s3cr3t"), "{told}");
    }
    assert!(missed.is_empty(), "{missed}");
}

#[test]
fn all_problems_at_once() {
    let text = with("region", "regoin").replace("'call.recorded'", "'call.x'").replace("ACME_VTIGER_KEY", "NONE");
    let told = wrong(&text);
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn the_hub_file() {
    let wrong = |hub: &str| plan(hub, ACME).unwrap_err().to_string();
    let mut missed = String::new();
    for (hub, expected) in [
        ("listn = \"127.0.0.1:1\"", "cordboard.toml:1:1: `listn` is not a setting; did you mean `listen`?"),
        ("listen = \"nowhere\"", "`listen`: invalid socket address syntax"),
        ("store = \"mysql://x\"", "`store` is neither `sqlite:…` nor `postgres://…`"),
        ("store = { env = \"NONE\" }", "the environment variable `NONE` is not set"),
        ("public_url = \"hub\"", "`public_url` is not an address"),
        ("[auth]\nsecret = \"plain\"", "cordboard.toml:2:10: `auth.secret` is a secret and must not stand in the file"),
        ("[auth]\nsecret = { env = \"ACME_VTIGER_KEY\" }\njwks = \"https://x.example\"", "`auth` has both"),
        ("[auth]", "`auth` has neither"),
        ("[keys]\nencryption = { env = \"ACME_VTIGER_KEY\" }", "is not 32 bytes in base64 or hex; make one with"),
        ("[limits]\nbody = \"1 potato\"", "`1 potato` is not a size like"),
        ("[recordings]\nlinks = \"5m\"", "`recordings.links` is under an hour"),
        ("[recordings]\ncache = \"1MiB\"", "`recordings.cache` is under 16MiB"),
        ("[recordings.copies]\nprefix = \"a\"", "write either `folder = \"…\"` or `bucket = \"…\"`"),
        (
            "[recordings.copies]\nbucket = \"b\"\naccess_key = \"AKIA\"\nsecret_key = { env = \"ACME_VTIGER_KEY\" }",
            "cordboard.toml:3:14: `recordings.copies.access_key` is a secret and must not stand in the file",
        ),
        ("[recordings]\nconversion = 1", "`recordings.conversion` is not a setting; did you mean `conversions`?"),
        ("[log]\nlevel = \"inof\"", "`inof` is not a level of the log; did you mean `info`?"),
        ("[log]\nformat = \"xml\"", "`log.format` is `xml`; known: `text`, `json`"),
        ("[alerts]\nmail = { smtp = \"smtps://m\", from = \"a@b\", to = [] }", "must name addresses"),
    ] {
        let told = wrong(hub);
        if !told.contains(expected) {
            missed.push_str(&format!("{expected}\n  is not in\n{told}\n"));
        }
        assert!(!told.contains("k3y"), "{told}");
    }
    assert!(missed.is_empty(), "{missed}");
    let hub = plan("[limits]\nbody = \"2MiB\"\n[retention]\nevents = \"7d\"", ACME).unwrap();
    assert_eq!(hub.hub.limits.body, 2 << 20);
    assert_eq!(hub.tenants["acme"].retention.events, Some(std::time::Duration::from_secs(7 * 86_400)));
    assert_eq!(hub.hub.data, Path::new("/etc/cordboard/data"));
}

/// A sample with its commented settings put in force.
fn uncommented(sample: &str) -> String {
    let lines = sample.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.starts_with('[') || setting.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => {
            setting
        }
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
}

#[test]
fn samples_load_as_they_are_and_with_every_setting() {
    let hash = "ab".repeat(32);
    let keeper = Safe::of(&[
        ("ACME_WEBHOOK_SECRET", "s"),
        ("ACME_VTIGER_KEY", "k"),
        ("ACME_ROUTE_KEY", "r"),
        ("ACME_CDR_URL", "mysql://hub:sesame@pbx.example/asteriskcdrdb"),
        ("CORDBOARD_JWT_SECRET", "j"),
        ("CORDBOARD_KEY", &hash),
        ("CORDBOARD_S3_KEY", "AKIA"),
        ("CORDBOARD_S3_SECRET", "sesame"),
        ("CORDBOARD_SMTP", "smtps://u:p@mail.example.com"),
        ("/etc/cordboard/pbx-ca.pem", include_str!("../../../tests/fixtures/tls/ca.pem")),
    ]);
    let load = |hub: &str, tenant: &str| {
        let files = [("cordboard.toml", hub), ("tenants/acme.toml", tenant)];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Plan::read(Path::new("/etc/cordboard"), &files, &keeper).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let plain = load(DEFAULT_HUB, DEFAULT_TENANT);
    let hub = uncommented(DEFAULT_HUB).lines().filter(|line| !line.starts_with("jwks")).collect::<Vec<_>>().join("\n");
    let full = load(&hub, &uncommented(DEFAULT_TENANT).replace("\"…\"", &format!("\"{hash}\"")));
    // The commented values are the ones that hold without them.
    assert!(plain.hub.recordings.copies.is_none() && full.hub.recordings.copies.is_some());
    let without_copies = Serving { copies: None, ..full.hub.recordings.clone() };
    assert_eq!((&plain.hub.listen, &plain.hub.recordings), (&full.hub.listen, &without_copies));
    assert_eq!(
        (plain.hub.public_url.as_deref(), full.hub.public_url.as_deref()),
        (None, Some("https://hub.example.com"))
    );
    assert_eq!((&plain.hub.limits, &plain.hub.retention), (&full.hub.limits, &full.hub.retention));
    assert_eq!((&plain.hub.store, &plain.hub.data), (&full.hub.store, &full.hub.data));
    let keys = |plan: &Plan| plan.hub.auth.as_ref().map(|auth| auth.keys.clone());
    assert_eq!((keys(&plain), &plain.hub.log), (keys(&full), &full.hub.log));
    assert!(full.hub.alerts.mail.is_some() && full.hub.encryption.is_some());
    let acme = &full.tenants["acme"];
    assert_eq!(acme.sinks["crm"].attempts, plain.tenants["acme"].sinks["crm"].attempts);
    assert_eq!(acme.keys.len(), 1);
    let pbx = &acme.sources["pbx"];
    assert!(pbx.recordings.is_some() && pbx.databases["cdr"].kind == DatabaseKind::MySql);
    assert!(!format!("{full:?}").contains("sesame"), "{full:?}");
    assert!(!format!("{full:?}").contains("smtps"), "{full:?}");
}

#[test]
fn warnings() {
    let told = |tenant: &str| -> Vec<String> {
        let plan = plan("", tenant).unwrap_or_else(|problems| panic!("{problems}"));
        plan.warnings.iter().map(ToString::to_string).filter(|told| told.starts_with("tenants/")).collect()
    };
    assert_eq!(told(ACME), Vec::<String>::new());
    let never = with("event.type == 'call.ringing'", "event.type == 'call.ringing' && event.kind == 'message'");
    assert_eq!(told(&never), ["tenants/acme.toml:24:1: the route's `when` holds for no event"]);
    let odd = with("call.phase == 'ringing'", "message.status == 'read'");
    assert_eq!(told(&odd), ["tenants/acme.toml:24:1: the route's `while` holds for no record that its `when` selects"]);
    let idle = format!("{ACME}\n[sinks.b]\ncomponent = \"b\"\n");
    assert_eq!(told(&idle), ["tenants/acme.toml:31:8: no route leads to the sink `b`"]);
    let recorded = with("paths =", "recordings = { root = \"/r\" }\npaths =");
    let nowhere = "CRMs get no links to the recordings of `pbx`; set `public_url` in cordboard.toml";
    assert_eq!(told(&recorded), [format!("tenants/acme.toml:9:10: {nowhere}")]);
}

#[test]
fn a_path_is_one_sources() {
    let keeper = Safe::of(&[("ACME_WEBHOOK_SECRET", "s3cr3t"), ("ACME_VTIGER_KEY", "k3y")]);
    let files = ["a", "b"].map(|name| (format!("tenants/{name}.toml"), ACME.to_owned()));
    let told = Plan::read(Path::new("/"), &files, &keeper).unwrap_err().to_string();
    assert_eq!(
        told,
        "tenants/b.toml:9:10: the path `/webhook/call` is claimed twice; source `pbx` of tenant `a` has it too"
    );
}

/// Two components: a source and a sink.
struct Shelf;

impl Catalog for Shelf {
    fn offer(&self, component: &str) -> Option<Offer> {
        let secret = serde_json::json!({ "type": "string", "writeOnly": true, "minLength": 2 });
        match component {
            "pbx-webhook" => Some(Offer {
                schema: serde_json::json!({
                    "type": "object",
                    "properties": {
                        "secret": secret,
                        "format": { "enum": ["generic", "3cx"] },
                        "unsigned": { "type": "boolean", "x-warning": {
                            "when": true, "text": "whoever reaches it can report calls",
                        } },
                    },
                    "if": { "properties": { "unsigned": { "const": true } }, "required": ["unsigned"] },
                    "then": {
                        "description": "`unsigned` excludes `secret`",
                        "properties": { "secret": false },
                    },
                    "else": { "required": ["secret"] },
                    "additionalProperties": false,
                }),
                source: true,
                ..Offer::default()
            }),
            "vtiger" => Some(Offer {
                schema: serde_json::json!({
                    "type": "object",
                    "properties": {
                        "url": { "type": "string" },
                        "username": { "type": "string" },
                        "access_key": { "$ref": "#/$defs/secret" },
                        "fields": { "type": "object", "additionalProperties": { "type": "string" } },
                    },
                    "required": ["url", "access_key"],
                    "additionalProperties": false,
                    "$defs": { "secret": secret },
                }),
                sink: true,
                directory: true,
                hosts: vec!["{url}".to_owned()],
                ..Offer::default()
            }),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["pbx-webhook".to_owned(), "vtiger".to_owned()]
    }
}

#[test]
fn what_a_schema_wants_a_warning_for_is_said() {
    let check = |tenant: &str| plan("", tenant).unwrap_or_else(|why| panic!("{why}")).check_components(&Shelf).unwrap();
    let secret = "settings = { secret = { env = \"ACME_WEBHOOK_SECRET\" } }";
    let unsigned: Vec<String> =
        check(&with(secret, "settings = { unsigned = true }")).iter().map(ToString::to_string).collect();
    assert_eq!(unsigned.len(), 1, "{unsigned:?}");
    assert!(unsigned[0].ends_with("`unsigned` of `pbx`: whoever reaches it can report calls"), "{unsigned:?}");
    assert!(check(ACME).is_empty());
}

#[test]
fn settings_are_checked_against_the_components_schema() {
    let check = |tenant: &str| plan("", tenant).unwrap_or_else(|why| panic!("{why}")).check_components(&Shelf);
    assert_eq!(check(ACME), Ok(Vec::new()));
    let mut missed = String::new();
    for (text, expected) in [
        (
            with("component = \"vtiger\"", "component = \"vtigre\""),
            "tenants/acme.toml:14:8: sink `crm` uses the component `vtigre`, which is not there; did you mean `vtiger`?",
        ),
        (
            with("component = \"vtiger\"", "component = \"pbx-webhook\""),
            "tenants/acme.toml:14:8: the component `pbx-webhook` of `crm` cannot be used as a sink",
        ),
        (
            with("username =", "user_name ="),
            "tenants/acme.toml:17:60: `settings.user_name` is not a setting of the component of `crm`; did you mean `username`?",
        ),
        (
            with("url = \"https://crm.acme.example\", ", ""),
            "tenants/acme.toml:17:12: `settings` of `crm` has no `url`; add `url = …`",
        ),
        (
            with("\"integrator\"", "7"),
            "tenants/acme.toml:17:59: `settings.username` of `crm`: 7 is not of type \"string\"",
        ),
        (
            with("{ env = \"ACME_WEBHOOK_SECRET\" }", "\"plain\""),
            "tenants/acme.toml:12:23: `settings.secret` of `pbx` is a secret and must not stand in the file; write \
             `{ env = \"NAME\" }` or `{ file = \"path\" }`",
        ),
        (
            with("{ env = \"ACME_VTIGER_KEY\" }", "\"plain\""),
            "`settings.access_key` of `crm` is a secret and must not stand in the file",
        ),
        (
            with("settings = { secret", "settings = { unsigned = true, secret"),
            "tenants/acme.toml:12:40: `settings` of `pbx`: `unsigned` excludes `secret`",
        ),
        (
            with("settings = { secret = { env = \"ACME_WEBHOOK_SECRET\" } }", "settings = { unsigned = false }"),
            "tenants/acme.toml:12:12: `settings` of `pbx` has no `secret`; add `secret = …`",
        ),
        (
            with("settings = { secret", "settings = { format = \"3xc\", secret"),
            "tenants/acme.toml:12:23: `settings.format` of `pbx`: \"3xc\" is not one of \"generic\" or \"3cx\"; did you mean `3cx`?",
        ),
        (
            with("username =", "fields = { a = { env = \"ACME_VTIGER_KEY\" }, b = 3 }, username ="),
            "`settings.fields.b` of `crm`: 3 is not of type \"string\"",
        ),
        (
            with("secret = { env = \"ACME_WEBHOOK_SECRET\" }", "secret = [{ env = \"ACME_WEBHOOK_SECRET\" }]"),
            "`settings.secret` of `pbx`: it is not of type \"string\"",
        ),
    ] {
        let told = check(&text).unwrap_err().to_string();
        if !told.contains(expected) {
            missed.push_str(&format!("{expected}\n  is not in\n{told}\n"));
        }
        assert!(!told.contains("k3y") && !told.contains("s3cr3t") && !told.contains("plain\""), "{told}");
    }
    assert!(missed.is_empty(), "{missed}");
    let odd = check(&with("allow = [\"crm.acme.example\"]", "allow = [\"other.example\"]")).unwrap();
    assert_eq!(odd.len(), 1);
    assert_eq!(
        odd[0].to_string(),
        "tenants/acme.toml:14:8: `crm` needs the host `crm.acme.example`, which its `allow` does not name; add \
         `\"crm.acme.example\"` to `allow`"
    );
    let network = check(&with("allow = [\"crm.acme.example\"]", "allow = [\"10.0.0.0/8\"]"));
    assert_eq!(network, Ok(Vec::new()));
}

#[test]
fn routes_choose_sinks() {
    use crate::model::call::CallPhase;
    use crate::model::{About, AtDesks, Call, Event, Instant, Item, Kind, Subject};
    let plan = plan("", ACME).unwrap();
    let acme = &plan.tenants["acme"];
    let event = |kind: &str, source: &str| Event {
        seq: 1,
        kind: kind.into(),
        at: Instant::clamped(1000),
        tenant: "acme".into(),
        about: About {
            record: 1,
            subject: Subject { source: source.into(), kind: Kind::Call, id: "c".into() },
            revision: 1,
            changed: vec!["phase".into()],
            desks: AtDesks::default(),
            item: Item::Call(Call { phase: Some(CallPhase::Ringing), ..Call::default() }),
        },
    };
    let ended = event("call.ended", "pbx");
    let lasting = Choice { sink: "crm", holds: None, expires_at: None };
    assert_eq!(acme.wants(&ended).collect::<Vec<_>>(), [lasting]);
    let ringing = event("call.ringing", "pbx");
    let popup =
        Choice { sink: "crm", holds: Some("call.phase == 'ringing'"), expires_at: Some(Instant::clamped(21_000)) };
    assert_eq!(acme.wants(&ringing).collect::<Vec<_>>(), [popup]);
    assert_eq!(acme.wants(&event("call.ended", "other")).count(), 0);
    assert_eq!(acme.wants(&event("call.updated", "pbx")).count(), 0);
}

#[test]
fn amounts() {
    use std::time::Duration;
    assert_eq!(amount::duration("1h30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(amount::duration("250ms"), Ok(Duration::from_millis(250)));
    for odd in ["", "5", "s", "-5s", "5 parsecs", "99999999999999999999d", "18446744073709551615d"] {
        assert!(amount::duration(odd).is_err(), "{odd}");
    }
    assert_eq!(amount::size("1MiB"), Ok(1 << 20));
    assert_eq!(amount::size("64 kB"), Ok(64_000));
    assert!(amount::size("99999999999GiB").is_err() && amount::size("x").is_err());
    assert_eq!(amount::rate("10/s"), Ok(Rate { count: 10, per: Duration::from_secs(1) }));
    assert_eq!(amount::rate("7/2s"), Ok(Rate { count: 7, per: Duration::from_secs(2) }));
    assert!(amount::rate("0/s").is_err() && amount::rate("10").is_err() && amount::rate("10/x").is_err());
}

#[test]
fn host_patterns() {
    for text in
        ["crm.acme.example", "*.acme.example", "localhost:8081", "127.0.0.1:8081", "10.0.0.0/8", "[::1]:80", "::1"]
    {
        assert_eq!(text.parse::<HostPattern>().map(|pattern| pattern.to_string()), Ok(text.to_owned()));
    }
    for text in
        ["", "*", "*.com", "http://x.example", "x.example/path", "x y", "x:99999", "0.0.0.0/0", "*.*.example", "a..b"]
    {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
}

#[test]
fn whose_a_number_is_is_asked_of_sinks_that_know_people() {
    let acme = |table: &str| plan("", &format!("{ACME}\n[directory]\n{table}\n"));
    let default = plan("", ACME).unwrap().tenants["acme"].directory.clone();
    assert_eq!((default.budget, default.sinks), (Directory::BUDGET, None));
    let set = acme("sinks = [\"crm\"]\nbudget = \"800ms\"").unwrap();
    let directory = &set.tenants["acme"].directory;
    assert_eq!((directory.budget.as_millis(), directory.sinks.as_deref()), (800, Some(&["crm".to_owned()][..])));
    assert!(set.check_components(&Shelf).is_ok());
    let told = |table: &str| acme(table).unwrap_err().to_string();
    assert!(told("sinks = [\"crn\"]").contains("the directory asks `crn`, which is no sink; did you mean `crm`?"));
    assert!(told("sinks = [\"crm\", \"crm\"]").contains("`sinks` names `crm` twice"));
    assert!(told("budget = \"1h\"").contains("`directory.budget` must be from 50ms to 10s"));
    assert!(told("bugdet = \"1s\"").contains("did you mean `budget`?"));
    struct Dumb;
    impl Catalog for Dumb {
        fn offer(&self, component: &str) -> Option<Offer> {
            Shelf.offer(component).map(|offer| Offer { directory: false, ..offer })
        }

        fn names(&self) -> Vec<String> {
            Shelf.names()
        }
    }
    let told = set.check_components(&Dumb).unwrap_err().to_string();
    assert!(told.contains("the directory asks `crm`, whose component `vtiger` knows nobody"), "{told}");
}

#[test]
fn whom_a_connection_believes_is_looked_at_with_the_file() {
    let authority = include_str!("../../../tests/fixtures/tls/ca.pem");
    let keeper = Safe::of(&[
        ("/etc/cordboard/good.pem", authority),
        ("/etc/cordboard/empty.pem", "nothing here"),
        ("/etc/cordboard/cut.pem", &authority[..authority.len() / 2]),
        ("/etc/cordboard/odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ]);
    let read = |ca: &str| {
        let text = format!("[sources.pbx]\ncomponent = \"ami\"\nca = \"{ca}\"\nbackoff = {{ first = \"2s\" }}\n");
        Plan::read(Path::new("/etc/cordboard"), &[("tenants/acme.toml".to_owned(), text)], &keeper)
    };
    let plan = read("good.pem").unwrap();
    let source = &plan.tenants["acme"].sources["pbx"];
    assert_eq!(source.ca.as_ref().unwrap().roots().len(), 1);
    assert_eq!((source.backoff.first.as_secs(), source.backoff.ceiling.as_secs()), (2, 60));
    for (ca, what) in [
        ("none.pem", "cannot be read"),
        ("empty.pem", "has no certificate"),
        ("cut.pem", "is broken"),
        ("odd.pem", "cannot be used"),
    ] {
        let problems = read(ca).unwrap_err();
        let [problem] = problems.0.as_slice() else { panic!("{problems}") };
        assert!(problem.what.contains(what) && problem.hint.is_some(), "{problem}");
        assert_eq!((problem.line, problem.column), (3, 6), "{problem}");
    }
}
