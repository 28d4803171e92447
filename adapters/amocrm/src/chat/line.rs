//! Requests to the chat service, and the signatures both ways.

use std::time::Duration;

use cordboard_sdk::Host;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Failure, Instant};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

use crate::account::Account;
use crate::refusal::{self, Fault};
use crate::settings::{Chat, Settings};

const TYPE: &str = "application/json";

/// Where the service's methods are, on its host.
const ROOT: &str = "/v2/origin/custom";

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the service keeps of one chat at most in one answer.
const HISTORY: &str = "50";

/// One channel.
pub struct Line<'a> {
    host: &'a dyn Host,
    site: &'a str,
    chat: &'a Chat,
}

/// What a request's body is known by in its signature.
pub fn digest(body: &[u8]) -> String {
    hex::encode(Md5::digest(body))
}

/// The signature of a request: over its parts, with the secret as text.
pub fn signature(secret: &str, method: &str, digest: &str, date: &str, path: &str) -> String {
    let signed = format!("{method}\n{digest}\n{TYPE}\n{date}\n{path}");
    hex::encode(mac(secret, signed.as_bytes()).finalize().into_bytes())
}

/// Whether a hook's signature is right: over its body alone.
pub fn proves(secret: &str, body: &[u8], given: &str) -> bool {
    hex::decode(given.trim()).is_ok_and(|given| mac(secret, body).verify_slice(&given).is_ok())
}

fn mac(secret: &str, signed: &[u8]) -> Hmac<Sha1> {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(signed);
    mac
}

/// Connects the channel to the account; the id under which the two are known together. Asked again, it is the same.
pub fn connect(host: &dyn Host, settings: &Settings, account: &Account) -> Result<String, Failure> {
    let Some(chat) = &settings.chat else { return Err(Failure::misconfigured("the setting `chat` is not there")) };
    if account.amojo.is_empty() {
        return Err(Failure::misconfigured("the account has no id in the chat service"));
    }
    let line = Line { host, site: settings.chat_site(), chat };
    let mut body = json!({"account_id": account.amojo, "hook_api_version": "v2"});
    if let Some(title) = &chat.title {
        body["title"] = json!(title);
    }
    let said = line.ask("POST", &format!("{ROOT}/{}/connect", chat.channel), "", Some(&body))?.unwrap_or_default();
    let scope = said["scope_id"].as_str().map(str::to_owned);
    scope.ok_or_else(|| Failure::retryable("there is no `scope_id` in the answer"))
}

impl<'a> Line<'a> {
    /// The channel of the settings.
    pub fn new(host: &'a dyn Host, settings: &'a Settings, chat: &'a Chat) -> Self {
        Self { host, site: settings.chat_site(), chat }
    }

    /// The chat's id over there; it is made if it is not there, and nobody sees it until it has a message.
    pub fn chat(&self, scope: &str, conversation: &str, user: &Value) -> Result<Option<String>, Fault> {
        let body = json!({"conversation_id": conversation, "user": user});
        let said = self.ask("POST", &format!("{ROOT}/{scope}/chats"), "", Some(&body))?.unwrap_or_default();
        Ok(said["id"].as_str().map(str::to_owned))
    }

    /// The latest messages of a chat, as the service shows them.
    pub fn history(&self, scope: &str, chat: &str) -> Result<Vec<Value>, Fault> {
        let query = format!("?limit={HISTORY}&offset=0");
        let said = self.ask("GET", &format!("{ROOT}/{scope}/chats/{chat}/history"), &query, None)?;
        Ok(said.and_then(|mut said| said["messages"].as_array_mut().map(std::mem::take)).unwrap_or_default())
    }

    /// Adds or edits a message; its id over there.
    pub fn message(&self, scope: &str, event: &str, payload: &Value) -> Result<Option<String>, Fault> {
        let body = json!({"event_type": event, "payload": payload});
        let said = self.ask("POST", &format!("{ROOT}/{scope}"), "", Some(&body))?.unwrap_or_default();
        Ok(said["new_message"]["msgid"].as_str().map(str::to_owned))
    }

    /// Tells how far a message that was written over there has come.
    pub fn status(&self, scope: &str, message: &str, status: &Value) -> Result<(), Fault> {
        self.ask("POST", &format!("{ROOT}/{scope}/{message}/delivery_status"), "", Some(status)).map(|_| ())
    }

    fn ask(&self, method: &str, path: &str, query: &str, body: Option<&Value>) -> Result<Option<Value>, Fault> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let date = rfc2822(self.host.now());
        let digest = digest(&bytes);
        let signature = signature(&self.chat.secret, method, &digest, &date, path);
        let operation = format!("{} {path}", method.to_lowercase());
        let request = Request::new(method, format!("{}{path}{query}", self.site))
            .body(TYPE, bytes)
            .header("date", date)
            .header("content-md5", digest)
            .header("x-signature", signature)
            .timeout(PATIENCE);
        match request.send(self.host) {
            // Some methods answer a success with no body at all.
            Ok(answer) if answer.is_success() && answer.body.is_empty() => Ok(None),
            Ok(answer) => refusal::result(&operation, &answer, method != "GET").map_err(ours),
            Err(error) => {
                let uncertain = method != "GET" && error.may_have_arrived();
                Err(Fault::Silent { failure: error.into(), uncertain })
            }
        }
    }
}

/// The service knows no grants: where it does not let the channel in, no new one would help.
fn ours(fault: Fault) -> Fault {
    let failure = match Failure::from(fault.clone()) {
        Failure::Unauthorized(why) => Failure::misconfigured(format!("{why}: is `chat_url` right?")),
        Failure::Misconfigured(why) => {
            Failure::misconfigured(format!("{why}: are `chat.channel`, `chat.secret` and the hub's clock right?"))
        }
        _ => return fault,
    };
    Fault::Silent { failure, uncertain: false }
}

/// `Fri, 21 Nov 2025 07:00:00 +0000`.
fn rfc2822(moment: Instant) -> String {
    let moment = std::time::UNIX_EPOCH + Duration::from_millis(moment);
    httpdate::fmt_http_date(moment).replace("GMT", "+0000")
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json;

    use super::*;

    #[test]
    fn the_documented_signatures_are_made() {
        let told: Value =
            serde_json::from_str(include_str!("../../tests/recordings/chats-00-signature-vectors.json")).unwrap();
        let secret = told["channel_secret"].as_str().unwrap();
        let vectors = told["vectors"].as_array().unwrap();
        let mut bodies = 0;
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap_or_default();
            // Two are printed without their bodies.
            if let Some(body) = vector["body"].as_str() {
                assert_eq!(digest(body.as_bytes()), text("content_md5"), "{}", text("path"));
                bodies += 1;
            }
            let given = signature(secret, text("method"), text("content_md5"), text("date"), text("path"));
            assert_eq!(given, text("x_signature"), "{}", text("path"));
        }
        assert_eq!((vectors.len(), bodies), (7, 5));
    }

    #[test]
    fn moments_are_written_as_in_letters() {
        assert_eq!(rfc2822(1_795_262_400_000), "Sat, 21 Nov 2026 12:00:00 +0000");
    }

    #[test]
    fn hooks_are_proved_over_their_bytes() {
        let given = hex::encode(mac("secret", b"{}").finalize().into_bytes());
        assert!(proves("secret", b"{}", &given) && proves("secret", b"{}", &given.to_uppercase()));
        assert!(!proves("secret", b"{ }", &given) && !proves("Secret", b"{}", &given));
        assert!(!proves("secret", b"{}", "") && !proves("secret", b"{}", "no hex"));
    }
}
