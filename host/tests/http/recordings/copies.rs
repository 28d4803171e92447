//! Copies in a bucket, and in a folder.

use std::fs::File;
use std::time::{Duration, SystemTime};

use cordboard::model::{Instant, Item};
use cordboard::recordings::{Copied, Wanted};
use reqwest::StatusCode;

use super::bucket::Bucket;
use super::{Bench, SOUND, said};

/// What goes into a bucket in parts, and what is more than the least that may be kept of copies that were brought back.
const LARGE: usize = 20 << 20;

impl Bench {
    /// A sound that was written to its end an hour ago.
    fn old_sound(&self, name: &str, bytes: &[u8]) {
        self.sound(name, bytes);
        let file = File::options().write(true).open(self.folder.path().join("monitor").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    fn lose(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join("monitor").join(name)).unwrap();
    }

    /// Copies the first recording of a call.
    async fn copy(&self, id: i64, known: Option<u64>) -> Copied {
        let record = self.hub.hub.store.record("acme", id).await.unwrap().unwrap();
        let Item::Call(call) = &record.item else { unreachable!() };
        let plan = self.hub.hub.plan.load_full();
        let archive = plan.tenants["acme"].sources["pbx"].recordings.as_ref();
        let recording = &call.recordings[0];
        let wanted = Wanted { tenant: "acme", record: &record, call, recording, archive, source: None };
        self.hub.hub.recordings.copy(&wanted, known).await
    }

    async fn why_not_copied(&self, id: i64) -> (String, bool) {
        match self.copy(id, None).await {
            Copied::Failed(uncopied) => (uncopied.why, uncopied.general),
            copied => panic!("{copied:?}"),
        }
    }
}

#[tokio::test]
async fn a_recording_is_copied_into_a_bucket_and_heard_from_there() {
    let bucket = Bucket::start().await;
    let bench = Bench::storing("root = \"ROOT\"", "", &bucket.storage()).await;
    bench.old_sound("in-1.wav", SOUND);
    let id = bench.call("c1", &["/monitor/in-1.wav"]).await;
    let young = bench.call_that_ended("c2", &["/monitor/in-2.wav"], Instant::now()).await;
    let length = SOUND.len() as u64;
    assert_eq!(bench.copy(young, None).await, Copied::Early);
    assert_eq!(bucket.inside().asked, [""; 0]);
    assert_eq!(bench.copy(id, None).await, Copied::Done(length));
    assert_eq!(bucket.inside().count("PUT"), 1);
    assert_eq!(bench.copy(id, None).await, Copied::Done(length));
    assert_eq!(bucket.inside().count("PUT"), 0, "what is there is not copied again");
    assert_eq!(bench.copy(id, Some(length)).await, Copied::Done(length));
    assert_eq!(bucket.inside().asked, [""; 0], "what is known is not asked");
    let names: Vec<String> = bucket.inside().kept.keys().cloned().collect();
    assert!(matches!(&names[..], [one] if one.starts_with("/calls/hub/acme/pbx/")), "{names:?}");
    assert_eq!(bucket.inside().kept[&names[0]], SOUND);

    bench.lose("in-1.wav");
    assert_eq!(bench.copy(id, None).await, Copied::Done(length), "its copy is all that there is");
    let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}"), &[("range", "bytes=0-3")]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));
    assert_eq!(said(&headers, "content-disposition"), "inline; filename=\"in-1.wav\"");
    let gone = bench.call("c3", &["/monitor/in-3.wav"]).await;
    assert_eq!(bench.why_not_copied(gone).await, ("there is no such file".to_owned(), false));
    assert_eq!(bench.ask(&format!("/v1/recordings/{gone}"), &[]).await.0, StatusCode::NOT_FOUND);
    bench.old_sound("in-3.wav", b"");
    assert_eq!(bench.why_not_copied(gone).await, ("it is empty".to_owned(), false));
}

#[tokio::test]
async fn what_grew_after_it_was_copied_is_copied_again() {
    let bucket = Bucket::start().await;
    let bench = Bench::storing("root = \"ROOT\"", "", &bucket.storage()).await;
    let id = bench.call("c1", &["in-1.wav"]).await;
    bench.sound("in-1.wav", &SOUND[..20]);
    assert_eq!(bench.copy(id, None).await, Copied::Early, "somebody is writing it");
    bench.old_sound("in-1.wav", &SOUND[..20]);
    assert_eq!(bench.copy(id, None).await, Copied::Done(20));
    bench.lose("in-1.wav");
    let path = format!("/v1/recordings/{id}");
    assert_eq!(bench.ask(&path, &[]).await.2, &SOUND[..20]);

    bench.old_sound("in-1.wav", SOUND);
    assert_eq!(bench.copy(id, Some(20)).await, Copied::Done(SOUND.len() as u64));
    bench.old_sound("in-1.wav", b"");
    assert_eq!(bench.copy(id, None).await, Copied::Done(SOUND.len() as u64), "nothing takes the place of something");
    bench.lose("in-1.wav");
    assert_eq!(bench.ask(&path, &[]).await.2, SOUND, "what was brought back before is not played any more");
}

#[tokio::test]
async fn a_large_recording_goes_in_parts_that_are_there_together_or_not_at_all() {
    let bucket = Bucket::start().await;
    let storage = format!("cache = \"16MiB\"\n{}", bucket.storage());
    let bench = Bench::storing("root = \"ROOT\"", "", &storage).await;
    let large: Vec<u8> = (0..LARGE).map(|n| (n / 1000) as u8).collect();
    bench.old_sound("in-1.wav", &large);
    let id = bench.call("c1", &["in-1.wav"]).await;
    bucket.inside().refused = Some(2);
    let (why, general) = bench.why_not_copied(id).await;
    assert!(general && why.contains("the storage of copies"), "{why}");
    assert_eq!(bucket.inside().asked, ["HEAD", "POST", "PUT 1", "PUT 2", "DELETE"]);
    assert!(bucket.inside().kept.is_empty() && bucket.inside().unfinished.is_empty());

    bucket.inside().refused = None;
    bucket.inside().asked.clear();
    assert_eq!(bench.copy(id, None).await, Copied::Done(LARGE as u64));
    assert_eq!(bucket.inside().asked, ["HEAD", "POST", "PUT 1", "PUT 2", "PUT 3", "POST"]);
    assert!(bucket.inside().unfinished.is_empty());
    assert!(bucket.inside().kept.values().eq([&large]), "all of it, in its order");

    bench.lose("in-1.wav");
    let (status, problem) = bench.hub.get(&format!("/v1/recordings/{id}"), &bench.eva).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    let told = "it has 20971520 bytes, and the hub's configuration lets it keep 16777216 of all such files";
    assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
}

#[tokio::test]
async fn a_copy_in_a_folder_is_played_from_there() {
    let copies = tempfile::tempdir().unwrap();
    let storage =
        format!("cache = \"16MiB\"\n[recordings.copies]\nfolder = \"{}\"\n", copies.path().join("kept").display());
    let bench = Bench::storing("root = \"ROOT\"", "", &storage).await;
    bench.old_sound("in-1.wav", &[SOUND, &vec![7; LARGE]].concat());
    let id = bench.call("c1", &["in-1.wav"]).await;
    let length = (SOUND.len() + LARGE) as u64;
    assert_eq!(bench.copy(id, None).await, Copied::Done(length));
    bench.lose("in-1.wav");
    let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}"), &[]).await;
    assert_eq!((status, bytes.len() as u64), (StatusCode::OK, length), "it need not fit into what is kept");
    let named = (said(&headers, "content-type"), said(&headers, "content-disposition"));
    assert_eq!(named, ("audio/wav", "inline; filename=\"in-1.wav\""));
    std::fs::remove_dir_all(copies.path().join("kept")).unwrap();
    let (status, _, _) = bench.ask(&format!("/v1/recordings/{id}"), &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "a folder that is not mounted, say");
    assert!(bench.why_not_copied(id).await.0.contains("there is no such file"));
}
