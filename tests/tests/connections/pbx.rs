//! A played Asterisk, and a hub that is logged in at it.

use cordboard_tests::ami::{FakeAmi, Recording, SECRET, USER};
use cordboard_tests::hub::{Hub, Setup};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::stands;

/// Who sees the whole tenant.
pub const BOSS: (&str, &str) = ("supervisor", "boss");

/// Who sits at 1001.
pub const ANA: (&str, &str) = ("agent", "ana");

/// Who sits at 1002.
pub const LUIS: (&str, &str) = ("agent", "luis");

/// A tenant with one Asterisk for each of these ports, named after it.
pub fn tenant(pbxs: &[(String, u16)]) -> String {
    let people = "region = \"GB\"\n[[agents]]\nname = \"Ana\"\nlogin = \"ana\"\nextensions = [\"1001\"]\n\
        [[agents]]\nlogin = \"luis\"\nextensions = [\"1002\"]\n";
    let source = |(name, port): &(String, u16)| {
        format!(
            "[sources.{name}]\ncomponent = \"ami\"\nallow = [\"127.0.0.1\", \"localhost\"]\n\
             backoff = {{ first = \"50ms\", ceiling = \"200ms\" }}\n\
             settings = {{ host = \"127.0.0.1\", port = {port}, username = \"{USER}\", \
             password = {{ env = \"AMI_PASSWORD\" }}, trunks = [\"PJSIP/trunk\"], keepalive = 5 }}\n"
        )
    };
    people.to_owned() + &pbxs.iter().map(source).collect::<String>()
}

/// A hub that comes with this password.
pub fn setup(tenant: String, password: &str) -> Setup {
    let mut setup = Setup::of(&["ami"], tenant);
    setup.environment.push(("AMI_PASSWORD".to_owned(), password.to_owned()));
    setup
}

/// A hub with one Asterisk for each of these ports.
pub async fn hub(pbxs: &[(String, u16)]) -> Hub {
    Hub::start(setup(tenant(pbxs), SECRET)).await
}

/// A hub that is logged in at an Asterisk.
pub async fn logged_in() -> (Hub, FakeAmi) {
    logged_in_with(|tenant| tenant).await
}

/// The same, with a tenant's file of one's own.
pub async fn logged_in_with(change: impl FnOnce(String) -> String) -> (Hub, FakeAmi) {
    let pbx = FakeAmi::start("asterisk-22").await;
    pbx.originates(&Recording::load("asterisk-22", "i_click_to_call"));
    let text = change(tenant(&[("pbx".to_owned(), pbx.port())]));
    let hub = Hub::start(setup(text, SECRET)).await;
    pbx.listed(1).await;
    stands(&hub, "connected").await;
    (hub, pbx)
}

/// Asks for something as this person, under a key.
pub async fn ask(hub: &Hub, who: (&str, &str), key: &str, body: &Value) -> (StatusCode, Value) {
    let request = hub.http.post(hub.url("/v1/commands")).bearer_auth(hub.token(who.0, who.1)).json(body);
    let answer = request.header("idempotency-key", key).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// The id of a recording's first call.
pub fn id(recording: &Recording) -> String {
    recording.expected["calls"][0]["linkedid"].as_str().unwrap().to_owned()
}

/// Tells a recorded call until somebody hangs up; what is left of it.
pub fn talks(pbx: &FakeAmi, recording: &Recording) -> Vec<Vec<u8>> {
    let mut events = recording.events();
    let ends = |event: &Vec<u8>| event.starts_with(b"Event: HangupRequest");
    let rest = events.split_off(events.iter().position(ends).expect("somebody hangs up"));
    events.iter().for_each(|event| pbx.tell(event));
    rest
}

/// The values that a name had in the actions of a name that the PBX was sent.
pub fn sent(pbx: &FakeAmi, action: &str, name: &str) -> Vec<String> {
    let lines = pbx.actions(action).into_iter().flatten();
    lines.filter(|(own, _)| own == name).map(|(_, value)| value).collect()
}

/// A call as the ledger has it; there is one of that id.
pub async fn call(hub: &Hub, id: &str) -> Value {
    let calls = hub.get("/v1/calls?limit=500").await;
    let all = calls["items"].as_array().unwrap().iter();
    let found: Vec<&Value> = all.filter(|one| one["subject"]["id"] == id).collect();
    let [one] = found[..] else { panic!("{} calls of the id {id}", found.len()) };
    one["call"].clone()
}

/// What is asked about a call.
pub fn about(name: &str, call: &str, mut more: Value) -> Value {
    more["call"] = call.into();
    json!({ "name": name, "arguments": more })
}
