//! Popups while telephones of an Asterisk ring: at each desk that rings, and away from those where it is over.

use std::collections::BTreeMap;

use cordboard_tests::ami::{FakeAmi, Recording, VERSIONS};
use cordboard_tests::live::Live;

use crate::pbx::{ANA, LUIS, hub, id};

/// Calls that ring at 1001 and 1002 and are taken at 1002: by queues and ring groups, straight and by Local channels, by
/// a menu before a queue.
const RINGS_AT_BOTH: [&str; 6] = [
    "d_queue_answered",
    "d2_queue_local_members",
    "d3_queue_local_optimized",
    "p_ring_group",
    "p3_ring_group_local",
    "q3_ivr_to_queue",
];

/// What a desk is told of each call, by its id, until all of them are over; what is no popup is passed over. Each popup
/// shows who calls.
async fn told(live: &mut Live, calls: usize) -> BTreeMap<String, Vec<String>> {
    let mut told = BTreeMap::<String, Vec<String>>::new();
    while told.values().filter(|types| types.iter().any(|kind| kind == "ended")).count() < calls {
        let frame = live.next().await;
        let kind = frame["type"].as_str().unwrap().strip_prefix("call.").unwrap_or_default().to_owned();
        let call = format!("{} {}", frame["subject"]["source"], frame["subject"]["id"]);
        match kind.as_str() {
            "ringing" => assert_eq!(frame["call"]["caller"]["number"]["raw"], "447700900123", "{frame}"),
            "answered" | "withdrawn" | "ended" => {}
            _ => continue,
        }
        told.entry(call).or_default().push(kind);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn each_desk_is_told_of_its_own_telephone() {
    let mut all = Vec::new();
    for version in VERSIONS {
        for name in RINGS_AT_BOTH {
            let source = format!("{}-{}", version.replace("asterisk-", "v"), name.replace('_', "-"));
            all.push((source, FakeAmi::start(version).await, Recording::load(version, name)));
        }
    }
    let ports: Vec<(String, u16)> = all.iter().map(|(name, pbx, _)| (name.clone(), pbx.port())).collect();
    let hub = hub(&ports).await;
    for (_, pbx, _) in &all {
        pbx.listed(1).await;
    }
    let mut ana = Live::open(&hub, "?types=call.*", &hub.token(ANA.0, ANA.1)).await;
    let mut luis = Live::open(&hub, "?types=call.*", &hub.token(LUIS.0, LUIS.1)).await;
    let played = futures::future::join_all(all.iter().map(|(_, pbx, recording)| pbx.play(recording)));
    let (_, anas, luises) = tokio::join!(played, told(&mut ana, all.len()), told(&mut luis, all.len()));
    for (source, _, recording) in &all {
        let call = format!("\"{source}\" \"{}\"", id(recording));
        assert_eq!(anas[&call], ["ringing", "withdrawn", "ended"], "1001, in {call}");
        assert_eq!(luises[&call], ["ringing", "answered", "ended"], "1002, in {call}");
    }
}
