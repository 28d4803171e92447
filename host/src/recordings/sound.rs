//! A recording as a file that is open and known by what is in it.

use std::fs::{File, Metadata};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

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
}

/// Opens a file below a root. Whatever its path or a link in it says, nothing outside of the root is opened, and nothing
/// but a plain file.
pub(super) fn within(root: &Path, path: &Path) -> Result<Sound, &'static str> {
    let nowhere = "there is no such file";
    let root = root.canonicalize().map_err(|why| {
        tracing::error!(root = %root.display(), %why, "the folder of recordings cannot be read");
        nowhere
    })?;
    let path = root.join(path).canonicalize().map_err(|_| nowhere)?;
    if !path.starts_with(&root) {
        tracing::warn!(path = %path.display(), "a link leads out of the folder of recordings");
        return Err(nowhere);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    open(&path, &name).map_err(|why| {
        tracing::debug!(path = %path.display(), %why, "a recording cannot be opened");
        nowhere
    })
}

/// Opens a plain file.
pub(super) fn open(path: &Path, name: &str) -> std::io::Result<Sound> {
    let plain = |about: &Metadata| match about.is_file() {
        true => Ok(()),
        false => Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a plain file")),
    };
    // Looked at first, since opening a pipe waits for somebody who writes into it.
    plain(&path.metadata()?)?;
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    plain(&about)?;
    let mut start = [0; 16];
    let read = file.read(&mut start)?;
    file.rewind()?;
    let modified = about.modified()?;
    let nanos = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let tag = format!("{:x}-{nanos:x}", about.len());
    let media_type = media_type(&start[..read], name);
    Ok(Sound {
        file,
        path: path.to_owned(),
        length: about.len(),
        modified,
        tag,
        media_type,
        name: tidy(name),
        inline: true,
    })
}

impl Sound {
    /// Its name without the ending.
    pub(super) fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(stem, _)| stem)
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
    use super::*;

    #[test]
    fn nothing_outside_of_the_root_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("monitor");
        std::fs::create_dir_all(root.join("2026")).unwrap();
        std::fs::write(root.join("2026/a.wav"), b"RIFF....WAVEfmt ").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link.wav")).unwrap();
        std::os::unix::fs::symlink(folder.path(), root.join("up")).unwrap();
        std::os::unix::fs::symlink(root.join("2026"), root.join("inside")).unwrap();
        let sound = within(&root, Path::new("2026/a.wav")).unwrap();
        assert_eq!((sound.length, sound.media_type, sound.name.as_str()), (16, "audio/wav", "a.wav"));
        assert!(within(&root, Path::new("inside/a.wav")).is_ok(), "a link that stays inside is as good as a folder");
        for outside in ["link.wav", "up/secret", "../secret", "2026", "", "2026/none.wav"] {
            assert!(within(&root, Path::new(outside)).is_err(), "{outside}");
        }
        assert!(within(&folder.path().join("none"), Path::new("a.wav")).is_err());
    }

    #[test]
    fn a_pipe_is_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("a.wav");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(within(folder.path(), Path::new("a.wav")).is_err());
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
