//! What a commit makes.

use std::collections::HashSet;

use super::*;

both! {
    async fn a_call_becomes_a_record_an_event_and_a_delivery(bench) {
        let store = bench.open().await;
        let mut events = store.subscribe();
        let mut wakes = store.wakes();
        let raw = Raw {
            method: "POST".into(),
            path: "/v1/hooks/acme/pbx".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: br#"{"call_uuid":"a"}"#.to_vec(),
            digest: Some([7; 32]),
        };
        let committed =
            store.commit(Intake { raw: Some(raw.clone()), ..intake(vec![ringing("a")], &to("crm")) }).await.unwrap();
        assert_eq!((committed.events.len(), committed.duplicates), (1, 0));
        assert_eq!(committed.events[0].seq, 1);
        assert_eq!(events.recv().await.unwrap()[0], committed.events[0]);
        assert_eq!(wakes.recv().await.unwrap()[0], lane());

        let record = store.record_of("acme", &subject("a")).await.unwrap().unwrap();
        assert_eq!((record.id, record.revision), (committed.records[0], 1));
        assert_eq!(store.record("acme", record.id).await.unwrap().unwrap(), record);
        assert_eq!(store.record("other", record.id).await.unwrap(), None);

        let page = store.events_since("acme", 0, 10, &EventFilter::default()).await.unwrap();
        assert_eq!(page.events, committed.events);
        assert_eq!(store.last_seq("acme").await.unwrap(), 1);
        assert_eq!(store.last_seq("other").await.unwrap(), 0);

        let deliveries = store.deliveries("acme", &DeliveryFilter::default(), None, 10).await.unwrap();
        assert_eq!((deliveries.items[0].wanted, deliveries.items[0].state), (1, State::Due));

        let (row, kept) = store.raw("acme", committed.intake).await.unwrap().unwrap();
        assert_eq!((row.verdict, kept), (Verdict::Accepted, raw));
    }

    async fn the_same_again_makes_nothing(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a"), answered("a"), ended("a")], &routes)).await.unwrap();
        let again = store.commit(intake(vec![ended("a"), ringing("a"), ended("a")], &routes)).await.unwrap();
        assert_eq!((again.events.len(), again.duplicates), (0, 3));
        let record = store.record_of("acme", &subject("a")).await.unwrap().unwrap();
        assert_eq!(record.revision, 3);
        assert_eq!(store.last_seq("acme").await.unwrap(), 3);
    }

    async fn any_order_ends_in_the_same_record(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a"), answered("a"), ended("a")], &routes)).await.unwrap();
        for observation in [ended("b"), ringing("b"), answered("b")] {
            store.commit(intake(vec![observation], &routes)).await.unwrap();
        }
        let [a, b] = [store.record_of("acme", &subject("a")).await, store.record_of("acme", &subject("b")).await];
        assert_eq!(a.unwrap().unwrap().item, b.unwrap().unwrap().item);
    }

    async fn many_at_once_are_committed_together(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let commits = (0..500).map(|n| store.commit(intake(vec![ended(&format!("call-{}", n % 250))], &routes)));
        let all = futures::future::join_all(commits).await;
        let events: HashSet<u64> = all.iter().flat_map(|one| &one.as_ref().unwrap().events).map(|e| e.seq).collect();
        assert_eq!(events, (1..=250).collect());
        let counts = store.counts();
        assert_eq!((counts.intakes, counts.events, counts.duplicates), (500, 250, 250));
        assert!(counts.commits < 50, "{} commits", counts.commits);
    }

    async fn a_big_batch_takes_as_many_statements_as_a_small_one(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let raw = || Some(Raw { method: "POST".into(), body: b"{}".to_vec(), ..Raw::default() });
        let mut taken = Vec::new();
        // The first of all reads the counter, too.
        for (round, size) in [1, 10, 1000].into_iter().enumerate() {
            let before = store.counts();
            let observations = (0..size).map(|n| ended(&format!("{round}-{n}"))).collect();
            store.commit(Intake { raw: raw(), ..intake(observations, &routes) }).await.unwrap();
            taken.push(store.counts().statements - before.statements);
        }
        assert_eq!(taken[1], taken[2]);
        let before = store.counts();
        let one = |n| Intake { raw: raw(), ..intake(vec![ended(&format!("single-{n}"))], &routes) };
        let commits: Vec<_> = (0..1000).map(|n| store.commit(one(n))).collect();
        futures::future::try_join_all(commits).await.unwrap();
        let after = store.counts();
        let commits = after.commits - before.commits;
        assert!(commits <= 10, "{commits} commits");
        assert!(after.statements - before.statements <= commits * taken[1], "a handful for each commit");
    }

    async fn numbers_grow_in_the_order_of_commits(bench) {
        let store = bench.open().await;
        let second = if bench.is_postgres() { bench.open().await } else { store.clone() };
        let routes = to("crm");
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..200 {
            let store = if n % 2 == 0 { store.clone() } else { second.clone() };
            let routes = routes.clone();
            tasks.spawn(async move {
                let committed = store.commit(intake(vec![ended(&format!("c{n}"))], &routes)).await.unwrap();
                // Whoever reads now finds every earlier number: none is committed later.
                let seq = committed.events[0].seq;
                let page = store.events_since("acme", 0, 1000, &EventFilter::default()).await.unwrap();
                let seen: Vec<u64> = page.events.iter().map(|event| event.seq).collect();
                assert_eq!(seen[..seq as usize], (1..=seq).collect::<Vec<_>>());
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        assert_eq!(store.last_seq("acme").await.unwrap(), 200);
    }

    async fn two_nodes_that_see_one_call_make_one_record(bench) {
        let store = bench.open().await;
        let second = if bench.is_postgres() { bench.open().await } else { store.clone() };
        let routes = to("crm");
        for n in 0..20 {
            let id = format!("call-{n}");
            let (a, b) = tokio::join!(
                store.commit(intake(vec![ringing(&id)], &routes)),
                second.commit(intake(vec![ended(&id)], &routes)),
            );
            assert_eq!(a.unwrap().records, b.unwrap().records);
        }
    }

    async fn one_bad_intake_does_not_fail_its_neighbours(bench) {
        struct Trap;
        impl Routes for Trap {
            fn wants(&self, _tenant: &str, event: &Event) -> Vec<Want> {
                assert!(event.about.subject.id != "bad", "a trap in a condition");
                Vec::new()
            }
        }
        let store = bench.open().await;
        let routes: Arc<dyn Routes> = Arc::new(Trap);
        let ids: Vec<String> = (0..50).map(|n| if n == 20 { "bad".into() } else { format!("good-{n}") }).collect();
        let commits = ids.iter().map(|id| store.commit(intake(vec![ended(id)], &routes)));
        let outcomes = futures::future::join_all(commits).await;
        for (id, outcome) in ids.iter().zip(outcomes) {
            assert_eq!(outcome.is_err(), id == "bad", "{id}");
        }
        assert_eq!(store.last_seq("acme").await.unwrap(), 49);
        assert_eq!(store.record_of("acme", &subject("bad")).await.unwrap(), None);
    }

    async fn what_the_database_cannot_hold_comes_back_all_the_same(bench) {
        let store = bench.open().await;
        let odd = "\0 \u{1f600} \u{f8fe}0 \\u0000 \"quoted\" \u{10ffff} \u{7f}";
        let call = Call { notes: Some(odd.into()), ..full("+34 600", "10\u{0}01", odd) };
        let bodies: [&[u8]; 5] = [
            br#"{"text":"a\u0000b \ud83d\ude00"}"#,
            br#"{"text":"\ud800"}"#,
            b"\0\xff\xfe not text",
            br#"{"n":1e400000,"m":1e-400000}"#,
            &[b'['; 10_000],
        ];
        for (n, body) in bodies.iter().enumerate() {
            let raw = Raw {
                method: "POST".into(),
                path: odd.into(),
                headers: vec![("x-odd".into(), odd.into())],
                body: body.to_vec(),
                digest: None,
            };
            let verdict = Verdict::Refused { kind: "malformed".into(), field: odd.into(), why: odd.into() };
            let observations = vec![seen(&format!("{odd}{n}"), 1, call.clone())];
            let intake =
                Intake { raw: Some(raw.clone()), verdict: verdict.clone(), ..intake(observations, &to("crm")) };
            let committed = store.commit(intake).await.unwrap();
            let (row, kept) = store.raw("acme", committed.intake).await.unwrap().unwrap();
            assert_eq!((row.verdict, kept), (verdict, raw));
            let record = store.record("acme", committed.records[0]).await.unwrap().unwrap();
            let Item::Call(kept) = record.item else { panic!("a call") };
            assert_eq!(kept.notes.as_deref(), Some(odd));
            assert_eq!(record.subject.id, format!("{odd}{n}"));
            let page = store.events_since("acme", committed.events[0].seq - 1, 1, &EventFilter::default()).await.unwrap();
            assert_eq!(page.events[0], committed.events[0]);
        }
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), bodies.len());
        let mut end = finished(&claimed[0], done(odd));
        end.attempt.as_mut().unwrap().why = odd.into();
        end.attempt.as_mut().unwrap().exchanges = serde_json::to_string(&[odd]).unwrap();
        store.finish(vec![end]).await.unwrap();
        let (delivery, attempts) = store.delivery("acme", claimed[0].delivery).await.unwrap().unwrap();
        assert_eq!(delivery.external_id.as_deref(), Some(odd));
        assert_eq!((attempts[0].why.as_str(), &attempts[0].exchanges), (odd, &serde_json::json!([odd])));
    }

    async fn the_body_can_be_asked_for_in_postgres(bench) {
        if !bench.is_postgres() {
            return;
        }
        let store = bench.open().await;
        for body in [br#"{"call_uuid":"x1","n":1}"#.as_slice(), b"plain", br#"{"call_uuid":"\u0000"}"#] {
            let raw = Raw { body: body.to_vec(), ..Raw::default() };
            store.commit(Intake { raw: Some(raw), ..intake(Vec::new(), &to("crm")) }).await.unwrap();
        }
        let rows = store.db().fetch("select json ->> 'call_uuid' from intake order by id", []).await.unwrap();
        let found: Vec<_> = rows.iter().map(|row| row.opt_text(0).unwrap()).collect();
        assert_eq!(found, [Some("x1".into()), None, None]);
    }

    async fn refusals_are_listed_and_replayed(bench) {
        let store = bench.open().await;
        let refused = Verdict::Refused { kind: "malformed".into(), field: "/start_time".into(), why: "no time".into() };
        let raw = Raw { body: b"raw".to_vec(), ..Raw::default() };
        let routes = to("crm");
        for verdict in [Verdict::Accepted, refused.clone(), Verdict::Ignored { why: "a ping".into() }] {
            store.commit(Intake { raw: Some(raw.clone()), verdict, ..intake(Vec::new(), &routes) }).await.unwrap();
        }
        let filter = IntakeFilter { verdict: Some("refused".into()), ..IntakeFilter::default() };
        let list = store.intake("acme", &filter, None, 10).await.unwrap();
        assert_eq!((list.items.len(), &list.items[0].verdict), (1, &refused));

        let replay = Intake {
            raw: Some(raw.clone()),
            replays: Some(list.items[0].id),
            ..intake(vec![ended("late")], &routes)
        };
        let committed = store.commit(replay).await.unwrap();
        assert_eq!((committed.intake, committed.events.len()), (list.items[0].id, 1));
        assert!(store.intake("acme", &filter, None, 10).await.unwrap().items.is_empty());
        let (row, kept) = store.raw("acme", committed.intake).await.unwrap().unwrap();
        assert_eq!((row.verdict, kept), (Verdict::Accepted, raw));
        assert!(row.replayed_at.is_some());

        let missing = Intake { replays: Some(999), ..intake(vec![ended("nothing")], &routes) };
        assert!(matches!(store.commit(missing).await, Err(StoreError::Missing("intake"))));
        assert_eq!(store.record_of("acme", &subject("nothing")).await.unwrap(), None);

        let first = store.intake("acme", &IntakeFilter::default(), None, 2).await.unwrap();
        let rest = store.intake("acme", &IntakeFilter::default(), first.next.as_deref(), 2).await.unwrap();
        let ids: Vec<i64> = first.items.iter().chain(&rest.items).map(|row| row.id).collect();
        assert_eq!((ids, rest.next), (vec![3, 2, 1], None));
    }

    async fn what_takes_effect_once_is_known_when_it_comes_again(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let job = |id: &str| Job { id: id.into(), kind: "look".into(), parameters: "{}".into(), ..Job::default() };
        let start = Instant::from_millis(1_700_000_000_000).unwrap();
        let hour = Duration::from_secs(3600);
        let request = |observation: Observation, body: u8, at: Instant| Intake {
            raw: Some(Raw { body: vec![body], digest: Some([body; 32]), ..Raw::default() }),
            received_at: at,
            jobs: vec![job("first")],
            once: Some(Once { within: hour * 2, again: vec![job("again")] }),
            ..intake(vec![observation], &routes)
        };
        let jobs = async || {
            let jobs = store.jobs("acme", None).await.unwrap();
            jobs.into_iter().map(|row| row.job.id).collect::<HashSet<_>>()
        };
        let first = store.commit(request(ringing("a"), 1, start)).await.unwrap();
        assert_eq!((first.repeats, first.events.len()), (None, 1));
        assert_eq!(jobs().await, ["first".to_owned()].into());

        // The same body, whatever else is said of it.
        let again = store.commit(request(ended("a"), 1, start.after(hour))).await.unwrap();
        assert_eq!((again.repeats, again.events.len()), (Some(start), 0));
        assert_eq!(jobs().await, ["first".to_owned(), "again".to_owned()].into());
        let (row, _) = store.raw("acme", again.intake).await.unwrap().unwrap();
        assert!(matches!(&row.verdict, Verdict::Ignored { why } if why.contains("2023-11-14T22:13:20.000Z")), "{row:?}");

        // Another body, another source, another tenant; one that makes nothing of it; a person who replays it.
        let fresh = async |intake: Intake| {
            let committed = store.commit(intake).await.unwrap();
            assert_eq!((committed.repeats, committed.events.len()), (None, 1));
        };
        fresh(request(ringing("b"), 2, start)).await;
        fresh(Intake { source: "other".into(), ..request(ringing("a"), 1, start) }).await;
        fresh(Intake { tenant: "other".into(), ..request(ringing("a"), 1, start) }).await;
        fresh(Intake { once: None, ..request(ringing("c"), 1, start) }).await;
        fresh(Intake { raw: None, replays: Some(again.intake), ..request(ringing("d"), 1, start) }).await;

        // The time counts from what was accepted, not from a repeat.
        let late = store.commit(request(ended("a"), 1, start.after(hour * 2))).await.unwrap();
        assert_eq!((late.repeats, late.events.len()), (None, 1));

        // Within one batch, and of several at once one alone.
        let all = (0..8).map(|_| store.commit(request(ringing("e"), 3, start)));
        let all = futures::future::join_all(all).await;
        let taken = all.iter().filter(|one| one.as_ref().unwrap().repeats.is_none()).count();
        assert_eq!(taken, 1);
    }

    async fn what_was_committed_outlives_a_crash(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].attempt), (1, 1));
        // No close: as if it had been killed.
        drop(store);
        let store = loop {
            match bench.try_open().await {
                Ok(store) => break store,
                Err(StoreError::Locked(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(why) => panic!("{why}"),
            }
        };
        assert_eq!(store.commit(intake(vec![ringing("a")], &routes)).await.unwrap().duplicates, 1);
        assert_eq!(store.commit(intake(vec![ended("a")], &routes)).await.unwrap().events[0].seq, 2);
        let again = store.claim(&lane(), 10, LEASE).await.unwrap();
        if bench.is_postgres() {
            // Other nodes may live: the lease has to end first.
            assert!(again.is_empty());
        } else {
            assert_eq!((again.len(), again[0].attempt), (1, 2));
            assert_eq!(store.finish(vec![finished(&claimed[0], done("x"))]).await.unwrap(), [Settled::Lost]);
        }
    }

    async fn a_second_hub_is_told_so(bench) {
        let store = bench.open().await;
        match (bench.try_open().await, bench.is_postgres()) {
            (Ok(_), true) => {}
            (Err(why @ StoreError::Locked(_)), false) => assert!(why.to_string().contains("another hub")),
            (other, _) => panic!("{:?}", other.err()),
        }
        store.close().await;
        let refused = store.commit(intake(Vec::new(), &to("crm"))).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }

    async fn tables_of_a_newer_program_are_left_alone(bench) {
        let store = bench.open().await;
        let sql = "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
             values (9999, 'from the future', current_timestamp, true, $1, 0)";
        store.db().execute(sql, [vec![0_u8].into()]).await.unwrap();
        store.close().await;
        drop(store);
        assert!(matches!(bench.try_open().await, Err(StoreError::Newer(9999))));
    }
}

#[test]
fn what_is_no_store_is_said_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for url in ["mysql://x", "nothing", "sqlite:", "sqlite::memory:"] {
        let outcome = runtime.block_on(Store::open(url, Options::default()));
        assert!(matches!(outcome, Err(StoreError::Address(_))), "{url}");
    }
    let nobody = "postgres://nobody:hush@127.0.0.1:1/none";
    let why = runtime.block_on(Store::open(nobody, Options::default())).err().unwrap();
    assert!(matches!(why, StoreError::Unavailable(_)), "{why}");
    assert!(!why.to_string().contains("hush"));
}
