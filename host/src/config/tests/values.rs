//! Amounts, hosts, certificates, and what routes select.

use super::*;

#[test]
fn routes_choose_sinks() {
    use crate::model::call::CallPhase;
    use crate::model::{About, AtDesks, Call, Event, Instant, Item, Kind, Subject};
    let plan = plan("", ACME).unwrap();
    let acme = &plan.tenants["acme"];
    let event = |kind: &str, source: &str| Event {
        seq: 1,
        kind: kind.into(),
        at: Instant::clamped(1000),
        tenant: "acme".into(),
        about: About {
            record: 1,
            subject: Subject { source: source.into(), kind: Kind::Call, id: "c".into() },
            revision: 1,
            changed: vec!["phase".into()],
            desks: AtDesks::default(),
            item: Item::Call(Call { phase: Some(CallPhase::Ringing), ..Call::default() }),
        },
    };
    let ended = event("call.ended", "pbx");
    let lasting = Choice { sink: "crm", holds: None, expires_at: None };
    assert_eq!(acme.wants(&ended).collect::<Vec<_>>(), [lasting]);
    let ringing = event("call.ringing", "pbx");
    let popup =
        Choice { sink: "crm", holds: Some("call.phase == 'ringing'"), expires_at: Some(Instant::clamped(21_000)) };
    assert_eq!(acme.wants(&ringing).collect::<Vec<_>>(), [popup]);
    assert_eq!(acme.wants(&event("call.ended", "other")).count(), 0);
    assert_eq!(acme.wants(&event("call.updated", "pbx")).count(), 0);
}

#[test]
fn amounts() {
    use std::time::Duration;
    assert_eq!(amount::duration("1h30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(amount::duration("250ms"), Ok(Duration::from_millis(250)));
    for odd in ["", "5", "s", "-5s", "5 parsecs", "99999999999999999999d", "18446744073709551615d"] {
        assert!(amount::duration(odd).is_err(), "{odd}");
    }
    assert_eq!(amount::size("1MiB"), Ok(1 << 20));
    assert_eq!(amount::size("64 kB"), Ok(64_000));
    assert!(amount::size("99999999999GiB").is_err() && amount::size("x").is_err());
    assert_eq!(amount::rate("10/s"), Ok(Rate { count: 10, per: Duration::from_secs(1) }));
    assert_eq!(amount::rate("7/2s"), Ok(Rate { count: 7, per: Duration::from_secs(2) }));
    assert!(amount::rate("0/s").is_err() && amount::rate("10").is_err() && amount::rate("10/x").is_err());
}

#[test]
fn host_patterns() {
    for text in
        ["crm.acme.example", "*.acme.example", "localhost:8081", "127.0.0.1:8081", "10.0.0.0/8", "[::1]:80", "::1"]
    {
        assert_eq!(text.parse::<HostPattern>().map(|pattern| pattern.to_string()), Ok(text.to_owned()));
    }
    for text in
        ["", "*", "*.com", "http://x.example", "x.example/path", "x y", "x:99999", "0.0.0.0/0", "*.*.example", "a..b"]
    {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
}

#[test]
fn whom_a_connection_believes_is_looked_at_with_the_file() {
    let authority = include_str!("../../../../tests/fixtures/tls/ca.pem");
    let keeper = Safe::of(&[
        ("/etc/cordboard/good.pem", authority),
        ("/etc/cordboard/empty.pem", "nothing here"),
        ("/etc/cordboard/cut.pem", &authority[..authority.len() / 2]),
        ("/etc/cordboard/odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ]);
    let read = |ca: &str| {
        let text = format!("[sources.pbx]\ncomponent = \"ami\"\nca = \"{ca}\"\nbackoff = {{ first = \"2s\" }}\n");
        Plan::read(Path::new("/etc/cordboard"), &[("tenants/acme.toml".to_owned(), text)], &keeper)
    };
    let plan = read("good.pem").unwrap();
    let source = &plan.tenants["acme"].sources["pbx"];
    assert_eq!(source.ca.as_ref().unwrap().roots().len(), 1);
    assert_eq!((source.backoff.first.as_secs(), source.backoff.ceiling.as_secs()), (2, 60));
    for (ca, what) in [
        ("none.pem", "cannot be read"),
        ("empty.pem", "has no certificate"),
        ("cut.pem", "is broken"),
        ("odd.pem", "cannot be used"),
    ] {
        let problems = read(ca).unwrap_err();
        let [problem] = problems.0.as_slice() else { panic!("{problems}") };
        assert!(problem.what.contains(what) && problem.hint.is_some(), "{problem}");
        assert_eq!((problem.line, problem.column), (3, 6), "{problem}");
    }
}
