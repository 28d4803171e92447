//! A sink that logs calls in amoCRM and Kommo, shows who calls, and carries WhatsApp conversations in their chats.
//!
//! A call is a note of the card that amoCRM finds by the number; with a number that nobody has it becomes an incoming
//! lead, or a contact, or nothing. Nothing in amoCRM refuses the same call twice: what may have been written is looked
//! up before it is written again.
//!
//! From the ground up: `form`, `memo`, `settings` know no account; `refusal` and `api` speak to one; `account` and
//! `session` learn it and log in; `person`, `call`, `responsible` decide what is written; `deliver`, `look`, `add`,
//! `unknown`, `note`, `popup` write it; `chat` is the chat service, and `endpoint` takes what the account sends, which
//! `secret` and signatures prove.

mod account;
mod add;
mod api;
mod asterisk_ng;
mod call;
mod chat;
mod deliver;
mod endpoint;
mod form;
mod look;
mod memo;
mod note;
mod person;
mod popup;
mod refusal;
mod responsible;
mod secret;
mod session;
pub mod settings;
mod unknown;

use cordboard_sdk::prelude::*;

/// People of one number who are told of; nobody looks further.
const MATCHES: usize = 10;

/// The component.
pub struct Amocrm;

impl About for Amocrm {
    fn describe() -> Descriptor {
        let hosts = ["{url}", "{chat_url}", "*.amocrm.ru", "*.amocrm.com", "*.kommo.com"];
        Descriptor {
            hosts: hosts.map(str::to_owned).into(),
            batch: 50,
            // The limit is seven; what the clocks differ by is left free.
            rate: Some(Rate { requests: 6, per: 1000 }),
            ..descriptor!(
                "Logs calls in amoCRM and Kommo and carries WhatsApp conversations in their chats",
                settings::SCHEMA
            )
        }
    }
}

impl Sink for Amocrm {
    fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome> {
        match deliver::Work::begin(host) {
            Ok(work) => work.deliver(&changes),
            Err(failure) => changes.iter().map(|_| Outcome::Failed(failure.clone())).collect(),
        }
    }

    fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
        session::check(host)
    }
}

impl Directory for Amocrm {
    fn find(host: &dyn Host, phone: Phone) -> Result<Vec<Match>, Failure> {
        let work = deliver::Work::begin(host)?;
        let agents = host.ledger().agents(None, None);
        let mut found = Vec::new();
        for card in work.people(&phone)?.iter().filter(|card| !card.foreign).take(MATCHES) {
            // A call waits for this: leads are looked at for the first alone, to whose owner it is put through.
            let owner = if found.is_empty() { person::owner(&work.api, &work.settings, card)? } else { card.owner };
            found.push(matched(&work, &agents, card, owner));
        }
        Ok(found)
    }
}

impl Grants for Amocrm {
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
        session::issue(host, previous.as_ref())
    }
}

impl Endpoint for Amocrm {
    fn handle(host: &dyn Host, request: Incoming) -> Answer {
        endpoint::handle(host, &request)
    }
}

fn matched(work: &deliver::Work, agents: &[Agent], card: &person::Card, owner: Option<u64>) -> Match {
    // As the hub's table calls them, so that it finds the extension: by an id, or by an e-mail.
    let owner = owner.map(|user| {
        let mut users = agents.iter().filter_map(|agent| agent.user.as_ref());
        let is = |named: &&String| work.account().resolve(&settings::User::Text((*named).clone())) == Some(user);
        users.find(is).cloned().unwrap_or_else(|| user.to_string())
    });
    Match {
        external_id: card.id.to_string(),
        kind: if card.of == "contacts" { "contact" } else { "company" }.to_owned(),
        name: card.name.clone(),
        url: Some(work.account().page(card.of, card.id)),
        owner,
        attributes: vec![],
    }
}

cordboard_sdk::export!(Amocrm: about, sink, directory, grants, endpoint);
