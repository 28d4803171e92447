//! What is behind a socket: a state machine that no bytes bring down, and that answers every command once.

use super::outside::Play;
use super::specimen::moment;
use super::{Candidate, Report};
use crate::components::Session;
use crate::components::contract::{Ability, Action, Command, Input, Left};

const PART: &str = "connection";

pub(super) async fn run(candidate: &Candidate, report: &mut Report) {
    if !candidate.can(Ability::Connection) {
        return;
    }
    let target = async {
        let asked = candidate.on(Play::Away)?.target().await.0;
        asked.map(drop).map_err(|fault| fault.to_string())
    };
    report.rule(PART, "says where to connect, or why it cannot", target.await);
    report.rule(PART, "lives through bytes that mean nothing", fed(candidate, noise(64 << 10), 1000).await);
    report.rule(PART, "lives through one byte at a time", fed(candidate, noise(2 << 10), 1).await);
    report.rule(PART, "is bounded, whatever the other side sends: one line of 32 MiB", flooded(candidate, b"a").await);
    report.rule(
        PART,
        "is bounded, whatever the other side sends: 32 MiB of short lines",
        flooded(candidate, b"a: b\r\n").await,
    );
    report.rule(PART, "answers a command that it does not know, once", answered(candidate).await);
    report.rule(PART, "reports nothing before anything was said", silent(candidate).await);
}

async fn begun(candidate: &Candidate) -> Result<Session, String> {
    let mut session = candidate.on(Play::Away)?.open_session().await.map_err(|fault| fault.to_string())?;
    tell(&mut session, 0, vec![Input::Left(Left { heard: moment(0), unfinished: Vec::new() }), Input::Opened]).await?;
    Ok(session)
}

async fn tell(session: &mut Session, after: u64, inputs: Vec<Input>) -> Result<Vec<Action>, String> {
    let actions = session.handle(moment(after), inputs).await.map_err(|fault| fault.to_string())?;
    for action in &actions {
        match action {
            Action::Observe(observation) => {
                observation.check().map_err(|rejected| format!("an observation that the hub refuses: {rejected}"))?;
            }
            Action::SetTimer { number, after } if after.is_zero() => {
                return Err(format!("timer {number} goes off at once, over and over"));
            }
            _ => {}
        }
    }
    Ok(actions)
}

/// Bytes in pieces, every timer that was set, the end, and a new beginning.
async fn fed(candidate: &Candidate, bytes: Vec<u8>, piece: usize) -> Result<(), String> {
    let mut session = begun(candidate).await?;
    let mut clock = 1;
    let mut timers = Vec::new();
    for piece in bytes.chunks(piece) {
        clock += 1;
        for action in tell(&mut session, clock, vec![Input::Bytes(piece.to_vec())]).await? {
            if let Action::SetTimer { number, .. } = action {
                timers.push(number);
            }
        }
    }
    timers.push(4711);
    for number in timers {
        clock += 60_000;
        tell(&mut session, clock, vec![Input::Timer(number)]).await?;
    }
    tell(&mut session, clock + 1, vec![Input::Closed("the trial ends it".to_owned()), Input::Opened]).await?;
    // A clock that goes back is a clock that was set.
    tell(&mut session, 0, vec![Input::Bytes(b"\r\n".to_vec())]).await.map(drop)
}

async fn flooded(candidate: &Candidate, pattern: &[u8]) -> Result<(), String> {
    let mut session = begun(candidate).await?;
    let piece: Vec<u8> = pattern.iter().copied().cycle().take(64 << 10).collect();
    for n in 0..512 {
        let actions = tell(&mut session, n, vec![Input::Bytes(piece.clone())]).await?;
        if actions.iter().any(|action| matches!(action, Action::Reconnect { .. })) {
            return Ok(());
        }
    }
    Ok(())
}

async fn answered(candidate: &Candidate) -> Result<(), String> {
    let mut session = begun(candidate).await?;
    let command = Command {
        id: "conformance".to_owned(),
        name: "no.such-command".to_owned(),
        agent: None,
        arguments: "{}".to_owned(),
    };
    let mut actions = tell(&mut session, 1, vec![Input::Command(command)]).await?;
    actions.extend(tell(&mut session, 2, vec![Input::Closed("the trial ends it".to_owned())]).await?);
    let answers =
        actions.iter().filter(|action| matches!(action, Action::Answer { command, .. } if command == "conformance"));
    match answers.count() {
        1 => Ok(()),
        0 => Err("no answer, also after the connection was gone".to_owned()),
        more => Err(format!("{more} answers")),
    }
}

async fn silent(candidate: &Candidate) -> Result<(), String> {
    let mut session = candidate.on(Play::Away)?.open_session().await.map_err(|fault| fault.to_string())?;
    let actions = tell(&mut session, 0, vec![Input::Opened, Input::Closed("gone".to_owned()), Input::Opened]).await?;
    match actions.iter().any(|action| matches!(action, Action::Observe(_))) {
        true => Err("it reported something".to_owned()),
        false => Ok(()),
    }
}

/// The same bytes in every trial: lines, colons and anything else.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    };
    (0..length)
        .map(|_| match next(&mut state) % 8 {
            0 => b'\r',
            1 => b'\n',
            2 => b':',
            3 => 0,
            _ => (next(&mut state) >> 32) as u8,
        })
        .collect()
}
