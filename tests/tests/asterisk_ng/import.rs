//! `cordboard import`: other connectors' configurations as tenants' files that pass the check.

use std::path::Path;
use std::process::Output;

use cordboard_tests::hub::{Hub, Setup};
use serde_json::json;

/// The configuration of an installation, with every key of the old server.
const CONFIG: &str = r#"
static:
  logger:
    version: 1
dynamic:
  plugins:
    uploaded:
      - system.storage
      - system.fastapi
      - system.converter
      - telephony.ami_manager
      - telephony.asterisk16.reflector
      - telephony.asterisk16.functions
      - telephony.records_provider
      - telephony.redirecting
      - amocrm.amoclient
      - amocrm.functions
      - amocrm.records.provider
      - amocrm.widget.asterisk
      - amocrm.widget.asterisk_ng
      - standard.domain
    plugins_settings:
      standard.domain:
        agents:
          anna@example.com: 101
          boris@example.com: "102"
          twice@example.com: 101
        responsible_agent: anna@example.com
        redirect_responsible_agent: boris@example.com
        call_responsible_strategy: [by_entity, last_active, default]
        client_corrector:
          - ['^\+7(\d{10})$', '8\g<1>']
          - ['(?<=8)9', '0']
      amocrm.amoclient:
        integration_id: 8a0f3c51-5a1b-4d3e-9a55-000000000001
        secret_key: q1W2e3
        auth_code: def502
        base_url: acme.amocrm.ru
        redirect_uri: https://hub.example.com/amocrm/oauth
        backup_file_path: backup.txt
        encryption_key: secret
      amocrm.functions:
        pipeline: Продажи
        source: AsteriskNG
        source_uid: uid
        source_name: ATS
        service_code: asteriskng
      amocrm.records.provider:
        base_url: https://hub.example.com/records
        enable_conversion: false
      amocrm.widget.asterisk:
        login: admin
        password: p4ss
      amocrm.widget.asterisk_ng:
        secret_key: a-secret-of-the-widget
      telephony.ami_manager:
        user: amo
        secret: ami-s3cret
        host: 10.0.0.5
        port: 5039
      telephony.asterisk16.functions:
        origination_context: from-widget
        origination_timeout: 25500
        redirect_context: from-internal
      telephony.asterisk16.reflector:
        internal_number_pattern: '(?:SIP|PJSIP)/(\d{3})\D'
      telephony.records_provider:
        mysql: { host: 10.0.0.5, port: 3306, user: cdr, password: "p@ss/word", database: asteriskcdrdb }
        media_root: /var/spool/asterisk/monitor/%Y/%m/%d/
        cdr_table: cdr
        calldate_column: calldate
        recordingfile_column: recordingfile
      telephony.redirecting: {}
      system.storage: { host: 127.0.0.1, port: 6379, database: 0, password: null }
      system.fastapi: { host: 127.0.0.1, port: 8000, workers: 4 }
      system.converter: { tmp_dir: ./tmp }
"#;

fn run(hub: &Hub, arguments: &[&str]) -> Output {
    hub.command(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A hub's folder with these components and an empty tenant.
fn folder() -> Hub {
    Hub::prepare(Setup::of(&["ami", "amocrm", "vtiger", "pbx-webhook"], String::new()))
}

fn tokens(key: &str) -> String {
    let payload = json!({ "access_token": "a", "access_token_expire": 1.0, "refresh_token": "def5-refresh",
        "refresh_token_expire": 4_000_000_000.0 });
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &payload, &key).unwrap()
}

fn write(hub: &Hub, name: &str, text: &str) -> String {
    let path = hub.folder().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn acceptance_24_every_key_of_the_old_server() {
    let hub = folder();
    let (config, backup) = (write(&hub, "config.yml", CONFIG), write(&hub, "backup.txt", &tokens("secret")));
    let imported = run(&hub, &["import", "amocrm-asterisk-ng", &config, "--tokens", &backup, "--tenant", "old"]);
    assert!(imported.status.success(), "{}", said(&imported));
    let text = std::fs::read_to_string(hub.folder().join("tenants/old.toml")).unwrap();
    for line in [
        "region = \"RU\"",
        "extensions = [\"101\"]",
        "users = { crm = \"anna@example.com\" }",
        "host = \"10.0.0.5\"",
        "port = 5039",
        "username = \"amo\"",
        r"internal_number_pattern = '(?:SIP|PJSIP)/(\d{3})\D'",
        "contexts = [\"from-widget\", \"from-internal\"]",
        "agent_channel = \"Local/{extension}@from-widget\"",
        "originate_timeout = 26",
        "recordings = { root = \"/var/spool/asterisk/monitor\", strip = \"/var/spool/asterisk/monitor\" }",
        "paths = [\"/asterisk\", \"/asterisk_ng\", \"/records/*\"]",
        "listen = \"127.0.0.1:8000\"",
        "url = \"https://acme.amocrm.ru\"",
        "client_id = \"8a0f3c51-5a1b-4d3e-9a55-000000000001\"",
        "redirect_uri = \"https://hub.example.com/amocrm/oauth\"",
        "pipeline = \"Продажи\"",
        "source_uid = \"uid\"",
        "service_code = \"asteriskng\"",
        "default_user = \"anna@example.com\"",
        "responsible = [\"by_entity\", \"last_active\", \"default\"]",
        "users_only = true",
        "login = \"admin\"",
        "redirect_context = \"from-internal\"",
        "convert = false",
        "cdr = true",
        "media_root = \"/var/spool/asterisk/monitor/%Y/%m/%d/\"",
        "paths = [\"/redirecting?phone={number}\"]",
        "unknown = \"102\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("8${1}"), "{text}");
    let secret = |name: &str| std::fs::read_to_string(hub.folder().join("secrets/old").join(name)).unwrap();
    assert_eq!((secret("refresh_token"), secret("ami_password")), ("def5-refresh".to_owned(), "ami-s3cret".to_owned()));
    assert_eq!(secret("cdr_url"), "mysql://cdr:p%40ss%2Fword@10.0.0.5:3306/asteriskcdrdb");
    for kept in ["ami-s3cret", "q1W2e3", "def5-refresh", "p4ss\"", "a-secret-of-the-widget", "p%40ss"] {
        assert!(!text.contains(kept), "{kept} stands in the file");
    }
    let told = said(&imported);
    for key in [
        "static.logger",
        "standard.domain agents twice@example.com",
        "standard.domain client_corrector 2",
        "amocrm.amoclient auth_code",
        "amocrm.records.provider base_url",
        "system.storage host",
        "system.fastapi workers",
        "system.converter tmp_dir",
    ] {
        assert!(told.contains(key), "{key} is not told:\n{told}");
    }
    assert!(told.contains("look-behind") && told.contains("stop the old server"), "{told}");
    assert!(told.contains("unsigned_before"), "{told}");
    passes(&hub);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(hub.folder().join("secrets/old/refresh_token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "secrets are for their owner alone");
    let again = run(&hub, &["import", "amocrm-asterisk-ng", &config, "--tenant", "old"]);
    assert!(!again.status.success() && said(&again).contains("is there already"));
}

/// Where a key's value is to be seen.
enum Seen {
    /// In the tenant's file.
    File(&'static str),
    /// In a secret beside it.
    Secret(&'static str, &'static str),
    /// In what the command says.
    Told(&'static str),
}

/// Every key of the old server by itself: another value is carried over, or it is told why not.
#[test]
fn acceptance_24_each_key_is_carried_over_or_told() {
    use Seen::{File, Secret, Told};
    let hub = folder();
    let rows = [
        ("anna@example.com: 101", "anna@example.com: 707", File("extensions = [\"707\"]")),
        ("boris@example.com: \"102\"", "vera@example.com: 102", File("users = { crm = \"vera@example.com\" }")),
        ("responsible_agent: anna", "responsible_agent: boris", File("default_user = \"boris@example.com\"")),
        (
            "        responsible_agent: anna",
            "        default_responsible_agent: boris",
            File("default_user = \"boris@example.com\""),
        ),
        ("redirect_responsible_agent: boris", "redirect_responsible_agent: anna", File("unknown = \"101\"")),
        (
            "redirect_responsible_agent: boris",
            "redirect_responsible_agent: nobody",
            Told("nobody@example.com is no agent"),
        ),
        ("[by_entity, last_active, default]", "[last_active]", File("responsible = [\"last_active\"]")),
        ("[by_entity, last_active, default]", "[fastest]", Told("call_responsible_strategy fastest")),
        (r"['^\+7(\d{10})$', '8\g<1>']", "['^00', '+']", File("client_corrector = [[\"^00\", \"+\"]]")),
        (r"'8\g<1>'", r"'\q'", Told("client_corrector 1")),
        ("integration_id: 8a0f3c51", "integration_id: 9b", File("client_id = \"9b-5a1b-4d3e-9a55-000000000001\"")),
        ("secret_key: q1W2e3", "secret_key: another", Secret("client_secret", "another")),
        ("auth_code: def502", "auth_code: def503", Secret("code", "def503")),
        ("base_url: acme.amocrm.ru", "base_url: https://other.kommo.com/", File("url = \"https://other.kommo.com\"")),
        (
            "base_url: acme.amocrm.ru",
            "base_url: other.amocrm.com",
            File("allow = [\"other.amocrm.com\", \"*.amocrm.com\"]"),
        ),
        ("amocrm/oauth", "elsewhere", File("redirect_uri = \"https://hub.example.com/elsewhere\"")),
        ("backup_file_path: backup.txt", "backup_file_path: credentials.txt", Told("the tokens in credentials.txt")),
        ("pipeline: Продажи", "pipeline: Сервис", File("pipeline = \"Сервис\"")),
        ("source: AsteriskNG", "source: АТС", File("source = \"АТС\"")),
        ("source_uid: uid", "source_uid: trunk-7", File("source_uid = \"trunk-7\"")),
        ("source_name: ATS", "source_name: Office", File("source_name = \"Office\"")),
        ("service_code: asteriskng", "service_code: widget-7", File("service_code = \"widget-7\"")),
        ("https://hub.example.com/records", "https://rec.example.com/records/", Told("https://rec.example.com\"")),
        ("enable_conversion: false", "enable_conversion: true", File("convert = true")),
        ("login: admin", "login: stock", File("login = \"stock\"")),
        ("password: p4ss", "password: another", Secret("widget_password", "another")),
        ("a-secret-of-the-widget", "another-of-the-widget", Secret("widget_secret_key", "another-of-the-widget")),
        ("user: amo", "user: manager", File("username = \"manager\"")),
        ("secret: ami-s3cret", "secret: another", Secret("ami_password", "another")),
        (
            "secret: ami-s3cret\n        host: 10.0.0.5",
            "secret: x\n        host: 10.0.0.9",
            File("allow = [\"10.0.0.9\"]"),
        ),
        ("port: 5039", "port: 5040", File("port = 5040")),
        ("origination_context: from-widget", "origination_context: clicks", File("Local/{extension}@clicks")),
        ("origination_timeout: 25500", "origination_timeout: 45000", File("originate_timeout = 45")),
        ("redirect_context: from-internal", "redirect_context: moved", File("redirect_context = \"moved\"")),
        (r"(\d{3})\D", r"(\d{4})\D", File(r"internal_number_pattern = '(?:SIP|PJSIP)/(\d{4})\D'")),
        ("{ host: 10.0.0.5", "{ host: db.example.com", Secret("cdr_url", "@db.example.com:3306/")),
        ("port: 3306", "port: 3307", Secret("cdr_url", "@10.0.0.5:3307/")),
        ("user: cdr", "user: reader", Secret("cdr_url", "mysql://reader:")),
        ("p@ss/word", "another", Secret("cdr_url", "mysql://cdr:another@")),
        ("database: asteriskcdrdb", "database: records", Secret("cdr_url", ":3306/records")),
        (
            "media_root: /var/spool/asterisk/monitor",
            "media_root: /mnt/calls",
            File("media_root = \"/mnt/calls/%Y/%m/%d/\""),
        ),
        (
            "media_root: /var/spool/asterisk/monitor",
            "media_root: /mnt/calls",
            File("root = \"/mnt/calls\", strip = \"/mnt/calls\""),
        ),
        ("cdr_table: cdr", "cdr_table: cdr_2020", File("cdr_table = \"cdr_2020\"")),
        ("calldate_column: calldate", "calldate_column: start", File("calldate_column = \"start\"")),
        ("recordingfile_column: recordingfile", "recordingfile_column: file", File("recordingfile_column = \"file\"")),
        ("host: 127.0.0.1, port: 8000", "host: 0.0.0.0, port: 8001", File("listen = \"0.0.0.0:8001\"")),
        ("port: 6379", "port: 6380", Told("system.storage port")),
        ("database: 0", "database: 1", Told("system.storage database")),
        ("password: null", "password: x", Told("system.storage password")),
        ("workers: 4", "workers: 1", Told("system.fastapi workers")),
        ("tmp_dir: ./tmp", "tmp_dir: /tmp", Told("system.converter tmp_dir")),
        ("tmp_dir: ./tmp", "tmp_dri: ./tmp", Told("system.converter tmp_dri")),
        ("      system.storage: {", "      system.cache: { ttl: 1 }\n      system.storage: {", Told("system.cache")),
        ("      - telephony.redirecting\n", "", Told("standard.domain redirect_responsible_agent")),
        ("      - amocrm.widget.asterisk\n", "", Told("amocrm.widget.asterisk login: the plugin is not uploaded")),
        ("      - amocrm.widget.asterisk\n", "", File("paths = [\"/asterisk_ng\", \"/records/*\"]")),
    ];
    for (n, (from, to, seen)) in rows.into_iter().enumerate() {
        let text = CONFIG.replace(from, to);
        assert_ne!(text, CONFIG, "{from}");
        let (config, tenant) = (write(&hub, "config.yml", &text), format!("t{n}"));
        let imported = run(&hub, &["import", "amocrm-asterisk-ng", &config, "--tenant", &tenant]);
        let told = said(&imported);
        assert!(imported.status.success(), "{to}: {told}");
        let file = std::fs::read_to_string(hub.folder().join(format!("tenants/{tenant}.toml"))).unwrap();
        match seen {
            File(line) => assert!(file.contains(line), "{to}: {line}\n{file}"),
            Secret(name, part) => {
                let secret = std::fs::read_to_string(hub.folder().join("secrets").join(&tenant).join(name)).unwrap();
                assert!(secret.contains(part), "{to}: {secret}");
                assert!(!file.contains(part) || part.starts_with('@'), "{to}: a secret stands in the file\n{file}");
            }
            Told(part) => assert!(told.contains(part), "{to}: {part}\n{told}"),
        }
    }
}

/// What the file does not say is what the old server took for it.
#[test]
fn acceptance_24_defaults_are_the_old_servers() {
    let hub = folder();
    let short = r"
dynamic:
  plugins:
    uploaded: [telephony.redirecting, telephony.records_provider, amocrm.records.provider, amocrm.widget.asterisk_ng,
      amocrm.widget.asterisk, system.fastapi]
    plugins_settings:
      standard.domain: { agents: { a@b.c: 101 }, default_responsible_agent: a@b.c, responsible_agent: other@b.c }
      amocrm.amoclient: { integration_id: i, secret_key: s, auth_code: c, base_url: acme.amocrm.ru, redirect_uri: r,
        encryption_key: own-key }
      telephony.ami_manager: { secret: ami-s3cret }
      telephony.records_provider: { mysql: { user: cdr, password: x } }
";
    let (config, backup) = (write(&hub, "config.yml", short), write(&hub, "backup.txt", &tokens("own-key")));
    let imported = run(&hub, &["import", "amocrm-asterisk-ng", &config, "--tokens", &backup, "--tenant", "short"]);
    let told = said(&imported);
    assert!(imported.status.success(), "{told}");
    let text = std::fs::read_to_string(hub.folder().join("tenants/short.toml")).unwrap();
    for line in [
        "host = \"127.0.0.1\"",
        "port = 5038",
        "username = \"admin\"",
        "contexts = [\"from-internal\"]",
        "agent_channel = \"Local/{extension}@from-internal\"",
        "originate_timeout = 30",
        "pipeline = \"Воронка\"",
        "source = \"AsteriskNG\"",
        "source_uid = \"AsteriskNG\"",
        "source_name = \"AsteriskNG\"",
        "service_code = \"AsteriskNG\"",
        "responsible = [\"default\"]",
        "default_user = \"a@b.c\"",
        "convert = true",
        "cdr = true",
        "media_root = \"/var/spool/asterisk/monitor/%Y/%m/%d/\"",
        // Uploaded, and all of their settings left to the defaults.
        "paths = [\"/asterisk\", \"/asterisk_ng\", \"/records/*\"]",
        "paths = [\"/redirecting?phone={number}\"]",
        "listen = \"0.0.0.0:8000\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let secret = |name: &str| std::fs::read_to_string(hub.folder().join("secrets/short").join(name)).unwrap();
    assert_eq!(secret("cdr_url"), "mysql://cdr:x@127.0.0.1:3306/asteriskcdrdb");
    assert_eq!(secret("refresh_token"), "def5-refresh", "signed with the key of the configuration");
    for part in ["names somebody else", "everybody knows the old server's default", "nobody could log in"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    passes(&hub);
}

/// The imported file is a good configuration.
fn passes(hub: &Hub) {
    let checked = run(hub, &["check"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

#[test]
fn the_readmes_own_words_and_its_defaults_are_understood() {
    let hub = folder();
    let short = r"
dynamic:
  plugins:
    plugins_settings:
      standard.domain: { agents: { a@b.c: 101 }, default_responsible_agent: a@b.c }
      amocrm.amoclient: { integration_id: i, secret_key: s, auth_code: c, base_url: 'https://acme.kommo.com', redirect_uri: 'https://x.example/y' }
      amocrm.widget.asterisk_ng: {}
      telephony.ami_manager: { secret: ami-s3cret }
      telephony.asterisk16.reflector: { internal_number_pattern: '(\d{3})(?=x)' }
";
    let config = write(&hub, "config.yml", short);
    let backup = write(&hub, "backup.txt", &tokens("another key"));
    let imported = run(&hub, &["import", "amocrm-asterisk-ng", &config, "--tokens", &backup, "--tenant", "short"]);
    let told = said(&imported);
    assert!(imported.status.success(), "{told}");
    assert!(told.contains("everybody knows the old server's default"), "{told}");
    assert!(told.contains("the tokens in backup.txt") && told.contains("InvalidSignature"), "{told}");
    assert!(told.contains("look-ahead") && told.contains("region"), "{told}");
    let text = std::fs::read_to_string(hub.folder().join("tenants/short.toml")).unwrap();
    assert!(text.contains("host = \"127.0.0.1\"") && text.contains("username = \"admin\""), "{text}");
    assert!(
        !text.contains("AsteriskNG\"\nsecret_key")
            && !Path::new(&hub.folder().join("secrets/short/widget_secret_key")).exists()
    );
    passes(&hub);
    let broken = write(&hub, "broken.yml", "dynamic: [");
    let refused = run(&hub, &["import", "amocrm-asterisk-ng", &broken]);
    assert!(!refused.status.success() && said(&refused).contains("broken.yml"), "{}", said(&refused));
    let empty = write(&hub, "empty.yml", "{}");
    assert!(said(&run(&hub, &["import", "amocrm-asterisk-ng", &empty])).contains("plugins_settings"));
}

#[test]
fn environments_of_other_programs() {
    let hub = folder();
    let middleware = "# calls to Vtiger\nexport VTIGER_URL=https://crm.example.com/webservice.php\nVTIGER_USERNAME=hub\n\
        VTIGER_ACCESS_KEY='k3y#1'\nWEBHOOK_SECRET=\"hook-s3cret\" # signs\nPORT=3000\n";
    let file = write(&hub, ".env", middleware);
    let imported = run(&hub, &["import", "vtiger-middleware", &file, "--tenant", "vt"]);
    assert!(imported.status.success() && said(&imported).contains("PORT"), "{}", said(&imported));
    let secret = |path: &str| std::fs::read_to_string(hub.folder().join("secrets").join(path)).unwrap();
    assert_eq!((secret("vt/vtiger_access_key"), secret("vt/webhook_secret")), ("k3y#1".into(), "hook-s3cret".into()));
    let listener = "AMI_HOST=10.0.0.5\nAMI_PORT=5038\nAMI_USERNAME=hub\nAMI_SECRET=ami-s3cret\nPBX_SYSTEM=freepbx\n\
        WEBHOOK_URL=https://old.example/webhook/call\nWEBHOOK_SECRET=x1y2z3\nLOG_LEVEL=info\n";
    let file = write(&hub, "listener.env", listener);
    let imported = run(&hub, &["import", "freepbx-listener", &file, "--tenant", "fp"]);
    assert!(imported.status.success() && said(&imported).contains("LOG_LEVEL"), "{}", said(&imported));
    let text = std::fs::read_to_string(hub.folder().join("tenants/fp.toml")).unwrap();
    assert!(text.contains("profile = \"freepbx\"") && text.contains("name = \"freepbx\""), "{text}");
    passes(&hub);
    let odd = write(&hub, "odd.env", "AMI_HOST=1\nthis is none\n");
    assert!(said(&run(&hub, &["import", "freepbx-listener", &odd])).contains("line 2"));
    let poor = write(&hub, "poor.env", "AMI_HOST=1\n");
    assert!(said(&run(&hub, &["import", "freepbx-listener", &poor])).contains("the manager's secret is missing"));
}
