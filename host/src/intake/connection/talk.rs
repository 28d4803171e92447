//! One session at work: what happens is told to it in order, what it wants done is done in order.
//!
//! A session lives over reconnects. It ends when its component breaks down, when a newer component is there, or when
//! the connection is let go.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant as Moment, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::commit::Report;
use super::dial::{Refused, dial};
use super::driver::Driver;
use super::order::{Order, Reply};
use super::timers::Timers;
use super::wire::{Stream, Taken, Wire};
use crate::components::contract::{Ability, Action, CommandOutcome, Input};
use crate::components::{Fault, Session};
use crate::delivery::backoff;
use crate::model::Instant;

/// After a refusal that only a person can mend: soon enough to notice that it was mended over there, seldom enough not
/// to be locked out.
const LONG: Duration = Duration::from_secs(300);

/// A connection that stood so long was a good one: the next wait begins from the shortest.
const GOOD: Duration = Duration::from_secs(60);

/// Commands that a session may have under way.
const COMMANDS: usize = 1024;

/// Why a session ended.
pub(super) enum End {
    /// The connection is to be let go.
    Stopped,
    /// There is a newer component.
    Outdated,
    /// The component broke down.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Fault(fault)
    }
}

/// What there is of a connection.
enum Link {
    Waiting(Moment),
    Dialling(AbortOnDropHandle<Result<Box<dyn Stream>, Refused>>),
    Up { wire: Wire, since: Moment },
}

/// What comes from the link.
enum News {
    Due,
    Dialled(Result<Box<dyn Stream>, Refused>),
    Taken(Taken),
}

impl Link {
    /// Waits for what comes next. Nothing is lost when the wait is given up.
    async fn news(&mut self) -> News {
        match self {
            Link::Waiting(until) => {
                sleep_until(*until).await;
                News::Due
            }
            Link::Dialling(dialling) => News::Dialled(dialling.await.unwrap_or_else(|broken| {
                Err(Refused::Passing { why: format!("connecting broke down: {broken}"), after: None })
            })),
            Link::Up { wire, .. } => News::Taken(wire.next().await),
        }
    }
}

/// Why a connection is gone, and what that means for the next one.
struct Loss {
    why: String,
    misconfigured: bool,
    after: Option<Duration>,
}

impl Loss {
    fn passing(why: String) -> Self {
        Loss { why, misconfigured: false, after: None }
    }
}

/// A session and its connection.
pub(super) struct Talk<'a> {
    driver: &'a mut Driver,
    session: Session,
    link: Link,
    timers: Timers,
    /// Commands that the session has and has not answered.
    waiting: HashMap<String, Reply>,
    /// Connections in a row that did not come to much.
    tries: u32,
    /// Why the connection is to be given up, found while actions were carried out.
    loss: Option<Loss>,
}

impl<'a> Talk<'a> {
    /// A session that connects at once.
    pub fn new(driver: &'a mut Driver, session: Session) -> Self {
        let link = Link::Waiting(Moment::now());
        Talk { driver, session, link, timers: Timers::default(), waiting: HashMap::new(), tries: 0, loss: None }
    }

    /// Tells it what was left open, then lives until something ends it.
    pub async fn run(mut self, first: Option<Input>) -> End {
        let stop = self.driver.stop.clone();
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            end = self.live(first) => end,
        };
        let why = match &end {
            End::Stopped => "the hub let the connection go before an answer came",
            End::Outdated => "a newer component took over before an answer came",
            End::Fault(_) => "the component broke down before an answer came",
        };
        self.give_up(why);
        if let Link::Up { wire, .. } = self.link {
            wire.close().await;
            self.driver.gone();
        }
        end
    }

    async fn live(&mut self, first: Option<Input>) -> End {
        let mut inputs: Vec<Input> = first.into_iter().collect();
        loop {
            if !inputs.is_empty()
                && let Err(fault) = self.tell(std::mem::take(&mut inputs)).await
            {
                return End::Fault(fault);
            }
            if let Some(loss) = self.loss.take() {
                if let Some(closed) = self.lose(loss).await
                    && let Err(fault) = self.tell(vec![closed]).await
                {
                    return End::Fault(fault);
                }
                self.give_up("the connection was lost before an answer came");
                continue;
            }
            let orders = &mut self.driver.orders;
            tokio::select! {
                biased;
                () = self.driver.renew.notified() => {
                    if self.session.is_outdated(self.driver.entry().component.component()) {
                        return End::Outdated;
                    }
                }
                due = self.timers.next() => inputs.extend(due.into_iter().map(Input::Timer)),
                Some(order) = orders.recv() => inputs.extend(self.ordered(order)),
                news = self.link.news() => match self.hear(news) {
                    Ok(heard) => inputs.extend(heard),
                    Err(end) => return end,
                },
            }
        }
    }

    /// Commands that the session has not answered may have happened or not.
    fn give_up(&mut self, why: &str) {
        for (_, reply) in self.waiting.drain() {
            let _ = reply.send(Ok(CommandOutcome::Unknown(why.to_owned())));
        }
    }

    /// What the link says, as the session hears it.
    fn hear(&mut self, news: News) -> Result<Vec<Input>, End> {
        match news {
            News::Due => {
                if self.session.is_outdated(self.driver.entry().component.component()) {
                    return Err(End::Outdated);
                }
                self.driver.connects();
                let (entry, ca) = (self.driver.entry(), self.driver.spec.ca.clone());
                self.link = Link::Dialling(AbortOnDropHandle::new(tokio::spawn(dial(entry, ca))));
                Ok(Vec::new())
            }
            News::Dialled(Ok(stream)) => {
                let wire = Wire::new(stream, self.driver.board.traffic.clone());
                self.link = Link::Up { wire, since: Moment::now() };
                self.driver.came();
                Ok(vec![Input::Opened])
            }
            News::Dialled(Err(Refused::Fault(fault))) => Err(End::Fault(fault)),
            News::Dialled(Err(Refused::Misconfigured(why))) => {
                self.loss = Some(Loss { why, misconfigured: true, after: None });
                Ok(Vec::new())
            }
            News::Dialled(Err(Refused::Passing { why, after })) => {
                self.loss = Some(Loss { why, misconfigured: false, after });
                Ok(Vec::new())
            }
            News::Taken(Taken { bytes, ended }) => {
                self.loss = ended.map(Loss::passing);
                if bytes.is_empty() {
                    return Ok(Vec::new());
                }
                self.driver.board.heard();
                Ok(vec![Input::Bytes(bytes)])
            }
        }
    }

    /// A command on its way in. Without a connection it is not even begun.
    fn ordered(&mut self, order: Order) -> Option<Input> {
        if !matches!(self.link, Link::Up { .. }) {
            let (_, why) = self.driver.board.phase();
            order.refuse(why.as_deref().unwrap_or("the connection is not there yet"));
            return None;
        }
        if self.waiting.len() >= COMMANDS {
            order.refuse("too many commands are under way");
            return None;
        }
        let Order { command, reply } = order;
        self.waiting.insert(command.id.clone(), reply);
        Some(Input::Command(command))
    }

    /// Tells the session what happened, and does what it wants.
    async fn tell(&mut self, inputs: Vec<Input>) -> Result<(), Fault> {
        let committer = self.driver.committer.clone();
        let room = committer.room().await;
        let actions = self.session.handle(Instant::now(), inputs).await?;
        let mut report = Report::new(self.driver.entry());
        let mut later = Vec::new();
        for action in actions {
            match action {
                // The connection is given up: what comes now would be for the next one, which knows nothing of it.
                Action::Send(_) if self.loss.is_some() => {}
                // It may say that what came before was taken: so that must be in the ledger.
                Action::Send(bytes) if report.has_news() => later.push(bytes),
                Action::Send(bytes) => self.send(bytes),
                Action::Observe(observation) => match observation.check() {
                    Ok(()) => report.observe(*observation),
                    Err(rejected) => {
                        self.driver.board.refused.fetch_add(1, Ordering::Relaxed);
                        self.driver.warn(&format!("a report was left out: {rejected}"));
                    }
                },
                Action::SetTimer { number, after } => {
                    if !self.timers.set(number, after) {
                        return Err(Fault::Answer("it runs too many timers at once".to_owned()));
                    }
                }
                Action::CancelTimer(number) => self.timers.cancel(number),
                Action::Reconnect { why, misconfigured } => {
                    // Whoever refuses us may hang up in the same breath: the reason says more than the end.
                    if matches!(self.link, Link::Up { .. }) && (misconfigured || self.loss.is_none()) {
                        self.loss = Some(Loss { why: self.driver.redacted(&why), misconfigured, after: None });
                    }
                }
                Action::Answer { command, result } => match self.waiting.remove(&command) {
                    Some(reply) => report.answers.push((reply, result)),
                    None => self.driver.warn("the component answered a command that nobody waits for"),
                },
                Action::Start(job) if self.driver.can(Ability::Pull) => report.jobs.push(job),
                Action::Start(_) => self.driver.warn("the component starts a job and has no `pull`"),
                Action::Status(status) => self.driver.board.say(self.driver.redacted(&status)),
                Action::Other(name, _) => tracing::debug!(name, "an action of a later contract was passed over"),
            }
        }
        if !later.is_empty() {
            // What is cut short here was reported, and is committed all the same.
            let _ = room.committed(report).await;
            later.into_iter().for_each(|bytes| self.send(bytes));
        } else if report.has_news() || !report.answers.is_empty() {
            room.report(report);
        }
        Ok(())
    }

    fn send(&mut self, bytes: Vec<u8>) {
        let Link::Up { wire, .. } = &self.link else { return };
        if let Err(deaf) = wire.send(bytes) {
            self.loss.get_or_insert(Loss::passing(deaf.to_string()));
        }
    }

    /// The connection is gone, or never came to be: what the session hears of it, and when the next one is made.
    async fn lose(&mut self, loss: Loss) -> Option<Input> {
        let Loss { why, misconfigured, after } = loss;
        let before = std::mem::replace(&mut self.link, Link::Waiting(Moment::now()));
        let mut input = None;
        if let Link::Up { wire, since } = before {
            wire.close().await;
            if since.elapsed() >= GOOD {
                self.tries = 0;
            }
            input = Some(Input::Closed(why.clone()));
        }
        self.tries = self.tries.saturating_add(1);
        let backoff = self.driver.spec.backoff;
        let wait = match misconfigured {
            true => LONG,
            false => backoff::wait(self.tries, backoff.first, backoff.ceiling, after),
        };
        self.link = Link::Waiting(Moment::now() + wait);
        self.driver.lost(&why, misconfigured, wait);
        input
    }
}
