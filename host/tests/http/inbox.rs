//! The communications log: narrowed, paged, and with nothing lost between its pages.

use cordboard::model::call::{CallPhase, Direction};
use cordboard::model::{Agent, Call, Correspondent, Item, Message, Observation, Trust};
use cordboard::store::Intake;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Fixture, token};
use crate::people::{at, eva, ids, said};

#[tokio::test]
async fn the_inbox_is_narrowed_and_paged() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let list = async |query: &str| {
        let (status, page) = hub.get(&format!("/v1/inbox?{query}"), &eva()).await;
        assert_eq!(status, StatusCode::OK, "{query}: {page}");
        ids(&page).join(" ")
    };
    assert_eq!(list("").await, "other missed message outbound inbound");
    let empty = "type=&direction=&agent=&outcome=&source=+&number=&from=&to=&after=&limit=";
    assert_eq!(list(empty).await, list("").await, "what nobody filled in");
    assert_eq!(list("type=message").await, "message");
    assert_eq!(list("type=call,message&direction=inbound").await, "other missed message inbound");
    assert_eq!(list("direction=outbound").await, "outbound");
    assert_eq!(list("agent=1001").await, "other inbound");
    assert_eq!(list("outcome=no-answer").await, "missed outbound");
    assert_eq!(list("outcome=read").await, "message");
    assert_eq!(list("number=600.99.98.88").await, "other");
    assert_eq!(list("number=600111222&type=call&direction=inbound").await, "missed inbound");
    assert_eq!(list("source=pbx&agent=1002").await, "outbound");
    assert_eq!(list("source=manual").await, "");
    let (from, to) = (at(20).unwrap(), at(40).unwrap());
    assert_eq!(list(&format!("from={from}&to={to}")).await, "message outbound");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = hub.get(&format!("/v1/inbox?limit=2{after}"), &eva()).await;
        assert!(page["items"].as_array().unwrap().len() <= 2);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["other", "missed", "message", "outbound", "inbound"]);
}

#[tokio::test]
async fn an_agent_sees_its_own_desk() {
    let hub = Fixture::start().await;
    said(&hub).await;
    let (ana, luis) = (token("acme", "agent", "ana"), token("acme", "agent", "luis"));
    assert_eq!(ids(&hub.get("/v1/inbox", &ana).await.1), ["other", "inbound"]);
    assert_eq!(ids(&hub.get("/v1/inbox", &luis).await.1), ["missed", "outbound"], "all desks of one person");
    assert_eq!(ids(&hub.get("/v1/inbox?agent=1003", &luis).await.1), ["missed"]);
    assert_eq!(ids(&hub.get("/v1/people/600111222/timeline", &ana).await.1), ["inbound"]);
    let (status, problem) = hub.get("/v1/inbox?agent=1002", &ana).await;
    assert_eq!((status, &problem["field"]), (StatusCode::FORBIDDEN, &json!("agent")));
    assert!(ids(&hub.get("/v1/inbox", &token("other", "supervisor", "x")).await.1).is_empty());
    for path in ["/v1/inbox", "/v1/people/600111222", "/v1/people/600111222/timeline"] {
        let status = hub.request(Method::GET, path, None).send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_named() {
    let hub = Fixture::start().await;
    let cases = [
        ("/v1/inbox?type=fax", "type"),
        ("/v1/inbox?direction=sideways", "direction"),
        ("/v1/inbox?number=nobody", "number"),
        ("/v1/inbox?limit=0", "limit"),
        ("/v1/inbox?limit=501", "limit"),
        ("/v1/inbox?from=yesterday", "from"),
        ("/v1/inbox?from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", "from"),
        ("/v1/inbox?type=message&outcome=no-answer", "outcome"),
        ("/v1/inbox?after=nonsense", "after"),
        ("/v1/inbox?after=1790000010000", "after"),
        ("/v1/calls?after=1790000010000.", "after"),
        ("/v1/people/600111222/timeline?after=.1", "after"),
        ("/v1/people/600111222/timeline?limit=0", "limit"),
        ("/v1/people/nobody", "number"),
        ("/v1/people/anonymous/timeline", "number"),
    ];
    for (path, field) in cases {
        let (status, problem) = hub.get(path, &eva()).await;
        assert_eq!((status, problem["field"].as_str()), (StatusCode::BAD_REQUEST, Some(field)), "{path}: {problem}");
    }
    for (path, value, way) in [
        ("/v1/inbox?type=call,fax", "`fax`", "call, message"),
        ("/v1/inbox?direction=sideways", "`sideways`", "inbound, outbound, internal"),
        ("/v1/inbox?type=message&outcome=lost", "`lost`", "`delivered`"),
        ("/v1/inbox?after=1790000010000", "`1790000010000`", "`next`"),
        ("/v1/inbox?number=nobody", "`nobody`", "write it"),
    ] {
        let (_, problem) = hub.get(path, &eva()).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(value) && detail.contains(way), "{path}: {detail}");
    }
    assert_eq!(hub.get("/v1/inbox?agents=1001", &eva()).await.0, StatusCode::BAD_REQUEST);
    let odd = "1".repeat(400);
    assert_eq!(hub.get(&format!("/v1/people/{odd}"), &eva()).await.0, StatusCode::BAD_REQUEST);
}

/// A call or a message at an extension.
fn at_desk(id: String, second: u64, extension: &str, is_message: bool) -> Observation {
    let agent = Some(Agent { extension: Some(extension.to_owned()), ..Agent::default() });
    let direction = Some(Direction::Inbound);
    let item = if is_message {
        let recipient = Some(Correspondent { agent, ..Correspondent::default() });
        Item::Message(Message { direction, recipient, sent_at: at(second), ..Message::default() })
    } else {
        Item::Call(Call { phase: Some(CallPhase::Ended), direction, agent, started_at: at(second), ..Call::default() })
    };
    Observation { id, also: Vec::new(), at: at(second), trust: Trust::Reported, item }
}

async fn take(hub: &Fixture, observations: Vec<Observation>) {
    hub.hub.store.commit(Intake::of("acme", "pbx", observations)).await.unwrap();
}

/// Among many calls of a busy house the few of one desk, and its messages: the calls that are looked through for a page
/// do not reach as far back as the messages do.
#[tokio::test]
async fn a_desk_finds_each_of_its_calls_and_messages_once() {
    const DAY: u64 = 86_400;
    let hub = Fixture::start().await;
    let busy: Vec<u64> = (0..10_400).map(|n| 6 * DAY + n).collect();
    for some in busy.chunks(650) {
        let calls = some.iter().map(|second| at_desk(format!("other-{second}"), *second, "1002", false));
        take(&hub, calls.collect()).await;
    }
    let messages = (0..60).map(|n| at_desk(format!("message-{n}"), n * DAY / 8, "1001", true));
    let calls = (0..12).map(|n| at_desk(format!("call-{n}"), n * DAY / 2 + 7, "1001", false));
    let mut hers: Vec<(u64, String)> = (0..60).map(|n| (n * DAY / 8, format!("message-{n}"))).collect();
    hers.extend((0..12).map(|n| (n * DAY / 2 + 7, format!("call-{n}"))));
    hers.sort_unstable_by(|one, other| other.cmp(one));
    take(&hub, messages.chain(calls).collect()).await;
    let ana = token("acme", "agent", "ana");
    for (limit, news) in [(50, false), (7, false), (50, true), (7, true)] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let (status, page) = hub.get(&format!("/v1/inbox?limit={limit}{after}"), &ana).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            seen.extend(ids(&page).into_iter().filter(|id| !id.starts_with("news")).map(str::to_owned));
            pages += 1;
            assert!(pages < 40, "it comes to an end");
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
            if news {
                // What comes meanwhile is for whoever begins anew.
                let news = |is_message| at_desk(format!("news-{limit}-{pages}"), 8 * DAY + pages, "1001", is_message);
                take(&hub, vec![news(false), news(true)]).await;
            }
        }
        let expected: Vec<&String> = hers.iter().map(|(_, id)| id).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected, "limit {limit}, news {news}");
    }
}
