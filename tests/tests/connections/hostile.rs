//! What an Asterisk, or what stands in its place, can do wrong: how the source stands then, and what becomes of the calls.

use cordboard_tests::ami::{FakeAmi, Recording, SECRET};
use cordboard_tests::hub::Hub;
use cordboard_tests::line::LineServer;
use cordboard_tests::live::Live;
use cordboard_tests::tls::{AUTHORITY, Front};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::pbx::{ANA, call, id, logged_in, setup, talks, tenant};
use crate::world::{connection, reaches, stands};

/// A call that is told up to where somebody talks.
struct Talk {
    recording: Recording,
    id: String,
    rest: Vec<Vec<u8>>,
}

impl Talk {
    async fn begin(hub: &Hub, pbx: &FakeAmi) -> Self {
        let recording = Recording::load("asterisk-22", "a_inbound_answered");
        let (id, rest) = (id(&recording), talks(pbx, &recording));
        reaches(hub, &id, "answered").await;
        Talk { recording, id, rest }
    }

    /// Tells the rest: the call must come out as if nothing had happened, as the only one.
    async fn ends_well(self, hub: &Hub, pbx: &FakeAmi) {
        self.rest.iter().for_each(|event| pbx.tell(event));
        reaches(hub, &self.id, "ended").await;
        let ended = call(hub, &self.id).await;
        let expected = &self.recording.expected["calls"][0];
        assert_eq!(
            (&ended["outcome"], &ended["agent"]["extension"], &ended["hangup_by"]),
            (&expected["status"], &expected["agent"], &expected["hangup_by"]),
            "{ended}"
        );
        let calls = hub.get("/v1/calls").await;
        assert_eq!(calls["items"].as_array().map(Vec::len), Some(1), "{calls}");
    }
}

/// The value of an attribute of a call.
fn attribute(call: &Value, name: &str) -> Value {
    let mut all = call["attributes"].as_array().into_iter().flatten();
    all.find(|one| one[0] == name).map(|one| one[1].clone()).unwrap_or_default()
}

#[tokio::test]
async fn garbage_and_events_of_strangers_change_nothing() {
    let (hub, pbx) = logged_in().await;
    let talk = Talk::begin(&hub, &pbx).await;
    let mut seed = 1_u64;
    for number in 0..500 {
        let noise = (0..97).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        });
        pbx.babble(&noise.collect::<Vec<u8>>());
        pbx.babble(b"\r\n\r\nEvent: \r\n\r\nEvent\r\n\r\n:\r\n\r\nEvent: Newchannel\r\n\r\nResponse: \r\n\r\n");
        for event in ["Hangup", "BridgeLeave", "VarSet", "Cdr", "HangupRequest", "QueueCallerLeave", "UnParkedCall"] {
            let text = format!(
                "Event: {event}\r\nChannel: PJSIP/x-{number}\r\nUniqueid: 9.{number}\r\nLinkedid: 9.{number}\r\n\
                 Variable: FROM_DID\r\nValue: 1\r\nParkeeUniqueid: 9.{number}\r\n\r\n"
            );
            pbx.babble(text.as_bytes());
        }
    }
    talk.ends_well(&hub, &pbx).await;
    let shown = connection(&hub).await;
    assert_eq!((&shown["state"], &shown["connects"], &shown["lost"]), (&json!("connected"), &json!(1), &Value::Null));
}

#[tokio::test]
async fn a_flood_of_variables_costs_no_connection_and_no_call() {
    let (hub, pbx) = logged_in().await;
    let talk = Talk::begin(&hub, &pbx).await;
    let before = connection(&hub).await["observations"].as_u64().unwrap();
    for number in 0..15_000 {
        let name = if number % 3 == 0 { "MIXMONITOR_FILENAME".to_owned() } else { format!("V{number}") };
        let text =
            format!("Event: VarSet\r\nUniqueid: {}\r\nVariable: {name}\r\nValue: /tmp/{number}.wav\r\n\r\n", talk.id);
        pbx.babble(text.as_bytes());
        if number % 1_000 == 0 {
            // The played one puts out whoever is too far behind, as the real one does.
            hub.until("it is read", || async { pbx.waiting() < 5_000 }).await;
        }
    }
    talk.ends_well(&hub, &pbx).await;
    let shown = connection(&hub).await;
    assert_eq!((&shown["state"], &shown["connects"], &shown["dropped"]), (&json!("connected"), &json!(1), &json!(0)));
    let observed = shown["observations"].as_u64().unwrap() - before;
    assert!(observed < 100, "{observed} observations");
}

#[tokio::test]
async fn what_has_no_end_costs_the_connection_and_no_call() {
    for (flood, why) in [
        ("x".repeat(100_000), "a line of more than"),
        ("Event: VarSet\r\n".to_owned() + &"a: b\r\n".repeat(200_000), "a message of more than"),
    ] {
        let (hub, pbx) = logged_in().await;
        let mut live = Live::open(&hub, "?types=source.*", &hub.token(ANA.0, ANA.1)).await;
        let talk = Talk::begin(&hub, &pbx).await;
        let lists = pbx.lists();
        for piece in flood.as_bytes().chunks(16_000) {
            pbx.babble(piece);
        }
        assert_eq!(live.next_of("source.disconnected").await["source"], "pbx");
        assert_eq!(live.next_of("source.connected").await["source"], "pbx");
        pbx.listed(lists + 1).await;
        let shown = stands(&hub, "connected").await;
        assert!(shown["lost"]["why"].as_str().is_some_and(|lost| lost.contains(why)), "{shown}");
        talk.ends_well(&hub, &pbx).await;
    }
}

#[tokio::test]
async fn a_shutdown_is_said_and_ends_what_was_under_way() {
    let (hub, pbx) = logged_in().await;
    let talk = Talk::begin(&hub, &pbx).await;
    pbx.babble(b"Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\n\r\n");
    reaches(&hub, &talk.id, "ended").await;
    let said = || async { connection(&hub).await["status"] == "Asterisk is shutting down" };
    hub.until("it is said", said).await;
    assert_eq!(call(&hub, &talk.id).await["hangup_by"], "pbx");
    pbx.down();
    let refused = || async {
        let shown = connection(&hub).await;
        shown["state"] == "waiting" && shown["why"].as_str().is_some_and(|why| why.contains("refuses"))
    };
    hub.until("nobody listens there", refused).await;
}

#[tokio::test]
async fn ids_that_come_again_after_a_restart_are_other_calls() {
    let (hub, pbx) = logged_in().await;
    let talk = Talk::begin(&hub, &pbx).await;
    let lists = pbx.lists();
    pbx.restart().await;
    pbx.listed(lists + 1).await;
    reaches(&hub, &talk.id, "ended").await;
    let ended = call(&hub, &talk.id).await;
    assert_eq!((&ended["outcome"], attribute(&ended, "repaired")), (&json!("answered"), json!("true")), "{ended}");
    talk.recording.events().iter().for_each(|event| pbx.tell(event));
    let both = || async {
        let calls = hub.get("/v1/calls?phase=ended").await;
        calls["items"].as_array().is_some_and(|calls| calls.len() == 2)
    };
    hub.until("the same ids are another call", both).await;
    assert_eq!(call(&hub, &talk.id).await, ended, "what was over stays as it was");
    assert_eq!(connection(&hub).await["connects"], 2);
}

/// The PBX stamps its events, and its clock is set back by an hour in the middle of a call.
#[tokio::test]
async fn a_clock_that_goes_back_makes_no_call_end_before_it_began() {
    let (hub, pbx) = logged_in().await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");
    let id = id(&recording);
    let events = recording.events();
    let ends = events.iter().position(|event| event.starts_with(b"Event: HangupRequest")).unwrap();
    for (number, event) in events.iter().enumerate() {
        let stamp = 1_795_246_343.0 + number as f64 * 0.05 - if number < ends { 0.0 } else { 3_600.0 };
        let mut stamped = event[..event.len() - 2].to_vec();
        stamped.extend(format!("Timestamp: {stamp:.6}\r\n\r\n").into_bytes());
        pbx.tell(&stamped);
    }
    reaches(&hub, &id, "ended").await;
    let ended = call(&hub, &id).await;
    let at = |name: &str| ended[name].as_str().unwrap_or_else(|| panic!("{name}: {ended}")).parse::<jiff::Timestamp>();
    let [started, answered, over] = ["started_at", "answered_at", "ended_at"].map(|name| at(name).unwrap());
    assert!(started <= answered && answered <= over, "{ended}");
    let lasted = (over - started).total(jiff::Unit::Second).unwrap();
    assert!(lasted < 60.0, "{lasted} s: {ended}");
    assert_eq!(ended["outcome"], "answered");
}

#[tokio::test]
async fn what_is_no_asterisk_is_for_a_person_to_mend() {
    let other = LineServer::start().await;
    let text = tenant(&[("pbx".to_owned(), other.port())]);
    let hub = Hub::start(setup(text, SECRET)).await;
    other.connected(1).await;
    other.say("SSH-2.0-OpenSSH_9.2\r");
    let shown = stands(&hub, "misconfigured").await;
    assert!(shown["why"].as_str().unwrap().contains("it greets with `SSH-2.0-OpenSSH_9.2`"), "{shown}");
}

#[tokio::test]
async fn a_login_that_is_never_answered_is_tried_again() {
    // Its connections are open; nobody ever reads or writes.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = tenant(&[("pbx".to_owned(), silent.local_addr().unwrap().port())]);
    let hub = Hub::start(setup(text, SECRET)).await;
    let told = || async {
        let shown = connection(&hub).await;
        shown["lost"]["why"].as_str().is_some_and(|why| why.contains("no answer to the login"))
    };
    hub.until("the reason is shown", told).await;
    assert_ne!(connection(&hub).await["state"], "misconfigured", "it may be starting");
}

#[tokio::test]
async fn tls_by_the_name_in_the_certificate_and_by_no_other() {
    let pbx = FakeAmi::start("asterisk-22").await;
    let front = Front::of(pbx.port()).await;
    let tenant = |host: &str| {
        let text = tenant(&[("pbx".to_owned(), front.port())]);
        let text = text.replace("host = \"127.0.0.1\"", &format!("host = \"{host}\", tls = true"));
        text.replace("backoff =", "ca = \"pbx-ca.pem\"\nbackoff =")
    };
    let start = async |host: &str| {
        let mut hub = Hub::prepare(setup(tenant(host), SECRET));
        std::fs::write(hub.folder().join("pbx-ca.pem"), AUTHORITY).unwrap();
        hub.launch();
        hub.ready().await;
        hub
    };
    let hub = start("127.0.0.1").await;
    let shown = stands(&hub, "misconfigured").await;
    assert!(shown["why"].as_str().unwrap().contains("is not for the name `127.0.0.1`"), "{shown}");
    assert_eq!((pbx.sessions(), pbx.actions("Login").len()), (0, 0), "no password goes to whom nobody knows");
    drop(hub);
    let hub = start("localhost").await;
    pbx.listed(1).await;
    Talk::begin(&hub, &pbx).await.ends_well(&hub, &pbx).await;
}
