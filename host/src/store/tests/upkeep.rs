//! Jobs, grants, leases, commands, retention.

use super::*;
use crate::model::Session;
use crate::model::session::Pairing;

fn job(id: &str) -> Job {
    Job { id: id.into(), kind: "sync".into(), parameters: r#"{"from":"2026-01-01"}"#.into(), ..Job::default() }
}

fn page(claimed: &ClaimedJob, next: Option<&[u8]>) -> PageDone {
    PageDone {
        claim: claimed.claim,
        job: claimed.job.id.clone(),
        next: next.map(<[u8]>::to_vec),
        next_at: Instant::now(),
        progress: vec![Progress {
            stage: "contacts".into(),
            rows: Kind::Contact,
            processed: 10,
            total: Some(20),
            created: 0,
            updated: 0,
            errors: 0,
        }],
    }
}

fn grant(token: &str) -> Grant {
    Grant {
        token: token.into(),
        expires_at: Instant::from_millis(1_800_000_000_000),
        attributes: vec![("account".into(), "integrator".into())],
    }
}

both! {
    async fn a_job_is_read_page_by_page(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let start = Intake { jobs: vec![job("full"), job("full")], ..intake(vec![ringing("a")], &routes) };
        store.commit(start).await.unwrap();
        assert!(!store.start_job("acme", "pbx", &job("full")).await.unwrap());

        let first = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!((first.cursor.as_deref(), &first.job, first.attempt), (None, &job("full"), 1));
        assert!(store.claim_job("acme", "pbx", LEASE).await.unwrap().is_none());
        let with_page = |claimed: &ClaimedJob, next: Option<&[u8]>, id: &str| Intake {
            page: Some(page(claimed, next)),
            ..intake(vec![ringing(id)], &routes)
        };
        store.commit(with_page(&first, Some(b"\0cursor\xff"), "b")).await.unwrap();
        // The same page again, by a worker that has lost its claim: nothing of it is stored.
        let lost = store.commit(with_page(&first, Some(b"other"), "lost")).await;
        assert!(matches!(lost, Err(StoreError::Lost(_))));
        assert_eq!(store.record_of("acme", &subject("lost")).await.unwrap(), None);

        let second = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!(second.cursor.as_deref(), Some(b"\0cursor\xff".as_slice()));
        assert!(store.renew_job(&second, LEASE).await.unwrap());
        assert!(store.fail_job(&second, "timeout", Some(Instant::now())).await.unwrap());
        assert!(!store.fail_job(&second, "timeout", None).await.unwrap());
        let third = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!((third.attempt, third.cursor), (2, second.cursor));
        let third = ClaimedJob { cursor: None, ..third };
        store.commit(with_page(&third, None, "c")).await.unwrap();
        assert!(store.claim_job("acme", "pbx", LEASE).await.unwrap().is_none());
        assert_eq!(store.next_page("acme", "pbx").await.unwrap(), None);
        let row = store.jobs("acme", None).await.unwrap().remove(0);
        assert_eq!((row.state, row.progress[0].processed), (JobState::Done, 10));

        let again = |anew| Job { anew: Some(anew), ..job("full") };
        assert!(!store.start_job("acme", "pbx", &job("full")).await.unwrap(), "once is enough");
        assert!(!store.start_job("acme", "pbx", &again(row.started_at)).await.unwrap(), "it was begun since");
        assert!(store.start_job("acme", "pbx", &again(Instant::now().after(LEASE))).await.unwrap());
        let anew = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!((anew.cursor.as_deref(), anew.attempt), (None, 1));
        store.fail_job(&anew, "no such account", None).await.unwrap();
        assert_eq!(store.jobs("acme", None).await.unwrap()[0].why.as_deref(), Some("no such account"));
    }

    async fn a_job_that_is_started_beside_its_last_page_is_not_over(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.start_job("acme", "pbx", &job("repair")).await.unwrap();
        let claimed = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        let later = Job { parameters: r#"{"from":"2026-02-02"}"#.into(), ..job("repair") };
        // The first is committed alone; what comes meanwhile is committed together.
        let first = store.commit(intake(vec![ringing("a")], &routes));
        let start = store.commit(Intake { jobs: vec![later.clone()], ..intake(vec![ringing("b")], &routes) });
        let last = store.commit(Intake { page: Some(page(&claimed, None)), ..intake(vec![ringing("c")], &routes) });
        let (first, start, _) = tokio::join!(first, start, last);
        assert!(first.is_ok() && start.is_ok());
        let again = store.claim_job("acme", "pbx", LEASE).await.unwrap();
        assert_eq!(again.map(|claimed| claimed.job.parameters), Some(later.parameters), "what was asked for is read");
    }

    async fn a_lost_page_does_not_fail_its_neighbours(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let ghost = ClaimedJob {
            tenant: "acme".into(),
            source: "pbx".into(),
            job: job("ghost"),
            cursor: None,
            attempt: 1,
            claim: 1,
        };
        let commits = (0..20).map(|n| {
            let page = (n == 7).then(|| page(&ghost, None));
            store.commit(Intake { page, ..intake(vec![ringing(&format!("c{n}"))], &routes) })
        });
        let outcomes = futures::future::join_all(commits).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
        assert_eq!(store.last_seq("acme").await.unwrap(), 19);
    }

    async fn grants_are_sealed(bench) {
        let store = bench.open().await;
        assert_eq!(store.grant("acme", "crm").await.unwrap(), None);
        store.put_grant("acme", "crm", &grant("tok-SECRET-1")).await.unwrap();
        store.put_grant("acme", "crm", &grant("tok-SECRET-2")).await.unwrap();
        assert_eq!(store.grant("acme", "crm").await.unwrap(), Some(grant("tok-SECRET-2")));
        assert!(!format!("{:?}", grant("tok-SECRET-3")).contains("SECRET"));

        let rows = store.db().fetch("select sealed from grant_", []).await.unwrap();
        let sealed = rows[0].opt_bytes(0).unwrap().unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"SECRET"));
        // Another tenant's row does not open here.
        let copy = "insert into grant_ select 'other', use_, sealed, expires_at, updated_at from grant_";
        store.db().execute(copy, []).await.unwrap();
        assert!(matches!(store.grant("other", "crm").await, Err(StoreError::Sealed)));
        store.close().await;
        drop(store);
        for file in std::fs::read_dir(bench.folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|bytes| bytes == b"SECRET"));
        }

        let store = bench.open().await;
        assert_eq!(store.grant("acme", "crm").await.unwrap(), Some(grant("tok-SECRET-2")));
        store.close().await;
        drop(store);
        let other_key = Options { key: Some([1; 32]), ..bench.options() };
        let store = Store::open(&bench.url, other_key).await.unwrap();
        assert!(matches!(store.grant("acme", "crm").await, Err(StoreError::Sealed)));
        store.drop_grant("acme", "crm").await.unwrap();
        assert_eq!(store.grant("acme", "crm").await.unwrap(), None);
    }

    async fn the_key_file_is_its_owners_alone(bench) {
        let store = bench.open().await;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(bench.folder.path().join("grants.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        store.close().await;
        drop(store);
        std::fs::write(bench.folder.path().join("grants.key"), "short").unwrap();
        let why = bench.try_open().await.err().unwrap().to_string();
        assert!(why.contains("grants.key") && why.contains("64 hex digits"), "{why}");
    }

    async fn one_logs_in_at_a_time(bench) {
        let store = bench.open().await;
        let second = if bench.is_postgres() { bench.open().await } else { store.clone() };
        let inside = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let (store, inside) = (if n % 2 == 0 { store.clone() } else { second.clone() }, inside.clone());
            tasks.spawn(async move {
                let lease = store.grant_lock("acme", "crm", LEASE).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::time::sleep(Duration::from_millis(5)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                if n % 3 == 0 {
                    drop(lease);
                } else {
                    lease.release().await.unwrap();
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    }

    async fn a_right_ends_by_its_time(bench) {
        let store = bench.open().await;
        let held = store.lease("connection:acme:ami", Duration::from_millis(400)).await.unwrap().unwrap();
        assert!(store.lease("connection:acme:ami", LEASE).await.unwrap().is_none());
        assert!(store.lease("connection:acme:other", LEASE).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(450)).await;
        let taken = store.lease("connection:acme:ami", LEASE).await.unwrap().unwrap();
        assert!(!held.renew(LEASE).await.unwrap());
        held.release().await.unwrap();
        assert!(taken.renew(LEASE).await.unwrap());
    }

    async fn a_command_is_carried_out_once(bench) {
        let store = bench.open().await;
        let begin = async |key: &str, request: &str| {
            store.begin_command("acme", key, "pbx", "call.originate", request).await.unwrap()
        };
        assert_eq!(begin("k1", "{\"to\":1}").await, Begun::New);
        let Begun::Before(row) = begin("k1", "{\"to\":1}").await else { panic!("asked before") };
        assert_eq!((row.state, row.answer), (CommandState::Running, None));
        assert!(matches!(begin("k1", "{\"to\":2}").await, Begun::Clash(_)));
        store.end_command("acme", "k1", CommandState::Unknown, Some("{}")).await.unwrap();
        let row = store.command("acme", "k1").await.unwrap().unwrap();
        assert_eq!((row.state, row.answer.as_deref()), (CommandState::Unknown, Some("{}")));
        assert_eq!(store.command("other", "k1").await.unwrap(), None);
        store.end_command("acme", "k1", CommandState::Done, None).await.unwrap();
        assert_eq!(store.command("acme", "k1").await.unwrap().unwrap().state, CommandState::Unknown, "it has ended");
    }

    async fn a_command_that_nobody_carries_out_any_more_is_unknown(bench) {
        let store = bench.open().await;
        store.begin_command("acme", "k1", "pbx", "call.originate", "{}").await.unwrap();
        store.begin_command("acme", "k2", "pbx", "call.hangup", "{}").await.unwrap();
        store.end_command("acme", "k2", CommandState::Done, Some("{}")).await.unwrap();
        assert_eq!(store.abandon_commands(LEASE).await.unwrap(), 0, "still under way");
        let long = Duration::from_millis(500);
        tokio::time::sleep(long).await;
        store.hold_command("acme", "k1").await.unwrap();
        assert_eq!(store.abandon_commands(long).await.unwrap(), 0, "somebody has just said so");
        if bench.is_postgres() {
            assert_eq!(store.abandon_commands(Duration::ZERO).await.unwrap(), 1);
        } else {
            store.close().await;
            drop(store);
        }
        let store = bench.open().await;
        let state = async |key: &str| store.command("acme", key).await.unwrap().unwrap().state;
        assert_eq!((state("k1").await, state("k2").await), (CommandState::Unknown, CommandState::Done));
    }

    async fn calls_that_have_not_ended_are_found_by_their_source(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let at = |phase, minutes: u64| {
            let started_at = Some(Instant::now().before(Duration::from_secs(60 * minutes)));
            Item::Call(Call { phase: Some(phase), started_at, ..Call::default() })
        };
        for (id, item) in [
            ("rings", at(CallPhase::Ringing, 1)),
            ("talks", at(CallPhase::Answered, 2)),
            ("over", at(CallPhase::Ended, 3)),
            ("old", at(CallPhase::Answered, 600)),
        ] {
            let sighting = Observation { id: id.into(), also: vec![], at: None, trust: Trust::Reported, item };
            store.commit(intake(vec![sighting.clone()], &routes)).await.unwrap();
            store.commit(Intake { source: "other".into(), ..intake(vec![sighting], &routes) }).await.unwrap();
        }
        let found = async |since: u64, limit: u32| {
            let since = Instant::now().before(Duration::from_secs(60 * since));
            let source = intake(vec![], &routes).source;
            let records = store.open_calls("acme", &source, since, limit).await.unwrap();
            records.into_iter().map(|record| record.subject.id).collect::<Vec<_>>()
        };
        assert_eq!(found(60, 10).await, ["rings", "talks"]);
        assert_eq!(found(60, 1).await, ["rings"]);
        assert_eq!(found(900, 10).await, ["rings", "talks", "old"]);
    }

    async fn what_is_past_its_time_goes(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let long_ago = Instant::now().before(Duration::from_secs(30 * 86_400));
        for (n, received_at) in (0..10).map(|n| (n, if n < 6 { long_ago } else { Instant::now() })) {
            let raw = Some(Raw { body: b"x".to_vec(), ..Raw::default() });
            let intake = intake(vec![ended(&format!("c{n}"))], &routes);
            store.commit(Intake { raw, received_at, ..intake }).await.unwrap();
        }
        for claimed in store.claim(&lane(), 5, LEASE).await.unwrap() {
            let mut end = finished(&claimed, done("x"));
            end.attempt.as_mut().unwrap().at = long_ago;
            store.finish(vec![end]).await.unwrap();
        }
        store.begin_command("acme", "k", "pbx", "call.hangup", "{}").await.unwrap();
        let day = Some(Duration::from_secs(86_400));
        let none = store.sweep("acme", &Retention::default(), 100).await.unwrap();
        assert_eq!(none, Swept::default());
        let all = Retention {
            intake: day, events: day, attempts: day, deliveries: day, records: day, commands: day, jobs: day,
        };
        assert_eq!(store.sweep("other", &all, 100).await.unwrap(), Swept::default());
        let first = store.sweep("acme", &all, 4).await.unwrap();
        assert_eq!((first.intake, first.events, first.attempts), (4, 4, 4));
        assert!(first.is_full(4));
        let second = store.sweep("acme", &all, 4).await.unwrap();
        assert_eq!((second.intake, second.events, second.attempts), (2, 2, 1));
        // Of the old records, the one that is still owed to a sink stays.
        let records = first.records + second.records + store.sweep("acme", &all, 4).await.unwrap().records;
        assert_eq!(records, 5);
        assert!(store.record_of("acme", &subject("c5")).await.unwrap().is_some());
        assert!(store.record_of("acme", &subject("c0")).await.unwrap().is_none());
        assert_eq!(store.deliveries("acme", &DeliveryFilter::default(), None, 100).await.unwrap().items.len(), 5);
        assert_eq!(store.intake("acme", &IntakeFilter::default(), None, 100).await.unwrap().items.len(), 4);
        // Numbers are never given twice, whatever was removed.
        let none = Retention { events: Some(Duration::ZERO), intake: Some(Duration::ZERO), ..Retention::default() };
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.sweep("acme", &none, 100).await.unwrap();
        let next = store.commit(intake(vec![ended("next")], &routes)).await.unwrap();
        assert_eq!((next.events[0].seq, next.records[0]), (11, 11));
    }

    async fn deliveries_commands_and_jobs_that_are_over_go(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        for id in ["done", "parked", "young", "owed"] {
            store.commit(intake(vec![ended(id)], &routes)).await.unwrap();
        }
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        for one in claimed.iter().filter(|one| one.subject.id != "owed") {
            let end = if one.subject.id == "parked" { End::Parked { why: "no".into() } } else { done(&one.subject.id) };
            store.finish(vec![finished(one, end)]).await.unwrap();
        }
        for key in ["old", "young"] {
            store.begin_command("acme", key, "pbx", "call.hangup", "{}").await.unwrap();
        }
        for id in ["read", "failed", "young", "runs"] {
            store.start_job("acme", "pbx", &job(id)).await.unwrap();
            if id == "runs" {
                continue;
            }
            let claimed = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
            if id == "failed" {
                store.fail_job(&claimed, "no such account", None).await.unwrap();
            } else {
                let page = Some(page(&claimed, None));
                store.commit(Intake { page, ..intake(vec![], &routes) }).await.unwrap();
            }
        }
        let all = Duration::from_secs(86_400);
        let all = Retention { deliveries: Some(all), commands: Some(all), jobs: Some(all), ..Retention::default() };
        assert_eq!(store.sweep("acme", &all, 10).await.unwrap(), Swept::default(), "none is so old");
        for sql in [
            "update delivery set since = 0 where record in (select id from record where subject <> 'young')",
            "update command set asked_at = 0 where key <> 'young'",
            "update pull set updated_at = 0 where id <> 'young'",
        ] {
            store.db().execute(sql, []).await.unwrap();
        }
        assert_eq!(store.sweep("other", &all, 10).await.unwrap(), Swept::default());
        let first = store.sweep("acme", &all, 1).await.unwrap();
        assert_eq!((first.deliveries, first.commands, first.jobs), (1, 1, 1), "a slice of each");
        let rest = store.sweep("acme", &all, 10).await.unwrap();
        assert_eq!((rest.deliveries, rest.commands, rest.jobs), (1, 0, 1));
        let left = store.deliveries("acme", &DeliveryFilter::default(), None, 10).await.unwrap().items;
        let mut left: Vec<_> = left.into_iter().map(|delivery| delivery.subject.id).collect();
        left.sort();
        assert_eq!(left, ["owed", "young"]);
        assert!(store.command("acme", "old").await.unwrap().is_none());
        assert!(store.command("acme", "young").await.unwrap().is_some());
        let mut left: Vec<_> = store.jobs("acme", None).await.unwrap().into_iter().map(|row| row.job.id).collect();
        left.sort();
        assert_eq!(left, ["runs", "young"]);
    }

    async fn a_code_for_pairing_is_told_and_not_kept(bench) {
        let store = bench.open().await;
        let mut codes = store.codes();
        let session = |state: &str, code: Option<(&str, Instant)>| Session {
            state: Some(state.into()),
            pairing: code.map(|(code, expires_at)| Pairing { expires_at, code: code.into() }),
            ..Session::default()
        };
        let sighting = |id: &str, session| Observation { item: Item::Session(session), at: None, ..ringing(id) };
        let soon = Instant::now().after(Duration::from_secs(60));
        let past = Instant::from_millis(1_700_000_000_000).unwrap();
        let post = |observations| Intake {
            raw: Some(Raw { method: "POST".into(), body: b"{\"qr\": \"code-new\"}".to_vec(), ..Raw::default() }),
            ..intake(observations, &to("crm"))
        };
        let new = store.commit(post(vec![sighting("new", session("pairing", Some(("code-new", soon))))])).await.unwrap();
        store.commit(post(vec![sighting("old", session("pairing", Some(("code-old", past))))])).await.unwrap();
        // One that comes after the session was connected, and was so before.
        store.commit(intake(vec![sighting("late", session("connected", None))], &to("crm"))).await.unwrap();
        let late = Observation {
            at: Some(past),
            ..sighting("late", session("pairing", Some(("code-late", soon))))
        };
        store.commit(post(vec![late])).await.unwrap();
        let told = codes.try_recv().unwrap();
        assert_eq!((told.session.as_str(), told.pairing.code.as_str()), ("new", "code-new"));
        assert!(codes.try_recv().is_err(), "a code that is of no use is not told");
        assert!(!serde_json::to_string(&*new.events[0]).unwrap().contains("code-"), "an event does not have it");
        let (row, raw) = store.raw("acme", new.intake).await.unwrap().unwrap();
        assert_eq!((row.size, raw.body.len()), (0, 0), "and neither has the intake");
        store.close().await;
        drop(store);
        for file in std::fs::read_dir(bench.folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(5).any(|bytes| bytes == b"code-"), "it is on no disk");
        }
    }

    async fn a_job_waits_for_its_session_and_goes_on_at_once_when_it_is_asked_again(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let state = |state: &str| {
            let record = Session { state: Some(state.into()), ..Session::default() };
            Observation { item: Item::Session(record), at: None, ..ringing("main") }
        };
        let sync = |parameters: &str| Job { session: Some("main".into()), parameters: parameters.into(), ..job("sync") };
        assert!(store.start_job("acme", "pbx", &sync("1")).await.unwrap());
        assert!(!store.start_job("acme", "pbx", &sync("1")).await.unwrap(), "it runs already");
        store.commit(intake(vec![state("disconnected")], &routes)).await.unwrap();
        assert!(store.claim_job("acme", "pbx", LEASE).await.unwrap().is_none(), "its session is away");
        assert!(store.jobs("acme", Some("pbx")).await.unwrap()[0].held);
        assert!(store.start_job("acme", "pbx", &job("other")).await.unwrap());
        let other = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!(other.job.id, "other", "it holds nobody else up");
        store.commit(intake(vec![state("connected")], &routes)).await.unwrap();
        let first = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        let rest = PageDone { next_at: Instant::now().after(LEASE), ..page(&first, Some(b"half")) };
        store.commit(Intake { page: Some(rest), ..intake(vec![], &routes) }).await.unwrap();
        assert!(store.claim_job("acme", "pbx", LEASE).await.unwrap().is_none(), "it rests");
        assert!(store.start_job("acme", "pbx", &sync("2")).await.unwrap());
        let second = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
        assert_eq!((second.cursor.as_deref(), second.job.parameters.as_str()), (Some(b"half".as_slice()), "2"));
        // Asked again in the middle of a page: that page is lost, and read again.
        assert!(store.start_job("acme", "pbx", &sync("3")).await.unwrap());
        let lost = store.commit(Intake { page: Some(page(&second, None)), ..intake(vec![], &routes) }).await;
        assert!(matches!(lost, Err(StoreError::Lost(_))));
        assert!(store.claim_job("acme", "pbx", LEASE).await.unwrap().is_some());
    }

    async fn a_stage_counts_what_is_new(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("known")], &routes)).await.unwrap();
        store.start_job("acme", "pbx", &job("all")).await.unwrap();
        let stage = |stage: &str, rows, processed, errors| Progress {
            stage: stage.into(), rows, processed, total: None, created: 0, updated: 0, errors,
        };
        let turn = async |calls: [u32; 2], others: u32, next: Option<&[u8]>, observations: Vec<Observation>| {
            let claimed = store.claim_job("acme", "pbx", LEASE).await.unwrap().unwrap();
            let progress = vec![
                stage("calls", Kind::Call, calls[0], calls[1]), stage("others", Kind::Call, others, 0),
            ];
            let page = PageDone { progress, ..page(&claimed, next) };
            store.commit(Intake { page: Some(page), ..intake(observations, &routes) }).await.unwrap();
            let row = store.job("acme", "pbx", "all").await.unwrap().unwrap();
            row.progress.iter().map(|stage| (stage.created, stage.updated)).collect::<Vec<_>>()
        };
        let known = vec![ringing("known"), ringing("a")];
        assert_eq!(turn([3, 1], 0, Some(b"1"), known).await, [(1, 1), (0, 0)], "one known, one new, one of no use");
        assert_eq!(turn([3, 1], 1, Some(b"2"), vec![ringing("b")]).await, [(1, 1), (1, 0)]);
        assert_eq!(turn([1, 0], 0, None, vec![ringing("c")]).await, [(1, 0), (0, 0)], "another round");
    }
}
