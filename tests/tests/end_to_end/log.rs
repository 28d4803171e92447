//! What the log says when it says the most, and what it never says.

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use serde_json::Value;

#[tokio::test]
async fn no_credential_stands_in_the_log() {
    let mut setup = Setup::vtiger("http://127.0.0.1:9");
    setup.environment.push(("RUST_LOG".to_owned(), "debug".to_owned()));
    let hub = Hub::start(setup).await;
    assert_eq!(hub.post(&PbxCall::number(1).ended()).await.unwrap().status(), 200);
    let token = hub.token("supervisor", "eva");
    let ticket = hub.http.post(hub.url("/v1/tickets")).bearer_auth(&token).send().await.unwrap();
    let ticket: Value = ticket.json().await.unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    let url = format!("ws://{}/v1/live?ticket={ticket}", hub.address());
    let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    hub.until("the socket in the log", || async { hub.log().contains("path=\"/v1/live\"") }).await;
    drop(socket);
    let log = hub.log();
    assert!(log.contains("answered"), "it says what was asked:\n{log}");
    let signed = token.rsplit('.').next().unwrap();
    let secrets = [cordboard_tests::hub::TOKENS, cordboard_tests::pbx::SECRET, cordboard_tests::vtiger::HUB_KEY];
    for secret in secrets.into_iter().chain([ticket, "ticket=", signed]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
