//! A recording as a file that is open and known by what is in it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::Stream;

use super::Format;
use super::gate::Gate;

/// Bytes at the beginning that say what it is.
const START: u64 = 64;

/// Bytes that are read at once.
const PIECE: u64 = 64 << 10;

/// A file to be handed out.
#[derive(Debug)]
pub struct Sound {
    /// Open, at its beginning.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// When it was changed last.
    pub modified: SystemTime,
    /// Another one for every other content: what stands in an `ETag`, without quotes.
    pub tag: String,
    /// By its first bytes: `audio/wav`, …; `application/octet-stream` when they say nothing.
    pub media_type: &'static str,
    /// What it is called, in plain letters.
    pub name: String,
    /// A browser may show it by itself, instead of keeping it as a file.
    pub inline: bool,
    /// The form that it has already.
    pub(super) format: Option<Format>,
    /// Before the disk that it is on.
    gate: Gate,
}

/// Why a file is not opened.
#[derive(Debug)]
pub(super) enum Unopened {
    /// There is no plain file of this name, or none that may be read.
    Missing(&'static str),
    /// The folder, or the disk below it, cannot be read.
    Away(std::io::Error),
}

impl From<std::io::Error> for Unopened {
    fn from(why: std::io::Error) -> Self {
        match why.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
                Unopened::Missing("there is no such file")
            }
            ErrorKind::PermissionDenied => Unopened::Missing("the hub may not read it"),
            _ => Unopened::Away(why),
        }
    }
}

/// Opens a file below a root. Whatever its path or a link in it says, nothing outside of the root is opened, and nothing
/// but a plain file. A disk that does not answer blocks.
pub(super) fn within(root: &Path, path: &Path, name: &str, gate: Gate) -> Result<Sound, Unopened> {
    let root = root.canonicalize().map_err(Unopened::Away)?;
    let path = root.join(path).canonicalize()?;
    let Ok(below) = path.strip_prefix(&root) else {
        tracing::warn!(path = %path.display(), "a link leads out of the folder of recordings");
        return Err(Unopened::Missing("there is no such file"));
    };
    let file = open_below(&root, below)?;
    Ok(Sound::of(file, &path, name, gate)?)
}

/// Opens what is at a path without links. Whoever can write below the root may have put one there meanwhile: so the
/// system looks at each step while it takes it. A pipe is opened without waiting for who writes into it.
#[cfg(target_os = "linux")]
fn open_below(root: &Path, path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    use rustix::io::Errno;
    let folder = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat2(&folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
        Ok(file) => Ok(File::from(file)),
        // A kernel before 5.6, or a container that does not let it be asked.
        Err(Errno::NOSYS | Errno::PERM) => open_plain(&root.join(path)),
        Err(Errno::LOOP | Errno::XDEV) => Err(ErrorKind::InvalidInput.into()),
        Err(why) => Err(why.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_below(root: &Path, path: &Path) -> std::io::Result<File> {
    open_plain(&root.join(path))
}

/// Looks at it first, since opening a pipe waits for somebody who writes into it.
fn open_plain(path: &Path) -> std::io::Result<File> {
    match path.symlink_metadata()?.is_file() {
        true => File::open(path),
        false => Err(ErrorKind::InvalidInput.into()),
    }
}

impl Sound {
    /// An open file, if it is a plain one.
    pub(super) fn of(mut file: File, path: &Path, name: &str, gate: Gate) -> std::io::Result<Self> {
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut start = Vec::new();
        (&mut file).take(START).read_to_end(&mut start)?;
        file.rewind()?;
        let modified = about.modified()?;
        let nanos = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let media_type = media_type(&start, name);
        Ok(Sound {
            file,
            path: path.to_owned(),
            length: about.len(),
            modified,
            tag: format!("{:x}-{nanos:x}", about.len()),
            media_type,
            name: tidy(name),
            inline: true,
            format: format(&start, media_type),
            gate,
        })
    }

    /// Its name without the ending.
    pub(super) fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(stem, _)| stem)
    }

    /// So many bytes from there on, piece by piece. A disk that does not answer any more is not waited for.
    pub fn pieces(
        &self,
        from: u64,
        count: u64,
    ) -> std::io::Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>> {
        let gate = self.gate.clone();
        let begin = (self.file.try_clone()?, from, count);
        Ok(futures::stream::try_unfold(begin, move |(mut file, at, left)| {
            let gate = gate.clone();
            async move {
                if left == 0 {
                    return Ok::<_, std::io::Error>(None);
                }
                let read = move || {
                    let most = left.min(PIECE);
                    let mut piece = Vec::with_capacity(most as usize);
                    file.seek(SeekFrom::Start(at))?;
                    (&mut file).take(most).read_to_end(&mut piece)?;
                    Ok::<_, std::io::Error>((file, piece))
                };
                let (file, piece) = gate.blocking(read).await??;
                match piece.len() as u64 {
                    0 => Err(ErrorKind::UnexpectedEof.into()),
                    read => Ok(Some((Bytes::from(piece), (file, at + read, left - read)))),
                }
            }
        }))
    }
}

/// What the first bytes say; only for telephony's raw formats, which have none, the name is asked.
fn media_type(start: &[u8], name: &str) -> &'static str {
    match start {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [b'I', b'D', b'3', ..] | [0xff, 0xe2..=0xe7 | 0xf2..=0xf7 | 0xfa..=0xff, ..] => "audio/mpeg",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'#', b'!', b'A', b'M', b'R', ..] => "audio/amr",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "audio/mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "audio/webm",
        [b'.', b's', b'n', b'd', ..] => "audio/basic",
        _ if name.to_ascii_lowercase().ends_with(".gsm") => "audio/x-gsm",
        _ => "application/octet-stream",
    }
}

/// The form that needs no converting. Ogg holds other sounds than Opus, too.
fn format(start: &[u8], media_type: &str) -> Option<Format> {
    match media_type {
        "audio/mpeg" => Some(Format::Mp3),
        // Behind the head of the first page, which has one entry in its table.
        "audio/ogg" if start.get(28..36) == Some(b"OpusHead") => Some(Format::Opus),
        _ => None,
    }
}

/// A name that stands in a header and in any file system.
fn tidy(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let tidy: String = name.chars().map(plain).take(120).collect();
    match tidy.trim_start_matches('.') {
        "" => "recording".to_owned(),
        tidy => tidy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use futures::TryStreamExt;

    use super::*;

    fn gate() -> Gate {
        Gate::new(4, Duration::from_secs(5))
    }

    fn opened(root: &Path, path: &str) -> Result<Sound, Unopened> {
        within(root, Path::new(path), path, gate())
    }

    #[test]
    fn nothing_outside_of_the_root_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("monitor");
        std::fs::create_dir_all(root.join("2026")).unwrap();
        std::fs::write(root.join("2026/a.wav"), b"RIFF....WAVEfmt ").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        symlink(folder.path().join("secret"), root.join("link.wav")).unwrap();
        symlink(folder.path(), root.join("up")).unwrap();
        symlink(root.join("2026"), root.join("inside")).unwrap();
        let sound = opened(&root, "2026/a.wav").unwrap();
        assert_eq!((sound.length, sound.media_type, sound.name.as_str()), (16, "audio/wav", "2026_a.wav"));
        assert!(opened(&root, "inside/a.wav").is_ok(), "a link that stays inside is as good as a folder");
        for outside in ["link.wav", "up/secret", "../secret", "2026", "", "2026/none.wav"] {
            assert!(matches!(opened(&root, outside), Err(Unopened::Missing(_))), "{outside}");
        }
        assert!(matches!(opened(&folder.path().join("none"), "a.wav"), Err(Unopened::Away(_))));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_link_that_comes_after_the_path_was_looked_at_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("monitor");
        std::fs::create_dir_all(root.join("2026")).unwrap();
        std::fs::write(folder.path().join("a.wav"), "secret").unwrap();
        std::fs::write(root.join("2026/a.wav"), "sound").unwrap();
        assert!(open_below(&root, Path::new("2026/a.wav")).is_ok());
        std::fs::remove_dir_all(root.join("2026")).unwrap();
        symlink(folder.path(), root.join("2026")).unwrap();
        symlink(folder.path().join("a.wav"), root.join("b.wav")).unwrap();
        for swapped in ["2026/a.wav", "b.wav", "../a.wav"] {
            assert!(open_below(&root, Path::new(swapped)).is_err(), "{swapped}");
        }
    }

    #[test]
    fn a_pipe_is_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.wav");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(opened(folder.path(), "a.wav"), Err(Unopened::Missing(_))));
    }

    #[tokio::test]
    async fn what_became_shorter_meanwhile_is_no_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, vec![7; 150 << 10]).unwrap();
        let sound = opened(folder.path(), "a.wav").unwrap();
        let read = async |from, count| sound.pieces(from, count).unwrap().try_collect::<Vec<Bytes>>().await;
        let lengths = |pieces: Vec<Bytes>| pieces.iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(lengths(read(0, sound.length).await.unwrap()), [64 << 10, 64 << 10, 22 << 10]);
        assert_eq!(read(3, 2).await.unwrap().concat(), [7, 7]);
        File::options().write(true).open(&path).unwrap().set_len(100 << 10).unwrap();
        assert_eq!(read(0, sound.length).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn ogg_is_opus_when_it_says_so() {
        let page = |codec: &[u8]| [&b"OggS\0\x02"[..], &[0; 20], b"\x01\x13", codec].concat();
        for (start, media_type, expected) in [
            (page(b"OpusHead\x01"), "audio/ogg", Some(Format::Opus)),
            (page(b"\x01vorbis\0"), "audio/ogg", None),
            (b"ID3\x04".to_vec(), "audio/mpeg", Some(Format::Mp3)),
            (b"RIFF....WAVE".to_vec(), "audio/wav", None),
        ] {
            assert_eq!(super::media_type(&start, ""), media_type);
            assert_eq!(format(&start, media_type), expected);
        }
    }

    #[test]
    fn names_are_plain() {
        for (name, expected) in [
            ("in-600-1795245638.10.wav", "in-600-1795245638.10.wav"),
            ("a\"b\r\nc;é.wav", "a_b__c__.wav"),
            ("..", "recording"),
            ("", "recording"),
        ] {
            assert_eq!(tidy(name), expected);
        }
    }
}
