//! Asking a running hub over its own API.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;

use super::Failure;
use crate::config::Plan;

/// Which hub, and as whom.
#[derive(clap::Args, Clone)]
pub struct Whom {
    /// The tenant; not needed when the configuration has only one
    #[arg(long, global = true)]
    tenant: Option<String>,
    /// The hub's address; by default where the configuration says that it listens
    #[arg(long, global = true, env = "CORDBOARD_URL")]
    url: Option<String>,
    /// A token; by default one is made with the configuration's secret
    #[arg(long, global = true, env = "CORDBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A hub that can be asked.
pub struct Client {
    base: String,
    token: String,
    http: reqwest::Client,
}

/// An answer may be this long.
const LONGEST: usize = 64 << 20;

impl Client {
    /// Finds the hub and a token for it.
    pub fn new(folder: &Path, whom: &Whom) -> Result<Self, Failure> {
        let plan = match (&whom.url, &whom.token) {
            (Some(_), Some(_)) => None,
            _ => Some(Plan::load(folder)?),
        };
        let base = match (&whom.url, &plan) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(plan)) => format!("http://{}", plan.hub.listen),
            (None, None) => return Err("no hub to ask: give --url".into()),
        };
        let token = match (&whom.token, &plan) {
            (Some(token), _) => token.clone(),
            (None, Some(plan)) => {
                let tenant = match (&whom.tenant, plan.tenants.len()) {
                    (Some(tenant), _) => tenant.clone(),
                    (None, 1) => plan.tenants.keys().next().cloned().unwrap_or_default(),
                    (None, _) => return Err("which tenant? Give --tenant NAME".into()),
                };
                super::token::made(plan, &tenant, "admin", "cli", Duration::from_secs(300))?
            }
            (None, None) => return Err("no token: give --token".into()),
        };
        Ok(Client { base, token, http: reqwest::Client::builder().no_proxy().build()? })
    }

    /// `GET`
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(reqwest::Method::GET, path, query, None).await
    }

    /// `POST` without a body.
    pub async fn post(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(reqwest::Method::POST, path, query, None).await
    }

    /// `POST` of JSON.
    pub async fn send(&self, path: &str, query: &[(&str, String)], body: &Value) -> Result<Value, Failure> {
        self.ask(reqwest::Method::POST, path, query, Some(body)).await
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut url = url::Url::parse(&format!("{}{path}", self.base))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url).bearer_auth(&self.token).timeout(Duration::from_secs(30));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.map_err(|why| {
            if why.is_connect() {
                format!("no hub answers at {}: is it running? (`cordboard serve`, or --url)", self.base)
            } else {
                format!("{}: {}", self.base, why.without_url())
            }
        })?;
        let status = response.status();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > LONGEST {
                return Err("the answer is too long".into());
            }
        }
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let told = value["detail"].as_str().or(value["title"].as_str()).unwrap_or("no reason given");
        Err(format!("the hub refused ({status}): {told}").into())
    }
}
