//! A server that holds lists and pages them, as honestly or not as a test wants.

use std::sync::Mutex;

use cordboard_inbox_hub::InboxHub;
use cordboard_sdk::http::{Error, Request, Response};
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use super::{BASE, SESSION};

/// What the server holds, and how it lies.
pub struct Server {
    pub settings: String,
    pub contacts: usize,
    pub chats: usize,
    pub messages: usize,
    /// The `total` that it tells of every list.
    pub total: Option<usize>,
    /// Every page is the first one, with its rows in another order and another time in each.
    pub circle: bool,
    /// So many rows on a page, whatever is asked.
    pub cap: usize,
    /// Answers that come instead, each once: after so many requests.
    pub instead: Mutex<Vec<(usize, u16, String)>>,
    pub connected: Mutex<bool>,
    pub asked: Mutex<Vec<String>>,
    pub logs: Mutex<Vec<String>>,
    pub now: Mutex<Instant>,
}

impl Server {
    pub fn new(more: Value) -> Self {
        Self {
            settings: super::settings(more).to_string(),
            contacts: 5,
            chats: 3,
            messages: 4,
            total: None,
            circle: false,
            cap: 100,
            instead: Mutex::default(),
            connected: Mutex::new(true),
            asked: Mutex::default(),
            logs: Mutex::default(),
            now: Mutex::new(BASE),
        }
    }

    fn list(&self, name: &str, count: usize, query: &str, row: impl Fn(usize) -> Value) -> Value {
        let number = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            pair.unwrap().parse::<usize>().unwrap()
        };
        let (page, limit) = (if self.circle { 1 } else { number("page") }, number("limit").min(self.cap));
        assert!(number("limit") <= 100, "the server takes no more than 100");
        let mut rows: Vec<_> = ((page - 1) * limit..(page * limit).min(count)).map(row).collect();
        if self.circle && !rows.is_empty() {
            let turn = number("page") % rows.len();
            rows.rotate_left(turn);
            rows.iter_mut().for_each(|row| row["lastSeen"] = turn.into());
        }
        let total = self.total.unwrap_or(count);
        json!({ name: rows, "pagination": {
            "total": total, "page": number("page"), "limit": limit, "pages": total.div_ceil(limit),
        } })
    }

    fn data(&self, path: &str, query: &str) -> Value {
        let phone = |number: usize| format!("{}@s.whatsapp.net", 34_600_000_000_usize + number);
        match path {
            "/api/sessions" => self.list("sessions", 1, query, |_| {
                json!({"id": 2, "sessionId": SESSION, "sessionName": "Demo", "status": "connected", "phoneNumber": "447700900000"})
            }),
            "/api/sessions/2/status" => json!({
                "sessionId": SESSION, "isConnected": *self.connected.lock().unwrap(),
                "status": if *self.connected.lock().unwrap() { "connected" } else { "disconnected" },
            }),
            "/api/contacts/nueva_sesion_wa" => {
                self.list("contacts", self.contacts, query, |row| json!({"id": phone(row), "name": format!("No. {row}")}))
            }
            "/api/messages/nueva_sesion_wa/chats" => self.list("chats", self.chats, query, |row| {
                let at = BASE / 1000 - row as u64 * 60;
                json!({"chatId": phone(row), "lastMessage": {"body": "x", "timestamp": at, "fromMe": false}, "unreadCount": 1})
            }),
            "/api/messages/nueva_sesion_wa" => {
                let chat = query.split('&').find_map(|pair| pair.strip_prefix("chatId=")).unwrap().replace("%40", "@");
                self.list("messages", self.messages, query, |row| {
                    let at = BASE / 1000 - row as u64 * 600;
                    json!({"whatsappMessageId": format!("{chat}-{row}"), "fromMe": row % 2 == 1, "type": "text",
                           "content": "hola", "timestamp": at, "status": if row % 2 == 1 { "read" } else { "received" }})
                })
            }
            other => panic!("{other} is no route"),
        }
    }

    /// Reads a job to its end, or to this many pages; its pages.
    pub fn run(&self, job: &Job, most: usize) -> Vec<Page> {
        let (mut pages, mut cursor) = (Vec::new(), None);
        for _ in 0..most {
            let page = InboxHub::next(self, job.clone(), cursor).unwrap();
            cursor = page.next.clone();
            *self.now.lock().unwrap() += page.after.unwrap_or(0);
            pages.push(page);
            if cursor.is_none() {
                break;
            }
        }
        pages
    }

    pub fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

pub fn job(kind: &str, parameters: Value) -> Job {
    Job { id: "j1".into(), kind: kind.into(), parameters: parameters.to_string(), ..Job::default() }
}

impl Host for Server {
    fn settings(&self) -> &str {
        &self.settings
    }

    fn grant(&self) -> Option<Grant> {
        None
    }

    fn log(&self, _level: Level, message: &str) {
        self.logs.lock().unwrap().push(message.to_owned());
    }

    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn random(&self, _bytes: &mut [u8]) {}

    fn send(&self, request: Request) -> Result<Response, Error> {
        let path = request.url.strip_prefix("https://inbox.test").expect("the server's address");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let key = request.headers.iter().any(|(name, value)| name == "X-API-Key" && value == "test-key");
        assert!(key, "every request carries the key");
        let mut asked = self.asked.lock().unwrap();
        asked.push(format!("{path}?{query}"));
        let mut instead = self.instead.lock().unwrap();
        let place = instead.iter().position(|(after, _, _)| *after == asked.len());
        let (status, body) = match place.map(|place| instead.remove(place)) {
            Some((_, status, body)) => (status, body),
            None => (200, json!({"success": true, "data": self.data(path, query)}).to_string()),
        };
        Ok(Response { status, headers: vec![], body: body.into_bytes(), at: self.now() })
    }

    fn fetch(
        &self,
        _url: &str,
        _limit: u64,
    ) -> Result<cordboard_sdk::bindings::base::cordboard::hub::host::Content, Failure> {
        Err(Failure::rejected("none", "no files"))
    }
}
