//! What is told by HTTP, read page by page, or asked to do things.

use super::outside::Play;
use super::{Candidate, Report, specimen};
use crate::components::contract::{Ability, Command, CommandOutcome, Failure, Job, Performed};

pub(super) async fn run(candidate: &Candidate, report: &mut Report) {
    if candidate.can(Ability::Webhook) {
        webhook(candidate, report).await;
    }
    if candidate.can(Ability::Endpoint) {
        endpoint(candidate, report).await;
    }
    if candidate.can(Ability::Pull) {
        pull(candidate, report).await;
    }
    if candidate.can(Ability::Commands) {
        commands(candidate, report).await;
    }
}

async fn webhook(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "webhook";
    for (words, request) in specimen::requests() {
        let tried = async {
            match candidate.on(Play::Away)?.receive(request).await {
                Ok(Ok(accepted)) if accepted.observations.is_empty() && accepted.jobs.is_empty() => Ok(()),
                Ok(Ok(accepted)) => Err(format!(
                    "it reported {} observations and started {} jobs",
                    accepted.observations.len(),
                    accepted.jobs.len()
                )),
                Ok(Err(_)) => Ok(()),
                Err(fault) => Err(fault.to_string()),
            }
        };
        report.rule(PART, format!("nothing comes of an unproved request with {words}"), tried.await);
    }
}

async fn endpoint(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "endpoint";
    for (words, request) in specimen::requests() {
        let tried = async {
            let answer = candidate.on(Play::Away)?.handle(request).await.0.map_err(|fault| fault.to_string())?;
            match (answer.observations.len(), answer.commands.len()) {
                (0, 0) => Ok(()),
                (observations, commands) => {
                    Err(format!("{observations} observations and {commands} commands came of it"))
                }
            }
        };
        report.rule(PART, format!("nothing comes of an unproved request with {words}"), tried.await);
    }
}

async fn pull(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "pull";
    let job = |kind: &str| Job {
        id: "conformance".to_owned(),
        kind: kind.to_owned(),
        parameters: "{}".to_owned(),
        ..Job::default()
    };
    let tried = async {
        match candidate.on(Play::Away)?.next(job("no-such-kind"), None).await.0 {
            Ok(Ok(_)) => Err("it answered with a page".to_owned()),
            Ok(Err(_)) => Ok(()),
            Err(fault) => Err(fault.to_string()),
        }
    };
    report.rule(PART, "refuses a job of an unknown kind", tried.await);
    let tried = async {
        for cursor in [vec![], vec![0xff; 64], b"null".to_vec(), vec![b'9'; 4096]] {
            let page = candidate.on(Play::Away)?.next(job("sync"), Some(cursor.clone())).await.0;
            page.map(drop).map_err(|fault| format!("{fault}\nwith the cursor {cursor:02x?}"))?;
        }
        Ok(())
    };
    report.rule(PART, "lives through a cursor that it never gave", tried.await);
    for play in Play::REFUSING.into_iter().chain(Play::LYING) {
        let rule = format!("lives through an outside system that {}", play.words());
        let tried = async {
            let page = candidate.on(play)?.next(job("sync"), None).await.0;
            page.map(drop).map_err(|fault| fault.to_string())
        };
        report.asking(candidate, PART, rule, tried).await;
    }
}

async fn commands(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "commands";
    let command = |name: &str, arguments: &str| Command {
        id: "conformance".to_owned(),
        name: name.to_owned(),
        agent: None,
        arguments: arguments.to_owned(),
    };
    let tried = async {
        match candidate.on(Play::Away)?.perform(command("no.such-command", "{}")).await.0 {
            Ok(Performed { result: Err(Failure::Rejected { .. }), .. }) => Ok(()),
            other => Err(format!("it answered {other:?}")),
        }
    };
    report.rule(PART, "rejects a command that it does not know", tried.await);
    for name in ["message.send", "call.originate", "session.connect"] {
        let tried = async {
            for arguments in ["{}", "[]", "null", "{\"to\": 7, \"call\": null}", "{"] {
                match candidate.on(Play::Away)?.perform(command(name, arguments)).await.0 {
                    Ok(Performed { result: Ok(CommandOutcome::Done(_)), .. }) => {
                        return Err(format!("it is done with the arguments {arguments}"));
                    }
                    Ok(_) => {}
                    Err(fault) => return Err(format!("{fault}\nwith the arguments {arguments}")),
                }
            }
            Ok(())
        };
        report.rule(PART, format!("does nothing for a `{name}` with arguments that are none"), tried.await);
    }
}
