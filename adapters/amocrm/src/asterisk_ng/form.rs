//! The one field that the vendor's proxy sends: form-encoded, in parts, or the object itself.

use cordboard_sdk::vocabulary::Incoming;

/// The text of the field `json`, however it is packed; absent when there is none.
pub fn json_field(request: &Incoming) -> Option<String> {
    let media_type = request.header("content-type").unwrap_or("application/x-www-form-urlencoded");
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => String::from_utf8(request.body.clone()).ok(),
        "multipart/form-data" => part(&request.body, boundary(media_type)?),
        _ => request.form_pairs().into_iter().find(|(name, _)| name == "json").map(|(_, value)| value),
    }
}

fn boundary(media_type: &str) -> Option<&str> {
    let parameters = media_type.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The content of the part `json` (RFC 7578).
fn part(body: &[u8], boundary: &str) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let mark = format!("--{boundary}");
    body.split(mark.as_str()).skip(1).find_map(|part| {
        let (head, content) = part.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
        let named = head.lines().any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("content-disposition:") && (line.contains("name=\"json\"") || line.contains("name=json"))
        });
        named.then(|| content.strip_suffix("\r\n").unwrap_or(content).to_owned())
    })
}
