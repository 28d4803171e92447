//! Telling a person: by the log always, by a webhook and by mail where the configuration names them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::config::Alerts;

/// Something that a person should look at.
#[derive(Clone, Debug, Serialize)]
pub struct Alert {
    /// `parked`, `paused`.
    pub kind: &'static str,
    /// Whose.
    pub tenant: String,
    /// The sink or the source.
    pub name: String,
    /// The delivery, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<i64>,
    /// What happened and what would mend it. No secrets.
    pub why: String,
    /// How many more of the same kind and lane there were since the last one that was sent.
    pub more: u32,
}

/// Takes alerts from anywhere and never makes anybody wait.
#[derive(Clone)]
pub struct Bell(mpsc::Sender<Alert>);

/// One webhook and one mail for a lane and kind in this time; the rest is counted.
const QUIET: Duration = Duration::from_secs(300);

/// Alerts that may wait to be sent; what is over that is in the log only.
const WAITING: usize = 256;

/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Bell {
    /// Sends alerts as the configuration says, until the last clone is dropped.
    pub fn new(alerts: Alerts) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(Ringing { alerts, sent: Sent::default(), client: reqwest::Client::new() }.run(receiver));
        Bell(sender)
    }

    /// Tells a person.
    pub fn ring(&self, alert: Alert) {
        let Alert { kind, tenant, name, delivery, why, .. } = &alert;
        tracing::warn!(kind, tenant, name, delivery, "{why}");
        if self.0.try_send(alert).is_err() {
            tracing::warn!("too many alerts at once: this one is in the log only");
        }
    }
}

struct Ringing {
    alerts: Alerts,
    sent: Sent,
    client: reqwest::Client,
}

/// When an alert of a kind was last sent for a lane, and how many there were since.
#[derive(Default)]
struct Sent(HashMap<(&'static str, String, String), (Instant, u32)>);

impl Sent {
    /// The alert, if it is to be sent now, with how many were kept back before it.
    fn due(&mut self, mut alert: Alert, now: Instant) -> Option<Alert> {
        let key = (alert.kind, alert.tenant.clone(), alert.name.clone());
        match self.0.get_mut(&key) {
            Some((at, more)) if now < *at + QUIET => {
                *more += 1;
                return None;
            }
            Some((_, more)) => alert.more = *more,
            None => {}
        }
        self.0.insert(key, (now, 0));
        Some(alert)
    }
}

impl Ringing {
    async fn run(mut self, mut receiver: mpsc::Receiver<Alert>) {
        while let Some(alert) = receiver.recv().await {
            if let Some(alert) = self.sent.due(alert, Instant::now()) {
                tokio::join!(self.post(&alert), self.mail(&alert));
            }
        }
    }

    async fn post(&self, alert: &Alert) {
        let Some(url) = &self.alerts.webhook else { return };
        let posted = self.client.post(url.reveal()).timeout(PATIENCE).json(alert).send().await;
        if let Err(why) = posted.and_then(reqwest::Response::error_for_status) {
            tracing::error!("the alert webhook failed: {}", why.without_url());
        }
    }

    async fn mail(&self, alert: &Alert) {
        let Some(mail) = &self.alerts.mail else { return };
        if let Err(why) = send(mail, alert).await {
            tracing::error!("the alert could not be mailed: {why}");
        }
    }
}

async fn send(mail: &crate::config::Mail, alert: &Alert) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(mail.smtp.reveal())?.timeout(Some(PATIENCE)).build();
    let mut message = Message::builder()
        .from(mail.from.parse()?)
        .subject(format!("Cordboard: {} of {} {}", alert.name, alert.tenant, alert.kind));
    for to in &mail.to {
        message = message.to(to.parse()?);
    }
    let more =
        if alert.more > 0 { format!("\n\n{} more like this since the last mail.", alert.more) } else { String::new() };
    let delivery =
        alert.delivery.map(|id| format!("\n\nDelivery {id}: `cordboard deliveries show {id}`")).unwrap_or_default();
    transport.send(message.body(format!("{}{delivery}{more}\n", alert.why))?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(kind: &'static str, name: &str) -> Alert {
        let (tenant, why) = ("acme".to_owned(), "no such module".to_owned());
        Alert { kind, tenant, name: name.to_owned(), delivery: None, why, more: 0 }
    }

    #[test]
    fn one_of_a_kind_is_sent_for_a_lane_in_five_minutes_and_the_rest_is_counted() {
        let (mut sent, now) = (Sent::default(), Instant::now());
        let mut after = |kind, name, seconds| {
            sent.due(alert(kind, name), now + Duration::from_secs(seconds)).map(|alert| alert.more)
        };
        assert_eq!(after("parked", "crm", 0), Some(0));
        assert_eq!([1, 100, 299].map(|seconds| after("parked", "crm", seconds)), [None; 3]);
        assert_eq!(after("paused", "crm", 299), Some(0), "another kind has its own");
        assert_eq!(after("parked", "other", 299), Some(0), "so has another lane");
        assert_eq!(after("parked", "crm", 300), Some(3));
        assert_eq!(after("parked", "crm", 599), None);
        assert_eq!(after("parked", "crm", 600), Some(1));
    }
}
