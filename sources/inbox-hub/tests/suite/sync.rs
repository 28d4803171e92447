//! Reading the history: every page, its order, its pace, and a server that lies.

use std::collections::HashSet;

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::json;

use crate::support::server::{Server, job};
use crate::support::*;

fn count(pages: &[Page], stage: &str) -> (u32, u32) {
    let last = pages.last().unwrap();
    let found = last.progress.iter().find(|progress| progress.stage == stage).unwrap();
    (found.processed, found.errors)
}

fn observations(pages: &[Page]) -> Vec<&Observation> {
    pages.iter().flat_map(|page| &page.observations).collect()
}

#[test]
fn everything_is_read_once_and_in_order() {
    let mut server = Server::new(json!({"sync": {"chats": 2, "messages": 3}}));
    (server.contacts, server.chats, server.messages) = (250, 120, 10);
    let pages = server.run(&job("sync", json!({"session": SESSION, "at": BASE, "delay": 15})), 100);
    assert!(pages.last().unwrap().next.is_none());
    assert_eq!((pages[0].observations.len(), pages[0].after), (0, Some(15_000)), "a quiet time first");
    let paths: Vec<String> =
        server.asked.lock().unwrap().iter().map(|asked| asked.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(paths.len(), 2 + 3 + 2 + 2);
    assert_eq!(paths[0..2], ["/api/sessions", "/api/sessions/2/status"]);
    assert!(paths[2..5].iter().all(|path| path == "/api/contacts/nueva_sesion_wa"));
    assert!(paths[5..7].iter().all(|path| path == "/api/messages/nueva_sesion_wa/chats"));
    assert!(paths[7..].iter().all(|path| path == "/api/messages/nueva_sesion_wa"));
    assert!(pages[1..].iter().all(|page| page.after.is_none()), "the pace of a source is the hub's to keep");
    assert_eq!(
        (count(&pages, "contacts"), count(&pages, "chats"), count(&pages, "messages")),
        ((250, 0), (120, 0), (6, 0))
    );
    let messages = observations(&pages).into_iter().filter_map(|seen| match &seen.item {
        Item::Message(message) => Some(message),
        _ => None,
    });
    for message in messages {
        assert_eq!(message.origin, Some(Origin::Historic));
        let ours = message.direction == Some(Direction::Outbound);
        assert_eq!(message.status, ours.then_some(MessageStatus::Read));
    }
    let (_, session) = session(&pages[1].observations);
    assert_eq!((session.name.as_deref(), &session.state), (Some("Demo"), &None), "the list may be old");
}

#[test]
fn it_goes_on_at_any_page_and_never_twice() {
    let mut server = Server::new(json!({}));
    (server.contacts, server.chats) = (130, 2);
    let whole = server.run(&job("sync", json!({})), 100);
    // Each page again from the cursor before it, as after a crash before its commit: the same page.
    let mut cursor = None;
    for page in &whole {
        let again = InboxHub::next(&server, job("sync", json!({})), cursor).unwrap();
        assert_eq!(again.progress, page.progress);
        assert_eq!(again.observations.len(), page.observations.len());
        cursor = page.next.clone();
    }
    let mut ids = HashSet::new();
    for seen in observations(&whole) {
        if let Item::Contact(_) = seen.item {
            assert!(ids.insert(&seen.id), "{} twice", seen.id);
        }
    }
    assert_eq!(ids.len(), 130);
}

#[test]
fn the_recorded_pages_are_read() {
    let outside = outside(json!({"sync": {"messages": 50}}));
    outside.expect("GET", "/api/sessions?page=1&limit=100").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    outside.expect("GET", "/api/sessions/2/status").answer_with(answer("api.sessions.status.200.json", 200, &[]));
    let contacts = "/api/contacts/nueva_sesion_wa?limit=100";
    outside.expect("GET", &format!("{contacts}&page=1")).answer_with(answer(
        "api.contacts.list.page1.200.json",
        200,
        &[],
    ));
    outside.expect("GET", &format!("{contacts}&page=2")).answer_with(answer(
        "api.contacts.list.page2.200.json",
        200,
        &[],
    ));
    let chats = "/api/messages/nueva_sesion_wa/chats?page=1&limit=100";
    outside.expect("GET", chats).answer_with(answer("api.chats.list.public.200.json", 200, &[]));
    let messages = |chat: &str| format!("/api/messages/nueva_sesion_wa?chatId={chat}&page=1&limit=50");
    outside.expect("GET", &messages("34612345678@s.whatsapp.net")).answer_with(answer(
        "api.chat.messages.page1.200.json",
        200,
        &[],
    ));
    outside.expect("GET", &messages("120363000000000001@g.us")).answer_json(200, ok(json!({"messages": []})));
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = InboxHub::next(&outside, job("sync", json!({})), cursor).unwrap();
        cursor = page.next.clone();
        pages.push(page);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        (count(&pages, "contacts"), count(&pages, "chats"), count(&pages, "messages")),
        ((5, 0), (2, 0), (3, 0))
    );
    let names: Vec<_> = observations(&pages)
        .iter()
        .filter_map(|seen| match &seen.item {
            Item::Contact(contact) => contact.name.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(names.len(), 5);
}

#[test]
fn both_shapes_of_lists_are_read() {
    for (file, contacts) in [("api.contacts.list.seed.200.json", true), ("api.chats.list.seed.200.json", false)] {
        let outside = outside(json!({}));
        outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
        outside.expect("GET", "/api/sessions/2/status").answer_with(answer("api.sessions.status.200.json", 200, &[]));
        let none = ok(json!({"contacts": [], "chats": []}));
        match contacts {
            true => outside.expect("GET", "/api/contacts/*").answer_with(answer(file, 200, &[])),
            false => outside.expect("GET", "/api/contacts/*").answer_json(200, none.clone()),
        }
        match contacts {
            true => outside.expect("GET", "/api/messages/*/chats").answer_json(200, none),
            false => outside.expect("GET", "/api/messages/*/chats").answer_with(answer(file, 200, &[])),
        }
        let mut cursor = None;
        let mut seen = Vec::new();
        for _ in 0..4 {
            let page = InboxHub::next(&outside, job("sync", json!({})), cursor).unwrap();
            seen.extend(page.observations);
            cursor = page.next;
        }
        assert_eq!(cursor.is_none(), contacts, "{file}: no chat, no messages");
        let demo = seen.iter().any(|seen| match &seen.item {
            Item::Contact(contact) => contact.name.as_deref() == Some("Contacto Demo"),
            Item::Conversation(chat) => chat.name.as_deref() == Some("Contacto Demo") && chat.unread == Some(3),
            _ => false,
        });
        assert!(demo, "{file}");
    }
}

#[test]
fn a_server_that_lies_about_totals_is_read_to_its_end_and_told() {
    for total in [0, 1, 7, 100_000] {
        let mut server = Server::new(json!({"sync": {"chats": 0}}));
        (server.contacts, server.chats, server.total) = (250, 1, Some(total));
        let pages = server.run(&job("sync", json!({})), 2000);
        assert_eq!(count(&pages, "contacts").0, 250, "total {total}");
        assert!(server.requests() < 20, "total {total}");
        assert!(server.logs.lock().unwrap().iter().any(|line| line.contains("and gave 250")), "total {total}");
    }
}

#[test]
fn pages_shorter_than_asked_are_no_end() {
    let mut server = Server::new(json!({"sync": {"chats": 0}}));
    (server.contacts, server.cap) = (120, 50);
    assert_eq!(count(&server.run(&job("sync", json!({})), 100), "contacts").0, 120);
}

#[test]
fn a_list_that_goes_in_circles_ends_and_is_told() {
    let mut server = Server::new(json!({"sync": {"chats": 0}}));
    (server.contacts, server.chats, server.circle, server.total) = (500, 300, true, Some(100_000));
    let pages = server.run(&job("sync", json!({})), 2000);
    assert!(pages.last().unwrap().next.is_none());
    assert_eq!((count(&pages, "contacts"), count(&pages, "chats")), ((101, 1), (101, 1)));
    assert!(server.logs.lock().unwrap().iter().any(|line| line.contains("goes in circles")));
}

#[test]
fn a_list_without_end_is_bounded() {
    let mut server = Server::new(json!({"sync": {"chats": 0, "pages": 7}}));
    server.contacts = 1_000_000;
    let pages = server.run(&job("sync", json!({})), 2000);
    assert_eq!(count(&pages, "contacts").0, 700);
    assert!(pages.iter().all(|page| page.next.as_ref().is_none_or(|cursor| cursor.len() < 40_000)));
}

#[test]
fn html_is_a_passing_fault_and_the_page_is_read_again() {
    let server = Server::new(json!({}));
    server.instead.lock().unwrap().push((3, 200, "<html>Bad gateway</html>".into()));
    let mut cursor = None;
    for _ in 0..2 {
        cursor = InboxHub::next(&server, job("sync", json!({})), cursor).unwrap().next;
    }
    let failure = InboxHub::next(&server, job("sync", json!({})), cursor.clone()).unwrap_err();
    assert!(matches!(&failure, Failure::Retryable(why) if why.why.contains("Bad gateway")), "{failure:?}");
    let page = InboxHub::next(&server, job("sync", json!({})), cursor).unwrap();
    assert_eq!(page.observations.len(), 5);
}

#[test]
fn too_many_calls_wait_as_long_as_the_headers_say() {
    let outside = outside(json!({}));
    let headers = [
        ("retry-after", "42"),
        ("ratelimit-reset", "42"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "2025-10-15T10:30:50.000Z"),
    ];
    outside.expect("GET", "/api/sessions").answer_with(answer("api.error.429.rate-limit.json", 429, &headers));
    let failure = InboxHub::next(&outside, job("sync", json!({})), None).unwrap_err();
    assert_eq!(failure, Failure::RateLimited(Some(50_000)));
    // The last calls of a minute are left for sending.
    let headers = [("x-ratelimit-remaining", "4"), ("x-ratelimit-reset", "2025-10-15T10:30:31.000Z")];
    outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &headers));
    let page = InboxHub::next(&outside, job("sync", json!({})), None).unwrap();
    assert_eq!(page.after, Some(31_000));
}

#[test]
fn a_session_that_is_away_pauses_its_job() {
    let server = Server::new(json!({}));
    let start = server.run(&job("sync", json!({})), 3);
    let cursor = start.last().unwrap().next.clone();
    let away = serde_json::from_slice::<serde_json::Value>(&bytes("api.error.400.session-not-connected.json")).unwrap();
    server.instead.lock().unwrap().push((4, 400, away.to_string()));
    let paused = InboxHub::next(&server, job("sync", json!({})), cursor.clone()).unwrap();
    assert_eq!((paused.next.as_deref(), paused.after), (cursor.as_deref(), Some(60_000)), "the same page again");
    let on = InboxHub::next(&server, job("sync", json!({})), paused.next.clone()).unwrap();
    assert_eq!(on.observations.len(), 6, "three chats and their last messages");
    let (_, told) = session(&paused.observations);
    assert_eq!(told.state.as_deref(), Some("disconnected"), "which is told, so that the hub holds the job");
    // After a long pause it is asked first whether the session is there.
    *server.now.lock().unwrap() += 3_600_000;
    let asked = server.requests();
    let confirmed = InboxHub::next(&server, job("sync", json!({})), paused.next).unwrap();
    assert_eq!(server.asked.lock().unwrap()[asked], "/api/sessions/2/status?");
    assert_eq!(session(&confirmed.observations).1.state.as_deref(), Some("connected"));

    *server.connected.lock().unwrap() = false;
    *server.now.lock().unwrap() = BASE;
    let pages = server.run(&job("sync", json!({})), 5);
    assert!(pages.iter().skip(1).all(|page| page.after == Some(60_000)), "it waits for the session");
}

#[test]
fn a_quiet_time_follows_each_connecting_once() {
    let server = Server::new(json!({}));
    let connected = |at: u64| job("sync", json!({"session": SESSION, "at": at, "delay": 15}));
    let first = InboxHub::next(&server, connected(BASE), None).unwrap();
    assert_eq!((first.after, server.requests()), (Some(15_000), 0));
    *server.now.lock().unwrap() += 15_000;
    let second = InboxHub::next(&server, connected(BASE), first.next).unwrap();
    assert_eq!((second.after, server.requests()), (None, 1));
    // Connected again meanwhile: left alone again, and then at the same place.
    let again = InboxHub::next(&server, connected(BASE + 20_000), second.next).unwrap();
    assert_eq!(
        (again.after, server.requests()),
        (Some(15_000), 1),
        "not longer than the quiet time, whatever the clocks"
    );
}

#[test]
fn a_look_asks_how_the_session_is_and_no_more() {
    let server = Server::new(json!({}));
    for (connected, state) in [(true, "connected"), (false, "disconnected")] {
        *server.connected.lock().unwrap() = connected;
        let before = server.requests();
        let pages = server.run(&job("look", json!({"session": SESSION})), 10);
        let last = pages.last().unwrap();
        assert_eq!((last.next.is_none(), server.requests() - before), (true, 2));
        assert_eq!(session(&last.observations).1.state.as_deref(), Some(state));
    }
}

#[test]
fn a_repair_goes_on_in_rounds() {
    let server = Server::new(json!({"repair": {"every": 60}}));
    let repair = job("repair", json!({"session": SESSION}));
    let (mut cursor, mut rests) = (None, 0);
    for _ in 0..20 {
        let page = InboxHub::next(&server, repair.clone(), cursor).unwrap();
        rests += u32::from(page.after == Some(60_000));
        *server.now.lock().unwrap() += page.after.unwrap_or(100);
        cursor = page.next;
        assert!(cursor.is_some(), "it never ends by itself");
    }
    assert!(rests >= 3, "{rests} rounds");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("/api/sessions?")).count(), 1, "the row is known");
}

#[test]
fn a_repair_reads_what_is_new_since() {
    let mut server = Server::new(json!({"repair": {"every": 0}}));
    (server.chats, server.messages) = (250, 300);
    // Messages are ten minutes apart, last ones of chats one minute: ten chats and seven messages each.
    let since = BASE - 600_000;
    let pages = server.run(&job("repair", json!({"session": SESSION, "since": since})), 200);
    assert!(pages.last().unwrap().next.is_none());
    let asked = server.asked.lock().unwrap();
    assert!(!asked.iter().any(|asked| asked.starts_with("/api/contacts")));
    assert_eq!(asked.iter().filter(|asked| asked.contains("/chats")).count(), 2, "not the chats that were silent");
    assert_eq!(asked.iter().filter(|asked| asked.contains("chatId=")).count(), 11);
    drop(asked);
    // One chat alone, to settle what became of a message.
    let one = Server::new(json!({}));
    let pages =
        one.run(&job("repair", json!({"session": SESSION, "chat": "34600000001@s.whatsapp.net", "since": since})), 20);
    assert_eq!(one.requests(), 3);
    assert_eq!(count(&pages, "messages"), (4, 0));
}

#[test]
fn rows_that_cannot_be_used_are_counted() {
    let outside = outside(json!({}));
    outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    outside.expect("GET", "/api/sessions/2/status").answer_with(answer("api.sessions.status.200.json", 200, &[]));
    let rows = json!({"contacts": [7, {}, {"id": "nobody"}, {"id": "34600000001@c.us", "name": "x"}]});
    outside.expect("GET", "/api/contacts/*").answer_json(200, ok(rows));
    let mut cursor = None;
    let mut page = Page { observations: vec![], next: None, after: None, progress: vec![] };
    for _ in 0..3 {
        page = InboxHub::next(&outside, job("sync", json!({})), cursor).unwrap();
        cursor = page.next.clone();
    }
    assert_eq!(count(&[page], "contacts"), (4, 3));
}

#[test]
fn a_repair_that_is_told_what_to_read_reads_that_and_is_over() {
    let mut server = Server::new(json!({"repair": {"every": 60}}));
    (server.chats, server.messages) = (50, 30);
    // Last ones of chats are a minute apart, so these are five of them.
    for since in [json!("2025-10-15T10:25:30Z"), json!(BASE - 270_000)] {
        server.asked.lock().unwrap().clear();
        let pages = server.run(&job("repair", json!({"session": SESSION, "since": since})), 100);
        assert!(pages.last().unwrap().next.is_none(), "it goes on in no rounds");
        let asked = server.asked.lock().unwrap();
        assert_eq!(asked.iter().filter(|asked| asked.contains("chatId=")).count(), 5, "since {since}");
    }
    for chat in ["+34 600 000 007", "34600000007@c.us", "nueva_sesion_wa:34600000007@s.whatsapp.net"] {
        server.asked.lock().unwrap().clear();
        let pages = server.run(&job("repair", json!({"chat": chat})), 100);
        assert!(pages.last().unwrap().next.is_none(), "{chat}: it goes on in no rounds");
        let asked = server.asked.lock().unwrap();
        let lists: Vec<_> = asked.iter().filter(|asked| !asked.starts_with("/api/sessions")).collect();
        assert_eq!(lists, ["/api/messages/nueva_sesion_wa?chatId=34600000007%40s.whatsapp.net&page=1&limit=100"]);
        assert_eq!(count(&pages, "messages"), (30, 0));
    }
}

#[test]
fn jobs_and_cursors_of_others_are_refused() {
    let outside = outside(json!({}));
    for (job, cursor) in [
        (job("dance", json!({})), None),
        (job("sync", json!({"session": "other"})), None),
        (job("sync", json!([7])), None),
        (job("repair", json!({"since": "yesterday"})), None),
        (job("repair", json!({"since": [1]})), None),
        (job("repair", json!({"chat": "somebody"})), None),
        (job("sync", json!({})), Some(vec![0xff; 64])),
        (job("sync", json!({})), Some(b"null".to_vec())),
        (job("sync", json!({})), Some(vec![])),
    ] {
        let failure = InboxHub::next(&outside, job, cursor).unwrap_err();
        assert!(matches!(failure, Failure::Rejected(_)), "{failure:?}");
    }
    assert_eq!(outside.asked().len(), 0);
}
