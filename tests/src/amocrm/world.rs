//! What the account holds.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::chats::Chat;
use super::oauth::Tokens;

/// A user: the administrator.
pub const ANNA: u64 = 504_141;
/// A user.
pub const BORIS: u64 = 504_142;
/// The channel's id.
pub const CHANNEL: &str = "344a5002-f8ca-454d-af3d-396180102ac7";
/// The channel's secret.
pub const CHANNEL_SECRET: &str = "f2d7f8704eff95087ed45b23ba99c0b5aac8278e";
/// The channel's bot.
pub const BOT: &str = "f1910c7f-b1e0-4184-bd09-c7def2a9109a";

/// One account.
#[derive(Debug)]
pub struct World {
    /// Its number.
    pub account: u64,
    /// Its number in the chat service.
    pub amojo: String,
    /// The host by which it is reached.
    pub domain: String,
    /// The host of its tokens.
    pub home: String,
    /// What logs in.
    pub tokens: Tokens,
    /// Whether the integration may list users.
    pub administrator: bool,
    /// The status of an answer about calls of which some have found no card: the vendor does not say which it is.
    pub mixed: u16,
    /// Users, as they are shown.
    pub users: Vec<Value>,
    /// Pipelines, as they are shown.
    pub pipelines: Vec<Value>,
    /// Contacts, companies and leads, as they are shown, by kind and number.
    pub cards: BTreeMap<(&'static str, u64), Value>,
    /// Notes, as they are shown, with `entity_type` in the plural; those of calls included.
    pub notes: BTreeMap<u64, Value>,
    /// Incoming leads that wait, oldest first.
    pub unsorted: Vec<Value>,
    /// What was shown to whom.
    pub popups: Vec<Value>,
    /// The event feed, newest first.
    pub events: Vec<Value>,
    /// Whether the channel is connected.
    pub connected: bool,
    /// Conversations of the channel, by our id.
    pub chats: HashMap<String, Chat>,
    next: u64,
}

impl World {
    pub(super) fn new(domain: &str) -> Self {
        let user = |id: u64, email: &str, admin: bool| {
            json!({"id": id, "name": email.split('@').next(), "email": email, "lang": "ru",
                "amojo_id": format!("76fc2bea-902f-425c-9a3d-{id:012}"),
                "rights": {"is_admin": admin, "is_free": false, "is_active": true}})
        };
        let pipeline = |id: u64, name: &str, main: bool| {
            json!({"id": id, "name": name, "sort": 1, "is_main": main, "is_unsorted_on": true, "is_archive": false,
                "_embedded": {"statuses": [{"id": id + 1, "name": "Неразобранное", "type": 1}]}})
        };
        Self {
            account: 28_805_383,
            amojo: "52e591f7-c98f-4255-8495-827210138c81".into(),
            domain: domain.into(),
            home: domain.into(),
            tokens: Tokens::default(),
            administrator: true,
            mixed: 200,
            users: vec![user(ANNA, "Anna@example.com", true), user(BORIS, "boris@example.com", false)],
            pipelines: vec![pipeline(31_001, "Воронка", true), pipeline(31_101, "Sales", false)],
            cards: BTreeMap::new(),
            notes: BTreeMap::new(),
            unsorted: Vec::new(),
            popups: Vec::new(),
            events: Vec::new(),
            connected: false,
            chats: HashMap::new(),
            next: 7_000,
        }
    }

    /// A contact with one number.
    pub fn contact(&mut self, name: &str, phone: &str, owner: u64) -> u64 {
        let values = json!([{"value": phone, "enum_code": "WORK"}]);
        let fields = json!([{"field_id": 575_809, "field_code": "PHONE", "field_type": "multitext", "values": values}]);
        self.add("contacts", json!({"name": name, "responsible_user_id": owner, "custom_fields_values": fields}))
    }

    /// A lead of a contact, in the first stage of the main pipeline.
    pub fn lead(&mut self, name: &str, contact: u64, owner: u64) -> u64 {
        let lead = json!({"name": name, "responsible_user_id": owner, "status_id": 32_392_159,
            "_embedded": {"contacts": [{"id": contact}]}});
        self.add("leads", lead)
    }

    /// The account is renamed: the old address knows nothing any more.
    pub fn move_to(&mut self, domain: &str) {
        self.domain = domain.to_owned();
        self.home = domain.to_owned();
    }

    /// The notes of calls with this id, as they are shown.
    pub fn calls(&self, uniq: &str) -> Vec<Value> {
        self.notes.values().filter(|note| note["params"]["uniq"] == uniq).cloned().collect()
    }

    /// How often a call with this id is to be seen, in notes and incoming leads.
    pub fn seen(&self, uniq: &str) -> usize {
        let waiting = self.unsorted.iter().filter(|lead| lead["metadata"]["uniq"] == uniq);
        self.calls(uniq).len() + waiting.count()
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn add(&mut self, kind: &'static str, mut card: Value) -> u64 {
        let id = self.id();
        card["id"] = json!(id);
        card["account_id"] = json!(self.account);
        card["updated_at"] = json!(1_763_700_000 + id);
        self.cards.insert((kind, id), card);
        id
    }

    pub(super) fn user(&self, id: &Value) -> bool {
        id.as_u64() == Some(0) || self.users.iter().any(|user| user["id"] == *id)
    }

    /// The leads of a contact.
    pub(super) fn leads_of(&self, contact: u64) -> Vec<u64> {
        let of = |lead: &Value| {
            lead["_embedded"]["contacts"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == contact))
        };
        let leads = self.cards.iter().filter(|((kind, _), card)| *kind == "leads" && of(card));
        leads.map(|((_, id), _)| *id).collect()
    }

    /// Whether a card waits in an incoming lead: then nobody finds it.
    pub(super) fn waits(&self, kind: &str, id: u64) -> bool {
        let inside =
            |lead: &Value| lead["_embedded"][kind].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == id));
        self.unsorted.iter().any(inside)
    }
}
