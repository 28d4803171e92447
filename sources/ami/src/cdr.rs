//! Calls of time that was missed, read from the database of call detail records.
//!
//! Such a record tells surely when a call ended and where its recording is. Who spoke with whom it tells roughly, for
//! queues and menus count as answered there: that is reported as inferred, and gives way to whatever was seen.

use cordboard_sdk::prelude::*;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::settings::{Place, Plan};
use crate::text;

/// The database, as the tenant's file names it.
const DATABASE: &str = "cdr";
/// How much is read at once. Milliseconds.
const WINDOW: u64 = 3_600_000;
/// The shortest time that is read at once, when there are too many rows for longer ones.
const LEAST: u64 = 60_000;
/// Rows of one call may begin so long after its first one.
const MARGIN: u64 = 3 * 3_600_000;
/// Calls may have begun so long before the connection was lost.
const BEFORE: u64 = 3 * 3_600_000;

#[derive(Deserialize)]
struct Parameters {
    since: u64,
    until: u64,
}

/// Where reading goes on.
#[derive(Serialize, Deserialize)]
struct Cursor {
    from: u64,
    window: u64,
}

/// One row, as far as it is of use.
struct Entry {
    key: String,
    root: bool,
    start: u64,
    end: u64,
    talk: u64,
    channel: String,
    destination: String,
    application: String,
    disposition: String,
    source: String,
    dialled: String,
    did: String,
    name: Option<String>,
    recording: String,
}

/// Reads one window of the missed time.
pub fn page(host: &dyn Host, plan: &Plan, job: &Job, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    if job.kind != "cdr" {
        return Err(Failure::rejected("unknown-job", format!("`{}` is no job of this source", job.kind)));
    }
    let bad = |error: serde_json::Error| {
        Failure::rejected("bad-parameters", format!("the job's parameters do not fit: {error}"))
    };
    let gap: Parameters = serde_json::from_str(&job.parameters).map_err(bad)?;
    let zone = TimeZone::get(&plan.cdr_zone)
        .map_err(|_| Failure::misconfigured(format!("`cdr_zone` is `{}`, which is no time zone", plan.cdr_zone)))?;
    let mut at = match cursor {
        Some(cursor) => serde_json::from_slice(cursor).map_err(bad)?,
        None => Cursor { from: gap.since.saturating_sub(BEFORE), window: WINDOW },
    };
    let rows = loop {
        match read(host, plan, &zone, &at) {
            Err(Failure::Rejected(why)) if why.code == "too-large" && at.window > LEAST => {
                at.window = (at.window / 2).max(LEAST)
            }
            other => break other?,
        }
    };
    let to = at.from + at.window;
    let entries: Vec<Entry> = rows.iter().filter_map(|row| Entry::read(&row, &zone)).collect();
    let mut observations = Vec::new();
    let roots = entries.iter().filter(|entry| entry.root && (at.from..to).contains(&entry.start));
    let mut keys: Vec<&str> = roots.map(|entry| entry.key.as_str()).collect();
    keys.dedup();
    for key in keys {
        if was_seen(host, key)? {
            continue;
        }
        let call: Vec<&Entry> = entries.iter().filter(|entry| entry.key == key).collect();
        observations.extend(report(plan, key, &call, &gap));
    }
    let next = (to < gap.until).then_some(Cursor { from: to, window: at.window });
    let progress = Progress {
        stage: "calls".to_owned(),
        rows: Kind::Call,
        processed: u32::try_from(observations.len() / 2).unwrap_or(u32::MAX),
        total: None,
        errors: 0,
    };
    Ok(Page {
        observations,
        next: next.map(|next| serde_json::to_vec(&next)).transpose().map_err(bad)?,
        after: None,
        progress: vec![progress],
    })
}

/// The rows of a window, and those of its calls that come after it. All columns: which there are differs.
fn read(host: &dyn Host, plan: &Plan, zone: &TimeZone, at: &Cursor) -> Result<Rows, Failure> {
    let statement =
        format!("select * from {} where calldate >= $1 and calldate < $2 order by calldate", plan.cdr_table);
    let margin = MARGIN.min(at.window * 3);
    host.query(DATABASE, &statement, &[&local(at.from, zone), &local(at.from + at.window + margin, zone)])
}

impl Entry {
    fn read(row: &cordboard_sdk::Row<'_>, zone: &TimeZone) -> Option<Self> {
        let word = |column: &str| row.get(column).unwrap_or_default().trim().to_owned();
        let number = |column: &str| word(column).parse::<u64>().unwrap_or(0);
        let id = word("uniqueid");
        let linked = Some(word("linkedid")).filter(|linked| !linked.is_empty()).unwrap_or_else(|| id.clone());
        let start = instant(row.get("calldate")?, zone)?;
        if linked.is_empty() || linked.len() > 200 || linked.chars().any(char::is_control) {
            return None;
        }
        let clid = word("clid");
        let name = clid.split_once("\" <").and_then(|(name, _)| name.strip_prefix('"')).map(str::to_owned);
        Some(Self {
            root: linked == id,
            key: linked,
            start,
            end: start + number("duration") * 1000,
            talk: number("billsec"),
            channel: word("channel"),
            destination: word("dstchannel"),
            application: word("lastapp"),
            disposition: word("disposition"),
            source: word("src"),
            dialled: word("dst"),
            did: word("did"),
            name: name.and_then(|name| text::name(name.as_bytes())),
            recording: word("recordingfile"),
        })
    }

    /// Whether somebody, and not only a menu, was reached.
    fn is_answered(&self) -> bool {
        let connects = self.application.eq_ignore_ascii_case("Dial") || self.application.eq_ignore_ascii_case("Queue");
        self.disposition == "ANSWERED" && connects && !self.destination.is_empty()
    }
}

/// Whether the end of a call was seen when it came: that is known better than any table has it.
fn was_seen(host: &dyn Host, key: &str) -> Result<bool, Failure> {
    let Some(known) = host.ledger().call_of(key)? else { return Ok(false) };
    let repaired = known.call.attributes.iter().any(|(name, value)| name == "repaired" && value == "true");
    Ok(known.call.phase == Some(CallPhase::Ended) && !repaired)
}

/// What a call's rows tell, if it was under way in the missed time and ended in it.
fn report(plan: &Plan, key: &str, rows: &[&Entry], gap: &Parameters) -> Vec<Observation> {
    let Some(root) = rows.iter().find(|row| row.root) else { return vec![] };
    let end = rows.iter().map(|row| row.end).max().unwrap_or(root.end);
    // Records know whole seconds. What ended before was seen, and what goes on will be.
    if end + 1000 < gap.since || end > gap.until {
        return vec![];
    }
    let recordings = rows.iter().filter(|row| !row.recording.is_empty()).map(|row| Recording {
        id: text::short(row.recording.as_bytes(), 1000),
        url: None,
        media_type: None,
        duration: None,
    });
    let mut sure = Call {
        phase: Some(CallPhase::Ended),
        ended_at: Some(end),
        recordings: recordings.collect(),
        attributes: vec![("repaired".to_owned(), "true".to_owned())],
        ..Call::default()
    };
    sure.recordings.sort_by(|a, b| a.id.cmp(&b.id));
    sure.recordings.dedup_by(|a, b| a.id == b.id);
    if root.start >= gap.since {
        sure.started_at = Some(root.start);
    }
    let observed =
        |item: Call, trust| Observation { id: key.to_owned(), also: vec![], at: Some(end), trust, item: item.into() };
    vec![observed(sure, Trust::Settled), observed(rough(plan, root, rows), Trust::Inferred)]
}

/// What the rows tell roughly.
fn rough(plan: &Plan, root: &Entry, rows: &[&Entry]) -> Call {
    let place = |channel: &str, number: &str| plan.place(channel.as_bytes(), b"", number.as_bytes());
    let caller = place(&root.channel, &root.source);
    let legs = || rows.iter().filter(|row| !row.destination.is_empty()).map(|row| (row, place(&row.destination, "")));
    let answered = legs().find(|(row, place)| row.is_answered() && *place != Place::Local);
    let first = legs().map(|(_, place)| place).find(|place| *place != Place::Local);
    let direction = match (&caller, &first) {
        (Place::Trunk(_), _) => Some(Direction::Inbound),
        (Place::Extension(_), Some(Place::Trunk(_))) => Some(Direction::Outbound),
        (Place::Extension(_), Some(_)) => Some(Direction::Internal),
        _ => None,
    };
    let own = match &caller {
        Place::Extension(extension) => Some(extension.clone()),
        _ => None,
    };
    let answerer = answered.as_ref().and_then(|(_, place)| match place {
        Place::Extension(extension) => Some(extension.clone()),
        _ => None,
    });
    let queued = rows.iter().find(|row| row.application.eq_ignore_ascii_case("Queue"));
    let has = |disposition: &str| rows.iter().any(|row| row.disposition == disposition);
    let outcome = if answered.is_some() {
        "answered"
    } else if rows.iter().any(|row| row.application.eq_ignore_ascii_case("VoiceMail")) {
        "voicemail"
    } else if queued.is_some() {
        "abandoned"
    } else if has("NO ANSWER") || has("ANSWERED") {
        "no-answer"
    } else if has("BUSY") {
        "busy"
    } else {
        "failed"
    };
    let callee = if root.did.is_empty() { &root.dialled } else { &root.did };
    let number = own.clone().or_else(|| text::number(root.source.as_bytes()));
    let direct = answered.as_ref().filter(|(row, _)| row.application.eq_ignore_ascii_case("Dial") && rows.len() == 1);
    Call {
        outcome: Some(outcome.to_owned()),
        direction,
        caller: Some(Party {
            number: number.map(Phone::raw),
            name: root.name.clone(),
            agent: own.clone().map(Agent::extension),
        }),
        callee: text::dialled(callee.as_bytes()).map(Party::number),
        queue: queued.and_then(|row| text::dialled(row.dialled.as_bytes())),
        agent: own.or(answerer).map(Agent::extension),
        talk: direct.and_then(|(row, _)| u32::try_from(row.talk).ok()),
        ..Call::default()
    }
}

/// A moment as the table has it.
fn local(at: u64, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(0)).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn instant(text: &str, zone: &TimeZone) -> Option<u64> {
    let time: DateTime = text.trim().parse().ok()?;
    u64::try_from(time.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()).ok()
}
