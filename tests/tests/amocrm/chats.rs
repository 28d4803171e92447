//! WhatsApp in amoCRM's chats, the whole way: an Inbox Hub that posts and is asked, the hub, a channel of the chat service.

use std::time::Duration;

use cordboard_tests::amocrm::{self, CHANNEL, CHANNEL_SECRET, FakeAmocrm, Fault, Hook};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::inbox_hub::{FakeInboxHub, SESSION};
use cordboard_tests::whatsapp::{self, INBOX_SECRET};
use serde_json::{Value, json};

/// A client.
const IRINA: &str = "79990001122@s.whatsapp.net";

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

struct Chats {
    hub: Hub,
    inbox: FakeInboxHub,
    crm: FakeAmocrm,
}

impl Chats {
    /// All three, with the channel connected.
    async fn start() -> Self {
        let (crm, inbox) = (FakeAmocrm::start().await.unwrap(), FakeInboxHub::start().await.unwrap());
        let hub = Hub::start(setup(&crm.url(), &inbox.url())).await;
        inbox.register(&hub.url("/v1/hooks/acme/whatsapp"), INBOX_SECRET);
        let chats = Self { hub, inbox, crm };
        chats.until("the channel is connected", || chats.crm.world().connected).await;
        chats
    }

    async fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.hub.until(what, || std::future::ready(so()))).await;
        assert!(waited.is_ok(), "waited in vain for: {what}\n{:#?}\n{}", self.messages(), self.hub.log());
    }

    /// What stands in the client's chat, oldest first.
    fn messages(&self) -> Vec<Value> {
        self.crm.world().chats.get(&conversation()).map(|chat| chat.messages.clone()).unwrap_or_default()
    }

    /// How far the service was told that messages have come.
    fn statuses(&self) -> Vec<(String, i64)> {
        self.crm.world().chats.get(&conversation()).map(|chat| chat.statuses.clone()).unwrap_or_default()
    }

    /// The service posts a hook. The status of the answer.
    async fn told(&self, hook: &Hook) -> u16 {
        let address = format!("/v1/endpoints/acme/crm/chat/{CHANNEL}_52e591f7-c98f-4255-8495-827210138c81");
        let request = self.hub.http.post(self.hub.url(&address)).header("x-signature", &hook.signature);
        let request = request.header("content-type", "application/json").body(hook.body.clone());
        request.send().await.unwrap().status().as_u16()
    }

    async fn settled(&self) {
        self.hub.settled(&["done", "joined"]).await;
    }
}

/// The conversation as Inbox Hub's source names it.
fn conversation() -> String {
    format!("{SESSION}:{IRINA}")
}

fn setup(crm: &str, inbox: &str) -> Setup {
    let mut setup = whatsapp::inbox(&["amocrm", "inbox-hub"], "RU", inbox, "");
    setup.tenant += &format!(
        r#"
[[routes]]
from = "whatsapp"
to = "crm"

[sinks.crm]
component = "amocrm"
allow = ["{host}"]
backoff = {{ first = "100ms", ceiling = "1s" }}
breaker = {{ failures = 5, pause = "1s" }}

[sinks.crm.settings]
url = "{crm}"
chat_url = "{crm}"
token = {{ env = "ACME_AMOCRM_TOKEN" }}

[sinks.crm.settings.chat]
channel = "{CHANNEL}"
secret = {{ env = "ACME_AMOCRM_CHANNEL" }}
bot = "{bot}"
"#,
        host = crm.trim_start_matches("http://"),
        bot = amocrm::BOT,
    );
    let own = [("ACME_AMOCRM_TOKEN", amocrm::LONG_LIVED), ("ACME_AMOCRM_CHANNEL", CHANNEL_SECRET)];
    setup.environment.extend(whatsapp::environment(&own));
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_held_in_amocrm() {
    let chats = Chats::start().await;
    chats.inbox.says(IRINA, "Сколько стоит?").await;
    chats.until("the question", || chats.messages().len() == 1).await;
    let question = chats.messages()[0].clone();
    assert_eq!(
        (&question["message"]["text"], &question["sender"]["client_id"]),
        (&json!("Сколько стоит?"), &json!(conversation()))
    );

    // Answered in amoCRM, where nothing says by which account but the conversation itself; told twice, it goes out once.
    let hook = chats.crm.world().write(&conversation(), "1000 рублей");
    let answer = chats.messages()[1]["message"]["id"].as_str().unwrap().to_owned();
    assert_eq!((chats.told(&hook).await, chats.told(&hook).await), (200, 200));
    let read = || chats.statuses().last().is_some_and(|(_, status)| *status == 2);
    chats.until("it is said to be read", read).await;
    chats.settled().await;
    assert_eq!(chats.inbox.world().sent("1000 рублей"), 1);
    assert_eq!(chats.messages().len(), 2, "what was written there does not come back: {:#?}", chats.messages());
    let statuses = chats.statuses();
    assert!(statuses.iter().all(|(id, _)| *id == answer) && statuses.is_sorted(), "{statuses:?}");

    // Written on the telephone: the channel's bot has it.
    let data = json!({"messageId": "PHONE1", "chatId": IRINA, "fromMe": true, "type": "text", "content": "Или 900"});
    chats.inbox.tell("message.sent", data).await;
    chats.until("what was written on the telephone", || chats.messages().len() == 3).await;
    chats.settled().await;
    let written = chats.messages()[2].clone();
    assert_eq!(written["sender"]["ref_id"], amocrm::BOT, "{written}");
    assert_eq!(chats.messages().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_alike_are_each_sent_and_each_read() {
    let chats = Chats::start().await;
    chats.inbox.says(IRINA, "?").await;
    chats.until("the question", || chats.messages().len() == 1).await;
    let hooks = [0; 2].map(|_| chats.crm.world().write(&conversation(), "да"));
    for hook in &hooks {
        assert_eq!(chats.told(hook).await, 200);
    }
    let answers: Vec<String> =
        chats.messages()[1..].iter().map(|one| one["message"]["id"].as_str().unwrap().to_owned()).collect();
    let read = || answers.iter().all(|id| chats.statuses().contains(&(id.clone(), 2)));
    chats.until("both are said to be read", read).await;
    chats.settled().await;
    assert_eq!((chats.inbox.world().sent("да"), chats.messages().len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_signed_is_not_sent_and_what_could_not_be_sent_is_said() {
    let chats = Chats::start().await;
    chats.inbox.says(IRINA, "?").await;
    chats.until("the question", || chats.messages().len() == 1).await;
    let hook = chats.crm.world().write(&conversation(), "нет");
    let forged = Hook { signature: hook.signature.replace(|c: char| c.is_ascii_digit(), "a"), ..hook.clone() };
    assert_eq!(chats.told(&forged).await, 401);
    chats.inbox.world().connected = false;
    assert_eq!(chats.told(&hook).await, 200);
    let failed = || chats.statuses().last().is_some_and(|(_, status)| *status == -1);
    chats.until("it is said to have failed", failed).await;
    assert_eq!((chats.inbox.world().sent("нет"), chats.messages().len()), (0, 2), "{:#?}", chats.messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_an_outage_come_afterwards_each_once() {
    let chats = Chats::start().await;
    chats.crm.faults().down(Fault::Page(503));
    for n in 0..5 {
        chats.inbox.says(IRINA, &format!("Вопрос {n}")).await;
    }
    chats.until("a try", || chats.crm.faults().count("/v2/origin/") > 1).await;
    chats.crm.faults().up();
    chats.until("all of them", || chats.messages().len() == 5).await;
    chats.settled().await;
    let mut texts: Vec<String> =
        chats.messages().iter().map(|one| one["message"]["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    assert_eq!(texts, (0..5).map(|n| format!("Вопрос {n}")).collect::<Vec<_>>());
}
