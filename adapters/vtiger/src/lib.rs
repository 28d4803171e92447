//! A sink that logs calls in Vtiger CRM through its webservice, as Vtiger 8.4 open source really answers.
//!
//! A call is one record of the module that the settings name, found again by the call's id. The person on the other
//! side is found by number and linked; the agent's user owns the record; recordings are linked or attached. Whatever
//! Vtiger would change without a word is said in the receipt.
//!
//! From the ground up: `clock`, `text`, `vtql`, `memo` know no Vtiger installation; `settings`, `field`, `status` say
//! what goes where; `refusal` and `api` speak to the webservice; `known` and `session` learn an installation; `owner`,
//! `person`, `call` decide what is written; `deliver` and `recording` write it.

mod api;
mod call;
mod clock;
mod deliver;
mod field;
mod known;
mod memo;
mod owner;
mod person;
mod recording;
mod refusal;
mod session;
mod settings;
mod status;
mod text;
mod vtql;

use cordboard_sdk::prelude::*;

/// The component.
pub struct Vtiger;

impl About for Vtiger {
    fn describe() -> Descriptor {
        Descriptor {
            name: "vtiger".into(),
            hosts: vec!["{url}".into(), "{recordings_url}".into()],
            batch: 20,
            ..descriptor!("Logs calls in Vtiger CRM and finds people by their number", settings::SCHEMA)
        }
    }
}

impl Sink for Vtiger {
    fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome> {
        match deliver::Work::begin(host) {
            Ok(mut work) => work.deliver(changes),
            Err(failure) => changes.iter().map(|_| Outcome::Failed(failure.clone())).collect(),
        }
    }

    fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
        let settings: settings::Settings = host.settings_as()?;
        let known = known::Known::of(host, &settings)?;
        let api = api::Api::new(host, settings.site(), &known.session);
        let login = serde_json::json!({"sessionName": known.session, "userId": known.user});
        Ok(known::Known::learn(&api, &settings, &login)?.problems)
    }
}

impl Directory for Vtiger {
    fn find(host: &dyn Host, phone: Phone) -> Result<Vec<Match>, Failure> {
        let work = deliver::Work::begin(host)?;
        let everybody = work.known.everybody(&work.api, &work.settings, &phone)?;
        Ok(everybody.into_iter().map(|person| matched(&work.settings, person)).collect())
    }
}

impl Grants for Vtiger {
    fn issue(host: &dyn Host, _previous: Option<Grant>) -> Result<Grant, Failure> {
        session::issue(host)
    }
}

fn matched(settings: &settings::Settings, person: person::Person) -> Match {
    let linked = person.linked;
    let kind = match linked.module.as_str() {
        "Contacts" => "contact",
        "Leads" => "lead",
        _ => "account",
    };
    Match {
        url: settings.page(&linked.module, &linked.id),
        external_id: linked.id,
        kind: kind.into(),
        name: linked.name,
        owner: person.owner,
        attributes: linked.account.map(|account| ("vtiger-account".to_owned(), account)).into_iter().collect(),
    }
}

cordboard_sdk::export!(Vtiger: about, sink, directory, grants);
