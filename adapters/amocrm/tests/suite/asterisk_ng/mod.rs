//! The old server's addresses, as its widgets and links ask at them.

use cordboard_amocrm::Amocrm;
use cordboard_sdk::Person;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::testing::Outside;

mod panel;
mod records;
mod stock;

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

fn recording() -> Recording {
    Recording { id: String::new(), url: None, media_type: None, duration: None }
}
