//! What sources export: webhook, connection, pull, commands.

use std::time::Duration;

use cordboard::components::contract::{Action, Command, CommandOutcome, Failure, Input, Job, Refusal};
use cordboard::config::{DatabaseAddress, DatabaseKind, Secret};
use cordboard::model::call::CallPhase;
use cordboard::model::{Instant, Item, Observation};
use cordboard_tests::database::Database;
use serde_json::json;
use sqlx::{Connection, Executor};

use super::{bench, bench_with, request};

fn phase(observation: &Observation) -> (&str, Option<CallPhase>) {
    let Item::Call(call) = &observation.item else { panic!("{observation:?}") };
    (&observation.id, call.phase)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_or_refused() {
    let bench = bench(json!({ "secret": "s" }), &[]).await;
    let body = r#"{"id": "42", "phase": "ringing"}"#;
    let accepted = bench.used.receive(request("/hook", None, "s", body)).await.unwrap().unwrap();
    assert_eq!(phase(&accepted.observations[0]), ("42", Some(CallPhase::Ringing)));
    assert_eq!(accepted.jobs[0].kind, "sync");
    let reply = accepted.reply.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (202, b"42".as_slice()));
    assert_eq!(accepted.once, None);
    let once = r#"{"id": "42", "phase": "ringing", "once": 60000}"#;
    let once = bench.used.receive(request("/hook", None, "s", once)).await.unwrap().unwrap().once.unwrap();
    assert_eq!((once.within, once.again[0].id.as_str()), (Duration::from_secs(60), "again"));

    for (query, secret, body, expected) in [
        (None, "x", body, "Unauthenticated"),
        (Some("ignore"), "s", body, "Ignored"),
        (Some("stranger"), "s", body, "NotMine"),
        (None, "s", "{", "Malformed"),
    ] {
        let refusal = bench.used.receive(request("/hook", query, secret, body)).await.unwrap().unwrap_err();
        assert!(format!("{refusal:?}").starts_with(expected), "{refusal:?}");
    }
    let refusal = bench.used.receive(request("/hook", None, "s", r#"{"id": "42", "phase": "x"}"#)).await.unwrap();
    let why = "`x` is no phase".to_owned();
    assert_eq!(refusal.unwrap_err(), Refusal::Malformed { field: "/phase".to_owned(), why });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_a_state_machine() {
    let bench = bench(json!({}), &[]).await;
    let (target, _) = bench.used.target().await;
    let target = target.unwrap().unwrap();
    assert_eq!((target.host.as_str(), target.port, target.tls), ("pbx.test", 5038, true));

    let now = Instant::clamped(1_795_262_400_000);
    let mut session = bench.used.open_session().await.unwrap();
    let actions = session.handle(now, vec![Input::Opened]).await.unwrap();
    assert_eq!(
        actions,
        [
            Action::Send(b"HELLO\n".to_vec()),
            Action::SetTimer { number: 1, after: Duration::from_secs(30) },
            Action::Status("connected".to_owned()),
        ]
    );

    // One line in three pieces, with a second one at its end.
    let command =
        Command { id: "c1".to_owned(), name: "call.hangup".to_owned(), agent: None, arguments: "{}".to_owned() };
    let pieces = [&b"CALL 7 ri"[..], b"nging", b"\nOK c1\nCA"].map(|piece| Input::Bytes(piece.to_vec()));
    let mut inputs = vec![Input::Command(command)];
    inputs.extend(pieces);
    let actions = session.handle(now, inputs).await.unwrap();
    let [Action::Send(line), Action::Observe(observation), Action::Answer { command, result }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(line, b"DO c1 call.hangup\n");
    assert_eq!(phase(observation), ("7", Some(CallPhase::Ringing)));
    assert_eq!((command.as_str(), result), ("c1", &Ok(CommandOutcome::Done("{}".to_owned()))));

    let actions =
        session.handle(now, vec![Input::Timer(1), Input::Bytes(b"LL 7 ended\nBYE\n".to_vec())]).await.unwrap();
    assert!(
        matches!(
            &actions[..],
            [
                Action::Send(_),
                Action::SetTimer { .. },
                Action::Observe(_),
                Action::Reconnect { misconfigured: false, .. }
            ]
        ),
        "{actions:?}"
    );
    let actions = session.handle(now, vec![Input::Closed("gone".to_owned())]).await.unwrap();
    assert_eq!(actions, [Action::CancelTimer(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_their_cursor() {
    let bench = bench(json!({}), &[]).await;
    let job =
        |kind: &str| Job { id: "all".to_owned(), kind: kind.to_owned(), parameters: "{}".to_owned(), ..Job::default() };
    let (mut cursor, mut names, mut pages) = (None, vec![], 0);
    loop {
        let (page, _) = bench.used.next(job("sync"), cursor).await;
        let page = page.unwrap().unwrap();
        names.extend(page.observations.iter().map(|observation| observation.id.clone()));
        pages += 1;
        assert_eq!((page.progress[0].processed as usize, page.progress[0].total), (names.len(), Some(5)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((pages, names.len()), (3, 5));
    let (page, _) = bench.used.next(job("other"), None).await;
    assert!(matches!(page.unwrap(), Err(Failure::Rejected { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_come_from_a_database_that_the_tenant_gives() {
    let Some(database) = Database::create().await else { return };
    let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
    let rows = "create table cdr (uniqueid varchar(32), src varchar(80));
        insert into cdr values ('1795245638.1', '1001'), ('1795245638.10', '1002')";
    connection.execute(sqlx::raw_sql(rows)).await.unwrap();
    connection.close().await.unwrap();
    let address = DatabaseAddress { kind: DatabaseKind::Postgres, url: Secret::new(database.url()) };
    let job =
        || Job { id: "1".to_owned(), kind: "cdr".to_owned(), parameters: "1795245638.10".to_owned(), ..Job::default() };

    let used = bench_with(json!({}), &[], [("cdr".to_owned(), address)].into()).await;
    let page = used.used.next(job(), None).await.0.unwrap().unwrap();
    let [Observation { id, item: Item::Contact(contact), .. }] = &page.observations[..] else { panic!("{page:?}") };
    assert_eq!((id.as_str(), contact.name.as_deref()), ("1795245638.10", Some("1002")));

    let used = bench(json!({}), &[]).await;
    let failure = used.used.next(job(), None).await.0.unwrap().unwrap_err();
    assert!(matches!(&failure, Failure::Misconfigured { why } if why.contains("gives no database `cdr`")), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_end_in_each_way() {
    let bench = bench(json!({}), &[]).await;
    let perform = async |name: &str| {
        let arguments = r#"{"text": "¡hola! 👋"}"#.to_owned();
        let command = Command { id: "1".to_owned(), name: name.to_owned(), agent: None, arguments };
        bench.used.perform(command).await.0.unwrap().result
    };
    assert_eq!(perform("call.originate").await, Ok(CommandOutcome::Accepted(Some("call-1".to_owned()))));
    assert_eq!(perform("message.send").await, Ok(CommandOutcome::Done(r#"{"text": "¡hola! 👋"}"#.to_owned())));
    assert_eq!(perform("call.hangup").await, Ok(CommandOutcome::Unknown("no answer".to_owned())));
    assert!(matches!(perform("call.hold").await, Err(Failure::Rejected { .. })));
}
