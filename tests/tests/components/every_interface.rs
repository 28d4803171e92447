//! Each interface of the contract, there and back, with a component that answers with what it was told.

use std::sync::Arc;
use std::time::Duration;

use cordboard::components::contract::{
    Ability, Action, Command, CommandOutcome, Failure, Grant, Input, Job, Outcome, Refusal, Request, Sent, Target,
};
use cordboard::components::{Fault, Use};
use cordboard::model::{Call, Instant, Item, Party, Phone};
use serde_json::json;

use crate::bench;

async fn echo() -> Arc<Use> {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "echo").await;
    bench::used(&runtime, &component, bench::options(json!({"secret": bench::SECRET, "number": 3}), &[]))
}

fn request(path: &str, body: &str) -> Request {
    Request {
        method: "POST".into(),
        path: path.into(),
        query: Some("a=b".into()),
        headers: vec![("x-odd".into(), vec![0xff, b'x'])],
        body: body.to_owned().into(),
        received_at: Instant::clamped(1_700_000_000_000),
    }
}

fn job() -> Job {
    Job { id: "sync-1".into(), kind: "sync".into(), parameters: "{}".into(), ..Job::default() }
}

#[tokio::test]
async fn webhook() {
    let it = echo().await;
    let body = r#"{"call": "c-1", "from": "+34 600 000 001", "at": 1700000000000, "reply": 202, "sync": true}"#;
    let accepted = it.receive(request("/hook", body)).await.unwrap().unwrap();
    let [observation] = &accepted.observations[..] else { panic!("{accepted:?}") };
    assert_eq!((observation.id.as_str(), observation.at), ("c-1", Some(Instant::clamped(1_700_000_000_000))));
    let Item::Call(call) = &observation.item else { panic!("{observation:?}") };
    let number = call.caller.as_ref().and_then(|caller| caller.number.as_ref()).unwrap();
    assert_eq!(number, &Phone::raw("+34 600 000 001"));
    assert_eq!(accepted.reply.unwrap().status, 202);
    assert_eq!(accepted.jobs, [job()]);
    for (path, refusal) in [
        ("/unauthenticated", Refusal::Unauthenticated("no signature".into())),
        ("/ignored", Refusal::Ignored("a ping".into())),
        ("/not-mine", Refusal::NotMine("another's".into())),
        ("/other", Refusal::Other("something else".into())),
    ] {
        assert_eq!(it.receive(request(path, "{}")).await.unwrap(), Err(refusal));
    }
    let refusal = it.receive(request("/", "{}")).await.unwrap().unwrap_err();
    assert_eq!(refusal.to_string(), "/call: is missing");
}

#[tokio::test]
async fn what_no_ledger_could_keep_is_the_senders_to_hear() {
    let it = echo().await;
    let long = "x".repeat(256);
    for (body, field) in [
        (json!({"call": ""}), "id"),
        (json!({"call": long}), "id"),
        (json!({"call": "a\nb"}), "id"),
        (json!({"call": "a\u{0}b"}), "id"),
        (json!({"call": "a", "from": "1\u{0}2"}), "call.caller.number.raw"),
        (json!({"call": "a", "at": 3_093_527_980_799_999_u64}), "at"),
    ] {
        let refusal = it.receive(request("/", &body.to_string())).await.unwrap().unwrap_err();
        assert!(matches!(&refusal, Refusal::Malformed { field: at, .. } if at == field), "{body}: {refusal:?}");
    }
    let reply = it.receive(request("/", r#"{"call": "a", "reply": 99}"#)).await.unwrap_err();
    assert!(matches!(reply, Fault::Answer(_)), "{reply}");
}

#[tokio::test]
async fn instances_of_webhooks_are_kept_for_so_many_calls() {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "echo").await;
    let mut options = bench::options(json!({}), &[]);
    options.limits.kept_calls = 3;
    let it = bench::used(&runtime, &component, options);
    let mut served = Vec::new();
    for _ in 0..7 {
        let accepted = it.receive(request("/", r#"{"call": "a"}"#)).await.unwrap().unwrap();
        let Item::Call(call) = &accepted.observations[0].item else { panic!() };
        served.push(call.attributes[0].1.clone());
    }
    assert_eq!(served, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[tokio::test]
async fn sink() {
    let it = echo().await;
    let mut change = bench::change("c-1");
    let number = Phone { raw: "600".into(), e164: Some("+34600".into()), national: None };
    change.item = Item::Call(Call {
        caller: Some(Party { number: Some(number), ..Party::default() }),
        started_at: Some(Instant::clamped(5)),
        ..Call::default()
    });
    let mut other = bench::change("s-1");
    other.item = Item::Session(cordboard::model::Session::default());
    let (outcomes, exchanges) = it.deliver(vec![change, other]).await;
    let [Outcome::Done(receipt), Outcome::Skipped(why)] = &outcomes.unwrap()[..] else { panic!() };
    assert_eq!(receipt.external_id.as_deref(), Some("echo-c-1"));
    assert_eq!(receipt.url.as_deref(), Some("+34600"));
    assert_eq!(receipt.memo, 7_u64.to_le_bytes());
    assert_eq!(why, "only calls");
    assert!(exchanges.is_empty());
    let sentences = it.check().await.0.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&sentences[0]).unwrap()["number"], 3);
}

#[tokio::test]
async fn directory() {
    let number = Phone { raw: "600".into(), e164: Some("+34600".into()), national: None };
    let found = echo().await.find(number).await.0.unwrap().unwrap();
    assert_eq!((found[0].name.as_str(), found[0].url.as_deref()), ("600", Some("+34600")));
}

#[tokio::test]
async fn grants() {
    let it = echo().await;
    let first = it.issue(None).await.0.unwrap().unwrap();
    assert_eq!(first.token, "seen:");
    let second = it.issue(Some(first.clone())).await.0.unwrap().unwrap();
    assert_eq!(second.token, "seen:+");
    assert_eq!(second.expires_at, Some(Instant::clamped(1_800_000_000_000)));
    it.set_grant(Some(Grant { token: "t0k3n".into(), ..first }));
    assert_eq!(it.issue(None).await.0.unwrap().unwrap().token, "seen:t0k3n");
    assert!(!format!("{:?}", it.grant()).contains("t0k3n"));
    it.set_grant(None);
    assert_eq!(it.issue(None).await.0.unwrap().unwrap().token, "seen:");
}

#[tokio::test]
async fn pull() {
    let it = echo().await;
    let (mut cursor, mut ids) = (None, Vec::new());
    loop {
        let page = it.next(job(), cursor).await.0.unwrap().unwrap();
        ids.extend(page.observations.into_iter().map(|observation| observation.id));
        assert_eq!(page.after, Some(Duration::from_millis(10)));
        assert_eq!((page.progress[0].processed as usize, page.progress[0].total), (ids.len(), Some(3)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["sync-1-0", "sync-1-1", "sync-1-2"]);
}

#[tokio::test]
async fn commands() {
    let it = echo().await;
    let command =
        |name: &str| Command { id: "1".into(), name: name.into(), agent: None, arguments: "{\"x\":1}".into() };
    let outcome = |name: &str| {
        let (it, command) = (it.clone(), command(name));
        async move { it.perform(command).await.0.unwrap() }
    };
    let originated = outcome("call.originate").await;
    assert_eq!(originated.result, Ok(CommandOutcome::Accepted(Some("call-of-1".into()))));
    assert_eq!(originated.observations.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(outcome("message.send").await.result, Ok(CommandOutcome::Unknown("the answer was lost".into())));
    assert_eq!(outcome("call.hangup").await.result, Ok(CommandOutcome::Done("{\"x\":1}".into())));
    let unknown = outcome("call.fly").await;
    assert!(matches!(unknown.result, Err(Failure::Rejected { code, .. }) if code == "unknown-command"));
    assert_eq!(unknown.observations.len(), 1, "a refusal shows something too");
}

#[tokio::test]
async fn setup() {
    let it = echo().await;
    let steps = it.lacking(Some("https://hub.example/v1/endpoints/acme/crm")).await.0.unwrap().unwrap();
    assert_eq!((steps.len(), steps[0].says.as_str(), &steps[0].details), (1, "echo", &vec!["twice".to_owned()]));
    assert_eq!(it.make(&steps[0]).await.0.unwrap().unwrap(), Some(steps[0].work.clone()));
    let refused = it.lacking(None).await.0.unwrap();
    assert!(matches!(refused, Err(Failure::Misconfigured { why }) if why == "no address"));
}

#[tokio::test]
async fn endpoint() {
    let answer = echo().await.handle(request("/widget", "click")).await.0.unwrap();
    let Sent::Response(response) = &answer.sent else { panic!("{answer:?}") };
    assert_eq!((response.status, response.body.as_slice()), (200, b"click".as_slice()));
    assert_eq!(answer.observations[0].id, "clicked");
    assert_eq!(answer.commands[0].name, "call.originate");
}

#[tokio::test]
async fn connection() {
    let it = echo().await;
    let target = it.target().await.0.unwrap().unwrap();
    assert_eq!(target, Target { host: "127.0.0.1".into(), port: 5038, tls: false });
    let mut session = it.open_session().await.unwrap();
    let mut other = it.open_session().await.unwrap();
    let now = Instant::clamped(1000);
    let actions = session.handle(now, vec![Input::Opened]).await.unwrap();
    assert_eq!(actions[0], Action::Send(b"hello\n".to_vec()));
    assert_eq!(actions[1], Action::SetTimer { number: 1, after: Duration::from_secs(1) });
    assert_eq!(actions[2], Action::Status("logged-in".into()));
    assert!(session.handle(now, vec![Input::Bytes(b"ca".to_vec())]).await.unwrap().is_empty());
    let actions = session.handle(now, vec![Input::Bytes(b"ll-1\ncall-2\nca".to_vec()), Input::Timer(1)]).await.unwrap();
    let ids: Vec<&str> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Observe(observation) => Some(observation.id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call-1", "call-2"]);
    assert_eq!(actions[2], Action::CancelTimer(1));
    assert!(other.handle(now, vec![Input::Bytes(b"ll-3".to_vec())]).await.unwrap().is_empty());
    let command = Command { id: "9".into(), name: "x".into(), agent: None, arguments: "{}".into() };
    let actions = session.handle(now, vec![Input::Command(command), Input::Closed("gone".into())]).await.unwrap();
    assert_eq!(actions[0], Action::Answer { command: "9".into(), result: Ok(CommandOutcome::Done("{}".into())) });
    assert_eq!(actions[1], Action::Reconnect { why: "gone".into(), misconfigured: false });
}

#[tokio::test]
async fn what_a_component_cannot_do_is_said() {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let it = bench::used(&runtime, &component, bench::options(json!({}), &[]));
    let fault = it.find(Phone::raw("1")).await.0.unwrap_err();
    assert_eq!(fault, Fault::Unable { component: "misdeeds".into(), ability: Ability::Directory });
    assert_eq!(fault.to_string(), "the component `misdeeds` has no `directory`");
}

#[tokio::test]
async fn kept_instances_make_way_for_others() {
    let runtime = bench::runtime_with(|options| options.instances = 2);
    let component = bench::load(&runtime, "echo").await;
    let uses: Vec<Arc<Use>> =
        (0..4).map(|_| bench::used(&runtime, &component, bench::options(json!({}), &[]))).collect();
    for it in uses.iter().chain(&uses) {
        it.receive(request("/", r#"{"call": "a"}"#)).await.unwrap().unwrap();
    }
    assert!(uses[0].find(Phone::raw("1")).await.0.is_ok());
}
