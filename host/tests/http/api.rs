//! What the API answers when nothing goes wrong.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Fixture, answer, token};

#[tokio::test]
async fn a_call_logged_by_hand_is_a_call_like_any_other() {
    let hub = Fixture::start().await;
    let eva = token("acme", "supervisor", "eva");
    let call = json!({
        "id": "note-1",
        "call": { "phase": "ended", "direction": "inbound", "caller": { "number": { "raw": "600 111 222" } }, "notes": "wants a quote" },
    });
    let (status, record) = hub.post("/v1/calls", &eva, &call).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    assert_eq!(record["subject"], json!({ "source": "manual", "kind": "call", "id": "note-1" }));
    assert_eq!(record["call"]["caller"]["number"]["e164"], "+34600111222");

    let (status, again) = hub.post("/v1/calls", &eva, &call).await;
    assert_eq!(
        (status, &again["revision"]),
        (StatusCode::CREATED, &record["revision"]),
        "the same again is nothing new"
    );

    let id = record["id"].as_i64().unwrap();
    assert_eq!(hub.get(&format!("/v1/calls/{id}"), &eva).await.1["call"]["notes"], "wants a quote");
    let (_, page) = hub.get("/v1/calls?source=manual&direction=inbound", &eva).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let (_, page) = hub.get("/v1/events", &eva).await;
    assert_eq!((&page["next"], &page["more"]), (&page["last"], &json!(false)));

    let ana = token("acme", "agent", "ana");
    let (status, record) = hub.post("/v1/calls", &ana, &json!({ "call": { "phase": "ended" } })).await;
    assert_eq!(status, StatusCode::CREATED, "{record}");
    assert_eq!(record["call"]["agent"]["extension"], "1001", "an agent's call is its own");
    let strange = json!({ "call": { "agent": { "extension": "1002" } } });
    assert_eq!(hub.post("/v1/calls", &ana, &strange).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let hub = Fixture::start().await;
    for n in 0..25 {
        hub.call("acme", &format!("c{n}"), "1001", "").await;
    }
    let eva = token("acme", "supervisor", "eva");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = hub.get(&format!("/v1/calls?limit=10{after}"), &eva).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut distinct = seen.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (25, 25));
}

#[tokio::test]
async fn every_path_that_is_described_is_there_and_every_reference_leads_somewhere() {
    let hub = Fixture::start().await;
    let described = serde_json::to_value(cordboard::http::openapi()).unwrap();
    let (_, served) = answer(hub.request(Method::GET, "/openapi.json", None)).await;
    assert_eq!(served, described);
    let text = described.to_string();
    for reference in text.match_indices("#/components/schemas/").map(|(at, found)| &text[at + found.len()..]) {
        let name = reference.split('"').next().unwrap();
        assert!(described["components"]["schemas"].get(name).is_some(), "{name} is not described");
    }
    let promised = [
        "/v1/hooks/{tenant}/{source}",
        "/v1/endpoints/{tenant}/{name}/{*path}",
        "/v1/live",
        "/v1/tickets",
        "/v1/events",
        "/v1/calls",
        "/v1/calls/{id}",
        "/v1/people/{number}",
        "/v1/people/{number}/timeline",
        "/v1/inbox",
        "/v1/route/{number}",
        "/v1/recordings/{call}",
        "/v1/media/{message}",
        "/v1/deliveries",
        "/v1/deliveries/{id}",
        "/v1/deliveries/{id}/retry",
        "/v1/deliveries/retry",
        "/v1/intake",
        "/v1/intake/{id}",
        "/v1/intake/{id}/replay",
        "/v1/intake/replay",
        "/v1/commands",
        "/v1/commands/{id}",
        "/v1/components",
        "/v1/lanes",
        "/v1/sources",
        "/v1/sources/{source}/jobs",
        "/v1/sources/{source}/sync",
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
    ];
    let paths = described["paths"].as_object().unwrap();
    let undescribed: Vec<_> = promised.iter().filter(|path| !paths.contains_key(**path)).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
    assert_eq!(paths.len(), promised.len(), "a path is described that this test does not know");
    for (path, methods) in paths {
        let asked = path
            .replace("{id}", "1")
            .replace("{call}", "1")
            .replace("{message}", "1")
            .replace("{*path}", "x")
            .replace(['{', '}'], "");
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let (status, problem) = answer(hub.request(method.clone(), &asked, None)).await;
            let nothing = problem["detail"].as_str().is_some_and(|detail| detail.contains("nothing under this path"));
            assert!(!nothing && status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {status} {problem}");
        }
    }
}

#[tokio::test]
async fn the_pages_for_people_and_machines_are_there() {
    let hub = Fixture::start().await;
    let root = answer(hub.request(Method::GET, "/", None)).await.1;
    assert_eq!(root["name"], "cordboard");
    let text = async |path: &str, token: Option<&str>| {
        let mut response = hub.request(Method::GET, path, token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.unwrap() {
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).unwrap()
    };
    let docs = text("/docs", None).await;
    assert!(docs.contains("problem-too-large") && !docs.contains("https://"), "the page needs nothing from elsewhere");
    hub.call("acme", "a", "1001", "").await;
    metrics::counter!("cordboard_test_total", "tenant" => "acme").increment(1);
    metrics::counter!("cordboard_test_total", "tenant" => "other").increment(1);
    let open = text("/metrics", None).await;
    assert!(open.contains("cordboard_events_total ") && !open.contains("tenant="), "{open}");
    let own = text("/metrics", Some(&token("acme", "supervisor", "eva"))).await;
    assert!(own.contains("tenant=\"acme\"") && !own.contains("tenant=\"other\""), "{own}");
}
