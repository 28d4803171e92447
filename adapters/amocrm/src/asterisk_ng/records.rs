//! `GET /records/{id}`: recordings by the id that a call had in the call detail records. Links of the old server stand
//! in the CRM for good, also those with `records` twice in them.

use cordboard_sdk::abilities::{Answer, Sent, Sound};
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::{Failure, Incoming, Reply};
use cordboard_sdk::{Host, KnownCall};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::not_allowed;
use super::settings::{AsteriskNg, Records};

/// Bytes of an id.
const LONGEST: usize = 150;

/// Answers who asks for a recording; absent when recordings are not served.
pub fn answer(host: &dyn Host, settings: &AsteriskNg, request: &Incoming, id: &str) -> Option<Answer> {
    let records = settings.records.as_ref()?;
    if request.method == "OPTIONS" {
        return Some(super::preflight(request).into());
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Some(not_allowed("GET, HEAD").into());
    }
    let mut id = id;
    while let Some(rest) = id.strip_prefix("records/") {
        id = rest;
    }
    Some(found(host, records, id, vec![]))
}

/// The same as a file to be saved, for the stock widget.
pub fn attachment(host: &dyn Host, settings: &AsteriskNg, id: &str) -> Answer {
    let Some(records) = &settings.records else { return none().into() };
    let name = format!("attachment; filename=\"{}.mp3\"", id.replace(|c: char| !is_plain(c), "_"));
    found(host, records, id, vec![("content-disposition".to_owned(), name.into_bytes())])
}

fn found(host: &dyn Host, records: &Records, id: &str, headers: Vec<(String, Vec<u8>)>) -> Answer {
    if !is_id(id) || !needs_no_signature(records, id) {
        return none().into();
    }
    let format = records.convert.then(|| "mp3".to_owned());
    let sound = |call: String, recording: Option<String>| -> Answer {
        let source = records.source.clone();
        Sent::Sound(Sound { source, call, recording, began: None, format, headers, missing: none() }).into()
    };
    let known = host.ledger().call_of(id).unwrap_or_else(|failure| {
        host.warn(format!("a call's recording: {}", failure.why()));
        None
    });
    // Whoever knows an id of another source gets nothing by it.
    let (own, other): (Option<KnownCall>, _) = match known {
        Some(known) if known.subject.source != records.source => (None, true),
        known => (known, false),
    };
    if let Some(known) = own.filter(|known| !known.call.recordings.is_empty()) {
        return sound(known.subject.id, None);
    }
    match recorded(host, records, id) {
        Ok(Some(path)) => sound(id.to_owned(), Some(path)),
        // The other source's call stood before this one's, if there are two of one id.
        Ok(None) if other => sound(id.to_owned(), None),
        Ok(None) => none().into(),
        Err(failure) => {
            host.warn(format!("a recording in the call detail records: {}", failure.why()));
            none().into()
        }
    }
}

/// What the old server said.
fn none() -> Reply {
    Reply::json(404, &json!({ "result": "file not found." }))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// `1763700000.42`, also with the system's name before it: `pbx1-1763700000.42`. Ids of the hub's own calls too.
fn is_id(id: &str) -> bool {
    id.len() <= LONGEST && id.contains(|c: char| c.is_ascii_digit()) && !id.starts_with('.') && id.chars().all(is_plain)
}

/// Whether the recording of a call with this id may be heard by whoever knows the id. An id that does not say when it
/// was given is of no old call.
fn needs_no_signature(records: &Records, id: &str) -> bool {
    let Some(end) = &records.unsigned_before else { return records.unsigned };
    let second: Option<i64> =
        id.rsplit('-').next().and_then(|own| own.split_once('.')).and_then(|(second, _)| second.parse().ok());
    let (Some(second), Ok(end)) = (second, end.parse::<Timestamp>()) else { return false };
    records.unsigned && second < end.as_second()
}

/// The path that the PBX gave the recording of a call that was over before the hub knew the PBX. Ids are compared as
/// texts: as numbers, `.1` and `.10` are the same.
fn recorded(host: &dyn Host, records: &Records, id: &str) -> Result<Option<String>, Failure> {
    if !records.cdr {
        return Ok(None);
    }
    let Records { cdr_table: table, calldate_column: date, recordingfile_column: file, .. } = records;
    let columns = format!("select {date}, {file} from {table}");
    let linked = format!(
        "{columns} where linkedid = (select max(linkedid) from {table} where uniqueid = $1 \
         and linkedid <> '') and {file} <> '' \
         order by case when disposition = 'ANSWERED' then 0 else 1 end, {date} limit 1"
    );
    let own = format!("{columns} where uniqueid = $1 and {file} <> '' order by {date} limit 1");
    let rows = match host.query("cdr", &linked, &[id]) {
        // Many systems have no column `linkedid`.
        Ok(rows) if !rows.rows.is_empty() => rows,
        Ok(_) | Err(Failure::Rejected(_)) => host.query("cdr", &own, &[id])?,
        Err(failure) => return Err(failure),
    };
    let found = rows.iter().next().and_then(|row| Some((row.get(date)?.to_owned(), row.get(file)?.to_owned())));
    Ok(found.and_then(|(at, file)| path(records, &at, &file)))
}

/// The file's path on the PBX: `media_root` with the call's date put in, and the name; a name that is a path already
/// stands by itself.
fn path(records: &Records, at: &str, file: &str) -> Option<String> {
    if file.starts_with('/') {
        return Some(file.to_owned());
    }
    let at: DateTime = at.trim().parse().ok()?;
    let folder = jiff::fmt::strtime::format(&records.media_root, at).ok()?;
    let folder = folder.trim_end_matches('/');
    Some(format!("{folder}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_of_plain_letters() {
        for good in ["1763700000.42", "pbx1-1763700000.42", "cordboard-00ff12", "1763700000.1"] {
            assert!(is_id(good), "{good}");
        }
        for odd in ["", ".", "..", "../x", "a/b", "1' or '1'='1", "%2e%2e", "abc", "1\n2", &"1".repeat(151)] {
            assert!(!is_id(odd), "{odd:?}");
        }
    }

    #[test]
    fn unsigned_links_are_for_calls_of_before() {
        let records = |unsigned: bool, end: Option<&str>| Records {
            unsigned,
            unsigned_before: end.map(str::to_owned),
            ..Records::default()
        };
        // Which is the second 1763712000.
        let moment = records(true, Some("2025-11-21T08:00:00Z"));
        for (id, open) in [
            ("1763711999.42", true),
            ("1763712000.42", false),
            ("pbx1-1763711999.7", true),
            ("pbx-2-1763712000.7", false),
            ("cordboard-00ff12", false),
        ] {
            assert_eq!(needs_no_signature(&moment, id), open, "{id}");
            assert!(needs_no_signature(&records(true, None), id), "{id}");
            assert!(!needs_no_signature(&records(false, None), id), "{id}");
            assert!(!needs_no_signature(&records(false, Some("2099-01-01T00:00:00Z")), id), "{id}");
            assert!(!needs_no_signature(&records(true, Some("soon")), id), "{id}");
        }
    }

    #[test]
    fn the_folder_has_the_calls_date_and_a_slash_behind_it() {
        let of = |root: &str, file: &str| {
            let records = Records { media_root: root.to_owned(), ..Records::default() };
            path(&records, "2025-11-21 07:05:09", file)
        };
        let root = "/var/spool/asterisk/monitor/%Y/%m/%d";
        let expected = Some("/var/spool/asterisk/monitor/2025/11/21/a.wav".to_owned());
        assert_eq!(of(root, "a.wav"), expected);
        assert_eq!(of(&format!("{root}/"), "a.wav"), expected);
        assert_eq!(of("/m/%j/%H%M%S", "a.wav").as_deref(), Some("/m/325/070509/a.wav"));
        assert_eq!(of(root, "/elsewhere/a.wav").as_deref(), Some("/elsewhere/a.wav"));
        assert_eq!(of("/m/%!", "a.wav"), None);
    }
}
