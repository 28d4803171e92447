//! The demo that `cargo xtask run` shows: the hub on its embedded store, a Vtiger played honestly, a PBX that posts signed
//! webhooks, an Asterisk that plays recordings of real calls over its manager interface, and a WhatsApp conversation of
//! another tenant with a Frappe site.
#![expect(clippy::print_stdout, reason = "it speaks to the person who started it")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use cordboard_tests::ami::{self, FakeAmi, Recording};
use cordboard_tests::frappe::FakeFrappe;
use cordboard_tests::hub::{KEY, Setup, TOKENS};
use cordboard_tests::inbox_hub::{FakeInboxHub, SESSION};
use cordboard_tests::pbx::{self, PbxCall};
use cordboard_tests::vtiger::FakeVtiger;
use cordboard_tests::whatsapp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// Where the hub listens, the Vtiger, and the Frappe, unless the environment says otherwise.
const HUB: (&str, u16) = ("CORDBOARD_DEMO_HUB_PORT", 8420);
const CRM: (&str, u16) = ("CORDBOARD_DEMO_CRM_PORT", 8421);
const SITE: (&str, u16) = ("CORDBOARD_DEMO_SITE_PORT", 8422);

/// The tenant that has the Inbox Hub and the Frappe.
const SHOP: &str = "shop";

/// A customer of it.
const ANA: &str = "34600111222@s.whatsapp.net";

/// What is asked there and answered, over and over.
const TALK: [(&str, &str); 3] = [
    ("¿Tenéis la silla roja? 😀", "Sí, nos quedan dos."),
    ("¿Y cuánto cuesta el envío?", "Es gratis a partir de 50 €."),
    ("Genial, me la llevo", "¡Gracias! Te mando el enlace de pago."),
];

/// Which Asterisk is played.
const ASTERISK: &str = "asterisk-22";

/// What happens there, over and over.
const CALLS: [&str; 4] =
    ["a_inbound_answered", "d_queue_answered", "f_outbound_answered", "b2_inbound_caller_gives_up"];

/// Between two things that happen to a call.
const PACE: Duration = Duration::from_secs(4);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [program, components, folder] = arguments.as_slice() else {
        eprint("demo PROGRAM COMPONENTS FOLDER: start it with `cargo xtask run`");
        return ExitCode::FAILURE;
    };
    match run(program, components, folder).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprint(&format!("cargo xtask run: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(program: &Path, components: &Path, folder: &Path) -> Outcome<()> {
    let taken = |what: &str, address: SocketAddr, why: std::io::Error| match why.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {} is taken, and the demo's {what} needs it: is another demo running? Stop that one first",
            address.port()
        ),
        _ => format!("cannot listen on {address}: {why}"),
    };
    let (at, crm_at) = (address(HUB)?, address(CRM)?);
    // A second provider would only be installed by a second call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    drop(TcpListener::bind(at).await.map_err(|why| taken("hub", at, why))?);
    let listener = TcpListener::bind(crm_at).await.map_err(|why| taken("Vtiger", crm_at, why))?;
    let crm = FakeVtiger::serve(listener)?;
    let site_at = address(SITE)?;
    let listener = TcpListener::bind(site_at).await.map_err(|why| taken("Frappe", site_at, why))?;
    let shop = Shop { site: FakeFrappe::serve(listener)?, inbox: FakeInboxHub::start().await? };
    let asterisk = FakeAmi::start(ASTERISK).await;
    asterisk.originates(&Recording::load(ASTERISK, "i_click_to_call"));
    prepare(at, folder, components, &crm, &asterisk)?;
    let environment = [environment(&crm), shop.prepare(folder)?].concat();
    println!("▸ setting the Frappe up (the first time it compiles the component)");
    whatsapp::set_up(command(program, folder, &environment), folder, SHOP).await?;
    let mut hub = start(program, folder, &environment)?;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    ready(at, &http, &mut hub, folder).await?;
    let token = token(program, folder, &environment).await?;
    greet(at, &crm, &token, program, folder);
    println!("{}", shop.greeting());
    shop.inbox.register(&format!("http://{at}/v1/hooks/{SHOP}/whatsapp"), whatsapp::INBOX_SECRET);
    let ended = tokio::select! {
        told = tokio::signal::ctrl_c() => told.map_err(Into::into),
        ended = hub.wait() => {
            let log = folder.join("hub.log");
            Err(format!("the hub ended by itself ({}); see {}", ended?, log.display()).into())
        }
        failed = play(at, &http, &crm) => failed,
        () = call(&asterisk) => Ok(()),
        () = shop.talk() => Ok(()),
    };
    println!("\nStopping …");
    stop(&mut hub).await;
    ended
}

/// An address of this machine, its port from the environment.
fn address((name, usual): (&str, u16)) -> Outcome<SocketAddr> {
    let port = match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is `{text}`, and not the number of a port"))?,
        Err(_) => usual,
    };
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// A folder of its own, new at every start: the Vtiger forgets everything too.
fn prepare(at: SocketAddr, folder: &Path, components: &Path, crm: &FakeVtiger, asterisk: &FakeAmi) -> Outcome<()> {
    let within = |why: std::io::Error| format!("{}: {why}", folder.display());
    let data = folder.join("data");
    for file in ["cordboard.db", "cordboard.db-wal", "cordboard.db-shm"] {
        if let Err(why) = std::fs::remove_file(data.join(file))
            && why.kind() != std::io::ErrorKind::NotFound
        {
            return Err(within(why).into());
        }
    }
    std::fs::create_dir_all(folder.join("tenants")).map_err(within)?;
    let hub = format!(
        "listen = \"{at}\"\ncomponents = \"{}\"\n\n[auth]\nsecret = {{ env = \"CORDBOARD_JWT_SECRET\" }}\n\n\
         [keys]\nencryption = {{ env = \"CORDBOARD_KEY\" }}\n",
        components.display()
    );
    std::fs::write(folder.join("cordboard.toml"), hub).map_err(within)?;
    let tenant = Setup::vtiger(&crm.url()).tenant.replace("from = \"pbx\"", "from = [\"pbx\", \"asterisk\"]");
    std::fs::write(folder.join("tenants/acme.toml"), tenant + &source(asterisk)).map_err(within)?;
    let mut world = crm.world();
    for (n, name) in ["Inés Ortega", "Jon Etxea", "Marta Gil"].iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap_or_default();
        world.add("Contacts", 5, &[("firstname", first), ("lastname", last), ("mobile", &PbxCall::number(n).from)]);
    }
    Ok(())
}

/// What the second tenant has.
struct Shop {
    inbox: FakeInboxHub,
    site: FakeFrappe,
}

impl Shop {
    /// Its file, and the environment that its secrets stand in.
    fn prepare(&self, folder: &Path) -> Outcome<Vec<(String, String)>> {
        let setup = whatsapp::setup(&self.inbox.url(), &self.site.url());
        whatsapp::prepare(folder, &self.site)?;
        std::fs::write(folder.join(format!("tenants/{SHOP}.toml")), setup.tenant)?;
        Ok(setup.environment)
    }

    fn greeting(&self) -> String {
        let admin = self.site.world().users[whatsapp::ADMIN].clone();
        let site = self.site.url();
        let fields = "%5B%22direction%22%2C%22content%22%2C%22status%22%5D";
        format!(
            "The tenant `{SHOP}` talks with a customer over WhatsApp, and answers in a Frappe, played at {site}. \
             Its messages:\n\n  curl -s -H \"Authorization: token {}:{}\" -H \"Accept: application/json\" \\\n    \
             \"{site}/api/resource/Hub%20WhatsApp%20Message?fields={fields}\"\n",
            admin.key, admin.secret
        )
    }

    /// A customer asks, somebody answers in the desk, and the ticks come back, until somebody stops it.
    async fn talk(&self) {
        for (question, answer) in TALK.iter().cycle() {
            self.inbox.says(ANA, question).await;
            println!("WhatsApp: \"{question}\"");
            tokio::time::sleep(PACE).await;
            let conversation = format!("{SESSION}:{ANA}");
            let document = serde_json::json!({"session": SESSION, "conversation": conversation, "direction": "Outgoing",
                "content": answer});
            let name = self.site.typed("Hub WhatsApp Message", &document);
            tokio::time::sleep(PACE).await;
            let messages = self.site.docs("Hub WhatsApp Message");
            let status =
                messages.iter().find(|message| message["name"] == name.as_str()).map(|it| it["status"].clone());
            println!("Frappe: \"{answer}\" is {}", status.unwrap_or_default());
            tokio::time::sleep(PACE).await;
        }
    }
}

/// The Asterisk as a source, and who sits at its telephones.
fn source(asterisk: &FakeAmi) -> String {
    format!(
        r#"
[[agents]]
name = "Ben"
login = "ben"
extensions = ["1001"]
users = {{ crm = "19x6" }}

[sources.asterisk]
component = "ami"
allow = ["127.0.0.1"]
settings = {{ host = "127.0.0.1", port = {}, username = "{}", password = {{ env = "ACME_AMI_PASSWORD" }}, trunks = ["PJSIP/trunk"] }}
"#,
        asterisk.port(),
        ami::USER,
    )
}

fn environment(crm: &FakeVtiger) -> Vec<(String, String)> {
    let mut environment = Setup::vtiger(&crm.url()).environment;
    environment.push(("ACME_AMI_PASSWORD".to_owned(), ami::SECRET.to_owned()));
    environment.push(("CORDBOARD_JWT_SECRET".to_owned(), TOKENS.to_owned()));
    environment.push(("CORDBOARD_KEY".to_owned(), KEY.to_owned()));
    environment
}

fn start(program: &Path, folder: &Path, environment: &[(String, String)]) -> Outcome<Child> {
    let log = std::fs::File::create(folder.join("hub.log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(folder).envs(environment.iter().cloned());
    command.stdin(Stdio::null()).stderr(log).kill_on_drop(true);
    Ok(command.spawn().map_err(|why| format!("{}: {why}", program.display()))?)
}

/// The hub's program with its configuration, for one command.
fn command(program: &Path, folder: &Path, environment: &[(String, String)]) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.arg("--config").arg(folder).envs(environment.iter().cloned());
    command
}

async fn ready(at: SocketAddr, http: &reqwest::Client, hub: &mut Child, folder: &Path) -> Outcome<()> {
    println!("▸ starting the hub (the first time it compiles the components)");
    loop {
        if http.get(format!("http://{at}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if hub.try_wait()?.is_some() {
            let log = std::fs::read_to_string(folder.join("hub.log")).unwrap_or_default();
            return Err(format!("the hub does not start:\n{log}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn token(program: &Path, folder: &Path, environment: &[(String, String)]) -> Outcome<String> {
    let mut command = Command::new(program);
    command.args(["token", "--tenant", "acme", "--role", "admin", "--config"]).arg(folder);
    let output = command.envs(environment.iter().cloned()).output().await?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn greet(at: SocketAddr, crm: &FakeVtiger, token: &str, program: &Path, folder: &Path) {
    let (program, folder) = (program.display(), folder.display());
    println!(
        r#"
Cordboard runs. A PBX posts a signed webhook every few seconds, an Asterisk is listened to, and the calls go to a Vtiger.

  hub        http://{at}          its API: http://{at}/docs
  live feed  ws://{at}/v1/live    (subprotocols: cordboard.v1, bearer.<token>)
  Vtiger     {crm}       played, with the answers of the real 8.4
  log        {folder}/hub.log
  tenant     {folder}/tenants/acme.toml    change it while the hub runs

  export TOKEN={token}

Try next, in another terminal:

  curl -s -H "Authorization: Bearer $TOKEN" http://{at}/v1/calls
  curl -s -H "Authorization: Bearer $TOKEN" http://{at}/v1/deliveries
  CORDBOARD_TOKEN=$TOKEN {program} events --follow --url http://{at}
  CORDBOARD_TOKEN=$TOKEN {program} deliveries list --url http://{at}
  CORDBOARD_TOKEN=$TOKEN {program} sources --url http://{at}
  CORDBOARD_TOKEN=$TOKEN {program} call 1001 447700900999 --source asterisk --url http://{at}

  # a call of your own, signed as a PBX does it
  BODY='{{"call_uuid":"mine-1","from":"+34600000001","to":"101","direction":"inbound","status":"completed","start_time":"2026-11-21T09:10:20Z","end_time":"2026-11-21T09:12:45Z"}}'
  curl -s -X POST http://{at}/webhook/call -d "$BODY" \
    -H "X-Signature: $(printf %s "$BODY" | openssl dgst -sha256 -hmac '{secret}' -r | cut -d' ' -f1)"

Ctrl-C ends everything.
"#,
        crm = crm.url(),
        secret = pbx::SECRET,
    );
}

/// Call after call, until somebody stops it.
async fn play(at: SocketAddr, http: &reqwest::Client, crm: &FakeVtiger) -> Outcome<()> {
    for n in 0.. {
        let call = PbxCall { id: format!("demo-{n}"), ..PbxCall::number(n % 5) };
        for (what, body) in [("rings", call.ringing()), ("is answered", call.answered()), ("has ended", call.ended())] {
            post(at, http, &body).await?;
            println!("{} {what}; calls in Vtiger: {}", call.id, crm.count("PBXManager"));
            tokio::time::sleep(PACE).await;
        }
    }
    Ok(())
}

/// Recorded calls at the Asterisk, one after the other, each time as new ones.
async fn call(asterisk: &FakeAmi) {
    for n in 1.. {
        for name in CALLS {
            println!("Asterisk: {name}, as it was recorded");
            asterisk.play(&Recording::load(ASTERISK, name).anew(n)).await;
        }
    }
}

async fn post(at: SocketAddr, http: &reqwest::Client, body: &Value) -> Outcome<()> {
    let body = body.to_string();
    let request = http.post(format!("http://{at}/webhook/call"));
    let signature = pbx::signature(pbx::SECRET, body.as_bytes());
    let answer = request.header("x-signature", signature).body(body).send().await?;
    answer.error_for_status()?;
    Ok(())
}

/// Ctrl-C has reached the hub too; any other end is told to it.
async fn stop(hub: &mut Child) {
    if let Some(pid) = hub.id() {
        let _ = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
    }
    if tokio::time::timeout(Duration::from_secs(12), hub.wait()).await.is_err() {
        let _ = hub.kill().await;
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a demo that does not start")]
fn eprint(text: &str) {
    eprintln!("{text}");
}
