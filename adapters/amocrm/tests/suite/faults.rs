//! What goes wrong: tokens, limits, an account that moves, servers that are down. Nothing doubled, nothing lost, and no
//! login spent without need.

use std::time::Duration;

use crate::bench::{Bench, KNOWN, START, STRANGER, Slow, finished, first, missed, repeated};
use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_tests::amocrm::{ANNA, CODE, Fault, LONG_LIVED};

fn token(bench: &Bench) -> Value {
    serde_json::from_str(&bench.host.grant().unwrap().token).unwrap()
}

fn refused(bench: &Bench) -> String {
    match bench.login() {
        Err(Failure::Misconfigured(why)) => why,
        other => panic!("misconfigured, not {other:?}"),
    }
}

/// As the hub does it when the grant has come to its end.
fn let_end(bench: &Bench) {
    let mut grant = bench.host.grant().unwrap();
    grant.expires_at = Some(bench.host.now());
    bench.host.set_grant(Some(grant));
}

/// The access token has come to its end as well.
fn let_token_end(bench: &Bench) {
    let mut grant = bench.host.grant().unwrap();
    let mut token = token(bench);
    let mut account: Value = serde_json::from_str(token["account"].as_str().unwrap()).unwrap();
    account["ends"] = json!(bench.host.now());
    token["account"] = json!(account.to_string());
    grant.token = token.to_string();
    grant.expires_at = Some(bench.host.now());
    bench.host.set_grant(Some(grant));
}

#[test]
fn a_code_is_used_once_and_refresh_tokens_from_then_on() {
    let bench = Bench::with(json!({}));
    let first_token = token(&bench);
    assert_eq!((first_token["refresh"].as_str(), bench.crm.world().tokens.exchanges), (Some("def502-refresh-1"), 1));
    let_token_end(&bench);
    bench.login().unwrap();
    assert_eq!(token(&bench)["refresh"], "def502-refresh-2");
    let asked = bench.crm.faults().latest("access_token");
    assert_eq!((&asked["grant_type"], &asked["refresh_token"]), (&json!("refresh_token"), &first_token["refresh"]));
    let grant = bench.host.grant().unwrap();
    assert!(grant.expires_at.unwrap() > bench.host.now());
    assert!(grant.attributes.contains(&("account".to_owned(), "28805383".to_owned())));
}

#[test]
fn learning_an_account_anew_spends_no_token() {
    let mut bench = Bench::with(json!({}));
    let_end(&bench);
    bench.login().unwrap();
    bench.again(json!({"source": "another"}));
    assert_eq!(bench.crm.world().tokens.exchanges, 1);
    let users = bench.crm.faults().count("GET /api/v4/users");
    bench.deliver(&[first("a", finished(KNOWN)), first("b", missed(STRANGER))]);
    assert_eq!(bench.crm.faults().count("GET /api/v4/users"), users, "users are not asked for with each call");
}

#[test]
fn lists_that_cannot_be_had_are_those_that_were_known() {
    for (settings, exchanges) in [
        (json!({"users": {"101": "Anna@Example.com"}, "pipeline": "Sales"}), 1),
        (json!({"users": {"101": "Anna@Example.com"}, "pipeline": "Sales", "token": LONG_LIVED}), 0),
    ] {
        let bench = Bench::with(settings);
        for down in ["GET /api/v4/users", "GET /api/v4/leads/pipelines"] {
            let_end(&bench);
            bench.crm.faults().next(down, Fault::Page(503));
            bench.login().unwrap();
            let grant = bench.host.grant().unwrap();
            let soon = grant.expires_at.unwrap() - bench.host.now();
            assert!(soon <= 5 * 60 * 1000, "{down}: asked for again before long: {soon} ms");
            bench.one(&first(down, finished(KNOWN)));
            assert_eq!(bench.note(down)["created_by"], ANNA, "{down}: by e-mail");
            bench.one(&first(&format!("lead, {down}"), missed(STRANGER)));
            assert_eq!(bench.crm.faults().latest("unsorted/sip")[0]["pipeline_id"], 31_101, "{down}: by name");
        }
        bench.crm.faults().next("GET /api/v4/users", Fault::Page(503));
        let said = Amocrm::check(&bench.host).unwrap();
        assert!(said.iter().any(|one| one.contains("known before") && one.contains("503")), "{said:?}");
        assert_eq!(bench.crm.world().tokens.exchanges, exchanges);
    }
    // What was never known cannot be kept, and a token that is refused is no such fault.
    let bench = Bench::outside(json!({"token": LONG_LIVED}));
    bench.crm.faults().next("GET /api/v4/users", Fault::Page(503));
    assert_eq!(bench.login().unwrap_err().word(), "retryable");
    bench.login().unwrap();
    let_end(&bench);
    bench.crm.faults().next("GET /api/v4/users", Fault::Stranger);
    assert_eq!(bench.login().unwrap_err().word(), "unauthorized");
}

/// The old server asked for its users every minute, and for good no more once that had failed.
#[test]
fn no_work_asks_for_users_however_long_it_goes_on() {
    let bench = Bench::with(json!({}));
    let hour = 60 * 60 * 1000;
    for n in 0..12 {
        let slow = Slow::new(&bench.host, hour);
        let known = Call { started_at: Some(START + n * hour), ..finished(KNOWN) };
        let outcomes = Amocrm::deliver(&slow, vec![first(&format!("c{n}"), known)]);
        assert!(matches!(outcomes[0], Outcome::Done(_)), "{outcomes:?}");
        assert!(slow.took() >= hour);
    }
    Amocrm::find(&bench.host, Phone::raw(KNOWN)).unwrap();
    assert_eq!(bench.crm.faults().count("GET /api/v4/users"), 0);
    // The login that comes to its end asks once, and finds who is new.
    let fresh = json!({"id": 504_199, "email": "vera@example.com", "rights": {"is_active": true}});
    bench.crm.world().users.push(fresh);
    let_end(&bench);
    bench.login().unwrap();
    assert_eq!(bench.crm.faults().count("GET /api/v4/users"), 1);
    let vera = Agent { user: Some("Vera@example.com".into()), ..Agent::extension("103") };
    bench.one(&first("vera", Call { agent: Some(vera), ..finished(KNOWN) }));
    assert_eq!(bench.note("vera")["created_by"], 504_199);
}

#[test]
fn one_401_is_one_refresh_and_one_repeat() {
    let bench = Bench::with(json!({}));
    bench.crm.faults().next("POST /api/v4/calls", Fault::Stranger);
    bench.one(&first("a", finished(KNOWN)));
    assert_eq!(bench.crm.world().seen("a"), 1);
    assert_eq!(bench.crm.world().tokens.exchanges, 2);
    assert_eq!(token(&bench)["refresh"], "def502-refresh-2");
}

#[test]
fn a_batch_is_repeated_only_where_it_was_refused() {
    let bench = Bench::with(json!({}));
    bench.crm.faults().next("unsorted/sip", Fault::Stranger);
    let changes = [first("a", finished(KNOWN)), first("b", missed(STRANGER)), first("c", finished(KNOWN))];
    let outcomes = bench.deliver(&changes);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
    assert_eq!(["a", "b"].map(|id| bench.crm.world().seen(id)), [1, 1]);
}

#[test]
fn a_refused_refresh_token_deletes_nothing() {
    let bench = Bench::with(json!({}));
    let before = bench.host.grant();
    let_token_end(&bench);
    bench.crm.world().tokens.refresh = Some("another-program-has-taken-it".into());
    let why = refused(&bench);
    assert!(why.contains("revoked") && why.contains("`code`"), "{why}");
    assert_eq!(token(&bench)["refresh"], "def502-refresh-1");
    assert_eq!(bench.crm.faults().count("current/subdomain"), 1, "it was asked where the account is");
    // What might still work is tried again, and works.
    bench.crm.world().tokens.refresh = Some("def502-refresh-1".into());
    bench.login().unwrap();
    assert_eq!(before.map(|grant| grant.attributes), bench.host.grant().map(|grant| grant.attributes));
}

#[test]
fn not_to_hear_where_the_account_is_is_no_end_of_the_login() {
    for away in [true, false] {
        let bench = Bench::outside(json!({}));
        if away {
            // The tokens' own host, at which nobody answers.
            bench.crm.world().home = "127.0.0.1:1".into();
        }
        bench.login().unwrap();
        let_token_end(&bench);
        bench.crm.world().tokens.refresh = Some("another-program-has-taken-it".into());
        bench.crm.faults().next("current/subdomain", Fault::Page(503));
        let Err(Failure::Retryable(it)) = bench.login() else { panic!("it passes") };
        assert!(it.why.contains("revoked"), "{}", it.why);
    }
}

#[test]
fn a_new_code_is_tried_before_what_is_stored() {
    let mut bench = Bench::with(json!({}));
    bench.crm.world().tokens.refresh = None;
    let_token_end(&bench);
    refused(&bench);
    bench.crm.world().tokens.code = Some("a-new-code".into());
    bench.again(json!({"code": "a-new-code"}));
    assert_eq!(token(&bench)["refresh"], "def502-refresh-2");
    // One that is wrong does not cost the stored login.
    bench.again(json!({"code": "mistyped"}));
    bench.one(&first("a", finished(KNOWN)));
    let asked = bench.crm.faults().count("access_token");
    let_end(&bench);
    bench.login().unwrap();
    assert_eq!(bench.crm.faults().count("access_token"), asked, "and is not tried with every login");
}

#[test]
fn a_refresh_token_can_be_taken_over() {
    let bench = Bench::outside(json!({"code": null, "refresh_token": "from-another-program"}));
    bench.crm.world().tokens.refresh = Some("from-another-program".into());
    bench.login().unwrap();
    assert_eq!(token(&bench)["refresh"], "def502-refresh-1");
    let_token_end(&bench);
    bench.login().unwrap();
    assert_eq!(
        token(&bench)["refresh"],
        "def502-refresh-2",
        "the settings' one is used up, and the stored one goes on"
    );
}

#[test]
fn what_cannot_log_in_says_what_to_do() {
    let why = |more: Value| refused(&Bench::outside(more));
    assert!(why(json!({"client_secret": null})).contains("`token`"));
    assert!(why(json!({"code": null})).contains("`code`"));
    assert!(why(json!({"code": "old"})).contains("20 minutes"));
    let bench = Bench::outside(json!({"client_secret": "wrong"}));
    assert!(refused(&bench).contains("Client authentication failed"));
    assert_eq!(bench.crm.world().tokens.code.as_deref(), Some(CODE), "nothing was spent");
}

#[test]
fn an_account_that_moves_is_followed() {
    let bench = Bench::with(json!({}));
    bench.crm.world().home = bench.crm.other();
    // The tokens' own host stays; the account's old address knows nothing any more.
    let_token_end(&bench);
    let claims = bench.crm.world().domain.clone();
    bench.crm.world().domain = bench.crm.other();
    bench.login().unwrap();
    assert_ne!(claims, bench.crm.world().domain);
    let receipt = bench.one(&first("a", finished(KNOWN)));
    assert!(receipt.url.unwrap().contains(&bench.crm.other()));
    // In the middle of the work: a 404 that is no amoCRM's is a question for the address.
    let bench = Bench::with(json!({}));
    let other = bench.crm.other();
    bench.crm.world().domain = other.clone();
    bench.one(&first("a", finished(KNOWN)));
    assert_eq!((bench.crm.world().seen("a"), bench.crm.faults().count("current/subdomain")), (1, 1));
}

#[test]
fn a_pair_of_tokens_is_kept_whatever_else_goes_wrong() {
    let bench = Bench::outside(json!({}));
    bench.crm.faults().next("GET /api/v4/account", Fault::Page(500));
    bench.login().unwrap();
    assert_eq!(token(&bench)["refresh"], "def502-refresh-1");
    bench.one(&first("a", finished(KNOWN)));
    let bench = Bench::outside(json!({}));
    bench.crm.faults().next("access_token", Fault::Lost);
    let Err(Failure::Retryable(it)) = bench.login() else { panic!("retryable") };
    assert!(it.why.contains("504"), "{}", it.why);
}

#[test]
fn a_long_lived_token_needs_nothing_else() {
    let bench = Bench::outside(json!({"token": LONG_LIVED, "code": null, "client_id": null, "client_secret": null}));
    bench.login().unwrap();
    bench.one(&first("a", finished(KNOWN)));
    assert_eq!(bench.crm.world().tokens.exchanges, 0);
    let bench = Bench::outside(json!({"token": "wrong"}));
    assert_eq!(bench.login().unwrap_err().word(), "unauthorized");
}

#[test]
fn asking_too_much_stops_the_lane_for_as_long_as_it_says() {
    let bench = Bench::with(json!({}));
    bench.crm.limits().enforce(Duration::from_secs(300));
    let changes: Vec<Change> =
        (0..4).map(|n| Change { attempt: 2, ..first(&format!("c{n}"), finished(KNOWN)) }).collect();
    let outcomes = Amocrm::deliver(&bench.host, changes.clone());
    let limited = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::RateLimited(Some(300_000))));
    assert!(outcomes.iter().any(limited), "{outcomes:?}");
    assert_eq!(bench.crm.faults().log().iter().filter(|logged| logged.status == 429).count(), 1, "and asks no more");
    // Who goes on is shut out; then it is waited much longer.
    for _ in 0..4 {
        Amocrm::deliver(&bench.host, changes[..1].to_vec());
    }
    assert!(bench.crm.limits().shut_out());
    assert_eq!(bench.fails(&changes[0]), Failure::RateLimited(Some(600_000)));
    bench.crm.limits().forgive();
    for change in &changes {
        std::thread::sleep(Duration::from_millis(1050));
        bench.one(change);
    }
    assert!((0..4).all(|n| bench.crm.world().seen(&format!("c{n}")) == 1), "nothing lost, nothing doubled");
}

#[test]
fn a_server_that_is_down_loses_nothing() {
    let bench = Bench::with(json!({}));
    let changes = [first("a", finished(KNOWN)), first("b", missed(STRANGER))];
    for fault in [Fault::Page(500), Fault::Page(502), Fault::Page(503), Fault::Page(504)] {
        bench.crm.faults().down(fault.clone());
        let outcomes = Amocrm::deliver(&bench.host, changes.to_vec());
        let passing = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::Retryable(_)));
        assert!(outcomes.iter().all(passing), "{fault:?}: {outcomes:?}");
    }
    bench.crm.faults().up();
    let again: Vec<Change> = changes.iter().map(repeated).collect();
    assert!(bench.deliver(&again).iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
    assert_eq!(["a", "b"].map(|id| bench.crm.world().seen(id)), [1, 1]);
}

#[test]
fn an_account_that_is_not_paid_pauses_the_lane() {
    let bench = Bench::with(json!({}));
    bench
        .crm
        .faults()
        .next("POST /api/v4/calls", Fault::Says(402, r#"{"title":"Payment Required","status":402}"#.into()));
    let Failure::Misconfigured(why) = bench.fails(&first("a", finished(KNOWN))) else { panic!("misconfigured") };
    assert!(why.contains("not paid"), "{why}");
}

#[test]
fn what_a_person_should_mend_is_said() {
    let mut bench = Bench::outside(json!({"pipeline": "Nowhere", "default_user": "nobody@example.com"}));
    bench.login().unwrap();
    let said = Amocrm::check(&bench.host).unwrap();
    assert!(
        said.iter().any(|one| one.contains("Nowhere")) && said.iter().any(|one| one.contains("nobody@")),
        "{said:?}"
    );
    bench.crm.world().pipelines[0]["is_unsorted_on"] = json!(false);
    bench.crm.world().administrator = false;
    bench.again(json!({}));
    let said = Amocrm::check(&bench.host).unwrap();
    assert!(said.iter().any(|one| one.contains("switched off")), "{said:?}");
    assert!(said.iter().any(|one| one.contains("may not list")), "{said:?}");
}
