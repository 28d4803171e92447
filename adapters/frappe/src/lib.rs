//! A sink that keeps calls and WhatsApp conversations in a Frappe site: in the call logs of Frappe CRM and ERPNext, in
//! DocTypes of the hub's own, or in whatever the settings name. As Frappe 15 really answers, and 16 by its source.
//!
//! A record is one document, found again by a key that comes from the subject; creating is safe because the key is the
//! document's name or unique. What a site has is learnt with the grant. Whatever Frappe would change without a word is
//! said in the receipt.
//!
//! From the ground up: `clock`, `key`, `text`, `memo`, `meta` know no site; `settings`, `preset`, `field`, `status` say
//! what goes where; `refusal` and `api` speak to the site; `known` and `session` learn it; `person`, `call`, `whatsapp`
//! decide what is written; `deliver`, `write`, `parent`, `file`, `popup`, `counters` write it; `provision` makes what a site needs
//! beforehand, and `endpoint` takes what a site sends.

mod api;
mod call;
mod clock;
mod counters;
mod deliver;
mod endpoint;
mod field;
mod file;
mod key;
mod known;
mod memo;
mod meta;
mod parent;
mod person;
mod popup;
mod preset;
mod provision;
mod refusal;
mod session;
pub mod settings;
mod status;
mod text;
mod whatsapp;
mod write;

use cordboard_sdk::prelude::*;

/// The component.
pub struct Frappe;

impl About for Frappe {
    fn describe() -> Descriptor {
        Descriptor {
            hosts: vec!["{url}".into(), "{recordings_url}".into(), "{media_url}".into()],
            batch: 200,
            ..descriptor!(
                "Keeps calls and WhatsApp conversations in Frappe CRM, ERPNext and DocTypes of your own",
                settings::SCHEMA
            )
        }
    }
}

impl Sink for Frappe {
    fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome> {
        match deliver::Work::begin(host) {
            Ok(mut work) => work.deliver(&changes),
            Err(failure) => changes.iter().map(|_| Outcome::Failed(failure.clone())).collect(),
        }
    }

    fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
        session::check(host)
    }
}

impl Directory for Frappe {
    fn find(host: &dyn Host, phone: Phone) -> Result<Vec<Match>, Failure> {
        let work = deliver::Work::begin(host)?;
        let found = work.search().everybody(&phone)?;
        Ok(found.into_iter().map(|found| matched(&work.settings, found)).collect())
    }
}

impl Grants for Frappe {
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
        session::issue(host, previous.as_ref())
    }
}

impl Setup for Frappe {
    fn plan(host: &dyn Host, endpoint: Option<String>) -> Result<Vec<Step>, Failure> {
        provision::plan(host, endpoint.as_deref())
    }

    fn make(host: &dyn Host, step: Step) -> Result<Option<String>, Failure> {
        provision::make(host, &step)
    }
}

impl Endpoint for Frappe {
    fn handle(host: &dyn Host, request: Incoming) -> Answer {
        endpoint::handle(host, &request)
    }
}

fn matched(settings: &settings::Settings, found: person::Found) -> Match {
    let linked = found.person.linked;
    let kind = match linked.doctype.as_str() {
        "CRM Deal" => "deal",
        "Contact" => "contact",
        _ => "lead",
    };
    let contact = found.person.contact.map(|contact| ("frappe-contact".to_owned(), contact));
    Match {
        url: Some(settings.page(&linked.doctype, &linked.name)),
        kind: kind.into(),
        name: linked.title,
        owner: found.owner,
        attributes: [("frappe-doctype".to_owned(), linked.doctype)].into_iter().chain(contact).collect(),
        external_id: linked.name,
    }
}

cordboard_sdk::export!(Frappe: about, sink, directory, grants, setup, endpoint);
