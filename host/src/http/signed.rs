//! Who opens a file: somebody of the tenant, or the holder of a link that the hub has signed.

use axum::http::HeaderMap;

use super::Api;
use super::auth::Caller;
use super::problem::{Kind, Problem};
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

/// The parts of a signed link beside its path.
pub(super) struct Link<'a> {
    /// Whose it is.
    pub tenant: Option<&'a str>,
    /// What it opens, as it names it.
    pub id: Option<&'a str>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
    /// What proves it.
    pub signature: Option<&'a str>,
}

impl Opener {
    /// Whoever has a link that is signed; else whoever the headers say.
    pub async fn of(api: &Api, part: Part, record: i64, link: Link<'_>, headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(signature) = link.signature else {
            let caller = Caller::of(api, headers).await?;
            let sight = caller.sight();
            return Ok(Opener { tenant: caller.tenant.name.clone(), name: caller.name, sight });
        };
        let missing = |what: &str| Problem::new(Kind::Malformed, "a signed link has all of its parts").at(what);
        let tenant = link.tenant.ok_or_else(|| missing("tenant"))?;
        let id = link.id.ok_or_else(|| missing(part.name()))?;
        let expires = link.expires.ok_or_else(|| missing("expires"))?;
        api.links.check(part, tenant, record, id, expires, signature).map_err(|why| {
            let way = match why {
                LinkError::Wrong => "take the link anew from the record",
                LinkError::Expired => "log in, or have the record delivered again",
            };
            Problem::new(Kind::Forbidden, format!("{why}: {way}"))
        })?;
        // What is signed is one file; the parameters say no more than that.
        Ok(Opener { tenant: tenant.to_owned(), name: "a signed link".to_owned(), sight: Sight::Tenant })
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
