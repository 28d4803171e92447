//! `cordboard token`: a token for the API and the live feed.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::path::Path;
use std::time::Duration;

use super::Failure;
use crate::config::{Auth, Plan, TokenKeys};
use crate::http::Claims;
use crate::model::Instant;

/// What `token` is given.
#[derive(clap::Args)]
pub struct Arguments {
    /// The tenant that it is for
    #[arg(long)]
    tenant: String,
    /// What it may do: an agent sees its own desk, a supervisor the tenant, an admin may change things
    #[arg(long, default_value = "supervisor", value_parser = ["agent", "supervisor", "admin"])]
    role: String,
    /// Who it is for: for an agent, the `login` in the tenant's file
    #[arg(long, default_value = "cli")]
    sub: String,
    /// How long it works
    #[arg(long, default_value = "12h", value_parser = crate::config::amount::duration)]
    ttl: Duration,
}

/// Makes and prints a token.
pub fn run(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan::load(folder)?;
    println!("{}", made(&plan, &arguments.tenant, &arguments.role, &arguments.sub, arguments.ttl)?);
    Ok(())
}

/// A token signed with the hub's own secret.
pub fn made(plan: &Plan, tenant: &str, role: &str, sub: &str, ttl: Duration) -> Result<String, Failure> {
    if !plan.tenants.contains_key(tenant) {
        let known: Vec<&str> = plan.tenants.keys().map(String::as_str).collect();
        return Err(format!("there is no tenant `{tenant}`; there is {}", known.join(", ")).into());
    }
    let Some(Auth { keys: TokenKeys::Secret(secret), issuer, audience }) = &plan.hub.auth else {
        return Err("tokens can only be made here when `[auth] secret` is set in cordboard.toml; \
                    with `jwks`, whoever has the private key makes them"
            .into());
    };
    let claims = Claims {
        tenant: tenant.to_owned(),
        role: role.to_owned(),
        sub: sub.to_owned(),
        exp: Instant::now().after(ttl).millis() / 1000,
    };
    let mut claims = serde_json::to_value(claims)?;
    for (name, value) in [("iss", issuer), ("aud", audience)] {
        if let Some(value) = value {
            claims[name] = value.clone().into();
        }
    }
    let key = jsonwebtoken::EncodingKey::from_secret(secret.reveal().as_bytes());
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}
