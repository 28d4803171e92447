//! Recordings, and what is not there.

use super::*;

/// The recording that the hub is told to send.
fn answered_with(outside: &Outside, path: &str) -> Sound {
    match ask(outside, request("GET", path, "")).sent {
        Sent::Sound(sound) => sound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn recordings_are_found_in_the_ledger_and_before_it() {
    let outside = office(json!({}));
    let sound = |path: &str| match ask(&outside, request("GET", path, "")).sent {
        Sent::Sound(sound) => Some((sound.call, sound.recording, sound.format)),
        Sent::Response(reply) => {
            assert_eq!((reply.status, &*reply.body), (404, br#"{"result":"file not found."}"#.as_slice()));
            None
        }
        other => panic!("{other:?}"),
    };
    let mut call = talk();
    call.recordings = vec![Recording { id: "/m/a.wav".into(), ..recording() }];
    outside.office().call("1763700000.42", call);
    let found = Some(("1763700000.42".to_owned(), None, Some("mp3".to_owned())));
    assert_eq!(sound("/records/1763700000.42"), found);
    assert_eq!(sound("/records/records/1763700000.42"), found, "links with the word twice");
    assert_eq!(sound("/v1/endpoints/acme/crm/records/1763700000.42"), found);
    for odd in ["/records/..", "/records/a/b", "/records/", "/records/1'or'1", "/records/%2e%2e%2fx1"] {
        assert_eq!(sound(odd), None, "{odd}");
    }
    let linked = "select calldate, recordingfile from cdr where linkedid = (select max(linkedid) from cdr where uniqueid = $1 \
        and linkedid <> '') and recordingfile <> '' order by case when disposition = 'ANSWERED' then 0 else 1 end, calldate limit 1";
    let own =
        "select calldate, recordingfile from cdr where uniqueid = $1 and recordingfile <> '' order by calldate limit 1";
    let row: &[Option<&str>] = &[Some("2025-11-21 07:05:09"), Some("in-1.wav")];
    let columns = ["calldate", "recordingfile"];
    let path = Some("/var/spool/asterisk/monitor/2025/11/21/in-1.wav".to_owned());
    outside.expect_query("cdr", linked, &["pbx1-1763700000.1"]).answer(&columns, &[row]);
    assert_eq!(sound("/records/pbx1-1763700000.1").unwrap().1, path);
    outside
        .expect_query("cdr", linked, &["1763700000.1"])
        .fail(Failure::rejected("42S22", "Unknown column 'linkedid'"));
    outside.expect_query("cdr", own, &["1763700000.1"]).answer(&columns, &[row]);
    assert_eq!(sound("/records/1763700000.1").unwrap().1, path, "where there is no column of linked ids");
    outside.expect_query("cdr", linked, &["1763700000.2"]).answer(&columns, &[]);
    outside.expect_query("cdr", own, &["1763700000.2"]).answer(&columns, &[]);
    assert_eq!(sound("/records/1763700000.2"), None);
    let none = |id: &str| {
        outside.expect_query("cdr", linked, &[id]).answer(&columns, &[]);
        outside.expect_query("cdr", own, &[id]).answer(&columns, &[]);
    };
    // Another PBX of the tenant has recordings that are nobody's business here.
    let elsewhere = Call { recordings: vec![Recording { id: "/m/b.wav".into(), ..recording() }], ..talk() };
    outside.office().call_at("branch", "1763700000.3", elsewhere);
    none("1763700000.3");
    let here = answered_with(&outside, "/records/1763700000.3");
    assert_eq!((&*here.source, &*here.call, here.recording), ("pbx", "1763700000.3", None), "only of this source");
    let file = answered_with(&outside, "/records/1763700000.42");
    assert_eq!((&*file.source, &*file.call), ("pbx", "1763700000.42"));
    assert_eq!(ask(&outside, request("POST", "/records/1.1", "")).response().unwrap().status, 405);
    let closed = office(json!({ "records": { "unsigned": false } }));
    assert_eq!(ask(&closed, request("GET", "/records/1763700000.42", "")).response().unwrap().status, 404);
}

#[test]
fn what_is_not_set_up_is_not_there() {
    let outside = Outside::new().settings(json!({ "url": "https://acme.amocrm.ru", "asterisk_ng": {} }));
    for path in ["/asterisk", "/asterisk_ng", "/records/1.1"] {
        assert_eq!(ask(&outside, request("GET", path, "")).response().unwrap().status, 404, "{path}");
    }
}
