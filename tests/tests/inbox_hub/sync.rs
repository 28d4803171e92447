//! Reading an account whole: by itself, by hand, once, whatever happens meanwhile.

use std::time::Duration;

use crate::world::{Wish, World, stage};

#[tokio::test]
async fn a_connected_session_is_read_whole_and_is_no_news() {
    let world = World::start(Wish::sync(), |server| server.world().fill(230, 25, 60)).await;
    let mut live = world.live("supervisor").await;
    world.server.connected(true).await;
    let job = world.done("sync").await;
    assert_eq!(
        [stage(&job, "contacts"), stage(&job, "chats"), stage(&job, "messages")],
        [(230, 0, 0), (25, 0, 0), (20 * 50, 0, 0)],
        "contacts, chats, and the last 50 messages of 20 chats: {job:#}"
    );
    assert_eq!(world.records("message").await, 1000);
    assert_eq!(world.events("message.received").await.len(), 0, "history is no news");
    assert!(!world.events("message.historic").await.is_empty());

    let mut seen = Vec::new();
    loop {
        let frame = live.next_of("job.progress").await;
        assert_eq!((&frame["source"], &frame["job"]["kind"]), (&"whatsapp".into(), &"sync".into()));
        seen.push(frame["job"]["progress"][2]["processed"].as_u64().unwrap_or_default());
        if frame["job"]["state"] == "done" {
            break;
        }
    }
    assert!(seen.len() > 20 && seen.is_sorted() && seen.last() == Some(&1000), "{seen:?}");

    // Once more, by hand: all of it is known, and nothing is doubled.
    let (status, started) = world.read("supervisor", "").await;
    assert_eq!((status, &started["state"], &started["kind"]), (202, &"running".into(), &"sync".into()), "{started}");
    let again = world.done("sync").await;
    assert_eq!(
        [stage(&again, "contacts"), stage(&again, "chats"), stage(&again, "messages")],
        [(0, 230, 0), (0, 25, 0), (0, 1000, 0)]
    );
    assert_eq!(world.records("message").await, 1000);
    assert_eq!(world.read("agent", "").await.0, 403);
}

#[tokio::test]
async fn killed_at_many_pages_nothing_is_lost_or_doubled() {
    let mut world = World::start(Wish::sync().at("10/s"), |server| server.world().fill(700, 15, 10)).await;
    world.server.connected(true).await;
    for _ in 0..3 {
        let before = world.job("sync").await["progress"].clone();
        world.hub.until("another page", || async { world.job("sync").await["progress"] != before }).await;
        world.hub.kill();
        world.hub.launch();
        world.hub.ready().await;
    }
    let job = world.done("sync").await;
    assert_eq!(
        [stage(&job, "contacts"), stage(&job, "chats"), stage(&job, "messages")],
        [(700, 0, 0), (15, 0, 0), (150, 0, 0)]
    );
    assert_eq!(world.records("contact").await, 700);
    assert_eq!(world.records("message").await, 150);
    let lists = world.server.faults().count("/api/contacts/");
    assert!((7..=7 + 3).contains(&lists), "pages are not read again but for those that a kill cut off: {lists}");
}

#[tokio::test]
async fn a_session_that_goes_away_pauses_it_and_one_that_comes_back_goes_on() {
    let world = World::start(Wish::sync().at("5/s"), |server| server.world().fill(900, 3, 5)).await;
    world.server.connected(true).await;
    world.hub.until("some pages", || async { world.server.faults().count("/api/contacts/") >= 2 }).await;
    world.server.connected(false).await;
    world.hub.until("it waits", || async { world.job("sync").await["held"] == true }).await;
    let asked = world.server.faults().asked().len();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(world.server.faults().asked().len() <= asked + 1, "nothing but what was under way");
    let (status, held) = world.read("admin", "").await;
    assert_eq!((status, &held["held"]), (202, &true.into()), "by hand it waits, too");
    world.server.connected(true).await;
    let job = world.done("sync").await;
    assert_eq!(stage(&job, "contacts"), (900, 0, 0));
    assert_eq!(world.server.faults().count("page=1&limit=100"), 1 + 1 + 1, "sessions, contacts, chats: each once");
}

#[tokio::test]
async fn it_is_never_started_twice() {
    let wish = Wish { sync: "delay = 0".to_owned(), ..Wish::sync() }.at("20/s");
    let world = World::start(wish, |server| server.world().fill(500, 2, 2)).await;
    for _ in 0..5 {
        world.server.connected(true).await;
    }
    let (status, same) = world.read("supervisor", "?session=acme_main").await;
    assert_eq!(status, 202);
    let job = world.done("sync").await;
    assert_eq!((&job["id"], &job["started_at"]), (&same["id"], &same["started_at"]), "by hand it is the same one");
    assert_eq!(world.server.faults().count("/api/contacts/"), 5);
    // Within a quarter of an hour connecting again starts nothing.
    world.server.connected(false).await;
    world.server.connected(true).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.job("sync").await, job);
    assert_eq!(world.server.faults().count("/api/contacts/"), 5);
}

#[tokio::test]
async fn it_is_started_and_shown_on_the_command_line() {
    let world = World::start(Wish::sync(), |server| server.world().fill(3, 1, 1)).await;
    let run = |arguments: &[&str]| {
        let out = world.hub.command(arguments).output().unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let (started, said) = run(&["sources", "sync", "whatsapp"]);
    assert!(started && said.starts_with("sync ") && said.contains("running"), "{said}");
    world.done("sync").await;
    let (shown, said) = run(&["sources", "jobs", "whatsapp"]);
    assert!(shown && said.contains("done") && said.contains("3 of 3: 3 new, 0 known"), "{said}");
    let (listed, said) = run(&["sources"]);
    assert!(listed && said.contains("whatsapp"), "{said}");
    let (refused, said) = run(&["sources", "sync", "nobody"]);
    assert!(!refused && said.contains("no such source"), "{said}");
}
