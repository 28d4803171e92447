//! A site that is away, refuses, locks, lies, or asks for less; credentials of every kind.

use cordboard_frappe::Frappe;
use cordboard_sdk::http::Error;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, change};

use crate::site::{Does, Site, finished, phone, recorded, settings};

const CREATE: &str = "/api/resource/CRM%20Call%20Log";

fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::Retryable(_) => "retryable",
        Failure::RateLimited(_) => "rate-limited",
        Failure::Unauthorized(_) => "unauthorized",
        Failure::Rejected(_) => "rejected",
        Failure::Misconfigured(_) => "misconfigured",
        Failure::Other(_) => "other",
    }
}

#[test]
fn what_passes_is_tried_again_and_makes_no_second_document() {
    let said = |kind: &str| json!({"exc_type": kind, "exc": "[]"});
    let away = || Error::Unreachable { host: "crm".into(), why: "refused".into() };
    for (does, expected) in [
        (Does::Silent(away()), "retryable"),
        (Does::Lost(Error::Timeout("crm".into())), "retryable"),
        (Does::Lost(Error::Broken { host: "crm".into(), why: "reset".into() }), "retryable"),
        (Does::Text(502, "<html><title>Bad Gateway</title>"), "retryable"),
        (Does::Text(504, ""), "retryable"),
        (Does::Text(500, ""), "retryable"),
        (Does::Text(200, "<!DOCTYPE html><title>Login</title>"), "retryable"),
        (Does::Text(200, "{\"data\": {\"na"), "retryable"),
        (Does::Answer(200, json!([[null]])), "retryable"),
        (Does::Answer(200, json!({"success": true, "result": 7, "data": "x", "error": {"code": []}})), "retryable"),
        (Does::Answer(500, said("QueryDeadlockError")), "retryable"),
        (Does::Answer(500, said("QueryTimeoutError")), "retryable"),
        (Does::Answer(417, said("TimestampMismatchError")), "retryable"),
        (Does::Answer(503, said("SessionStopped")), "retryable"),
        (Does::Answer(503, said("InReadOnlyMode")), "retryable"),
        (Does::Answer(429, said("TooManyRequestsError")), "rate-limited"),
        (Does::Answer(401, said("AuthenticationError")), "unauthorized"),
        (Does::Answer(403, said("PermissionError")), "misconfigured"),
        (Does::Answer(417, said("ValidationError")), "rejected"),
        (Does::Answer(500, said("AttributeError")), "rejected"),
        (Does::Text(302, ""), "misconfigured"),
        (Does::Text(404, "<html>404"), "misconfigured"),
        (Does::Silent(Error::Denied("crm".into())), "misconfigured"),
    ] {
        let site = Site::with(json!({"link": false}));
        site.plan("POST", CREATE, does);
        let mut change = change("c1", finished());
        assert_eq!(class(&site.fails(&change)), expected);
        change.attempt = 2;
        site.one(&change);
        assert_eq!(site.only("CRM Call Log")["status"], "Completed");
    }
}

#[test]
fn a_batch_stops_where_the_rest_would_only_run_into_the_same() {
    let changes: Vec<Change> = (0..10).map(|n| change(&format!("c{n}"), finished())).collect();
    for does in [
        Does::Text(502, "<html>"),
        Does::Answer(401, json!({"exc_type": "AuthenticationError"})),
        Does::Lost(Error::Timeout("crm".into())),
    ] {
        let site = Site::with(json!({"link": false}));
        site.plan("POST", "insert_many", does);
        let (outcomes, asked) = site.requests(|| site.deliver(&changes));
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
        assert_eq!(asked, 2);
        let again: Vec<Change> = changes.iter().cloned().map(|it| Change { attempt: 2, ..it }).collect();
        assert!(site.deliver(&again).iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
        assert_eq!(site.docs("CRM Call Log").len(), 10);
    }
    // A batch that deadlocks goes row by row.
    let site = Site::with(json!({"link": false}));
    site.plan("POST", "insert_many", Does::Answer(500, json!({"exc_type": "QueryDeadlockError"})));
    assert!(site.deliver(&changes).iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
}

#[test]
fn a_site_that_is_nearly_spent_is_spared() {
    let site = Site::with(json!({"link": false}));
    let Failure::RateLimited(Some(wait)) = ({
        site.plan("POST", CREATE, Does::Answer(429, json!({"exc_type": "TooManyRequestsError"})));
        site.state().headers = vec![("retry-after".into(), b"29".to_vec())];
        site.fails(&change("c1", finished()))
    }) else {
        panic!("rate-limited")
    };
    assert_eq!(wait, 29_000);
    let number = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    site.state().headers = vec![
        number("x-ratelimit-limit", "60000000"),
        number("x-ratelimit-remaining", "9000000"),
        number("x-ratelimit-reset", "7"),
    ];
    let changes = [change("a", finished()), change("b", Call { outcome: Some("busy".into()), ..finished() })];
    site.one(&changes[0]);
    let outcomes = site.deliver(&changes);
    assert!(
        outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(Failure::RateLimited(Some(7000))))),
        "{outcomes:?}"
    );
}

#[test]
fn nothing_is_done_without_a_grant_of_these_settings() {
    let site = Site::outside(json!({}));
    assert!(matches!(site.fails(&change("c1", finished())), Failure::Unauthorized(_)));
    assert!(matches!(Frappe::find(&site, phone("+34600111222")), Err(Failure::Unauthorized(_))));
    assert!(matches!(Frappe::check(&site), Err(Failure::Unauthorized(_))));
    for grant in ["", "null", "{}", "{\"known\": \"[[[\"}", &"[".repeat(100_000)] {
        let outside = Outside::new().settings(settings(json!({}))).granted(grant);
        let outcomes = Frappe::deliver(&outside, vec![change("c1", finished())]);
        assert!(matches!(outcomes[0], Outcome::Failed(Failure::Unauthorized(_))), "{outcomes:?}");
    }
    let with = Site::with(json!({}));
    let other = Outside::new().settings(settings(json!({"digits": 7})));
    other.set_grant(with.grant());
    assert!(matches!(
        Frappe::deliver(&other, vec![change("c", finished())])[0],
        Outcome::Failed(Failure::Unauthorized(_))
    ));
}

#[test]
fn a_site_that_answers_nonsense_is_lived_through() {
    let deep = "[".repeat(100_000);
    let huge = "a".repeat(8 << 20);
    for body in [
        "null",
        "[]",
        "{}",
        "[[null]]",
        "{\"data\": 7}",
        "{\"message\": {\"time_zone\": 5}}",
        "<html>",
        deep.as_str(),
        huge.as_str(),
    ] {
        let outside = Outside::new().settings(settings(json!({})));
        for method in ["GET", "POST", "PUT", "DELETE"] {
            outside.always(method, "/*").answer(200, body);
        }
        assert!(Frappe::issue(&outside, None).is_err());
        outside.set_grant(Site::with(json!({})).grant());
        let changes = vec![change("a", finished()), change("b", Message::default()), change("c", Session::default())];
        let outcomes = Frappe::deliver(&outside, changes);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
        assert!(Frappe::find(&outside, phone("+34600111222")).is_err());
        let _ = Frappe::check(&outside);
    }
}

#[test]
fn refusals_name_the_way_out_and_no_secret() {
    let outside = Outside::new().settings(settings(json!({})));
    let leaking =
        json!({"exc_type": "AuthenticationError", "_error_message": "token key-000001:secret-000001 is wrong"});
    outside.always("GET", "/*").answer_json(401, leaking);
    let failure = Frappe::issue(&outside, None).unwrap_err();
    assert_eq!(class(&failure), "unauthorized");
    assert!(!failure.why().contains("secret-000001") && failure.why().contains("API Access"), "{failure:?}");
    for (given, named) in [
        (json!({"api_key": ""}), "api_key"),
        (json!({"auth": "bearer"}), "access_token"),
        (json!({"auth": "oauth"}), "client_id"),
        (json!({"auth": "password"}), "username"),
        (json!({"api_secret": "a\r\nX: y"}), "api_secret"),
    ] {
        let outside = Outside::new().settings(settings(given));
        let Err(Failure::Misconfigured(why)) = Frappe::issue(&outside, None) else { panic!("misconfigured") };
        assert!(why.contains(named), "{why}");
    }
}

/// What is learnt, for ways to log in that the site itself need not know.
fn learnt(outside: &Outside) {
    outside.always("GET", "/api/method/frappe.auth.get_logged_user").answer_with(recorded("auth-01-token-ok").answer);
    let zone = json!({"message": [{"defvalue": "Asia/Kolkata"}]});
    outside.always("GET", "/api/method/frappe.client.get_list").answer_json(200, zone);
    outside
        .always("GET", "/api/method/frappe.utils.change_log.get_versions")
        .answer_with(recorded("rpc-19-versions").answer);
    outside
        .always("GET", "/api/resource/CRM%20Telephony%20Agent")
        .answer_with(recorded("misc-14-method-user-agents").answer);
}

fn off(more: Value) -> Outside {
    let mut all = settings(json!({"calls": "off", "whatsapp": "off"}));
    all.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Outside::new().settings(all)
}

fn header(outside: &Outside, name: &str) -> Option<String> {
    let asked = outside.asked().into_iter().rfind(|request| request.url.contains("get_logged_user")).unwrap();
    asked.headers.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

#[test]
fn every_way_to_log_in() {
    for (more, expected) in [
        (json!({}), "token key-000001:secret-000001"),
        (json!({"auth": "basic"}), "Basic a2V5LTAwMDAwMTpzZWNyZXQtMDAwMDAx"),
        (json!({"auth": "bearer", "access_token": "0auth0access0"}), "Bearer 0auth0access0"),
    ] {
        let outside = off(more);
        learnt(&outside);
        let grant = Frappe::issue(&outside, None).unwrap();
        assert_eq!(header(&outside, "authorization").as_deref(), Some(expected));
        assert!(!grant.token.contains("secret-000001"), "keys stay in the settings");
        assert!(grant.attributes.contains(&("version-crm".into(), "1.81.1".into())));
        assert!(grant.attributes.contains(&("time-zone".into(), "Asia/Kolkata".into())));
    }
}

#[test]
fn a_refresh_token_is_used_once_and_never_lost() {
    const TOKEN: &str = "/api/method/frappe.integrations.oauth2.get_token";
    let outside = off(json!({"auth": "oauth", "client_id": "0auth0client0", "refresh_token": "first-refresh"}));
    outside
        .expect("POST", TOKEN)
        .body_contains("refresh_token=first-refresh")
        .answer_with(recorded("oauth-02-token").answer);
    // The site cannot be looked at now: what has been issued is kept all the same.
    outside.expect("GET", "/api/method/frappe.auth.get_logged_user").answer(502, "");
    let grant = Frappe::issue(&outside, None).unwrap();
    assert!(grant.token.contains("0auth0refresh0"));
    outside.set_grant(Some(grant.clone()));
    assert!(matches!(
        Frappe::deliver(&outside, vec![change("c", finished())])[0],
        Outcome::Failed(Failure::Unauthorized(_))
    ));
    outside
        .expect("POST", TOKEN)
        .body_contains("refresh_token=0auth0refresh0")
        .answer_with(recorded("oauth-02-token").answer);
    learnt(&outside);
    let grant = Frappe::issue(&outside, Some(grant)).unwrap();
    assert_eq!(header(&outside, "authorization").as_deref(), Some("Bearer 0auth0access0"));
    assert_eq!(grant.expires_at, Some(outside.now() + 3_600_000));
    // Both are refused: a person has to authorize the hub again.
    let refused = || outside.expect("POST", TOKEN).answer_json(400, json!({"error": "invalid_grant"}));
    refused();
    refused();
    let Err(Failure::Misconfigured(why)) = Frappe::issue(&outside, Some(grant)) else { panic!("misconfigured") };
    assert!(why.contains("invalid_grant") && !why.contains("0auth0refresh0"), "{why}");
}

#[test]
fn a_password_makes_a_session_and_wrong_ones_are_not_tried_on() {
    let outside =
        off(json!({"auth": "password", "username": "hub-sales@example.test", "password": "correct-horse-9471!"}));
    let login = recorded("auth-20-login-ok");
    outside.expect("POST", &login.path).body_json(login.body).answer_with(login.answer);
    learnt(&outside);
    let grant = Frappe::issue(&outside, None).unwrap();
    let sid = "sid=5e55105e5e55105e5e55105e5e55105e5e55105e5e55105e5e55105e";
    assert_eq!(header(&outside, "cookie").as_deref(), Some(sid));
    assert!(grant.token.contains(&sid[4..]));
    outside.expect("POST", "/api/method/login").answer_json(401, json!({"message": "Invalid Login. Try again."}));
    assert!(matches!(Frappe::issue(&outside, None), Err(Failure::Misconfigured(_))));
    outside.expect("POST", "/api/method/login").answer_json(500, json!({"exc_type": "SecurityException"}));
    let Err(Failure::Retryable(it)) = Frappe::issue(&outside, None) else { panic!("retryable") };
    assert_eq!(it.after, Some(60_000));
}
