//! What is wrong with a file, and what is odd about it, each with its place.

use super::*;

/// The problems of a tenant's file that is otherwise right, one on a line.
fn wrong(tenant: &str) -> String {
    match plan("", tenant) {
        Ok(_) => panic!("it loads: {tenant}"),
        Err(problems) => problems.to_string(),
    }
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
