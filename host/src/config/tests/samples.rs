//! The samples that `cordboard init` writes.

use super::*;

/// A sample with its commented settings put in force.
fn uncommented(sample: &str) -> String {
    let lines = sample.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.starts_with('[') || setting.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => {
            setting
        }
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
}

#[test]
fn samples_load_as_they_are_and_with_every_setting() {
    let hash = "ab".repeat(32);
    let keeper = Safe::of(&[
        ("ACME_WEBHOOK_SECRET", "s"),
        ("ACME_VTIGER_KEY", "k"),
        ("ACME_ROUTE_KEY", "r"),
        ("ACME_CDR_URL", "mysql://hub:sesame@pbx.example/asteriskcdrdb"),
        ("CORDBOARD_JWT_SECRET", "j"),
        ("CORDBOARD_KEY", &hash),
        ("CORDBOARD_S3_KEY", "AKIA"),
        ("CORDBOARD_S3_SECRET", "sesame"),
        ("CORDBOARD_SMTP", "smtps://u:p@mail.example.com"),
        ("/etc/cordboard/pbx-ca.pem", include_str!("../../../../tests/fixtures/tls/ca.pem")),
    ]);
    let load = |hub: &str, tenant: &str| {
        let files = [("cordboard.toml", hub), ("tenants/acme.toml", tenant)];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Plan::read(Path::new("/etc/cordboard"), &files, &keeper).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let plain = load(DEFAULT_HUB, DEFAULT_TENANT);
    let hub = uncommented(DEFAULT_HUB).lines().filter(|line| !line.starts_with("jwks")).collect::<Vec<_>>().join("\n");
    let full = load(&hub, &uncommented(DEFAULT_TENANT).replace("\"…\"", &format!("\"{hash}\"")));
    // The commented values are the ones that hold without them.
    assert!(plain.hub.recordings.copies.is_none() && full.hub.recordings.copies.is_some());
    let without_copies = Serving { copies: None, ..full.hub.recordings.clone() };
    assert_eq!((&plain.hub.listen, &plain.hub.recordings), (&full.hub.listen, &without_copies));
    assert_eq!(
        (plain.hub.public_url.as_deref(), full.hub.public_url.as_deref()),
        (None, Some("https://hub.example.com"))
    );
    assert_eq!((&plain.hub.limits, &plain.hub.retention), (&full.hub.limits, &full.hub.retention));
    assert_eq!((&plain.hub.store, &plain.hub.data), (&full.hub.store, &full.hub.data));
    let keys = |plan: &Plan| plan.hub.auth.as_ref().map(|auth| auth.keys.clone());
    assert_eq!((keys(&plain), &plain.hub.log), (keys(&full), &full.hub.log));
    assert!(full.hub.alerts.mail.is_some() && full.hub.encryption.is_some());
    let acme = &full.tenants["acme"];
    assert_eq!(acme.sinks["crm"].attempts, plain.tenants["acme"].sinks["crm"].attempts);
    assert_eq!(acme.keys.len(), 1);
    let pbx = &acme.sources["pbx"];
    assert!(pbx.recordings.is_some() && pbx.databases["cdr"].kind == DatabaseKind::MySql);
    assert!(!format!("{full:?}").contains("sesame"), "{full:?}");
    assert!(!format!("{full:?}").contains("smtps"), "{full:?}");
}
