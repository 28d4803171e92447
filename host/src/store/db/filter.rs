//! Conditions put together from a filter.

use super::value::Value;

/// A condition with its arguments.
pub(in crate::store) struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Begins with one condition; `?` stands for the value.
    pub fn new(condition: &str, value: impl Into<Value>) -> Self {
        let mut filter = Filter { sql: String::new(), values: Vec::new() };
        filter.add(condition, value.into());
        filter
    }

    /// One more condition; `?` stands for the value, wherever it stands.
    pub fn and(mut self, condition: &str, value: impl Into<Value>) -> Self {
        self.add(condition, value.into());
        self
    }

    /// One more condition, if there is a value.
    pub fn and_some<T: Into<Value>>(self, condition: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    fn add(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        if !self.sql.is_empty() {
            self.sql.push_str(" and ");
        }
        self.sql.push_str(&condition.replace('?', &format!("${}", self.values.len())));
    }

    /// The condition and its arguments.
    pub fn done(self) -> (String, Vec<Value>) {
        (self.sql, self.values)
    }
}

/// A pattern for `like … escape '!'` that finds the text anywhere.
pub(in crate::store) fn anywhere(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// What a column is compared with to be one of these texts, the value standing at this place among the arguments.
pub(in crate::store) fn among(
    is_postgres: bool,
    place: usize,
    texts: impl IntoIterator<Item = String>,
) -> (String, Value) {
    let texts = texts.into_iter();
    match is_postgres {
        true => (format!("= any(${place}::text[])"), Value::Texts(texts.map(Some).collect())),
        false => {
            let texts = serde_json::Value::from_iter(texts).to_string();
            (format!("in (select value from json_each(${place}))"), Value::from(texts))
        }
    }
}
