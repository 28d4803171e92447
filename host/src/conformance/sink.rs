//! Adapters: one outcome for each change, and never a word of agreement that the outside system did not give.

use super::outside::Play;
use super::{Candidate, Report, specimen};
use crate::components::contract::{Ability, Change, Failure, Grant, Outcome};
use crate::model::{Numbering, Phone};

pub(super) async fn run(candidate: &Candidate, report: &mut Report) {
    if candidate.can(Ability::Grants) {
        grants(candidate, report).await;
    }
    if candidate.can(Ability::Directory) {
        directory(candidate, report).await;
    }
    if candidate.can(Ability::Sink) {
        sink(candidate, report).await;
    }
}

async fn grants(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "grants";
    for play in Play::REFUSING {
        let rule = format!("no grant comes of an outside system that {}", play.words());
        let tried = async {
            let previous = Grant { token: "what nobody ever issued".to_owned(), expires_at: None, attributes: vec![] };
            match candidate.on(play)?.issue(Some(previous)).await.0 {
                Ok(Ok(_)) => Err("it issued a grant".to_owned()),
                Ok(Err(failure)) => candidate.discreet(&failure.to_string()),
                Err(fault) => Err(fault.to_string()),
            }
        };
        report.asking(candidate, PART, rule, tried).await;
    }
    for play in Play::LYING {
        let rule = format!("lives through an outside system that {}", play.words());
        let tried = async { survived(candidate.on(play)?.issue(None).await.0.map(drop)) };
        report.asking(candidate, PART, rule, tried).await;
    }
}

async fn directory(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "directory";
    let mut phone = Phone::raw("+34600111222");
    Numbering::default().normalize(&mut phone);
    for play in Play::REFUSING {
        let rule = format!("nobody is not said of an outside system that {}", play.words());
        let tried = async {
            match candidate.on(play)?.find(phone.clone()).await.0 {
                Ok(Ok(found)) => Err(format!("it answered with {} matches", found.len())),
                Ok(Err(failure)) => candidate.discreet(&failure.to_string()),
                Err(fault) => Err(fault.to_string()),
            }
        };
        report.asking(candidate, PART, rule, tried).await;
    }
    for play in Play::LYING {
        let rule = format!("lives through an outside system that {}", play.words());
        let tried = async { survived(candidate.on(play)?.find(phone.clone()).await.0.map(drop)) };
        report.asking(candidate, PART, rule, tried).await;
    }
}

async fn sink(candidate: &Candidate, report: &mut Report) {
    const PART: &str = "sink";
    for play in Play::REFUSING {
        let rule = format!("says what the hub should do about an outside system that {}", play.words());
        let tried = async {
            let before = candidate.stage.asked();
            let outcomes = deliver(candidate, play).await?;
            let has_asked = candidate.stage.asked() > before;
            outcomes.iter().try_for_each(|outcome| judge(candidate, play, has_asked, outcome))
        };
        report.asking(candidate, PART, rule, tried).await;
    }
    for play in Play::LYING {
        let rule = format!("one outcome for each change of an outside system that {}", play.words());
        report.asking(candidate, PART, rule, async { deliver(candidate, play).await.map(drop) }).await;
    }
    let rule = "looks without harm whether it can work";
    let tried = async {
        for play in Play::REFUSING.into_iter().chain(Play::LYING) {
            let checked = candidate.on(play)?.check().await.0;
            survived(checked.map(drop)).map_err(|why| format!("{}: {why}", play.words()))?;
        }
        Ok(())
    };
    report.asking(candidate, PART, rule, tried).await;
}

/// Delivers records of every kind, as many at a time as the component takes.
async fn deliver(candidate: &Candidate, play: Play) -> Result<Vec<Outcome>, String> {
    let component = candidate.on(play)?;
    let most = usize::try_from(candidate.component.descriptor().batch).unwrap_or(usize::MAX).max(1);
    let changes = specimen::changes();
    let mut outcomes = Vec::new();
    for batch in changes.chunks(most) {
        let told = |why: String| format!("{why}\nover {}", batch.iter().map(name).collect::<Vec<_>>().join(", "));
        let answered = component.deliver(batch.to_vec()).await.0.map_err(|fault| told(fault.to_string()))?;
        outcomes.extend(answered);
    }
    Ok(outcomes)
}

fn name(change: &Change) -> String {
    format!("{} {:?}", change.subject.kind, change.subject.id)
}

/// Whether an outcome fits to an outside system that has done nothing.
fn judge(candidate: &Candidate, play: Play, has_asked: bool, outcome: &Outcome) -> Result<(), String> {
    let failure = match outcome {
        Outcome::Skipped(_) => return Ok(()),
        Outcome::Done(receipt) => return Err(format!("it says done, with the id {:?}", receipt.external_id)),
        Outcome::Failed(failure) => failure,
    };
    candidate.discreet(&failure.to_string())?;
    match fits(play, has_asked, failure) {
        true => Ok(()),
        false => Err(format!("what will pass is not to be taken for lasting: {failure:?}")),
    }
}

fn fits(play: Play, has_asked: bool, failure: &Failure) -> bool {
    match failure {
        Failure::Retryable { .. } => true,
        Failure::RateLimited { .. } => play == Play::TooMany,
        // Without a grant nothing was asked, and there is nobody else to say it.
        Failure::Unauthorized { .. } => !has_asked || matches!(play, Play::Stranger | Play::Elsewhere),
        Failure::Misconfigured { .. } => matches!(play, Play::Stranger | Play::Elsewhere),
        Failure::Rejected { .. } => play == Play::Elsewhere,
    }
}

impl Candidate {
    /// A text for people holds no secret.
    fn discreet(&self, text: &str) -> Result<(), String> {
        if self.leaks(text) { Err("the failure's text holds a secret of the settings".to_owned()) } else { Ok(()) }
    }
}

fn survived(result: Result<(), crate::components::Fault>) -> Result<(), String> {
    result.map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_turned_it_away_has_refused_the_grant() {
        let refused = Failure::Unauthorized { why: "no such session".to_owned() };
        let fitting: Vec<Play> = Play::REFUSING.into_iter().filter(|play| fits(*play, true, &refused)).collect();
        assert_eq!(fitting, [Play::Stranger, Play::Elsewhere]);
        assert!(fits(Play::Away, false, &refused), "it did not get that far");
        let parked = Failure::Rejected { code: "http-500".to_owned(), why: "answered 500".to_owned() };
        assert!(!fits(Play::Dead, true, &parked), "what will pass is not parked");
    }
}
