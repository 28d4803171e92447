//! A delivery is in one pair of hands at a time.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;

both! {
    async fn never_in_two_hands(bench) {
        let store = bench.open().await;
        let second = if bench.is_postgres() { bench.open().await } else { store.clone() };
        let routes = to("crm");
        let calls = 200;
        for round in 0..2 {
            let seen = |n| if round == 0 { ringing(&format!("c{n}")) } else { answered(&format!("c{n}")) };
            store.commit(intake((0..calls).map(seen).collect(), &routes)).await.unwrap();
        }
        let held: Arc<Mutex<HashMap<i64, u32>>> = Arc::default();
        let mut workers = tokio::task::JoinSet::new();
        for worker in 0..8 {
            let store = if worker % 2 == 0 { store.clone() } else { second.clone() };
            let (held, routes) = (held.clone(), routes.clone());
            workers.spawn(async move {
                let mut idle = 0;
                while idle < 20 {
                    let claimed = store.claim(&lane(), 7, LEASE).await.unwrap();
                    if claimed.is_empty() {
                        idle += 1;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    }
                    for claimed in &claimed {
                        let mut held = held.lock().unwrap();
                        let count = held.entry(claimed.delivery).or_default();
                        assert_eq!(*count % 2, 0, "delivery {} in two hands", claimed.delivery);
                        *count += 1;
                    }
                    // The record changes while it is being delivered.
                    if worker == 3 {
                        let late = claimed.iter().map(|claimed| ended(&claimed.subject.id)).collect();
                        store.commit(intake(late, &routes)).await.unwrap();
                    }
                    tokio::task::yield_now().await;
                    for claimed in &claimed {
                        *held.lock().unwrap().get_mut(&claimed.delivery).unwrap() += 1;
                    }
                    let ends = claimed.iter().map(|claimed| finished(claimed, done("x"))).collect();
                    store.finish(ends).await.unwrap();
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker.unwrap();
        }
        assert_eq!(held.lock().unwrap().len(), calls);
        let lanes = store.lanes(Some("acme")).await.unwrap();
        assert_eq!((lanes[0].done, lanes[0].due), (calls as u64, 0));
        let page = store.deliveries("acme", &DeliveryFilter::default(), None, 1000).await.unwrap();
        for delivery in page.items {
            assert_eq!(delivery.done, store.record("acme", delivery.record).await.unwrap().unwrap().revision);
        }
    }

    async fn a_lost_lease_overwrites_nothing(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &to("crm"))).await.unwrap();
        let slow = store.claim(&lane(), 1, Duration::from_millis(400)).await.unwrap().pop().unwrap();
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(450)).await;
        let quick = store.claim(&lane(), 1, LEASE).await.unwrap().pop().unwrap();
        assert_eq!((quick.delivery, quick.attempt), (slow.delivery, 2));
        assert!(store.renew(&[(slow.delivery, slow.claim)], LEASE).await.unwrap().is_empty());
        assert_eq!(store.renew(&[(quick.delivery, quick.claim)], LEASE).await.unwrap(), [(quick.delivery, quick.claim)]);
        let late = finished(&slow, End::Parked { why: "too late".into() });
        assert_eq!(store.finish(vec![late]).await.unwrap(), [Settled::Lost]);
        assert_eq!(store.finish(vec![finished(&quick, done("x"))]).await.unwrap(), [Settled::Noted]);
        assert_eq!(store.finish(vec![finished(&quick, done("y"))]).await.unwrap(), [Settled::Lost]);
        let (delivery, attempts) = store.delivery("acme", slow.delivery).await.unwrap().unwrap();
        assert_eq!((delivery.state, delivery.external_id.as_deref()), (State::Done, Some("x")));
        assert_eq!(attempts.len(), 3, "what was tried is kept all the same");
        assert_eq!(attempts[1].exchanges, serde_json::json!([{"method": "POST", "status": 200}]));
    }

    async fn a_renewed_lease_lasts(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &to("crm"))).await.unwrap();
        let held = store.claim(&lane(), 1, Duration::from_millis(600)).await.unwrap().pop().unwrap();
        let claims = [(held.delivery, held.claim), (held.delivery, held.claim + 1), (held.delivery + 1, held.claim)];
        assert_eq!(store.renew(&claims, LEASE).await.unwrap(), claims[..1], "each by its own claim");
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty());
        assert!(store.next_due(&lane()).await.unwrap().unwrap() > Instant::now());
        assert_eq!(store.finish(vec![finished(&held, done("x"))]).await.unwrap(), [Settled::Noted]);
        assert_eq!(store.next_due(&lane()).await.unwrap(), None);
    }

    async fn three_changes_are_one_call(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        for observation in [ringing("a"), answered("a"), ended("a")] {
            store.commit(intake(vec![observation], &routes)).await.unwrap();
        }
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), 1);
        let Item::Call(call) = &claimed[0].item else { panic!("a call") };
        assert_eq!((call.phase, claimed[0].revision), (Some(CallPhase::Ended), 3));
        assert_eq!(store.finish(vec![finished(&claimed[0], done("x"))]).await.unwrap(), [Settled::Noted]);
        assert!(store.claim(&lane(), 10, LEASE).await.unwrap().is_empty());
    }

    async fn what_changed_meanwhile_is_due_again(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        let first = store.claim(&lane(), 1, LEASE).await.unwrap().pop().unwrap();
        store.commit(intake(vec![ended("a")], &routes)).await.unwrap();
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty());
        assert_eq!(store.finish(vec![finished(&first, done("x"))]).await.unwrap(), [Settled::Again]);
        let second = store.claim(&lane(), 1, LEASE).await.unwrap().pop().unwrap();
        assert_eq!((second.done, second.revision, second.attempt), (1, 2, 1));
        assert_eq!((second.external_id.as_deref(), second.memo.as_slice()), (Some("x"), b"memo".as_slice()));
    }

    async fn the_longest_due_comes_first_and_lanes_are_apart(bench) {
        let store = bench.open().await;
        for n in 0..6 {
            let routes = to(if n % 2 == 0 { "crm" } else { "other" });
            store.commit(intake(vec![ringing(&format!("c{n}"))], &routes)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let claimed = store.claim(&lane(), 2, LEASE).await.unwrap();
        let ids: Vec<&str> = claimed.iter().map(|claimed| claimed.subject.id.as_str()).collect();
        assert_eq!(ids, ["c0", "c2"]);
        let foreign = Lane { tenant: "other".into(), ..lane() };
        assert!(store.claim(&foreign, 10, LEASE).await.unwrap().is_empty());
    }
}
