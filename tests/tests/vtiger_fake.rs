//! What the fake Vtiger refuses, and what it silently damages, as the reference says of the real one.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use cordboard_tests::vtiger::{FakeVtiger, Fault, HUB_KEY, digest};
use serde_json::{Value, json};

struct Client {
    crm: FakeVtiger,
    http: reqwest::Client,
    session: String,
}

impl Client {
    async fn start() -> Self {
        Self::of("hub", HUB_KEY).await
    }

    async fn of(user: &str, key: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let crm = FakeVtiger::start().await.unwrap();
        let mut client = Self { crm, http: reqwest::Client::new(), session: String::new() };
        client.session = client.log_in(user, key).await["result"]["sessionName"].as_str().unwrap().to_owned();
        client
    }

    fn url(&self) -> String {
        format!("{}/webservice.php", self.crm.url())
    }

    async fn log_in(&self, user: &str, key: &str) -> Value {
        let challenge = self.get(&[("operation", "getchallenge"), ("username", user)]).await;
        let digest = digest(challenge["result"]["token"].as_str().unwrap(), key);
        self.post(&[("operation", "login"), ("username", user), ("accessKey", &digest)]).await
    }

    async fn get(&self, query: &[(&str, &str)]) -> Value {
        let url =
            format!("{}?{}", self.url(), form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    async fn post(&self, form: &[(&str, &str)]) -> Value {
        self.http.post(self.url()).form(form).send().await.unwrap().json().await.unwrap()
    }

    async fn query(&self, query: &str) -> Value {
        self.get(&[("operation", "query"), ("sessionName", &self.session), ("query", query)]).await
    }

    async fn create(&self, module: &str, element: Value) -> Value {
        let element = element.to_string();
        let session = self.session.as_str();
        self.post(&[("operation", "create"), ("sessionName", session), ("elementType", module), ("element", &element)])
            .await
    }

    async fn revise(&self, element: Value) -> Value {
        let element = element.to_string();
        self.post(&[("operation", "revise"), ("sessionName", &self.session), ("element", &element)]).await
    }
}

fn code(answer: &Value) -> &str {
    assert_eq!(answer["success"], false, "{answer}");
    answer["error"]["code"].as_str().unwrap_or("a number")
}

fn call(uuid: &str) -> Value {
    json!({"sourceuuid": uuid, "customernumber": "1", "assigned_user_id": "19x5"})
}

#[tokio::test]
async fn challenges_and_sessions() {
    let client = Client::start().await;
    let challenge = client.get(&[("operation", "getchallenge"), ("username", "HUB")]).await;
    let first = digest(challenge["result"]["token"].as_str().unwrap(), HUB_KEY);
    let login = async |key: &str| client.post(&[("operation", "login"), ("username", "hub"), ("accessKey", key)]).await;
    assert_eq!(code(&login(&first.to_uppercase()).await), "INVALID_USER_CREDENTIALS");
    assert_eq!(login(&first).await["success"], true, "a failed login does not use the token up");
    let challenge = client.get(&[("operation", "getchallenge"), ("username", "hub")]).await;
    assert_eq!(code(&login(&first).await), "INVALID_USER_CREDENTIALS", "a new challenge cancels the old");
    let second = digest(challenge["result"]["token"].as_str().unwrap(), HUB_KEY);
    client.crm.clock().advance(301);
    assert_eq!(code(&login(&second).await), "INVALID_AUTH_TOKEN");
    assert_eq!(
        code(&client.post(&[("operation", "login"), ("username", ""), ("accessKey", "x")]).await),
        "INVALID_AUTH_TOKEN"
    );
    assert_eq!(code(&client.get(&[("operation", "getchallenge"), ("username", "nobody")]).await), "ACCESS_DENIED");

    assert_eq!(client.query("SELECT id FROM Contacts LIMIT 0,1;").await["success"], true);
    client.crm.clock().advance(25 * 60);
    assert_eq!(code(&client.query("SELECT id FROM Contacts;").await), "INVALID_SESSIONID");
    assert_eq!(
        code(&client.get(&[("operation", "listtypes"), ("sessionName", "null")]).await),
        "AUTHENTICATION_REQUIRED"
    );
}

#[tokio::test]
async fn php_dies_without_a_word() {
    let client = Client::start().await;
    let session = client.session.as_str();
    let json_body =
        client.http.post(client.url()).json(&json!({"operation": "listtypes", "sessionName": session})).send();
    let unknown = client.http.get(format!("{}?operation=lookup&sessionName={session}", client.url())).send();
    let empty = client.http.post(client.url()).form(&[
        ("operation", "create"),
        ("sessionName", session),
        ("elementType", "Events"),
        ("element", ""),
    ]);
    for answer in [json_body.await, unknown.await, empty.send().await] {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=UTF-8");
        assert_eq!(answer.content_length(), Some(0));
    }
    let form = [("operation", "create"), ("sessionName", session), ("elementType", "Events"), ("element", "{no")];
    assert_eq!(code(&client.post(&form).await), "INTERNAL_SERVER_ERROR");
    assert_eq!(code(&client.get(&[("operation", "create"), ("sessionName", session)]).await), "ACCESS_DENIED");
    assert_eq!(
        code(&client.get(&[("operation", "logout"), ("sessionName", session)]).await),
        "OPERATION_NOT_SUPPORTED"
    );
}

#[tokio::test]
async fn queries_and_their_quirks() {
    let client = Client::start().await;
    for uuid in [r"a\", "b", "c'd"] {
        client.create("PBXManager", call(uuid)).await;
    }
    for (query, expected) in [
        ("SELECT id FROM Contacts", "QUERY_SYNTAX_ERROR"),
        ("SELECT id FROM Contacts WHERE (phone = '1');", "QUERY_SYNTAX_ERROR"),
        ("SELECT id FROM Contacts WHERE NOT phone = '1';", "QUERY_SYNTAX_ERROR"),
        (r"SELECT id FROM Contacts WHERE lastname = 'O\'One';", "QUERY_SYNTAX_ERROR"),
        ("SELECT id FROM Contacts WHERE lastname = '';", "INTERNAL_SERVER_ERROR"),
        ("SELECT id FROM Contacts WHERE lastname = \"One\";", "INTERNAL_SERVER_ERROR"),
        ("SELECT nothing FROM Contacts;", "ACCESS_DENIED"),
        ("SELECT id FROM Contacts WHERE nothing = '1';", "ACCESS_DENIED"),
        ("SELECT id FROM contacts;", "ACCESS_DENIED"),
        ("SELECT id FROM PBXManager WHERE customer = 'x';", "INVALID_ID_ATTRIBUTE"),
        ("SELECT id FROM PBXManager WHERE customer = 'nobody';", "INVALID_ID_ATTRIBUTE"),
    ] {
        assert_eq!(code(&client.query(query).await), expected, "{query}");
    }
    let count = async |condition: &str| {
        let answer = client.query(&format!("SELECT id FROM PBXManager WHERE {condition};")).await;
        answer["result"].as_array().unwrap_or_else(|| panic!("{condition}: {answer}")).len()
    };
    for (condition, expected) in [
        (r"sourceuuid = 'a\\'", 1),
        // The quote is swallowed, the SQL broken, and the answer a success without rows.
        (r"sourceuuid = 'a\'", 0),
        // And with a second literal it is no longer the query that was written.
        (r"sourceuuid = 'x\' OR sourceuuid = ' OR 1=1) -- '", 3),
        ("sourceuuid = 'c''d'", 1),
        ("sourceuuid = 'B  '", 1),
        ("sourceuuid IN ('b','c''d','nothing')", 2),
        ("sourceuuid = 'b' OR sourceuuid = 'c''d' AND customernumber = '2'", 1),
        ("sourceuuid LIKE '%_%'", 3),
        ("assigned_user_id = '19x5'", 3),
        ("totalduration >= '0' AND sourceuuid != 'b'", 2),
    ] {
        assert_eq!(count(condition).await, expected, "{condition}");
    }
    assert_eq!(client.query("SELECT count(*) FROM Contacts;").await["result"], json!([]));
    for number in 0..120 {
        client.crm.world().add("Leads", 1, &[("lastname", &format!("L{number:03}"))]);
    }
    let leads = async |tail: &str| client.query(&format!("SELECT lastname FROM Leads {tail};")).await["result"].clone();
    assert_eq!(leads("").await.as_array().unwrap().len(), 100);
    assert_eq!(leads("LIMIT 500").await.as_array().unwrap().len(), 100);
    let page = leads("ORDER BY lastname LIMIT 100,500").await;
    assert_eq!((page.as_array().unwrap().len(), page[0]["lastname"].as_str()), (21, Some("L100")));
}

#[tokio::test]
async fn writes_are_checked_here_and_damaged_there() {
    let client = Client::start().await;
    for (element, expected) in [
        (json!({"customernumber": "1"}), "MANDATORY_FIELDS_MISSING"),
        (json!({"customernumber": "", "assigned_user_id": "19x5"}), "MANDATORY_FIELDS_MISSING"),
        (json!({"customernumber": "1", "assigned_user_id": "19x5", "customer": "19x5"}), "REFERENCE_INVALID"),
        (json!({"customernumber": "1", "assigned_user_id": "somebody"}), "INVALID_ID_ATTRIBUTE"),
    ] {
        assert_eq!(code(&client.create("PBXManager", element).await), expected);
    }
    let event = |contact: &str, parent: &str| {
        json!({"subject": "s", "assigned_user_id": "19x5", "date_start": "2026-11-21", "time_start": "8:12 PM",
            "due_date": "2026-11-21", "time_end": "10:00:00", "duration_hours": 0, "eventstatus": "completed",
            "activitytype": "Call", "contact_id": contact, "parent_id": parent})
    };
    assert_eq!(code(&client.create("Events", event("", "12x3")).await), "REFERENCE_INVALID");
    let stored = client.create("Events", event("12x4711", "11x2")).await;
    assert_eq!(stored["result"]["contact_id"], Value::Null);
    assert_eq!(
        (&stored["result"]["time_start"], &stored["result"]["eventstatus"]),
        (&json!("8:12 PM"), &json!("completed"))
    );
    assert_eq!(code(&client.create("Calls", json!({})).await), "ACCESS_DENIED");

    let mut element = call(&"u".repeat(120));
    element["recordingurl"] = json!(format!("https://{}", "r".repeat(300)));
    element["customernumber"] = json!("😀<b>");
    element["starttime"] = json!("yesterday");
    element["no_such_field"] = json!("lost");
    let stored = client.create("PBXManager", element).await["result"].clone();
    assert_eq!(stored["sourceuuid"].as_str().unwrap().len(), 100);
    assert_eq!(stored["recordingurl"].as_str().unwrap().len(), 200);
    assert_eq!(stored["customernumber"], "??&lt;b&gt;");
    assert_eq!(stored["starttime"], "0000-00-00 00:00:00");
    assert!(stored.get("no_such_field").is_none());

    for (owner, kept) in [("101", "19x7"), ("19x99", "99"), ("20x3", "20x3")] {
        let stored = client.create("PBXManager", json!({"customernumber": "1", "assigned_user_id": owner})).await;
        assert_eq!(stored["result"]["assigned_user_id"], kept, "{owner}");
    }
    let id = stored["id"].as_str().unwrap();
    assert_eq!(code(&client.revise(json!({"id": id, "customernumber": ""})).await), "MANDATORY_FIELDS_MISSING");
    assert_eq!(
        code(&client.revise(json!({"id": id.replace("24x", "12x"), "gateway": "x"})).await),
        "INVALID_ID_ATTRIBUTE"
    );
    assert_eq!(code(&client.revise(json!({"id": "24x99999", "gateway": "x"})).await), "ACCESS_DENIED");
    let revised = client.revise(json!({"id": id, "recordingurl": ""})).await;
    assert_eq!(
        (&revised["result"]["recordingurl"], &revised["result"]["customernumber"]),
        (&json!(""), &json!("??&lt;b&gt;"))
    );
    let session = client.session.as_str();
    let deleted = client.post(&[("operation", "delete"), ("sessionName", session), ("id", id)]).await;
    assert_eq!(deleted["result"]["status"], "successful");
    assert_eq!(
        code(&client.get(&[("operation", "retrieve"), ("sessionName", session), ("id", id)]).await),
        "ACCESS_DENIED"
    );
}

#[tokio::test]
async fn an_agent_sees_what_is_its_own() {
    let client = Client::of("agent1", "agent1AccessKey1").await;
    client.crm.world().add("PBXManager", 6, &[("sourceuuid", "others"), ("customernumber", "1")]);
    assert_eq!(client.query("SELECT id FROM PBXManager WHERE sourceuuid = 'others';").await["result"], json!([]));
    assert_eq!(code(&client.query("SELECT id FROM Users;").await), "ACCESS_DENIED");
    for owner in ["19x6", "5", "19x99"] {
        let refused = client.create("PBXManager", json!({"customernumber": "1", "assigned_user_id": owner})).await;
        assert_eq!(code(&refused), "ACCESS_DENIED", "{owner}");
    }
    assert_eq!(client.create("PBXManager", call("own")).await["success"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_look_up_and_create_doubles() {
    let client = std::sync::Arc::new(Client::start().await);
    // Long enough that a busy machine has begun all of them before the first is over.
    client.crm.faults().latency(Duration::from_millis(500));
    for unique in [false, true] {
        let looked = std::sync::Arc::new(tokio::sync::Barrier::new(4));
        client.crm.world().modules.get_mut("PBXManager").unwrap().field_mut("sourceuuid").unwrap().unique = unique;
        let uuid = format!("same-{unique}");
        let mut work = Vec::new();
        for _ in 0..4 {
            // A session each: the requests of one wait for each other.
            let login = client.log_in("admin", "adminAccessKey01").await;
            let session = login["result"]["sessionName"].as_str().unwrap().to_owned();
            let (client, uuid, looked) = (client.clone(), uuid.clone(), looked.clone());
            work.push(async move {
                let query = format!("SELECT id FROM PBXManager WHERE sourceuuid = '{uuid}';");
                let found = client.get(&[("operation", "query"), ("sessionName", &session), ("query", &query)]).await;
                assert_eq!(found["result"], json!([]));
                looked.wait().await;
                let element = call(&uuid).to_string();
                let form = [
                    ("operation", "create"),
                    ("sessionName", session.as_str()),
                    ("elementType", "PBXManager"),
                    ("element", element.as_str()),
                ];
                assert_eq!(client.post(&form).await["success"], true);
            });
        }
        futures::future::join_all(work).await;
        assert_eq!(client.crm.faults().creates_of(&uuid), 4, "duplicate prevention does not see them either");
    }
    // One after the other it is noticed.
    let refused = client.create("PBXManager", call("same-true")).await;
    assert_eq!(refused["error"], json!({"message": "Duplicate(s) detected!", "code": 0}));
}

#[tokio::test]
async fn documents_hang_on_people_and_say_success_to_much() {
    let client = Client::start().await;
    let upload = async |element: Value, file: Option<Vec<u8>>| {
        let mut form = reqwest::multipart::Form::new()
            .text("operation", "create")
            .text("sessionName", client.session.clone())
            .text("elementType", "Documents")
            .text("element", element.to_string());
        if let Some(bytes) = file {
            form = form.part(
                "anything",
                reqwest::multipart::Part::bytes(bytes).file_name("x.php").mime_str("audio/wav").unwrap(),
            );
        }
        let answer = client.http.post(client.url()).multipart(form).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["result"].clone()
    };
    let element = json!({"notes_title": "t", "assigned_user_id": "19x5", "filelocationtype": "I", "filestatus": 1});
    let kept = upload(element.clone(), Some(vec![1; 10])).await;
    assert_eq!((&kept["filename"], &kept["filesize"]), (&json!("x.phpfile.txt"), &json!("10")));
    assert!(kept["imageattachmentids"].is_string());
    for (element, file) in [
        (element.clone(), Some(vec![])),
        (element.clone(), Some(vec![1; 3 << 20])),
        (json!({"notes_title": "t", "assigned_user_id": "19x5"}), Some(vec![1; 10])),
        (element, None),
    ] {
        assert!(upload(element, file).await.get("imageattachmentids").is_none());
    }
    let event = client.create("PBXManager", call("c")).await["result"]["id"].as_str().unwrap().to_owned();
    let document = kept["id"].as_str().unwrap();
    let relate = async |source: &str, document: &str| {
        let form = [
            ("operation", "add_related"),
            ("sessionName", client.session.as_str()),
            ("sourceRecordId", source),
            ("relatedRecordId", document),
            ("relationIdLabel", "Documents"),
        ];
        client.post(&form).await
    };
    let related = async |source: &str, label: &str| {
        let query = [
            ("operation", "retrieve_related"),
            ("sessionName", client.session.as_str()),
            ("id", source),
            ("relatedType", "Documents"),
            ("relatedLabel", label),
        ];
        client.get(&query).await
    };
    for (source, document) in [(event.as_str(), document), ("12x3", "15x4711"), ("12x3", document)] {
        assert_eq!(relate(source, document).await["success"], true);
    }
    assert_eq!(code(&relate("12x4711", document).await), "INTERNAL_SERVER_ERROR");
    assert_eq!(related("12x3", "Documents").await["result"].as_array().unwrap().len(), 1);
    assert_eq!(code(&related(&event, "Documents").await), "UNKOWN_ENTITY");
    assert_eq!(code(&related("12x3", "Files").await), "UNKOWN_ENTITY");
}

#[tokio::test]
async fn faults_come_when_they_are_called() {
    let client = Client::start().await;
    client.crm.faults().next("create", Fault::Hangs);
    let element = call("hung").to_string();
    let form = HashMap::from([
        ("operation", "create"),
        ("sessionName", client.session.as_str()),
        ("elementType", "PBXManager"),
        ("element", element.as_str()),
    ]);
    let hung = client.http.post(client.url()).form(&form).timeout(Duration::from_millis(200)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    assert_eq!((client.crm.count("PBXManager"), client.crm.faults().creates_of("hung")), (1, 1));
    client.crm.faults().down(Fault::Page(502));
    assert_eq!(client.http.get(client.url()).send().await.unwrap().status(), 502);
    client.crm.faults().up();
    client.crm.faults().next("query", Fault::Dies);
    assert_eq!(client.http.get(format!("{}?operation=query", client.url())).send().await.unwrap().status(), 500);
    assert_eq!(client.query("SELECT id FROM Contacts;").await["success"], true);
}
