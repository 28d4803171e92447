//! Events as Asterisk 12 and later writes them, for calls that no recording has.

use super::Hub;

/// One channel, as events tell of it.
#[derive(Clone)]
pub struct Line {
    pub name: String,
    pub uid: String,
    pub linked: String,
    pub state: u8,
    pub number: String,
    pub caller: String,
    pub connected: String,
    pub context: String,
    pub exten: String,
}

impl Line {
    fn of(name: &str, uid: &str, linked: &str, context: &str, exten: &str) -> Self {
        let text = str::to_owned;
        let unknown = text("<unknown>");
        Self {
            name: text(name),
            uid: text(uid),
            linked: text(linked),
            state: 0,
            number: unknown.clone(),
            caller: unknown.clone(),
            connected: unknown,
            context: text(context),
            exten: text(exten),
        }
    }

    /// A call from outside.
    pub fn outside(uid: &str, number: &str, did: &str) -> Self {
        let name = format!("PJSIP/trunk-{:0>8}", uid.replace('.', ""));
        Self { state: 4, number: number.to_owned(), ..Self::of(&name, uid, uid, "from-trunk", did) }
    }

    /// A telephone that dials.
    pub fn dials(uid: &str, extension: &str, exten: &str) -> Self {
        Self { state: 4, ..Self::phone(uid, uid, extension) }.at("from-internal", exten)
    }

    /// A telephone that is called.
    pub fn phone(uid: &str, linked: &str, extension: &str) -> Self {
        let name = format!("PJSIP/{extension}-{:0>8}", uid.replace('.', ""));
        Self {
            number: extension.to_owned(),
            caller: format!("Desk {extension}"),
            ..Self::of(&name, uid, linked, "from-internal", "s")
        }
    }

    /// A number outside that is called.
    pub fn trunk(uid: &str, linked: &str) -> Self {
        Self::of(&format!("PJSIP/trunk-{:0>8}", uid.replace('.', "")), uid, linked, "from-trunk", "s")
    }

    /// Half of a Local channel.
    pub fn local(uid: &str, linked: &str, exten: &str, context: &str, half: u8) -> Self {
        let state = if half == 1 { 0 } else { 4 };
        let name = format!("Local/{exten}@{context}-0000000a;{half}");
        Self { state, ..Self::of(&name, uid, linked, context, exten) }
    }

    pub fn at(mut self, context: &str, exten: &str) -> Self {
        (self.context, self.exten) = (context.to_owned(), exten.to_owned());
        self
    }

    pub fn in_state(&self, state: u8) -> Self {
        Self { state, ..self.clone() }
    }

    pub fn fields(&self, prefix: &str) -> String {
        let Self { name, uid, linked, state, number, caller, connected, context, exten } = self;
        format!(
            "{prefix}Channel: {name}\r\n{prefix}ChannelState: {state}\r\n{prefix}CallerIDNum: {number}\r\n\
             {prefix}CallerIDName: {caller}\r\n{prefix}ConnectedLineNum: {connected}\r\n\
             {prefix}ConnectedLineName: <unknown>\r\n{prefix}Language: en\r\n{prefix}AccountCode: \r\n\
             {prefix}Context: {context}\r\n{prefix}Exten: {exten}\r\n{prefix}Priority: 1\r\n\
             {prefix}Uniqueid: {uid}\r\n{prefix}Linkedid: {linked}\r\n"
        )
    }
}

impl Hub {
    /// An event comes, ten milliseconds after what was before.
    pub fn event(&mut self, name: &str, lines: &[(&str, &Line)], more: &str) {
        self.wait(10);
        let fields: String = lines.iter().map(|(prefix, line)| line.fields(prefix)).collect();
        let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
        self.lines(format!("Event: {name}\r\nPrivilege: call,all\r\n{fields}{more}").trim_end_matches("\r\n"));
    }

    pub fn new_channel(&mut self, line: &Line) {
        self.event("Newchannel", &[("", line)], "");
    }

    pub fn state(&mut self, line: &Line, state: u8) {
        self.event("Newstate", &[("", &line.in_state(state))], "");
    }

    /// A telephone or a Local channel is made and dialled.
    pub fn dial(&mut self, from: &Line, to: &Line) {
        self.new_channel(to);
        self.event("DialBegin", &[("", from), ("Dest", to)], "DialString: x");
    }

    pub fn rings(&mut self, to: &Line) {
        self.state(to, 5);
    }

    pub fn dial_end(&mut self, from: &Line, to: &Line, status: &str) {
        self.event("DialEnd", &[("", from), ("Dest", to)], &format!("DialStatus: {status}"));
    }

    pub fn answers(&mut self, from: &Line, to: &Line) {
        self.state(to, 6);
        self.dial_end(from, &to.in_state(6), "ANSWER");
    }

    pub fn bridge(&mut self, bridge: &str, lines: &[&Line]) {
        for line in lines {
            let more = format!("BridgeUniqueid: {bridge}\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge");
            self.event("BridgeEnter", &[("", line)], &more);
        }
    }

    pub fn unbridge(&mut self, bridge: &str, lines: &[&Line]) {
        for line in lines {
            self.event("BridgeLeave", &[("", line)], &format!("BridgeUniqueid: {bridge}"));
        }
    }

    pub fn hangs_up(&mut self, line: &Line) {
        self.event("HangupRequest", &[("", line)], "");
    }

    pub fn hangup(&mut self, line: &Line, cause: u16) {
        self.event("Hangup", &[("", line)], &format!("Cause: {cause}\r\nCause-txt: x"));
    }

    /// An outside caller rings a telephone, which answers after two seconds.
    pub fn talk(&mut self, caller: &Line, phone: &Line) {
        self.new_channel(caller);
        self.dial(caller, phone);
        self.rings(phone);
        self.wait(2_000);
        self.answers(caller, phone);
        self.state(caller, 6);
        self.bridge(&format!("b{}", caller.uid), &[phone, caller]);
        self.wait(3_000);
    }
}
