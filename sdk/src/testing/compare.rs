//! Whether a request is the one expected, and if not, where it differs.

use serde_json::Value;

use super::Expected;
use crate::http::Request;

/// How the request differs from what is expected, one sentence each. Empty when it is the one.
pub(super) fn differences(expected: &Expected, request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    if expected.method != request.method {
        found.push(format!("method: expected {}, got {}", expected.method, request.method));
    }
    path(&expected.path, &request.url, &mut found);
    for (name, value) in &expected.headers {
        let given: Vec<&str> =
            request.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect();
        if !given.contains(&value.as_str()) {
            found.push(format!("header {name}: expected {value:?}, got {given:?}"));
        }
    }
    if let Some(body) = &expected.body {
        self::body(body, request, &mut found);
    }
    let text = String::from_utf8_lossy(&request.body);
    for part in &expected.contains {
        if !text.contains(part.as_str()) {
            found.push(format!("body: expected {part:?} in it, got {text}"));
        }
    }
    found
}

fn path(expected: &str, url: &str, found: &mut Vec<String>) {
    let given = if expected.contains("://") { url } else { without_origin(url) };
    let (expected_path, expected_query) = split(expected);
    let (given_path, given_query) = split(given);
    if !fits(expected_path, given_path) {
        found.push(format!("path: expected {expected_path}, got {given_path}"));
    }
    if let Some(query) = expected_query {
        pairs("query", query.as_bytes(), given_query.unwrap_or("").as_bytes(), found);
    }
}

fn without_origin(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    after.find(['/', '?']).map_or("/", |start| &after[start..])
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)))
}

/// Whether a path fits a pattern whose `*` stand for anything.
fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path
            .strip_prefix(start)
            .is_some_and(|path| (0..=path.len()).any(|skip| path.get(skip..).is_some_and(|path| fits(rest, path)))),
    }
}

fn body(expected: &[u8], request: &Request, found: &mut Vec<String>) {
    let media_type = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media_type = media_type.map_or("", |(_, value)| value.as_str());
    if media_type.starts_with("application/x-www-form-urlencoded") {
        return pairs("form", expected, &request.body, found);
    }
    if let (Some(expected), Some(given)) = (json(expected), json(&request.body)) {
        return values("body", &expected, &given, found);
    }
    if expected != request.body {
        found.push(format!(
            "body: expected {}\n           got {}",
            String::from_utf8_lossy(expected),
            String::from_utf8_lossy(&request.body)
        ));
    }
}

fn json(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

/// Compares pairs, in any order; values that are JSON objects or lists are compared as such.
fn pairs(what: &str, expected: &[u8], given: &[u8], found: &mut Vec<String>) {
    let mut given: Vec<(String, String)> = form_urlencoded::parse(given).into_owned().collect();
    for (name, value) in form_urlencoded::parse(expected) {
        let same = given.iter().position(|(key, other)| *key == name && *other == value);
        let Some(position) = same.or_else(|| given.iter().position(|(key, _)| *key == name)) else {
            found.push(format!("{what}: expected {name}={value}, which is missing"));
            continue;
        };
        let (_, other) = given.remove(position);
        match (json(value.as_bytes()), json(other.as_bytes())) {
            (Some(a), Some(b)) if (a.is_object() && b.is_object()) || (a.is_array() && b.is_array()) => {
                values(&format!("{what} {name}"), &a, &b, found);
            }
            _ if other != value => {
                found.push(format!(
                    "{what} {name}: expected {value}\n{:>width$}got {other}",
                    "",
                    width = what.len() + name.len() + 7
                ));
            }
            _ => {}
        }
    }
    for (name, value) in given {
        found.push(format!("{what}: {name}={value} is not expected"));
    }
}

/// Compares JSON, and names each place that differs.
fn values(place: &str, expected: &Value, given: &Value, found: &mut Vec<String>) {
    match (expected, given) {
        (Value::Object(expected), Value::Object(given)) => {
            for (name, value) in expected {
                match given.get(name) {
                    Some(other) => values(&format!("{place}/{name}"), value, other, found),
                    None => found.push(format!("{place}/{name}: expected {value}, which is missing")),
                }
            }
            for (name, value) in given.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                found.push(format!("{place}/{name}: {value} is not expected"));
            }
        }
        (Value::Array(expected), Value::Array(given)) if expected.len() == given.len() => {
            for (index, (value, other)) in expected.iter().zip(given).enumerate() {
                values(&format!("{place}/{index}"), value, other, found);
            }
        }
        _ if expected != given => found.push(format!("{place}: expected {expected}, got {given}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(method: &str, path: &str, body: Option<&str>) -> Expected {
        Expected {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.map(|body| body.as_bytes().to_vec()),
            ..Expected::default()
        }
    }

    #[test]
    fn order_and_spelling_do_not_matter() {
        let request = Request::get("https://crm.test/a/7/b?y=2&x=%20");
        assert_eq!(differences(&expect("GET", "/a/*/b?x=+&y=2", None), &request), Vec::<String>::new());
        assert_eq!(differences(&expect("GET", "/a/*", None), &request), Vec::<String>::new());
        let request = Request::post("https://crm.test").form([("b", r#"{"p":1,"q":[2]}"#), ("a", "x")]);
        let form = "a=x&b=%7B%22q%22%3A+%5B2%5D%2C+%22p%22%3A1%7D";
        assert_eq!(differences(&expect("POST", "/", Some(form)), &request), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named() {
        let request = Request::post("https://crm.test/x?c=1").form([("b", r#"{"p":1,"r":0}"#), ("a", "y")]);
        let found = differences(&expect("GET", "/y?d=1", Some(r#"a=x&b={"p":2,"q":3}"#)), &request);
        assert_eq!(
            found,
            [
                "method: expected GET, got POST",
                "path: expected /y, got /x",
                "query: expected d=1, which is missing",
                "query: c=1 is not expected",
                "form a: expected x\n            got y",
                "form b/p: expected 2, got 1",
                "form b/q: expected 3, which is missing",
                "form b/r: 0 is not expected",
            ]
        );
    }
}
