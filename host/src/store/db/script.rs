//! Statements that go to the database together: each trip by itself would wake another thread, or process, twice.

use super::value::Value;

/// Statements that need nothing of each other, each with its own arguments from `$1`.
#[derive(Default)]
pub(in crate::store) struct Script {
    statements: Vec<(String, Vec<Value>)>,
}

impl Script {
    /// One more.
    pub fn add(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.statements.push((sql.into(), values.into_iter().collect()));
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }

    /// For SQLite: one after the other.
    pub(super) fn in_turn(self) -> (String, Vec<Value>) {
        let (texts, values) = self.numbered();
        (texts.join(";\n"), values)
    }

    /// For PostgreSQL: parts of one statement, of which none sees what another writes.
    pub(super) fn at_once(self) -> (String, Vec<Value>) {
        let (texts, values) = self.numbered();
        let parts: Vec<String> =
            texts.iter().enumerate().map(|(n, text)| format!("part_{n} as (\n{text}\n)")).collect();
        (format!("with {} select 1", parts.join(",\n")), values)
    }

    /// The statements with one numbering of all arguments.
    fn numbered(self) -> (Vec<String>, Vec<Value>) {
        let (mut texts, mut values) = (Vec::new(), Vec::new());
        for (text, own) in self.statements {
            texts.push(after(values.len(), &text));
            values.extend(own);
        }
        (texts, values)
    }
}

/// A statement whose arguments come after so many others.
fn after(others: usize, sql: &str) -> String {
    let mut pieces = sql.split('$');
    let mut moved = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = piece[..digits].parse().unwrap_or(0);
        moved.push_str(&format!("${}{}", number + others, &piece[digits..]));
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbered_over_all_statements() {
        let script = || {
            let mut script = Script::default();
            script.add("insert into a select $1, $2", [Value::Int(Some(1)), Value::Int(Some(2))]);
            script.add("update b set c = $1", [Value::Int(Some(3))]);
            script
        };
        let (sql, values) = script().in_turn();
        assert_eq!(sql, "insert into a select $1, $2;\nupdate b set c = $3");
        assert!(matches!(values[..], [Value::Int(Some(1)), Value::Int(Some(2)), Value::Int(Some(3))]));
        let (sql, _) = script().at_once();
        let parts = "part_0 as (\ninsert into a select $1, $2\n),\npart_1 as (\nupdate b set c = $3\n)";
        assert_eq!(sql, format!("with {parts} select 1"));
    }
}
