//! Missed time is read from the database of call detail records.

use cordboard_ami::Ami;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;
use serde_json::{Value, json};

use crate::support::fold::Fold;
use crate::support::settings;
use crate::support::table::Table;

/// 2026-11-21 09:00:00 in UTC, ten in Madrid.
const NINE: u64 = 1_795_251_600_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// An empty table, read at noon.
fn table() -> Table {
    let mut settings = settings();
    settings["cdr"] = true.into();
    settings["cdr_zone"] = "Europe/Madrid".into();
    Table::new(Outside::new().settings(settings).at(NINE + 3 * HOUR))
}

fn job(since: u64, until: u64) -> Job {
    let parameters = json!({ "since": since, "until": until }).to_string();
    Job { id: "cdr".to_owned(), kind: "cdr".to_owned(), parameters, ..Job::default() }
}

/// Reads until the job is over, or rests.
fn pages(table: &Table, job: &Job, mut cursor: Option<Vec<u8>>) -> (Fold, Page) {
    let mut fold = Fold::default();
    for _ in 0..1_000 {
        let page = Ami::next(table, job.clone(), cursor).expect("a page");
        page.observations.iter().for_each(|observation| fold.take(observation, NINE));
        if page.next.is_none() || page.after.is_some() {
            return (fold, page);
        }
        cursor = page.next;
    }
    panic!("it does not end");
}

/// Reads to the end.
fn read(table: &Table, job: &Job) -> Fold {
    let (fold, last) = pages(table, job, None);
    assert_eq!(last.next, None, "the time is long over");
    fold
}

fn ended(recordings: &[&str]) -> Call {
    let recording = |id: &&str| Recording { id: (*id).to_owned(), url: None, media_type: None, duration: None };
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".to_owned()),
        recordings: recordings.iter().map(recording).collect(),
        ..Call::default()
    }
}

/// The same, whose end nobody saw.
fn vanished(recordings: &[&str]) -> Call {
    Call { attributes: vec![("repaired".to_owned(), "true".to_owned())], ..ended(recordings) }
}

/// A call that came from outside at this time, and how long it was.
fn inbound(calldate: &str, duration: &str, id: &str, recording: &str) -> String {
    format!("{calldate}|1|1|1001|PJSIP/trunk-1|PJSIP/1001-2|Dial|{duration}|8|ANSWERED|{id}||{recording}|{id}")
}

fn recordings(fold: &Fold, id: &str) -> Vec<String> {
    let call = fold.view(id).expect("a call");
    let all = call["recordings"].as_array().expect("a list").iter();
    all.map(|one| one["key"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn calls_of_missed_time_are_told_once_each() {
    let mut table = table();
    for row in [
        // A queue of Local members, answered by 1002; a neighbour whose id begins alike; one that nobody answered.
        "2026-11-21 10:00:10|\"Ann\" <447700900123>|447700900123|600|PJSIP/trunk-00000001|Local/1002@from-queue-00000001;1|Queue|40|38|ANSWERED|1795251610.1|442079460600||1795251610.1",
        "2026-11-21 10:00:12|\"Ann\" <447700900123>|447700900123|1002|Local/1002@from-queue-00000001;2|PJSIP/1002-00000002|Dial|38|30|ANSWERED|1795251612.3||q-600-1795251610.1.wav|1795251610.1",
        "2026-11-21 10:01:00||1001|447700900456|PJSIP/1001-00000003|PJSIP/trunk-00000004|Dial|20|12|ANSWERED|1795251610.10||out-1.wav|NULL",
        "2026-11-21 10:02:00|447700900999|447700900999|1001|PJSIP/trunk-00000005|PJSIP/1001-00000006|Dial|15|0|NO ANSWER|1795251720.11|442079460101||1795251720.11",
        // It ended long after the connection was there again: that was seen.
        "2026-11-21 10:09:00|1|1|1001|PJSIP/trunk-00000007|PJSIP/1001-00000008|Dial|900|890|ANSWERED|1795252140.12|||1795252140.12",
    ] {
        table.row(row);
    }
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
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
    let mut table = table();
    table.outside.office().call("1795251610.1", ended(&[]));
    table.outside.office().call("1795251610.2", vanished(&[]));
    let open = Call { phase: Some(CallPhase::Answered), ..Call::default() };
    table.outside.office().call("1795251610.3", open.clone());
    table.outside.office().call("1795251590.4", open);
    for id in ["1795251610.1", "1795251610.2", "1795251610.3"] {
        table.row(&inbound("2026-11-21 10:00:10", "9", id, ""));
    }
    // What was heard of when the time began had not ended before: it was passed on, and goes on.
    table.row(&inbound("2026-11-21 09:59:50", "8", "1795251590.4", ""));
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
    assert_eq!(fold.ids(), ["1795251610.2", "1795251610.3"]);
}

#[test]
fn what_is_known_of_a_repaired_call_is_not_told_otherwise() {
    let mut table = table();
    let times = |started: u64, ended: Option<u64>| Call {
        started_at: Some(NINE + started),
        answered_at: Some(NINE + started + 900),
        ended_at: ended.map(|at| NINE + at),
        ..vanished(&[])
    };
    table.outside.office().call("1795251610.1", times(10_400, Some(19_700)));
    table.outside.office().call("1795251610.2", times(10_400, None));
    table.outside.office().call("1795251610.3", times(25_400, None));
    for id in ["1795251610.1", "1795251610.2", "1795251610.3"] {
        table.row(&inbound("2026-11-21 10:00:10", "9", id, ""));
    }
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
    let of = |id: &str| {
        let call = fold.view(id).expect("a call");
        (call["started_at"].as_u64(), call["ended_at"].as_u64().map(|at| at - NINE))
    };
    assert_eq!(of("1795251610.1"), (None, None));
    assert_eq!(of("1795251610.2"), (None, Some(19_000)));
    assert_eq!(of("1795251610.3"), (None, Some(26_300)), "the PBX's clock is behind; nothing ends before it began");
}

#[test]
fn a_recording_is_told_once() {
    let mut table = table();
    let path = "/var/spool/asterisk/monitor/2026/11/21/q-600.wav";
    table.outside.office().call("1795251610.1", vanished(&[path]));
    // One whose end was seen: its recording was not told; it was; there is none, for nobody spoke.
    table.outside.office().call("1795251610.2", ended(&[]));
    table.outside.office().call("1795251610.3", ended(&[path]));
    table.outside.office().call("1795251610.4", Call { outcome: Some("no-answer".to_owned()), ..ended(&[]) });
    for id in ["1795251610.1", "1795251610.2", "1795251610.3", "1795251610.4"] {
        table.row(&inbound("2026-11-21 10:00:10", "9", id, "q-600.wav"));
        table.row(&inbound("2026-11-21 10:00:19", "5", id, "2026/11/21/q-600.wav"));
    }
    table.row(&inbound("2026-11-21 10:00:19", "5", "1795251610.1", "q-600-2.wav"));
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
    assert_eq!(fold.ids(), ["1795251610.1", "1795251610.2"]);
    assert_eq!(recordings(&fold, "1795251610.1"), ["q-600-2.wav"], "the other one is known by its path");
    assert_eq!(recordings(&fold, "1795251610.2"), ["q-600.wav"]);
    let seen = fold.view("1795251610.2").expect("a call");
    assert_eq!(
        (&seen["phase"], &seen["outcome"], &seen["attributes"]),
        (&Value::Null, &Value::Null, &json!({})),
        "and nothing else of it"
    );
}

#[test]
fn clocks_may_be_apart() {
    let mut table = table();
    // Minutes before the gap and after it; and too far away.
    table.row(&inbound("2026-11-21 09:55:30", "20", "1795251330.1", ""));
    table.row(&inbound("2026-11-21 10:14:00", "20", "1795252440.2", ""));
    table.row(&inbound("2026-11-21 09:54:00", "20", "1795251240.3", ""));
    table.row(&inbound("2026-11-21 10:15:00", "20", "1795252500.4", ""));
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
    assert_eq!(fold.ids(), ["1795251330.1", "1795252440.2"]);
}

#[test]
fn rows_that_are_written_late_are_found_by_reading_once_more() {
    let mut table = table();
    table.row(&inbound("2026-11-21 10:00:10", "9", "1795251610.1", ""));
    table.outside.set_now(NINE + 11 * MINUTE);
    let job = job(NINE, NINE + 10 * MINUTE);
    let (fold, page) = pages(&table, &job, None);
    assert_eq!((fold.ids(), page.after), (vec!["1795251610.1"], Some(5 * MINUTE)));
    table.row(&inbound("2026-11-21 10:09:10", "9", "1795252150.2", ""));
    table.outside.set_now(NINE + 16 * MINUTE);
    let (fold, last) = pages(&table, &job, page.next);
    assert!(fold.ids().contains(&"1795252150.2"), "{:?}", fold.ids());
    assert_eq!((last.next, last.after), (None, None));
    assert_eq!((page.progress[0].processed, last.progress[0].processed), (1, 3), "counted from the beginning");
}

#[test]
fn a_call_across_the_border_of_two_windows_is_judged_once_and_whole() {
    // Windows begin three hours and five minutes before the gap; a smaller one has a smaller step, and no less of a call.
    for most in [10_000, 2] {
        let mut table = table();
        table.most = most;
        let row = |at: &str, phone: &str, duration: u32, disposition: &str| {
            format!(
                "2026-11-21 {at}|1|1|600|PJSIP/trunk-1|PJSIP/{phone}-2|Queue|{duration}|8|{disposition}|1795251290.1|||1795251290.1"
            )
        };
        table.row(&row("09:54:50", "1001", 900, "ANSWERED"));
        table.row(&row("09:55:10", "1002", 20, "NO ANSWER"));
        if most > 2 {
            table.row(&row("12:40:00", "1002", 60, "NO ANSWER"));
        }
        // Rows that make the window too large, and are nobody's call.
        for second in 0..20 {
            table.row(&format!("2026-11-21 09:30:{second:02}|1|1|600|PJSIP/trunk-1||Queue|1|1|ANSWERED|NULL|||NULL"));
        }
        let until = if most > 2 { NINE + 165 * MINUTE } else { NINE + 15 * MINUTE };
        let fold = read(&table, &job(NINE, until));
        let call = fold.view("1795251290.1").expect("a call");
        assert_eq!(
            (&call["outcome"], &call["agent"]["extension"]),
            (&json!("answered"), &json!("1001")),
            "{most} rows at once: {call}"
        );
        let end = if most > 2 { NINE + 161 * MINUTE } else { NINE + 10 * MINUTE - 10_000 };
        assert_eq!(call["ended_at"], json!(end), "{most} rows at once: {call}");
    }
}

#[test]
fn without_linkedid_legs_are_no_calls() {
    let mut table = table();
    table.linked = false;
    for row in [
        // As in the recording `d2_queue_local_members`.
        "2026-11-21 10:00:10|1|447700900123|601|PJSIP/trunk-0000000e|Local/1002@from-queue-00000000;1|Queue|7|7|ANSWERED|1795251610.14||q.wav|",
        "2026-11-21 10:00:10|1|447700900123|601|PJSIP/trunk-0000000e|Local/1001@from-queue-00000001;1|Queue|3|3|NO ANSWER|1795251610.14|||",
        "2026-11-21 10:00:10|1|447700900123|1001|Local/1001@from-queue-00000001;2|PJSIP/1001-00000010|Dial|3|0|NO ANSWER|1795251610.18|||",
        "2026-11-21 10:00:10|1|447700900123|1002|Local/1002@from-queue-00000000;2|PJSIP/1002-0000000f|Dial|7|4|ANSWERED|1795251610.16|||",
        // `i4_click_to_call_by_local_channel`: the first half runs in the dialplan.
        "2026-11-21 10:01:10|1|442079460100|447700900456|Local/1001@from-internal-00000002;1|PJSIP/trunk-00000024|Dial|8|7|ANSWERED|1795251670.39|||",
        "2026-11-21 10:01:10|1|447700900456|1001|Local/1001@from-internal-00000002;2|PJSIP/1001-00000023|Dial|8|7|ANSWERED|1795251670.40|||",
    ] {
        table.row(row);
    }
    let fold = read(&table, &job(NINE, NINE + 10 * MINUTE));
    assert_eq!(fold.ids(), ["1795251610.14", "1795251670.39"]);
    let queue = fold.view("1795251610.14").expect("a call");
    assert_eq!(
        (&queue["outcome"], &queue["agent"]["extension"], &queue["queue"], &queue["recordings"][0]["key"]),
        (&json!("answered"), &json!("1002"), &json!("601"), &json!("q.wav"))
    );
}

#[test]
fn the_hour_that_autumn_has_twice() {
    // 2026-10-25 00:00:00 in UTC, two in Madrid; at one in UTC it is two once more.
    const MIDNIGHT: u64 = 1_792_886_400_000;
    let mut table = table();
    let id = |minute: u64, number: u64| format!("{}.{number}", MIDNIGHT / 1000 + minute * 60);
    let (first, second) = (id(20, 1), id(85, 2));
    table.row(&inbound("2026-10-25 02:20:00", "60", &first, ""));
    table.row(&inbound("2026-10-25 02:25:00", "60", &second, ""));
    for number in 1..4 {
        table.row(&inbound(&format!("2026-10-25 03:0{number}:00"), "60", &id(120 + number, number), ""));
    }
    for most in [10_000, 2] {
        table.most = most;
        let fold = read(&table, &job(MIDNIGHT + 70 * MINUTE, MIDNIGHT + 90 * MINUTE));
        assert_eq!(fold.ids(), [second.as_str()], "{most} rows at once");
        let call = fold.view(&second).expect("a call");
        let times = [MIDNIGHT + 85 * MINUTE, MIDNIGHT + 86 * MINUTE];
        assert_eq!((&call["started_at"], &call["ended_at"]), (&json!(times[0]), &json!(times[1])));
    }
}

#[test]
fn many_calls_are_looked_up_in_pieces() {
    let mut table = table();
    // One in each second of ten minutes.
    for second in 0..600 {
        let at = format!("2026-11-21 10:{:02}:{:02}", second / 60, second % 60);
        table.row(&inbound(&at, "1", &format!("{}.{second}", NINE / 1000 + second), ""));
    }
    assert_eq!(read(&table, &job(NINE, NINE + 15 * MINUTE)).ids().len(), 600);
}

#[test]
fn too_many_rows_are_read_in_smaller_pieces_and_faults_are_passed_on() {
    let mut table = table();
    table.most = 60;
    for second in 0..600 {
        let at = format!("2026-11-21 10:{:02}:{:02}", second / 60, second % 60);
        table.row(&inbound(&at, "1", &format!("{}.{second}", NINE / 1000 + second), ""));
    }
    assert_eq!(read(&table, &job(NINE, NINE + 15 * MINUTE)).ids().len(), 600);

    let outside = Outside::new().settings({
        let mut settings = settings();
        settings["cdr"] = true.into();
        settings
    });
    let statement = "select * from cdr where calldate >= $1 and calldate < $2 order by calldate";
    let asked = ["2026-11-21 05:55:00", "2026-11-21 06:55:00"];
    outside.expect_query("cdr", statement, &asked).fail(Failure::retryable("away"));
    let away = Ami::next(&outside, job(NINE, NINE + 1), None).expect_err("it is away");
    assert!(matches!(away, Failure::Retryable(_)));
    let other = Job { kind: "sync".to_owned(), ..job(0, 1) };
    assert!(matches!(Ami::next(&outside, other, None), Err(Failure::Rejected(_))));
}

#[test]
fn times_and_lengths_may_be_odd() {
    let mut table = table();
    table.row(&inbound("2026-11-21 10:00:10", "12.5", "1795251610.1", ""));
    // To the end of all time is to now, where there is nothing yet to wait for.
    let (fold, page) = pages(&table, &job(NINE, u64::MAX), None);
    assert_eq!(fold.view("1795251610.1").expect("a call")["ended_at"], json!(NINE + 22_500));
    assert!(page.after.is_some() && table.asked.get() < 20, "{} questions", table.asked.get());
    let (fold, _) = pages(&table, &job(u64::MAX - 1, u64::MAX), None);
    assert!(fold.ids().is_empty());
}
