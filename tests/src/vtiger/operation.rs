//! The table of operations: which parameters each takes, from where, and what it does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Server;
use super::column;
use super::refusal::{Answer, Refusal};
use super::store::{Account, Crm};
use super::wire::Asked;
use super::write::Way;

/// What is asked for, in lower case.
pub fn name(asked: &Asked) -> String {
    asked.either("operation").to_ascii_lowercase()
}

/// What a line of the log says about a request.
pub fn about(asked: &Asked) -> String {
    ["query", "elementType", "id", "sourceRecordId", "username"]
        .into_iter()
        .map(|name| asked.either(name))
        .find(|value| !value.is_empty())
        .unwrap_or_else(|| asked.post("element"))
        .to_owned()
}

/// Carries out one request. `late` is what every request takes.
pub async fn run(server: &Arc<Server>, asked: Asked, late: Duration) -> Answer {
    let operation = name(&asked);
    let now = server.clock.now();
    match operation.as_str() {
        "getchallenge" => {
            tokio::time::sleep(late).await;
            let crm = server.crm();
            return server.sessions().challenge(&crm, asked.get("username"), now);
        }
        "login" => {
            tokio::time::sleep(late).await;
            let crm = server.crm();
            return server.sessions().login(&crm, asked.post("username"), asked.post("accessKey"), now);
        }
        "logout" | "extendsession" | "listtypes" | "describe" | "create" | "retrieve" | "update" | "revise"
        | "delete" | "query" | "relatedtypes" | "retrieve_related" | "query_related" | "add_related"
        | "files_retrieve" => {}
        _ => return Err(Refusal::Died),
    }
    let session = asked.either("sessionName");
    if session.is_empty() || session.eq_ignore_ascii_case("null") {
        return Err(Refusal::said("AUTHENTICATION_REQUIRED", "Authencation required"));
    }
    let (user, turn) = server.sessions().user(session, now)?;
    let account = server.crm().accounts.iter().find(|account| account.number == user).cloned();
    let account = account.ok_or_else(Refusal::session)?;
    let _turn = turn.lock_owned().await;
    if let "create" | "update" | "revise" = operation.as_str() {
        return write(server, &account, &operation, asked, late).await;
    }
    pause(late).await;
    match operation.as_str() {
        "logout" if !asked.posted => {
            Err(Refusal::said("OPERATION_NOT_SUPPORTED", "Permission to perform the operation is denied"))
        }
        "logout" => {
            server.sessions().logout(session);
            Ok(json!({"message": "successfull"}))
        }
        "extendsession" => {
            Ok(json!({"sessionName": session, "userId": server.crm().id("Users", user), "version": "0.22",
                "vtigerVersion": "8.4.0"}))
        }
        _ => on_records(&mut server.crm(), &account, &operation, &asked),
    }
}

/// Waits; not even for the clock's next tick when there is nothing to wait for.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn on_records(crm: &mut Crm, account: &Account, operation: &str, asked: &Asked) -> Answer {
    match operation {
        "listtypes" => crm.list_types(account, asked.get("fieldTypeList")),
        "describe" => crm.describe(account, asked.get("elementType")),
        "retrieve" => match asked.get("id") {
            "" => Err(Refusal::id()),
            id => crm.retrieve(account, id),
        },
        "query" if asked.get("query").is_empty() => Err(Refusal::denied()),
        "query" => crm.query(account, asked.get("query")),
        "delete" if !asked.posted => Err(Refusal::denied()),
        "delete" => crm.delete(account, asked.post("id")),
        "relatedtypes" => crm.related_types(account, asked.get("elementType")),
        "retrieve_related" => {
            crm.retrieve_related(account, asked.get("id"), asked.get("relatedType"), asked.get("relatedLabel"))
        }
        "query_related" => crm.query_related(account, asked.get("query"), asked.get("id"), asked.get("relatedLabel")),
        "add_related" if !asked.posted => Err(Refusal::denied()),
        "add_related" => {
            crm.add_related(asked.post("sourceRecordId"), asked.post("relatedRecordId"), asked.post("relationIdLabel"))
        }
        "files_retrieve" => crm.files_retrieve(asked.get("id")),
        _ => Err(Refusal::Died),
    }
}

fn element(asked: &Asked) -> Result<Map<String, Value>, Refusal> {
    match asked.post.get("element") {
        None if !asked.posted => Err(Refusal::denied()),
        None => Err(Refusal::Died),
        Some(text) if text.is_empty() => Err(Refusal::Died),
        Some(text) => match serde_json::from_str(text) {
            Ok(Value::Object(element)) => Ok(element),
            Ok(_) => Err(Refusal::Died),
            Err(_) => Err(Refusal::internal()),
        },
    }
}

async fn write(server: &Arc<Server>, account: &Account, operation: &str, asked: Asked, late: Duration) -> Answer {
    let way = match operation {
        "create" => Way::Create,
        "update" => Way::Update,
        _ => Way::Revise,
    };
    let element = element(&asked)?;
    let prepared = {
        let crm = server.crm();
        let prepared = crm.prepare(account, way, asked.post("elementType"), &element)?;
        if crm.duplicate(&prepared) {
            return Err(Refusal::duplicate());
        }
        prepared
    };
    // Between the check and the insert lies time, and no lock: creates side by side do not see each other.
    pause(server.gap.max(late)).await;
    let now = server.clock.text();
    let mut crm = server.crm();
    let module = prepared.module.clone();
    let number = crm.store(account, prepared, &now);
    if way == Way::Create {
        if module == "Documents" {
            crm.attach(number, &element, asked.files);
        }
        for call in call_ids(&crm, &module, &element) {
            server.faults.created(call);
        }
    }
    crm.written(&module, number)
}

/// The values of the fields that name a call.
fn call_ids(crm: &Crm, module: &str, element: &Map<String, Value>) -> Vec<String> {
    let fields = crm.modules.get(module).map(|module| module.fields.as_slice()).unwrap_or_default();
    let names = |field: &&super::definition::Field| field.name == "sourceuuid" || field.label == "Call UUID";
    fields.iter().filter(names).filter_map(|field| element.get(&field.name)).map(column::text).collect()
}
