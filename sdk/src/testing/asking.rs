//! Queries that a test expects.

use super::Outside;
use crate::host::Rows;
use crate::vocabulary::Failure;

/// A query, and what is answered.
pub(super) struct Question {
    database: String,
    statement: String,
    parameters: Vec<String>,
    pub answer: Result<Rows, Failure>,
}

impl Question {
    pub fn new(database: &str, statement: &str, parameters: &[&str]) -> Self {
        Self {
            database: database.to_owned(),
            statement: statement.split_whitespace().collect::<Vec<_>>().join(" "),
            parameters: parameters.iter().map(|&parameter| parameter.to_owned()).collect(),
            answer: Ok(Rows::default()),
        }
    }

    /// Whether both ask the same.
    pub fn is(&self, other: &Self) -> bool {
        (&self.database, &self.statement, &self.parameters) == (&other.database, &other.statement, &other.parameters)
    }

    pub fn title(&self) -> String {
        format!("{}: {} {:?}", self.database, self.statement, self.parameters)
    }
}

/// A query that is expected, waiting for its answer to be told.
#[must_use = "say what is answered"]
pub struct Asking<'a> {
    outside: &'a Outside,
    question: Question,
}

impl<'a> Asking<'a> {
    pub(super) fn new(outside: &'a Outside, database: &str, statement: &str, parameters: &[&str]) -> Self {
        Self { outside, question: Question::new(database, statement, parameters) }
    }

    /// Answers these rows, each with a value for each column.
    pub fn answer(self, columns: &[&str], rows: &[&[Option<&str>]]) {
        assert!(rows.iter().all(|row| row.len() == columns.len()), "a row has not {} values", columns.len());
        let columns = if rows.is_empty() { &[] } else { columns };
        let rows = rows.iter().map(|row| row.iter().map(|value| value.map(str::to_owned)).collect()).collect();
        self.play(Ok(Rows { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows }));
    }

    /// Fails.
    pub fn fail(self, failure: Failure) {
        self.play(Err(failure));
    }

    fn play(self, answer: Result<Rows, Failure>) {
        self.outside.will_answer(Question { answer, ..self.question });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Host;

    #[test]
    fn queries_are_answered_in_order() {
        let outside = Outside::new();
        outside
            .expect_query("cdr", "select src, did from cdr where uniqueid = $1", &["1.10"])
            .answer(&["src", "did"], &[&[Some("1001"), None]]);
        outside.expect_query("cdr", "select 1", &[]).fail(Failure::retryable("away"));
        let host: &dyn Host = &outside;
        let rows = host.query("cdr", "select src, did\n  from cdr where uniqueid = $1", &["1.10"]).unwrap();
        let row = rows.iter().next().unwrap();
        assert_eq!((row.get("SRC"), row.get("did"), row.get("none")), (Some("1001"), None, None));
        assert_eq!(host.query("cdr", "select 1", &[]).unwrap_err().why(), "away");
    }

    #[test]
    #[should_panic(expected = "is not the query expected: cdr: select 1 [\"a\"]")]
    fn another_query_fails() {
        let outside = Outside::new();
        outside.expect_query("cdr", "select 1", &["a"]).answer(&["one"], &[]);
        let _ = outside.query("cdr", "select 1", &["b"]);
    }

    #[test]
    #[should_panic(expected = "never asked: cdr: select 1 []")]
    fn what_is_never_asked_fails() {
        Outside::new().expect_query("cdr", "select 1", &[]).answer(&[], &[]);
    }
}
