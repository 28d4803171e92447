//! The operations of the webservice that are needed, one function each.

use cordboard_sdk::Host;
use cordboard_sdk::http::{Multipart, Request};
use cordboard_sdk::serde_json::{Map, Value, json};
use cordboard_sdk::vocabulary::Failure;
use serde::Deserialize;

use crate::refusal::{self, Fault};

/// A record as Vtiger shows it: texts by field name.
pub type Row = Map<String, Value>;

/// One site, spoken to in one session.
pub struct Api<'h> {
    host: &'h dyn Host,
    endpoint: String,
    session: String,
}

/// What `describe` says of a module.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// Whether the user may make records.
    pub createable: bool,
    /// Whether the user may change records.
    pub updateable: bool,
    /// In the module's order.
    pub fields: Vec<DescribedField>,
    /// The left part of its record ids.
    pub id_prefix: String,
}

/// What `describe` says of a field.
#[derive(Debug, Clone, Deserialize)]
pub struct DescribedField {
    /// The machine name.
    pub name: String,
    /// In the user's language.
    pub label: String,
    /// Whether a create without it is refused.
    #[serde(default)]
    pub mandatory: bool,
    /// The type, with picklist values and the like.
    #[serde(rename = "type")]
    pub kind: Value,
}

impl<'h> Api<'h> {
    /// The site, in a session; without one only `login` works.
    pub fn new(host: &'h dyn Host, site: &str, session: &str) -> Self {
        Self { host, endpoint: format!("{site}/webservice.php"), session: session.to_owned() }
    }

    /// A token to log in with. It cancels the one before.
    pub fn challenge(&self, user: &str) -> Result<String, Fault> {
        let asked = Request::get(&self.endpoint).query([("operation", "getchallenge"), ("username", user)]);
        let result = self.answered("getchallenge", asked, false)?;
        Ok(text(&result, "token").to_owned())
    }

    /// Opens a session: its name, and the rest of the answer.
    pub fn login(&self, user: &str, key: &str) -> Result<Value, Fault> {
        let form = [("operation", "login"), ("username", user), ("accessKey", key)];
        self.answered("login", Request::post(&self.endpoint).form(form), false)
    }

    /// The modules that the user may use.
    pub fn types(&self) -> Result<Vec<String>, Fault> {
        let result = self.read("listtypes", &[])?;
        Ok(result["types"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// What a module is.
    pub fn describe(&self, module: &str) -> Result<Described, Fault> {
        let result = self.read("describe", &[("elementType", module)])?;
        Described::deserialize(&result).map_err(|error| {
            let why = format!("describe {module}: the answer is not as expected: {error}");
            Fault::Silent { failure: Failure::retryable(why), uncertain: false }
        })
    }

    /// Records by VTQL.
    pub fn query(&self, query: &str) -> Result<Vec<Row>, Fault> {
        Ok(rows(self.read("query", &[("query", query)])?))
    }

    /// Related records by VTQL without its semicolon.
    pub fn query_related(&self, query: &str, id: &str, label: &str) -> Result<Vec<Row>, Fault> {
        Ok(rows(self.read("query_related", &[("query", query), ("id", id), ("relatedLabel", label)])?))
    }

    /// One record.
    pub fn retrieve(&self, id: &str) -> Result<Row, Fault> {
        row("retrieve", self.read("retrieve", &[("id", id)])?)
    }

    /// A new record; gives it as it is stored.
    pub fn create(&self, module: &str, element: &Row) -> Result<Row, Fault> {
        let element = Value::Object(element.clone()).to_string();
        row("create", self.write("create", &[("elementType", module), ("element", &element)])?)
    }

    /// Changes the fields given; gives the record as it is stored.
    pub fn revise(&self, id: &str, changed: &Row) -> Result<Row, Fault> {
        let mut element = changed.clone();
        element.insert("id".into(), json!(id));
        let element = Value::Object(element).to_string();
        row("revise", self.write("revise", &[("element", &element)])?)
    }

    /// Puts a record into the recycle bin.
    pub fn delete(&self, id: &str) -> Result<(), Fault> {
        self.write("delete", &[("id", id)]).map(|_| ())
    }

    /// Relates two records. It says success also where it does nothing.
    pub fn add_related(&self, source: &str, related: &str, label: &str) -> Result<(), Fault> {
        let parameters = [("sourceRecordId", source), ("relatedRecordId", related), ("relationIdLabel", label)];
        self.write("add_related", &parameters).map(|_| ())
    }

    /// A new document with its file. It says success also when the file is not kept.
    pub fn upload(&self, element: &Row, name: &str, media_type: &str, bytes: Vec<u8>) -> Result<Row, Fault> {
        let form = Multipart::new()
            .field("operation", "create")
            .field("sessionName", &self.session)
            .field("elementType", "Documents")
            .field("element", Value::Object(element.clone()).to_string())
            .file("filename", name, media_type, bytes);
        row("create", self.answered("create", Request::post(&self.endpoint).multipart(form), true)?)
    }

    /// A reading operation takes its parameters from the query string alone; the session may go in the body, where
    /// no log of any proxy shows it.
    fn read(&self, operation: &str, parameters: &[(&str, &str)]) -> Result<Value, Fault> {
        let request = Request::post(&self.endpoint)
            .query([("operation", operation)])
            .query(parameters.iter().copied())
            .form([("sessionName", self.session.as_str())]);
        self.answered(operation, request, false)
    }

    fn write(&self, operation: &str, parameters: &[(&str, &str)]) -> Result<Value, Fault> {
        let mut form = vec![("operation", operation), ("sessionName", self.session.as_str())];
        form.extend(parameters);
        self.answered(operation, Request::post(&self.endpoint).form(form), true)
    }

    fn answered(&self, operation: &str, request: Request, writes: bool) -> Result<Value, Fault> {
        match request.header("accept", "application/json").send(self.host) {
            Ok(answer) => refusal::result(operation, &answer, writes),
            Err(error) => {
                let uncertain = writes && error.may_have_arrived();
                Err(Fault::Silent { failure: error.into(), uncertain })
            }
        }
    }
}

/// A member's text; empty when there is none.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A field's text; empty when there is none.
pub fn field<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn rows(result: Value) -> Vec<Row> {
    let Value::Array(list) = result else { return Vec::new() };
    list.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect()
}

fn row(operation: &str, result: Value) -> Result<Row, Fault> {
    match result {
        Value::Object(row) if row.contains_key("id") => Ok(row),
        _ => {
            let why = format!("{operation}: success, and no record in the answer");
            Err(Fault::Silent { failure: Failure::retryable(why), uncertain: operation == "create" })
        }
    }
}
