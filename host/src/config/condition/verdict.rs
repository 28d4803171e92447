//! What is known of a condition before any event: for each type of event, whether it can hold.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};

use crate::model::Kind;

/// What a condition says of every event of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds.
    Always,
    /// It does not hold.
    Never,
    /// It has to be evaluated.
    Depends,
}

/// The value of a part of a condition, as far as the type of event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    True,
    False,
    /// It speaks of a record that is not there.
    Error,
    Open,
}

/// The verdict for events of a type (any type when absent) about records of a kind.
pub(super) fn of(expression: &IdedExpr, event_type: Option<&str>, kind: Kind) -> Verdict {
    match (Given { event_type, kind }).truth(&expression.expr) {
        Truth::True => Verdict::Always,
        Truth::False | Truth::Error => Verdict::Never,
        Truth::Open => Verdict::Depends,
    }
}

struct Given<'a> {
    event_type: Option<&'a str>,
    kind: Kind,
}

impl Given<'_> {
    fn truth(&self, expr: &Expr) -> Truth {
        let call = match expr {
            Expr::Literal(LiteralValue::Boolean(flag)) => return Truth::of(*flag.inner()),
            Expr::Call(call) => call,
            _ => return self.strict(expr),
        };
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_AND, None, [a, b]) => self.truth(&a.expr).and(self.truth(&b.expr)),
            (operators::LOGICAL_OR, None, [a, b]) => self.truth(&a.expr).not().and(self.truth(&b.expr).not()).not(),
            (operators::LOGICAL_NOT, None, [a]) => self.truth(&a.expr).not(),
            (operators::CONDITIONAL, None, [when, a, b]) => match self.truth(&when.expr) {
                Truth::True => self.truth(&a.expr),
                Truth::False => self.truth(&b.expr),
                Truth::Error => Truth::Error,
                Truth::Open => Truth::Open,
            },
            (operators::EQUALS, None, [a, b]) => self.equal(a, b).unwrap_or_else(|| self.strict(expr)),
            (operators::NOT_EQUALS, None, [a, b]) => self.equal(a, b).map_or_else(|| self.strict(expr), Truth::not),
            (operators::IN, None, [a, list]) => self.within(a, list).unwrap_or_else(|| self.strict(expr)),
            ("startsWith", Some(target), [start]) => match (self.known(&target.expr), literal(&start.expr)) {
                (Some(known), Some(start)) => Truth::of(known.starts_with(start)),
                _ => self.strict(expr),
            },
            _ => self.strict(expr),
        }
    }

    fn equal(&self, a: &IdedExpr, b: &IdedExpr) -> Option<Truth> {
        let known = self.known(&a.expr).zip(literal(&b.expr)).or_else(|| self.known(&b.expr).zip(literal(&a.expr)));
        known.map(|(known, text)| Truth::of(known == text))
    }

    fn within(&self, a: &IdedExpr, list: &IdedExpr) -> Option<Truth> {
        let known = self.known(&a.expr)?;
        let Expr::List(list) = &list.expr else { return None };
        let texts: Option<Vec<&str>> = list.elements.iter().map(|element| literal(&element.expr)).collect();
        texts.map(|texts| Truth::of(texts.contains(&known)))
    }

    /// The text of a path that the type of event decides.
    fn known(&self, expr: &Expr) -> Option<&str> {
        let Expr::Select(select) = expr else { return None };
        match (&select.operand.expr, select.field.as_str()) {
            (Expr::Ident(root), "type") if root == "event" => self.event_type,
            (Expr::Ident(root), "kind") if root == "event" => Some(self.kind.word()),
            _ => None,
        }
    }

    /// A part whose own parts are all evaluated.
    fn strict(&self, expr: &Expr) -> Truth {
        if self.is_foreign(expr) { Truth::Error } else { Truth::Open }
    }

    /// Whether evaluating it needs a record of another kind for certain.
    fn is_foreign(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Ident(name) => name.parse::<Kind>().is_ok_and(|kind| kind != self.kind),
            Expr::Select(select) => self.is_foreign(&select.operand.expr),
            Expr::List(list) => list.elements.iter().any(|element| self.is_foreign(&element.expr)),
            Expr::Comprehension(comprehension) => self.is_foreign(&comprehension.iter_range.expr),
            Expr::Call(call) => match call.func_name.as_str() {
                operators::LOGICAL_AND | operators::LOGICAL_OR | operators::CONDITIONAL => false,
                _ => {
                    let target = call.target.as_deref().is_some_and(|target| self.is_foreign(&target.expr));
                    target || call.args.iter().any(|argument| self.is_foreign(&argument.expr))
                }
            },
            _ => false,
        }
    }
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

impl Truth {
    fn of(flag: bool) -> Self {
        if flag { Truth::True } else { Truth::False }
    }

    fn not(self) -> Self {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            other => other,
        }
    }

    /// One side that is false decides, whatever the other is.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Truth::False, _) | (_, Truth::False) => Truth::False,
            (Truth::True, other) | (other, Truth::True) => other,
            (Truth::Error, Truth::Error) => Truth::Error,
            _ => Truth::Open,
        }
    }
}
