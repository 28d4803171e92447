//! Reading the history: a synchronization, or the repair of a gap. One request for each page, one page after the other.

use cordboard_sdk::http::encode;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value};
use serde::Deserialize;

use crate::api::{Api, Listing, PAGE};
use crate::chat;
use crate::cursor::{Chat, Count, Cursor, Stage, Turn};
use crate::look;
use crate::message::{Frame, News};
use crate::refusal::Refusal;
use crate::refused::{Decoded, Refused, shown};
use crate::session;
use crate::settings::Plan;

/// Between two looks whether a session is connected again.
const PAUSE: u64 = 60_000;
/// Chats whose messages a repair reads.
const REPAIRED: usize = 200;
/// Pages of one chat's messages that a repair reads.
const REPAIRED_PAGES: u32 = 10;
/// An hour.
const HOUR: u64 = 3_600_000;

/// A job's parameters. All may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    /// The one session to read; absent: all of the settings.
    session: Option<String>,
    /// When what started the job happened.
    at: Option<Instant>,
    /// Seconds to wait before the first request.
    delay: u64,
    /// How far back a repair reads.
    since: Option<Instant>,
    /// The one chat that a repair reads.
    chat: Option<String>,
}

/// Reads one page.
pub fn next(host: &dyn Host, job: &Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
    let plan = Plan::of(host)?;
    let repair = match job.kind.as_str() {
        "sync" => false,
        "repair" => true,
        other => {
            let why = format!("`{other}` is no job of this source; there are `sync` and `repair`");
            return Err(Failure::rejected("unknown-job", why));
        }
    };
    let parameters: Parameters = serde_json::from_str(&job.parameters)
        .map_err(|error| Failure::rejected("bad-parameters", format!("the parameters do not fit: {error}")))?;
    let sessions = match &parameters.session {
        Some(session) if plan.has(session) => vec![session.clone()],
        Some(session) => {
            let why = format!("the session {} is not one of the setting `sessions`", shown(session));
            return Err(Failure::rejected("unknown-session", why));
        }
        None => plan.settings.sessions.clone(),
    };
    let now = host.now();
    let Some(cursor) = cursor else {
        let cursor = Cursor::new(now);
        if parameters.delay > 0 {
            let after = Some(parameters.delay.min(3600) * 1000);
            return Ok(Page {
                observations: vec![],
                next: Some(cursor.written()?),
                after,
                progress: cursor.progress(),
            });
        }
        return step(host, &plan, repair, &parameters, &sessions, cursor, now);
    };
    step(host, &plan, repair, &parameters, &sessions, Cursor::read(&cursor)?, now)
}

fn step(
    host: &dyn Host,
    plan: &Plan,
    repair: bool,
    parameters: &Parameters,
    sessions: &[String],
    cursor: Cursor,
    now: Instant,
) -> Result<Page, Failure> {
    let Some(session) = sessions.get(cursor.session) else {
        return Ok(Page { observations: vec![], next: None, after: None, progress: cursor.progress() });
    };
    let api = Api::new(host, plan)?;
    let since = repair.then(|| {
        let until = parameters.at.unwrap_or(now);
        parameters.since.unwrap_or(until.saturating_sub(plan.settings.repair.hours * HOUR))
    });
    let mut reading = Reading { host, api: &api, plan, session, since, only: parameters.chat.as_deref(), now, cursor };
    let read = match reading.cursor.stage {
        Stage::Session => reading.session(),
        Stage::Status => reading.status(),
        Stage::Contacts => reading.contacts(),
        Stage::Chats => reading.chats(),
        Stage::Messages => reading.messages(),
    };
    match read {
        Ok(step) => reading.page(step, sessions.len()),
        Err(Refusal::NotConnected(why)) => reading.paused(vec![], &why),
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
    /// The one chat to repair.
    only: Option<&'a str>,
    now: Instant,
    cursor: Cursor,
}

impl Reading<'_> {
    /// The page that a step makes, and where to go on.
    fn page(mut self, step: Step, sessions: usize) -> Result<Page, Failure> {
        if step.over {
            let mut next = Cursor::new(self.cursor.begun);
            (next.session, next.counts) = (self.cursor.session + 1, self.cursor.counts);
            self.cursor = next;
        }
        let progress = self.cursor.progress();
        let done = self.cursor.session >= sessions;
        let pace = 60_000_u64.div_ceil(self.plan.settings.sync.calls_per_minute.max(1));
        Ok(Page {
            observations: step.observations,
            next: if done { None } else { Some(self.cursor.written()?) },
            after: (!done).then(|| pace.max(step.wait.unwrap_or(0))),
            progress,
        })
    }

    /// The session is away: the same page again in a while, or the end. Whoever connects it later than
    /// `sync.min_interval` after the beginning starts a job of its own.
    fn paused(mut self, observations: Vec<Observation>, why: &str) -> Result<Page, Failure> {
        let limit = self.plan.settings.sync.min_interval * 1000 + PAUSE;
        if self.now.saturating_sub(self.cursor.begun) > limit {
            self.host.warn(format!("reading `{}` has ended early: {why}", self.session));
            self.count().errors += 1;
            return Ok(Page { observations, next: None, after: None, progress: self.cursor.progress() });
        }
        let progress = self.cursor.progress();
        Ok(Page { observations, next: Some(self.cursor.written()?), after: Some(PAUSE), progress })
    }

    fn session(&mut self) -> Result<Step, Refusal> {
        let listing = self.api.page("/api/sessions", &["sessions"], &paged(1, PAGE))?;
        let row = listing.rows.iter().find(|row| look::text(row, &["sessionId"]).as_deref() == Some(self.session));
        self.cursor.row = row.and_then(|row| look::count(row, &["id"]));
        self.cursor.begin(Stage::Status);
        let observations = row.map(|row| session::listed(self.session, row)).into_iter().collect();
        Ok(Step { observations, wait: listing.wait, over: false })
    }

    /// Whether the session is connected: the list may be old, this answer is not.
    fn status(&mut self) -> Result<Step, Refusal> {
        let id = self.cursor.row.map_or_else(|| encode(self.session), |row| row.to_string());
        let answer = self.api.get(&format!("/api/sessions/{id}/status"), &[])?;
        let word = look::text(&answer.data, &["status"]).unwrap_or_default();
        let state = session::state(&word);
        let connected = look::flag(&answer.data, &["isConnected"]).unwrap_or(state == "connected");
        if !connected {
            return Err(Refusal::NotConnected(format!("the session `{}` is {}", self.session, shown(&word))));
        }
        match self.only {
            Some(jid) => {
                self.cursor.chats = vec![Chat { jid: jid.to_owned(), at: self.now }];
                self.cursor.begin(Stage::Messages);
            }
            None => self.cursor.begin(if self.since.is_some() { Stage::Chats } else { Stage::Contacts }),
        }
        let record = Session { state: Some(state.to_owned()), ..Session::default() };
        let observation = Observation { at: Some(self.now), ..Observation::of(self.session, record) };
        Ok(Step { observations: vec![observation], wait: answer.wait, over: false })
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
                self.count().errors += 1;
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
            self.count().errors += 1;
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
            count.processed += 1;
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
