//! What a site lacks, and what is made of it.

use cordboard_frappe::Frappe;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};

use crate::site::{Site, recorded};

const ENDPOINT: &str = "https://hub.example.test/v1/endpoints/acme/crm";

/// With Frappe CRM, logged in as a System Manager, and nothing of the hub's.
fn bare(more: Value) -> Site {
    let site = Site::outside(more);
    site.login().unwrap();
    site
}

fn lacking(site: &Site) -> Vec<Step> {
    Frappe::plan(site, Some(ENDPOINT.into())).unwrap()
}

/// The requests that change something, by path, with their bodies.
fn made(site: &Site) -> Vec<(String, String, Value)> {
    let asked = site.state().asked.clone();
    let writes = asked.iter().filter(|request| request.method != "GET");
    let path = |url: &str| url.strip_prefix("https://crm.example.test").unwrap().to_owned();
    writes
        .map(|request| (request.method.clone(), path(&request.url), serde_json::from_slice(&request.body).unwrap()))
        .collect()
}

#[test]
fn what_is_made_is_what_the_real_site_took() {
    let site = bare(json!({"webhook_secret": "whsec-lab-1", "bot": "hub-bot@example.test"}));
    let steps = lacking(&site);
    assert!(made(&site).is_empty(), "planning changes nothing");
    let text = serde_json::to_string(&steps).unwrap();
    assert!(!text.contains("whsec-lab-1"), "the secret is put in when it is made");
    let told: Vec<String> = steps.iter().filter_map(|step| Frappe::make(&site, step.clone()).unwrap()).collect();
    let [keys] = &told[..] else { panic!("{told:?}") };
    let bot = site.state().users["hub-bot@example.test"].clone();
    assert_eq!(*keys, format!("api_key: {}\napi_secret: {}", bot.key, bot.secret));
    assert_eq!(bot.roles, ["Hub Integration"], "that role alone");

    let made = made(&site);
    let at = |path: &str| made.iter().filter(|(_, at, _)| at == path).map(|(.., body)| body).collect::<Vec<_>>();
    for (name, path) in [
        ("setup-01-role", "/api/resource/Role"),
        ("setup-02-user", "/api/resource/User"),
        ("setup-03-generate-keys", "/api/method/frappe.core.doctype.user.user.generate_keys"),
        ("setup-05-perm-add", "/api/method/frappe.core.page.permission_manager.permission_manager.add"),
        ("ddl-03-doctype-create", "/api/resource/DocType"),
        ("ddl-12-custom-field-create", "/api/resource/Custom%20Field"),
        ("hook-01-create-json", "/api/resource/Webhook"),
    ] {
        let recording = recorded(name);
        assert_eq!((recording.method.as_str(), recording.path.as_str(), recording.answer.status), ("POST", path, 200));
        let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let known = members(&recording.body);
        for member in members(at(path)[0]) {
            let more = ["timeout", "condition", "naming_rule"].contains(&member.as_str());
            assert!(known.contains(&member) || more, "{name}: {member}");
        }
    }
    assert_eq!(recorded("setup-01-role").body, *at("/api/resource/Role")[0]);
    // A link to a DocType that is not there yet is refused: parents come first.
    let doctypes: Vec<&str> = at("/api/resource/DocType").iter().map(|body| body["name"].as_str().unwrap()).collect();
    assert_eq!(
        doctypes,
        ["Hub WhatsApp Session", "Hub WhatsApp Contact", "Hub WhatsApp Conversation", "Hub WhatsApp Message"]
    );
    for body in at("/api/resource/DocType") {
        assert_eq!((&body["custom"], &body["module"]), (&json!(1), &json!("Custom")));
        let hub = body["permissions"].as_array().unwrap().iter().find(|it| it["role"] == "Hub Integration").unwrap();
        assert_eq!(hub, &json!({"role": "Hub Integration", "read": 1, "write": 1, "create": 1}), "the least");
    }
    let message = at("/api/resource/DocType")[3];
    let content = message["fields"].as_array().unwrap().iter().find(|it| it["fieldname"] == "content").unwrap();
    assert_eq!(content["ignore_xss_filter"], 1, "what people wrote stays");
    let webhook = at("/api/resource/Webhook")[0];
    assert_eq!(webhook["request_url"], format!("{ENDPOINT}/message"));
    assert_eq!((&webhook["webhook_secret"], &webhook["enable_security"]), (&json!("whsec-lab-1"), &json!(1)));

    assert_eq!(lacking(&site), [], "again: nothing");
}

#[test]
fn what_was_made_before_is_kept_and_mended() {
    let site = bare(json!({"webhook_secret": "whsec-lab-1"}));
    let first = lacking(&site);
    for step in &first[..3] {
        Frappe::make(&site, step.clone()).unwrap();
    }
    // A step whose answer was lost may be made again.
    Frappe::make(&site, first[2].clone()).unwrap();
    assert_eq!(lacking(&site), &first[3..], "it goes on from there");
    for step in lacking(&site) {
        Frappe::make(&site, step).unwrap();
    }
    {
        let mut state = site.state();
        let fields = state.doctypes.get_mut("Hub WhatsApp Contact").unwrap()["fields"].as_array_mut().unwrap();
        fields.retain(|field| !["lid", "labels"].contains(&field["fieldname"].as_str().unwrap()));
        fields.push(json!({"fieldname": "own", "fieldtype": "Data", "label": "Somebody's own"}));
        state.docs.get_mut("Webhook").unwrap()[0].insert("request_url".into(), json!("https://old.example.test/"));
    }
    let steps = lacking(&site);
    let says: Vec<&str> = steps.iter().map(|step| step.says.as_str()).collect();
    assert_eq!(
        says,
        [
            "add to the DocType Hub WhatsApp Contact: lid, labels",
            "mend the webhook \"Hub WhatsApp Message to the hub\": request_url"
        ]
    );
    for step in steps {
        Frappe::make(&site, step).unwrap();
    }
    assert_eq!(lacking(&site), []);
    let fields = site.state().doctypes["Hub WhatsApp Contact"]["fields"].to_string();
    assert!(fields.contains("Somebody's own"), "people's fields stay");
}

#[test]
fn a_user_that_is_there_gets_the_role_beside_its_own() {
    let bot = "hub-bot@example.test";
    let site = bare(json!({ "bot": bot }));
    site.put("User", json!({"name": bot, "email": bot, "api_key": "key-000009", "roles": [{"role": "Sales User"}]}));
    let steps = lacking(&site);
    let about: Vec<&str> = steps.iter().map(|step| step.says.as_str()).filter(|says| says.contains(bot)).collect();
    assert_eq!(about, ["give the user hub-bot@example.test the role Hub Integration"], "its key pair is left alone");
    for step in steps {
        Frappe::make(&site, step).unwrap();
    }
    let stored = site.docs("User").into_iter().find(|user| user["name"] == bot).unwrap();
    assert_eq!(stored["roles"], json!([{"role": "Sales User"}, {"role": "Hub Integration"}]));
    assert_eq!(lacking(&site), [], "again: nothing");
}

#[test]
fn only_what_is_asked_for_and_can_be_is_made() {
    let says = |more: Value| {
        let steps = lacking(&bare(more));
        steps.into_iter().map(|step| step.says).collect::<Vec<_>>().join("\n")
    };
    let plain = says(json!({}));
    assert!(!plain.contains("webhook") && !plain.contains("tell the hub") && !plain.contains("user"), "{plain}");
    assert!(says(json!({"role": "Switchboard"})).contains("let Switchboard write CRM Call Log"));
    let none = says(json!({"calls": "erpnext", "whatsapp": "off", "link": false}));
    assert_eq!(none, "make the role Hub Integration", "a site without the call log gets no field on it");
    let site = Site::outside(json!({}));
    site.state().users.get_mut("hub@example.test").unwrap().roles = vec!["Sales User".into()];
    site.login().unwrap();
    assert!(matches!(Frappe::plan(&site, None), Err(Failure::Rejected(it)) if it.code == "PermissionError"));
}
