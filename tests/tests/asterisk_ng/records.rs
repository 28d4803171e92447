//! `/records/{id}`: recordings by the ids of the call detail records.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::world::{Plan, World, recording};

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

/// A world with a database of call detail records, in which these ids have files of these lengths.
async fn world(more: &str, rows: &[(&str, Option<&str>, u32)]) -> Option<(World, tempfile::TempDir)> {
    let name = format!("cordboard_ng_{}", std::process::id());
    let mut root = match sqlx::MySqlConnection::connect("mysql://root@127.0.0.1:3306/mysql").await {
        Ok(root) => root,
        Err(why) if std::env::var("CI").is_err() => {
            eprintln!("passed over: there is no MariaDB ({why})");
            return None;
        }
        Err(why) => panic!("MariaDB: {why}"),
    };
    let sql = |text: String| sqlx::query(sqlx::AssertSqlSafe(text));
    let table = format!("{name}.cdr_{}", rows.len() * 100 + more.len());
    sql(format!("create database if not exists {name}")).execute(&mut root).await.unwrap();
    sql(format!("drop table if exists {table}")).execute(&mut root).await.unwrap();
    let columns = "calldate datetime, uniqueid varchar(64), linkedid varchar(64), disposition varchar(20), \
                   recordingfile varchar(120) not null";
    sql(format!("create table {table} ({columns})")).execute(&mut root).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("2025/11/21");
    std::fs::create_dir_all(&day).unwrap();
    for (id, linked, samples) in rows {
        let file = format!("in-{id}.wav");
        std::fs::write(day.join(&file), wav(*samples)).unwrap();
        let linked = linked.unwrap_or(id);
        sql(format!("insert into {table} values ('2025-11-21 07:05:09', '{id}', '{linked}', 'ANSWERED', '{file}')"))
            .execute(&mut root)
            .await
            .unwrap();
    }
    let table = table.rsplit('.').next().unwrap();
    let root = folder.path().display();
    let plan = Plan {
        source: format!("recordings = {{ root = \"{root}\", strip = \"/var/spool/asterisk/monitor\" }}"),
        sink: format!("databases = {{ cdr = \"mysql://root@127.0.0.1:3306/{name}\" }}"),
        ng: format!(
            "[sinks.crm.settings.asterisk_ng.records]\ncdr = true\ncdr_table = \"{table}\"\nmedia_root = \
             \"/var/spool/asterisk/monitor/%Y/%m/%d\"\n{more}\n"
        ),
        ..Plan::default()
    };
    Some((plan.start().await, folder))
}

#[tokio::test]
async fn acceptance_11_to_13_recordings_by_their_ids() {
    let rows = [
        ("1763700000.42", None, 8000),
        ("1763700000.1", None, 100),
        ("1763700000.10", None, 200),
        ("pbx1-1763700000.7", None, 300),
    ];
    let Some((world, _folder)) = world("convert = false", &rows).await else { return };
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
    let rows = [
        ("1763700000.42", None, 8000),
        ("pbx1-1763700000.42", None, 4000),
        ("1763700000.43", Some("1763700000.42"), 8),
    ];
    let Some((world, _folder)) = world("", &rows).await else { return };
    let listen = || world.plain(Method::GET, "/records/1763700000.42", &[]);
    let (one, other) = tokio::join!(listen(), listen());
    if one.status() == 406 || one.status() == 503 {
        eprintln!("passed over: there is no FFmpeg");
        return;
    }
    assert_eq!((one.status().as_u16(), one.headers()["content-type"].to_str().unwrap()), (200, "audio/mpeg"));
    let tag = one.headers()["etag"].clone();
    assert_eq!((&tag, one.bytes().await.unwrap()), (&other.headers()["etag"].clone(), other.bytes().await.unwrap()));
    let converted = std::fs::read_dir(world.hub.folder().join("data/recordings")).unwrap();
    let mp3 = converted.flatten().filter(|file| file.file_name().to_string_lossy().ends_with(".mp3")).count();
    assert_eq!(mp3, 1, "converted once for all");
    let leg = world.plain(Method::GET, "/records/1763700000.43", &[]).await;
    assert_eq!(leg.headers()["etag"], tag, "a leg's id leads to the call's recording");
    let named = world.plain(Method::GET, "/records/pbx1-1763700000.42", &[]).await;
    assert_ne!(named.headers()["etag"], tag);
    let file = world.hub.folder().join("tenants/acme.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("cdr = true\n", "cdr = true\nunsigned = false\n")).unwrap();
    let closed = || async { listen().await.status() == 404 };
    world.until("unsigned links are closed", closed).await;
}

/// A call that the hub saw itself needs no database.
#[tokio::test]
async fn a_recording_of_a_call_that_the_hub_saw() {
    let folder = tempfile::tempdir().unwrap();
    let call = recording("n_inbound_recorded");
    let path = call.expected["calls"][0]["recording"]["path"].as_str().unwrap_or_default().to_owned();
    let root = std::path::Path::new(&path).parent().unwrap().to_owned();
    std::fs::write(folder.path().join(std::path::Path::new(&path).file_name().unwrap()), wav(50)).unwrap();
    let plan = Plan {
        source: format!("recordings = {{ root = \"{}\", strip = \"{}\" }}", folder.path().display(), root.display()),
        ng: "[sinks.crm.settings.asterisk_ng.records]\nconvert = false\n".into(),
        ..Plan::default()
    };
    let world = plan.start().await;
    world.pbx.play(&call).await;
    let id = crate::world::id(&call);
    world.reaches(&id, "ended").await;
    let answer = world.plain(Method::GET, &format!("/records/{id}"), &[]).await;
    assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().len()), (200, wav(50).len()));
}
