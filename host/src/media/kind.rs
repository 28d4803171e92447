//! As what a file is handed out. A stranger chose both the bytes and the name of their type: what a browser may show by
//! itself are pictures, sounds and films whose bytes are what was said; everything else is a file to be kept.

use std::io::{Read, Seek};

/// The type for the answer, and whether a browser may show it.
pub(super) fn served(file: &mut (impl Read + Seek), declared: Option<&str>) -> std::io::Result<(&'static str, bool)> {
    let mut start = [0; 16];
    let mut length = 0;
    while length < start.len() {
        match file.read(&mut start[length..])? {
            0 => break,
            read => length += read,
        }
    }
    file.rewind()?;
    let family = declared.and_then(|declared| declared.split('/').next()).unwrap_or_default().to_ascii_lowercase();
    let real = real(&start[..length], &family);
    Ok(match real {
        Some("application/pdf") => ("application/pdf", false),
        Some(real) if real.split('/').next() == Some(family.as_str()) => (real, true),
        _ => ("application/octet-stream", false),
    })
}

/// What the first bytes say. Some containers hold sound or films: there the word that came with them decides.
fn real(start: &[u8], family: &str) -> Option<&'static str> {
    let either = |sound, film| Some(if family == "audio" { sound } else { film });
    match start {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'I', b'D', b'3', ..] | [0xff, 0xe2..=0xe7 | 0xf2..=0xf7 | 0xfa..=0xff, ..] => Some("audio/mpeg"),
        [0xff, 0xf1 | 0xf9, ..] => Some("audio/aac"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("audio/amr"),
        [b'O', b'g', b'g', b'S', ..] => either("audio/ogg", "video/ogg"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'3', b'g', b'p', _, ..] => either("audio/3gpp", "video/3gpp"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => either("audio/mp4", "video/mp4"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => either("audio/webm", "video/webm"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_not_what_it_says_is_only_a_file() {
        let jpeg = b"\xff\xd8\xff\xe0..JFIF";
        let file = ("application/octet-stream", false);
        for (bytes, declared, expected) in [
            (&jpeg[..], Some("image/jpeg"), ("image/jpeg", true)),
            (jpeg, Some("image/png"), ("image/jpeg", true)),
            (jpeg, Some("video/mp4"), file),
            (jpeg, None, file),
            (b"<svg onload=alert(1)>", Some("image/svg+xml"), file),
            (b"<html>", Some("text/html"), file),
            (b"MZ\x90\0", Some("image/jpeg"), file),
            (b"OggS....", Some("audio/ogg; codecs=opus"), ("audio/ogg", true)),
            (b"\0\0\0\x18ftypisom", Some("video/mp4"), ("video/mp4", true)),
            (b"\0\0\0\x18ftypM4A ", Some("audio/mp4"), ("audio/mp4", true)),
            (b"%PDF-1.7", Some("application/pdf"), ("application/pdf", false)),
            (b"", Some("image/jpeg"), file),
        ] {
            assert_eq!(served(&mut Cursor::new(bytes), declared).unwrap(), expected, "{bytes:?} as {declared:?}");
        }
    }
}
