//! What adapters export: sink, directory, grants, endpoint.

use cordboard::components::contract::{Change, Failure, Outcome, Sent};
use cordboard::model::{Call, Item, Kind, Numbering, Phone, Subject};
use cordboard_tests::web::{Asked, Web};
use serde_json::json;

use super::{bench, request};

fn change(id: &str, memo: Vec<u8>) -> Change {
    Change {
        subject: Subject { source: "pbx".to_owned(), kind: Kind::Call, id: id.to_owned() },
        revision: 3,
        attempt: 1,
        external_id: None,
        memo,
        joined: vec![],
        item: Item::Call(Call { notes: Some("«ñ» 📞".to_owned()), ..Call::default() }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_under_the_grant() {
    let web = Web::start(|asked: &Asked| match asked.path.as_str() {
        "/gone" => (404, "no such thing".to_owned()),
        "/later" => (429, String::new()),
        _ => (200, String::new()),
    });
    let web = web.await.unwrap();
    let bench = bench(json!({ "url": web.url("") }), &[web.address.to_string()]).await;
    let (grant, _) = bench.used.issue(None).await;
    let grant = grant.unwrap().unwrap();
    assert_eq!(grant.token, "grant-1");
    assert!(grant.expires_at.is_some());
    bench.used.set_grant(Some(grant.clone()));
    let (next, _) = bench.used.issue(Some(grant)).await;
    assert_eq!(next.unwrap().unwrap().token, "grant-2");

    let changes = vec![change("a b", vec![]), change("gone", vec![]), change("later", vec![]), change("z", vec![7])];
    let (outcomes, exchanges) = bench.used.deliver(changes).await;
    let outcomes = outcomes.unwrap();
    let [Outcome::Done(first), Outcome::Failed(gone), Outcome::Failed(later), Outcome::Done(last)] = &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((first.external_id.as_deref(), first.memo.as_slice()), (Some("x-a b"), [1].as_slice()));
    assert_eq!(first.url.as_deref(), Some(web.url("/a%20b").as_str()));
    assert!(matches!(gone, Failure::Rejected { code, .. } if code == "http-404"), "{gone:?}");
    assert_eq!(later, &Failure::RateLimited { after: None });
    assert_eq!(last.memo, [8]);

    let asked = web.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("PUT", "/a%20b"));
    assert_eq!(asked[0].header("authorization"), "Bearer grant-1");
    assert_eq!(asked[0].json()["revision"], 3);
    assert!(String::from_utf8_lossy(&asked[0].body).contains("«ñ» 📞"));
    assert_eq!(exchanges.len(), 4);
    assert!(!format!("{exchanges:?}").contains("grant-1"), "a grant is never shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_of_a_request_says_what_the_hub_does() {
    let web = Web::start(|asked: &Asked| match asked.path.as_str() {
        "/long" => (200, "x".repeat(9 << 20)),
        "/cut" => (200, "x".repeat(1 << 20)),
        _ => (200, String::new()),
    });
    let web = web.await.unwrap();
    let bench = bench(json!({ "url": web.url("") }), &[web.address.to_string()]).await;
    // Bodies larger than any buffer on the way, in both directions.
    let mut large = change("cut", vec![]);
    large.item = Item::Call(Call { notes: Some("é".repeat(1 << 19)), ..Call::default() });
    let (outcomes, _) = bench.used.deliver(vec![large, change("long", vec![])]).await;
    let outcomes = outcomes.unwrap();
    let [Outcome::Done(_), Outcome::Failed(Failure::Rejected { code, .. })] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(code, "answer-too-long");
    let notes = &web.asked()[0].json()["record"]["call"]["notes"];
    assert_eq!(notes.as_str().map(str::len), Some(1 << 20));

    for (url, allow, expected) in [
        // Not allowed by the tenant.
        (web.url(""), vec![], "Misconfigured"),
        ("no url".to_owned(), vec![], "Misconfigured"),
        // Nobody listens there.
        ("http://127.0.0.1:1".to_owned(), vec!["127.0.0.1:1".to_owned()], "Retryable"),
        ("http://nobody.invalid".to_owned(), vec!["nobody.invalid".to_owned()], "Retryable"),
    ] {
        let bench = super::bench(json!({ "url": url }), &allow).await;
        let (outcomes, _) = bench.used.deliver(vec![change("a", vec![])]).await;
        let outcomes = outcomes.unwrap();
        let [Outcome::Failed(failure)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!(format!("{failure:?}").starts_with(expected), "{url}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_a_person_must_mend() {
    let bench = bench(json!({}), &[]).await;
    let (mistakes, _) = bench.used.check().await;
    assert_eq!(mistakes.unwrap().unwrap(), ["`url` is missing: nothing is written"]);
    let (outcomes, _) = bench.used.deliver(vec![change("a", vec![])]).await;
    assert!(matches!(&outcomes.unwrap()[..], [Outcome::Skipped(_)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_every_spelling() {
    let bench = bench(json!({}), &[]).await;
    let mut phone = Phone::raw("600 111 222");
    Numbering { region: "ES".parse().ok(), correct: vec![] }.normalize(&mut phone);
    let (found, _) = bench.used.find(phone).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found[0].name.as_str(), found[0].external_id.as_str()), ("600 111 222", "+34600111222"));
    let variants: Vec<_> = found[0].attributes.iter().map(|(_, text)| text.as_str()).collect();
    assert!(variants.contains(&"+34600111222") && variants.contains(&"600111222"), "{variants:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_answers_and_asks() {
    let bench = bench(json!({}), &[]).await;
    let (answer, _) = bench.used.handle(request("/call", Some("a=1"), "", "body")).await;
    let answer = answer.unwrap();
    let Sent::Response(response) = &answer.sent else { panic!("{answer:?}") };
    assert_eq!(response.status, 200);
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body, json!({ "method": "POST", "path": "/call", "query": "a=1", "body": "body" }));
    assert_eq!(answer.observations[0].id, "clicked");
    assert_eq!(answer.commands[0].name, "call.originate");
    assert_eq!(answer.commands[0].agent.as_ref().and_then(|agent| agent.extension.as_deref()), Some("1001"));
}
