//! Who opens a file: somebody of the tenant, or the holder of a link that the hub has signed.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Api;
use super::auth::Caller;
use super::problem::{Kind, Problem};
use super::query;
use crate::live::Sight;
use crate::recordings::{LinkError, Part, short};

/// Who opens a file.
pub(super) struct Opener {
    /// Of this tenant.
    pub tenant: String,
    /// For the log.
    pub name: String,
    /// What may be seen.
    pub sight: Sight,
}

/// What proves a signed link, beside what it opens.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Proof {
    /// Of a signed link: whose it is.
    tenant: Option<String>,
    /// Of a signed link: when it ends, in seconds since 1970.
    expires: Option<u64>,
    /// Of a signed link: what proves it.
    signature: Option<String>,
}

/// A query that may be a signed link's: what is asked for, and what proves the link.
pub(super) struct Signed<T>(pub(super) T, pub(super) Proof);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Signed<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let (proof, asked): (Vec<_>, Vec<_>) =
            pairs.partition(|(name, _)| matches!(&**name, "tenant" | "expires" | "signature"));
        Ok(Signed(query::read(&query::address(&asked)?)?, query::read(&query::address(&proof)?)?))
    }
}

impl Opener {
    /// Whoever has a signed link to this part of a record, under the id that it names; else whoever the headers say.
    pub async fn of(
        api: &Api,
        (part, record, id): (Part, i64, Option<&str>),
        proof: &Proof,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let Some(signature) = &proof.signature else {
            let caller = Caller::of(api, headers).await?;
            let sight = caller.sight();
            return Ok(Opener { tenant: caller.tenant.name.clone(), name: caller.name, sight });
        };
        let missing = |what: &str| Problem::new(Kind::Malformed, "a signed link has all of its parts").at(what);
        let tenant = proof.tenant.as_ref().ok_or_else(|| missing("tenant"))?;
        let id = id.ok_or_else(|| missing(part.name()))?;
        let expires = proof.expires.ok_or_else(|| missing("expires"))?;
        api.links.check(part, tenant, record, id, expires, signature).map_err(|why| {
            let way = match why {
                LinkError::Wrong => "take the link anew from the record",
                LinkError::Expired => "log in, or have the record delivered again",
            };
            Problem::new(Kind::Forbidden, format!("{why}: {way}"))
        })?;
        // What is signed is one file; the parameters say no more than that.
        Ok(Opener { tenant: tenant.clone(), name: "a signed link".to_owned(), sight: Sight::Tenant })
    }
}

/// The one of a record's files that is asked for, by its id or by its short name. The only one needs no name.
pub(super) fn chosen<'a, T>(
    part: Part,
    all: &'a [T],
    id: impl Fn(&T) -> &str,
    asked: Option<&str>,
) -> Result<&'a T, Problem> {
    match (asked, all) {
        (_, []) => Err(Problem::new(Kind::NotFound, format!("there is no {}", part.name()))),
        (None, [only]) => Ok(only),
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(id).collect();
            let detail = format!("there are several, say which one: {}", ids.join(", "));
            Err(Problem::new(Kind::Malformed, detail).at(part.name()))
        }
        (Some(asked), all) => {
            let found = all.iter().find(|one| id(one) == asked || short(id(one)) == asked);
            found.ok_or_else(|| Problem::new(Kind::NotFound, "there is none of this name").at(part.name()))
        }
    }
}
