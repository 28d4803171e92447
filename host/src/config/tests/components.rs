//! A plan held against the components that there are.

use super::*;

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
