//! Asking the server: addresses, proofs, and what its answers say beside their data.

use std::time::Duration;

use cordboard_sdk::Host;
use cordboard_sdk::http::{Request, encode};
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::Failure;

use crate::grant::Token;
use crate::limits;
use crate::look;
use crate::refusal::{self, Refusal};
use crate::settings::{Auth, MessagesPath, Plan, Settings};

/// How long an answer is waited for: less than the hub gives a call, so that a silent server is told as such.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Bytes of an answer.
const ANSWER: usize = 24 << 20;

/// Rows on a page: the most that the server gives.
pub const PAGE: usize = 100;

/// The server, spoken to by one tenant.
pub struct Api<'h> {
    host: &'h dyn Host,
    /// The settings.
    pub plan: &'h Plan,
    token: Option<String>,
}

/// An answer that is a success.
#[derive(Debug)]
pub struct Answer {
    /// Its `data`.
    pub data: Value,
    /// How long reading should wait, because few calls are left.
    pub wait: Option<u64>,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listing {
    /// What stands on it.
    pub rows: Vec<Value>,
    /// How many there are in all, as the server says.
    pub total: Option<u32>,
    /// How many pages, as the server says.
    pub pages: Option<u64>,
    /// How many rows a page has, as the server says.
    pub limit: Option<u64>,
    /// How long reading should wait.
    pub wait: Option<u64>,
}

/// Whether a user is logged in, beside the key or instead of it.
pub fn logs_in(settings: &Settings) -> bool {
    match settings.auth {
        Auth::ApiKey => false,
        Auth::Jwt => true,
        Auth::ApiKeyAndJwt => settings.identifier.is_some() && settings.password.is_some(),
    }
}

impl<'h> Api<'h> {
    /// With the grant that stands.
    pub fn new(host: &'h dyn Host, plan: &'h Plan) -> Result<Self, Failure> {
        let api = Self::keyed(host, plan)?;
        if !logs_in(&plan.settings) {
            return Ok(api);
        }
        let token = host.grant().and_then(|grant| Token::read(&grant.token));
        let token = token.filter(|token| token.is_of(&plan.settings)).and_then(|token| token.access);
        let token = token.ok_or_else(|| Failure::unauthorized("nobody is logged in with the present settings"))?;
        Ok(Self { token: Some(token), ..api })
    }

    /// With the API key alone, where one is used.
    pub fn keyed(host: &'h dyn Host, plan: &'h Plan) -> Result<Self, Failure> {
        if plan.settings.auth != Auth::Jwt && plan.settings.api_key.is_none() {
            let why = "`api_key` is missing; set it, or `auth = \"jwt\"` with `identifier` and `password`";
            return Err(Failure::misconfigured(why));
        }
        Ok(Self { host, plan, token: None })
    }

    /// Whether requests carry a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, Refusal> {
        let pairs = query.iter().map(|(name, value)| (*name, value.as_str()));
        self.answered(Request::get(self.url(path)).query(pairs), false)
    }

    /// Changes something. What becomes of it may stay unknown.
    pub fn write(&self, method: &str, path: &str, body: &Value) -> Result<Answer, Refusal> {
        self.answered(Request::new(method, self.url(path)).json(body), true)
    }

    /// Sends a request of one's own under the server's address.
    pub fn send(&self, request: Request) -> Result<Answer, Refusal> {
        self.answered(request, true)
    }

    /// A page of a list; `names` is what the list may be called.
    pub fn page(&self, path: &str, names: &[&str], query: &[(&str, String)]) -> Result<Listing, Refusal> {
        let Answer { mut data, wait } = self.get(path, query)?;
        let count = |paths: &[&str]| look::count(&data, paths);
        let total = count(&["pagination.total", "total"]).and_then(|total| u32::try_from(total).ok());
        let (pages, limit) = (count(&["pagination.pages", "pages"]), count(&["pagination.limit", "limit"]));
        let list = match names.iter().find(|name| data.get(**name).is_some_and(Value::is_array)) {
            Some(name) => data[*name].take(),
            None => data,
        };
        let Value::Array(rows) = list else {
            let why = format!("GET {path}: success, and no list `{}` in the answer", names.join("` or `"));
            return Err(Failure::retryable(why).into());
        };
        Ok(Listing { rows, total, pages, limit, wait })
    }

    /// The address of the list of a chat's messages, and its query.
    pub fn messages(&self, session: &str, chat: &str) -> (String, Vec<(&'static str, String)>) {
        let session = encode(session);
        match self.plan.settings.messages_path {
            MessagesPath::Query => (format!("/api/messages/{session}"), vec![("chatId", chat.to_owned())]),
            MessagesPath::Path => (format!("/api/messages/{session}/{}", encode(chat)), vec![]),
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.plan.site())
    }

    fn answered(&self, request: Request, writes: bool) -> Result<Answer, Refusal> {
        let settings = &self.plan.settings;
        let path = request.url.strip_prefix(self.plan.site()).unwrap_or(&request.url);
        let operation = format!("{} {}", request.method, path.split('?').next().unwrap_or_default());
        let mut request = request.header("accept", "application/json").timeout(TIMEOUT).limit(ANSWER);
        if let (Some(key), true) = (&settings.api_key, settings.auth != Auth::Jwt) {
            request = request.header(settings.api_key_header.clone(), key.clone());
        }
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        let answer = match request.send(self.host) {
            Ok(answer) => answer,
            Err(error) if writes && error.may_have_arrived() => {
                return Err(Refusal::Uncertain(format!("{operation}: {error}")));
            }
            Err(error) => return Err(Failure::from(error).into()),
        };
        let data = refusal::data(&operation, &answer, writes, self.has_token())?;
        Ok(Answer { data, wait: limits::spared(&answer, settings.sync.reserve) })
    }
}
