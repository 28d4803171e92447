//! Where a recording is, by what the source's configuration says and what is known of the call.

use std::path::PathBuf;

use jiff::{Timestamp, Zoned};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Unserved, Wanted};
use crate::config::{ArchivePlace, Template};

/// What stands for something else in a URL.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a recording is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below a folder of this machine.
    File { root: PathBuf, path: PathBuf },
    /// Behind a URL.
    Web(String),
}

/// Where the recording is. Nothing is asked of the machine or of the net.
pub(super) fn of(wanted: &Wanted<'_>) -> Result<Place, Unserved> {
    let Some(archive) = wanted.archive else {
        let reported = wanted.recording.url.clone().map(Place::Web);
        let detail = "the source reported no link to it, and its configuration has no `recordings`";
        return reported.ok_or_else(|| Unserved::Missing(detail.to_owned(), None));
    };
    let at = wanted.call.started_at.and_then(|at| Timestamp::from_millisecond(at.millis().try_into().ok()?).ok());
    let at = at.map(|at| Zoned::new(at, archive.zone.clone()));
    let fill = |template: &Template, value: &dyn Fn(&str) -> Option<String>| {
        template.fill(at.as_ref(), value).map_err(|why| Unserved::Missing(why, None))
    };
    match &archive.place {
        ArchivePlace::Folder { root, path, strip } => {
            let filled = fill(path, &|name| match name {
                "path" => stripped(&wanted.recording.id, strip.as_deref()),
                name => value(wanted, name),
            })?;
            let path = relative(&filled).ok_or_else(|| {
                tracing::warn!(
                    tenant = wanted.tenant,
                    record = wanted.record.id,
                    "a recording's path leads outside its root"
                );
                wanted.missing("there is no such file")
            })?;
            Ok(Place::File { root: root.clone(), path })
        }
        ArchivePlace::Web(template) => {
            let url = fill(template, &|name| match name {
                "url" => wanted.recording.url.clone(),
                "path" => {
                    wanted.recording.id.split('/').map(segment).collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
                }
                name => segment(&value(wanted, name)?),
            })?;
            Ok(Place::Web(url))
        }
    }
}

/// What a name in a template stands for.
fn value(wanted: &Wanted<'_>, name: &str) -> Option<String> {
    let attribute = || {
        let found = wanted.call.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone()).or_else(|| Some(wanted.record.subject.id.clone()))
    };
    match name {
        "file" => Some(last(&wanted.recording.id)),
        "id" => Some(wanted.recording.id.clone()),
        "call" => Some(wanted.record.subject.id.clone()),
        "url" => wanted.recording.url.clone(),
        // A source that knows no more has the channel's id as its call's.
        _ => attribute(),
    }
}

/// The file's name in a path or a link.
pub(super) fn last(id: &str) -> String {
    let path = if id.contains("://") { id.split(['?', '#']).next().unwrap_or_default() } else { id };
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A path of the PBX without what this machine does not have.
fn stripped(id: &str, strip: Option<&str>) -> Option<String> {
    let Some(strip) = strip else { return Some(id.to_owned()) };
    let strip = strip.trim_end_matches('/');
    id.strip_prefix(strip).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned)
}

/// A text as one step of a URL's path; none that leads up.
fn segment(text: &str) -> Option<String> {
    (text != "." && text != "..").then(|| utf8_percent_encode(text, SEGMENT).to_string())
}

/// A path of plain names only: neither absolute, nor with a way up.
fn relative(text: &str) -> Option<PathBuf> {
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains(['\0', '\\']);
    let parts: Vec<&str> = text.split('/').collect();
    (parts.iter().all(plain) && text.len() < 4096).then(|| parts.iter().collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_plain_names_make_a_path() {
        assert_eq!(relative("2026/11/a.wav").as_deref(), Some(Path::new("2026/11/a.wav")));
        for odd in ["", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/", "a\0b", "..\\a"] {
            assert_eq!(relative(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn the_name_is_the_end_of_a_path_or_link() {
        for (id, name) in [
            ("/a/b.wav", "b.wav"),
            ("b.wav", "b.wav"),
            ("https://x/r/b.wav?token=a/b", "b.wav"),
            ("a?b.wav", "a?b.wav"),
        ] {
            assert_eq!(last(id), name);
        }
    }

    #[test]
    fn a_step_of_a_url_is_one_step() {
        assert_eq!(segment("in 1/?#é.wav").as_deref(), Some("in%201%2F%3F%23%C3%A9.wav"));
        assert_eq!((segment(".."), segment(".")), (None, None));
    }

    #[test]
    fn the_beginning_of_a_path_is_taken_off() {
        let strip = Some("/var/spool/asterisk/monitor/");
        assert_eq!(stripped("/var/spool/asterisk/monitor/2026/a.wav", strip).as_deref(), Some("2026/a.wav"));
        assert_eq!(stripped("/var/spool/asterisk/monitors/a.wav", strip), None);
        assert_eq!(stripped("/etc/passwd", strip), None);
        assert_eq!(stripped("a.wav", None).as_deref(), Some("a.wav"));
    }
}
