//! A recording on its way into a CRM: by a link that opens it there, or as a file.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::web::Web;

use crate::world::World;

/// The hub as people reach it; the tests know where it really listens.
const PUBLIC: &str = "https://hub.acme.test";

/// A world whose source says this of its recordings.
async fn world(recordings: &str, allow: &str) -> World {
    World::with(|mut setup| {
        setup.hub.push_str(&format!("public_url = \"{PUBLIC}\"\n"));
        let source = "component = \"pbx-webhook\"\n";
        let more = format!("{source}allow = [{allow}]\nrecordings = {{ {recordings} }}\n");
        setup.tenant = setup.tenant.replacen(source, &more, 1);
        setup
    })
    .await
}

/// The link that the CRM has for a call, as it is opened here.
async fn link(world: &World, id: &str) -> String {
    world.hub.until("the call in the CRM", || async { world.call(id).is_some() }).await;
    world.settled("done").await;
    let link = world.call(id).unwrap()["recordingurl"].clone();
    world.hub.url(link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("not the hub's link: {link}")))
}

async fn opened(world: &World, url: &str) -> (StatusCode, Vec<u8>) {
    let answer = world.hub.http.get(url).send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn the_crm_has_a_link_that_opens_the_file_of_the_pbx() {
    let monitor = tempfile::tempdir().unwrap();
    let day = monitor.path().join("2026/11/21");
    std::fs::create_dir_all(&day).unwrap();
    let sound = b"RIFF....WAVEfmt of call 1";
    let recordings = format!("root = \"{}\", path = \"%Y/%m/%d/{{file}}\"", monitor.path().display());
    let world = world(&recordings, "").await;
    world.post(&PbxCall::number(1).ended()).await;
    let url = link(&world, "call-1").await;
    assert_eq!(opened(&world, &url).await.0, StatusCode::NOT_FOUND, "the PBX has not written it");
    std::fs::write(day.join("call-1.wav"), sound).unwrap();
    assert_eq!(opened(&world, &url).await, (StatusCode::OK, sound.to_vec()));
    assert_eq!(opened(&world, &url.replace("expires=", "expires=1")).await.0, StatusCode::FORBIDDEN);
    let log = world.hub.log();
    assert!(log.contains("a recording was handed out") && log.contains("a signed link"), "{log}");

    // The same call delivered again has the same link.
    let mut again = PbxCall::number(1).ended();
    again["agent_ext"] = "102".into();
    world.post(&again).await;
    world.settled("done").await;
    assert_eq!(link(&world, "call-1").await, url);
}

#[tokio::test]
async fn what_the_pbx_has_behind_a_url_comes_through_the_hub() {
    let pbx = Web::start(|asked| match asked.path.as_str() {
        "/rec/call-1.wav" => (200, "RIFF....WAVEfmt over HTTP".to_owned()),
        _ => (404, String::new()),
    })
    .await
    .unwrap();
    let recordings = format!("url = \"{}\"", pbx.url("/rec/{file}"));
    let world = world(&recordings, &format!("\"{}\"", pbx.address)).await;
    world.post(&PbxCall::number(1).ended()).await;
    world.post(&PbxCall::number(2).ended()).await;
    let url = link(&world, "call-1").await;
    for _ in 0..2 {
        assert_eq!(opened(&world, &url).await, (StatusCode::OK, b"RIFF....WAVEfmt over HTTP".to_vec()));
    }
    assert_eq!(pbx.asked().len(), 1, "it is fetched once");
    let other = link(&world, "call-2").await;
    assert_eq!(opened(&world, &other).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_host_that_the_tenant_does_not_allow_is_not_asked() {
    let pbx = Web::start(|_| (200, "RIFF....WAVEfmt".to_owned())).await.unwrap();
    let world = world(&format!("url = \"{}\"", pbx.url("/rec/{file}")), "").await;
    world.post(&PbxCall::number(1).ended()).await;
    let url = link(&world, "call-1").await;
    assert_eq!(opened(&world, &url).await.0, StatusCode::NOT_FOUND);
    assert!(pbx.asked().is_empty());
    assert!(world.hub.log().contains("not allowed for this tenant"), "the log says why:\n{}", world.hub.log());
}

#[tokio::test]
async fn what_the_pbx_has_deleted_is_heard_from_its_copy() {
    let (monitor, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = monitor.path().join("call-1.wav");
    std::fs::write(&file, "RIFF....WAVEfmt to be kept").unwrap();
    // What was changed a moment ago may still be written.
    let written = std::fs::File::options().write(true).open(&file).unwrap();
    written.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let storage = format!("[recordings.copies]\nfolder = \"{}\"\nwithin = \"3650d\"\n", copies.path().display());
    let world = World::with(|mut setup| {
        setup.hub.push_str(&format!("public_url = \"{PUBLIC}\"\n{storage}"));
        let source = "component = \"pbx-webhook\"\n";
        let more = format!("{source}recordings = {{ root = \"{}\" }}\n", monitor.path().display());
        setup.tenant = setup.tenant.replacen(source, &more, 1);
        setup
    })
    .await;
    world.post(&PbxCall::number(1).ended()).await;
    let url = link(&world, "call-1").await;
    let place = copies.path().join("acme/pbx");
    let copied = || std::fs::read_dir(&place).map_or(0, Iterator::count) == 1;
    world.hub.until("the copy", || async { copied() }).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(opened(&world, &url).await, (StatusCode::OK, b"RIFF....WAVEfmt to be kept".to_vec()));
}

#[tokio::test]
async fn a_file_is_fetched_from_the_pbx_and_hangs_on_the_person() {
    // Away at first, as a PBX that is still writing may be.
    let asked = AtomicUsize::new(0);
    let pbx = Web::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => (503, String::new()),
        _ => (200, "RIFF....WAVEfmt of call 1".to_owned()),
    })
    .await
    .unwrap();
    let world = World::with(|mut setup| {
        let more = format!("recording = \"document\", recordings_url = \"{}\", username", pbx.url(""));
        setup.tenant = setup.tenant.replacen("username", &more, 1);
        setup.tenant = setup.tenant.replacen("allow = [", &format!("allow = [\"{}\", ", pbx.address), 1);
        setup
    })
    .await;
    let contact = world.crm.world().add("Contacts", 5, &[("lastname", "Ortega"), ("mobile", "600 00 00 01")]);
    let mut ended = PbxCall::number(1).ended();
    ended["recording_url"] = pbx.url("/rec/call-1.wav").into();
    world.post(&ended).await;
    world.hub.until("the file in the CRM", || async { world.crm.count("Documents") == 1 }).await;
    world.settled("done").await;
    assert_eq!(pbx.asked().len(), 3, "it is asked for until it is there, and once");
    let document = world.crm.records("Documents").remove(0);
    assert_eq!((document["filename"].as_str(), document["assigned_user_id"].as_str()), ("call-1.wav", "19x5"));
    let number = |id: &str| id.split_once('x').unwrap().1.parse::<u64>().unwrap();
    {
        let crm = world.crm.world();
        assert!(crm.relations.contains(&(number(&contact), number(&document["id"]))));
        let files: Vec<_> = crm.files.values().map(|file| file.bytes.as_slice()).collect();
        assert_eq!(files, [b"RIFF....WAVEfmt of call 1"]);
    }
    assert_eq!(world.hub.get("/v1/deliveries").await["items"][0]["shortened"], serde_json::json!([]));
    assert_eq!(world.crm.faults().creates_of("call-1"), 1);
}
