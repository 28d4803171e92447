//! WhatsApp messages into Frappe: many at once, and one by one, by the same hub into the same site.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_tests::frappe::{Costs, FakeFrappe, Fault};
use cordboard_tests::hub::Hub;
use cordboard_tests::inbox_hub::FakeInboxHub;
use cordboard_tests::whatsapp;

use crate::table::Row;

/// Messages of a turn, from so many people.
const TOGETHER: usize = 4_000;
const ALONE: usize = 400;
const PEOPLE: usize = 200;

/// A turn takes no longer, or something is broken.
const PATIENCE: Duration = Duration::from_secs(180);

/// Both, one after the other, each into a site of its own.
pub async fn measure() -> Result<Vec<Row>> {
    let together = turn(None, TOGETHER).await?;
    let alone = turn(Some(1), ALONE).await?;
    let costs = Costs::seen();
    let what = format!(
        "WhatsApp messages into Frappe (a worker with {} ms a request, {} ms a document), 200 at once; bare: one by one",
        costs.request.as_millis(),
        costs.document.as_millis()
    );
    Ok(vec![Row { must: "≥ 10 × one by one".to_owned(), ..Row::share(what, "/s", together, alone, 10.0) }])
}

/// Messages in a second. All of them are owed before the first is delivered.
async fn turn(batch: Option<usize>, messages: usize) -> Result<f64> {
    let (inbox, site) = (FakeInboxHub::start().await?, FakeFrappe::start().await?);
    let mut setup = whatsapp::setup(&inbox.url(), &site.url());
    if let Some(batch) = batch {
        let sink = "component = \"frappe\"\n";
        setup.tenant = setup.tenant.replace(sink, &format!("{sink}batch = {batch}\n"));
    }
    let mut hub = Hub::prepare(setup);
    whatsapp::prepare(hub.folder(), &site)?;
    whatsapp::set_up(hub.command(&[]), hub.folder(), "acme").await?;
    site.down(Some(Fault::Page(503)));
    hub.launch();
    hub.ready().await;
    inbox.register(&hub.url("/v1/hooks/acme/whatsapp"), whatsapp::INBOX_SECRET);
    for n in 0..messages {
        let jid = format!("{}@s.whatsapp.net", 34_600_000_000_usize + n % PEOPLE);
        inbox.says(&jid, &format!("Mensaje {n}")).await;
    }
    site.costs(Costs::seen());
    site.down(None);
    let retried = hub.ask(axum::http::Method::POST, "/v1/deliveries/retry?sink=crm").await;
    ensure!(retried.status().is_success(), "no retry");
    rate(&site, messages).await.map_err(|why| why.context(hub.log()))
}

/// From a tenth of the messages to the last: contacts and conversations come before.
async fn rate(site: &FakeFrappe, messages: usize) -> Result<f64> {
    let (begun, mut first) = (Instant::now(), None);
    loop {
        let count = site.world().docs.get("Hub WhatsApp Message").map_or(0, Vec::len);
        if count >= messages / 10 && first.is_none() {
            first = Some((count, Instant::now()));
        }
        if let Some((before, since)) = first
            && count >= messages
        {
            return Ok((count - before) as f64 / since.elapsed().as_secs_f64());
        }
        ensure!(begun.elapsed() < PATIENCE, "only {count} of {messages} messages came into Frappe");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
