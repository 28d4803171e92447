//! Reading the history: a synchronization, or the repair of a gap. One request for each page, one page after the other.

use cordboard_sdk::http::encode;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value};
use serde::Deserialize;

use crate::address::Address;
use crate::api::{Api, Listing, PAGE};
use crate::chat;
use crate::cursor::{Chat, Count, Cursor, Stage, Turn};
use crate::look;
use crate::message::{Frame, News};
use crate::refusal::Refusal;
use crate::refused::{Decoded, Refused, shown};
use crate::session;
use crate::settings::Plan;

/// Between two looks whether a session is connected again, should nobody tell.
const PAUSE: u64 = 60_000;
/// After so long without a page it is asked first whether the session is still connected.
const STALE: u64 = 600_000;
/// What a round of a repair reads of the time before it began: clocks differ, and messages come late.
const OVERLAP: u64 = 300_000;
/// Chats whose messages a repair reads.
const REPAIRED: usize = 200;
/// Pages of one chat's messages that a repair reads.
const REPAIRED_PAGES: u32 = 10;
/// An hour.
const HOUR: u64 = 3_600_000;

/// A job's parameters. All may be missing. Those that a person may give stand under `x-jobs` in the settings' schema.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    /// The one session to read; absent: all of the settings.
    session: Option<String>,
    /// When what started the job happened.
    at: Option<Instant>,
    /// Seconds to wait before the first request.
    delay: u64,
    /// How far back a repair reads, in any spelling of a moment. It is over then, and does not go on in rounds.
    since: Option<Value>,
    /// The one chat that a repair reads, in any spelling of an address. It is over then, too.
    chat: Option<String>,
}

/// What is to be read, if not everything.
#[derive(Debug, Default)]
struct Told {
    /// Of a repair, by a person.
    since: Option<Instant>,
    /// Of a repair, by a person.
    chat: Option<String>,
    /// Nothing but how the session is.
    state: bool,
}

impl Told {
    fn read(plan: &Plan, parameters: &Parameters, sessions: &[String]) -> Result<Self, Failure> {
        let since = parameters.since.as_ref().map(|since| {
            let moment = plan.clock.read(since).map(|moment| moment.at);
            moment.ok_or_else(|| bad(format!("`since`: {} is no moment", shown(&since.to_string()))))
        });
        let chat = parameters.chat.as_ref().map(|chat| {
            let [session] = sessions else { return Err(bad("`chat`: which session's? Name it with `session`")) };
            let own = chat.strip_prefix(session.as_str()).and_then(|rest| rest.strip_prefix(':'));
            let address = Address::read(own.unwrap_or(chat)).map(|address| address.jid());
            address.ok_or_else(|| bad(format!("`chat`: {} is no address on WhatsApp", shown(chat))))
        });
        Ok(Self { since: since.transpose()?, chat: chat.transpose()?, state: false })
    }

    /// Whether it is read once, and not in rounds.
    fn once(&self) -> bool {
        self.since.is_some() || self.chat.is_some()
    }
}

fn bad(why: impl Into<String>) -> Failure {
    Failure::rejected("bad-parameters", why)
}

/// Reads one page.
pub fn next(host: &dyn Host, job: &Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
    let plan = Plan::of(host)?;
    let (repair, look) = match job.kind.as_str() {
        "sync" => (false, false),
        "repair" => (true, false),
        "look" => (false, true),
        other => {
            let why = format!("`{other}` is no job of this source; there are `sync`, `repair` and `look`");
            return Err(Failure::rejected("unknown-job", why));
        }
    };
    let parameters: Parameters =
        serde_json::from_str(&job.parameters).map_err(|error| bad(format!("the parameters do not fit: {error}")))?;
    let sessions = match &parameters.session {
        Some(session) if plan.has(session) => vec![session.clone()],
        Some(session) => {
            let why = format!("the session {} is not one of the setting `sessions`", shown(session));
            return Err(Failure::rejected("unknown-session", why));
        }
        None => plan.settings.sessions.clone(),
    };
    let told = match repair {
        true => Told::read(&plan, &parameters, &sessions)?,
        false => Told { state: look, ..Told::default() },
    };
    let now = host.now();
    let mut cursor = cursor.map_or_else(|| Ok(Cursor::new(now)), |cursor| Cursor::read(&cursor))?;
    // Right after connecting it is left alone, once for each connecting.
    if parameters.delay > 0 && (cursor.quiet.is_none() || cursor.quiet != parameters.at) {
        let delay = parameters.delay.min(3600) * 1000;
        cursor.quiet = Some(parameters.at.unwrap_or(now));
        let left = parameters.at.map_or(delay, |at| (at + delay).saturating_sub(now).min(delay));
        if left > 0 {
            let progress = cursor.progress();
            return Ok(Page { observations: vec![], next: Some(cursor.written()?), after: Some(left), progress });
        }
    }
    if cursor.rests {
        cursor.rise(now);
    }
    let until = repair.then(|| parameters.at.unwrap_or(now));
    step(host, &plan, until, &told, &sessions, cursor, now)
}

/// Makes one request. `until` is set for a repair.
fn step(
    host: &dyn Host,
    plan: &Plan,
    until: Option<Instant>,
    told: &Told,
    sessions: &[String],
    cursor: Cursor,
    now: Instant,
) -> Result<Page, Failure> {
    let Some(session) = sessions.get(cursor.session) else {
        return Ok(Page { observations: vec![], next: None, after: None, progress: cursor.progress() });
    };
    let api = Api::new(host, plan)?;
    let since = until.map(|until| {
        let first = || told.since.unwrap_or(until.saturating_sub(plan.settings.repair.hours * HOUR));
        cursor.since.unwrap_or_else(first)
    });
    let mut reading = Reading { host, api: &api, plan, session, since, told, now, cursor };
    let stale = now.saturating_sub(std::mem::replace(&mut reading.cursor.last, now)) > STALE;
    let read = match reading.cursor.stage {
        stage if stale && stage > Stage::Status => reading.confirmed(),
        Stage::Session => reading.session(),
        Stage::Status => reading.status(),
        Stage::Contacts => reading.contacts(),
        Stage::Chats => reading.chats(),
        Stage::Messages => reading.messages(),
    };
    match read {
        Ok(step) => reading.page(step, sessions.len()),
        Err(Refusal::NotConnected(why)) => reading.away(sessions.len(), &why),
        Err(refusal) => Err(refusal.into()),
    }
}

/// What one request brought.
struct Step {
    observations: Vec<Observation>,
    /// How long the server wants reading to wait.
    wait: Option<u64>,
    /// The session has been read whole.
    over: bool,
}

struct Reading<'a> {
    host: &'a dyn Host,
    api: &'a Api<'a>,
    plan: &'a Plan,
    session: &'a str,
    /// Set for a repair.
    since: Option<Instant>,
    /// What of it a person wants.
    told: &'a Told,
    now: Instant,
    cursor: Cursor,
}

impl Reading<'_> {
    /// The page that a step makes, and where to go on.
    fn page(mut self, step: Step, sessions: usize) -> Result<Page, Failure> {
        if step.over {
            let mut next = Cursor::new(self.cursor.begun);
            (next.session, next.counts, next.quiet) = (self.cursor.session + 1, self.cursor.counts, self.cursor.quiet);
            (next.row, next.last) = (self.cursor.row.filter(|_| sessions == 1), self.now);
            self.cursor = next;
        }
        let progress = self.cursor.progress();
        let every = self.plan.settings.repair.every * 1000;
        let again = self.since.is_some() && !self.told.once() && every > 0;
        let (next, after) = match self.cursor.session < sessions {
            true => (Some(self.cursor.written()?), step.wait),
            false if again => (Some(self.cursor.rest(OVERLAP).written()?), Some(every)),
            false => (None, None),
        };
        Ok(Page { observations: step.observations, next, after, progress })
    }

    /// The session is away: the same page again when it is back. Of several sessions the others are read.
    fn away(mut self, sessions: usize, why: &str) -> Result<Page, Failure> {
        if sessions > 1 {
            self.host.warn(format!("`{}` is not read: {why}", self.session));
            self.count().passed_over();
            return self.page(Step { observations: vec![], wait: None, over: true }, sessions);
        }
        // What a webhook told meanwhile is newer, whatever the clocks say; but not what made somebody look.
        let at = if self.told.state { self.now } else { self.now.saturating_sub(PAUSE) };
        let record = Session { state: Some("disconnected".to_owned()), ..Session::default() };
        let observation = Observation { at: Some(at), ..Observation::of(self.session, record) };
        if self.told.state {
            return self.page(Step { observations: vec![observation], wait: None, over: true }, sessions);
        }
        let progress = self.cursor.progress();
        Ok(Page { observations: vec![observation], next: Some(self.cursor.written()?), after: Some(PAUSE), progress })
    }

    fn session(&mut self) -> Result<Step, Refusal> {
        let listing = self.api.page("/api/sessions", &["sessions"], &paged(1, PAGE))?;
        let row = listing.rows.iter().find(|row| look::text(row, &["sessionId"]).as_deref() == Some(self.session));
        self.cursor.row = row.and_then(|row| look::count(row, &["id"]));
        self.cursor.begin(Stage::Status);
        let observations = row.map(|row| session::listed(self.session, row)).into_iter().collect();
        Ok(Step { observations, wait: listing.wait, over: false })
    }

    /// The session is still connected, and the list goes on.
    fn confirmed(&mut self) -> Result<Step, Refusal> {
        let (observation, wait) = self.connected()?;
        Ok(Step { observations: vec![observation], wait, over: false })
    }

    fn status(&mut self) -> Result<Step, Refusal> {
        let (observation, wait) = self.connected()?;
        match &self.told.chat {
            Some(jid) => {
                self.cursor.chats = vec![Chat { jid: jid.clone(), at: self.now }];
                self.cursor.begin(Stage::Messages);
            }
            None => self.cursor.begin(if self.since.is_some() { Stage::Chats } else { Stage::Contacts }),
        }
        Ok(Step { observations: vec![observation], wait, over: self.told.state })
    }

    /// Whether the session is connected: the list may be old, this answer is not.
    fn connected(&self) -> Result<(Observation, Option<u64>), Refusal> {
        let id = self.cursor.row.map_or_else(|| encode(self.session), |row| row.to_string());
        let answer = self.api.get(&format!("/api/sessions/{id}/status"), &[])?;
        let word = look::text(&answer.data, &["status"]).unwrap_or_default();
        let state = session::state(&word);
        let connected = look::flag(&answer.data, &["isConnected"]).unwrap_or(state == "connected");
        if !connected {
            return Err(Refusal::NotConnected(format!("the session `{}` is {}", self.session, shown(&word))));
        }
        let record = Session { state: Some(state.to_owned()), ..Session::default() };
        Ok((Observation { at: Some(self.now), ..Observation::of(self.session, record) }, answer.wait))
    }

    fn contacts(&mut self) -> Result<Step, Refusal> {
        let path = format!("/api/contacts/{}", encode(self.session));
        let listing = self.api.page(&path, &["contacts"], &paged(self.cursor.page, PAGE))?;
        let (plan, session) = (self.plan, self.session);
        let (observations, turn) =
            self.rows(&listing, PAGE, plan.settings.sync.pages, |row| chat::contact(plan, session, row, None));
        if turn != Turn::More {
            self.cursor.begin(Stage::Chats);
        }
        Ok(Step { observations, wait: listing.wait, over: false })
    }

    fn chats(&mut self) -> Result<Step, Refusal> {
        let path = format!("/api/messages/{}/chats", encode(self.session));
        let listing = self.api.page(&path, &["chats"], &paged(self.cursor.page, PAGE))?;
        let (plan, session) = (self.plan, self.session);
        let (observations, turn) = self
            .rows(&listing, PAGE, plan.settings.sync.pages, |row| chat::conversation(plan, session, row, None, None));
        if turn != Turn::Circle {
            self.choose(&listing.rows);
        }
        // The liveliest come first: behind a page of chats that were silent there is nothing to repair.
        let silent = self.since.is_some_and(|since| {
            let at = |row: &Value| chat::activity(plan, row).and_then(|(_, at)| at);
            !listing.rows.is_empty() && listing.rows.iter().all(|row| at(row).is_some_and(|at| at < since))
        });
        let over = turn != Turn::More || silent;
        if over {
            self.cursor.begin(Stage::Messages);
        }
        Ok(Step { observations, wait: listing.wait, over: over && self.cursor.chats.is_empty() })
    }

    /// Keeps the chats whose messages are wanted: the liveliest, and for a repair those that were not silent.
    fn choose(&mut self, rows: &[Value]) {
        let most = if self.since.is_some() { REPAIRED } else { self.plan.settings.sync.chats };
        for row in rows {
            let Some((jid, at)) = chat::activity(self.plan, row) else { continue };
            // What is passed over as a conversation has no messages for us either.
            let wanted = chat::conversation(self.plan, self.session, row, None, None);
            if !matches!(wanted, Ok(Decoded::Observations(_))) {
                continue;
            }
            let silent = self.since.is_some_and(|since| at.is_some_and(|at| at < since));
            if !silent && !self.cursor.chats.iter().any(|chat| chat.jid == jid) {
                self.cursor.chats.push(Chat { jid, at: at.unwrap_or(0) });
            }
        }
        self.cursor.chats.sort_by_key(|chat| std::cmp::Reverse(chat.at));
        self.cursor.chats.truncate(most);
    }

    fn messages(&mut self) -> Result<Step, Refusal> {
        let Some(jid) = self.cursor.chats.get(self.cursor.chat).map(|chat| chat.jid.clone()) else {
            return Ok(Step { observations: vec![], wait: None, over: true });
        };
        let settings = &self.plan.settings.sync;
        let (asked, most) = if self.since.is_some() { (PAGE, REPAIRED_PAGES) } else { (settings.messages, 1) };
        let (path, mut query) = self.api.messages(self.session, &jid);
        query.extend(paged(self.cursor.page, asked));
        let listing = match self.api.page(&path, &["messages"], &query) {
            Ok(listing) => listing,
            // One chat that is gone is not the end of the others.
            Err(Refusal::Absent { why, .. }) => {
                self.host.warn(why);
                self.count().passed_over();
                Listing { rows: vec![], total: None, pages: None, limit: None, wait: None }
            }
            Err(refusal) => return Err(refusal),
        };
        let (plan, session, now) = (self.plan, self.session, self.now);
        let (observations, turn) = self.rows(&listing, asked, most, |row| {
            let frame = Frame {
                plan,
                session,
                origin: Origin::Historic,
                sent: None,
                received: now,
                ours: false,
                news: News::Written,
            };
            frame.read(&placed(row, &jid))
        });
        let time = |row: &Value| plan.clock.find(row, &["timestamp", "messageTimestamp"]).map(|moment| moment.at);
        let reached = self.since.is_some_and(|since| listing.rows.iter().filter_map(time).any(|at| at < since));
        if turn != Turn::More || reached {
            self.cursor.chat += 1;
            self.cursor.begin(Stage::Messages);
        }
        let over = self.cursor.chat >= self.cursor.chats.len();
        Ok(Step { observations, wait: listing.wait, over })
    }

    /// Reads the rows of a page, counts them, and says whether there is another page.
    fn rows(
        &mut self,
        listing: &Listing,
        asked: usize,
        most: u32,
        decode: impl Fn(&Value) -> Result<Decoded, Refused>,
    ) -> (Vec<Observation>, Turn) {
        let turn = self.cursor.turn(listing, asked, most);
        let (stage, page) = (self.cursor.stage, self.cursor.page);
        if turn == Turn::Circle {
            self.host.warn(format!(
                "the server's list of {stage:?} goes in circles: page {page} was there before; it is taken to end here"
            ));
            self.count().passed_over();
            return (vec![], turn);
        }
        let read = self.cursor.read;
        if turn == Turn::Over && stage != Stage::Messages && listing.total.is_some_and(|total| total != read) {
            let total = listing.total.unwrap_or_default();
            self.host.warn(format!("the server said that there are {total} {stage:?}, and gave {read}"));
        }
        let mut observations = Vec::new();
        let mut told = false;
        for row in &listing.rows {
            let decoded = decode(row);
            let count = self.count();
            count.processed += u32::from(!matches!(decoded, Ok(Decoded::Ignored(_))));
            match decoded {
                Ok(Decoded::Observations(seen)) => observations.extend(seen),
                Ok(Decoded::Ignored(_)) => {}
                Err(Refused { why, .. }) => {
                    count.errors += 1;
                    if !told {
                        self.host.warn(format!("a row of {stage:?} cannot be used: {why}"));
                    }
                    told = true;
                }
            }
        }
        if stage != Stage::Messages {
            self.count().total = listing.total;
        }
        (observations, turn)
    }

    fn count(&mut self) -> &mut Count {
        let at = match self.cursor.stage {
            Stage::Session | Stage::Status | Stage::Contacts => 0,
            Stage::Chats => 1,
            Stage::Messages => 2,
        };
        &mut self.cursor.counts[at]
    }
}

/// A message of a chat's list, with the chat in it if it has none.
fn placed(row: &Value, jid: &str) -> Value {
    let mut row = row.clone();
    if crate::key::Key::of(&row).chat.is_none()
        && let Some(members) = row.as_object_mut()
    {
        members.insert("chatId".to_owned(), jid.into());
    }
    row
}

fn paged(page: u32, limit: usize) -> Vec<(&'static str, String)> {
    vec![("page", page.to_string()), ("limit", limit.to_string())]
}
