//! Reading a TOML file key by key: each value keeps its place, and every problem is collected, not only the first.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::amount::{self, Rate};
use super::problem::Problem;
use super::secret::{Keeper, Secret};
use super::suggest::suggestion;

/// A place in a file: line and column from 1. Any two are equal: where a thing stands is no part of what it is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column in characters.
    pub column: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Place {
    /// A problem that stands here.
    pub fn problem(&self, what: impl Into<String>, hint: Option<String>) -> Problem {
        Problem { file: self.file.clone(), line: self.line, column: self.column, what: what.into(), hint }
    }
}

/// One file being read.
pub(super) struct Document<'a> {
    pub name: &'a str,
    pub text: &'a str,
    pub keeper: &'a dyn Keeper,
    pub folder: &'a Path,
    pub problems: &'a RefCell<Vec<Problem>>,
}

impl Document<'_> {
    pub fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Place { file: self.name.to_owned(), line, column: before[start..].chars().count() + 1 }
    }

    pub fn problem(&self, span: Range<usize>, what: impl Into<String>, hint: Option<String>) {
        let Place { file, line, column } = self.place(span.start);
        self.problems.borrow_mut().push(Problem { file, line, column, what: what.into(), hint });
    }

    /// Parses the text, calls `read` with the root table.
    pub fn read<T>(&self, read: impl FnOnce(Table<'_>) -> T) -> T {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.problem(error.span().unwrap_or(0..0), error.message().trim().replace('\n', ", "), None);
        }
        let table = Table::new(self, root.get_ref(), 0..0, String::new());
        read(table)
    }
}

/// A table being read: each key is taken once, and what nobody took is unknown.
pub(super) struct Table<'a> {
    pub document: &'a Document<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
    closed: Cell<bool>,
    elsewhere: Cell<Option<&'static str>>,
}

impl<'a> Table<'a> {
    fn new(document: &'a Document<'a>, table: &'a DeTable<'a>, span: Range<usize>, path: String) -> Self {
        Table {
            document,
            table,
            span,
            path,
            asked: RefCell::default(),
            closed: Cell::new(false),
            elsewhere: Cell::new(None),
        }
    }

    /// Where the table stands.
    pub fn place(&self) -> Place {
        self.document.place(self.span.start)
    }

    pub fn problem(&self, what: impl Into<String>, hint: Option<String>) {
        self.document.problem(self.span.clone(), what, hint);
    }

    /// The value of a key that may be left out.
    pub fn take(&self, key: &'static str) -> Option<Node<'a>> {
        self.asked.borrow_mut().push(key);
        let (name, value) = self.table.get_key_value(key)?;
        Some(Node { document: self.document, value, name: name.span(), path: self.path_of(key) })
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &'static str) -> Option<Node<'a>> {
        let node = self.take(key);
        if node.is_none() {
            let whole = if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) };
            self.problem(format!("{whole} has no `{key}`"), Some(format!("add `{key} = …`")));
        }
        node
    }

    /// Says where keys belong that are not known here.
    pub fn hint(&self, elsewhere: &'static str) {
        self.elsewhere.set(Some(elsewhere));
    }

    /// Leaves the keys that were not asked for to another reader.
    pub fn leave(&self) {
        self.closed.set(true);
    }

    /// Every key and value: for tables whose keys are names.
    pub fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        self.closed.set(true);
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let name: &'a str = key.get_ref();
                (name, Node { document: self.document, value, name: key.span(), path: self.path_of(name) })
            })
            .collect();
        entries.sort_by_key(|(_, node)| node.name.start);
        entries
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Drop for Table<'_> {
    /// Whatever was not asked for is a key that the hub does not know.
    fn drop(&mut self) {
        if self.closed.get() {
            return;
        }
        let asked = self.asked.borrow();
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !asked.contains(&name) {
                let near = suggestion(name, asked.iter().copied());
                let hint = match self.elsewhere.get() {
                    Some(elsewhere) if !near.starts_with("did you mean") => elsewhere.to_owned(),
                    _ => near,
                };
                self.document.problem(key.span(), format!("`{}` is not a setting", self.path_of(name)), Some(hint));
            }
        }
    }
}

/// A value and where it stands.
pub(super) struct Node<'a> {
    pub document: &'a Document<'a>,
    pub value: &'a Spanned<DeValue<'a>>,
    pub name: Range<usize>,
    pub path: String,
}

impl<'a> Node<'a> {
    pub fn place(&self) -> Place {
        self.document.place(self.value.span().start)
    }

    pub fn problem(&self, what: impl Into<String>, hint: Option<String>) {
        self.document.problem(self.value.span(), what, hint);
    }

    /// A problem inside a text, so many characters from its beginning.
    pub fn problem_within(&self, text: &str, offset: usize, what: impl Into<String>, hint: Option<String>) {
        let span = self.value.span();
        let raw = self.document.text.get(span.clone()).unwrap_or_default();
        let inner = raw.find(text).map(|at| {
            let into: usize = text.chars().take(offset).map(char::len_utf8).sum();
            span.start + at + into
        });
        let start = inner.unwrap_or(span.start);
        self.document.problem(start..start, what, hint);
    }

    fn wrong(&self, wanted: &str) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(format!("`{}` is {found} and must be {wanted}", self.path), None);
    }

    pub fn table(&self) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Table::new(self.document, table, self.name.clone(), self.path.clone())),
            _ => {
                self.wrong("a table");
                None
            }
        }
    }

    pub fn list(&self) -> Option<Vec<Node<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(array) => Some(
                array
                    .iter()
                    .enumerate()
                    .map(|(at, value)| Node {
                        document: self.document,
                        value,
                        name: value.span(),
                        path: format!("{}[{at}]", self.path),
                    })
                    .collect(),
            ),
            _ => {
                self.wrong("a list");
                None
            }
        }
    }

    /// A list of texts, or one text alone.
    pub fn texts(&self) -> Vec<(&'a str, Node<'a>)> {
        let nodes = match self.value.get_ref() {
            DeValue::String(_) => vec![self.again()],
            _ => self.list().unwrap_or_default(),
        };
        nodes.into_iter().filter_map(|node| node.text().map(|text| (text, node))).collect()
    }

    pub fn again(&self) -> Node<'a> {
        Node { document: self.document, value: self.value, name: self.name.clone(), path: self.path.clone() }
    }

    pub fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub fn text(&self) -> Option<&'a str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            self.wrong("a text");
        }
        text
    }

    pub fn number(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let Some(number) = self.value.get_ref().as_integer() else {
            self.wrong("a whole number");
            return None;
        };
        let value = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let value = value.and_then(|value| u64::try_from(value).ok()).filter(|value| range.contains(value));
        if value.is_none() {
            let what = format!("`{}` is {} and must be from {} to {}", self.path, number, range.start(), range.end());
            self.problem(what, None);
        }
        value
    }

    fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.text()?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(format!("`{}`: {why}", self.path), None);
                None
            }
        }
    }

    pub fn parse<T: std::str::FromStr>(&self) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        self.parsed(|text| text.parse().map_err(|why: T::Err| why.to_string()))
    }

    pub fn duration(&self) -> Option<Duration> {
        self.parsed(amount::duration)
    }

    pub fn rate(&self) -> Option<Rate> {
        self.parsed(amount::rate)
    }

    pub fn size(&self) -> Option<u64> {
        match self.value.get_ref() {
            DeValue::Integer(_) => self.number(0..=u64::MAX),
            _ => self.parsed(amount::size),
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = suggestion(text, words.iter().map(|(word, _)| *word));
            self.problem(format!("`{}` is `{text}`", self.path), Some(hint));
        }
        found
    }

    /// A text from the environment or a file, if that is what stands here.
    pub fn kept(&self) -> Option<Result<Secret, ()>> {
        let DeValue::Table(table) = self.value.get_ref() else { return None };
        let mut keys = table.iter();
        let (key, value) = keys.next()?;
        if keys.next().is_some() {
            return None;
        }
        let text = value.get_ref().as_str()?;
        let found = match key.get_ref().as_ref() {
            "env" => match self.document.keeper.variable(text) {
                Some(found) if found.is_empty() => Err((format!("the environment variable `{text}` is empty"), None)),
                Some(found) => Ok(found),
                None => Err((
                    format!("the environment variable `{text}` is not set"),
                    Some(format!("set it before the hub starts: `export {text}=…`")),
                )),
            },
            "file" => {
                let path = self.document.folder.join(text);
                match self.document.keeper.file(&path) {
                    Ok(found) => {
                        let found = found.trim_end_matches(['\n', '\r']).to_owned();
                        if found.is_empty() { Err((format!("the file `{text}` is empty"), None)) } else { Ok(found) }
                    }
                    Err(why) => {
                        let hint = format!("looked for it at `{}`", path.display());
                        Err((format!("the file `{text}` cannot be read: {why}"), Some(hint)))
                    }
                }
            }
            _ => return None,
        };
        Some(found.map(Secret::new).map_err(|(what, hint)| {
            self.document.problem(value.span(), format!("`{}`: {what}", self.path), hint);
        }))
    }

    /// A text that must come from the environment or a file.
    pub fn secret(&self) -> Option<Secret> {
        match self.kept() {
            Some(found) => found.ok(),
            None => {
                self.problem(
                    format!("`{}` is a secret and must not stand in the file", self.path),
                    Some("write `{ env = \"NAME\" }` or `{ file = \"path\" }`".to_owned()),
                );
                None
            }
        }
    }

    /// A text that may hold a secret: written plainly or kept elsewhere.
    pub fn text_or_kept(&self) -> Option<Secret> {
        match self.kept() {
            Some(found) => found.ok(),
            None => self.text().map(Secret::new),
        }
    }
}
