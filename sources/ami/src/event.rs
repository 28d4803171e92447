//! What happened, in one vocabulary for all versions of Asterisk.
//!
//! Versions differ in how they tell the same thing: which one speaks is seen from what arrives, never from the banner.
//! The newer events are decoded here, those of Asterisk 11 and before in [`older`](crate::older).

use crate::message::{Chan, Message};
use crate::older;

/// Something that happened to channels.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
pub enum Event<'a> {
    /// A channel was made.
    New(Chan<'a>),
    /// A channel's state has changed.
    State(Chan<'a>),
    /// A channel has another name: what is behind it may be another telephone.
    Renamed { uid: &'a [u8], name: &'a [u8] },
    /// The telephone behind one channel takes the place of another's (Asterisk 11 and before), by names.
    Masqueraded { clone: &'a [u8], original: &'a [u8] },
    /// A channel is dialled, by such a name of the way to it. Nobody dials for an Originate.
    DialBegin { from: Option<Chan<'a>>, to: Chan<'a>, dialled: &'a [u8], per_leg: bool },
    /// Dialling has ended; without `to` for all that `from` still dials.
    DialEnd { from: Option<Chan<'a>>, to: Option<Chan<'a>>, status: &'a [u8], forward: &'a [u8] },
    /// A channel came into a bridge. In a holding one nobody hears anybody.
    Enter { bridge: &'a [u8], chan: Chan<'a>, holding: bool },
    /// A channel left its bridge.
    Leave { chan: Chan<'a> },
    /// All of one bridge went over to another.
    BridgeMerged { from: &'a [u8], to: &'a [u8] },
    /// Somebody put the other side on hold, or took it off.
    Hold { chan: Chan<'a>, on: bool },
    /// The telephone itself hung up.
    HangupRequest(Chan<'a>),
    /// A channel is gone.
    Hangup { chan: Chan<'a>, cause: &'a [u8] },
    /// A caller waits in a queue.
    QueueJoin { chan: Chan<'a>, queue: &'a [u8] },
    /// A caller does not wait any more, for whatever reason.
    QueueLeave(Chan<'a>),
    /// A caller gave up waiting.
    QueueAbandon(Chan<'a>),
    /// A queue's caller talks with a member.
    AgentConnect { caller: Chan<'a>, member: Chan<'a> },
    /// A blind transfer.
    Blind { by: Chan<'a>, who: Chan<'a>, to: &'a [u8] },
    /// An attended transfer: two calls of one telephone are joined.
    Attended { first: Chan<'a>, second: Chan<'a>, who: Chan<'a>, target: Chan<'a>, done: bool },
    /// A call was parked; who did it is told as an interface.
    Parked { who: Chan<'a>, by: Chan<'a>, interface: &'a [u8] },
    /// A parked call was fetched.
    Unparked { who: Chan<'a>, by: Chan<'a> },
    /// Nobody fetched it: it goes back, or its caller gave up.
    ParkOver { who: Chan<'a>, given_up: bool },
    /// Somebody took a call that rang elsewhere.
    Pickup { by: Chan<'a>, target: Chan<'a> },
    /// A variable of the dialplan was set.
    Variable { chan: Chan<'a>, name: &'a [u8], value: &'a [u8] },
    /// A channel does something in the dialplan.
    Application { chan: Chan<'a>, application: &'a [u8] },
    /// A call detail record.
    Cdr(Cdr<'a>),
}

/// What a call detail record says that the events did not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cdr<'a> {
    /// The channel that the record is about.
    pub uid: &'a [u8],
    /// Whom it reached.
    pub destination_channel: &'a [u8],
    /// What it did last in the dialplan.
    pub application: &'a [u8],
    /// In the PBX's own time, without a zone.
    pub start: &'a [u8],
    /// Likewise; empty when nothing answered. Menus and queues answer too.
    pub answer: &'a [u8],
    /// Likewise.
    pub end: &'a [u8],
    /// `ANSWERED`, `NO ANSWER`, `BUSY`, `FAILED`.
    pub disposition: &'a [u8],
    /// The recording's name, where the administrator maps it into the event.
    pub recording: &'a [u8],
}

/// How much of an event is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nothing: it says nothing about calls that other events do not.
    Nothing,
    /// All of it.
    Whole,
    /// All of it when its variable is one that means something.
    Variable,
    /// All of it when its application is one that means something.
    Application,
}

/// Whether an event of this name is worth reading. Most are not, and are passed over by their first line alone.
pub fn interest(name: &[u8]) -> Interest {
    match name {
        b"VarSet" => Interest::Variable,
        b"Newexten" => Interest::Application,
        b"Newchannel"
        | b"Newstate"
        | b"Hangup"
        | b"HangupRequest"
        | b"DialBegin"
        | b"DialEnd"
        | b"DialState"
        | b"BridgeEnter"
        | b"BridgeLeave"
        | b"BridgeMerge"
        | b"Hold"
        | b"Unhold"
        | b"QueueCallerJoin"
        | b"QueueCallerLeave"
        | b"QueueCallerAbandon"
        | b"AgentConnect"
        | b"AgentCalled"
        | b"BlindTransfer"
        | b"AttendedTransfer"
        | b"ParkedCall"
        | b"UnParkedCall"
        | b"ParkedCallTimeOut"
        | b"ParkedCallGiveUp"
        | b"Pickup"
        | b"Rename"
        | b"Cdr"
        | b"NewCallerid"
        | b"NewConnectedLine" => Interest::Whole,
        _ if older::knows(name) => Interest::Whole,
        _ => Interest::Nothing,
    }
}

/// Applications of the dialplan that say something about the call.
pub fn telling(application: &[u8]) -> bool {
    matches!(application, b"VoiceMail" | b"Voicemail" | b"MacroVoiceMail")
}

/// Says what an event of this name means.
pub fn decode<'a>(name: &[u8], message: &Message<'a>, mut tell: impl FnMut(Event<'a>)) {
    let own = || message.chan("");
    let dest = || message.chan("Dest");
    let event = match name {
        b"Newchannel" => Event::New(own()),
        b"Newstate" | b"NewCallerid" | b"NewConnectedLine" => Event::State(own()),
        b"DialBegin" => {
            let dialled = message.get("DialString");
            Event::DialBegin { from: some(own()), to: dest(), dialled, per_leg: true }
        }
        b"DialState" => Event::State(dest()),
        b"DialEnd" => {
            let (status, forward) = (message.get("DialStatus"), message.get("Forward"));
            Event::DialEnd { from: some(own()), to: some(dest()), status, forward }
        }
        b"BridgeEnter" => Event::Enter {
            bridge: message.get("BridgeUniqueid"),
            chan: own(),
            holding: message.get("BridgeTechnology") == b"holding_bridge",
        },
        b"BridgeLeave" => Event::Leave { chan: own() },
        b"BridgeMerge" => {
            Event::BridgeMerged { from: message.get("FromBridgeUniqueid"), to: message.get("ToBridgeUniqueid") }
        }
        b"Hold" => Event::Hold { chan: own(), on: !message.get("Status").eq_ignore_ascii_case(b"Off") },
        b"Unhold" => Event::Hold { chan: own(), on: false },
        b"HangupRequest" => Event::HangupRequest(own()),
        b"Hangup" => Event::Hangup { chan: own(), cause: message.get("Cause") },
        b"QueueCallerJoin" | b"Join" => Event::QueueJoin { chan: own(), queue: message.get("Queue") },
        b"QueueCallerLeave" | b"Leave" => Event::QueueLeave(own()),
        b"QueueCallerAbandon" => Event::QueueAbandon(own()),
        b"AgentConnect" if message.find("DestUniqueid").is_some() => {
            Event::AgentConnect { caller: own(), member: dest() }
        }
        b"BlindTransfer" => {
            let (by, who) = (message.chan("Transferer"), message.chan("Transferee"));
            if !message.get("Result").eq_ignore_ascii_case(b"Success") {
                return;
            }
            Event::Blind { by, who, to: message.get("Extension") }
        }
        b"AttendedTransfer" => Event::Attended {
            first: message.chan("OrigTransferer"),
            second: message.chan("SecondTransferer"),
            who: message.chan("Transferee"),
            target: message.chan("TransferTarget"),
            done: message.get("Result").eq_ignore_ascii_case(b"Success"),
        },
        b"ParkedCall" if message.find("ParkeeUniqueid").is_some() => Event::Parked {
            who: message.chan("Parkee"),
            by: message.chan("Parker"),
            interface: message.get("ParkerDialString"),
        },
        b"UnParkedCall" if message.find("ParkeeUniqueid").is_some() => {
            Event::Unparked { who: message.chan("Parkee"), by: message.chan("Retriever") }
        }
        b"ParkedCallTimeOut" | b"ParkedCallGiveUp" if message.find("ParkeeUniqueid").is_some() => {
            Event::ParkOver { who: message.chan("Parkee"), given_up: name == b"ParkedCallGiveUp" }
        }
        b"Pickup" => {
            let target = message.chan("Target");
            Event::Pickup { by: own(), target }
        }
        b"Rename" => Event::Renamed { uid: message.get("Uniqueid"), name: message.get("Newname") },
        b"VarSet" => Event::Variable { chan: own(), name: message.get("Variable"), value: message.get("Value") },
        b"Newexten" => {
            let application = message.get("Application");
            let data = message.get("AppData");
            if application.eq_ignore_ascii_case(b"Set")
                && let Some(equals) = memchr::memchr(b'=', data)
            {
                tell(Event::Variable { chan: own(), name: data[..equals].trim_ascii(), value: &data[equals + 1..] });
            }
            Event::Application { chan: own(), application }
        }
        b"Cdr" => Event::Cdr(Cdr {
            uid: message.get("UniqueID"),
            destination_channel: message.get("DestinationChannel"),
            application: message.get("LastApplication"),
            start: message.get("StartTime"),
            answer: message.get("AnswerTime"),
            end: message.get("EndTime"),
            disposition: message.get("Disposition"),
            recording: message.get("recordingfile"),
        }),
        _ => return older::decode(name, message, tell),
    };
    tell(event);
}

/// A channel that is told at all.
pub fn some(chan: Chan<'_>) -> Option<Chan<'_>> {
    (!chan.uid.is_empty() || !chan.name.is_empty()).then_some(chan)
}
