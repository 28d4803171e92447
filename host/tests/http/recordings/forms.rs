//! MP3 and Opus.

use reqwest::StatusCode;

use super::{Bench, SOUND, said};

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
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !is_ci,
            "there is no FFmpeg: install it (apt-get install ffmpeg), recordings are converted with the real one"
        );
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
