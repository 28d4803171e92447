//! What lists of records are ordered and searched by.

use crate::model::{Agent, Instant, Item, Party, Phone};

/// The searchable side of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Facets {
    /// When it was, as far as the record says.
    pub at: Option<Instant>,
    /// Digits of every number, parted by spaces.
    pub numbers: String,
    /// Extensions, each between spaces.
    pub agents: String,
    /// Names, texts and notes, in lower case.
    pub words: String,
    /// The number that it was with, as a key.
    pub person: Option<String>,
    /// A contact's numbers, as keys.
    pub contact: Vec<String>,
}

/// At most so many bytes of words are searched.
const WORDS: usize = 2000;

impl Facets {
    /// Those of a record.
    pub fn of(item: &Item) -> Self {
        let person = item.customer().and_then(|customer| customer.key());
        let mut facets = Facets { person, ..Facets::default() };
        match item {
            Item::Call(call) => {
                facets.at = call.started_at.or(call.answered_at).or(call.ended_at);
                facets.party(call.caller.as_ref());
                facets.party(call.callee.as_ref());
                facets.phone(call.line.as_ref());
                facets.agent(call.agent.as_ref());
                for desk in &call.desks {
                    facets.extension(&desk.extension);
                }
                facets.words([&call.queue, &call.notes, &call.system]);
            }
            Item::Message(message) => {
                facets.at = message.sent_at;
                for who in [&message.sender, &message.recipient].into_iter().flatten() {
                    facets.phone(who.number.as_ref());
                    facets.agent(who.agent.as_ref());
                    facets.words([&who.name]);
                }
                facets.words([&message.text, &message.conversation]);
            }
            Item::Contact(contact) => {
                contact.numbers.iter().for_each(|phone| facets.phone(Some(phone)));
                facets.contact = contact.numbers.iter().filter_map(Phone::key).collect();
                facets.words([&contact.name, &contact.push_name, &contact.verified_name]);
            }
            Item::Conversation(conversation) => {
                facets.agent(conversation.assigned_to.as_ref());
                facets.words([&conversation.name, &conversation.contact]);
            }
            Item::Session(session) => {
                facets.phone(session.number.as_ref());
                facets.words([&session.name]);
            }
        }
        facets
    }

    fn party(&mut self, party: Option<&Party>) {
        if let Some(party) = party {
            self.phone(party.number.as_ref());
            self.agent(party.agent.as_ref());
            self.words([&party.name]);
        }
    }

    fn phone(&mut self, phone: Option<&Phone>) {
        let Some(phone) = phone else { return };
        for text in [Some(&phone.raw), phone.e164.as_ref()].into_iter().flatten() {
            let digits = digits(text);
            if !digits.is_empty() && !self.numbers.contains(&digits) {
                self.numbers.push_str(&digits);
                self.numbers.push(' ');
            }
        }
    }

    fn agent(&mut self, agent: Option<&Agent>) {
        if let Some(agent) = agent {
            agent.extension.iter().for_each(|extension| self.extension(extension));
            self.words([&agent.name]);
        }
    }

    fn extension(&mut self, extension: &str) {
        let marked = format!(" {extension} ");
        if !self.agents.contains(&marked) {
            self.agents.push_str(&marked);
        }
    }

    fn words<const N: usize>(&mut self, texts: [&Option<String>; N]) {
        for text in texts.into_iter().flatten() {
            let room = WORDS.saturating_sub(self.words.len());
            let cut = (0..=room.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            if cut > 0 {
                self.words.push_str(&text[..cut].to_lowercase());
                self.words.push(' ');
            }
        }
    }
}

/// The digits of a text.
pub(in crate::store) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).take(64).collect()
}
