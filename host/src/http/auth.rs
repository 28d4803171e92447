//! Who asks: a person's token (JWT) or a machine's key.
//!
//! The tenant comes from the token or the key, never from anything else in the request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Api;
use super::problem::{Kind, Problem};
use crate::config::{Auth, Plan, Role, Tenant, TokenKeys};
use crate::live::Sight;

/// Clocks of two machines may differ by so much.
const LEEWAY: u64 = 30;

/// A longer token is none.
const LONGEST: usize = 8192;

/// What a token says. All four must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The tenant.
    pub tenant: String,
    /// `agent`, `supervisor`, `admin`.
    pub role: String,
    /// Who: for an agent, the `login` in the tenant's file.
    pub sub: String,
    /// Seconds since 1970.
    pub exp: u64,
}

/// Somebody who may ask.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose things are asked for.
    pub tenant: Arc<Tenant>,
    /// The token's `sub`, or the key's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// An agent's extensions.
    pub extensions: Arc<[String]>,
    /// When the token ends.
    pub until: Option<SystemTime>,
    /// SHA-256 of the key of one who came with a key.
    pub key: Option<[u8; 32]>,
}

impl Caller {
    /// Finds out who asks.
    pub(super) async fn of(api: &Api, headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            let detail = "an `Authorization: Bearer …` header with a token or an API key is missing";
            return Err(Problem::new(Kind::Unauthenticated, detail));
        };
        let token = value.to_str().ok().and_then(|value| value.split_once(' '));
        let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(Problem::new(Kind::Unauthenticated, "the `Authorization` header is not `Bearer …`"));
        };
        Caller::with(api, token.trim()).await
    }

    /// Finds out who has this token or key.
    pub(super) async fn with(api: &Api, token: &str) -> Result<Self, Problem> {
        let plan = api.plan.load_full();
        if token.len() > LONGEST {
            return Err(refused("the token is too long"));
        }
        if token.starts_with("ck_") {
            return with_key(&plan, token).ok_or_else(|| refused("the API key is not known"));
        }
        let Some(auth) = &plan.hub.auth else {
            return Err(refused("this hub takes API keys only: its configuration has no `[auth]`"));
        };
        let claims = claims(api, auth, token).await?;
        of_claims(&plan, claims)
    }

    /// Whether the configuration still lets them in, and to the same.
    pub(super) fn stands(&self, plan: &Plan) -> bool {
        let Some(tenant) = plan.tenants.get(&self.tenant.name) else { return false };
        let is_known = self.key.is_none_or(|own| {
            tenant.keys.iter().any(|key| key.sha256 == own && key.role == self.role && key.name == self.name)
        });
        is_known && extensions(tenant, &self.name)[..] == self.extensions[..]
    }

    /// What they may see of their tenant.
    pub fn sight(&self) -> Sight {
        match self.role {
            Role::Agent => Sight::Desk(self.extensions.clone()),
            Role::Supervisor | Role::Admin => Sight::Tenant,
        }
    }

    pub(super) fn at_least(self, role: Role) -> Result<Self, Problem> {
        if self.role >= role {
            return Ok(self);
        }
        let needed = if role == Role::Admin { "an admin" } else { "a supervisor or an admin" };
        Err(Problem::new(Kind::Forbidden, format!("only {needed} may do this")))
    }
}

fn refused(why: impl Into<String>) -> Problem {
    Problem::new(Kind::Unauthenticated, why)
}

/// Every key is looked at, so that the time taken tells nothing.
fn with_key(plan: &Plan, key: &str) -> Option<Caller> {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut found = None;
    for tenant in plan.tenants.values() {
        for key in &tenant.keys {
            if bool::from(key.sha256.ct_eq(&hash)) {
                found = Some((tenant, key));
            }
        }
    }
    let (tenant, key) = found?;
    let extensions = extensions(tenant, &key.name);
    let (name, role, own) = (key.name.clone(), key.role, Some(key.sha256));
    Some(Caller { tenant: tenant.clone(), name, role, extensions, until: None, key: own })
}

fn extensions(tenant: &Tenant, login: &str) -> Arc<[String]> {
    tenant.agent_named(login).map(|agent| agent.extensions.clone()).unwrap_or_default().into()
}

fn of_claims(plan: &Plan, claims: Claims) -> Result<Caller, Problem> {
    let role = match claims.role.as_str() {
        "agent" => Role::Agent,
        "supervisor" => Role::Supervisor,
        "admin" => Role::Admin,
        _ => return Err(refused("the token's `role` is none of agent, supervisor, admin")),
    };
    let Some(tenant) = plan.tenants.get(&claims.tenant) else {
        return Err(Problem::new(Kind::Forbidden, "the token's `tenant` is not one of this hub's"));
    };
    if role == Role::Agent && tenant.agent_named(&claims.sub).is_none() {
        let detail = "the tenant's file has no agent whose `login` is the token's `sub`";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp.saturating_add(LEEWAY)));
    let extensions = extensions(tenant, &claims.sub);
    Ok(Caller { tenant: tenant.clone(), name: claims.sub, role, extensions, until, key: None })
}

/// Verifies a token. Which algorithm it may use is decided by the key, never by the token.
async fn claims(api: &Api, auth: &Auth, token: &str) -> Result<Claims, Problem> {
    match &auth.keys {
        TokenKeys::Secret(secret) => {
            let key = DecodingKey::from_secret(secret.reveal().as_bytes());
            verify(auth, token, &key, Algorithm::HS256)
        }
        TokenKeys::Jwks(url) => {
            let header = jsonwebtoken::decode_header(token).map_err(|_| refused("the token is not a JWT"))?;
            let key = api.jwks.key(url, header.kid.as_deref()).await?;
            verify(auth, token, &key.key, key.algorithm)
        }
    }
}

fn verify(auth: &Auth, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, Problem> {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    let mut required = vec!["exp", "sub"];
    match &auth.audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = &auth.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation);
    decoded.map(|decoded| decoded.claims).map_err(|why| refused(told(why.kind(), algorithm)))
}

/// Why a token was refused, without showing anything of it.
fn told(why: &ErrorKind, algorithm: Algorithm) -> String {
    match why {
        ErrorKind::ExpiredSignature => "the token has expired".to_owned(),
        ErrorKind::ImmatureSignature => "the token is not valid yet".to_owned(),
        ErrorKind::InvalidSignature => "the token's signature is wrong".to_owned(),
        ErrorKind::InvalidAlgorithm => format!("the token must be signed with {algorithm:?}"),
        ErrorKind::InvalidIssuer => "the token is of another issuer".to_owned(),
        ErrorKind::InvalidAudience => "the token is for another audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the token has no `{claim}`"),
        ErrorKind::Json(why) => format!("the token's claims are not as they should be: {why}"),
        _ => "the token is not a JWT".to_owned(),
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Caller::of(api, &parts.headers).await
    }
}

/// Somebody who sees the whole tenant.
pub(super) struct Supervisor(pub(super) Caller);

impl FromRequestParts<Arc<Api>> for Supervisor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Caller::of(api, &parts.headers).await?.at_least(Role::Supervisor).map(Supervisor)
    }
}

/// Somebody who may do everything in the tenant.
pub(super) struct Admin(pub(super) Caller);

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Caller::of(api, &parts.headers).await?.at_least(Role::Admin).map(Admin)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Machine;

    fn plan(tenant: &str) -> Plan {
        Plan::read(Path::new("."), &[("tenants/acme.toml".to_owned(), tenant.to_owned())], &Machine).unwrap()
    }

    #[test]
    fn who_is_let_in_no_more_or_to_something_else_is_known() {
        let key = "ck_0123456789abcdef";
        let hash = hex::encode(Sha256::digest(key));
        let with =
            |name: &str, role: &str| format!("[[keys]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{hash}\"\n");
        let desk = |extension: &str| format!("[[agents]]\nlogin = \"ana\"\nextensions = [\"{extension}\"]\n");
        let before = plan(&(desk("101") + &with("wallboard", "supervisor")));
        let wallboard = with_key(&before, key).unwrap();
        let claims = Claims { tenant: "acme".into(), sub: "ana".into(), role: "agent".into(), exp: u64::MAX >> 20 };
        let ana = of_claims(&before, claims).unwrap();
        assert!(wallboard.stands(&before) && ana.stands(&before));
        assert!(!wallboard.stands(&plan(&desk("101"))), "the key was taken out");
        assert!(!wallboard.stands(&plan(&with("wallboard", "agent"))), "it may less");
        assert!(ana.stands(&plan(&desk("101"))) && !ana.stands(&plan(&desk("102"))), "another desk");
        let elsewhere = Plan::read(Path::new("."), &[("tenants/beta.toml".to_owned(), desk("101"))], &Machine).unwrap();
        assert!(!ana.stands(&elsewhere), "the tenant is gone");
    }
}
