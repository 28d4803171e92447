//! A request as PHP takes it apart: the query string, the form, the files.

use std::collections::HashMap;

use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;

/// One part of a multipart form.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The form field.
    pub name: String,
    /// Present for files.
    pub file_name: Option<String>,
    /// As the part says.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A request, taken apart.
#[derive(Debug, Default)]
pub struct Asked {
    /// Parameters of the query string.
    pub get: HashMap<String, String>,
    /// Fields of the form.
    pub post: HashMap<String, String>,
    /// Files of the form.
    pub files: Vec<Part>,
    /// The method was POST.
    pub posted: bool,
}

impl Asked {
    /// Takes a request apart. A body that is no form gives nothing, JSON included.
    pub fn read(head: &Parts, body: &[u8]) -> Self {
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut asked = Self { get: query(&head.uri), posted: head.method == "POST", ..Self::default() };
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("application/x-www-form-urlencoded") {
            asked.post = form_urlencoded::parse(body).into_owned().collect();
        } else if lower.starts_with("multipart/form-data")
            && let Some((_, boundary)) = kind.split_once("boundary=")
        {
            let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
            for part in parts(body, boundary) {
                if part.file_name.is_some() {
                    asked.files.push(part);
                } else {
                    asked.post.insert(part.name, String::from_utf8_lossy(&part.bytes).into_owned());
                }
            }
        }
        asked
    }

    /// A parameter that may stand in either place; the form wins.
    pub fn either(&self, name: &str) -> &str {
        self.post.get(name).or_else(|| self.get.get(name)).map(String::as_str).unwrap_or_default()
    }

    /// A parameter of an operation that reads the query string.
    pub fn get(&self, name: &str) -> &str {
        self.get.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter of an operation that reads the form.
    pub fn post(&self, name: &str) -> &str {
        self.post.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn query(uri: &Uri) -> HashMap<String, String> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The parts of a multipart body.
pub fn parts(body: &[u8], boundary: &str) -> Vec<Part> {
    let opening = format!("--{boundary}").into_bytes();
    let closing = format!("\r\n--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let Some(mut at) = find(body, &opening, 0).map(|at| at + opening.len()) else { return parts };
    while body[at..].starts_with(b"\r\n") {
        let start = at + 2;
        let Some(head_end) = find(body, b"\r\n\r\n", start) else { break };
        let Some(end) = find(body, &closing, head_end + 2) else { break };
        let content = body.get(head_end + 4..end).unwrap_or_default();
        parts.extend(part(&String::from_utf8_lossy(&body[start..head_end]), content));
        at = end + closing.len();
    }
    parts
}

fn part(head: &str, content: &[u8]) -> Option<Part> {
    let mut part = Part { name: String::new(), file_name: None, media_type: String::new(), bytes: content.to_vec() };
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-type") {
            part.media_type = value.trim().to_owned();
        } else if name.eq_ignore_ascii_case("content-disposition") {
            for parameter in value.split(';').skip(1) {
                let (name, value) = parameter.split_once('=')?;
                let value = value.trim().trim_matches('"').to_owned();
                match name.trim() {
                    "name" => part.name = value,
                    "filename" => part.file_name = Some(value),
                    _ => {}
                }
            }
        }
    }
    Some(part)
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}
