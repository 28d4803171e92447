//! Rows for SQLite: many rows in two arguments, one JSON text of small arrays and one blob with everything long.
//!
//! One statement for each row through sqlx costs two thirds of the throughput. A long text inside the JSON would be
//! parsed and copied; a slice of a blob is only copied.

use super::text;
use super::value::Value;

/// Rows under construction.
pub(in crate::store) struct Rows {
    json: String,
    blob: Vec<u8>,
    in_row: bool,
}

impl Rows {
    /// None yet.
    pub fn new() -> Self {
        Rows { json: String::from("["), blob: Vec::new(), in_row: false }
    }

    /// Begins a row.
    pub fn row(&mut self) -> &mut Self {
        self.end();
        self.json.push_str(if self.json.len() > 1 { ",[" } else { "[" });
        self
    }

    fn end(&mut self) {
        if self.in_row {
            self.json.push(']');
        }
        self.in_row = false;
    }

    fn next(&mut self) {
        if self.in_row {
            self.json.push(',');
        }
        self.in_row = true;
    }

    /// A number.
    pub fn int(&mut self, value: i64) -> &mut Self {
        self.next();
        self.json.push_str(&value.to_string());
        self
    }

    /// A number or nothing.
    pub fn opt_int(&mut self, value: Option<i64>) -> &mut Self {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    fn null(&mut self) -> &mut Self {
        self.next();
        self.json.push_str("null");
        self
    }

    /// A short text.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.next();
        let kept = text::keep(value);
        let plain = kept.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        match plain {
            true => {
                self.json.push('"');
                self.json.push_str(&kept);
                self.json.push('"');
            }
            false => self.json.push_str(&serde_json::Value::from(kept).to_string()),
        }
        self
    }

    /// A short text or nothing.
    pub fn opt_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A long JSON text: takes two columns, offset and length in the blob.
    pub fn json(&mut self, value: &str) -> &mut Self {
        let kept = text::keep_json(value);
        self.bytes(kept.as_bytes())
    }

    /// Bytes: take two columns, offset and length in the blob.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let at = self.blob.len() + 1;
        self.blob.extend_from_slice(value);
        self.int(i64::try_from(at).unwrap_or(i64::MAX)).int(i64::try_from(value.len()).unwrap_or(i64::MAX))
    }

    /// The two arguments.
    pub fn values(mut self) -> [Value; 2] {
        self.end();
        self.json.push(']');
        // Each text in it is in its kept form already, and so may go as it is: keeping twice would mark the marks.
        [Value::Kept(self.json), Value::Bytes(Some(self.blob))]
    }
}
