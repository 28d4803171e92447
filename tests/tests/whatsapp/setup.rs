//! A site that has nothing: what it lacks is shown, made on consent, and then messages flow.

use cordboard_tests::hub::Hub;
use cordboard_tests::whatsapp::{ADMIN, SITE_SECRET};
use serde_json::json;

use crate::world::{ANA, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_site_is_set_up_on_consent_and_once() {
    let mut world = World::bare("").await;
    // Shown, and nothing made, as long as nobody says yes.
    let (told, output) = world.setup(&[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "make the role Hub Integration",
        "make the DocType Hub WhatsApp Message",
        "add the field hub_talk to CRM Call Log",
        "let Hub Integration create CRM Call Log",
        "make the user hub@example.test",
        "tell the hub of each new Hub WhatsApp Message",
        "/v1/endpoints/acme/crm/message",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(told.contains("Nothing was made."), "{told}");
    assert!(!world.site.world().doctypes.contains_key("Hub WhatsApp Message"));
    assert!(world.site.asked().iter().all(|line| line.starts_with("GET")), "{:?}", world.site.asked());

    world.set_up().await;
    let admin = world.site.world().users[ADMIN].secret.clone();
    let bot = world.site.world().users["hub@example.test"].clone();
    assert_eq!(bot.roles, ["Hub Integration"], "that role alone");
    let webhook = world.site.docs("Webhook");
    assert_eq!(webhook.len(), 1);
    assert_eq!(webhook[0]["request_url"], world.hub.url("/v1/endpoints/acme/crm/message"));
    assert_eq!(webhook[0]["webhook_secret"], SITE_SECRET);
    for doctype in ["Hub WhatsApp Message", "CRM Call Log"] {
        let site = world.site.world();
        let given: Vec<_> = site.doctypes[doctype]["permissions"].as_array().cloned().unwrap_or_default();
        let custom = site.docs["Custom DocPerm"].iter().cloned().map(serde_json::Value::Object);
        let rows: Vec<_> = given
            .into_iter()
            .chain(custom.filter(|row| row["parent"] == doctype))
            .filter(|row| row["role"] == "Hub Integration")
            .collect();
        assert_eq!(rows.len(), 1, "{doctype}");
        assert_eq!((&rows[0]["read"], &rows[0]["write"], &rows[0]["create"]), (&json!(1), &json!(1), &json!(1)));
        assert_ne!(rows[0].get("delete"), Some(&json!(1)), "{doctype}");
    }

    // Again: nothing to do, and nothing done.
    let asked = world.site.asked().len();
    let (told, output) = world.setup(&["--yes"]).await;
    assert!(output.status.success() && told.contains("nothing to do"), "{told}");
    assert!(
        world.site.asked()[asked..].iter().all(|line| line.starts_with("GET")),
        "{:?}",
        &world.site.asked()[asked..]
    );

    // What a person took away, or what another version did not know, is all that is lacking.
    {
        let mut site = world.site.world();
        let fields = site.doctypes.get_mut("Hub WhatsApp Message").unwrap()["fields"].as_array_mut().unwrap();
        fields.retain(|field| field["fieldname"] != "reactions");
        site.docs.get_mut("Webhook").unwrap()[0].insert("enabled".into(), json!(0));
    }
    let (told, _) = world.setup(&["--yes"]).await;
    assert!(told.contains("add to the DocType Hub WhatsApp Message: reactions"), "{told}");
    assert!(told.contains("mend the webhook") && told.contains("  2. ") && !told.contains("  3. "), "{told}");
    assert_eq!(world.site.docs("Webhook")[0]["enabled"], 1);

    world.go().await;
    world.inbox.says(ANA, "¿Hola?").await;
    world.until("the message", |world| world.messages().len() == 1).await;
    let name = world.answers("¡Hola!");
    world.until("the ticks", |world| world.document(&name)["status"] == "Read").await;
    world.settled().await;
    let lanes = world.hub.get("/v1/lanes").await;
    assert!(lanes[0]["state"] == "running" && lanes[0]["advice"].is_null(), "nothing is left to mend: {lanes:#}");
    assert!(!world.hub.log().contains(&admin) && !world.hub.log().contains(&bot.secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_so() {
    let world = World::bare("").await;
    world.site.world().user("clerk@example.test", &["Sales User"]);
    let clerk = world.site.world().users["clerk@example.test"].clone();
    let as_clerk = world.hub.folder().join("clerk.json");
    std::fs::write(&as_clerk, json!({"api_key": clerk.key, "api_secret": clerk.secret}).to_string()).unwrap();
    let output = run(&world.hub, &["crm", "--yes", "--with", &as_clerk.display().to_string()]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("PermissionError"), "{told}");
    assert!(!told.contains(&clerk.secret));
    assert!(!world.site.world().doctypes.contains_key("Hub WhatsApp Message"));
    let output = run(&world.hub, &["mcr"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no sink `mcr`; there are: `crm`"));
    std::fs::write(&as_clerk, "{\"api_keys\": \"x\"}").unwrap();
    let output = run(&world.hub, &["crm", "--with", &as_clerk.display().to_string()]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("the settings do not fit"));
}

async fn run(hub: &Hub, more: &[&str]) -> std::process::Output {
    let mut command = hub.command(&[&["components", "setup"][..], more].concat());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}
