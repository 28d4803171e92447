//! Every recording gives the calls that truly were.

use serde_json::Value;

use crate::support::recording::{Recording, all};
use crate::support::{Hub, START};

/// What is wrong with a record, beside what truly was.
fn faults(hub: &Hub, call: &Value) -> Vec<String> {
    let id = call["linkedid"].as_str().expect("an id");
    let Some(record) = hub.fold.view(id) else {
        return vec![format!("no record {id}; there are {:?}", hub.fold.ids())];
    };
    let mut faults = Vec::new();
    let mut check = |what: &str, good: bool, is: &Value, should: &Value| {
        if !good {
            faults.push(format!("{what} is {is} and should be {should}"));
        }
    };
    let mut same = |what: &str, is: &Value, should: &Value| check(what, is == should, is, should);
    same("phase", &record["phase"], &"ended".into());
    same("direction", &record["direction"], &call["direction"]);
    same("caller's number", &record["caller"]["number"]["raw"], &call["from"]["number"]);
    same("agent", &record["agent"]["extension"], &call["agent"]);
    same("recording", &record["recordings"][0]["key"], &call["recording"]["path"]);
    let among = |is: &Value, should: &Value, others: &Value| {
        is == should || others.as_array().is_some_and(|others| others.contains(is))
    };
    let queue = &record["queue"];
    check("queue", among(queue, &call["queue"], &call["queue_alternatives"]), queue, &call["queue"]);
    let caller_name = &record["caller"]["name"];
    check(
        "caller's name",
        among(caller_name, &call["from"]["name"], &call["name_alternatives"]),
        caller_name,
        &call["from"]["name"],
    );
    let callee = &record["callee"]["number"]["raw"];
    check("callee", among(callee, &call["to"]["number"], &call["to_alternatives"]), callee, &call["to"]["number"]);
    check(
        "outcome",
        among(&record["outcome"], &call["status"], &call["status_alternatives"]),
        &record["outcome"],
        &call["status"],
    );
    let ended_unseen = call["end_not_observed"] == true;
    let started_unseen = call["start_not_observed"] == true;
    if !ended_unseen {
        check(
            "hangup by",
            call["hangup_by"].is_null() || record["hangup_by"] == call["hangup_by"],
            &record["hangup_by"],
            &call["hangup_by"],
        );
        check("cause", record["hangup_cause"] == call["hangup_cause"], &record["hangup_cause"], &call["hangup_cause"]);
    }

    let desks = record["desks"].as_array().expect("a list");
    let mut rang: Vec<&str> = desks.iter().map(|desk| desk["extension"].as_str().expect("text")).collect();
    rang.sort_unstable();
    rang.dedup();
    if !started_unseen {
        let rang = Value::from(rang);
        let offered = &call["offered_to"];
        check("desks", among(&rang, offered, &call["offered_alternatives"]), &rang, offered);
        let mut answered: Vec<(&Value, &Value)> = desks
            .iter()
            .filter(|desk| !desk["answered_at"].is_null())
            .map(|desk| (&desk["answered_at"], &desk["extension"]))
            .collect();
        answered.sort_by_key(|(at, _)| at.as_u64());
        let first = answered.first().filter(|(at, _)| **at == record["answered_at"]);
        let first = first.map_or(Value::Null, |(_, extension)| (*extension).clone());
        // Who picked it up, or met the caller in a conference, did not ring for it.
        let rang = offered.as_array().is_some_and(|offered| offered.contains(&call["answered_by"]));
        check("answered by", first == call["answered_by"] || !rang && first.is_null(), &first, &call["answered_by"]);
    }
    for desk in desks {
        check("a desk's end", !desk["stopped_at"].is_null() || ended_unseen, desk, &"stopped".into());
    }

    let near = |is: Option<f64>, should: &Value| match (is, should["value"].as_f64()) {
        (Some(is), Some(value)) => (is - value).abs() <= should["tolerance"].as_f64().expect("a number") + 0.001,
        (None, None) => true,
        (is, None) => is.is_none(),
        (None, _) => false,
    };
    let seconds = |name: &str| record[name].as_f64();
    let ring = record["attributes"]["ring-seconds"].as_str().map(|text| text.parse().expect("a number"));
    let estimated = |is: Option<f64>| started_unseen && is.is_none();
    check(
        "talk",
        near(seconds("talk"), &call["talk_seconds"]) || ended_unseen || estimated(seconds("talk")),
        &record["talk"],
        &call["talk_seconds"],
    );
    check(
        "wait",
        near(seconds("wait"), &call["wait_seconds"]) || estimated(seconds("wait")),
        &record["wait"],
        &call["wait_seconds"],
    );
    check(
        "ring",
        near(ring, &call["ring_seconds"]) || started_unseen,
        &record["attributes"]["ring-seconds"],
        &call["ring_seconds"],
    );
    if !call["hold_seconds"].is_null() {
        check("hold", near(seconds("hold"), &call["hold_seconds"]), &record["hold"], &call["hold_seconds"]);
    }
    for (name, truth) in [("started_at", "started_ms"), ("answered_at", "answered_ms"), ("ended_at", "ended_ms")] {
        let unseen = match name {
            "ended_at" => ended_unseen,
            _ => started_unseen,
        };
        let tolerance = if unseen { 1500.0 } else { 700.0 };
        let should = call[truth].as_f64();
        let is = record[name].as_f64().map(|is| is - START as f64);
        let good = match (is, should) {
            (Some(is), Some(should)) => (is - should).abs() <= tolerance,
            (None, None) => true,
            (None, Some(_)) => unseen,
            (Some(_), None) => false,
        };
        check(name, good, &is.into(), &call[truth]);
    }

    let moves: Vec<Value> = record["transfers"].as_array().expect("a list").clone();
    let wanted = call["transfers"].as_array().expect("a list");
    check("transfers", moves.len() == wanted.len(), &moves.clone().into(), &call["transfers"]);
    for (is, should) in moves.iter().zip(wanted) {
        let same = is["kind"] == should["type"]
            && is["by"] == should["by"]
            && is["to"] == should["to"]
            && is["answered"] == should["answered"];
        check("transfer", same, is, should);
    }
    if !call["final_party"].is_null() {
        let last = &record["attributes"]["final-party"];
        check("final party", *last == call["final_party"], last, &call["final_party"]);
    }
    if call["click_to_call"] == true {
        let click = &record["attributes"]["click-to-call"];
        check("click-to-call", *click == "true", click, &"true".into());
    }
    faults
}

/// Checks a played recording; what is neither a call nor an optional one must not be there.
fn check(recording: &Recording, hub: &Hub) -> Vec<String> {
    let calls = recording.expected["calls"].as_array().expect("a list");
    let none = vec![];
    let optional = recording.expected["optional_calls"].as_array().unwrap_or(&none);
    let mut wrong = Vec::new();
    for call in calls {
        wrong.extend(faults(hub, call));
    }
    let known: Vec<&str> = calls.iter().chain(optional).map(|call| call["linkedid"].as_str().expect("an id")).collect();
    for id in hub.fold.ids() {
        if !known.contains(&id) {
            wrong.push(format!("there is a record {id} of no call: {}", hub.call(id)));
        }
    }
    for call in optional.iter().filter(|call| hub.fold.view(call["linkedid"].as_str().expect("an id")).is_some()) {
        wrong.extend(faults(hub, call).into_iter().map(|fault| format!("optional: {fault}")));
    }
    wrong.into_iter().map(|fault| format!("{}: {fault}", recording.name)).collect()
}

fn assert_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn as_recorded() {
    let mut wrong = Vec::new();
    for recording in all(None).iter().filter(|recording| !recording.name.ends_with("z_protocol")) {
        let hub = recording.play(&mut |bytes| vec![bytes.to_vec()]);
        assert!(hub.reconnects.is_empty(), "{}: {:?}", recording.name, hub.reconnects);
        wrong.extend(check(recording, &hub));
    }
    assert_right(&wrong);
}

#[test]
fn byte_by_byte() {
    let mut wrong = Vec::new();
    for recording in all(Some("asterisk-22")).iter().filter(|recording| !recording.name.ends_with("z_protocol")) {
        let hub = recording.play(&mut |bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect());
        wrong.extend(check(recording, &hub));
    }
    assert_right(&wrong);
}

/// A stream of numbers that are random enough, and the same each time.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

#[test]
fn cut_at_random() {
    let mut wrong = Vec::new();
    for (number, recording) in all(None).iter().enumerate().filter(|(_, one)| !one.name.ends_with("z_protocol")) {
        let mut seed = number as u64;
        let hub = recording.play(&mut |bytes| {
            let mut pieces = Vec::new();
            let mut rest = bytes;
            while !rest.is_empty() {
                let (piece, more) = rest.split_at((random(&mut seed) % 200 + 1).min(rest.len()));
                pieces.push(piece.to_vec());
                rest = more;
            }
            pieces
        });
        wrong.extend(check(recording, &hub));
    }
    assert_right(&wrong);
}

/// The bytes with another second in every id of a channel and another number in every name, so that two calls can be
/// on one line. Lengths stay.
fn renumbered(recording: &Recording) -> Recording {
    let turn = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        for start in 0..bytes.len().saturating_sub(4) {
            if bytes[start..].starts_with(b"1795") && (start == 0 || !bytes[start - 1].is_ascii_digit()) {
                bytes[start..start + 4].copy_from_slice(b"1796");
            }
            if bytes[start..].starts_with(b"-0000") {
                bytes[start..start + 5].copy_from_slice(b"-9000");
            }
        }
        bytes
    };
    let again = |value: &Value| -> Value { serde_json::from_slice(&turn(value.to_string().as_bytes())).expect("JSON") };
    Recording {
        name: format!("{} (second)", recording.name),
        bytes: turn(&recording.bytes),
        timing: recording.timing.clone(),
        expected: again(&recording.expected),
    }
}

#[test]
fn two_recordings_on_one_line() {
    use crate::support::recording::Step;
    let mut wrong = Vec::new();
    let all: Vec<Recording> = all(Some("asterisk-16"))
        .into_iter()
        .chain(all(Some("asterisk-22")))
        .filter(|one| one.timing.iter().filter(|entry| entry["kind"] == "open").count() == 1)
        // Whoever listens late has not heard the other call's beginning.
        .filter(|one| one.timing.iter().any(|entry| entry["kind"] == "open" && entry["t_ms"].as_f64() < Some(1000.0)))
        // What happens at once would be heard before the other's login.
        .filter(|one| one.expected["calls"][0]["started_ms"].as_u64().is_none_or(|at| at > 100))
        .filter(|one| !one.name.ends_with("z_protocol") && !one.name.ends_with("w_core_restart"))
        .collect();
    let mut seed = 7;
    for first in &all {
        let second = renumbered(&all[random(&mut seed) % all.len()]);
        let mut steps: Vec<(u64, Step)> = first.steps();
        let frames = |(at, step)| match step {
            // One of them greets.
            Step::Frame(bytes, _) if bytes.starts_with(b"Asterisk Call Manager") => None,
            Step::Frame(bytes, _) if bytes.starts_with(b"Event: FullyBooted") => None,
            Step::Frame(bytes, None) => Some((at, Step::Frame(bytes, None))),
            Step::Frame(bytes, Some(action)) if action == "Originate" && bytes.starts_with(b"Event") => {
                Some((at, Step::Frame(bytes, Some(action))))
            }
            _ => None,
        };
        steps.extend(second.steps().into_iter().filter_map(frames));
        steps.sort_by_key(|(at, _)| *at);
        let end = steps.iter().position(|(_, step)| matches!(step, Step::Close(_))).expect("an end");
        let close = steps.remove(end);
        steps.push((close.0.max(steps.last().expect("steps").0), close.1));
        let mut hub = Hub::new(first.settings());
        Recording::perform(&mut hub, steps, &mut |bytes| vec![bytes.to_vec()]);
        let joined = |key: &str| -> Value {
            [&first, &&second].iter().filter_map(|one| one.expected[key].as_array()).flatten().cloned().collect()
        };
        let both = Recording {
            name: format!("{} with {}", first.name, second.name),
            bytes: vec![],
            timing: vec![],
            expected: serde_json::json!({ "calls": joined("calls"), "optional_calls": joined("optional_calls") }),
        };
        wrong.extend(check(&both, &hub));
    }
    assert_right(&wrong);
}

#[test]
fn any_beginning_of_a_stream_gives_records_that_may_be() {
    for recording in all(Some("asterisk-22")).iter().filter(|recording| !recording.name.ends_with("z_protocol")) {
        let count = recording.steps().len();
        for length in (0..count).step_by(7) {
            let mut steps = recording.steps();
            steps.truncate(length);
            let mut hub = Hub::new(recording.settings());
            Recording::perform(&mut hub, steps, &mut |bytes| vec![bytes.to_vec()]);
            for id in hub.fold.ids() {
                let call = hub.call(id);
                let time = |name: &str| call[name].as_u64();
                let name = &recording.name;
                assert!(
                    time("answered_at")
                        .is_none_or(|at| Some(at) >= time("started_at") || call["attributes"]["repaired"] == "true"),
                    "{name}: {call}"
                );
                assert!(time("ended_at").is_none_or(|at| Some(at) >= time("answered_at")), "{name}: {call}");
                assert!(
                    call["outcome"].is_null() || call["outcome"] == "answered" || call["phase"] == "ended",
                    "{name}: {call}"
                );
                assert!(call["outcome"] != "answered" || call["phase"] != "ringing", "{name}: {call}");
            }
        }
    }
}
