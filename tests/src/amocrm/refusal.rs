//! What amoCRM says when it does not do what it was asked.

use serde_json::{Value, json};

/// A status and what is said with it; null for no body.
pub(super) type Answer = (u16, Value);

/// A problem document.
pub(super) fn problem(status: u16, title: &str, detail: &str) -> Answer {
    let kind = format!("https://httpstatus.es/{status}");
    (status, json!({"title": title, "type": kind, "status": status, "detail": detail}))
}

/// What is wrong with an item of a request: its `request_id`, then code, path and detail of each mistake.
pub(super) type Mistakes = (String, Vec<(&'static str, String, &'static str)>);

/// A member that must be there is not.
pub(super) const MISSING: (&str, &str) = ("FieldMissing", "This field is missing.");
/// A value of the wrong type.
pub(super) const TYPE: (&str, &str) = ("InvalidType", "This value should be of the right type.");
/// A value that is none of those that there are.
pub(super) const CHOICE: (&str, &str) = ("NotSupportedChoice", "The value you selected is not a valid choice.");

/// A request of which nothing is done.
pub(super) fn invalid(items: &[Mistakes]) -> Answer {
    let (status, mut body) = problem(400, "Bad Request", "Request validation failed");
    let errors = |(id, errors): &Mistakes| {
        let errors: Vec<Value> =
            errors.iter().map(|(code, path, detail)| json!({"code": code, "path": path, "detail": detail})).collect();
        json!({"request_id": id, "errors": errors})
    };
    body["validation-errors"] = items.iter().map(errors).collect();
    (status, body)
}

/// A token that is not, or no longer, good.
pub(super) fn stranger() -> Answer {
    problem(401, "Unauthorized", "The access token is not valid")
}

/// An OAuth request that is refused. Title and detail are in the account's language.
pub(super) fn revoked(hint: &str) -> Answer {
    let kind = "https://developers.amocrm.ru/v3/errors/OAuthProblemJson";
    (
        401,
        json!({"hint": hint, "title": "Некорректный запрос", "type": kind, "status": 401,
        "detail": "В запросе отсутствует ряд параметров или параметры невалидны"}),
    )
}
