//! Conversion by FFmpeg: a program of its own with fixed arguments, no shell, no environment, no net, and bounds on
//! number, time and size.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::{Sound, Unserved, failed};

/// How long one conversion may take. An hour of telephone sound takes seconds.
const TIME: Duration = Duration::from_secs(120);

/// How long a conversion may wait for others to end.
const WAIT: Duration = Duration::from_secs(30);

/// Bytes that a conversion may come to. Six hours at 48 kbit/s are 130 MB.
const SIZE: u64 = 256 << 20;

/// Bytes of FFmpeg's own words that are read; it is silent but for errors.
const WORDS: u64 = 4 << 10;

/// What may be read: formats of sound. Without this a file that calls itself a playlist could have others read.
const READ: &str = "wav,w64,mp3,ogg,flac,mov,matroska,amr,gsm,aac,au,aiff,caf";

/// Its standard input, as a file in which it can go back and forth.
const STDIN: &str = "file:/dev/fd/0";

/// A form that a recording can be asked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// MP3, 48 kbit/s.
    Mp3,
    /// Opus in Ogg, 24 kbit/s.
    Opus,
}

impl Format {
    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "mp3" => Some(Format::Mp3),
            "opus" => Some(Format::Opus),
            _ => None,
        }
    }

    /// What it is called in HTTP.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Mp3 => "audio/mpeg",
            Format::Opus => "audio/ogg",
        }
    }

    pub(super) fn ending(self) -> &'static str {
        match self {
            Format::Mp3 => "mp3",
            Format::Opus => "opus",
        }
    }

    fn arguments(self) -> [&'static str; 6] {
        match self {
            Format::Mp3 => ["-c:a", "libmp3lame", "-b:a", "48k", "-f", "mp3"],
            Format::Opus => ["-c:a", "libopus", "-b:a", "24k", "-f", "ogg"],
        }
    }
}

/// Converts, a few at once.
pub(super) struct Converter {
    program: PathBuf,
    places: Semaphore,
    time: Duration,
}

impl Converter {
    pub fn new(program: PathBuf, at_once: usize) -> Self {
        Converter { program, places: Semaphore::new(at_once), time: TIME }
    }

    /// Writes the file in another form. When nobody waits for it any more, the program is ended.
    pub async fn convert(&self, sound: &Sound, to: &Path, format: Format) -> Result<(), Unserved> {
        let place = tokio::time::timeout(WAIT, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(Unserved::Later("too many recordings are being converted".to_owned()));
        };
        let from = sound.path.display();
        let file = sound.file.try_clone().map_err(failed)?;
        let mut child =
            self.command(file, sound.media_type, to, format).spawn().map_err(|why| self.no_program(&why))?;
        let mut words = Vec::new();
        let said = child.stderr.take();
        let running = async {
            if let Some(said) = said {
                let _ = said.take(WORDS).read_to_end(&mut words).await;
            }
            child.wait().await
        };
        let ended = tokio::time::timeout(self.time, running).await;
        let words = String::from_utf8_lossy(&words).trim().replace('\n', "; ");
        match ended {
            Err(_) => {
                tracing::warn!(file = %from, "converting a recording took too long and was ended");
                Err(Unserved::Form(format!("converting it took more than {} s", self.time.as_secs())))
            }
            Ok(Ok(status)) if status.success() => match to.metadata() {
                Ok(made) if made.len() == 0 => Err(Unserved::Form("there is no sound in it to convert".to_owned())),
                Ok(made) if made.len() >= SIZE => Err(Unserved::Form("it is too long to be converted".to_owned())),
                _ => Ok(()),
            },
            Ok(ended) => {
                tracing::warn!(file = %from, ?ended, words, "a recording was not converted");
                Err(Unserved::Form("it could not be converted; the hub's log has FFmpeg's words".to_owned()))
            }
        }
    }

    /// It is given the open file itself: what its path leads to by now may be another one.
    fn command(&self, from: File, media_type: &str, to: &Path, format: Format) -> Command {
        // Nothing in a file of bare GSM says what it is, and FFmpeg guesses rightly only when there is enough of it.
        let bare: &[&str] = if media_type == "audio/x-gsm" { &["-f", "gsm"] } else { &[] };
        let mut command = Command::new(&self.program);
        command
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"])
            .args(["-protocol_whitelist", "file", "-format_whitelist", READ])
            .args(bare)
            .args(["-i", STDIN])
            .args(["-map", "0:a:0", "-map_metadata", "-1", "-fs", &SIZE.to_string()])
            .args(format.arguments())
            .arg("-y")
            .arg(prefixed(to))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(from)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn no_program(&self, why: &std::io::Error) -> Unserved {
        let program = self.program.display();
        tracing::warn!(%program, %why, "recordings cannot be converted");
        let why = "the hub finds no FFmpeg to convert it with: install one (`apt-get install ffmpeg`), or name it in \
             `[recordings] ffmpeg`; without `format` the recording comes as it is";
        Unserved::Form(why.to_owned())
    }
}

/// A path that FFmpeg takes for nothing else, whatever it begins with.
fn prefixed(path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from("file:");
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use futures::future::join_all;

    use super::super::gate::Gate;
    use super::*;

    /// A folder with a program that does this in it, and a sound.
    fn program(text: &str) -> (tempfile::TempDir, PathBuf, Sound) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, "the sound itself").unwrap();
        let gate = Gate::new(1, Duration::from_secs(5));
        let sound = Sound::of(File::open(&path).unwrap(), &path, "a.wav", gate).unwrap();
        let program = folder.path().join("ffmpeg");
        std::fs::write(&program, format!("#!/bin/sh\ncd \"$(dirname \"$0\")\"\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, program, sound)
    }

    /// Waits until this file is there.
    async fn begun(file: &Path) {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the process whose number stands in this file has ended.
    async fn ended(file: &Path) {
        let has_ended = || {
            let pid = std::fs::read_to_string(file).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        for _ in 0..200 {
            if has_ended() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it still runs");
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_may() {
        let counts = "mkdir -p running/$$\nls running | wc -l >> counts\nsleep 0.3\nrmdir running/$$\n\
            for last; do :; done\nprintf sound > \"${last#file:}\"";
        let (folder, program, sound) = program(counts);
        let converter = Converter::new(program, 2);
        let made = (0..6).map(|n| folder.path().join(format!("{n}.mp3"))).collect::<Vec<_>>();
        let all = join_all(made.iter().map(|to| converter.convert(&sound, to, Format::Mp3))).await;
        assert_eq!(all, vec![Ok(()); 6]);
        let counts = std::fs::read_to_string(folder.path().join("counts")).unwrap();
        let counts: Vec<usize> = counts.lines().map(|line| line.trim().parse().unwrap()).collect();
        assert_eq!((counts.len(), counts.iter().max()), (6, Some(&2)), "{counts:?}");
    }

    #[tokio::test]
    async fn what_is_converted_is_the_file_that_was_opened() {
        let (folder, program, sound) = program("for last; do :; done\ncat /dev/fd/0 > \"${last#file:}\"");
        std::fs::rename(folder.path().join("a.wav"), folder.path().join("b.wav")).unwrap();
        std::fs::write(folder.path().join("a.wav"), "another one in its place").unwrap();
        let to = folder.path().join("a.mp3");
        assert_eq!(Converter::new(program, 1).convert(&sound, &to, Format::Mp3).await, Ok(()));
        assert_eq!(std::fs::read(to).unwrap(), b"the sound itself");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_until_others_have_ended() {
        let (folder, program, sound) = program("");
        let converter = Converter::new(program, 0);
        let told = converter.convert(&sound, folder.path(), Format::Opus).await;
        assert_eq!(told, Err(Unserved::Later("too many recordings are being converted".to_owned())));
    }

    #[tokio::test]
    async fn what_takes_too_long_or_is_not_wanted_any_more_is_ended() {
        let (folder, program, sound) = program("echo $$ > pid.part\nmv pid.part pid\nexec sleep 600");
        let (pid, to) = (folder.path().join("pid"), folder.path().join("a.mp3"));
        let mut converter = Converter { time: Duration::from_secs(3), ..Converter::new(program, 1) };
        let told = converter.convert(&sound, &to, Format::Mp3).await;
        assert_eq!(told, Err(Unserved::Form("converting it took more than 3 s".to_owned())));
        ended(&pid).await;

        std::fs::remove_file(&pid).unwrap();
        converter.time = TIME;
        tokio::select! {
            told = converter.convert(&sound, &to, Format::Mp3) => panic!("it did not wait: {told:?}"),
            () = begun(&pid) => {}
        }
        ended(&pid).await;
        assert_eq!(converter.places.available_permits(), 1, "its place is free again");
    }
}
