//! Recordings: found, bounded by their root, in parts, in other forms, by link, from copies.

mod bucket;
mod copies;
mod files;
mod forms;
mod links;

use std::path::Path;

use cordboard::config::Plan;
use cordboard::model::call::Recording;
use cordboard::model::{Call, Instant, Item};
use cordboard::store::Intake;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use crate::fixture::{Fixture, observed, token};

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
