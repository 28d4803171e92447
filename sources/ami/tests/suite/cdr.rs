//! Missed time is read from the database of call detail records.

use cordboard_ami::Ami;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;
use serde_json::{Value, json};

use crate::support::fold::Fold;
use crate::support::settings;

const STATEMENT: &str = "select * from cdr where calldate >= $1 and calldate < $2 order by calldate";
const COLUMNS: [&str; 14] = [
    "calldate",
    "clid",
    "src",
    "dst",
    "channel",
    "dstchannel",
    "lastapp",
    "duration",
    "billsec",
    "disposition",
    "uniqueid",
    "did",
    "recordingfile",
    "linkedid",
];
/// 2026-11-21 09:00:00 in UTC.
const NINE: u64 = 1_795_251_600_000;

fn outside() -> Outside {
    let mut settings = settings();
    settings["cdr"] = true.into();
    settings["cdr_zone"] = "Europe/Madrid".into();
    Outside::new().settings(settings)
}

fn job(since: u64, until: u64) -> Job {
    let parameters = json!({ "since": since, "until": until }).to_string();
    Job { id: "cdr".to_owned(), kind: "cdr".to_owned(), parameters, ..Job::default() }
}

/// Reads to the end.
fn read(outside: &Outside, job: &Job) -> Fold {
    let mut fold = Fold::default();
    let mut cursor = None;
    loop {
        let page = Ami::next(outside, job.clone(), cursor).expect("a page");
        page.observations.iter().for_each(|observation| fold.take(observation, NINE));
        cursor = page.next;
        if cursor.is_none() {
            return fold;
        }
    }
}

fn row(text: &'static str) -> Vec<Option<&'static str>> {
    text.split('|').map(|value| (value != "NULL").then_some(value)).collect()
}

#[test]
fn calls_of_missed_time_are_told_once_each() {
    let outside = outside();
    // Three hours before the gap are looked at for calls that were under way; windows overlap for calls that are long.
    for (from, to) in [("07:00:00", "11:00:00"), ("08:00:00", "12:00:00"), ("09:00:00", "13:00:00")] {
        outside
            .expect_query("cdr", STATEMENT, &[&format!("2026-11-21 {from}"), &format!("2026-11-21 {to}")])
            .answer(&COLUMNS, &[]);
    }
    let rows = [
        // A queue of Local members, answered by 1002; a neighbour whose id begins alike; one that nobody answered.
        row(
            "2026-11-21 10:00:10|\"Ann\" <447700900123>|447700900123|600|PJSIP/trunk-00000001|Local/1002@from-queue-00000001;1|Queue|40|38|ANSWERED|1795251610.1|442079460600||1795251610.1",
        ),
        row(
            "2026-11-21 10:00:12|\"Ann\" <447700900123>|447700900123|1002|Local/1002@from-queue-00000001;2|PJSIP/1002-00000002|Dial|38|30|ANSWERED|1795251612.3||q-600-1795251610.1.wav|1795251610.1",
        ),
        row(
            "2026-11-21 10:01:00||1001|447700900456|PJSIP/1001-00000003|PJSIP/trunk-00000004|Dial|20|12|ANSWERED|1795251610.10||out-1.wav|NULL",
        ),
        row(
            "2026-11-21 10:02:00|447700900999|447700900999|1001|PJSIP/trunk-00000005|PJSIP/1001-00000006|Dial|15|0|NO ANSWER|1795251720.11|442079460101||1795251720.11",
        ),
        // It ended after the connection was there again: that was seen.
        row(
            "2026-11-21 10:09:00|1|1|1001|PJSIP/trunk-00000007|PJSIP/1001-00000008|Dial|900|890|ANSWERED|1795252140.12|||1795252140.12",
        ),
    ];
    let slices: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
    outside.expect_query("cdr", STATEMENT, &["2026-11-21 10:00:00", "2026-11-21 14:00:00"]).answer(&COLUMNS, &slices);
    let fold = read(&outside, &job(NINE, NINE + 600_000));
    assert_eq!(fold.ids(), ["1795251610.1", "1795251610.10", "1795251720.11"]);
    let call = |id: &str| fold.view(id).expect("a call");
    let queue = call("1795251610.1");
    assert_eq!(
        (&queue["outcome"], &queue["agent"]["extension"], &queue["queue"]),
        (&json!("answered"), &json!("1002"), &json!("600"))
    );
    assert_eq!((&queue["started_at"], &queue["ended_at"]), (&json!(NINE + 10_000), &json!(NINE + 50_000)));
    assert_eq!(
        (&queue["caller"]["name"], &queue["recordings"][0]["key"]),
        (&json!("Ann"), &json!("q-600-1795251610.1.wav"))
    );
    assert_eq!(
        queue["answered_at"],
        Value::Null,
        "the queue answered first, and the record does not say when a person did"
    );
    let out = call("1795251610.10");
    assert_eq!(
        (&out["direction"], &out["talk"], &out["recordings"][0]["key"]),
        (&json!("outbound"), &json!(12), &json!("out-1.wav"))
    );
    let missed = call("1795251720.11");
    assert_eq!(
        (&missed["outcome"], &missed["agent"], &missed["callee"]["number"]["raw"]),
        (&json!("no-answer"), &Value::Null, &json!("442079460101"))
    );
}

#[test]
fn a_call_whose_end_was_seen_is_not_told_anew() {
    let outside = outside();
    let repaired = vec![("repaired".to_owned(), "true".to_owned())];
    let ended = Call { phase: Some(CallPhase::Ended), ..Call::default() };
    outside.office().call("1795251610.1", ended.clone());
    outside.office().call("1795251610.2", Call { attributes: repaired, ..ended });
    outside.office().call("1795251610.3", Call { phase: Some(CallPhase::Answered), ..Call::default() });
    for (from, to) in [("07:00:00", "11:00:00"), ("08:00:00", "12:00:00"), ("09:00:00", "13:00:00")] {
        outside
            .expect_query("cdr", STATEMENT, &[&format!("2026-11-21 {from}"), &format!("2026-11-21 {to}")])
            .answer(&COLUMNS, &[]);
    }
    let rows = ["1795251610.1", "1795251610.2", "1795251610.3"].map(|id| {
        let text = "2026-11-21 10:00:10|1|1|1001|PJSIP/trunk-1|PJSIP/1001-2|Dial|9|8|ANSWERED";
        let mut row = row(text);
        row.extend([Some(id), None, None, Some(id)]);
        row
    });
    let slices: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
    outside.expect_query("cdr", STATEMENT, &["2026-11-21 10:00:00", "2026-11-21 14:00:00"]).answer(&COLUMNS, &slices);
    let fold = read(&outside, &job(NINE, NINE + 600_000));
    assert_eq!(fold.ids(), ["1795251610.2", "1795251610.3"]);
}

#[test]
fn too_many_rows_are_read_in_smaller_pieces_and_faults_are_passed_on() {
    let outside = outside();
    let many = || Failure::rejected("too-large", "more than 10000 rows");
    outside.expect_query("cdr", STATEMENT, &["2026-11-21 07:00:00", "2026-11-21 11:00:00"]).fail(many());
    outside.expect_query("cdr", STATEMENT, &["2026-11-21 07:00:00", "2026-11-21 09:00:00"]).answer(&COLUMNS, &[]);
    let page = Ami::next(&outside, job(NINE, NINE + 1), None).expect("a page");
    outside
        .expect_query("cdr", STATEMENT, &["2026-11-21 07:30:00", "2026-11-21 09:30:00"])
        .fail(Failure::retryable("away"));
    let away = Ami::next(&outside, job(NINE, NINE + 1), page.next).expect_err("it is away");
    assert!(matches!(away, Failure::Retryable(_)));
    let other = Job { kind: "sync".to_owned(), ..job(0, 1) };
    assert!(matches!(Ami::next(&outside, other, None), Err(Failure::Rejected(_))));
}
