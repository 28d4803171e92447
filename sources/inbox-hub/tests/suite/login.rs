//! Logging in: by key, by token, by both; refreshing first, and never too often.

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::Outside;

use crate::support::*;

const MINUTE: u64 = 60_000;

fn both() -> Outside {
    let user = json!({"auth": "api_key_and_jwt", "identifier": "demo@example.invalid", "password": "test-only"});
    outside(user).at(BASE)
}

fn expect_login(outside: &Outside) {
    outside
        .expect("POST", "/api/auth/login")
        .body_json(json!({"identifier": "demo@example.invalid", "password": "test-only"}))
        .answer_with(answer("api.auth.login.200.json", 200, &[]));
}

fn expect_refresh(outside: &Outside) {
    outside.expect("POST", "/api/auth/refresh-token").answer_with(answer("api.auth.refresh.200.json", 200, &[]));
}

fn token(file: &str) -> String {
    recorded(file)["data"]["accessToken"].as_str().unwrap().to_owned()
}

#[test]
fn both_proofs_are_sent_and_the_token_is_renewed_an_hour_ahead() {
    let outside = both();
    expect_login(&outside);
    let grant = InboxHub::issue(&outside, None).unwrap();
    // The token says that it lives for a day from the recording's moment.
    assert_eq!(grant.expires_at, Some(BASE + 23 * 60 * MINUTE));
    assert_eq!(attribute(&grant.attributes, "user"), Some("demo"));
    outside.set_grant(Some(grant));
    let bearer = format!("Bearer {}", token("api.auth.login.200.json"));
    outside
        .expect("GET", "/api/sessions")
        .header("X-API-Key", "test-key")
        .header("authorization", &bearer)
        .answer_with(answer("api.sessions.list.200.json", 200, &[]));
    InboxHub::perform(&outside, command("session.list", json!({}))).result.unwrap();
}

#[test]
fn a_token_is_refreshed_before_anybody_logs_in_again() {
    let outside = both();
    expect_login(&outside);
    let first = InboxHub::issue(&outside, None).unwrap();
    outside.set_now(BASE + 23 * 60 * MINUTE);
    expect_refresh(&outside);
    let second = InboxHub::issue(&outside, Some(first)).unwrap();
    assert_eq!(attribute(&second.attributes, "obtained-by"), Some("renewal"));
    // A refresh token that is no longer good leads to a login.
    outside.set_now(BASE + 46 * 60 * MINUTE);
    outside.expect("POST", "/api/auth/refresh-token").answer_with(answer("api.error.401.invalid-token.json", 401, &[]));
    expect_login(&outside);
    let third = InboxHub::issue(&outside, Some(second.clone())).unwrap();
    assert_eq!(attribute(&third.attributes, "obtained-by"), Some("login"));
    // One that was only just refreshed and is refused all the same is not refreshed again.
    outside.set_now(BASE + 23 * 60 * MINUTE + 20 * MINUTE);
    expect_login(&outside);
    InboxHub::issue(&outside, Some(second)).unwrap();
}

#[test]
fn a_refused_token_asks_for_a_new_grant() {
    let outside = both();
    let why = InboxHub::perform(&outside, command("session.list", json!({}))).result.unwrap_err();
    assert!(matches!(why, Failure::Unauthorized(_)), "{why:?}");
    expect_login(&outside);
    outside.set_grant(Some(InboxHub::issue(&outside, None).unwrap()));
    outside.expect("GET", "/api/sessions").answer_with(answer("api.error.401.invalid-token.json", 401, &[]));
    let why = InboxHub::perform(&outside, command("session.list", json!({}))).result.unwrap_err();
    assert!(matches!(why, Failure::Unauthorized(_)), "{why:?}");
}

#[test]
fn no_more_than_four_in_a_quarter_of_an_hour_over_restarts() {
    let outside = both();
    let mut grant = None;
    for round in 0..2 {
        outside.set_now(BASE + round * MINUTE);
        expect_login(&outside);
        grant = Some(InboxHub::issue(&outside, without_refresh(grant)).unwrap());
    }
    for round in 2..4 {
        outside.set_now(BASE + round * MINUTE);
        expect_login(&outside);
        grant = Some(InboxHub::issue(&outside, without_refresh(grant)).unwrap());
    }
    // Nothing is kept but the grant: whoever starts anew knows how often.
    let again = both();
    again.set_now(BASE + 5 * MINUTE);
    assert_eq!(InboxHub::issue(&again, without_refresh(grant.clone())), Err(Failure::RateLimited(Some(10 * MINUTE))));
    assert_eq!(again.asked().len(), 0);
    again.set_now(BASE + 15 * MINUTE);
    expect_login(&again);
    InboxHub::issue(&again, without_refresh(grant)).unwrap();
}

#[test]
fn calls_that_came_to_nothing_count_too_and_are_not_hurried() {
    // As the hub notes it where nobody ever was logged in.
    let noted = |moments: &[Instant]| {
        let moments: Vec<_> = moments.iter().map(ToString::to_string).collect();
        let attributes = vec![
            ("failed-logins".to_owned(), moments.join(",")),
            ("failed-login".to_owned(), "Credenciales inválidas".to_owned()),
        ];
        Some(Grant { token: String::new(), expires_at: Some(0), attributes })
    };
    let outside = both();
    outside.set_now(BASE + 10_000);
    let Err(Failure::Retryable(soon)) = InboxHub::issue(&outside, noted(&[BASE])) else { panic!("too soon") };
    assert_eq!(soon.after, Some(20_000));
    assert!(soon.why.contains("10 s ago") && soon.why.contains("Credenciales inválidas"), "{}", soon.why);
    outside.set_now(BASE + 50_000);
    let twice = noted(&[BASE, BASE + 30_000]);
    assert!(matches!(InboxHub::issue(&outside, twice.clone()), Err(Failure::Retryable(_))), "twice as long");
    assert_eq!(outside.asked().len(), 0);
    outside.set_now(BASE + 90_000);
    expect_login(&outside);
    let grant = InboxHub::issue(&outside, twice).unwrap();
    let calls = attribute(&grant.attributes, "auth-calls").unwrap();
    assert_eq!(calls.split(',').count(), 3, "they go on counting: {calls}");
    let many: Vec<Instant> = (0..4).map(|round| BASE + round * 30_000).collect();
    outside.set_now(BASE + 90_000 + 8 * 30_000);
    let limited = InboxHub::issue(&outside, noted(&many));
    assert_eq!(limited, Err(Failure::RateLimited(Some(15 * MINUTE - 330_000))));
}

/// A grant whose refresh token is gone.
fn without_refresh(grant: Option<Grant>) -> Option<Grant> {
    grant.map(|mut grant| {
        let mut token: Value = serde_json::from_str(&grant.token).unwrap();
        token["refresh"] = Value::Null;
        grant.token = token.to_string();
        grant
    })
}

#[test]
fn the_shortest_life_that_is_told_counts() {
    let outside = both();
    outside.expect("POST", "/api/auth/login").answer_json(200, ok(json!({"accessToken": "opaque", "expiresIn": "2h"})));
    let grant = InboxHub::issue(&outside, None).unwrap();
    assert_eq!(grant.expires_at, Some(BASE + 90 * MINUTE));
}

#[test]
fn a_wrong_password_is_for_a_person() {
    let outside = both();
    let body = json!({"success": false, "error": "Credenciales inválidas", "code": "AUTHENTICATION_FAILED"});
    outside.expect("POST", "/api/auth/login").answer_json(401, body);
    let Err(Failure::Misconfigured(why)) = InboxHub::issue(&outside, None) else { panic!("misconfigured") };
    assert!(
        why.contains("Credenciales inválidas") && why.contains("`password`") && !why.contains("test-only"),
        "{why}"
    );
    outside.expect("POST", "/api/auth/login").answer(429, "{}");
    assert!(matches!(InboxHub::issue(&outside, None), Err(Failure::RateLimited(_))));
    outside.expect("POST", "/api/auth/login").answer(200, "<html>");
    assert!(matches!(InboxHub::issue(&outside, None), Err(Failure::Retryable(_))));
}

#[test]
fn the_key_alone_is_proved_too() {
    let outside = outside(json!({"auth": "api_key_and_jwt", "sessions": [SESSION, "elsewhere"]}));
    outside.expect("GET", "/api/sessions").header("X-API-Key", "test-key").answer_with(answer(
        "api.sessions.list.200.json",
        200,
        &[],
    ));
    let grant = InboxHub::issue(&outside, None).unwrap();
    assert_eq!(grant.expires_at, None);
    let logs = outside.logs();
    assert!(logs.iter().any(|(_, line)| line.contains("key alone")), "{logs:?}");
    assert!(logs.iter().any(|(_, line)| line.contains("`elsewhere`")), "{logs:?}");
    outside.expect("GET", "/api/sessions").answer_with(answer("api.error.401.missing-api-key.json", 401, &[]));
    assert!(matches!(InboxHub::issue(&outside, None), Err(Failure::Misconfigured(_))));
}

#[test]
fn a_token_alone_carries_no_key() {
    let outside = outside(json!({"auth": "jwt", "identifier": "demo@example.invalid", "password": "test-only"}));
    expect_login(&outside);
    outside.set_grant(Some(InboxHub::issue(&outside, None).unwrap()));
    outside.expect("GET", "/api/sessions").answer_with(answer("api.sessions.list.200.json", 200, &[]));
    InboxHub::perform(&outside, command("session.list", json!({}))).result.unwrap();
    assert!(!outside.asked().iter().any(|request| request.headers.iter().any(|(name, _)| name == "X-API-Key")));
}

#[test]
fn settings_that_cannot_work_are_said() {
    let without_key =
        Outside::new().settings(json!({"url": "https://inbox.test", "sessions": [SESSION], "secret": SECRET}));
    let why = InboxHub::issue(&without_key, None).unwrap_err();
    assert!(matches!(&why, Failure::Misconfigured(why) if why.contains("`api_key`")), "{why:?}");
    let without_user = outside(json!({"auth": "jwt"}));
    assert!(matches!(InboxHub::issue(&without_user, None), Err(Failure::Misconfigured(_))));
}

#[test]
fn a_grant_of_other_settings_is_not_used() {
    let outside = both();
    expect_login(&outside);
    let grant = InboxHub::issue(&outside, None).unwrap();
    let other =
        crate::support::outside(json!({"auth": "jwt", "identifier": "other@example.invalid", "password": "test-only"}));
    other.set_grant(Some(grant));
    let why = InboxHub::perform(&other, command("session.list", json!({}))).result.unwrap_err();
    assert!(matches!(why, Failure::Unauthorized(_)), "{why:?}");
    assert_eq!(other.asked().len(), 0);
}
