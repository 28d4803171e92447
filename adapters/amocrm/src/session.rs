//! Logging in: a long-lived token, or OAuth by a code and then by refresh tokens, each of which works once.
//!
//! The hub asks for one grant at a time over all its nodes and stores it before it is used. A refusal deletes nothing:
//! what might still work stays in the store.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_sdk::Host;
use cordboard_sdk::crm;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::{Failure, Grant, Retryable};

use crate::account::Account;
use crate::api::Api;
use crate::chat;
use crate::refusal::{self, Fault};
use crate::settings::Settings;

/// Milliseconds for which what was learnt of an account is good: new users and pipelines are known after that.
const LEARNT: u64 = 60 * 60 * 1000;

/// The same when something could not be learnt.
const SOON: u64 = 5 * 60 * 1000;

/// The hub renews a grant so long before its end.
const AHEAD: u64 = 60_000;

/// How long a request for tokens may take: an answer that is not waited for takes a refresh token with it.
const PATIENCE: Duration = Duration::from_secs(25);

/// A long-lived token is spoken of so long before its end.
const WARNING: u64 = 14 * 24 * 60 * 60 * 1000;

/// Tokens and the account that they open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// Goes along with every request.
    pub access: String,
    /// Is exchanged for the next pair. Absent with a long-lived token.
    pub refresh: Option<String>,
    /// What is known of the account.
    pub account: Account,
}

impl Session {
    /// What the grant holds, when it was learnt under these very settings.
    pub fn of(host: &dyn Host, settings: &Settings) -> Result<Self, Failure> {
        let grant = host.grant().ok_or_else(|| Failure::unauthorized("not logged in yet"))?;
        let session = Self::read(&grant.token)
            .ok_or_else(|| Failure::unauthorized("the grant was made by another version of this adapter"))?;
        if session.account.stamp == crm::stamp(settings) {
            Ok(session)
        } else {
            Err(Failure::unauthorized("the settings have changed since the login"))
        }
    }

    /// What the grant keeps. The tokens stand by themselves and the rest is one text, for the hub blacks out whatever
    /// texts a grant has in it, and nobody could read exchanges without the names of users and pipelines.
    fn token(&self) -> String {
        let account = serde_json::to_string(&self.account).unwrap_or_default();
        json!({"access": self.access, "refresh": self.refresh, "account": account}).to_string()
    }

    pub(crate) fn read(token: &str) -> Option<Self> {
        let token: Value = serde_json::from_str(token).ok()?;
        let account = serde_json::from_str(token["account"].as_str()?).ok()?;
        let refresh = token["refresh"].as_str().map(str::to_owned);
        Some(Self { access: token["access"].as_str()?.to_owned(), refresh, account })
    }

    pub(crate) fn api<'h>(&self, host: &'h dyn Host) -> Api<'h> {
        Api::new(host, &self.account.base, &self.access)
    }
}

/// Milliseconds after which nothing more is asked of the account: the hub ends a call after 30 s, and with it a new pair of
/// tokens that was not given back. The last request may take 10 of them.
const LIMIT: u64 = 19_000;

/// The same for exchanging tokens, which may take 25.
const EXCHANGE: u64 = 4_000;

/// Makes a new grant.
pub fn issue(host: &dyn Host, previous: Option<&Grant>) -> Result<Grant, Failure> {
    let settings: Settings = host.settings_as()?;
    let started = host.now();
    let before = previous.and_then(|grant| Session::read(&grant.token));
    let client = || Client::of(host, &settings);
    let (mut session, mut fresh) = match &settings.token {
        Some(token) => (long_lived(host, &settings, token, before), false),
        None => client()?.session(previous, before)?,
    };
    let mut learnt = learn(host, &settings, &session, started + LIMIT);
    // The access token has ended before its time.
    let in_time = host.now() < started + EXCHANGE;
    if !fresh && in_time && session.refresh.is_some() && matches!(learnt, Err(Failure::Unauthorized(_))) {
        (session, fresh) = (client()?.renew(session)?, true);
        learnt = learn(host, &settings, &session, started + LIMIT);
    }
    let (account, good) = match learnt {
        Ok(account) if account.partial => (account, SOON),
        Ok(account) => (account, LEARNT),
        // A new pair of tokens is kept whatever else goes wrong: the old one is void.
        Err(failure) if fresh => {
            host.warn(format!("logged in, and the account could not be looked at: {}", failure.why()));
            (session.account.clone().under(&settings), SOON)
        }
        Err(failure) => return Err(failure),
    };
    for problem in &account.problems {
        host.warn(problem);
    }
    let now = host.now();
    let ends = account.ends.map_or(now + good, |ends| ends.min(now + good));
    let attributes =
        [("account", account.id.to_string()), ("address", account.base.clone()), ("chat", account.amojo.clone())];
    let session = Session { account, ..session };
    Ok(Grant {
        token: session.token(),
        expires_at: Some(ends),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
    })
}

/// Asks the account who it is, and connects the chat's channel.
fn learn(host: &dyn Host, settings: &Settings, session: &Session, until: u64) -> Result<Account, Failure> {
    let mut account = session.account.clone().learn(&session.api(host).until(until), settings)?;
    if settings.token.is_some()
        && let Some(ends) = account.ends.filter(|ends| *ends < host.now() + WARNING)
    {
        let days = ends.saturating_sub(host.now()) / (24 * 60 * 60 * 1000);
        account.problems.push(format!("the long-lived token ends in {days} days: make a new one"));
    }
    let strangers = account.strangers(&host.ledger().agents(None, None));
    account.problems.extend(strangers);
    // What there was no time for is connected when a message needs it.
    if settings.chat.is_some() && host.now() < until {
        match chat::connect(host, settings, &account) {
            Ok(scope) => account.scope = Some(scope),
            Err(failure) => account.problems.push(format!("the chat's channel is not connected: {}", failure.why())),
        }
    }
    Ok(account)
}

fn long_lived(host: &dyn Host, settings: &Settings, token: &str, before: Option<Session>) -> Session {
    let ends = claims(token)["exp"].as_u64().map(|seconds| seconds.saturating_mul(1000));
    if ends.is_some_and(|ends| ends <= host.now()) {
        host.error("the long-lived token has ended: make a new one in the integration's keys");
    }
    let (url, base) = (settings.site().to_owned(), settings.site().to_owned());
    let known = before.map(|before| before.account).filter(|account| account.url == url).unwrap_or_default();
    Session { access: token.to_owned(), refresh: None, account: Account { url, base, ends, ..known } }
}

/// An integration that logs in by OAuth.
struct Client<'a> {
    host: &'a dyn Host,
    settings: &'a Settings,
    id: &'a str,
    secret: &'a str,
    redirect: &'a str,
}

impl<'a> Client<'a> {
    fn of(host: &'a dyn Host, settings: &'a Settings) -> Result<Self, Failure> {
        match (&settings.client_id, &settings.client_secret, &settings.redirect_uri) {
            (Some(id), Some(secret), Some(redirect)) => Ok(Self { host, settings, id, secret, redirect }),
            _ => Err(Failure::misconfigured(
                "there is no way to log in: set `token`, or `client_id`, `client_secret`, `redirect_uri` and `code`",
            )),
        }
    }

    /// A session, and whether its tokens are new.
    fn session(&self, previous: Option<&Grant>, before: Option<Session>) -> Result<(Session, bool), Failure> {
        let seed = crm::stamp(&(&self.settings.code, &self.settings.refresh_token));
        let before = before.filter(|session| session.refresh.is_some());
        let planted = self.settings.code.is_some() || self.settings.refresh_token.is_some();
        // A code or a token that a person has just set is worth more than what is stored, and each works once.
        if planted && before.as_ref().is_none_or(|before| before.account.seed != seed) {
            match (self.plant(&seed), before) {
                (Ok(session), _) => return Ok((session, true)),
                (Err(Failure::Misconfigured(why)), Some(before)) => {
                    self.host.warn(format!("{why}; the stored login is used"));
                    let account = Account { seed, ..before.account };
                    return self.go_on(previous, Session { account, ..before });
                }
                (Err(failure), _) => return Err(failure),
            }
        }
        match before {
            Some(before) => self.go_on(previous, before),
            None => Err(Failure::misconfigured(
                "there is no login yet: set `code` to the authorization code of the integration's keys; it works for \
                 20 minutes, once",
            )),
        }
    }

    /// With what the settings hold.
    fn plant(&self, seed: &str) -> Result<Session, Failure> {
        let site = self.settings.site();
        let account = Account { url: site.into(), base: site.into(), seed: seed.into(), ..Account::default() };
        let asked = match (&self.settings.code, &self.settings.refresh_token) {
            (Some(code), _) => json!({"grant_type": "authorization_code", "code": code}),
            (None, token) => json!({"grant_type": "refresh_token", "refresh_token": token}),
        };
        match self.exchange(&account, &asked) {
            Err(fault) if self.settings.code.is_some() && refused(&fault) => Err(Failure::misconfigured(format!(
                "amoCRM does not take the authorization code of the settings: {}; it works for 20 minutes, once",
                Failure::from(fault).why()
            ))),
            Err(fault) if refused(&fault) => {
                let refresh = self.settings.refresh_token.clone();
                self.moved(Session { access: String::new(), refresh, account }, fault)
            }
            result => result.map_err(Failure::from),
        }
    }

    /// With what is stored. The pair is exchanged when it was refused or its time comes, and not to learn the account
    /// anew.
    fn go_on(&self, previous: Option<&Grant>, before: Session) -> Result<(Session, bool), Failure> {
        let mut before = before;
        if before.account.url != self.settings.site() {
            before.account.url = self.settings.site().to_owned();
            before.account.base = self.settings.site().to_owned();
        }
        let now = self.host.now();
        let known = before.account.stamp == crm::stamp(self.settings);
        let refused_now = known && previous.and_then(|grant| grant.expires_at).is_some_and(|end| end > now + AHEAD);
        if !refused_now && before.account.ends.is_some_and(|ends| ends > now + AHEAD) {
            return Ok((before, false));
        }
        Ok((self.renew(before)?, true))
    }

    /// The next pair of tokens.
    fn renew(&self, before: Session) -> Result<Session, Failure> {
        let asked = json!({"grant_type": "refresh_token", "refresh_token": before.refresh});
        match self.exchange(&before.account, &asked) {
            Err(fault) if refused(&fault) => self.moved(before, fault),
            result => Ok(result?),
        }
    }

    /// A refused refresh token is tried once more where the account is now, if that is elsewhere.
    fn moved(&self, before: Session, fault: Fault) -> Result<Session, Failure> {
        let lost = |why: &str| {
            Failure::misconfigured(format!(
                "amoCRM does not take the refresh token any more: {why}; give a new authorization code in `code`"
            ))
        };
        let failure = Failure::from(fault);
        let account = before.account;
        let refresh = before.refresh.unwrap_or_default();
        let unsaid = |other: Failure| {
            let why = format!("{}; where the account is now was not said: {}", failure.why(), other.why());
            match other {
                // The next time it may be.
                Failure::Retryable(it) => Failure::Retryable(Retryable { why, ..it }),
                Failure::RateLimited(after) => Failure::RateLimited(after),
                _ => lost(&why),
            }
        };
        // The tokens' own host knows where the account is.
        let home = match claims(&before.access)["api_domain"].as_str().filter(|domain| !domain.is_empty()) {
            Some(domain) => format!("{}://{domain}", scheme(&account.base)),
            None => account.base.clone(),
        };
        let asked = Request::get(format!("{home}/oauth2/account/current/subdomain"))
            .header("x-refresh-token", &refresh)
            .header("accept", "application/json");
        let answer = asked.send(self.host).map_err(|error| unsaid(error.into()))?;
        let said = refusal::result("ask for the account's address", &answer, false);
        let said = said.map_err(|fault| unsaid(fault.into()))?.unwrap_or_default();
        let domain = said["domain"].as_str().filter(|domain| !domain.is_empty()).ok_or_else(|| lost(failure.why()))?;
        let base = format!("{}://{domain}", scheme(&account.base));
        if base == account.base {
            return Err(lost(failure.why()));
        }
        self.host.warn(format!("the account has moved to {base}"));
        let asked = json!({"grant_type": "refresh_token", "refresh_token": refresh});
        self.exchange(&Account { base, ..account }, &asked).map_err(|fault| match refused(&fault) {
            true => lost(Failure::from(fault).why()),
            false => fault.into(),
        })
    }

    fn exchange(&self, account: &Account, asked: &Value) -> Result<Session, Fault> {
        let mut body = json!({"client_id": self.id, "client_secret": self.secret, "redirect_uri": self.redirect});
        if let (Some(body), Some(asked)) = (body.as_object_mut(), asked.as_object()) {
            body.extend(asked.clone());
        }
        let operation = "exchange for tokens";
        let request = Request::post(format!("{}/oauth2/access_token", account.base))
            .header("accept", "application/json")
            .json(&body)
            .timeout(PATIENCE);
        let answer = request.send(self.host).map_err(|error| {
            let spent = if error.may_have_arrived() {
                ": it may have been used up; should it be refused from now on, give a new authorization code"
            } else {
                ""
            };
            let failure = match Failure::from(error) {
                Failure::Retryable(it) => Failure::retryable(format!("{operation}: {}{spent}", it.why)),
                other => other,
            };
            Fault::Silent { failure, uncertain: false }
        })?;
        let said = refusal::result(operation, &answer, false)?.unwrap_or_default();
        let (Some(access), Some(refresh)) = (said["access_token"].as_str(), said["refresh_token"].as_str()) else {
            let why = format!("{operation}: success, and no pair of tokens in the answer");
            return Err(Fault::Silent { failure: Failure::retryable(why), uncertain: false });
        };
        // By the hub's own clock, and early: at four fifths of its life.
        let life = said["expires_in"].as_u64().unwrap_or(0).saturating_mul(1000);
        let account = Account { ends: Some(self.host.now() + life / 5 * 4), ..account.clone() };
        Ok(Session { access: access.to_owned(), refresh: Some(refresh.to_owned()), account })
    }
}

/// Whether what was offered for tokens was not taken, or nobody is there to take it.
fn refused(fault: &Fault) -> bool {
    match fault {
        Fault::Said(said) => matches!(said.status, 400 | 401 | 403 | 404),
        Fault::Silent { failure, .. } => matches!(failure, Failure::Unauthorized(_)),
    }
}

/// What a token says of itself; nothing when it is no JWT. It is not proved: it came from amoCRM over TLS.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("https", |(scheme, _)| scheme)
}

/// Whether this use can work, and what a person should mend.
pub fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
    let settings: Settings = host.settings_as()?;
    let session = Session::of(host, &settings)?;
    Ok(learn(host, &settings, &session, host.now() + LIMIT)?.problems)
}
