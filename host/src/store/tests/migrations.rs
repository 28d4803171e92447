//! A store that an older program wrote, opened by this one.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{PgPool, SqlitePool};

use super::*;
use crate::model::{Contact, Correspondent, Message, Numbering};

/// The columns of a record in the first version.
const FIRST: &str =
    "id, tenant, source, kind, subject, also, revision, created_at, updated_at, at, numbers, agents, words,
    joined_into, merged";

/// The tables as the first version made them, and what a statement writes into them; how many rows those are.
async fn first_version(bench: &Bench, sql: String) -> u64 {
    let sql = AssertSqlSafe(sql);
    if bench.is_postgres() {
        let pool = PgPool::connect(&bench.url).await.unwrap();
        sqlx::migrate!("migrations/postgres").run_to(1, &pool).await.unwrap();
        let done = pool.execute(sql).await.unwrap().rows_affected();
        pool.close().await;
        done
    } else {
        let options = SqliteConnectOptions::new().filename(bench.url.trim_start_matches("sqlite:"));
        let pool = SqlitePool::connect_with(options).await.unwrap();
        sqlx::migrate!("migrations/sqlite").run_to(1, &pool).await.unwrap();
        let done = pool.execute(sql).await.unwrap().rows_affected();
        pool.close().await;
        done
    }
}

fn spoken(direction: Option<Direction>, caller: &str, callee: &str, ours: &str) -> Item {
    let agent = |number: &str| (number == ours).then(|| Agent { extension: Some(ours.into()), ..Agent::default() });
    let party = |raw: &str| Some(Party { number: Some(Phone::raw(raw)), agent: agent(raw), ..Party::default() });
    Item::Call(Call { direction, caller: party(caller), callee: party(callee), ..at(CallPhase::Ended) })
}

fn written(direction: Option<Direction>, sender: &str, recipient: &str) -> Item {
    let who = |raw: &str| Some(Correspondent { number: Some(Phone::raw(raw)), ..Correspondent::default() });
    let text = Some("hola".into());
    Item::Message(Message { direction, sender: who(sender), recipient: who(recipient), text, ..Message::default() })
}

fn known(numbers: &[&str]) -> Item {
    let numbers = numbers.iter().map(|raw| Phone::raw(*raw)).collect();
    Item::Contact(Contact { name: Some("Inés".into()), numbers, ..Contact::default() })
}

/// What people are found by: of each record whom it was with, and the numbers of contacts.
async fn people(store: &Store) -> (Vec<(String, Option<String>)>, Vec<(String, String)>) {
    let with = store.db().fetch("select subject, person from record order by id", []).await.unwrap();
    let sql = "select r.subject, n.number from contact_number n join record r on r.id = n.record order by 1, 2";
    let numbers = store.db().fetch(sql, []).await.unwrap();
    (
        with.iter().map(|row| (row.text(0).unwrap(), row.opt_text(1).unwrap())).collect(),
        numbers.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect(),
    )
}

both! {
    async fn what_the_first_version_wrote_is_found_by_number(bench) {
        use Direction::{Inbound, Internal, Outbound};
        let (ours, theirs) = ("1001", "600 111 222");
        let items = [
            ("in", spoken(Some(Inbound), theirs, ours, ours)),
            ("out", spoken(Some(Outbound), ours, "+34 600 111 223", ours)),
            ("own", spoken(Some(Internal), ours, "1002", ours)),
            ("from us", spoken(None, ours, theirs, ours)),
            ("to us", spoken(None, theirs, ours, ours)),
            ("bare", Item::Call(at(CallPhase::Ringing))),
            ("heard", written(Some(Inbound), theirs, "+34911000000")),
            ("said", written(Some(Outbound), "+34911000000", theirs)),
            ("whose", written(None, theirs, "+34911000000")),
            ("friend", known(&["+34600111222", "600 111 224", "911000001"])),
            ("nobody", known(&[])),
        ];
        let sightings = items.into_iter().map(|(id, item)| Observation { item, ..seen(id, 1, Call::default()) });
        let numbering = Arc::new(Numbering { region: "ES".parse().ok(), correct: Vec::new() });
        let store = bench.open().await;
        store.commit(Intake { numbering, ..Intake::of("acme", "pbx", sightings.collect()) }).await.unwrap();
        let expected = people(&store).await;
        assert_eq!(expected.0.iter().filter(|(_, person)| person.is_some()).count(), 7, "{expected:?}");
        assert_eq!(expected.1.len(), 3, "{expected:?}");

        // The same records, as the first version had them.
        let tables = ["counter", "intake", "record", "alias", "event", "delivery", "attempt", "pull", "grant_", "lease",
            "command", "contact_number", "_sqlx_migrations"];
        store.db().execute("create table kept as select * from record", []).await.unwrap();
        for table in tables {
            store.db().execute(format!("drop table {table}"), []).await.unwrap();
        }
        store.close().await;
        drop(store);
        let insert = format!("insert into record ({FIRST}) select {FIRST} from kept");
        assert_eq!(first_version(&bench, insert).await, expected.0.len() as u64);

        let store = bench.open().await;
        assert_eq!(people(&store).await, expected);
    }
}
