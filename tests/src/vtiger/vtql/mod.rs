//! VTQL, the webservice's query language: read by its own lexer and grammar, turned into SQL text, and that text read
//! again as the database would.
//!
//! The two readings differ, and that is the point: the lexer takes a backslash for a letter, the database for an
//! escape. A value that ends in one swallows its closing quote, and what follows is SQL.

mod condition;
mod lexer;
mod parser;

pub use condition::{Row, Statement, folded};
pub use parser::{Comparison, Query, parse};
