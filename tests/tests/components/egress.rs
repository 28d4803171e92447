//! What leaves the hub on a component's behalf: where to, in what form, and what is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cordboard::components::Exchange;
use cordboard::components::contract::{Failure, Outcome};

use tokio::net::{TcpListener, TcpStream};

use crate::bench::{self, SECRET};
use crate::misdeeds::beside;

async fn asked(misdeed: &str, url: &str, allow: &[&str]) -> (Outcome, Vec<Exchange>) {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let it = bench::doing(&runtime, &component, misdeed, url, allow);
    let (outcome, exchanges) = bench::deliver(&it).await;
    (outcome.unwrap(), exchanges)
}

/// The component hears the contract's word, people read the reason; other calls go on.
async fn denied(misdeed: &str, url: &str, allow: &[&str], reason: &str) {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let it = bench::doing(&runtime, &component, misdeed, url, allow);
    let (outcome, exchanges) = beside(&runtime, &component, async || bench::deliver(&it).await).await;
    let outcome = outcome.unwrap();
    let Outcome::Failed(Failure::Rejected { why, .. }) = outcome else { panic!("{url}: {outcome:?}") };
    assert!(why.contains("HttpRequestDenied"), "{url}: {why}");
    let last = exchanges.last().unwrap();
    assert_eq!(last.status, None);
    assert_eq!(last.error.as_deref(), Some(reason), "{url}");
}

async fn told(misdeed: &str, url: &str, allow: &[&str]) -> (String, Vec<Exchange>) {
    let (outcome, exchanges) = asked(misdeed, url, allow).await;
    match outcome {
        Outcome::Done(receipt) => (receipt.external_id.unwrap(), exchanges),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn an_allowed_host_is_reached() {
    let server = bench::server().await;
    let (said, exchanges) = told("request", &format!("http://{server}/"), &[&server.to_string()]).await;
    assert_eq!(said, "200 here");
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0].answer.as_ref().unwrap().body, "here");
    let port = server.port();
    let (said, _) = told("request", &format!("http://localhost:{port}/"), &["localhost"]).await;
    assert_eq!(said, "200 here");
}

#[tokio::test]
async fn a_connection_serves_its_own_use_again_and_no_other() {
    let server = bench::server().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (here, accepted) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let counted = accepted.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut far = TcpStream::connect(server).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let url = format!("http://{here}/");
    let one = bench::doing(&runtime, &component, "request", &url, &[&here]);
    for _ in 0..3 {
        assert_eq!(bench::delivered(&one).await, "200 here");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1, "three requests over one connection, each from a fresh instance");
    let other = bench::doing(&runtime, &component, "request", &url, &[&here]);
    assert_eq!(bench::delivered(&other).await, "200 here");
    assert_eq!(accepted.load(Ordering::SeqCst), 2, "another use has its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_allowed_is_not_reached() {
    let server = bench::server().await;
    let port = server.port();
    let reason =
        "127.0.0.1 is this machine itself and not allowed for this tenant; add \"127.0.0.1\" to `allow` if it is meant";
    denied("request", &format!("http://{server}/"), &["crm.example.com"], reason).await;
    let reason = format!(
        "`localhost:{port}` is not allowed for this tenant; add \"localhost:{port}\" to `allow` if it is meant"
    );
    denied("request", &format!("http://localhost:{port}/"), &["crm.example.com"], &reason).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clouds_credentials_are_not_reached() {
    let reason = "169.254.169.254 is a link-local address and not allowed for this tenant; \
                  add \"169.254.169.254\" to `allow` if it is meant";
    denied("request", "http://169.254.169.254/latest/meta-data/", &["crm.example.com"], reason).await;
    let reason = "`metadata.friends.example` leads to 169.254.169.254, which is a link-local address; \
                  add \"169.254.169.254\" to `allow` if it is meant";
    denied("request", "http://metadata.friends.example/", &["*.friends.example"], reason).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_this_machine_is_not_reached() {
    let port = bench::server().await.port();
    let reason = "`evil.example` leads to 127.0.0.1, which is this machine itself; \
                  add \"127.0.0.1\" to `allow` if it is meant";
    denied("request", &format!("http://evil.example:{port}/"), &["evil.example"], reason).await;
    let (said, _) = told("request", &format!("http://evil.example:{port}/"), &["evil.example", "127.0.0.1"]).await;
    assert_eq!(said, "200 here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_checked_like_any_request() {
    let server = bench::server().await;
    let port = server.port();
    let from = |to: &str| format!("http://{server}/redirect?to={to}");
    let reason = "`evil.example` leads to 127.0.0.1, which is this machine itself; \
                  add \"127.0.0.1\" to `allow` if it is meant";
    let here = server.to_string();
    denied("redirect", &from(&format!("http://evil.example:{port}/")), &[&here, "evil.example"], reason).await;
    denied(
        "redirect",
        &from("http://elsewhere.example/"),
        &[&here],
        "`elsewhere.example` is not among the hosts that the component's descriptor names",
    )
    .await;
    let (said, exchanges) = told("redirect", &from(&format!("http://{server}/")), &[&here]).await;
    assert_eq!(said, "200 here");
    assert_eq!(exchanges.iter().map(|exchange| exchange.status).collect::<Vec<_>>(), [Some(302), Some(200)]);
}

#[tokio::test]
async fn small_bodies_have_a_length_and_large_ones_are_streamed() {
    let server = bench::server().await;
    let (url, here) = (format!("http://{server}/seen"), server.to_string());
    let (said, exchanges) = told("post", &url, &[&here]).await;
    assert!(said.contains("body=36 content-length=36 transfer-encoding=none agent=Cordboard/"), "{said}");
    assert_eq!(exchanges[0].request.body, "password=[secret]&text=kept");
    let (said, exchanges) = told("large-post", &url, &[&here]).await;
    assert!(said.contains("body=4194304 "), "{said}");
    assert_eq!(exchanges[0].request.size, 4 << 20);
    assert!(exchanges[0].request.cut);
}

#[tokio::test]
async fn secrets_are_not_written_down() {
    let server = bench::server().await;
    let url = format!("http://{server}/login?key=v3ry-s3cret%2Fvalue&access_token=abc");
    let (_, exchanges) = told("post", &url, &[&server.to_string()]).await;
    let shown = serde_json::to_string(&exchanges).unwrap();
    for secret in [SECRET, "v3ry", "abc", "s3ssion-name"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(exchanges[0].url.ends_with("/login?key=[secret]&access_token=[secret]"), "{}", exchanges[0].url);
    assert_eq!(exchanges[0].answer.as_ref().unwrap().body, r#"{"sessionName":"[secret]","user":"me"}"#);
}

#[tokio::test]
async fn a_file_is_fetched_within_its_bound() {
    let server = bench::server().await;
    let here = server.to_string();
    let (said, _) = told("fetch", &format!("http://{server}/file"), &[&here]).await;
    assert_eq!(said, "50000 Some(\"audio/wav\")");
    let (said, _) = told("fetch", &format!("http://{server}/redirect?to=/file"), &[&here]).await;
    assert_eq!(said, "50000 Some(\"audio/wav\")");
    let (outcome, _) = asked("fetch", &format!("http://{server}/large"), &[&here]).await;
    let Outcome::Failed(Failure::Rejected { code, why }) = outcome else { panic!("{outcome:?}") };
    assert_eq!((code.as_str(), why.ends_with("has more than 100000 bytes")), ("too-large", true), "{why}");
    let (outcome, _) = asked("fetch", &format!("http://{server}/redirect?to=http://10.0.0.1/"), &[&here]).await;
    let Outcome::Failed(Failure::Rejected { code, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(code, "misconfigured");
}
