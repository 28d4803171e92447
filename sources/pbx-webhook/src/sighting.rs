//! From the texts that a body holds to an observation of a call. Every format ends here, so every format has the same
//! limits and the same words.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::contract::{Agent, Call, CallPhase, Desk, Direction, Item, Observation, Party, Phone, Recording, Trust};
use crate::refused::{Refused, Shown};
use crate::time::{self, Clock, Moment, Unit};
use crate::words::{self, Plain, State};

/// A text and where in the body it stands.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// The text, never blank.
    pub text: Cow<'a, str>,
    /// A JSON pointer or the name of a form field.
    pub place: Cow<'a, str>,
}

/// Any number of texts; most bodies have one, which then needs no list.
#[derive(Debug)]
pub enum Seens<'a> {
    /// One or none.
    One(Option<Seen<'a>>),
    /// Any number.
    Many(Vec<Seen<'a>>),
}

impl Default for Seens<'_> {
    fn default() -> Self {
        Seens::One(None)
    }
}

impl<'a> Seens<'a> {
    fn as_slice(&self) -> &[Seen<'a>] {
        match self {
            Seens::One(seen) => seen.as_slice(),
            Seens::Many(seen) => seen,
        }
    }
}

/// The texts of one call.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Sighting<'a> {
    pub id: Option<Seen<'a>>,
    pub caller: Option<Seen<'a>>,
    pub caller_name: Option<Seen<'a>>,
    pub callee: Option<Seen<'a>>,
    pub callee_name: Option<Seen<'a>>,
    pub line: Option<Seen<'a>>,
    pub queue: Option<Seen<'a>>,
    pub agent: Option<Seen<'a>>,
    pub agent_name: Option<Seen<'a>>,
    pub direction: Option<Direction>,
    /// One for each leg; most bodies have one.
    pub statuses: Seens<'a>,
    pub outcome: Option<Cow<'a, str>>,
    pub started_at: Option<Seen<'a>>,
    pub answered_at: Option<Seen<'a>>,
    pub ended_at: Option<Seen<'a>>,
    /// When the sender saw it so.
    pub at: Option<Seen<'a>>,
    pub duration: Option<Seen<'a>>,
    pub talk: Option<Seen<'a>>,
    pub hold: Option<Seen<'a>>,
    pub wait: Option<Seen<'a>>,
    pub hangup_cause: Option<Seen<'a>>,
    pub hangup_by: Option<Seen<'a>>,
    pub recordings: Seens<'a>,
    pub system: Option<Seen<'a>>,
    pub notes: Option<Seen<'a>>,
    pub attributes: Vec<(Cow<'a, str>, Seen<'a>)>,
}

/// How the texts are to be read.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Where the call's id was looked for, for the sentence that says it is missing.
    pub id_place: String,
    /// Times.
    pub clock: Clock,
    /// What a plain number of a duration counts.
    pub unit: Unit,
    /// Status words of this PBX, before the usual ones.
    pub statuses: HashMap<String, State>,
    /// What every body of this kind shows at least.
    pub phase: Option<CallPhase>,
    /// Stands before the names of recordings.
    pub recording_base: String,
    /// How far the observation is to be believed.
    pub trust: Trust,
}

const ID: usize = 255;
const NUMBER: usize = 64;
const WORD: usize = 255;
const LINK: usize = 4096;
const NOTES: usize = 64 * 1024;

impl Sighting<'_> {
    /// Checks everything and puts the observation together.
    pub fn observe(self, rules: &Rules) -> Result<Observation, Refused> {
        let Some(id) = self.id else {
            return Err(Refused::at(
                &*rules.id_place,
                "there is no call id: every post must name its call, with the same id from ringing to the end",
            ));
        };
        check(&id, ID, Controls::Refused, "an id")?;
        let times = Times::read(&rules.clock, &self.started_at, &self.answered_at, &self.ended_at)?;
        let event = read_time(&rules.clock, &self.at)?;
        let (state, unknown) = combine(self.statuses.as_slice(), rules);
        let phase = [state.phase, rules.phase, times.phase()].into_iter().flatten().max_by_key(|phase| *phase as u8);
        let caller = party(self.caller, self.caller_name)?;
        let callee = party(self.callee, self.callee_name)?;
        let agent = agent(self.agent, self.agent_name)?;
        let mut call = Call {
            phase,
            outcome: self.outcome.map(Cow::into_owned).or_else(|| outcome(&state, &times)),
            direction: self.direction,
            caller: tied(caller, agent.as_ref()),
            callee: tied(callee, agent.as_ref()),
            line: self.line.map(number).transpose()?.and_then(|line| line.0),
            queue: word(self.queue, "a queue")?,
            started_at: times.started.map(|moment| moment.at),
            answered_at: times.answered.map(|moment| moment.at),
            ended_at: times.ended.map(|moment| moment.at),
            duration: seconds(self.duration, rules.unit)?,
            talk: seconds(self.talk, rules.unit)?,
            hold: seconds(self.hold, rules.unit)?,
            wait: seconds(self.wait, rules.unit)?,
            hangup_cause: cause(self.hangup_cause)?,
            hangup_by: word(self.hangup_by, "who hung up")?,
            recordings: recordings(self.recordings.as_slice(), &rules.recording_base)?,
            system: word(self.system, "a system")?,
            notes: text(self.notes, NOTES, "a note")?,
            attributes: attributes(self.attributes, unknown)?,
            ..Call::default()
        };
        call.desks = desk(&call, agent.as_ref()).into_iter().collect();
        call.agent = agent;
        Ok(Observation {
            id: id.text.into_owned(),
            also: Vec::new(),
            at: event.map(|moment| moment.at).or_else(|| times.of(phase)),
            trust: rules.trust,
            item: Item::Call(call),
        })
    }
}

/// The times of the call, in order.
struct Times {
    started: Option<Moment>,
    answered: Option<Moment>,
    ended: Option<Moment>,
}

impl Times {
    fn read(
        clock: &Clock,
        started: &Option<Seen<'_>>,
        answered: &Option<Seen<'_>>,
        ended: &Option<Seen<'_>>,
    ) -> Result<Self, Refused> {
        let mut times = Times {
            started: read_time(clock, started)?,
            answered: read_time(clock, answered)?,
            ended: read_time(clock, ended)?,
        };
        let begun = [times.started, times.answered].into_iter().flatten().map(|moment| moment.at).max();
        if let (Some(begun), Some(end), Some(place)) = (begun, &mut times.ended, ended)
            && end.at < begun
        {
            // The call went on while the clocks were set back: its end is in the second of the two hours.
            match end.again {
                Some(again) if again >= begun => end.at = again,
                _ => {
                    return Err(Refused::at(
                        &*place.place,
                        format!(
                            "the call would end {} s before it began or was answered: its duration would be negative",
                            (begun - end.at).div_ceil(1000)
                        ),
                    ));
                }
            }
        }
        Ok(times)
    }

    fn phase(&self) -> Option<CallPhase> {
        if self.ended.is_some() {
            Some(CallPhase::Ended)
        } else if self.answered.is_some() {
            Some(CallPhase::Answered)
        } else {
            self.started.map(|_| CallPhase::Ringing)
        }
    }

    /// When the call was as it is reported. A body that says it was answered and not when is taken for later than the
    /// start by a millisecond, so that of two bodies the one further along is believed, whichever comes last.
    fn of(&self, phase: Option<CallPhase>) -> Option<u64> {
        let known = [self.started, self.answered, self.ended].into_iter().flatten().map(|moment| moment.at).max()?;
        Some(match phase {
            Some(CallPhase::Answered) if self.answered.is_none() => known + 1,
            Some(CallPhase::Ended) if self.ended.is_none() => known + 2,
            _ => known,
        })
    }
}

fn read_time(clock: &Clock, seen: &Option<Seen<'_>>) -> Result<Option<Moment>, Refused> {
    match seen {
        Some(seen) => clock.read(&seen.text).map_err(|why| Refused::at(&*seen.place, why)),
        None => Ok(None),
    }
}

/// What the status words say together, and those that nobody knows. With a word for each leg the call has ended when
/// all legs have, and until then is as far as the furthest of those that have not.
fn combine<'a>(statuses: &[Seen<'a>], rules: &Rules) -> (State, Option<Seen<'a>>) {
    let mut furthest = State::default();
    let mut ended: Option<State> = None;
    let mut unknown = None;
    for seen in statuses {
        let plain = Plain::of(&seen.text);
        let own = (!rules.statuses.is_empty()).then(|| rules.statuses.get(plain.as_str())).flatten();
        let Some(state) = own.cloned().or_else(|| words::status(&plain)) else {
            unknown = unknown.or_else(|| Some(seen.clone()));
            continue;
        };
        match state.phase {
            Some(CallPhase::Ended) => ended = ended.or(Some(state)),
            phase if phase.map(|phase| phase as u8) >= furthest.phase.map(|phase| phase as u8) => furthest = state,
            _ => {}
        }
    }
    match ended {
        Some(ended) if furthest == State::default() => (ended, unknown),
        _ => (furthest, unknown),
    }
}

/// How the call went. That it was answered at some moment weighs more than why a leg of it ended, and less than what
/// says who answered.
fn outcome(state: &State, times: &Times) -> Option<String> {
    match state.outcome.as_deref() {
        Some("voicemail") => Some("voicemail".to_owned()),
        _ if times.answered.is_some() => Some("answered".to_owned()),
        outcome => outcome.map(str::to_owned),
    }
}

/// A telephone rings when a post that says so names one.
fn desk(call: &Call, agent: Option<&Agent>) -> Option<Desk> {
    let extension = agent?.extension.clone()?;
    let callers_own = call.caller.as_ref().is_some_and(|caller| caller.agent.is_some());
    if call.phase != Some(CallPhase::Ringing) || call.direction == Some(Direction::Outbound) || callers_own {
        return None;
    }
    Some(Desk { extension, rang_at: call.started_at?, answered_at: None, stopped_at: None })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Controls {
    Refused,
    Allowed,
}

/// The limits of a text: its length in bytes, and no NUL.
fn check(seen: &Seen<'_>, limit: usize, controls: Controls, what: &str) -> Result<(), Refused> {
    if seen.text.len() > limit {
        let length = seen.text.len();
        return Err(Refused::at(&*seen.place, format!("{length} bytes: {what} has {limit} at most")));
    }
    let bad = |byte: u8| byte == 0 || (controls == Controls::Refused && byte.is_ascii_control());
    if seen.text.bytes().any(bad) {
        return Err(Refused::at(
            &*seen.place,
            format!("{} holds a control character, which {what} never has", Shown(&seen.text)),
        ));
    }
    Ok(())
}

fn text(seen: Option<Seen<'_>>, limit: usize, what: &str) -> Result<Option<String>, Refused> {
    let Some(seen) = seen else { return Ok(None) };
    check(&seen, limit, Controls::Allowed, what)?;
    Ok(Some(seen.text.into_owned()))
}

fn word(seen: Option<Seen<'_>>, what: &str) -> Result<Option<String>, Refused> {
    text(seen, WORD, what)
}

/// A number, and the name when both are written in one: `Ada Lovelace <1001>`. A withheld number is none.
fn number(seen: Seen<'_>) -> Result<(Option<Phone>, Option<String>), Refused> {
    let whole = seen.text.trim();
    let (name, raw) = match whole.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, raw)) => (name.trim().trim_matches('"').trim(), raw.trim()),
        None => ("", whole),
    };
    let mut raw = raw;
    if let Some((scheme, rest)) = raw.split_once(':')
        && ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    {
        raw = rest.split(['@', ';']).next().unwrap_or(rest);
    }
    let shown = Seen { text: Cow::Borrowed(raw), place: seen.place.clone() };
    check(&shown, NUMBER, Controls::Refused, "a telephone number")?;
    let name = Seen { text: Cow::Borrowed(name), place: seen.place.clone() };
    check(&name, WORD, Controls::Allowed, "a name")?;
    let withheld = ["anonymous", "unknown", "restricted", "private", "withheld", "unavailable", "null", "<unknown>"];
    let none = raw.is_empty() || withheld.iter().any(|word| raw.eq_ignore_ascii_case(word));
    let phone = (!none).then(|| Phone { raw: raw.to_owned(), e164: None, national: None, variants: Vec::new() });
    Ok((phone, (!name.text.is_empty()).then(|| name.text.into_owned())))
}

fn party(seen: Option<Seen<'_>>, name: Option<Seen<'_>>) -> Result<Option<Party>, Refused> {
    let name = word(name, "a name")?;
    let (phone, written) = seen.map(number).transpose()?.unwrap_or_default();
    let name = name.or(written);
    Ok((phone.is_some() || name.is_some()).then_some(Party { number: phone, name, agent: None }))
}

fn agent(extension: Option<Seen<'_>>, name: Option<Seen<'_>>) -> Result<Option<Agent>, Refused> {
    let name = word(name, "a name")?;
    let (extension, written) = match extension {
        Some(seen) => {
            check(&seen, NUMBER + WORD, Controls::Refused, "an extension")?;
            number(seen)?
        }
        None => (None, None),
    };
    let name = name.or(written);
    let extension = extension.map(|phone| phone.raw);
    Ok((extension.is_some() || name.is_some()).then_some(Agent { extension, name, user: None }))
}

/// A side whose number is the agent's extension is the agent.
fn tied(party: Option<Party>, agent: Option<&Agent>) -> Option<Party> {
    let mut party = party?;
    if let (Some(number), Some(agent)) = (&party.number, agent)
        && agent.extension.as_deref() == Some(&number.raw)
    {
        party.agent = Some(agent.clone());
    }
    Some(party)
}

fn seconds(seen: Option<Seen<'_>>, unit: Unit) -> Result<Option<u32>, Refused> {
    let Some(seen) = seen else { return Ok(None) };
    time::duration(&seen.text, unit).map(Some).map_err(|why| Refused::at(&*seen.place, why))
}

fn cause(seen: Option<Seen<'_>>) -> Result<Option<u16>, Refused> {
    let Some(seen) = seen else { return Ok(None) };
    match seen.text.trim().parse::<u16>() {
        Ok(0) => Ok(None),
        Ok(cause) if cause <= 1000 => Ok(Some(cause)),
        _ => Err(Refused::at(
            &*seen.place,
            format!("{} is not a Q.850 cause: send its number, 16 for a normal end", Shown(&seen.text)),
        )),
    }
}

fn recordings(seen: &[Seen<'_>], base: &str) -> Result<Vec<Recording>, Refused> {
    let mut recordings: Vec<Recording> = Vec::with_capacity(seen.len());
    for seen in seen {
        check(seen, LINK, Controls::Refused, "a recording's link")?;
        let id = seen.text.trim();
        let linked = ["http://", "https://"].iter().any(|scheme| id.starts_with(scheme));
        let url = match (linked, base) {
            (true, _) => Some(id.to_owned()),
            (false, "") => None,
            (false, base) => Some(format!("{}/{}", base.trim_end_matches('/'), id.trim_start_matches('/'))),
        };
        if !recordings.iter().any(|recording| recording.id == id) {
            recordings.push(Recording { id: id.to_owned(), url, ..Recording::default() });
        }
    }
    Ok(recordings)
}

fn attributes(
    seen: Vec<(Cow<'_, str>, Seen<'_>)>,
    unknown_status: Option<Seen<'_>>,
) -> Result<Vec<(String, String)>, Refused> {
    let status = unknown_status.map(|seen| (Cow::Borrowed("status"), seen));
    let mut attributes: Vec<(String, String)> = Vec::new();
    for (name, seen) in seen.into_iter().chain(status) {
        check(&seen, LINK, Controls::Allowed, "an attribute")?;
        if !attributes.iter().any(|(known, _)| *known == name) {
            attributes.push((name.into_owned(), seen.text.into_owned()));
        }
    }
    Ok(attributes)
}
