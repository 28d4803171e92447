//! Recordings: found, bounded by their root, in parts, in other forms, by link.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard::config::Plan;
use cordboard::model::call::Recording;
use cordboard::model::{Call, Instant, Item};
use cordboard::recordings::{Copied, Wanted, short};
use cordboard::store::Intake;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use sha2::Sha256;

use crate::fixture::{Fixture, answer, observed, token};

/// A sound of sixteen bytes and ten.
const SOUND: &[u8] = b"RIFF\x12\0\0\0WAVEfmt 0123456789";

/// 2026-11-20T23:30:00Z: in Madrid it is the next day.
const BEGAN: u64 = 1_795_217_400_000;

struct Bench {
    hub: Fixture,
    folder: tempfile::TempDir,
    eva: String,
}

impl Bench {
    /// A hub whose source `pbx` keeps recordings in `monitor`, as this says, with a program that converts.
    async fn start(recordings: &str, ffmpeg: &str) -> Self {
        Bench::storing(recordings, ffmpeg, "").await
    }

    /// The same with a storage of copies.
    async fn storing(recordings: &str, ffmpeg: &str, storage: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        std::fs::write(&program, ffmpeg).unwrap();
        let executable = std::process::Command::new("chmod").arg("755").arg(&program).status().unwrap();
        assert!(executable.success());
        std::fs::create_dir_all(folder.path().join("monitor/2026/11/21")).unwrap();
        let program = if ffmpeg.is_empty() { Path::new("/nowhere/ffmpeg").to_owned() } else { program };
        let lines = format!(
            "public_url = \"https://hub.example/\"\n[auth]\nsecret = {{ file = \"jwt\" }}\n[recordings]\nffmpeg = \"{}\"\n{storage}",
            program.display()
        );
        let hub = Fixture::with(&lines).await;
        // What stands in the plan is enough for a source that is only read from disk: no component runs here.
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("tenants")).unwrap();
        write("jwt", crate::fixture::SECRET);
        write("s3-key", "AKIA");
        write("s3-secret", "sesame");
        write("cordboard.toml", &lines);
        let recordings = recordings.replace("ROOT", &folder.path().join("monitor").display().to_string());
        write(
            "tenants/acme.toml",
            &format!(
                "[[agents]]\nlogin = \"ana\"\nextensions = [\"1001\"]\n[[agents]]\nlogin = \"luis\"\n\
                 extensions = [\"1002\"]\n[sources.pbx]\ncomponent = \"pbx-webhook\"\nrecordings = {{ {recordings} }}\n"
            ),
        );
        write("tenants/other.toml", "");
        hub.hub.plan.store(Plan::load(folder.path()).unwrap().into());
        Bench { hub, folder, eva: token("acme", "supervisor", "eva") }
    }

    async fn plain() -> Self {
        Bench::start("root = \"ROOT\", path = \"%Y/%m/%d/{file}\", zone = \"Europe/Madrid\"", "").await
    }

    fn sound(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join("monitor").join(name), bytes).unwrap();
    }

    /// A call of extension 1001 with these recordings, over for a long time; its record's id.
    async fn call(&self, id: &str, recordings: &[&str]) -> i64 {
        self.call_that_ended(id, recordings, Instant::clamped(BEGAN + 60_000)).await
    }

    async fn call_that_ended(&self, id: &str, recordings: &[&str], ended: Instant) -> i64 {
        let mut observation = observed(id, "1001", "");
        let Item::Call(call) = &mut observation.item else { unreachable!() };
        let recording = |id: &&str| Recording { id: (*id).to_owned(), url: None, media_type: None, duration: None };
        *call = Call {
            started_at: Some(Instant::clamped(BEGAN)),
            ended_at: Some(ended),
            recordings: recordings.iter().map(recording).collect(),
            ..std::mem::take(call)
        };
        let committed = self.hub.hub.store.commit(Intake::of("acme", "pbx", vec![observation])).await.unwrap();
        committed.records[0]
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.ask_as(Some(&self.eva), Method::GET, path, headers).await
    }

    async fn ask_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = headers
            .iter()
            .fold(self.hub.request(method, path, token), |request, (name, value)| request.header(*name, *value));
        let mut response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        (status, headers, bytes)
    }
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

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
    let (status, headers, _) = bench.ask(&path, &[("range", "bytes=26-")]).await;
    assert_eq!((status, said(&headers, "content-range")), (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */26"));
    let (status, _, bytes) = bench.ask(&path, &[("range", "bytes=0-1,4-5")]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, SOUND), "several ranges are the whole");

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
    assert_eq!((status, problem["detail"].as_str()), (StatusCode::NOT_FOUND, Some("the call has no recording")));

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
async fn a_signed_link_opens_one_recording_for_a_while() {
    let bench = Bench::plain().await;
    bench.sound("2026/11/21/in-1.wav", SOUND);
    bench.sound("2026/11/21/in-2.wav", b"RIFF....WAVE, two");
    let id = bench.call("c1", &["in-1.wav", "in-2.wav"]).await;
    let other = bench.call("c2", &["in-1.wav"]).await;
    let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
    let links = || {
        let mut item = record.item.clone();
        bench.hub.hub.links.put_into(&mut item, "acme", &record.subject, id);
        let Item::Call(call) = item else { unreachable!() };
        call.recordings.into_iter().map(|recording| recording.url.unwrap()).collect::<Vec<_>>()
    };
    let first = links();
    assert_eq!(first, links(), "a call that is delivered again says nothing new");
    let link = first[0].strip_prefix("https://hub.example").unwrap().to_owned();
    assert!(first[0].len() < 200, "CRMs cut longer links: {}", first[0]);
    let open = async |link: &str| bench.ask_as(None, Method::GET, link, &[]).await;
    let (status, _, bytes) = open(&link).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, SOUND), "{link}: {}", String::from_utf8_lossy(&bytes));
    let part = bench.ask_as(None, Method::GET, &link, &[("range", "bytes=0-3")]).await;
    assert_eq!((part.0, part.2.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));

    let url = url::Url::parse(&first[0]).unwrap();
    let value = |name: &str| url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
    let expires: u64 = value("expires").parse().unwrap();
    let now = Instant::now().millis() / 1000;
    assert!(expires > now + 44 * 86_400, "half of its time at least: {expires}");
    for (from, to) in [
        (format!("/v1/recordings/{id}?"), format!("/v1/recordings/{other}?")),
        ("tenant=acme".to_owned(), "tenant=other".to_owned()),
        (short("in-1.wav"), short("in-2.wav")),
        (short("in-1.wav"), "in-1.wav".to_owned()),
        (format!("expires={expires}"), format!("expires={}", expires + 1)),
        (value("signature"), value("signature").to_uppercase()),
        (value("signature"), value("signature")[..20].to_owned()),
        (value("signature"), String::new()),
    ] {
        let odd = link.replace(&from, &to);
        assert_ne!(odd, link, "{from}");
        let (status, _, bytes) = open(&odd).await;
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(status, StatusCode::FORBIDDEN, "{odd}: {text}");
        assert!(text.contains("signature is wrong"), "{text}");
    }
    let (status, problem) = answer(bench.hub.request(Method::GET, &link.replace("tenant=acme&", ""), None)).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &"tenant".into()));

    // One that was right, and whose time is over.
    let signed = |expires: u64| {
        let key = bench.hub.hub.store.derived_key("links to recordings");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let short = short("in-1.wav");
        mac.update(format!("/v1/recordings/{id}\0acme\0{short}\0{expires}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16]);
        format!("/v1/recordings/{id}?tenant=acme&recording={short}&expires={expires}&signature={signature}")
    };
    assert_eq!(open(&signed(now + 60)).await.0, StatusCode::OK);
    let (status, _, bytes) = open(&signed(now - 1)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(&bytes).contains("the link has expired"));
}

#[tokio::test]
async fn without_an_address_of_its_own_the_hub_makes_no_links() {
    let bench = Bench::plain().await;
    let id = bench.call("c1", &["in-1.wav"]).await;
    let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
    let mut plan = Plan::clone(&bench.hub.hub.plan.load_full());
    plan.hub.public_url = None;
    bench.hub.hub.plan.store(plan.into());
    let mut item = record.item.clone();
    bench.hub.hub.links.put_into(&mut item, "acme", &record.subject, id);
    assert_eq!(item, record.item);
}

/// Writes its arguments down, takes its time, and makes an MP3 of a kind.
const STAND_IN: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"$(dirname \"$0\")/asked\"\nsleep 0.2\n\
    for last; do :; done\nprintf 'ID3 and sound' > \"${last#file:}\"\n";

#[tokio::test]
async fn a_form_is_made_once() {
    let bench = Bench::start("root = \"ROOT\"", STAND_IN).await;
    bench.sound("in-1.wav", SOUND);
    let id = bench.call("c1", &["in-1.wav"]).await;
    let path = format!("/v1/recordings/{id}?format=mp3");
    let several = futures::future::join_all((0..4).map(|_| bench.ask(&path, &[]))).await;
    for (status, headers, bytes) in several {
        assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &b"ID3 and sound"[..]));
        assert_eq!(headers["content-type"], "audio/mpeg");
        assert_eq!(headers["content-disposition"], "inline; filename=\"in-1.mp3\"");
    }
    let by_accept =
        bench.ask(&format!("/v1/recordings/{id}"), &[("accept", "audio/mpeg"), ("range", "bytes=0-2")]).await;
    assert_eq!((by_accept.0, by_accept.2.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"ID3"[..]));
    let asked = || std::fs::read_to_string(bench.folder.path().join("asked")).unwrap();
    assert_eq!(asked().lines().count(), 1, "{}", asked());
    for argument in ["-nostdin", "-protocol_whitelist file", "-format_whitelist wav,", "-i file:/", "-c:a libmp3lame"] {
        assert!(asked().contains(argument), "{argument}: {}", asked());
    }
    bench.sound("in-1.wav", b"RIFF....WAVE and longer");
    assert_eq!(bench.ask(&path, &[]).await.0, StatusCode::OK);
    assert_eq!(asked().lines().count(), 2, "another sound is converted anew");
    let (status, problem) = bench.hub.get(&format!("/v1/recordings/{id}?format=wav"), &bench.eva).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &"format".into()));
}

#[tokio::test]
async fn a_form_that_cannot_be_had_says_why() {
    let asked = async |ffmpeg: &str| {
        let bench = Bench::start("root = \"ROOT\"", ffmpeg).await;
        bench.sound("in-1.wav", SOUND);
        let id = bench.call("c1", &["in-1.wav"]).await;
        let (status, problem) = bench.hub.get(&format!("/v1/recordings/{id}?format=opus"), &bench.eva).await;
        assert_eq!(status, StatusCode::NOT_ACCEPTABLE, "{problem}");
        assert_eq!(bench.ask(&format!("/v1/recordings/{id}"), &[]).await.2, SOUND, "as it is it can be had");
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert!(asked("").await.contains("apt-get install ffmpeg"));
    assert!(asked("#!/bin/sh\necho 'secret words' >&2\nexit 1\n").await.contains("the hub's log has FFmpeg's words"));
    assert!(asked("#!/bin/sh\nexit 0\n").await.contains("no sound in it"));
}

/// Half a second of a tone, 8 kHz, 16 bits, as Asterisk writes it.
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..4000_i32).flat_map(|n| (((n % 20) * 1000 - 10_000) as i16).to_le_bytes()).collect();
    let length = samples.len() as u32;
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend_from_slice(&length.to_le_bytes());
    wav.extend_from_slice(&samples);
    wav
}

#[tokio::test]
async fn the_real_ffmpeg_makes_mp3_and_opus_and_reads_nothing_but_the_sound() {
    if !std::process::Command::new("ffmpeg").arg("-version").output().is_ok_and(|said| said.status.success()) {
        println!("passed over: there is no FFmpeg here; the stand-in of the other tests shows all but FFmpeg itself");
        return;
    }
    let bench = Bench::start("root = \"ROOT\"", "#!/bin/sh\nexec ffmpeg \"$@\"\n").await;
    bench.sound("in-1.wav", &tone());
    let id = bench.call("c1", &["in-1.wav"]).await;
    for (format, kind, start) in [("mp3", "audio/mpeg", &b"ID3"[..]), ("opus", "audio/ogg", b"OggS")] {
        let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}?format={format}"), &[]).await;
        assert_eq!(
            (status, said(&headers, "content-type")),
            (StatusCode::OK, kind),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(bytes.starts_with(start) && bytes.len() < tone().len(), "{format}: {} bytes", bytes.len());
    }
    // A playlist that would have FFmpeg read another file.
    bench.sound("other.wav", &tone());
    let other = bench.folder.path().join("monitor/other.wav");
    for playlist in [
        format!("ffconcat version 1.0\nfile {}\n", other.display()),
        format!("#EXTM3U\n#EXTINF:1,\n{}\n", other.display()),
    ] {
        bench.sound("list.wav", playlist.as_bytes());
        let id = bench.call(&format!("list-{}", playlist.len()), &["list.wav"]).await;
        let (status, problem) = bench.hub.get(&format!("/v1/recordings/{id}?format=mp3"), &bench.eva).await;
        assert_eq!(status, StatusCode::NOT_ACCEPTABLE, "{playlist}: {problem}");
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

/// A bucket that is played: it keeps what is put into it, for whoever signs.
async fn bucket() -> (String, std::sync::Arc<std::sync::Mutex<BTreeMap<String, Vec<u8>>>>) {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(BTreeMap::<String, Vec<u8>>::new()));
    let shared = kept.clone();
    let take = move |request: Request<Body>| {
        let kept = shared.clone();
        async move {
            let (head, body) = request.into_parts();
            let name = head.uri.path().to_owned();
            let signed = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") {
                return (StatusCode::FORBIDDEN.as_u16(), Vec::new());
            }
            let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            let mut kept = kept.lock().unwrap();
            match head.method.as_str() {
                "PUT" => {
                    kept.insert(name, body.to_vec());
                    (200, Vec::new())
                }
                _ => kept.get(&name).map_or((404, Vec::new()), |bytes| (200, bytes.clone())),
            }
        }
    };
    let answer = |(status, bytes): (u16, Vec<u8>)| {
        let dated = [("etag", "\"1\""), ("last-modified", "Sat, 21 Nov 2026 12:00:00 GMT")];
        (StatusCode::from_u16(status).unwrap(), dated, bytes)
    };
    let router = axum::Router::new().fallback(move |request| {
        let taken = take(request);
        async move { answer(taken.await) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, kept)
}

#[tokio::test]
async fn a_recording_is_copied_into_a_bucket_and_heard_from_there() {
    let (endpoint, kept) = bucket().await;
    let storage = format!(
        "[recordings.copies]\nbucket = \"calls\"\nprefix = \"/hub/\"\nendpoint = \"{endpoint}\"\n\
         access_key = {{ file = \"s3-key\" }}\nsecret_key = {{ file = \"s3-secret\" }}\n"
    );
    let bench = Bench::storing("root = \"ROOT\"", "", &storage).await;
    bench.sound("in-1.wav", SOUND);
    let id = bench.call("c1", &["/monitor/in-1.wav"]).await;
    let young = bench.call_that_ended("c2", &["/monitor/in-2.wav"], Instant::now()).await;
    let copy = async |id: i64| {
        let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
        let Item::Call(call) = &record.item else { unreachable!() };
        let plan = bench.hub.hub.plan.load_full();
        let archive = plan.tenants["acme"].sources["pbx"].recordings.as_ref();
        let recording = &call.recordings[0];
        bench
            .hub
            .hub
            .recordings
            .copy(&Wanted { tenant: "acme", record: &record, call, recording, archive, source: None })
            .await
    };
    assert_eq!(copy(young).await, Copied::Early);
    assert_eq!(copy(id).await, Copied::Done);
    assert_eq!(copy(id).await, Copied::Done, "what is there is not copied again");
    let names: Vec<String> = kept.lock().unwrap().keys().cloned().collect();
    assert!(matches!(&names[..], [one] if one.starts_with("/calls/hub/acme/pbx/")), "{names:?}");
    assert_eq!(kept.lock().unwrap()[&names[0]], SOUND);

    std::fs::remove_file(bench.folder.path().join("monitor/in-1.wav")).unwrap();
    let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}"), &[("range", "bytes=0-3")]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));
    assert_eq!(said(&headers, "content-disposition"), "inline; filename=\"in-1.wav\"");
    let gone = bench.call("c3", &["/monitor/in-3.wav"]).await;
    assert_eq!(copy(gone).await, Copied::Failed);
    assert_eq!(bench.ask(&format!("/v1/recordings/{gone}"), &[]).await.0, StatusCode::NOT_FOUND);
}
