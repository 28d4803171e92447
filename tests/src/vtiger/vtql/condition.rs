//! The SQL text that a query became, read the way MariaDB reads it: backslash escapes, comments, LIKE, and comparisons
//! under a collation that knows neither case nor trailing blanks.

use std::cmp::Ordering;

/// One row, as conditions see it.
pub trait Row {
    /// The column's text, and whether it is compared as a number. `None` for a column that does not exist.
    fn column(&self, name: &str) -> Option<(Option<&str>, bool)>;
}

/// All that follows WHERE.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Which rows.
    pub condition: Condition,
    /// In which order; an ordering can be injected too, and is then ignored.
    pub order: Vec<String>,
    /// Whether the order is reversed.
    pub descending: bool,
    /// Rows to skip.
    pub offset: usize,
    /// Rows to give.
    pub count: usize,
}

/// A condition over one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// Any of them.
    Or(Vec<Condition>),
    /// `left operator right`.
    Compare(Operand, String, Operand),
    /// `operand IN (…)`.
    In(Operand, Vec<Operand>),
    /// A bare operand: true when it is a number other than zero.
    Bare(Operand),
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A column.
    Column(String),
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Sign(String),
}

/// Case, and blanks at the end, make no difference.
pub fn folded(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

impl Statement {
    /// Reads the text; `None` is what the database calls a syntax error.
    pub fn read(sql: &str) -> Option<Self> {
        let mut reader = Reader { tokens: tokens(sql)?, at: 0 };
        let condition = reader.any()?;
        let mut statement = Self { condition, order: Vec::new(), descending: false, offset: 0, count: usize::MAX };
        if reader.word("order") {
            reader.word("by").then_some(())?;
            loop {
                match reader.next()? {
                    Token::Word(column) => statement.order.push(column),
                    _ => return None,
                }
                if !reader.sign(",") {
                    break;
                }
            }
            statement.descending = reader.word("desc");
            reader.word("asc");
        }
        if reader.word("limit") {
            statement.count = reader.number()?;
            if reader.sign(",") {
                statement.offset = statement.count;
                statement.count = reader.number()?;
            }
        }
        reader.sign(";");
        (reader.at == reader.tokens.len()).then_some(statement)
    }
}

impl Condition {
    /// Whether the row fulfils it.
    pub fn holds(&self, row: &dyn Row) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(row)),
            Self::Or(any) => any.iter().any(|one| one.holds(row)),
            Self::Compare(left, operator, right) => compare(left, operator, right, row),
            Self::In(left, list) => list.iter().any(|right| compare(left, "=", right, row)),
            Self::Bare(operand) => value(operand, row).is_some_and(|(text, _)| numeric(&text) != 0.0),
        }
    }

    /// The folded texts of which the column must have one, when the condition says so: what an index can use.
    pub fn keys(&self, column: &str) -> Option<Vec<String>> {
        match self {
            Self::And(all) => all.iter().find_map(|one| one.keys(column)),
            Self::Or(any) => any
                .iter()
                .map(|one| one.keys(column))
                .collect::<Option<Vec<_>>>()
                .map(|keys| keys.into_iter().flatten().collect()),
            Self::Compare(Operand::Column(name), operator, Operand::Text(text))
                if operator == "=" && name == column =>
            {
                Some(vec![folded(text)])
            }
            Self::In(Operand::Column(name), list) if name == column => list
                .iter()
                .map(|one| match one {
                    Operand::Text(text) => Some(folded(text)),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}

fn value(operand: &Operand, row: &dyn Row) -> Option<(String, bool)> {
    match operand {
        Operand::Column(name) => {
            let (text, numeric) = row.column(name)?;
            Some((text?.to_owned(), numeric))
        }
        Operand::Text(text) => Some((text.clone(), false)),
        Operand::Number(number) => Some((number.to_string(), true)),
    }
}

fn numeric(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    text[..end].parse().unwrap_or(0.0)
}

fn compare(left: &Operand, operator: &str, right: &Operand, row: &dyn Row) -> bool {
    let (Some((left, left_number)), Some((right, right_number))) = (value(left, row), value(right, row)) else {
        return false;
    };
    if operator == "LIKE" {
        let pattern: Vec<char> = right.to_lowercase().chars().collect();
        let text: Vec<char> = left.to_lowercase().chars().collect();
        return like(&text, &pattern);
    }
    let order = if left_number || right_number {
        numeric(&left).partial_cmp(&numeric(&right)).unwrap_or(Ordering::Equal)
    } else {
        folded(&left).cmp(&folded(&right))
    };
    match operator {
        "=" => order.is_eq(),
        "!=" | "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => false,
    }
}

/// LIKE without recursion: the last `%` is where to go back to.
fn like(text: &[char], pattern: &[char]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        let (matches, step) = match pattern.get(p) {
            Some('%') => {
                back = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('_') => (true, 1),
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == text[t], 2),
            Some(c) => (*c == text[t], 1),
            None => (false, 0),
        };
        if matches {
            t += 1;
            p += step;
        } else if let Some((pattern_at, text_at)) = back {
            back = Some((pattern_at, text_at + 1));
            (p, t) = (pattern_at, text_at + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

fn tokens(sql: &str) -> Option<Vec<Token>> {
    let chars: Vec<char> = sql.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        match c {
            c if c.is_whitespace() => at += 1,
            '#' => break,
            '-' if chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_none_or(|c| c.is_whitespace()) => break,
            '\'' | '"' => {
                let (text, after) = literal(&chars, at)?;
                tokens.push(Token::Text(text));
                at = after;
            }
            c if c.is_ascii_digit() || ((c == '-' || c == '+') && chars.get(at + 1)?.is_ascii_digit()) => {
                let start = at;
                at += 1;
                while chars.get(at).is_some_and(|c| c.is_ascii_digit()) {
                    at += 1;
                }
                tokens.push(Token::Number(chars[start..at].iter().collect::<String>().parse().ok()?));
            }
            c if c.is_alphabetic() || c == '_' => {
                let start = at;
                while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    at += 1;
                }
                tokens.push(Token::Word(chars[start..at].iter().collect()));
            }
            '<' | '>' | '!' if chars.get(at + 1) == Some(&'=') => {
                tokens.push(Token::Sign([c, '='].iter().collect()));
                at += 2;
            }
            '(' | ')' | ',' | '=' | '<' | '>' | ';' => {
                tokens.push(Token::Sign(c.into()));
                at += 1;
            }
            _ => return None,
        }
    }
    Some(tokens)
}

/// A literal with the database's rules: a doubled quote, or a backslash before anything.
fn literal(chars: &[char], start: usize) -> Option<(String, usize)> {
    let quote = chars[start];
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        match *chars.get(at)? {
            '\\' => {
                let escaped = *chars.get(at + 1)?;
                match escaped {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    '0' => text.push('\0'),
                    // These two keep their backslash, for LIKE.
                    '%' | '_' => text.extend(['\\', escaped]),
                    other => text.push(other),
                }
                at += 2;
            }
            c if c == quote && chars.get(at + 1) == Some(&quote) => {
                text.push(quote);
                at += 2;
            }
            c if c == quote => return Some((text, at + 1)),
            c => {
                text.push(c);
                at += 1;
            }
        }
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if found == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn number(&mut self) -> Option<usize> {
        match self.next()? {
            Token::Number(number) if number >= 0.0 => Some(number as usize),
            _ => None,
        }
    }

    fn any(&mut self) -> Option<Condition> {
        let mut any = vec![self.all()?];
        while self.word("or") {
            any.push(self.all()?);
        }
        Some(if any.len() == 1 { any.remove(0) } else { Condition::Or(any) })
    }

    fn all(&mut self) -> Option<Condition> {
        let mut all = vec![self.one()?];
        while self.word("and") {
            all.push(self.one()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Condition::And(all) })
    }

    fn one(&mut self) -> Option<Condition> {
        if self.sign("(") {
            let inner = self.any()?;
            return self.sign(")").then_some(inner);
        }
        let left = self.operand()?;
        if self.word("like") {
            return Some(Condition::Compare(left, "LIKE".into(), self.operand()?));
        }
        if self.word("in") {
            self.sign("(").then_some(())?;
            let mut list = vec![self.operand()?];
            while self.sign(",") {
                list.push(self.operand()?);
            }
            return self.sign(")").then_some(Condition::In(left, list));
        }
        for operator in ["=", "!=", "<=", ">=", "<", ">"] {
            if self.sign(operator) {
                return Some(Condition::Compare(left, operator.into(), self.operand()?));
            }
        }
        Some(Condition::Bare(left))
    }

    fn operand(&mut self) -> Option<Operand> {
        match self.next()? {
            Token::Word(name) => Some(Operand::Column(name)),
            Token::Text(text) => Some(Operand::Text(text)),
            Token::Number(number) => Some(Operand::Number(number)),
            Token::Sign(_) => None,
        }
    }
}
