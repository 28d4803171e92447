//! The grammar of a query: no parentheses but after IN, no functions, no joins, and a semicolon at the end.

use super::super::refusal::Refusal;
use super::lexer::tokens;

/// A query as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// The fields asked for; `*` alone for all of them; `count(*)`.
    pub columns: Vec<String>,
    /// The module, as spelt.
    pub module: String,
    /// The conditions in order.
    pub conditions: Vec<Comparison>,
    /// What joins them, one less: AND or OR.
    pub joints: Vec<String>,
    /// Fields to order by.
    pub order: Vec<String>,
    /// Whether the order is reversed.
    pub descending: bool,
    /// One or two numbers, as spelt.
    pub limit: Vec<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The field.
    pub column: String,
    /// `=`, `LIKE`, `IN` and so on, upper case.
    pub operator: String,
    /// The values as spelt, quotes included.
    pub values: Vec<String>,
}

struct Reader<'q> {
    tokens: Vec<&'q str>,
    at: usize,
    /// What the lexer ran into after the last token.
    end: Option<Refusal>,
}

/// Reads a query.
pub fn parse(query: &str) -> Result<Query, Refusal> {
    let (tokens, end) = match tokens(query) {
        Ok(tokens) => (tokens, None),
        Err((tokens, refusal)) => (tokens, Some(refusal)),
    };
    Reader { tokens, at: 0, end }.query()
}

impl<'q> Reader<'q> {
    fn peek(&self) -> &'q str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> Result<&'q str, Refusal> {
        match self.tokens.get(self.at) {
            Some(token) => {
                self.at += 1;
                Ok(token)
            }
            None => Err(self.end.clone().unwrap_or_else(|| Refusal::syntax(""))),
        }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().eq_ignore_ascii_case(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), Refusal> {
        let token = self.next()?;
        if token.eq_ignore_ascii_case(word) { Ok(()) } else { Err(Refusal::syntax(token)) }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        let token = self.next()?;
        let word = token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if word { Ok(token.to_owned()) } else { Err(Refusal::syntax(token)) }
    }

    fn query(mut self) -> Result<Query, Refusal> {
        let mut query = Query::default();
        self.expect("select")?;
        if self.accept("*") {
            query.columns.push("*".into());
        } else if self.peek().eq_ignore_ascii_case("count") {
            self.at += 1;
            self.expect("(")?;
            self.expect("*")?;
            self.expect(")")?;
            query.columns.push("count(*)".into());
        } else {
            loop {
                query.columns.push(self.name()?);
                if !self.accept(",") {
                    break;
                }
            }
        }
        self.expect("from")?;
        query.module = self.name()?;
        if self.accept("where") {
            query.conditions.push(self.comparison()?);
            while self.peek().eq_ignore_ascii_case("and") || self.peek().eq_ignore_ascii_case("or") {
                query.joints.push(self.next()?.to_ascii_uppercase());
                query.conditions.push(self.comparison()?);
            }
        }
        if self.accept("order") {
            self.expect("by")?;
            loop {
                query.order.push(self.name()?);
                if !self.accept(",") {
                    break;
                }
            }
            query.descending = self.accept("desc");
            if !query.descending {
                self.accept("asc");
            }
        }
        if self.accept("limit") {
            query.limit.push(self.name()?);
            if self.accept(",") {
                query.limit.push(self.name()?);
            }
        }
        self.expect(";")?;
        match (self.tokens.get(self.at), self.end) {
            (Some(token), _) => Err(Refusal::syntax(token)),
            (None, Some(end)) => Err(end),
            (None, None) => Ok(query),
        }
    }

    fn comparison(&mut self) -> Result<Comparison, Refusal> {
        let column = self.name()?;
        if column.eq_ignore_ascii_case("not") {
            return Err(Refusal::syntax(&column));
        }
        let operator = self.next()?.to_ascii_uppercase();
        let mut values = Vec::new();
        match operator.as_str() {
            "=" | "!=" | "<" | "<=" | ">" | ">=" | "LIKE" => values.push(self.value()?),
            "IN" => {
                self.expect("(")?;
                loop {
                    values.push(self.value()?);
                    if !self.accept(",") {
                        break;
                    }
                }
                self.expect(")")?;
            }
            _ => return Err(Refusal::syntax(&operator)),
        }
        Ok(Comparison { column, operator, values })
    }

    fn value(&mut self) -> Result<String, Refusal> {
        let token = self.next()?;
        match token {
            "(" | ")" | "," | ";" | "*" | "=" | "!=" | "<" | ">" | "<=" | ">=" => Err(Refusal::syntax(token)),
            _ => Ok(token.to_owned()),
        }
    }
}
