//! Asterisk 11 and before: the same calls in the words of those versions.

use serde_json::{Value, json};

use crate::support::{Hub, settings};

/// Plays messages, one after the other, half a second apart.
fn play(hub: &mut Hub, messages: &[&str]) {
    for message in messages {
        hub.wait(500);
        let message: Vec<&str> = message.split('|').collect();
        hub.lines(&message.join("\r\n"));
    }
}

fn played(messages: &[&str]) -> Hub {
    let mut hub = Hub::ready(settings());
    play(&mut hub, messages);
    hub
}

fn desks(call: &Value) -> Vec<&str> {
    call["desks"].as_array().expect("a list").iter().map(|desk| desk["extension"].as_str().expect("text")).collect()
}

#[test]
fn asterisk_1_4() {
    let hub = played(&[
        "Event: Newchannel|Privilege: call,all|Channel: SIP/trunk-b7a01|State: Ring|CallerIDNum: 447700900123|CallerIDName: Ann|Uniqueid: 1263386521.1",
        "Event: Newexten|Privilege: call,all|Channel: SIP/trunk-b7a01|Context: from-trunk|Extension: 442079460101|Priority: 1|Application: Set|AppData: __FROM_DID=442079460101|Uniqueid: 1263386521.1",
        "Event: Newchannel|Channel: SIP/1001-b7a02|State: Down|CallerIDNum: <unknown>|CallerIDName: <unknown>|Uniqueid: 1263386521.2",
        "Event: Dial|Source: SIP/trunk-b7a01|Destination: SIP/1001-b7a02|CallerID: 447700900123|CallerIDName: Ann|SrcUniqueID: 1263386521.1|DestUniqueID: 1263386521.2",
        "Event: Newstate|Channel: SIP/1001-b7a02|State: Ringing|CallerID: 1001|CallerIDName: <unknown>|Uniqueid: 1263386521.2",
        "Event: Newstate|Channel: SIP/1001-b7a02|State: Up|CallerID: 1001|CallerIDName: <unknown>|Uniqueid: 1263386521.2",
        "Event: Newstate|Channel: SIP/trunk-b7a01|State: Up|CallerID: 447700900123|Uniqueid: 1263386521.1",
        "Event: Link|Channel1: SIP/trunk-b7a01|Channel2: SIP/1001-b7a02|Uniqueid1: 1263386521.1|Uniqueid2: 1263386521.2|CallerID1: 447700900123|CallerID2: 1001",
        "Event: Unlink|Channel1: SIP/trunk-b7a01|Channel2: SIP/1001-b7a02|Uniqueid1: 1263386521.1|Uniqueid2: 1263386521.2|CallerID1: 447700900123|CallerID2: 1001",
        "Event: Hangup|Channel: SIP/1001-b7a02|Uniqueid: 1263386521.2|Cause: 16|Cause-txt: Normal Clearing",
        "Event: Hangup|Channel: SIP/trunk-b7a01|Uniqueid: 1263386521.1|Cause: 16|Cause-txt: Normal Clearing",
    ]);
    assert_eq!(hub.fold.ids(), ["1263386521.1"]);
    let call = hub.call("1263386521.1");
    assert_eq!(
        (&call["phase"], &call["outcome"], &call["direction"]),
        (&json!("ended"), &json!("answered"), &json!("inbound"))
    );
    assert_eq!(
        (&call["callee"]["number"]["raw"], &call["agent"]["extension"]),
        (&json!("442079460101"), &json!("1001"))
    );
    assert_eq!((desks(&call), &call["caller"]["name"]), (vec!["1001"], &json!("Ann")));
    assert_eq!((&call["wait"], &call["talk"]), (&json!(3), &json!(3)), "{call}");
    assert_eq!(call["hangup_by"], Value::Null, "1.4 does not say");
}

const RING: [&str; 4] = [
    "Event: Newchannel|Channel: SIP/trunk-00000001|ChannelState: 4|ChannelStateDesc: Ring|CallerIDNum: 447700900123|CallerIDName: Ann|AccountCode: |Exten: 442079460101|Context: from-trunk|Uniqueid: 1400000000.1",
    "Event: Newchannel|Channel: SIP/1001-00000002|ChannelState: 0|ChannelStateDesc: Down|CallerIDNum: |CallerIDName: |AccountCode: |Exten: |Context: from-internal|Uniqueid: 1400000000.2",
    "Event: Dial|SubEvent: Begin|Channel: SIP/trunk-00000001|Destination: SIP/1001-00000002|CallerIDNum: 447700900123|CallerIDName: Ann|ConnectedLineNum: <unknown>|UniqueID: 1400000000.1|DestUniqueID: 1400000000.2|Dialstring: 1001",
    "Event: Newstate|Channel: SIP/1001-00000002|ChannelState: 5|ChannelStateDesc: Ringing|CallerIDNum: 1001|CallerIDName: |ConnectedLineNum: 447700900123|Uniqueid: 1400000000.2",
];

const ANSWER: [&str; 3] = [
    "Event: Newstate|Channel: SIP/1001-00000002|ChannelState: 6|ChannelStateDesc: Up|CallerIDNum: 1001|CallerIDName: |Uniqueid: 1400000000.2",
    "Event: Bridge|Bridgestate: Link|Bridgetype: core|Channel1: SIP/trunk-00000001|Channel2: SIP/1001-00000002|Uniqueid1: 1400000000.1|Uniqueid2: 1400000000.2|CallerID1: 447700900123|CallerID2: 1001",
    "Event: Bridge|Bridgestate: Link|Bridgetype: core|Channel1: SIP/trunk-00000001|Channel2: SIP/1001-00000002|Uniqueid1: 1400000000.1|Uniqueid2: 1400000000.2|CallerID1: 447700900123|CallerID2: 1001",
];

#[test]
fn asterisk_1_6_to_11() {
    let mut hub = played(&RING);
    let call = hub.call("1400000000.1");
    assert_eq!((&call["phase"], desks(&call)), (&json!("ringing"), vec!["1001"]));
    play(&mut hub, &ANSWER);
    play(
        &mut hub,
        &[
            "Event: Hold|Status: On|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2",
            "Event: MusicOnHold|State: Start|Channel: SIP/trunk-00000001|UniqueID: 1400000000.1",
            "Event: Newchannel|Channel: SIP/2|ChannelState: 4|Uniqueid: 1400000001.1|Exten: 5|Context: from-trunk",
            "Event: Hold|Status: Off|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2",
            "Event: Unlink|Channel1: SIP/trunk-00000001|Channel2: SIP/1001-00000002|Uniqueid1: 1400000000.1|Uniqueid2: 1400000000.2",
            "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|CallerIDNum: 1001|Cause: 16|Cause-txt: Normal Clearing",
            "Event: Dial|SubEvent: End|Channel: SIP/trunk-00000001|UniqueID: 1400000000.1|DialStatus: ANSWER",
            "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000000.1|CallerIDNum: 447700900123|Cause: 16|Cause-txt: Normal Clearing",
        ],
    );
    let call = hub.call("1400000000.1");
    assert_eq!(
        (&call["outcome"], &call["agent"]["extension"], &call["phase"]),
        (&json!("answered"), &json!("1001"), &json!("ended"))
    );
    assert_eq!((&call["hold"], &call["wait"]), (&json!(2), &json!(2)), "{call}");
}

#[test]
fn nobody_answers() {
    let mut hub = played(&RING);
    play(
        &mut hub,
        &[
            "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|Cause: 0|Cause-txt: Unknown",
            "Event: Dial|SubEvent: End|Channel: SIP/trunk-00000001|UniqueID: 1400000000.1|DialStatus: NOANSWER",
            "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000000.1|Cause: 19|Cause-txt: User alerting, no answer",
        ],
    );
    let call = hub.call("1400000000.1");
    assert_eq!((&call["outcome"], &call["agent"], desks(&call)), (&json!("no-answer"), &Value::Null, vec!["1001"]));
}

#[test]
fn a_queue_that_dials_without_saying_so() {
    let hub = played(&[
        "Event: Newchannel|Channel: SIP/trunk-00000001|ChannelState: 4|ChannelStateDesc: Ring|CallerIDNum: 447700900123|CallerIDName: Ann|Exten: 442079460600|Context: from-trunk|Uniqueid: 1400000000.1",
        "Event: Newstate|Channel: SIP/trunk-00000001|ChannelState: 6|ChannelStateDesc: Up|CallerIDNum: 447700900123|Uniqueid: 1400000000.1",
        "Event: Join|Channel: SIP/trunk-00000001|CallerIDNum: 447700900123|CallerIDName: Ann|Queue: 600|Position: 1|Count: 1|Uniqueid: 1400000000.1",
        "Event: Newchannel|Channel: SIP/1001-00000002|ChannelState: 0|ChannelStateDesc: Down|CallerIDNum: |Exten: |Context: from-internal|Uniqueid: 1400000000.2",
        "Event: AgentCalled|Queue: 600|AgentCalled: SIP/1001|AgentName: Ana|ChannelCalling: SIP/trunk-00000001|DestinationChannel: SIP/1001-00000002|CallerIDNum: 447700900123|Uniqueid: 1400000000.1",
        "Event: Newchannel|Channel: SIP/1002-00000003|ChannelState: 0|ChannelStateDesc: Down|CallerIDNum: |Exten: |Context: from-internal|Uniqueid: 1400000000.3",
        "Event: AgentCalled|AgentCalled: SIP/1002|ChannelCalling: SIP/trunk-00000001|CallerID: 447700900123|Context: queues|Extension: 600|Priority: 1",
        "Event: Newstate|Channel: SIP/1001-00000002|ChannelState: 5|ChannelStateDesc: Ringing|Uniqueid: 1400000000.2",
        "Event: Newstate|Channel: SIP/1002-00000003|ChannelState: 5|ChannelStateDesc: Ringing|Uniqueid: 1400000000.3",
        "Event: Newstate|Channel: SIP/1002-00000003|ChannelState: 6|ChannelStateDesc: Up|Uniqueid: 1400000000.3",
        "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|Cause: 26|Cause-txt: Answered elsewhere",
        "Event: Leave|Channel: SIP/trunk-00000001|Queue: 600|Count: 0|Uniqueid: 1400000000.1",
        "Event: AgentConnect|Queue: 600|Uniqueid: 1400000000.1|Channel: SIP/1002-00000003|Member: SIP/1002|MemberName: Berta|Holdtime: 4|BridgedChannel: 1400000000.3|Ringtime: 2",
        "Event: Bridge|Bridgestate: Link|Bridgetype: core|Channel1: SIP/trunk-00000001|Channel2: SIP/1002-00000003|Uniqueid1: 1400000000.1|Uniqueid2: 1400000000.3",
        "Event: Hangup|Channel: SIP/1002-00000003|Uniqueid: 1400000000.3|Cause: 16",
        "Event: AgentComplete|Queue: 600|Uniqueid: 1400000000.1|Channel: SIP/1002-00000003|Member: SIP/1002|HoldTime: 4|TalkTime: 2|Reason: agent",
        "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000000.1|Cause: 16",
    ]);
    assert_eq!(hub.fold.ids(), ["1400000000.1"]);
    let call = hub.call("1400000000.1");
    assert_eq!(
        (&call["outcome"], &call["queue"], &call["agent"]["extension"]),
        (&json!("answered"), &json!("600"), &json!("1002"))
    );
    assert_eq!(desks(&call), ["1001", "1002"]);
}

#[test]
fn local_channels_of_old_and_an_abandoned_queue() {
    let hub = played(&[
        "Event: Newchannel|Channel: SIP/trunk-00000001|ChannelState: 4|CallerIDNum: 447700900123|Exten: 442079460600|Context: from-trunk|Uniqueid: 1400000000.1",
        "Event: Join|Channel: SIP/trunk-00000001|CallerIDNum: 447700900123|Queue: 600|Position: 1|Count: 1|Uniqueid: 1400000000.1",
        "Event: Newchannel|Channel: Local/1001@from-queue-a1b2,1|ChannelState: 0|Exten: 1001|Context: from-queue|Uniqueid: 1400000000.2",
        "Event: Newchannel|Channel: Local/1001@from-queue-a1b2,2|ChannelState: 4|Exten: 1001|Context: from-queue|Uniqueid: 1400000000.3",
        "Event: AgentCalled|AgentCalled: Local/1001@from-queue/n|ChannelCalling: SIP/trunk-00000001|DestinationChannel: Local/1001@from-queue-a1b2,1|Uniqueid: 1400000000.1",
        "Event: Newchannel|Channel: SIP/1001-00000004|ChannelState: 0|Exten: |Context: from-internal|Uniqueid: 1400000000.4",
        "Event: Dial|SubEvent: Begin|Channel: Local/1001@from-queue-a1b2,2|Destination: SIP/1001-00000004|UniqueID: 1400000000.3|DestUniqueID: 1400000000.4|Dialstring: 1001",
        "Event: Newstate|Channel: SIP/1001-00000004|ChannelState: 5|Uniqueid: 1400000000.4",
        "Event: QueueCallerAbandon|Queue: 600|Uniqueid: 1400000000.1|Position: 1|OriginalPosition: 1|HoldTime: 4",
        "Event: Leave|Channel: SIP/trunk-00000001|Queue: 600|Count: 0|Uniqueid: 1400000000.1",
        "Event: Hangup|Channel: Local/1001@from-queue-a1b2,1|Uniqueid: 1400000000.2|Cause: 0",
        "Event: Hangup|Channel: SIP/1001-00000004|Uniqueid: 1400000000.4|Cause: 0",
        "Event: Hangup|Channel: Local/1001@from-queue-a1b2,2|Uniqueid: 1400000000.3|Cause: 0",
        "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000000.1|Cause: 16",
    ]);
    assert_eq!(hub.fold.ids(), ["1400000000.1"]);
    let call = hub.call("1400000000.1");
    assert_eq!((&call["outcome"], desks(&call)), (&json!("abandoned"), vec!["1001"]));
}

#[test]
fn a_click_to_call_that_no_dial_event_tells_of() {
    let hub = played(&[
        "Event: Newchannel|Channel: SIP/1001-00000001|ChannelState: 0|CallerIDNum: |Exten: |Context: from-internal|Uniqueid: 1400000000.1",
        "Event: NewCallerid|Channel: SIP/1001-00000001|CallerIDNum: 447700900456|CallerIDName: Call|Uniqueid: 1400000000.1",
        "Event: Newstate|Channel: SIP/1001-00000001|ChannelState: 5|CallerIDNum: 447700900456|ConnectedLineNum: 447700900456|Uniqueid: 1400000000.1",
        "Event: Newstate|Channel: SIP/1001-00000001|ChannelState: 6|CallerIDNum: 447700900456|ConnectedLineNum: 447700900456|Uniqueid: 1400000000.1",
        "Event: Newchannel|Channel: SIP/trunk-00000002|ChannelState: 0|Exten: |Context: from-trunk|Uniqueid: 1400000000.2",
        "Event: Dial|SubEvent: Begin|Channel: SIP/1001-00000001|Destination: SIP/trunk-00000002|CallerIDNum: 1001|UniqueID: 1400000000.1|DestUniqueID: 1400000000.2|Dialstring: trunk/447700900456",
        "Event: Newstate|Channel: SIP/trunk-00000002|ChannelState: 6|CallerIDNum: 447700900456|Uniqueid: 1400000000.2",
        "Event: Bridge|Bridgestate: Link|Channel1: SIP/1001-00000001|Channel2: SIP/trunk-00000002|Uniqueid1: 1400000000.1|Uniqueid2: 1400000000.2",
        "Event: Hangup|Channel: SIP/trunk-00000002|Uniqueid: 1400000000.2|Cause: 16",
        "Event: Hangup|Channel: SIP/1001-00000001|Uniqueid: 1400000000.1|Cause: 16",
    ]);
    let call = hub.call("1400000000.1");
    assert_eq!(
        (&call["direction"], &call["agent"]["extension"], &call["outcome"]),
        (&json!("outbound"), &json!("1001"), &json!("answered"))
    );
    assert_eq!((&call["callee"]["number"]["raw"], desks(&call)), (&json!("447700900456"), vec![]));
    assert_eq!((&call["attributes"]["click-to-call"], &call["wait"]), (&json!("true"), &json!(3)), "{call}");
}

#[test]
fn an_attended_transfer_is_a_masquerade() {
    let mut hub = played(&RING);
    play(&mut hub, &ANSWER);
    play(
        &mut hub,
        &[
            "Event: Newchannel|Channel: SIP/1001-00000003|ChannelState: 4|CallerIDNum: 1001|Exten: 1002|Context: from-internal|Uniqueid: 1400000009.3",
            "Event: Newchannel|Channel: SIP/1002-00000004|ChannelState: 0|CallerIDNum: |Exten: |Context: from-internal|Uniqueid: 1400000009.4",
            "Event: Dial|SubEvent: Begin|Channel: SIP/1001-00000003|Destination: SIP/1002-00000004|UniqueID: 1400000009.3|DestUniqueID: 1400000009.4|Dialstring: 1002",
            "Event: Newstate|Channel: SIP/1002-00000004|ChannelState: 5|Uniqueid: 1400000009.4",
            "Event: Newstate|Channel: SIP/1002-00000004|ChannelState: 6|Uniqueid: 1400000009.4",
            "Event: Bridge|Bridgestate: Link|Channel1: SIP/1001-00000003|Channel2: SIP/1002-00000004|Uniqueid1: 1400000009.3|Uniqueid2: 1400000009.4",
            "Event: Masquerade|Clone: SIP/trunk-00000001|CloneState: Up|Original: SIP/1001-00000003|OriginalState: Up",
            "Event: Rename|Channel: SIP/trunk-00000001|Newname: SIP/trunk-00000001<MASQ>|Uniqueid: 1400000000.1",
            "Event: Rename|Channel: SIP/1001-00000003|Newname: SIP/trunk-00000001|Uniqueid: 1400000009.3",
            "Event: Rename|Channel: SIP/trunk-00000001<MASQ>|Newname: SIP/1001-00000003<ZOMBIE>|Uniqueid: 1400000000.1",
            "Event: Hangup|Channel: SIP/1001-00000003<ZOMBIE>|Uniqueid: 1400000000.1|Cause: 0",
            "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|Cause: 16",
        ],
    );
    assert_eq!(hub.call("1400000000.1")["phase"], "answered", "the customer talks on");
    assert_eq!(hub.call("1400000009.3")["phase"], "ended");
    play(
        &mut hub,
        &[
            "Event: Hangup|Channel: SIP/1002-00000004|Uniqueid: 1400000009.4|Cause: 16",
            "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000009.3|Cause: 16",
        ],
    );
    let call = hub.call("1400000000.1");
    let one = &call["transfers"][0];
    assert_eq!(
        (&one["kind"], &one["by"], &one["to"], &one["answered"]),
        (&json!("attended"), &json!("1001"), &json!("1002"), &json!(true))
    );
    assert_eq!((&call["phase"], &call["attributes"]["final-party"]), (&json!("ended"), &json!("1002")));
}

#[test]
fn a_redirect_moves_the_caller_into_another_channel() {
    let mut hub = played(&RING);
    play(&mut hub, &ANSWER);
    play(
        &mut hub,
        &[
            "Event: Newchannel|Channel: AsyncGoto/SIP/trunk-00000001|ChannelState: 6|CallerIDNum: 447700900123|Exten: |Context: |Uniqueid: 1400000009.9",
            "Event: Masquerade|Clone: SIP/trunk-00000001|CloneState: Up|Original: AsyncGoto/SIP/trunk-00000001|OriginalState: Up",
            "Event: Rename|Channel: SIP/trunk-00000001|Newname: SIP/trunk-00000001<MASQ>|Uniqueid: 1400000000.1",
            "Event: Rename|Channel: AsyncGoto/SIP/trunk-00000001|Newname: SIP/trunk-00000001|Uniqueid: 1400000009.9",
            "Event: Rename|Channel: SIP/trunk-00000001<MASQ>|Newname: AsyncGoto/SIP/trunk-00000001<ZOMBIE>|Uniqueid: 1400000000.1",
            "Event: Hangup|Channel: AsyncGoto/SIP/trunk-00000001<ZOMBIE>|Uniqueid: 1400000000.1|Cause: 0",
            "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|Cause: 16",
            "Event: Newchannel|Channel: SIP/1003-00000005|ChannelState: 0|CallerIDNum: |Exten: |Context: from-internal|Uniqueid: 1400000009.5",
            "Event: Dial|SubEvent: Begin|Channel: SIP/trunk-00000001|Destination: SIP/1003-00000005|UniqueID: 1400000009.9|DestUniqueID: 1400000009.5|Dialstring: 1003",
            "Event: Newstate|Channel: SIP/1003-00000005|ChannelState: 5|Uniqueid: 1400000009.5",
            "Event: Newstate|Channel: SIP/1003-00000005|ChannelState: 6|Uniqueid: 1400000009.5",
            "Event: Hangup|Channel: SIP/1003-00000005|Uniqueid: 1400000009.5|Cause: 16",
            "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000009.9|Cause: 16",
        ],
    );
    assert_eq!(
        hub.fold.ids(),
        ["1400000000.1", "1400000001.1"].iter().filter(|id| hub.fold.view(id).is_some()).copied().collect::<Vec<_>>()
    );
    let call = hub.call("1400000000.1");
    let one = &call["transfers"][0];
    assert_eq!(
        (&one["kind"], &one["to"], &one["answered"]),
        (&json!("redirect"), &json!("1003"), &json!(true)),
        "{call}"
    );
    assert_eq!((desks(&call), &call["phase"]), (vec!["1001", "1003"], &json!("ended")));
}

#[test]
fn a_call_that_is_under_way_is_one_by_whom_its_channels_talk_with() {
    let list = [
        "Event: CoreShowChannel|ActionID: cordboard-3|Channel: SIP/trunk-00000001|UniqueID: 1400000000.1|Context: from-trunk|Extension: 442079460101|Priority: 2|ChannelState: 6|ChannelStateDesc: Up|Application: Dial|ApplicationData: SIP/1001|CallerIDnum: 447700900123|CallerIDname: Ann|Duration: 00:01:30|AccountCode: |BridgedChannel: SIP/1001-00000002|BridgedUniqueID: 1400000000.2",
        "Event: CoreShowChannel|ActionID: cordboard-3|Channel: SIP/1001-00000002|UniqueID: 1400000000.2|Context: from-internal|Extension: |Priority: 1|ChannelState: 6|ChannelStateDesc: Up|Application: AppDial|ApplicationData: (Outgoing Line)|CallerIDnum: 1001|CallerIDname: |Duration: 00:01:28|AccountCode: |BridgedChannel: SIP/trunk-00000001|BridgedUniqueID: 1400000000.1",
    ];
    for order in [[0, 1], [1, 0]] {
        let mut hub = Hub::new(settings());
        hub.login();
        play(&mut hub, &order.map(|at| list[at]));
        play(&mut hub, &["Event: CoreShowChannelsComplete|EventList: Complete|ListItems: 2|ActionID: cordboard-3"]);
        assert_eq!(hub.fold.ids(), ["1400000000.1"], "{order:?}");
        let call = hub.call("1400000000.1");
        assert_eq!(
            (&call["phase"], &call["direction"], &call["agent"]["extension"]),
            (&json!("answered"), &json!("inbound"), &json!("1001")),
            "{call}"
        );
        play(
            &mut hub,
            &[
                "Event: Hangup|Channel: SIP/1001-00000002|Uniqueid: 1400000000.2|Cause: 16|Cause-txt: Normal Clearing",
                "Event: Hangup|Channel: SIP/trunk-00000001|Uniqueid: 1400000000.1|Cause: 16|Cause-txt: Normal Clearing",
            ],
        );
        assert_eq!((&hub.call("1400000000.1")["outcome"], hub.fold.ids().len()), (&json!("answered"), 1));
    }
}
