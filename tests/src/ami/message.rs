//! Messages of the server, as bytes.

/// The values under a name, in their order.
pub(super) fn value(message: &[u8], name: &str) -> Option<String> {
    lines(message).find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Names and values; a value that is no UTF-8 is shown as far as it is.
pub(super) fn lines(message: &[u8]) -> impl Iterator<Item = (String, String)> {
    let text = String::from_utf8_lossy(message).into_owned();
    let lines: Vec<_> = text
        .split("\r\n")
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
        })
        .collect();
    lines.into_iter()
}

/// A message of these lines.
pub(super) fn message(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in lines {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Every place of one text taken by another.
pub(super) fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let from = from.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if !from.is_empty() && bytes[at..].starts_with(from) {
            out.extend_from_slice(to.as_bytes());
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
