//! A Frappe site as a component's world: what is played in `cordboard_frappe_site`, with faults in between.

use std::collections::{HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Mutex;

use cordboard_frappe::Frappe;
pub use cordboard_frappe_site::{Row, call_log};
use cordboard_sdk::bindings::base::cordboard::hub::host::Content;
use cordboard_sdk::http::Error;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

/// 2026-03-05 10:15:30 UTC.
pub const START: Instant = 1_772_705_730_000;
/// The same on the site's wall, in Madrid.
pub const WALL: &str = "2026-03-05 11:15:30";
pub const ONE: &str = "+34600111222";

pub struct Site {
    settings: String,
    grant: Mutex<Option<Grant>>,
    state: Mutex<State>,
}

pub struct State {
    pub site: cordboard_frappe_site::Site,
    pub now: Instant,
    pub asked: Vec<Request>,
    pub logs: Vec<(Level, String)>,
    pub files: HashMap<String, Vec<u8>>,
    pub faults: VecDeque<Planned>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Deref for State {
    type Target = cordboard_frappe_site::Site;

    fn deref(&self) -> &Self::Target {
        &self.site
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.site
    }
}

pub struct Planned {
    method: &'static str,
    path: &'static str,
    does: Does,
}

pub enum Does {
    /// Answers this and does nothing.
    Answer(u16, Value),
    /// Answers with something else than JSON.
    Text(u16, &'static str),
    /// Does nothing, and nobody hears of it.
    Silent(Error),
    /// Does it, and nobody hears of it.
    Lost(Error),
}

pub fn settings(more: Value) -> Value {
    let mut settings =
        json!({"url": "https://crm.example.test", "api_key": "key-000001", "api_secret": "secret-000001"});
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    settings
}

impl Site {
    /// With Frappe CRM and what the hub's own setup makes, logged in.
    pub fn with(more: Value) -> Self {
        let site = Self::outside(more);
        site.set_up();
        site.login().unwrap();
        site
    }

    /// With Frappe CRM, and nothing of the hub's.
    pub fn outside(more: Value) -> Self {
        let mut site = cordboard_frappe_site::Site::with_crm();
        site.user("hub@example.test", &["System Manager"]);
        let (asked, logs, files, faults) = (vec![], vec![], HashMap::new(), VecDeque::new());
        let state = State { site, now: START, asked, logs, files, faults, headers: vec![] };
        let site = Self { settings: settings(more).to_string(), grant: Mutex::default(), state: Mutex::new(state) };
        site.put("User", json!({"name": "ana@example.test"}));
        site.put("CRM Lead", json!({
            "name": "CRM-LEAD-2026-00003", "lead_name": "Ana Prueba", "mobile_no": ONE, "lead_owner": "ana@example.test"}));
        site
    }

    /// Makes what the site lacks, as a System Manager would.
    pub fn set_up(&self) {
        self.login().unwrap();
        for step in Frappe::plan(self, None).unwrap() {
            Frappe::make(self, step).unwrap();
        }
    }

    pub fn doctype(&self, name: &str, meta: Value) {
        self.state().site.doctype(name, meta);
    }

    pub fn put(&self, doctype: &str, row: Value) {
        self.state().site.put(doctype, row);
    }

    pub fn login(&self) -> Result<(), Failure> {
        let grant = Frappe::issue(self, self.grant())?;
        *self.grant.lock().unwrap() = Some(grant);
        Ok(())
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn docs(&self, doctype: &str) -> Vec<Row> {
        self.state().docs.get(doctype).cloned().unwrap_or_default()
    }

    /// The one document of a DocType.
    pub fn only(&self, doctype: &str) -> Row {
        let mut docs = self.docs(doctype);
        assert_eq!(docs.len(), 1, "{docs:#?}");
        docs.remove(0)
    }

    /// The next request like this does otherwise.
    pub fn plan(&self, method: &'static str, path: &'static str, does: Does) {
        self.state().faults.push_back(Planned { method, path, does });
    }

    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let outcomes = Frappe::deliver(self, changes.to_vec());
        assert_eq!(outcomes.len(), changes.len());
        for outcome in &outcomes {
            let text = format!("{outcome:?}");
            assert!(!text.contains("secret-000001"), "{text}");
        }
        outcomes
    }

    pub fn one(&self, change: &Change) -> Receipt {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Done(receipt) => receipt,
            other => panic!("not done: {other:?}"),
        }
    }

    pub fn fails(&self, change: &Change) -> Failure {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Failed(failure) => failure,
            other => panic!("not failed: {other:?}"),
        }
    }

    /// How many requests something takes.
    pub fn requests<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.state().asked.len();
        let result = work();
        let after = self.state().asked.len();
        (result, after - before)
    }
}

/// What the delivery after this one is given.
pub fn next(change: &Change, receipt: &Receipt, item: impl Into<Item>) -> Change {
    Change {
        revision: change.revision + 1,
        external_id: receipt.external_id.clone(),
        memo: receipt.memo.clone(),
        item: item.into(),
        ..change.clone()
    }
}

/// A delivery that comes from the source `inbox`.
pub fn from_inbox(id: &str, item: impl Into<Item>) -> Change {
    let mut change = cordboard_sdk::testing::change(id, item);
    change.subject.source = "inbox".into();
    change
}

pub fn number(e164: &str) -> Party {
    Party { number: Some(phone(e164)), ..Party::default() }
}

pub fn phone(e164: &str) -> Phone {
    Phone { raw: e164.into(), e164: Some(e164.into()), ..Phone::default() }
}

/// An incoming call that extension 101 took.
pub fn finished() -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        callee: Some(number("+34910000001")),
        agent: Some(Agent { user: Some("ana@example.test".into()), ..Agent::extension("101") }),
        started_at: Some(START),
        answered_at: Some(START + 10_000),
        ended_at: Some(START + 95_000),
        duration: Some(95),
        talk: Some(85),
        ..Call::default()
    }
}

/// The same call while it rings.
pub fn ringing() -> Call {
    Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        callee: Some(number("+34910000001")),
        started_at: Some(START),
        ..Call::default()
    }
}

fn as_asked(request: &Request) -> cordboard_frappe_site::Asked {
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("accept"), Some("application/json"), "errors would be pages of HTML");
    cordboard_frappe_site::Asked {
        method: request.method.clone(),
        path: request.url.strip_prefix("https://crm.example.test").unwrap().to_owned(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    }
}

impl Host for Site {
    fn settings(&self) -> &str {
        &self.settings
    }

    fn grant(&self) -> Option<Grant> {
        self.grant.lock().unwrap().clone()
    }

    fn log(&self, level: Level, message: &str) {
        self.state().logs.push((level, message.to_owned()));
    }

    fn now(&self) -> Instant {
        self.state().now
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let mut state = self.state();
        state.asked.push(request.clone());
        let fits = |planned: &Planned| planned.method == request.method && request.url.contains(planned.path);
        let does = match state.faults.front().is_some_and(fits) {
            true => state.faults.pop_front().map(|planned| planned.does),
            false => None,
        };
        let respond = |status: u16, body: Vec<u8>, headers: Vec<(String, Vec<u8>)>, at| {
            Ok(Response { status, headers, body, at })
        };
        let (headers, now) = (state.headers.clone(), state.now);
        match does {
            Some(Does::Answer(status, body)) => respond(status, body.to_string().into_bytes(), headers, now),
            Some(Does::Text(status, text)) => respond(status, text.into(), headers, now),
            Some(Does::Silent(error)) => Err(error),
            Some(Does::Lost(error)) => {
                state.site.answer(&as_asked(&request));
                Err(error)
            }
            None => {
                let answered = state.site.answer(&as_asked(&request));
                let body = answered.body.unwrap_or_else(|page| json!(page)).to_string();
                respond(answered.status, body.into_bytes(), headers, now)
            }
        }
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        let bytes = self.state().files.get(url).cloned();
        let bytes = bytes.ok_or_else(|| Failure::retryable(format!("{url}: not there yet")))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::rejected("too-long", format!("{url} is longer than {limit} bytes")));
        }
        Ok(Content { media_type: Some("audio/x-wav".into()), bytes })
    }
}

/// A recording of the real server: one request and its answer.
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub body: Value,
    pub answer: Response,
    pub all: Value,
}

pub fn recorded(name: &str) -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let all: Value = serde_json::from_str(&text).unwrap();
    let (request, response) = (&all["request"], &all["response"]);
    let headers = response["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap().to_lowercase(), pair[1].as_str().unwrap().as_bytes().to_vec()));
    let body = match response.get("json") {
        Some(json) => json.to_string(),
        None => response["body_text"].as_str().unwrap_or_default().to_owned(),
    };
    Recorded {
        method: request["method"].as_str().unwrap_or_default().to_owned(),
        path: request["path"].as_str().unwrap_or_default().to_owned(),
        body: request["json"].clone(),
        answer: Response {
            status: response["status"].as_u64().unwrap_or(0).try_into().unwrap(),
            headers: headers.collect(),
            body: body.into_bytes(),
            at: 0,
        },
        all,
    }
}
