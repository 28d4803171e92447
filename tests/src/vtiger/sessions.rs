//! Challenge, login, and how long a session lives.

use std::collections::HashMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::refusal::{Answer, Refusal};
use super::store::{Account, Crm};

/// Seconds that a challenge is good for.
const CHALLENGE: i64 = 300;

/// Seconds without use after which PHP collects a session.
const IDLE: i64 = 24 * 60;

/// Challenges and sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    challenges: HashMap<u64, (String, i64)>,
    open: HashMap<String, Session>,
    made: u64,
    /// How many logins there have been.
    pub logins: u64,
}

#[derive(Debug)]
struct Session {
    user: u64,
    used: i64,
    /// PHP locks a session for as long as one of its requests runs.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Lower-case hex MD5 of the token followed by the access key.
pub fn digest(token: &str, key: &str) -> String {
    hex::encode(Md5::digest(format!("{token}{key}")))
}

impl Sessions {
    /// Makes a token for the user; the one before stops working.
    pub fn challenge(&mut self, crm: &Crm, name: &str, now: i64) -> Answer {
        if name.is_empty() {
            return Err(Refusal::access("No username given"));
        }
        let account = crm.account(name).ok_or_else(|| Refusal::access("username does not exists"))?;
        self.made += 1;
        let token = format!("{:x}{:05x}", now, self.made & 0xFFFFF);
        self.challenges.insert(account.number, (token.clone(), now + CHALLENGE));
        Ok(json!({"token": token, "serverTime": now, "expireTime": now + CHALLENGE}))
    }

    /// Opens a session. The token stays good until it expires or another is made.
    pub fn login(&mut self, crm: &Crm, name: &str, key: &str, now: i64) -> Answer {
        let invalid = || Refusal::said("INVALID_AUTH_TOKEN", "Specified token is invalid or expired");
        let wrong = || Refusal::said("INVALID_USER_CREDENTIALS", "Invalid username or password");
        let account = crm.account(name).ok_or_else(invalid)?;
        let (token, expires) = self.challenges.get(&account.number).ok_or_else(invalid)?;
        if *expires < now {
            return Err(invalid());
        }
        if account.key.is_empty() {
            return Err(Refusal::said("ACCESSKEY_UNDEFINED", "Access key for the user is undefined"));
        }
        if digest(token, &account.key) != key || !account.active {
            return Err(wrong());
        }
        self.made += 1;
        self.logins += 1;
        let session = format!("{:08x}{:x}{:05x}", account.number * 7919 + self.made, now, self.made & 0xFFFFF);
        self.open.insert(session.clone(), Session { user: account.number, used: now, turn: Arc::default() });
        Ok(welcome(crm, account, &session))
    }

    /// Whose session this is; using it keeps it alive.
    pub fn user(&mut self, session: &str, now: i64) -> Result<(u64, Arc<tokio::sync::Mutex<()>>), Refusal> {
        let open = self.open.get_mut(session).ok_or_else(Refusal::session)?;
        if open.used + IDLE < now {
            self.open.remove(session);
            return Err(Refusal::session());
        }
        open.used = now;
        Ok((open.user, open.turn.clone()))
    }

    /// Closes one session.
    pub fn logout(&mut self, session: &str) {
        self.open.remove(session);
    }

    /// Collects all sessions, as PHP does in its own time.
    pub fn collect(&mut self) {
        self.open.clear();
    }
}

fn welcome(crm: &Crm, account: &Account, session: &str) -> Value {
    let user = crm.record("Users", account.number);
    let text = |name: &str| user.and_then(|user| user.values.get(name).cloned().flatten()).unwrap_or_default();
    json!({
        "username": account.name, "first_name": text("first_name"), "last_name": text("last_name"),
        "email": text("email1"), "time_zone": "UTC", "hour_format": "24", "date_format": "yyyy-mm-dd",
        "is_admin": text("is_admin"), "call_duration": "5", "other_event_duration": "5", "sessionName": session,
        "userId": crm.id("Users", account.number), "version": "0.22", "vtigerVersion": "8.4.0",
    })
}
