use super::*;
use crate::settings::CALL_VARIABLE;

const BEGAN: u64 = 1_795_246_343_000;

fn book() -> Book {
    let settings = r#"{"host":"pbx","username":"hub","password":"secret"}"#;
    Book::new(Rc::new(Plan::new(settings).expect("good settings")))
}

/// A channel as Asterisk up to 1.6 tells of it: without the key of another.
fn chan<'a>(name: &'a str, uid: &'a str) -> Chan<'a> {
    Chan { name: name.as_bytes(), uid: uid.as_bytes(), ..Chan::default() }
}

fn dial<'a>(from: Chan<'a>, to: Chan<'a>) -> Event<'a> {
    Event::DialBegin { from: Some(from), to, dialled: b"", per_leg: false }
}

fn hangup(chan: Chan<'_>) -> Event<'_> {
    Event::Hangup { chan, cause: b"16" }
}

fn listed<'a>(chan: Chan<'a>, bridge: &'a [u8]) -> Listed<'a> {
    Listed { chan, age: 0, bridge, with: b"", application: b"", data: b"" }
}

#[test]
fn nothing_is_left_of_calls_that_are_over_but_some_ids() {
    let mut book = book();
    let mut at = BEGAN;
    for round in 0..1_000 {
        let uids: Vec<String> = (0..4).map(|counter| format!("{round}.{counter}")).collect();
        let local = format!("Local/1001@queue-{round:08}");
        let (first, second, bridge) = (format!("{local};1"), format!("{local};2"), format!("bridge-{round}"));
        let command = format!("command-{round}");
        let caller = chan("SIP/trunk-1", &uids[0]);
        let (first, second) = (chan(&first, &uids[1]), chan(&second, &uids[2]));
        let phone = chan("SIP/1001-1", &uids[3]);
        let all = [caller, first, second, phone];
        for chan in all {
            book.take(&Event::New(chan), at);
        }
        book.take(&Event::Variable { chan: caller, name: CALL_VARIABLE.as_bytes(), value: command.as_bytes() }, at);
        book.take(&dial(caller, first), at);
        book.take(&dial(second, phone), at);
        book.take(&Event::Enter { bridge: bridge.as_bytes(), chan: caller, holding: false }, at);
        book.take(&Event::Enter { bridge: bridge.as_bytes(), chan: phone, holding: false }, at);
        book.take(&Event::Renamed { uid: first.uid, name: b"SIP/1001-1<ZOMBIE>" }, at);
        assert_eq!(book.calls.len(), 1, "dialling ties them to one call");
        for chan in all {
            book.take(&hangup(chan), at);
        }
        at += GRACE;
        book.forget_old(at);
        book.report(at, |_| {});
    }
    assert!(book.calls.is_empty() && book.channels.is_empty() && book.bridges.is_empty());
    for (what, index) in [("channels", &book.by_uid), ("calls", &book.by_id), ("halves", &book.pairs)] {
        assert!(index.is_empty(), "{} keys of {what} are left", index.len());
    }
    assert!(book.leaving.is_empty() && book.planned.is_empty() && book.changed.is_empty() && book.ready.is_empty());
    assert_eq!(book.over.len(), OVER);
    assert!(book.is_over.len() <= OVER);
}

/// A PBX that was started anew with its clock set back gives a key again, and the call behind it gets an id of its own.
#[test]
fn a_call_that_dialling_ties_to_another_is_found_by_its_key() {
    let mut book = book();
    let (caller, phone) = (chan("SIP/trunk-1", "1.0"), chan("SIP/1001-1", "1.1"));
    book.take(&Event::New(phone), BEGAN);
    book.take(&hangup(phone), BEGAN);
    book.forget_old(BEGAN + GRACE);
    let at = BEGAN + 10_000;
    book.take(&Event::New(caller), at);
    book.take(&Event::New(phone), at);
    book.take(&dial(caller, phone), at);
    let other = Chan { linked: phone.uid, ..chan("SIP/1002-1", "1.2") };
    book.take(&Event::New(other), at);
    let calls: Vec<usize> = book.channels.iter().map(|(_, channel)| channel.call).collect();
    assert_eq!((book.calls.len(), calls.len()), (1, 3));
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

#[test]
fn half_of_a_local_channel_dials_on_when_the_other_half_is_forgotten() {
    let mut book = book();
    let of_call = |name, uid, linked: &'static str| Chan { linked: linked.as_bytes(), ..chan(name, uid) };
    let (caller, agent) = (of_call("SIP/trunk-1", "1.0", "1.0"), of_call("SIP/1001-1", "2.0", "2.0"));
    let first = of_call("Local/1002@office-1;1", "1.1", "1.0");
    let second = of_call("Local/1002@office-1;2", "1.2", "1.0");
    let phone = of_call("SIP/1002-1", "2.1", "2.0");
    for chan in [caller, agent, first, second, phone] {
        book.take(&Event::New(chan), BEGAN);
    }
    let over = book.channels[book.by_uid[first.uid]].call;
    // All but the first half goes over to the other call.
    book.take(&Event::Attended { first: agent, second: first, who: agent, target: caller, done: true }, BEGAN);
    book.take(&hangup(first), BEGAN);
    book.forget_old(BEGAN + GRACE);
    assert!(!book.calls.contains(over) && !book.by_uid.contains_key(first.uid));
    book.take(&dial(second, phone), BEGAN + GRACE);
    let index = book.by_uid[phone.uid];
    let call = book.channels[index].call;
    assert_eq!(book.calls[call].leg(index).map(|leg| leg.side), Some(channel::Side::Callee));
}

#[test]
fn bridges_of_a_list_are_kept_within_bounds() {
    let mut book = book();
    let uids: Vec<String> = (0..CHANNELS_OF_CALL + 100).map(|counter| format!("1.{counter}")).collect();
    for uid in &uids {
        book.listed(&listed(chan("SIP/1001-1", uid), b"conference"), BEGAN);
    }
    assert_eq!(book.bridges[&b"conference"[..]].len(), CHANNELS_OF_CALL);
    let long = vec![b'x'; KEY + 1];
    book.listed(&listed(chan("SIP/1001-1", &uids[0]), &long), BEGAN);
    assert_eq!(book.bridges.len(), 1, "a name of any length is no name");
}

#[test]
fn of_a_call_that_waits_long_the_latest_is_kept() {
    let mut book = book();
    let linked = |name, uid| Chan { linked: b"1.0", ..chan(name, uid) };
    let caller = linked("SIP/trunk-1", "1.0");
    book.take(&Event::New(caller), BEGAN);
    let uids: Vec<String> = (1..2_000).map(|counter| format!("1.{counter}")).collect();
    for uid in &uids {
        let phone = linked("SIP/1001-1", uid);
        book.take(&Event::New(phone), BEGAN);
        book.take(&dial(caller, phone), BEGAN);
        book.take(&hangup(phone), BEGAN);
        // What comes late begins no new call.
        book.take(&Event::State(phone), BEGAN);
    }
    assert_eq!((book.calls.len(), book.channels.len()), (1, GONE + 1));
    let (_, call) = book.calls.iter().next().expect("the call");
    assert_eq!((call.channels.len(), call.live, book.by_uid.len()), (GONE + 1, 1, GONE + 1));
    assert!(call.legs.len() < GONE + 1);
    assert!(call.legs.iter().all(|leg| leg.channel.is_none_or(|channel| book.channels.contains(channel))));
    book.take(&hangup(caller), BEGAN);
    book.forget_old(BEGAN + GRACE);
    assert!(book.calls.is_empty() && book.channels.is_empty() && book.by_uid.is_empty());
}
