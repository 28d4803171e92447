//! All five kinds of record, their joins, and the lists.

use super::*;
use crate::model::{Contact, Conversation, Identity, Message, Session};

fn of(id: &str, item: Item) -> Observation {
    Observation { item, ..ringing(id) }
}

fn with(id: &str, also: &[&str], call: Call) -> Observation {
    Observation { also: also.iter().map(|&id| id.to_owned()).collect(), ..seen(id, 2, call) }
}

both! {
    async fn every_kind_is_kept(bench) {
        let store = bench.open().await;
        let name = |name: &str| Some(name.to_owned());
        let items = [
            Item::Call(full("600", "1001", "Ana")),
            Item::Message(Message { text: name("hi \u{1f44b}"), channel: name("whatsapp"), ..Message::default() }),
            Item::Contact(Contact {
                ids: vec![Identity { scheme: "lid".into(), value: "77".into() }],
                name: name("Ana"),
                ..Contact::default()
            }),
            Item::Conversation(Conversation { name: name("Family"), unread: Some(3), ..Conversation::default() }),
            Item::Session(Session { state: name("connected"), ..Session::default() }),
        ];
        // One id, five subjects: the kind is part of the key.
        let observations = items.iter().map(|item| of("same", item.clone())).collect();
        let committed = store.commit(intake(observations, &to("crm"))).await.unwrap();
        assert_eq!(committed.events.len(), 5);
        for (kind, item) in Kind::ALL.into_iter().zip(&items) {
            let key = Subject { kind, ..subject("same") };
            let record = store.record_of("acme", &key).await.unwrap().unwrap();
            assert_eq!(&record.item.kind(), &item.kind());
            let listed = store.records("acme", kind, None, 10).await.unwrap();
            assert_eq!(listed.items, [record]);
        }
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), 5);
    }

    async fn calls_are_found(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let mut observations = Vec::new();
        for n in 0..25_u64 {
            let call = Call {
                started_at: Instant::from_millis(1_700_000_000_000 + n * 60_000),
                ..full(&format!("+34 600 11 22 {n:02}"), if n % 2 == 0 { "1001" } else { "11001" }, "Ana 100%")
            };
            observations.push(seen(&format!("call-{n}"), n, call));
        }
        let lost = Call {
            started_at: Instant::from_millis(1_600_000_000_000),
            phase: Some(CallPhase::Ringing),
            direction: Some(Direction::Outbound),
            notes: Some("Zweite Straße".into()),
            ..Call::default()
        };
        observations.push(seen("old", 1, lost));
        store.commit(intake(observations, &routes)).await.unwrap();

        let find = async |filter: CallFilter| {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = store.calls("acme", &filter, after.as_deref(), 4).await.unwrap();
                found.extend(page.items.into_iter().map(|record| record.subject.id));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        };
        let text = |text: &str| Some(text.to_owned());
        let all = find(CallFilter::default()).await;
        assert_eq!(all.len(), 26);
        assert_eq!((all[0].as_str(), all[25].as_str()), ("call-24", "old"));
        assert_eq!(find(CallFilter { number: text("600-112207"), ..CallFilter::default() }).await, ["call-7"]);
        assert_eq!(find(CallFilter { agent: text("1001"), ..CallFilter::default() }).await.len(), 13);
        assert_eq!(find(CallFilter { agent: text("11001"), ..CallFilter::default() }).await.len(), 12);
        assert_eq!(find(CallFilter { text: text("STRASSE"), ..CallFilter::default() }).await.len(), 0);
        assert_eq!(find(CallFilter { text: text("zweite"), ..CallFilter::default() }).await, ["old"]);
        assert_eq!(find(CallFilter { text: text("100%"), ..CallFilter::default() }).await.len(), 25);
        assert_eq!(find(CallFilter { text: text("100_"), ..CallFilter::default() }).await.len(), 0);
        assert_eq!(find(CallFilter { phase: text("ringing"), ..CallFilter::default() }).await, ["old"]);
        assert_eq!(find(CallFilter { outcome: text("answered"), ..CallFilter::default() }).await.len(), 25);
        assert_eq!(find(CallFilter { direction: text("outbound"), ..CallFilter::default() }).await, ["old"]);
        let from = Instant::from_millis(1_700_000_000_000 + 20 * 60_000);
        assert_eq!(find(CallFilter { from, ..CallFilter::default() }).await.len(), 5);
        assert_eq!(find(CallFilter { to: from, ..CallFilter::default() }).await.len(), 21);
        assert_eq!(find(CallFilter { source: text("elsewhere"), ..CallFilter::default() }).await.len(), 0);
        assert!(store.calls("other", &CallFilter::default(), None, 10).await.unwrap().items.is_empty());
    }

    async fn events_are_chosen_by_type_record_and_source(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a"), ringing("b"), ended("a")], &routes)).await.unwrap();
        let other = Intake { source: "pbx2".into(), ..intake(vec![ringing("a")], &routes) };
        store.commit(other).await.unwrap();
        let find = async |filter: EventFilter| {
            let page = store.events_since("acme", 0, 100, &filter).await.unwrap();
            page.events.iter().map(|event| event.seq).collect::<Vec<_>>()
        };
        assert_eq!(find(EventFilter::default()).await, [1, 2, 3, 4]);
        assert_eq!(find(EventFilter { types: vec!["call".into()], ..EventFilter::default() }).await, [1, 2, 3, 4]);
        assert!(find(EventFilter { types: vec!["cal".into()], ..EventFilter::default() }).await.is_empty());
        assert_eq!(find(EventFilter { record: Some(1), ..EventFilter::default() }).await, [1, 3]);
        assert_eq!(find(EventFilter { source: Some("pbx2".into()), ..EventFilter::default() }).await, [4]);
        let page = store.events_since("acme", 1, 2, &EventFilter::default()).await.unwrap();
        assert_eq!((page.next, page.more, page.events.len()), (3, true, 2));
    }

    async fn another_id_of_a_subject_finds_it(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![with("a", &["b"], at(CallPhase::Ringing))], &routes)).await.unwrap();
        let late = store.commit(intake(vec![ended("b")], &routes)).await.unwrap();
        assert_eq!(late.records, [1]);
        let record = store.record_of("acme", &subject("b")).await.unwrap().unwrap();
        assert_eq!((record.subject.id.as_str(), record.also.as_slice()), ("a", &["b".to_owned()][..]));
        assert_eq!(record.revision, 2);
        assert_eq!(store.claim(&lane(), 10, LEASE).await.unwrap().len(), 1);
    }

    async fn two_subjects_turn_out_to_be_one(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let noted = Call { notes: Some("from b".into()), ..at(CallPhase::Ringing) };
        store.commit(intake(vec![ringing("a")], &routes)).await.unwrap();
        store.commit(intake(vec![with("b", &["b2"], noted)], &routes)).await.unwrap();
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        let ends = claimed.iter().map(|claimed| finished(claimed, done(&format!("at-crm-{}", claimed.subject.id))));
        store.finish(ends.collect()).await.unwrap();

        let joining = store.commit(intake(vec![with("c", &["b", "a"], at(CallPhase::Answered))], &routes)).await.unwrap();
        assert_eq!((joining.records.as_slice(), joining.events.len()), (&[1][..], 1));
        for id in ["a", "b", "b2", "c"] {
            let record = store.record_of("acme", &subject(id)).await.unwrap().unwrap();
            assert_eq!((record.id, record.subject.id.as_str()), (1, "a"), "{id}");
            let Item::Call(call) = record.item else { panic!("a call") };
            assert_eq!(call.notes.as_deref(), Some("from b"));
        }
        assert_eq!(store.record("acme", 2).await.unwrap().unwrap().id, 1);
        assert_eq!(store.records("acme", Kind::Call, None, 10).await.unwrap().items.len(), 1);

        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].external_id.as_deref(), Some("at-crm-a"));
        assert_eq!(claimed[0].joined, [Joined { id: "b".into(), external_id: "at-crm-b".into() }]);
        store.finish(vec![finished(&claimed[0], done("at-crm-a"))]).await.unwrap();

        // Said once, and not again once the sink has agreed.
        store.commit(intake(vec![ended("b2")], &routes)).await.unwrap();
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].joined.len(), claimed[0].record), (1, 0, 1));
        // The same join again is nothing new.
        let again = store.commit(intake(vec![with("c", &["b", "a"], at(CallPhase::Answered))], &routes)).await.unwrap();
        assert_eq!(again.duplicates, 1);
    }

    async fn a_delivery_alone_goes_over_to_the_subject_that_stays(bench) {
        let store = bench.open().await;
        store.commit(intake(vec![ringing("a")], &(Arc::new(()) as Arc<dyn Routes>))).await.unwrap();
        let routes = to("crm");
        store.commit(intake(vec![ringing("b"), answered("b"), ended("b")], &routes)).await.unwrap();
        let before = store.claim(&lane(), 1, LEASE).await.unwrap().pop().unwrap();
        assert_eq!((before.subject.id.as_str(), before.revision), ("b", 3));
        // While the call is under way the subjects are joined, by an event that no route selects.
        let silent: Arc<dyn Routes> = Arc::new(());
        store.commit(intake(vec![with("a", &["b"], at(CallPhase::Ringing))], &silent)).await.unwrap();
        assert!(store.claim(&lane(), 1, LEASE).await.unwrap().is_empty(), "never two calls for one subject");
        assert_eq!(store.finish(vec![finished(&before, done("x"))]).await.unwrap(), [Settled::Again]);
        let after = store.claim(&lane(), 1, LEASE).await.unwrap().pop().unwrap();
        assert_eq!((after.subject.id.as_str(), after.external_id.as_deref()), ("a", Some("x")));
        assert!(after.revision > 3);
    }

    async fn a_call_under_way_for_the_joined_subject_ends_first(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        store.commit(intake(vec![ringing("a"), ringing("b")], &routes)).await.unwrap();
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        let [a, b] = claimed.as_slice() else { panic!("two") };
        store.finish(vec![finished(a, done("A"))]).await.unwrap();
        store.commit(intake(vec![with("a", &["b"], at(CallPhase::Ended))], &routes)).await.unwrap();
        assert!(store.claim(&lane(), 10, LEASE).await.unwrap().is_empty());
        assert_eq!(store.finish(vec![finished(b, done("B"))]).await.unwrap(), [Settled::Noted]);
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].joined, [Joined { id: "b".into(), external_id: "B".into() }]);
    }

    async fn a_join_inside_one_batch(bench) {
        let store = bench.open().await;
        let routes = to("crm");
        let all = vec![ringing("a"), ringing("b"), ringing("d"), with("c", &["d", "b", "a"], at(CallPhase::Ended))];
        let committed = store.commit(intake(all, &routes)).await.unwrap();
        assert_eq!((committed.records.as_slice(), committed.events.len()), (&[1, 2, 3, 1][..], 4));
        let claimed = store.claim(&lane(), 10, LEASE).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].record, claimed[0].revision), (1, 1, 2));
        assert_eq!(store.record("acme", 3).await.unwrap().unwrap().id, 1);
        assert_eq!(store.commit(intake(vec![ringing("d"), ended("b")], &routes)).await.unwrap().duplicates, 2);
    }
}
