//! Calls and messages by number, and the names that the hub itself knows.

use super::*;
use crate::model::{Contact, Correspondent, Identity, Message, Numbering, Phone};

fn spanish(observations: Vec<Observation>) -> Intake {
    let numbering = Numbering { region: "ES".parse().ok(), correct: Vec::new() };
    Intake { numbering: Arc::new(numbering), ..Intake::of("acme", "pbx", observations) }
}

fn party(raw: &str) -> Option<Party> {
    Some(Party { number: Some(Phone::raw(raw)), ..Party::default() })
}

/// A call with somebody at second `at`.
fn with(id: &str, at: u64, direction: Direction, number: &str, extension: &str) -> Observation {
    let call = Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(direction),
        started_at: Instant::from_millis(1_700_000_000_000 + at * 1000),
        agent: Some(Agent { extension: Some(extension.into()), ..Agent::default() }),
        ..Call::default()
    };
    let (ours, theirs) = (party(extension), party(number));
    let call = match direction {
        Direction::Outbound => Call { caller: ours, callee: theirs, ..call },
        _ => Call { caller: theirs, callee: ours, ..call },
    };
    seen(id, at, call)
}

/// A message that came from somebody at second `at`.
fn from(id: &str, at: u64, value: &str) -> Observation {
    let ids = vec![Identity { scheme: "phone".into(), value: value.into() }];
    let message = Message {
        direction: Some(Direction::Inbound),
        sender: Some(Correspondent { ids, ..Correspondent::default() }),
        sent_at: Instant::from_millis(1_700_000_000_000 + at * 1000),
        text: Some("hola".into()),
        ..Message::default()
    };
    Observation { item: Item::Message(message), ..seen(id, at, Call::default()) }
}

fn contact(id: &str, name: &str, numbers: &[&str]) -> Observation {
    let numbers = numbers.iter().map(|raw| Phone::raw(*raw)).collect();
    let contact = Contact { name: Some(name.into()), numbers, ..Contact::default() };
    Observation { item: Item::Contact(contact), ..seen(id, 1, Call::default()) }
}

/// The ids of all that a filter finds, read in pages.
async fn all(store: &Store, filter: &Communications, limit: u32) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.communications("acme", filter, after, limit).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        ids.extend(page.items.into_iter().map(|item| item.record.subject.id));
        match page.next {
            Some(next) => after = Some(next.parse().unwrap()),
            None => return ids,
        }
    }
}

fn people(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

both! {
    async fn what_was_said_with_a_number_in_one_list(bench) {
        let store = bench.open().await;
        let said = vec![
            with("in", 10, Direction::Inbound, "600 111 222", "1001"),
            from("message", 20, "+34600111222"),
            with("out", 30, Direction::Outbound, "0034600111222", "1002"),
            with("other", 40, Direction::Inbound, "600 111 223", "1001"),
            with("own", 50, Direction::Internal, "1001", "1002"),
        ];
        store.commit(spanish(said)).await.unwrap();
        store.commit(Intake::of("beta", "pbx", vec![with("in", 60, Direction::Inbound, "+34600111222", "1001")])).await.unwrap();
        let theirs = Communications { people: people(&["34600111222", "600111222"]), ..Default::default() };
        for limit in [1, 2, 10] {
            assert_eq!(all(&store, &theirs, limit).await, ["out", "message", "in"], "{limit}");
            assert_eq!(all(&store, &Default::default(), limit).await, ["own", "other", "out", "message", "in"]);
        }
        // A call whose caller becomes known is found by it from then on.
        store.commit(spanish(vec![seen("late", 5, Call::default())])).await.unwrap();
        store.commit(spanish(vec![with("late", 5, Direction::Inbound, "+34600111222", "1001")])).await.unwrap();
        assert_eq!(all(&store, &theirs, 10).await, ["out", "message", "in", "late"]);
    }

    async fn filters_narrow(bench) {
        let store = bench.open().await;
        let said = (0..40).map(|n| match n % 4 {
            0 => with(&format!("{n}"), n, Direction::Inbound, "600111222", "1001"),
            1 => with(&format!("{n}"), n, Direction::Outbound, "600111222", "1002"),
            2 => with(&format!("{n}"), n, Direction::Inbound, "600111333", "10011"),
            _ => from(&format!("{n}"), n, "+34600111222"),
        });
        store.commit(spanish(said.collect())).await.unwrap();
        let count = async |filter: Communications| all(&store, &filter, 7).await.len();
        let none = Communications::default;
        assert_eq!(count(none()).await, 40);
        assert_eq!(count(Communications { kinds: vec![Kind::Message], ..none() }).await, 10);
        assert_eq!(count(Communications { direction: Some("outbound".into()), ..none() }).await, 10);
        assert_eq!(count(Communications { agents: people(&["1001"]), ..none() }).await, 10);
        assert_eq!(count(Communications { agents: people(&["1001", "1002"]), ..none() }).await, 20);
        assert_eq!(count(Communications { outcome: Some("answered".into()), ..none() }).await, 30);
        assert_eq!(count(Communications { outcome: Some("busy".into()), ..none() }).await, 0);
        assert_eq!(count(Communications { source: Some("other".into()), ..none() }).await, 0);
        let second = |n: u64| Instant::from_millis(1_700_000_000_000 + n * 1000);
        assert_eq!(count(Communications { from: second(10), to: second(20), ..none() }).await, 10);
        let both = Communications { people: people(&["34600111222"]), kinds: vec![Kind::Call], ..none() };
        assert_eq!(count(Communications { direction: Some("inbound".into()), ..both }).await, 10);
    }

    async fn names_from_contacts_and_from_calls_by_hand(bench) {
        let store = bench.open().await;
        store.commit(spanish(vec![
            contact("c1", "Inés Ortega", &["600 111 222", "+34 911 222 333"]),
            contact("c2", "", &["+34600111222"]),
        ])).await.unwrap();
        let named = |name: &str, observation: Observation| match observation.item {
            Item::Call(mut call) => {
                call.caller.as_mut().unwrap().name = Some(name.to_owned());
                Observation { item: Item::Call(call), ..observation }
            }
            _ => observation,
        };
        let by_hand = vec![
            named("Ortega, I.", with("h1", 10, Direction::Inbound, "600111222", "1001")),
            named("Bar Paco", with("h2", 10, Direction::Inbound, "600999888", "1001")),
        ];
        store.commit(Intake { source: "manual".into(), ..spanish(by_hand) }).await.unwrap();
        // What came with a call is any stranger's text.
        store.commit(spanish(vec![named("I am the bank", with("p", 20, Direction::Inbound, "600777666", "1001"))])).await.unwrap();
        let names = async |key: &str| -> Vec<(String, String)> {
            let all = store.named("acme", &people(&[key])).await.unwrap();
            all.into_iter().map(|named| (named.name, named.subject)).collect()
        };
        let pair = |name: &str, id: &str| (name.to_owned(), id.to_owned());
        assert_eq!(names("34600111222").await, [pair("Inés Ortega", "c1"), pair("Ortega, I.", "h1")]);
        assert_eq!(names("34911222333").await, [pair("Inés Ortega", "c1")]);
        assert_eq!(names("34600777666").await, []);
        let all = store.names("acme", &people(&["34600111222", "34600999888", "34600777666"])).await.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all["34600111222"].name.as_str(), all["34600999888"].name.as_str()), ("Inés Ortega", "Bar Paco"));
        assert!(store.named("beta", &people(&["34600111222"])).await.unwrap().is_empty());
        // Two contacts that turn out to be one.
        let one = Observation { also: vec!["c1".into()], ..contact("c3", "Inés Ortega", &["+34600555444"]) };
        store.commit(spanish(vec![contact("c3", "Inés", &["+34600555444"])])).await.unwrap();
        store.commit(spanish(vec![one])).await.unwrap();
        assert_eq!(names("34600555444").await, [pair("Inés Ortega", "c1")]);
        assert_eq!(names("34600111222").await[0], pair("Inés Ortega", "c1"));
        // What is swept away is known by no number.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let nothing = Retention { records: Some(Duration::ZERO), ..Retention::default() };
        store.sweep("acme", &nothing, 1000).await.unwrap();
        let left = store.db().fetch("select count(*) from contact_number", []).await.unwrap();
        assert_eq!((left[0].int(0).unwrap(), names("34600111222").await), (0, Vec::new()));
    }

    async fn a_filter_that_finds_little_does_not_walk_through_everything(bench) {
        let store = bench.open().await;
        const MANY: u64 = 25_000;
        let batch = |from: u64| (from..from + 500).map(|n| {
            let extension = if n == 3 { "1009" } else { "1001" };
            with(&format!("{n}"), n, Direction::Inbound, &format!("+3460{:07}", n % 5000), extension)
        });
        for start in (0..MANY).step_by(500) {
            store.commit(spanish(batch(start).collect())).await.unwrap();
        }
        let rare = Communications { agents: people(&["1009"]), ..Default::default() };
        let first = store.communications("acme", &rare, None, 50).await.unwrap();
        assert!(first.items.is_empty() && first.next.is_some(), "it looks through a part, and says where to go on");
        assert_eq!(all(&store, &rare, 50).await, ["3"]);
        let theirs = Communications { people: people(&["34600000003"]), ..Default::default() };
        assert_eq!(all(&store, &theirs, 2).await, ["20003", "15003", "10003", "5003", "3"]);

        // The statements walk along indexes.
        if bench.is_postgres() {
            store.db().execute("analyze record", []).await.unwrap();
        }
        let explain = if bench.is_postgres() { "explain" } else { "explain query plan" };
        let column = if bench.is_postgres() { 0 } else { 3 };
        for (filter, index) in [(Communications::default(), "record_at"), (rare, "record_at"), (theirs, "record_person")] {
            for after in [None, "1700000000000.77".parse().ok()] {
                let statements = [Some(filter.page("acme", after, 50)), filter.edges("acme", after)];
                for (sql, values) in statements.into_iter().flatten() {
                    let rows = store.db().fetch(format!("{explain} {sql}"), values).await.unwrap();
                    let plan: Vec<String> = rows.iter().map(|row| row.text(column).unwrap()).collect();
                    let plan = plan.join("\n");
                    assert!(plan.contains(index), "{plan}\n{sql}");
                    assert!(!plan.contains("Seq Scan on record") && !plan.contains("SCAN record"), "{plan}");
                }
            }
        }
    }
}
