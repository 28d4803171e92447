//! Parameters of the query, and of the path.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Api;
use super::problem::{Kind, Problem};
use crate::model::Instant;

/// The query's parameters; an unknown or wrong one is named.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        read(&parts.uri).map(Query)
    }
}

/// The query's parameters that say anything: what is empty, as a field of a form that nobody filled in, is absent.
pub(super) struct Filled<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Filled<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let filled: Vec<_> = pairs.filter(|(_, value)| !value.trim().is_empty()).collect();
        read(&address(&filled)?).map(Filled)
    }
}

/// An address of which these are the query.
pub(super) fn address(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Result<Uri, Problem> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Uri::try_from(format!("/?{query}")).map_err(|_| Problem::new(Kind::Malformed, "the query cannot be read"))
}

/// The parameters of an address's query.
pub(super) fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(value)| value).map_err(|why| {
        let text = why.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        let word = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match text.split_once(": ").filter(|(name, _)| word(name)) {
            Some((name, what)) => Problem::new(Kind::Malformed, what).at(name),
            None => Problem::new(Kind::Malformed, text),
        }
    })
}

/// The number in the path.
pub(super) struct Id(pub(super) i64);

impl FromRequestParts<Arc<Api>> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Api>) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let id = params.ok().and_then(|params| params.iter().find_map(|(_, value)| value.parse().ok()));
        id.map(Id).ok_or_else(|| Problem::new(Kind::NotFound, "ids are numbers; there is nothing under this one"))
    }
}

/// How much of a list: `limit`, at most 500.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(50),
        Some(limit @ 1..=500) => Ok(limit),
        Some(_) => Err(Problem::new(Kind::Malformed, "a list has from 1 to 500 entries at once").at("limit")),
    }
}

/// That something can be between these two.
pub(super) fn span(from: Option<Instant>, to: Option<Instant>) -> Result<(), Problem> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            let why = format!("{from} is after `to`, {to}: nothing can be in between");
            Err(Problem::new(Kind::Malformed, why).at("from"))
        }
        _ => Ok(()),
    }
}

/// Words with commas between them.
pub(super) fn words(list: Option<&str>) -> Vec<String> {
    let list = list.unwrap_or_default().split(',').map(str::trim);
    list.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The first names in the path.
pub(super) struct Names<const N: usize>(pub(super) [String; N]);

impl<const N: usize> FromRequestParts<Arc<Api>> for Names<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Api>) -> Result<Self, Problem> {
        let odd = |_| Problem::new(Kind::Malformed, "the path is not UTF-8");
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(odd)?;
        let mut values = params.iter().map(|(_, value)| value.to_owned());
        Ok(Names(std::array::from_fn(|_| values.next().unwrap_or_default())))
    }
}
