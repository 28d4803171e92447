//! `/records/{id}`: recordings by the ids of the call detail records.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use cordboard_tests::amocrm::BORIS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::{logged, play};
use crate::cdr::Cdr;
use crate::world::{CLIENT, Plan, World, passed_over, recording};

/// A second of silence, told apart by its length.
fn wav(samples: u32) -> Vec<u8> {
    let mut wav = Vec::new();
    for (text, number) in [("RIFF", 36 + samples * 2), ("WAVEfmt ", 16)] {
        wav.extend_from_slice(text.as_bytes());
        wav.extend_from_slice(&number.to_le_bytes());
    }
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&8000_u32.to_le_bytes());
    wav.extend_from_slice(&16000_u32.to_le_bytes());
    wav.extend_from_slice(&[2, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(samples * 2).to_le_bytes());
    wav.extend(std::iter::repeat_n(0, samples as usize * 2));
    wav
}

/// What stands in for FFmpeg: the real one, told of in a file.
const FFMPEG: &str = "#!/bin/sh\necho converts >> \"$(dirname \"$0\")/conversions\"\nexec ffmpeg \"$@\"\n";

/// A world with recordings and call detail records of them.
struct Archive {
    world: World,
    _cdr: Cdr,
    folder: tempfile::TempDir,
}

impl Archive {
    /// With further settings, and ids, linked ids and lengths of recordings. `None` on a machine without MariaDB.
    async fn start(more: &str, rows: &[(&str, &str, u32)]) -> Option<Self> {
        let cdr = Cdr::create().await?;
        let folder = tempfile::tempdir().unwrap();
        let day = folder.path().join("monitor/2025/11/21");
        std::fs::create_dir_all(&day).unwrap();
        for (at, (id, linked, samples)) in rows.iter().enumerate() {
            let file = format!("in-{id}.wav");
            std::fs::write(day.join(&file), wav(*samples)).unwrap();
            cdr.insert(&format!("2025-11-21 07:05:{at:02}"), id, linked, &file).await;
        }
        let ffmpeg = folder.path().join("ffmpeg");
        std::fs::write(&ffmpeg, FFMPEG).unwrap();
        std::fs::set_permissions(&ffmpeg, Permissions::from_mode(0o755)).unwrap();
        let root = folder.path().join("monitor");
        let plan = Plan {
            source: format!(
                "recordings = {{ root = \"{}\", strip = \"/var/spool/asterisk/monitor\" }}",
                root.display()
            ),
            sink: "databases = { cdr = { env = \"CDR_URL\" } }".into(),
            ng: format!(
                "[sinks.crm.settings.asterisk_ng.records]\ncdr = true\nmedia_root = \
                 \"/var/spool/asterisk/monitor/%Y/%m/%d\"\n{more}\n"
            ),
            hub: format!("[recordings]\nffmpeg = \"{}\"\n", ffmpeg.display()),
            environment: vec![("CDR_URL".to_owned(), cdr.url())],
            ..Plan::default()
        };
        Some(Archive { world: plan.start().await, _cdr: cdr, folder })
    }

    /// How often FFmpeg was asked.
    fn conversions(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("conversions")).unwrap_or_default().lines().count()
    }
}

#[tokio::test]
async fn acceptance_11_to_13_recordings_by_their_ids() {
    let rows = [
        ("1763700000.42", "1763700000.42", 8000),
        ("1763700000.1", "1763700000.1", 100),
        ("1763700000.10", "1763700000.10", 200),
        ("pbx1-1763700000.7", "pbx1-1763700000.7", 300),
    ];
    let Some(archive) = Archive::start("convert = false", &rows).await else { return };
    let world = &archive.world;
    let whole = world.plain(Method::GET, "/records/1763700000.42", &[]).await;
    assert_eq!(whole.status(), 200);
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert!(header(&whole, "content-type").starts_with("audio/"));
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let bytes = whole.bytes().await.unwrap();
    assert_eq!(bytes, wav(8000));
    let doubled = world.plain(Method::GET, "/records/records/1763700000.42", &[("range", "bytes=4-9")]).await;
    assert_eq!(
        (doubled.status().as_u16(), header(&doubled, "content-range")),
        (206, format!("bytes 4-9/{}", bytes.len()))
    );
    assert_eq!(doubled.bytes().await.unwrap(), bytes.slice(4..10));
    let head = world.plain(Method::HEAD, "/records/1763700000.42", &[]).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, bytes.len().to_string()));
    let past = world.plain(Method::GET, "/records/1763700000.42", &[("range", "bytes=99999999-")]).await;
    assert_eq!(past.status(), 416);

    let length =
        async |id: &str| world.plain(Method::GET, &format!("/records/{id}"), &[]).await.bytes().await.unwrap().len();
    assert_eq!((length("1763700000.1").await, length("1763700000.10").await), (wav(100).len(), wav(200).len()));
    assert_eq!(length("pbx1-1763700000.7").await, wav(300).len(), "an id with a system's name");

    for odd in ["1763700000.99", "abc", "..%2f..%2fetc%2fpasswd", "1763700000.1%27%20or%20%271", "a/b/c"] {
        let answer =
            world.plain(Method::GET, &format!("/records/{odd}"), &[("origin", "https://acme.amocrm.ru")]).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
            (404, "*".into()),
            "{odd}"
        );
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "result": "file not found." }), "{odd}");
    }
}

/// Seeking, one conversion for all who listen, no neighbour's file, links with the word twice, and a switch that closes
/// unsigned links.
#[tokio::test]
async fn fault_08_and_15_recordings() {
    if !Command::new("ffmpeg").arg("-version").output().is_ok_and(|said| said.status.success()) {
        passed_over(
            "there is no FFmpeg; install it (apt-get install ffmpeg), recordings are converted with the real one",
        );
        return;
    }
    let rows = [
        ("1763700000.42", "1763700000.42", 8000),
        ("pbx1-1763700000.42", "pbx1-1763700000.42", 4000),
        ("1763700000.43", "1763700000.42", 8),
    ];
    let Some(archive) = Archive::start("", &rows).await else { return };
    let world = &archive.world;
    let path = "/records/1763700000.42";
    let listen = || world.plain(Method::GET, path, &[]);
    let (one, other) = tokio::join!(listen(), listen());
    assert_eq!((one.status().as_u16(), one.headers()["content-type"].to_str().unwrap()), (200, "audio/mpeg"));
    let tag = one.headers()["etag"].clone();
    assert_eq!(other.headers()["etag"], tag);
    let bytes = one.bytes().await.unwrap();
    assert!(bytes == other.bytes().await.unwrap() && bytes != wav(8000), "{} bytes", bytes.len());
    let sought = world.plain(Method::GET, path, &[("range", "bytes=9-12")]).await;
    assert_eq!((sought.status().as_u16(), sought.bytes().await.unwrap()), (206, bytes.slice(9..13)));
    let leg = world.plain(Method::GET, "/records/1763700000.43", &[]).await;
    assert_eq!(leg.headers()["etag"], tag, "a leg's id leads to the call's recording");
    assert_eq!(archive.conversions(), 1, "converted once for all who listen");
    let named = world.plain(Method::GET, "/records/pbx1-1763700000.42", &[]).await;
    assert_eq!(named.status(), 200);
    assert_ne!(named.headers()["etag"], tag, "another call's recording");
    assert_eq!(archive.conversions(), 2, "another sound is converted by itself");
    let file = world.hub.folder().join("tenants/acme.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("cdr = true\n", "cdr = true\nunsigned = false\n")).unwrap();
    let closed = || async { listen().await.status() == 404 };
    world.until("unsigned links are closed", closed).await;
}

/// The hub as people reach it; the test knows where it really listens.
const PUBLIC: &str = "https://hub.example.test";

/// A call that the hub saw itself needs no database. Its link in the CRM is signed, and plays when the old ones are closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_call_that_the_hub_saw() {
    let folder = tempfile::tempdir().unwrap();
    let call = recording("n_inbound_recorded");
    let path = call.expected["calls"][0]["recording"]["path"].as_str().unwrap_or_default().to_owned();
    let root = std::path::Path::new(&path).parent().unwrap().to_owned();
    std::fs::write(folder.path().join(std::path::Path::new(&path).file_name().unwrap()), wav(50)).unwrap();
    let plan = Plan {
        source: format!("recordings = {{ root = \"{}\", strip = \"{}\" }}", folder.path().display(), root.display()),
        ng: "[sinks.crm.settings.asterisk_ng.records]\nconvert = false\n".into(),
        hub: format!("public_url = \"{PUBLIC}\"\n"),
        ..Plan::default()
    };
    let world = plan.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let id = play(&world, "n_inbound_recorded").await;
    let open = async |path: &str| {
        let answer = world.plain(Method::GET, path, &[]).await;
        (answer.status().as_u16(), answer.bytes().await.unwrap().len())
    };
    let (old, length) = (format!("/records/{id}"), wav(50).len());
    assert_eq!(open(&old).await, (200, length));
    assert_eq!(open(&format!("/records{old}")).await, (200, length));
    let note = logged(&world, &id);
    let link = note["params"]["link"].as_str().unwrap_or_else(|| panic!("{note}")).to_owned();
    let signed = link.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{link}"));
    assert!(signed.contains("signature=") && signed.contains("expires="), "{link}");
    assert_eq!(open(signed).await, (200, length), "it needs no login");
    let (bare, _) = signed.split_once('?').unwrap();
    assert_eq!(open(bare).await.0, 401, "what nobody has signed");
    assert_eq!(open(&signed.replace("expires=", "expires=1")).await.0, 403, "what was changed");
    let file = world.hub.folder().join("tenants/acme.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    // Calls before that moment play, and later ones do not.
    for (more, closed) in [
        ("unsigned_before = \"2020-01-01T00:00:00Z\"", true),
        ("unsigned_before = \"2099-01-01T00:00:00Z\"", false),
        ("unsigned = false", true),
    ] {
        std::fs::write(&file, text.replace("convert = false\n", &format!("convert = false\n{more}\n"))).unwrap();
        let expected = if closed { 404 } else { 200 };
        world.until(more, || async { open(&old).await.0 == expected }).await;
        assert_eq!(open(signed).await, (200, length), "{more}: and the hub's own play on");
    }
}
