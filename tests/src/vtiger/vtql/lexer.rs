//! Words, literals and signs of a query. What fits no rule ends in an exception that nobody foresaw.

use super::super::refusal::Refusal;

/// Splits a query into its tokens, quotes kept.
pub fn tokens(query: &str) -> Result<Vec<&str>, (Vec<&str>, Refusal)> {
    let mut tokens = Vec::new();
    let mut rest = query;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Ok(tokens);
        }
        let Some(length) = length(rest) else { return Err((tokens, Refusal::internal())) };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after;
    }
}

fn length(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    let word = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    match first {
        c if c.is_ascii_alphanumeric() || c == '_' => Some(word(rest)),
        '\'' => literal(rest),
        '(' | ')' | ',' | '*' | ';' | '=' => Some(1),
        '+' | '-' => {
            let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
            (digits > 0).then_some(digits + 1)
        }
        '<' | '>' if rest[1..].starts_with('=') => Some(2),
        '<' | '>' => Some(1),
        '!' if rest[1..].starts_with('=') => Some(2),
        _ => None,
    }
}

/// A literal in single quotes: at least one character, a doubled quote counts as one; the longest reading that ends in
/// a quote wins.
fn literal(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    let mut closed = None;
    while at < bytes.len() {
        if bytes[at] != b'\'' {
            at += 1;
        } else if bytes.get(at + 1) == Some(&b'\'') {
            // Going on is tried first; when no quote closes the literal later, it has ended here.
            if at > 1 {
                closed = Some(at + 1);
            }
            at += 2;
        } else if at > 1 {
            return Some(at + 1);
        } else {
            return None;
        }
    }
    closed
}
