//! The widget AsteriskNG.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

#[test]
fn every_refusal_of_the_panel_has_its_number() {
    let outside = office(json!({}));
    let code = |request: Incoming| {
        let answer = ask(&outside, request);
        assert_eq!(answer.response().unwrap().status, 200);
        serde_json::from_str::<Value>(&text(&answer)).unwrap()["headers"]["status_code"].clone()
    };
    let good = || rpc(504_141, "ping", &json!({}));
    assert_eq!(code(good()), 200);
    assert_eq!(code(Incoming { query: Some("secret_key=wrong".into()), ..good() }), 401);
    assert_eq!(code(Incoming { query: None, ..good() }), 401);
    let secretless = ask(&outside, Incoming { method: "OPTIONS".into(), query: None, ..good() });
    assert!(text(&secretless).contains("401"));
    assert!(!secretless.response().unwrap().headers.iter().any(|(name, _)| name.starts_with("access-control")));
    assert_eq!(text(&ask(&outside, Incoming { method: "OPTIONS".into(), ..good() })), "OK");
    assert_eq!(ask(&outside, Incoming { method: "GET".into(), ..good() }).response().unwrap().status, 405);
    for (body, number) in [
        ("{", 400),
        ("[]", 400),
        (r#"{"headers":{"amouser_id":1,"widget_version":"1.0.0"},"content":{"id":1,"method":"ping"}}"#, 400),
        (
            r#"{"headers":{"amouser_email":"a","amouser_id":"1","widget_version":"1.0.0"},"content":{"id":1,"method":"ping"}}"#,
            400,
        ),
        (
            r#"{"headers":{"amouser_email":"a","amouser_id":1,"widget_version":"2.0.0"},"content":{"id":1,"method":"ping"}}"#,
            409,
        ),
        (
            r#"{"headers":{"amouser_email":"a","amouser_id":1,"widget_version":"1.9"},"content":{"id":1,"method":"ping"}}"#,
            200,
        ),
    ] {
        assert_eq!(code(posted(body)), number, "{body}");
    }
    for (method, params, number) in [
        ("fly", json!({}), 404),
        ("ping", json!({ "x": 1 }), 410),
        ("originate", json!({}), 400),
        ("originate", json!({ "phone": "anna" }), 400),
        ("set_mute", json!({ "is_mute": "yes" }), 400),
        ("set_hold", json!({}), 400),
        ("set_hold", json!({ "is_hold": 1 }), 400),
    ] {
        assert_eq!(code(rpc(504_141, method, &params)), number, "{method}");
    }
    assert!(outside.office().commands().is_empty());
}

/// A widget of one's own proves who asks by amoCRM's token: neither the id nor the e-mail of the page counts.
#[test]
fn who_asks_can_be_made_to_prove_it() {
    let mut all = settings(json!({ "disposable_token": true }));
    all["client_secret"] = json!("secret-of-it");
    let outside = Outside::new().settings(all);
    outside.office().agent("101", "Anna Smirnova", "504141");
    outside.office().agent("102", "Boris", "boris@example.com");
    let account = json!({ "id": 42, "users": [{ "id": 504_142, "email": "boris@example.com" }] });
    let grant = json!({ "access": "a", "refresh": null, "account": account.to_string() });
    outside.set_grant(Some(Grant { token: grant.to_string(), ..Grant::default() }));
    let token = |id: &str, user: u64, account: u64| {
        let now = NOON / 1000;
        let claims = json!({ "jti": id, "nbf": now, "exp": now + 1800, "account_id": account, "user_id": user });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({ "alg": "HS256" })), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret-of-it").unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    let said = |user: u64, token: Option<String>| {
        let mut request = rpc(user, "originate", &json!({ "phone": "103" }));
        request.headers.extend(token.map(|token| ("x-auth-token".to_owned(), token.into_bytes())));
        serde_json::from_str::<Value>(&text(&ask(&outside, request))).unwrap()
    };
    let refused = json!({ "headers": { "status_code": 401, "detail": "Invalid token." } });
    for (user, token) in [
        (504_141, None),
        (504_141, Some("a.b.c".to_owned())),
        (504_141, Some(token("j0", 504_142, 42))),
        (504_141, Some(token("j0", 504_141, 43))),
    ] {
        assert_eq!(said(user, token.clone()), refused, "{user} {token:?}");
    }
    assert!(outside.office().commands().is_empty());
    for id in ["j1", "j1", "j2"] {
        assert_eq!(said(504_141, Some(token(id, 504_141, 42)))["headers"]["status_code"], 200);
    }
    let commands = outside.office().commands();
    assert_eq!(commands[0].id, commands[1].id, "a token that comes again is the same click");
    assert_ne!(commands[0].id, commands[2].id);
    // The page says that it is Anna's e-mail; the account knows whose it is.
    assert_eq!(said(504_142, Some(token("j3", 504_142, 42)))["headers"]["status_code"], 200);
    let command = outside.office().commands().pop().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&command.arguments).unwrap()["from"], "102");
}

#[test]
fn the_panel_is_understood_however_its_field_is_packed() {
    let outside = office(json!({}));
    let Incoming { body, .. } = rpc(504_141, "ping", &json!({}));
    let json = Incoming { body, ..posted("") }.form_pairs()[0].1.clone();
    let packed = |media_type: &str, body: String| {
        let mut request = posted("");
        request.headers[1].1 = media_type.as_bytes().to_vec();
        let answer = ask(&outside, Incoming { body: body.into_bytes(), ..request });
        serde_json::from_str::<Value>(&text(&answer)).unwrap()["content"]["result"].clone()
    };
    let pong = json!({ "ping": "pong" });
    assert_eq!(packed("application/json; charset=utf-8", json.clone()), pong);
    let parts = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno\r\n--xyz\r\nContent-Disposition: form-data; \
         name=\"json\"\r\nContent-Type: text/plain\r\n\r\n{json}\r\n--xyz--\r\n"
    );
    assert_eq!(packed("multipart/form-data; boundary=xyz", parts), pong);
}

#[test]
fn a_click_rings_the_own_telephone_each_time() {
    let outside = office(json!({ "trunk_prefix": "9" }));
    assert_eq!(result(&outside, "originate", &json!({ "phone": "+7 (999) 000-11-22" })), Value::Null);
    assert_eq!(result(&outside, "originate_by_contact", &json!({ "contact_uuid": "boris@example.com" })), Value::Null);
    let commands = outside.office().commands();
    let to = |at: usize| serde_json::from_str::<Value>(&commands[at].arguments).unwrap()["to"].clone();
    assert_eq!((to(0), to(1)), (json!("9+79990001122"), json!("102")));
    assert_ne!(commands[0].id, commands[1].id);
    let unknown = result(&outside, "originate_by_contact", &json!({ "contact_uuid": "1" }));
    assert_eq!(unknown["exception_name"], "KeyError");
    outside.office().will(Err(Failure::rejected("asterisk", "Extension does not exist.")));
    let refused = result(&outside, "originate", &json!({ "phone": "103" }));
    assert_eq!(
        (&refused["exception_name"], &refused["message"]),
        (&json!("ValueError"), &json!("Extension does not exist."))
    );
    let mut stranger = rpc(1, "originate", &json!({ "phone": "103" }));
    stranger.body =
        String::from_utf8(stranger.body).unwrap().replace("anna%40example.com", "x%40example.com").into_bytes();
    assert!(text(&ask(&outside, stranger)).contains("KeyError"), "who is no agent has no telephone");
}

#[test]
fn what_goes_on_is_said_at_once_when_the_widget_does_not_know_it() {
    let outside = office(json!({}));
    let quiet = json!({ "status": "NOT_CONVERSATION", "call_info": null });
    assert_eq!(result(&outside, "get_agent_status", &json!({})), quiet);
    outside.office().call("1763700000.42", talk());
    outside.office().person("+79990001122", contact());
    let state = result(&outside, "get_agent_status", &json!({ "current_status": quiet }));
    assert_eq!(result(&outside, "get_agent_status", &json!({})), state, "without a state the true one comes");
    let info = &state["call_info"];
    assert_eq!(state["status"], "CONVERSATION");
    assert_eq!(
        (&info["contact_name"], &info["contact_id"], &info["contact_phone"]),
        (&json!("Irina"), &json!(7001), &json!("+79990001122"))
    );
    assert_eq!((&info["is_hold"], &info["is_mute"]), (&json!(false), &json!(false)));
    assert_eq!(info["timestamp"], NOON / 1000 - 10);
    let id = info["unique_id"].as_str().unwrap();
    assert!(id.len() == 36 && !id.contains("1763700000"), "{id}");

    let known = ask(&outside, rpc(504_141, "get_agent_status", &json!({ "current_status": state })));
    let Sent::Wait(wait) = &known.sent else { panic!("{known:?}") };
    assert_eq!((wait.desks.clone(), wait.until), (vec!["101".to_owned()], NOON + 9_500));
    let otherwise: Value = serde_json::from_slice(&wait.otherwise.body).unwrap();
    assert_eq!(otherwise["content"]["result"], state);

    let mut muted = talk();
    muted.attributes = vec![("muted".into(), "101".into()), ("on-hold".into(), "true".into())];
    outside.office().call("1763700000.42", muted);
    let info = result(&outside, "get_agent_status", &json!({ "current_status": state }))["call_info"].clone();
    assert_eq!((&info["is_mute"], &info["is_hold"], &info["unique_id"]), (&json!(true), &json!(true), &json!(id)));
}

#[test]
fn only_who_talks_is_in_conversation() {
    let outside = office(json!({}));
    let talks = |call: Call| {
        outside.office().call("1.1", call);
        result(&outside, "get_agent_status", &json!({}))["status"] == "CONVERSATION"
    };
    assert!(talks(talk()));
    let mut let_go = talk();
    let_go.desks[0].stopped_at = Some(NOON);
    assert!(!talks(let_go), "after a transfer the telephone is free");
    let mut ringing = talk();
    (ringing.phase, ringing.answered_at, ringing.agent) = (Some(CallPhase::Ringing), None, None);
    ringing.desks[0].answered_at = None;
    assert!(!talks(ringing), "ringing is no conversation");
    let placed = |phase| Call {
        phase: Some(phase),
        direction: Some(Direction::Outbound),
        caller: Some(Party { agent: Some(Agent::extension("101")), ..Party::number("101") }),
        callee: Some(Party::number("+79990001122")),
        agent: Some(Agent::extension("101")),
        answered_at: Some(NOON),
        ..Call::default()
    };
    assert!(!talks(placed(CallPhase::Ringing)));
    assert!(talks(placed(CallPhase::Answered)));
    let mut moved = placed(CallPhase::Answered);
    moved.transfers = vec![Transfer {
        kind: "redirect".into(),
        at: NOON,
        by: Some("101".into()),
        to: Some("102".into()),
        answered: None,
    }];
    assert!(!talks(moved));
}

#[test]
fn a_call_is_moved_muted_and_ended() {
    let outside = office(json!({ "redirect_context": "from-widget" }));
    for (method, params) in [
        ("redirect", json!({ "phone": "102" })),
        ("hangup", json!({})),
        ("set_mute", json!({ "is_mute": true })),
        ("set_hold", json!({ "is_hold": true })),
    ] {
        assert_eq!(result(&outside, method, &params)["exception_name"], "KeyError", "{method} without a call");
    }
    outside.office().call("1.1", talk());
    for _ in 0..2 {
        assert_eq!(result(&outside, "redirect", &json!({ "phone": "102" })), Value::Null);
    }
    let commands = outside.office().commands();
    assert_eq!(commands[0].id, commands[1].id, "the widget says it twice: one command");
    let arguments: Value = serde_json::from_str(&commands[0].arguments).unwrap();
    assert_eq!(arguments, json!({ "call": "1.1", "to": "102", "context": "from-widget" }));
    let mut moved = talk();
    moved.transfers = vec![Transfer {
        kind: "redirect".into(),
        at: NOON - 500,
        by: Some("101".into()),
        to: Some("102".into()),
        answered: None,
    }];
    outside.office().call("1.1", moved);
    assert_eq!(result(&outside, "redirect", &json!({ "phone": "102" })), Value::Null, "it has just been moved there");
    assert_eq!(outside.office().commands().len(), 2);

    outside.office().call("1.1", talk());
    assert_eq!(result(&outside, "set_mute", &json!({ "is_mute": true })), Value::Null);
    assert_eq!(result(&outside, "hangup", &json!({})), Value::Null);
    let commands = outside.office().commands();
    assert_eq!((&*commands[2].name, &*commands[3].name), ("call.mute", "call.hangup"));
}

#[test]
fn a_call_is_held_where_the_pbx_can_and_else_it_is_said() {
    let outside = office(json!({}));
    outside.office().call("1.1", talk());
    for on in [true, false] {
        assert_eq!(result(&outside, "set_hold", &json!({ "is_hold": on })), Value::Null);
        let command = outside.office().commands().pop().unwrap();
        let arguments: Value = serde_json::from_str(&command.arguments).unwrap();
        assert_eq!((&*command.name, arguments), ("call.hold", json!({ "call": "1.1", "on": on, "extension": "101" })));
    }
    outside.office().will(Err(Failure::rejected("unsupported", "only the telephone itself can")));
    let refused = result(&outside, "set_hold", &json!({ "is_hold": true }));
    assert_eq!(refused, json!({ "exception_name": "ValueError", "message": "only the telephone itself can" }));
}

#[test]
fn contacts_are_the_agents_and_those_one_talked_with() {
    let outside = office(json!({}));
    let names = |params: Value| {
        let found = result(&outside, "get_contacts", &params);
        found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({ "start_with": "", "max_results": 50 })), ["Anna Smirnova", "Boris"]);
    assert_eq!(names(json!({ "start_with": "smir", "max_results": 50 })), ["Anna Smirnova"]);
    assert_eq!(names(json!({ "start_with": "102", "max_results": -1 })), ["Boris"]);
    assert_eq!(names(json!({ "start_with": "", "max_results": 1 })), ["Anna Smirnova"]);
    outside.office().call("1.1", Call { phase: Some(CallPhase::Ended), ..talk() });
    outside.office().call("1.2", Call { phase: Some(CallPhase::Ended), ..talk() });
    outside.office().person("+79990001122", contact());
    let last = result(&outside, "get_last_contacts", &json!({ "max_results": 10 }));
    assert_eq!(last, json!([{ "uuid": "7001", "name": "Irina", "phone": "+79990001122" }]));
}
