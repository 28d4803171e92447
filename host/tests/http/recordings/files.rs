//! Files as they are: whole, in parts, and none that lies elsewhere.

use std::time::Duration;

use cordboard::model::Instant;
use reqwest::{Method, StatusCode};

use super::{Bench, SOUND, said};
use crate::fixture::token;

#[tokio::test]
async fn a_recording_is_sent_whole_in_parts_or_not_at_all() {
    let bench = Bench::plain().await;
    bench.sound("2026/11/21/in-1.wav", SOUND);
    let id = bench.call("c1", &["/var/spool/asterisk/monitor/in-1.wav"]).await;
    let path = format!("/v1/recordings/{id}");

    let (status, headers, bytes) = bench.ask(&path, &[]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, SOUND), "{}", String::from_utf8_lossy(&bytes));
    let length = SOUND.len().to_string();
    for (name, value) in [
        ("content-type", "audio/wav"),
        ("content-length", length.as_str()),
        ("content-disposition", "inline; filename=\"in-1.wav\""),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    let (tag, modified) = (said(&headers, "etag"), said(&headers, "last-modified"));

    let (status, headers, bytes) = bench.ask_as(Some(&bench.eva), Method::HEAD, &path, &[]).await;
    assert_eq!((status, bytes.len()), (StatusCode::OK, 0));
    assert_eq!((said(&headers, "content-length"), said(&headers, "etag")), (length.as_str(), tag));

    for (range, which, expected) in [
        ("bytes=16-19", "bytes 16-19/26", &b"0123"[..]),
        ("bytes=-2", "bytes 24-25/26", b"89"),
        ("bytes=-400", "bytes 0-25/26", SOUND),
        ("bytes=20-999", "bytes 20-25/26", b"456789"),
    ] {
        let (status, headers, bytes) = bench.ask(&path, &[("range", range)]).await;
        assert_eq!((status, bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, expected), "{range}");
        assert_eq!(
            (said(&headers, "content-range"), said(&headers, "content-length")),
            (which, expected.len().to_string().as_str())
        );
        assert_eq!(headers["content-type"], "audio/wav");
    }
    for range in ["bytes=26-", "bytes=-0"] {
        let (status, headers, _) = bench.ask(&path, &[("range", range)]).await;
        assert_eq!(
            (status, said(&headers, "content-range")),
            (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */26"),
            "{range}"
        );
    }
    for range in ["bytes=0-1,4-5", "bytes=5-2"] {
        let (status, _, bytes) = bench.ask(&path, &[("range", range)]).await;
        assert_eq!(
            (status, bytes.as_slice()),
            (StatusCode::OK, SOUND),
            "several, or what is none, are the whole: {range}"
        );
    }

    for (name, value) in [("if-none-match", tag), ("if-modified-since", modified)] {
        let (status, headers, bytes) = bench.ask(&path, &[(name, value)]).await;
        assert_eq!((status, bytes.len(), said(&headers, "etag")), (StatusCode::NOT_MODIFIED, 0, tag), "{name}");
    }
    let ask = [("range", "bytes=0-3"), ("if-range", tag)];
    assert_eq!(bench.ask(&path, &ask).await.0, StatusCode::PARTIAL_CONTENT);
    bench.sound("2026/11/21/in-1.wav", b"RIFF\x12\0\0\0WAVE, another one");
    let (status, headers, _) = bench.ask(&path, &ask).await;
    assert_eq!(status, StatusCode::OK, "a part of another file would fit nowhere");
    assert_ne!(headers["etag"], tag);
    assert_eq!(bench.ask(&path, &[("if-none-match", tag)]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn nothing_outside_of_the_root_is_handed_out() {
    let bench = Bench::start("root = \"ROOT\", strip = \"/var/spool/asterisk/monitor\"", "").await;
    bench.sound("2026/11/21/in-1.wav", SOUND);
    std::fs::write(bench.folder.path().join("secret.wav"), "secret").unwrap();
    std::fs::create_dir(bench.folder.path().join("monitor-of-others")).unwrap();
    std::fs::write(bench.folder.path().join("monitor-of-others/x.wav"), "secret").unwrap();
    let link = |to: &str, at: &str| {
        std::os::unix::fs::symlink(bench.folder.path().join(to), bench.folder.path().join("monitor").join(at)).unwrap();
    };
    link("secret.wav", "link.wav");
    link("", "up");
    let below = |name: &str| format!("/var/spool/asterisk/monitor/{name}");
    let id = bench.call("good", &[&below("2026/11/21/in-1.wav")]).await;
    assert_eq!(bench.ask(&format!("/v1/recordings/{id}"), &[]).await.0, StatusCode::OK);
    for (n, odd) in [
        below("../secret.wav"),
        below("2026/../../secret.wav"),
        below("../monitor-of-others/x.wav"),
        below("link.wav"),
        below("up/secret.wav"),
        below("2026"),
        below("/etc/passwd"),
        below("2026/11/21/none.wav"),
        "/etc/passwd".to_owned(),
        "../secret.wav".to_owned(),
        bench.folder.path().join("secret.wav").display().to_string(),
        "file:///etc/passwd".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let id = bench.call(&format!("odd-{n}"), &[odd]).await;
        let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}"), &[]).await;
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(status, StatusCode::NOT_FOUND, "{odd}: {text}");
        assert!(!text.contains(&bench.folder.path().display().to_string()), "{text}");
        assert!(!headers.contains_key("retry-after"), "the call is over for long: {odd}");
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_asked_for_again() {
    let bench = Bench::plain().await;
    let young = bench.call_that_ended("young", &["in-2.wav"], Instant::now()).await;
    let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{young}"), &[]).await;
    assert_eq!((status, said(&headers, "retry-after")), (StatusCode::NOT_FOUND, "5"));
    assert!(String::from_utf8_lossy(&bytes).contains("may still be written"));
    bench.sound("2026/11/21/in-2.wav", SOUND);
    assert_eq!(bench.ask(&format!("/v1/recordings/{young}"), &[]).await.2, SOUND);

    let none = bench.call("none", &[]).await;
    let (status, problem) = bench.hub.get(&format!("/v1/recordings/{none}"), &bench.eva).await;
    assert_eq!((status, problem["detail"].as_str()), (StatusCode::NOT_FOUND, Some("there is no recording")));

    let two = bench.call("two", &["in-2.wav", "in-3.wav"]).await;
    let (status, problem) = bench.hub.get(&format!("/v1/recordings/{two}"), &bench.eva).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &"recording".into()), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("in-2.wav, in-3.wav"), "{problem}");
    assert_eq!(bench.ask(&format!("/v1/recordings/{two}?recording=in-2.wav"), &[]).await.2, SOUND);
    assert_eq!(bench.ask(&format!("/v1/recordings/{two}?recording=in-4.wav"), &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_agent_hears_its_own_desk_and_a_supervisor_the_tenant() {
    let bench = Bench::plain().await;
    bench.sound("2026/11/21/in-1.wav", SOUND);
    let id = bench.call("c1", &["in-1.wav"]).await;
    let path = format!("/v1/recordings/{id}");
    for (who, expected) in [
        (Some(token("acme", "agent", "ana")), StatusCode::OK),
        (Some(token("acme", "agent", "luis")), StatusCode::NOT_FOUND),
        (Some(token("other", "admin", "eva")), StatusCode::NOT_FOUND),
        (Some(bench.eva.clone()), StatusCode::OK),
        (None, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(bench.ask_as(who.as_deref(), Method::GET, &path, &[]).await.0, expected, "{who:?}");
    }
}

#[tokio::test]
async fn a_long_recording_is_not_read_into_memory() {
    let bench = Bench::plain().await;
    let file = std::fs::File::create(bench.folder.path().join("monitor/2026/11/21/long.wav")).unwrap();
    file.set_len(3 << 30).unwrap();
    let id = bench.call("c1", &["long.wav"]).await;
    let request = bench.hub.request(Method::GET, &format!("/v1/recordings/{id}"), Some(&bench.eva));
    let mut response = tokio::time::timeout(Duration::from_secs(20), request.send()).await.unwrap().unwrap();
    assert_eq!(response.headers()["content-length"], (3_u64 << 30).to_string().as_str());
    assert!(response.chunk().await.unwrap().is_some());
    let end = bench.ask(&format!("/v1/recordings/{id}"), &[("range", "bytes=3221225470-")]).await;
    assert_eq!((end.0, end.2.len()), (StatusCode::PARTIAL_CONTENT, 2));
}
