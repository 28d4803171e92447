use super::*;
use crate::model::call::{CallPhase, Desk, Direction};
use crate::model::{About, Agent, AtDesks, Call, Instant, Message, Party, Phone, Subject};

fn event(kind: &str, item: Item) -> Event {
    let subject = Subject { source: "pbx".into(), kind: item.kind(), id: "c1".into() };
    Event {
        seq: 7,
        kind: kind.into(),
        at: Instant::clamped(1_700_000_000_000),
        tenant: "acme".into(),
        about: About {
            record: 1,
            subject,
            revision: 3,
            changed: vec!["phase".into()],
            desks: AtDesks::default(),
            item,
        },
    }
}

fn call() -> Item {
    Item::Call(Call {
        phase: Some(CallPhase::Ended),
        direction: Some(Direction::Inbound),
        duration: Some(61),
        caller: Some(Party {
            number: Some(Phone { e164: Some("+34911234567".into()), ..Phone::raw("911234567") }),
            ..Party::default()
        }),
        agent: Some(Agent { extension: Some("1001".into()), ..Agent::default() }),
        desks: vec![Desk {
            extension: "1001".into(),
            rang_at: Instant::clamped(5),
            answered_at: None,
            stopped_at: None,
        }],
        attributes: vec![("3cx-queue".into(), "800".into())],
        ..Call::default()
    })
}

fn selects(text: &str, event: &Event) -> bool {
    Condition::parse(text, Scope::Event).unwrap_or_else(|misfit| panic!("{text}: {misfit}")).selects(event)
}

#[test]
fn what_holds_for_a_call() {
    let ended = event("call.ended", call());
    for text in [
        "true",
        "event.type == 'call.ended'",
        "event.type in ['call.ended', 'call.recorded']",
        "event.type.startsWith('call.')",
        "event.kind == 'call' && event.source == 'pbx' && event.revision == 3 && event.tenant == 'acme'",
        "'phase' in event.changed",
        "event.changed.exists(f, f == 'phase')",
        "event.at > '2023-01-01T00:00:00Z'",
        "call.phase == 'ended' && call.direction != 'internal'",
        "call.duration > 60 && call.duration < 61.5",
        "call.caller.number.e164.startsWith('+34')",
        "call.caller.number.raw.matches('^9[0-9]{8}$')",
        "call.desks.exists(d, d.extension.matches('^1[0-9]+$'))",
        "!call.caller.number.raw.matches('^8')",
        "call.caller.number.raw.matches('^9' + '1')",
        "call.agent.extension in ['1001', '1002']",
        "call.queue == null",
        "call.queue != 'sales'",
        "!(call.queue == 'sales')",
        "null == call.queue",
        "has(call.duration) && !has(call.queue) && has(call.caller) && !has(call.callee)",
        "call.callee.number.e164 == null",
        "has(call.desks) && !has(call.recordings)",
        "call.desks.exists(d, d.extension == '1001' && d.answered_at == null)",
        "call.desks.all(d, d.rang_at != null)",
        "call.desks.filter(d, d.extension == '1001').size() == 1",
        "call.desks.map(d, d.extension) == ['1001']",
        "call.desks[0].extension == '1001'",
        "size(call.recordings) == 0",
        "call.attributes['3cx-queue'] == '800' && '3cx-queue' in call.attributes && call.attributes.other == null",
        "call.duration > 100 ? false : true",
        "message.text == 'x' || call.phase == 'ended'",
        "event.type == 'message.received' && message.text.contains('x') || event.type == 'call.ended'",
        "int('5') + 2 == 7 && string(call.duration) == '61'",
    ] {
        assert!(selects(text, &ended), "{text}");
    }
    for text in [
        "false",
        "event.type == 'call.ringing'",
        "message.text == 'x'",
        "message.text != 'x'",
        "!(message.text == 'x')",
        "call.hold > 5",
        "call.queue.startsWith('s')",
        "call.wait > 1 || event.type == 'call.ringing'",
        "call.attributes.other == 'x'",
        "call.desks[3].extension == '1001'",
    ] {
        assert!(!selects(text, &ended), "{text}");
    }
}

#[test]
fn what_holds_for_records() {
    let ringing = Condition::parse("call.phase == 'ringing'", Scope::Record).unwrap();
    assert!(!ringing.holds(&call()));
    assert!(ringing.holds(&Item::Call(Call { phase: Some(CallPhase::Ringing), ..Call::default() })));
    assert!(!ringing.holds(&Item::Message(Message::default())));
    assert!(!ringing.may_hold(Kind::Message) && ringing.may_hold(Kind::Call));
}

#[test]
fn most_is_decided_in_advance() {
    let verdicts = |text: &str, event_type: &str| Condition::parse(text, Scope::Event).unwrap().by_type[event_type];
    use Verdict::{Always, Depends, Never};
    for (text, event_type, verdict) in [
        ("event.type == 'call.ended'", "call.ended", Always),
        ("event.type == 'call.ended'", "call.ringing", Never),
        ("event.type != 'call.ended'", "call.ringing", Always),
        ("event.type in ['call.ended', 'call.recorded']", "call.recorded", Always),
        ("!(event.type in ['call.ended'])", "call.ended", Never),
        ("event.type == 'call.ended' && call.duration > 5", "call.ended", Depends),
        ("event.type == 'call.ended' && call.duration > 5", "call.ringing", Never),
        ("call.duration > 5", "message.received", Never),
        ("call.duration > 5 || event.kind == 'message'", "message.received", Always),
        ("call.duration > 5 || message.text == 'x'", "message.received", Depends),
        ("call.duration > 5 || message.text == 'x'", "contact.created", Never),
        ("has(call.queue)", "contact.created", Never),
        ("event.kind == 'call' ? call.duration > 5 : true", "contact.created", Always),
        ("call.desks.exists(d, d.extension == '1')", "contact.created", Never),
    ] {
        assert_eq!(verdicts(text, event_type), verdict, "{text} for {event_type}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let cases = [
        ("event.type == 'call.rining'", "`event.type` is never `call.rining`", "did you mean `call.ringing`?"),
        (
            "event.type in ['call.ended', 'call.eneded']",
            "`event.type` is never `call.eneded`",
            "did you mean `call.ended`?",
        ),
        ("event.typ == 'call.ended'", "`event` has no field `typ`", "did you mean `type`?"),
        ("cal.phase == 'ended'", "`cal` is not a name", "did you mean `call`?"),
        ("call.phse == 'ended'", "`call` has no field `phse`", "did you mean `phase`?"),
        ("call.phase == 'finished'", "`call.phase` is never `finished`", "known: `ringing`, `answered`, `ended`"),
        ("'ended' == call.direction", "`call.direction` is never `ended`", "known: `inbound`, `outbound`, `internal`"),
        ("call.duration > '60'", "`call.duration`: a whole number is never a text", ""),
        ("call.duration == true", "`call.duration`: a whole number is never true or false", ""),
        ("call.duration", "the condition is a whole number and must be true or false", ""),
        ("call.duration && true", "a whole number stands where true or false must stand", ""),
        ("call.caller.nmber.e164 == ''", "`call.caller` has no field `nmber`", "did you mean `number`?"),
        ("call.phase.word == ''", "`call.phase` is a text and has no field `word`", ""),
        (
            "call.desks.extension == '1'",
            "`call.desks` is a list and has no field `extension`",
            "ask about its elements: `call.desks.exists(one, one.extension == …)`",
        ),
        ("call.desks.exists(d, d.extensoin == '1')", "`d` has no field `extensoin`", "did you mean `extension`?"),
        ("'phse' in event.changed", "no record has a field `phse`", "did you mean `phase`?"),
        ("call.queue.startWith('x')", "`startWith` is not a function", "did you mean `startsWith`?"),
        ("call.duration.startsWith('x')", "`startsWith` is for texts, not for a whole number", ""),
        ("call.queue.matches('(')", "`(` is not a regular expression: unclosed group", ""),
        ("call.phase = 'ended'", "not a condition: ", "to compare, write `==`"),
        ("event.type == 'call.ended' and true", "not a condition: ", "write `&&` for and, `||` for or"),
        ("event == 'x'", "`event` stands alone", "compare one of its fields: `event.type`, say"),
        ("'x' in call.queue", "`in` wants a list, not a text", ""),
        ("{'a': 1} == {}", "maps are not used in conditions", ""),
        ("", "not a condition: ", ""),
    ];
    for (text, what, hint) in cases {
        let misfit = Condition::parse(text, Scope::Event).err().unwrap_or_else(|| panic!("{text} passes"));
        assert!(misfit.what.starts_with(what), "{text}: {misfit}");
        assert_eq!(misfit.hint.unwrap_or_default(), hint, "{text}");
    }
    let misfit = Condition::parse("event.type == 'call.ended'", Scope::Record).unwrap_err();
    assert_eq!(misfit.what, "`event` is not there in `while`: the moment of delivery has no event");
    let misfit = Condition::parse("call.phase == 'ended' && call.phse == ''", Scope::Record).unwrap_err();
    assert_eq!(misfit.offset, 29);
    let misfit = Condition::parse("true &&\n  call.phase = ''", Scope::Record).unwrap_err();
    assert_eq!(misfit.offset, 21);
}

#[test]
fn odd_texts_do_no_harm() {
    for text in
        ["(".repeat(300), "!".repeat(4000), "a.".repeat(2000), "[".repeat(500), "'x' + ".repeat(500), "x".repeat(5000)]
    {
        assert!(Condition::parse(&text, Scope::Event).is_err());
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "it is what the test is for")]
#[ignore = "prints how long conditions take"]
fn speed() {
    let ended = event("call.ended", call());
    for text in [
        "event.type == 'call.ended'",
        "event.type == 'call.ringing' && call.duration > 5",
        "event.type == 'call.ended' && call.direction == 'inbound'",
        "call.caller.number.e164.startsWith('+34') && call.duration > 10 && call.queue != 'x'",
        "call.desks.exists(d, d.extension == '1001')",
        "call.caller.number.raw.matches('^9[0-9]{8}$')",
    ] {
        let condition = Condition::parse(text, Scope::Event).unwrap();
        let start = std::time::Instant::now();
        for _ in 0..10_000 {
            std::hint::black_box(condition.selects(std::hint::black_box(&ended)));
        }
        eprintln!("{:?} {text}", start.elapsed() / 10_000);
    }
}
