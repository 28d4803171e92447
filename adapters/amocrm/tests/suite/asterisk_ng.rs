//! The old server's addresses, as its widgets and links ask at them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_amocrm::Amocrm;
use cordboard_sdk::Person;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::testing::Outside;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const NOON: u64 = 1_795_262_400_000;
const KEY: &str = "a-widget-key";

fn settings(more: Value) -> Value {
    let mut own = json!({
        "login": "admin", "password": "p4ssw0rd", "secret_key": KEY, "records": { "cdr": true },
    });
    own.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({ "url": "https://acme.amocrm.ru", "asterisk_ng": own })
}

/// Anna at 101 and Boris at 102, users 504141 and 504142.
fn office(more: Value) -> Outside {
    let outside = Outside::new().settings(settings(more));
    outside.office().agent("101", "Anna Smirnova", "504141");
    outside.office().agent("102", "Boris", "boris@example.com");
    outside
}

fn request(method: &str, path: &str, query: &str) -> Incoming {
    Incoming {
        method: method.into(),
        path: path.into(),
        query: (!query.is_empty()).then(|| query.to_owned()),
        headers: vec![("origin".into(), b"https://acme.amocrm.ru".to_vec())],
        body: vec![],
        received_at: NOON,
    }
}

fn ask(outside: &Outside, request: Incoming) -> Answer {
    Amocrm::handle(outside, request)
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.response().unwrap_or_else(|| panic!("{answer:?}")).body.clone()).unwrap()
}

/// `/asterisk` with the right login.
fn stock(outside: &Outside, query: &str) -> Answer {
    ask(outside, request("GET", "/asterisk", &format!("_login=admin&_secret=p4ssw0rd&{query}")))
}

/// What the callback of the stock widget is given.
fn given(answer: &Answer) -> Value {
    let text = text(answer);
    let object = text.strip_prefix("asterisk_cb(").and_then(|rest| rest.strip_suffix(");"));
    serde_json::from_str(object.unwrap_or_else(|| panic!("{text}"))).unwrap()
}

fn rpc(user: u64, method: &str, params: &Value) -> Incoming {
    let body = json!({
        "headers": { "amouser_email": "anna@example.com", "amouser_id": user, "widget_version": "1.0.0" },
        "content": { "id": 17, "jsonrpc": "2.0", "method": method, "params": params },
    });
    posted(&body.to_string())
}

fn posted(json: &str) -> Incoming {
    let body = cordboard_sdk::http::form([("json", json)]);
    let mut request = request("POST", "/asterisk_ng", &format!("secret_key={KEY}"));
    request.headers.push(("content-type".into(), b"application/x-www-form-urlencoded".to_vec()));
    Incoming { body: body.into_bytes(), ..request }
}

fn panel(outside: &Outside, method: &str, params: &Value) -> Value {
    let answer = ask(outside, rpc(504_141, method, params));
    assert_eq!(answer.response().unwrap().status, 200);
    serde_json::from_str(&text(&answer)).unwrap()
}

fn result(outside: &Outside, method: &str, params: &Value) -> Value {
    let said = panel(outside, method, params);
    assert_eq!((&said["headers"]["status_code"], &said["content"]["id"]), (&json!(200), &json!(17)), "{said}");
    said["content"]["result"].clone()
}

/// An inbound call that 101 talks in.
fn talk() -> Call {
    Call {
        phase: Some(CallPhase::Answered),
        direction: Some(Direction::Inbound),
        caller: Some(Party::number("+79990001122")),
        callee: Some(Party::number("74950000000")),
        agent: Some(Agent::extension("101")),
        started_at: Some(NOON - 20_000),
        answered_at: Some(NOON - 10_000),
        desks: vec![Desk {
            extension: "101".into(),
            rang_at: NOON - 19_000,
            answered_at: Some(NOON - 10_000),
            stopped_at: None,
        }],
        ..Call::default()
    }
}

fn contact() -> Person {
    Person {
        sink: Some("crm".into()),
        id: "7001".into(),
        kind: "contact".into(),
        name: "Irina".into(),
        url: Some("https://acme.amocrm.ru/contacts/detail/7001".into()),
        owner: Some("504141".into()),
    }
}

#[test]
fn the_stock_widget_is_answered_in_its_words() {
    let outside = office(json!({}));
    let answer = stock(&outside, "_action=status");
    let reply = answer.response().unwrap();
    assert_eq!(reply.status, 200);
    let header = |name: &str| {
        let found = reply.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(header("content-type").as_deref(), Some("text/javascript; charset=utf-8"));
    assert_eq!(header("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(given(&answer), json!({ "status": "ok", "action": "status", "data": [] }));
    let bad = ask(&outside, request("GET", "/asterisk", "_login=admin&_secret=wrong&_action=status"));
    assert_eq!(given(&bad), json!({ "status": "not authorized." }));
    for (query, status) in [
        ("_action=call&from=101", "invalid data."),
        ("_action=call&from=101&to=12", "invalid phones."),
        ("_action=call&from=999&to=79990001122", "unknown agent number."),
        ("_action=fly", "unknown action."),
    ] {
        assert_eq!(given(&stock(&outside, query)), json!({ "status": status }), "{query}");
    }
    assert_eq!(text(&ask(&outside, request("GET", "/asterisk", "_login=admin"))), "NO_PARAMS");
    assert_eq!(ask(&outside, request("POST", "/asterisk", "")).response().unwrap().status, 405);
    assert!(outside.office().commands().is_empty());
}

#[test]
fn the_stock_widget_places_a_call() {
    let outside = office(json!({}));
    let answer = stock(&outside, "_action=call&from=101&to=%2B7+%28999%29+000-11-22&as=Anna");
    assert_eq!(given(&answer)["status"], "ok");
    let [command] = &outside.office().commands()[..] else { panic!() };
    assert_eq!(command.name, "call.originate");
    let arguments: Value = serde_json::from_str(&command.arguments).unwrap();
    assert_eq!(arguments, json!({ "from": "101", "to": "+79990001122" }));
    assert_eq!(command.agent.as_ref().unwrap().extension.as_deref(), Some("101"));
    outside.office().will(Err(Failure::rejected("asterisk", "Extension does not exist.")));
    let refused = given(&stock(&outside, "_action=call&from=101&to=79990001122"));
    assert_eq!(
        (&refused["status"], refused["data"].as_str().unwrap().contains("does not exist")),
        (&json!("error"), true)
    );
}

#[test]
fn the_short_form_is_the_old_servers_to_the_letter() {
    let outside = office(json!({ "short": true }));
    assert_eq!(text(&stock(&outside, "_action=status")), "asterisk_cb({'status': 'ok'});");
    assert_eq!(text(&stock(&outside, "_action=cdr")), "asterisk_cb({'status': 'no cdr.'});");
    assert_eq!(text(&stock(&outside, "_action=call&from=101&to=102")), "asterisk_cb({'status': 'ok'});");
    assert_eq!(ask(&outside, request("GET", "/asterisk", "_login=admin")).response().unwrap().status, 422);
}

#[test]
fn the_stock_widget_sees_what_rings_and_what_was() {
    let outside = office(json!({ "zone": "Europe/Moscow" }));
    let mut ringing = talk();
    (ringing.phase, ringing.answered_at, ringing.agent) = (Some(CallPhase::Ringing), None, None);
    ringing.desks[0].answered_at = None;
    outside.office().call("1.1", ringing);
    let rings = given(&stock(&outside, "_action=status"));
    assert_eq!(
        (&rings["data"][0]["connectedlinenum"], &rings["data"][0]["calleridnum"]),
        (&json!("+79990001122"), &json!("101"))
    );
    let ended = |talk_seconds: u32, direction| Call {
        phase: Some(CallPhase::Ended),
        direction: Some(direction),
        talk: Some(talk_seconds),
        duration: Some(talk_seconds + 10),
        recordings: vec![Recording { id: "/m/2026/a.wav".into(), ..recording() }],
        ..talk()
    };
    outside.office().call("1.2", ended(60, Direction::Inbound));
    outside.office().call("1.3", ended(4, Direction::Inbound));
    outside.office().call("1.4", ended(60, Direction::Internal));
    let (from, to) = (NOON / 1000 - 86_400, NOON / 1000);
    let answer = stock(&outside, &format!("_action=cdr&date_from={from}&date_to={to}"));
    let history: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!(
        history,
        json!({ "status": "ok", "data": [{
            "calldate": "2026-11-21 14:59:40", "src": "+79990001122", "dst": "101", "duration": 70, "billsec": 60,
            "uniqueid": "1.2", "recordingfile": "a.wav",
        }] })
    );
    let headers = &answer.response().unwrap().headers;
    assert!(
        headers.iter().any(|(name, value)| name == "x-real_date" && value == b"2026-11-20 12:00:00"),
        "{headers:?}"
    );
    let wide = stock(&outside, &format!("_action=cdr&date_from={}&date_to={to}", to - 30 * 86_400));
    let headers = &wide.response().unwrap().headers;
    assert!(
        headers.iter().any(|(name, value)| name == "x-real_date" && value == b"2026-11-14 12:00:00"),
        "{headers:?}"
    );
}

fn recording() -> Recording {
    Recording { id: String::new(), url: None, media_type: None, duration: None }
}

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
