//! How a delivery stands after each end of a claim and each new want.

use super::*;

async fn only(store: &Store) -> Delivery {
    let mut page = store.deliveries("acme", &DeliveryFilter::default(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    page.items.remove(0)
}

async fn claim(store: &Store) -> Claimed {
    store.claim(&lane(), 1, LEASE).await.unwrap().pop().expect("something due")
}

async fn finish(store: &Store, claimed: &Claimed, end: End) -> Settled {
    store.finish(vec![finished(claimed, end)]).await.unwrap()[0]
}

fn popups() -> Arc<dyn Routes> {
    Arc::new(Popups)
}

fn released(asked: bool) -> End {
    End::Released { at: None, why: Some("the lane waits".into()), asked }
}

fn stale() -> End {
    End::Stale { why: "nobody rings any more".into() }
}

both! {
    async fn a_failure_waits_and_counts(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        let later = Instant::now().after(Duration::from_millis(500));
        let end = End::Retry { at: later, why: "503".into() };
        assert_eq!(finish(&store, &claim(&store).await, end).await, Settled::Noted);
        let stands = only(&store).await;
        assert_eq!((stands.state, stands.attempts, stands.next_at), (State::Due, 1, later));
        assert_eq!(stands.reason.as_deref(), Some("503"));
        // A change while it waits does not hurry it.
        store.commit(intake(vec![ended("a")], &routes)).await.unwrap();
        assert_eq!(store.next_due(&lane()).await.unwrap(), Some(later));
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(600)).await;
        let again = claim(&store).await;
        assert_eq!((again.attempt, again.revision), (2, 2));
        // What is released was no try.
        finish(&store, &again, released(false)).await;
        assert_eq!(claim(&store).await.attempt, 2);
    }

    async fn what_may_have_been_carried_out_is_never_a_first_try(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        let first = claim(&store).await;
        assert_eq!(first.attempt, 1);
        finish(&store, &first, released(false)).await;
        let mut again = claim(&store).await;
        assert_eq!(again.attempt, 1, "nobody was asked");
        // The lane waits because of an answer that never came: no try is spent, and the next one is told to look.
        for _ in 0..3 {
            finish(&store, &again, released(true)).await;
            again = claim(&store).await;
            assert_eq!(again.attempt, 2);
        }
        finish(&store, &again, End::Parked { why: "given up".into() }).await;
        assert_eq!(store.retry("acme", &DeliveryFilter::default()).await.unwrap(), 1);
        let by_hand = claim(&store).await;
        assert_eq!(by_hand.attempt, 2, "a person's retry does not undo what was carried out");
        store.commit(intake(vec![ended("a")], &routes)).await.unwrap();
        assert_eq!(finish(&store, &by_hand, End::Parked { why: "refused".into() }).await, Settled::Again);
        let changed = claim(&store).await;
        assert_eq!((changed.attempt, changed.revision), (2, 2));
        finish(&store, &changed, done("x")).await;
        store.commit(intake(vec![seen("a", 3, Call { notes: Some("n".into()), ..Call::default() })], &routes)).await.unwrap();
        assert_eq!(claim(&store).await.attempt, 1, "what is done is known by its id");
    }

    async fn what_waited_is_recalled_in_the_order_in_which_it_was_owed(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        for id in ["a", "b", "c", "d"] {
            store.commit(intake(vec![ringing(id)], &routes)).await.unwrap();
        }
        let later = Instant::now().after(Duration::from_millis(300));
        for claimed in store.claim(&lane(), 3, LEASE).await.unwrap() {
            let why = "503".to_owned();
            let end = match claimed.subject.id.as_str() {
                "a" => End::Retry { at: later.after(Duration::from_millis(100)), why },
                "b" => End::Released { at: Some(later), why: Some(why), asked: true },
                _ => End::Parked { why },
            };
            finish(&store, &claimed, end).await;
        }
        // What is given back has its old place.
        let first = claim(&store).await;
        assert_eq!(first.subject.id, "d");
        finish(&store, &first, released(false)).await;
        store.recall(&lane()).await.unwrap();
        let again = claim(&store).await;
        assert_eq!(again.subject.id, "d", "what waits goes on waiting");
        finish(&store, &again, released(false)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        store.recall(&lane()).await.unwrap();
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(claim(&store).await.subject.id);
        }
        assert_eq!(order, ["a", "b", "d"]);
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty(), "what is parked is not recalled");
    }

    async fn what_is_parked_waits_for_a_person_or_a_change(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let parked = || End::Parked { why: "no such module".into() };
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        finish(&store, &claim(&store).await, parked()).await;
        let stands = only(&store).await;
        assert_eq!((stands.state, stands.reason.as_deref()), (State::Parked, Some("no such module")));
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty());
        let elsewhere = DeliveryFilter { sink: Some("other".into()), ..DeliveryFilter::default() };
        assert_eq!(store.retry("acme", &elsewhere).await.unwrap(), 0);
        assert_eq!(store.retry("other", &DeliveryFilter::default()).await.unwrap(), 0);
        assert_eq!(store.retry("acme", &DeliveryFilter::default()).await.unwrap(), 1);
        let again = claim(&store).await;
        assert_eq!(again.attempt, 2);
        assert_eq!(store.retry("acme", &DeliveryFilter::default()).await.unwrap(), 0, "a worker has it");
        finish(&store, &again, parked()).await;
        store.commit(intake(vec![ended("a")], &routes)).await.unwrap();
        let changed = claim(&store).await;
        assert_eq!((changed.attempt, changed.revision), (2, 2));
        finish(&store, &changed, done("x")).await;
        // One that is done is delivered again only when it is named.
        assert_eq!(store.retry("acme", &DeliveryFilter::default()).await.unwrap(), 0);
        let named = DeliveryFilter { id: Some(changed.delivery), state: Some(State::Done), ..DeliveryFilter::default() };
        assert_eq!(store.retry("acme", &named).await.unwrap(), 1);
        assert_eq!(claim(&store).await.external_id.as_deref(), Some("x"));
    }

    async fn a_person_parks_what_a_worker_has(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &to("crm"))).await.unwrap();
        let held = claim(&store).await;
        assert!(store.park("acme", held.delivery, "by hand").await.unwrap());
        assert!(!store.park("acme", held.delivery, "twice").await.unwrap());
        assert!(!store.park("other", held.delivery, "not theirs").await.unwrap());
        assert_eq!(finish(&store, &held, done("x")).await, Settled::Lost);
        assert_eq!(only(&store).await.state, State::Parked);
    }

    async fn a_popup_passes_and_the_end_is_for_good(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &popups())).await.unwrap();
        let popup = claim(&store).await;
        assert_eq!(popup.holds.as_deref(), Some("call.phase == 'ringing'"));
        assert_eq!(popup.expires_at, Instant::from_millis(1_700_000_020_000));
        assert_eq!(finish(&store, &popup, stale()).await, Settled::Noted);
        assert_eq!(only(&store).await.state, State::Stale);
        store.commit(intake(vec![ended("a")], &popups())).await.unwrap();
        let end = claim(&store).await;
        assert_eq!((end.holds.as_deref(), end.expires_at, end.attempt), (None, None, 1));
        finish(&store, &end, done("x")).await;
        assert_eq!(only(&store).await.state, State::Done);
    }

    async fn the_end_makes_a_waiting_popup_lasting(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &popups())).await.unwrap();
        let popup = claim(&store).await;
        store.commit(intake(vec![ended("a")], &popups())).await.unwrap();
        // The popup's moment has passed, the duty that came meanwhile has not.
        assert_eq!(finish(&store, &popup, stale()).await, Settled::Again);
        let end = claim(&store).await;
        assert_eq!((end.holds.as_deref(), end.revision), (None, 2));
    }

    async fn a_popup_does_not_take_back_a_duty(bench) {
        let store = bench.open().await;
        let lasting = to("crm");
        store.commit(intake(vec![ringing("a")], &lasting)).await.unwrap();
        let more = Call { notes: Some("more".into()), ..at(CallPhase::Ringing) };
        store.commit(intake(vec![seen("a", 2, more)], &popups())).await.unwrap();
        let held = claim(&store).await;
        assert_eq!((held.holds.as_deref(), held.wanted), (None, 2));
        finish(&store, &held, End::Parked { why: "refused".into() }).await;
        let other = Call { notes: Some("other".into()), ..at(CallPhase::Ringing) };
        store.commit(intake(vec![seen("a", 3, other)], &popups())).await.unwrap();
        let stands = only(&store).await;
        assert_eq!((stands.state, stands.holds.as_deref(), stands.wanted), (State::Parked, None, 3));
        // In one batch the lasting want wins, whatever its place.
        store.commit(intake(vec![ringing("b"), ended("b")], &popups())).await.unwrap();
        let both = claim(&store).await;
        assert_eq!((both.subject.id.as_str(), both.holds.as_deref()), ("b", None));
    }

    async fn nothing_to_do_is_done(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &to("crm"))).await.unwrap();
        finish(&store, &claim(&store).await, End::Skipped("internal calls are not kept there".into())).await;
        let stands = only(&store).await;
        assert_eq!((stands.state, stands.done, stands.external_id), (State::Done, 1, None));
        assert_eq!(stands.reason.as_deref(), Some("internal calls are not kept there"));
    }

    async fn a_receipt_is_kept(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &to("crm"))).await.unwrap();
        let receipt = Receipt {
            external_id: Some("48x7".into()),
            url: Some("https://crm.example/48x7".into()),
            shortened: vec!["the link was cut".into()],
            memo: vec![0, 255, 1],
        };
        finish(&store, &claim(&store).await, End::Done(receipt)).await;
        let stands = only(&store).await;
        assert_eq!((stands.url.as_deref(), stands.shortened.len()), (Some("https://crm.example/48x7"), 1));
        // A failure later keeps what is known over there.
        store.commit(intake(vec![ended("a")], &to("crm"))).await.unwrap();
        let held = claim(&store).await;
        assert_eq!(held.memo, [0, 255, 1]);
        finish(&store, &held, End::Retry { at: Instant::now(), why: "later".into() }).await;
        assert_eq!(claim(&store).await.external_id.as_deref(), Some("48x7"));
    }

    async fn lanes_are_counted(bench) {
        let store = bench.open().await;
        let ids = ["a", "b", "c", "d"];
        store.commit(intake(ids.iter().map(|id| ringing(id)).collect(), &to("crm"))).await.unwrap();
        let ends = [done("x"), End::Parked { why: "no".into() }, stale()];
        // A duty that lasts does not go stale: it stays due.
        for (claimed, end) in store.claim(&lane(), 3, LEASE).await.unwrap().iter().zip(ends) {
            finish(&store, claimed, end).await;
        }
        store.commit(intake(vec![ringing("p")], &popups())).await.unwrap();
        let all = store.claim(&lane(), 10, LEASE).await.unwrap();
        let popup = all.iter().find(|claimed| claimed.subject.id == "p").unwrap();
        finish(&store, popup, stale()).await;
        let lanes = store.lanes(None).await.unwrap();
        let LaneSummary { lane: of, due, parked, stale, done, oldest_due } = lanes[0].clone();
        assert_eq!((of, due, parked, stale, done), (lane(), 2, 1, 1, 1));
        assert!(oldest_due.unwrap() <= Instant::now());
        assert!(store.lanes(Some("other")).await.unwrap().is_empty());
        let parked = DeliveryFilter { state: Some(State::Parked), ..DeliveryFilter::default() };
        assert_eq!(store.deliveries("acme", &parked, None, 10).await.unwrap().items.len(), 1);
    }
}
