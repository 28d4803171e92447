//! The configuration is changed while the hub runs, or is wrong from the start.

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;

use crate::world::World;

fn write(world: &World, text: &str) {
    std::fs::write(world.hub.folder().join("tenants/acme.toml"), text).unwrap();
}

async fn said(world: &World, what: &str, times: usize) {
    world.hub.until(what, || async { world.hub.log().matches(what).count() >= times }).await;
}

const IN_FORCE: &str = "the configuration was read again and is in force";
const WRONG: &str = "the configuration is wrong, the old one stays in force";

#[tokio::test]
async fn a_changed_file_is_in_force_at_once_and_a_broken_one_never() {
    let world = World::start().await;
    let before = std::fs::read_to_string(world.hub.folder().join("tenants/acme.toml")).unwrap();
    world.post(&PbxCall::number(1).ended()).await;
    world.hub.until("the first call in the CRM", || async { world.call("call-1").is_some() }).await;

    let narrower = before.replace("event.type in ['call.ended', 'call.recorded']", "event.type == 'call.updated'");
    assert_ne!(narrower, before);
    write(&world, &narrower);
    said(&world, IN_FORCE, 1).await;
    world.post(&PbxCall::number(2).ended()).await;

    let wrong = broken().into_iter().map(|(good, bad, told)| (before.replacen(good, bad, 1), told));
    for (n, (broken, told)) in wrong.chain([("this is no TOML".to_owned(), "acme.toml:1:")]).enumerate() {
        assert_ne!(broken, before, "{told}");
        write(&world, &broken);
        said(&world, WRONG, n + 1).await;
        let log = world.hub.log();
        let problem = log.rsplit(WRONG).next().unwrap();
        assert!(problem.contains("tenants/acme.toml:"), "file and line are told: {problem}");
        assert!(problem.contains(told), "{told} is told: {problem}");
    }
    world.post(&PbxCall::number(3).ended()).await;
    assert_eq!(world.hub.get("/v1/deliveries").await["items"].as_array().unwrap().len(), 1, "the old routes stay");

    write(&world, &before);
    said(&world, IN_FORCE, 2).await;
    world.post(&PbxCall::number(4).ended()).await;
    world.hub.until("the last call in the CRM", || async { world.call("call-4").is_some() }).await;
    assert!(world.call("call-2").is_none() && world.call("call-3").is_none());
}

#[tokio::test]
async fn a_tenant_can_come_and_go() {
    let world = World::start().await;
    let path = world.hub.folder().join("tenants/other.toml");
    let source =
        "[sources.pbx]\ncomponent = \"pbx-webhook\"\nsettings = { secret = { env = \"ACME_WEBHOOK_SECRET\" } }\n";
    std::fs::write(&path, source).unwrap();
    said(&world, IN_FORCE, 1).await;
    let body = PbxCall::number(1).ended().to_string().into_bytes();
    let answer = world.hub.post_bytes("/v1/hooks/other/pbx", body.clone()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(world.hub.get("/v1/calls").await["items"].as_array().unwrap().len(), 0, "it is not acme's");
    std::fs::remove_file(&path).unwrap();
    said(&world, IN_FORCE, 2).await;
    let answer = world.hub.post_bytes("/v1/hooks/other/pbx", body).await.unwrap();
    assert_eq!(answer.status(), 404);
}

const ROUTED: &str = "when = \"event.type in ['call.ended', 'call.recorded']\"\n";
const CIRCLE: &str =
    "when = \"event.type in ['call.ended', 'call.recorded']\"\n[[routes]]\nfrom = \"crm\"\nto = \"crm\"\n";

/// What is wrong, where it stands, and what is said of it.
fn broken() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("region = \"ES\"", "regoin = \"ES\"", "region"),
        ("to = \"crm\"", "to = \"crn\"", "crm"),
        ("event.type in ['call.ended', 'call.recorded']", "event.type + 1", "a text and a whole number"),
        ("region = \"ES\"", "region = \"ES\"\ncorrect = [[\"(\", \"\"]]", "("),
        ("ACME_VTIGER_KEY", "NOWHERE_TO_BE_FOUND", "NOWHERE_TO_BE_FOUND"),
        ("component = \"vtiger\"", "component = \"vtigre\"", "vtiger"),
        ("username = \"hub\"", "usrname = \"hub\"", "usrname"),
        ("settings = { secret", "settings = { unsigned = true, secret", "exclude each other"),
        ("secret = { env = \"ACME_WEBHOOK_SECRET\" }", "zone = \"UTC\"", "nobody can prove who they are"),
        (ROUTED, CIRCLE, "the routes go in a circle: `crm` to `crm`"),
    ]
}

#[tokio::test]
async fn a_hub_does_not_start_on_a_broken_configuration() {
    for (good, bad, told) in broken() {
        let mut setup = Setup::vtiger("http://127.0.0.1:9");
        let lines = setup.tenant.split(good).next().unwrap().lines().count();
        setup.tenant = setup.tenant.replacen(good, bad, 1);
        let hub = Hub::prepare(setup);
        for command in ["serve", "check"] {
            let ended = hub.command(&[command]).output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(1), "{command} with {bad}: {said}");
            assert!(said.contains("acme.toml:"), "{command} with {bad} names file and line: {said}");
            assert!(said.contains(told), "{command} with {bad} says {told}: {said}");
            let line = said.split("acme.toml:").nth(1).and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            assert!(line.is_some_and(|line| line.abs_diff(lines) <= 2), "{command} with {bad}, near {lines}: {said}");
        }
    }
}

#[tokio::test]
async fn an_unsigned_source_is_warned_of_at_every_start() {
    let mut world = World::with(|mut setup| {
        setup.tenant = setup.tenant.replace("secret = { env = \"ACME_WEBHOOK_SECRET\" }", "unsigned = true");
        setup
    })
    .await;
    let warned = |world: &World| world.hub.log().matches("requests are not signed: whoever reaches this").count();
    let mut before = 0;
    for start in 1..=2 {
        assert!(warned(&world) > before, "start {start}: {}", world.hub.log());
        let post = world.hub.http.post(world.hub.url("/v1/hooks/acme/pbx")).json(&PbxCall::number(start).ended());
        assert_eq!(post.send().await.unwrap().status(), 200);
        world.hub.kill();
        before = warned(&world);
        world.hub.launch();
        world.hub.ready().await;
    }
}
