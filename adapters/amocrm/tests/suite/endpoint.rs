//! What the account sends: webhooks as they are documented, and what is none.

use std::path::Path;

use crate::bench::Bench;
use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, post};

const TOKEN: &str = "a-token-of-more-than-16";

fn outside() -> Outside {
    let settings = json!({"url": "https://test.amocrm.ru", "hook_token": TOKEN, "client_secret": "the-secret-of-it"});
    Outside::new().settings(settings)
}

fn documented(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(name);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
        .unwrap()
}

fn hook(host: &dyn Host, token: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    Amocrm::handle(host, post(&format!("/v1/endpoints/acme/crm/hook/{token}"), &headers, body))
}

#[test]
fn a_contact_that_changed_is_reported() {
    let told = documented("webhooks-02-contact-added.json");
    let answer = hook(&outside(), TOKEN, told["request"]["body"].as_str().unwrap());
    assert_eq!((answer.response().unwrap().status, answer.observations.len()), (200, 1));
    let observation = &answer.observations[0];
    let Item::Contact(contact) = &observation.item else { panic!("a contact") };
    assert_eq!((observation.id.as_str(), contact.name.as_deref()), ("contact/10952709", Some("Example contact")));
    assert_eq!(contact.numbers, [Phone::raw("+76665554433")]);
    assert_eq!(observation.at, Some(1_684_402_722_000));
}

#[test]
fn other_webhooks_are_taken_and_say_nothing() {
    for name in ["webhooks-03-unsorted-accepted.json", "webhooks-04-lead-status.json"] {
        let told = documented(name);
        let answer = hook(&outside(), TOKEN, told["request"]["body"].as_str().unwrap());
        assert_eq!((answer.response().unwrap().status, answer.observations.len()), (200, 0), "{name}");
    }
    for body in ["", "=", "contacts[add]=1", "contacts[add][0][id]=x", "contacts[add][0][id]=1;drop", "%ff%fe[[]]=\0"] {
        let answer = hook(&outside(), TOKEN, body);
        assert_eq!((answer.response().unwrap().status, answer.observations.len()), (200, 0), "{body}");
    }
    let company = "contacts[add][0][id]=7&contacts[add][0][type]=company&contacts[add][0][name]=x";
    assert!(hook(&outside(), TOKEN, company).observations.is_empty());
}

#[test]
fn the_address_is_the_secret() {
    let body = "contacts[add][0][id]=7&contacts[add][0][name]=x&contacts[add][0][type]=contact";
    assert_eq!(hook(&outside(), TOKEN, body).observations.len(), 1);
    for token in ["", "wrong", "a-token-of-more-than-1", "a-token-of-more-than-166"] {
        let answer = hook(&outside(), token, body);
        assert_eq!(answer.observations.len(), 0, "{token}");
        assert!(answer.response().unwrap().status >= 400);
    }
    let closed = Outside::new().settings(json!({"url": "https://test.amocrm.ru"}));
    assert_eq!(hook(&closed, "x", body).response().unwrap().status, 403);
}

#[test]
fn another_accounts_webhook_is_not_taken() {
    let bench = Bench::with(json!({"hook_token": TOKEN}));
    let contact = "contacts[add][0][id]=7&contacts[add][0][name]=x";
    assert_eq!(hook(&bench.host, TOKEN, &format!("{contact}&account[id]=28805383")).observations.len(), 1);
    assert_eq!(hook(&bench.host, TOKEN, &format!("{contact}&account[id]=1")).response().unwrap().status, 403);
    let foreign = format!("{contact}&contacts[add][0][account_id]=1");
    assert_eq!(hook(&bench.host, TOKEN, &foreign).observations.len(), 0);
}

#[test]
fn the_end_of_an_integration_is_proved_and_told() {
    let ask = |outside: &Outside, query: &str| {
        let mut request = post("/v1/endpoints/acme/crm/off", &[], "");
        (request.method, request.query) = ("GET".into(), Some(query.into()));
        Amocrm::handle(outside, request).response().unwrap().status
    };
    let outside = outside();
    assert_eq!(ask(&outside, "account_id=12345678&client_uuid=client&signature=00"), 401);
    assert_eq!(ask(&outside, ""), 401);
    assert!(outside.logs().is_empty());
    // HMAC-SHA256 of `client|12345678`; the pages differ in the name of the member.
    let signature = "a7229e3571947e52336944935295aac509d0ab3a9d8c6348cb128723a9b1e697";
    for name in ["client_uuid", "client_id"] {
        assert_eq!(ask(&outside, &format!("account_id=12345678&{name}=client&signature={signature}")), 200);
    }
    assert_eq!(outside.logs().len(), 2);
}

#[test]
fn there_is_nothing_else() {
    for path in ["/v1/endpoints/acme/crm", "/v1/endpoints/acme/crm/x", "/", ""] {
        assert_eq!(Amocrm::handle(&outside(), post(path, &[], "{}")).response().unwrap().status, 404, "{path}");
    }
}
