//! Events of Asterisk 11 and before, which say the same in other words.

use crate::event::{Event, some};
use crate::message::{Chan, Message};

/// Whether an event of this name is one of the older ones that say something.
pub fn knows(name: &[u8]) -> bool {
    matches!(
        name,
        b"Dial"
            | b"Link"
            | b"Unlink"
            | b"Bridge"
            | b"Join"
            | b"Leave"
            | b"Transfer"
            | b"Masquerade"
            | b"Newcallerid"
            | b"MeetmeJoin"
            | b"MeetmeLeave"
    )
}

/// Says what an event means; those of newer versions that have other fields here are among them.
pub fn decode<'a>(name: &[u8], message: &Message<'a>, mut tell: impl FnMut(Event<'a>)) {
    let own = || message.chan("");
    let get = |name| message.get(name);
    match name {
        b"Dial" if get("SubEvent").eq_ignore_ascii_case(b"End") => {
            tell(Event::DialEnd { from: some(own()), to: None, status: get("DialStatus"), forward: b"" });
        }
        b"Dial" => {
            let mut from = own();
            if from.uid.is_empty() {
                from = Chan { name: get("Source"), uid: get("SrcUniqueID"), ..from };
            }
            let to = Chan { name: get("Destination"), uid: get("DestUniqueID"), ..Chan::default() };
            tell(Event::DialBegin { from: some(from), to, dialled: b"", per_leg: false });
        }
        b"Link" | b"Bridge" if !get("Bridgestate").eq_ignore_ascii_case(b"Unlink") => {
            // Both go by the first one's key: it is the bridge's name as good as any.
            let (one, two) = ends(message);
            tell(Event::Enter { bridge: one.uid, chan: one, holding: false });
            tell(Event::Enter { bridge: one.uid, chan: two, holding: false });
        }
        b"Bridge" | b"Unlink" => {
            let (one, two) = ends(message);
            tell(Event::Leave { chan: one });
            tell(Event::Leave { chan: two });
        }
        b"MeetmeJoin" => tell(Event::Enter { bridge: get("Meetme"), chan: own(), holding: false }),
        b"MeetmeLeave" => tell(Event::Leave { chan: own() }),
        b"Newcallerid" => tell(Event::State(own())),
        b"Masquerade" => tell(Event::Masqueraded { clone: get("Clone"), original: get("Original") }),
        b"Transfer" if get("TransferType").eq_ignore_ascii_case(b"Blind") => {
            let who = Chan { name: get("TargetChannel"), uid: get("TargetUniqueid"), ..Chan::default() };
            tell(Event::Blind { by: own(), who, to: get("TransferExten") });
        }
        // A queue's member is called: the only sign of it, for queues dial without saying so.
        b"AgentCalled" if message.find("DestUniqueid").is_none() => {
            let from = Chan { name: get("ChannelCalling"), uid: get("Uniqueid"), ..Chan::default() };
            let name = message.find("DestinationChannel").unwrap_or(get("AgentCalled"));
            let to = Chan { name, ..Chan::default() };
            tell(Event::DialBegin { from: some(from), to, dialled: b"", per_leg: false });
        }
        b"AgentConnect" => {
            let caller = Chan { uid: get("Uniqueid"), ..Chan::default() };
            let member = Chan { name: get("Channel"), uid: get("BridgedChannel"), ..Chan::default() };
            tell(Event::AgentConnect { caller, member });
        }
        b"ParkedCall" => {
            let by = Chan { name: get("From"), ..Chan::default() };
            tell(Event::Parked { who: parkee(message), by, interface: get("From") });
        }
        b"UnParkedCall" => {
            let by = Chan { name: get("From"), ..Chan::default() };
            tell(Event::Unparked { who: parkee(message), by });
        }
        b"ParkedCallTimeOut" | b"ParkedCallGiveUp" => {
            tell(Event::ParkOver { who: parkee(message), given_up: name == b"ParkedCallGiveUp" });
        }
        _ => {}
    }
}

fn ends<'a>(message: &Message<'a>) -> (Chan<'a>, Chan<'a>) {
    let end = |name, uid, number| Chan {
        name: message.get(name),
        uid: message.get(uid),
        number: message.get(number),
        ..Chan::default()
    };
    (end("Channel1", "Uniqueid1", "CallerID1"), end("Channel2", "Uniqueid2", "CallerID2"))
}

fn parkee<'a>(message: &Message<'a>) -> Chan<'a> {
    Chan { name: message.get("Channel"), uid: message.get("Uniqueid"), ..Chan::default() }
}
