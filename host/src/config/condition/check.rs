//! The types of a condition: every name, field, word and function is one that there is, and the whole is true or false.
//!
//! On the way `has(x)` becomes `x != null`, because what nobody knows is `null`.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use regex::Regex;

use super::{Misfit, Scope};
use crate::config::suggest::suggestion;
use crate::model::look::Shape;
use crate::model::{EVENT_TYPES, Kind};

/// The type of a part.
#[derive(Clone, Debug, PartialEq)]
enum Type {
    /// Nothing can be said.
    Any,
    Null,
    Flag,
    Number,
    Decimal,
    Text,
    Moment,
    /// One of a closed list, and what it is the list of.
    Words(&'static [&'static str]),
    Event,
    FieldName,
    Thing(&'static [(&'static str, &'static Shape)]),
    /// Names with texts.
    Pairs,
    List(Box<Type>),
}

const EVENT: &[(&str, Type)] = &[
    ("type", Type::Event),
    ("kind", Type::Words(&["call", "message", "contact", "conversation", "session"])),
    ("source", Type::Text),
    ("id", Type::Text),
    ("tenant", Type::Text),
    ("at", Type::Moment),
    ("revision", Type::Number),
];

/// Functions of texts that answer yes or no.
const OF_TEXTS: &[&str] = &["contains", "startsWith", "endsWith", "matches"];
/// What `matches` becomes when its pattern is written out: the same, compiled once.
pub(super) const FITS: &str = "fits";
/// All functions.
const FUNCTIONS: &[&str] = &[
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "size",
    "string",
    "int",
    "double",
    "has",
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
];

/// Checks a whole condition. Gives back the patterns that [`FITS`] will be asked about.
pub(super) fn check(
    expression: &mut IdedExpr,
    source: &SourceInfo,
    scope: Scope,
) -> Result<HashMap<String, Regex>, Misfit> {
    let mut check = Check { source, scope, variables: Vec::new(), patterns: HashMap::new() };
    match check.of(expression)? {
        Type::Flag | Type::Any => Ok(check.patterns),
        other => Err(check.misfit(expression.id, format!("the condition is {other} and must be true or false"), None)),
    }
}

struct Check<'a> {
    source: &'a SourceInfo,
    scope: Scope,
    variables: Vec<(String, Type)>,
    patterns: HashMap<String, Regex>,
}

impl Check<'_> {
    fn misfit(&self, id: u64, what: impl Into<String>, hint: Option<String>) -> Misfit {
        let offset = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        Misfit { offset, what: what.into(), hint }
    }

    fn of(&mut self, node: &mut IdedExpr) -> Result<Type, Misfit> {
        let id = node.id;
        match &mut node.expr {
            Expr::Literal(literal) => Ok(match literal {
                LiteralValue::Boolean(_) => Type::Flag,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Number,
                LiteralValue::Double(_) => Type::Decimal,
                LiteralValue::String(_) => Type::Text,
                LiteralValue::Null => Type::Null,
                LiteralValue::Bytes(_) => return Err(self.misfit(id, "bytes are not used in conditions", None)),
            }),
            Expr::Ident(name) => self.name(id, name),
            Expr::Select(select) if select.test => {
                let mut plain = IdedExpr { id, expr: Expr::Select(SelectExpr { test: false, ..select.clone() }) };
                let nothing = match self.of(&mut plain)? {
                    Type::List(_) | Type::Pairs => Expr::List(ListExpr::default()),
                    _ => Expr::Literal(LiteralValue::Null),
                };
                let args = vec![plain, IdedExpr { id, expr: nothing }];
                node.expr = Expr::Call(CallExpr { func_name: operators::NOT_EQUALS.to_owned(), target: None, args });
                Ok(Type::Flag)
            }
            Expr::Select(select) => {
                if let Expr::Ident(root) = &select.operand.expr
                    && root == "event"
                    && self.variable(root).is_none()
                {
                    return self.of_event(id, &select.field);
                }
                let whole = self.of(&mut select.operand)?;
                self.field(id, &whole, &select.operand.expr, &select.field)
            }
            Expr::List(list) => {
                let mut element = Type::Any;
                for (at, node) in list.elements.iter_mut().enumerate() {
                    let own = self.of(node)?;
                    element = if at == 0 || own.class() == element.class() { own } else { Type::Any };
                }
                Ok(Type::List(Box::new(element)))
            }
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension),
            Expr::Call(_) => self.call(node),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(self.misfit(id, "maps are not used in conditions", None))
            }
        }
    }

    fn variable(&self, name: &str) -> Option<&Type> {
        self.variables.iter().rev().find(|(own, _)| own == name).map(|(_, found)| found)
    }

    fn name(&self, id: u64, name: &str) -> Result<Type, Misfit> {
        if let Some(found) = self.variable(name) {
            return Ok(found.clone());
        }
        if let Ok(kind) = name.parse::<Kind>() {
            return Ok(Type::Thing(kind.fields()));
        }
        if name == "event" && self.scope == Scope::Event {
            let hint = Some("compare one of its fields: `event.type`, say".to_owned());
            return Err(self.misfit(id, "`event` stands alone", hint));
        }
        if name == "event" {
            let hint = Some("speak of the record: `call.phase`, say".to_owned());
            return Err(self.misfit(id, "`event` is not there in `while`: the moment of delivery has no event", hint));
        }
        let own = self.variables.iter().map(|(own, _)| own.as_str()).filter(|own| !own.starts_with('@'));
        let known = own.chain(Kind::ALL.iter().map(|kind| kind.word())).chain(["event"]);
        let hint = suggestion(name, known.filter(|known| *known != "event" || self.scope == Scope::Event));
        Err(self.misfit(id, format!("`{name}` is not a name"), Some(hint)))
    }

    fn of_event(&self, id: u64, field: &str) -> Result<Type, Misfit> {
        if self.scope == Scope::Record {
            self.name(id, "event")?;
        }
        if field == "changed" {
            return Ok(Type::List(Box::new(Type::FieldName)));
        }
        let found = EVENT.iter().find(|(name, _)| *name == field).map(|(_, found)| found.clone());
        found.ok_or_else(|| {
            let hint = suggestion(field, EVENT.iter().map(|(name, _)| *name).chain(["changed"]));
            self.misfit(id, format!("`event` has no field `{field}`"), Some(hint))
        })
    }

    fn field(&self, id: u64, whole: &Type, operand: &Expr, field: &str) -> Result<Type, Misfit> {
        let path = path(operand).unwrap_or_else(|| "it".to_owned());
        match whole {
            Type::Any => Ok(Type::Any),
            Type::Pairs => Ok(Type::Text),
            Type::Thing(fields) => {
                let found = fields.iter().find(|(name, _)| *name == field);
                found.map(|(_, shape)| Type::of(shape)).ok_or_else(|| {
                    let hint = suggestion(field, fields.iter().map(|(name, _)| *name));
                    self.misfit(id, format!("`{path}` has no field `{field}`"), Some(hint))
                })
            }
            Type::List(_) => {
                let hint = format!("ask about its elements: `{path}.exists(one, one.{field} == …)`");
                Err(self.misfit(id, format!("`{path}` is a list and has no field `{field}`"), Some(hint)))
            }
            other => Err(self.misfit(id, format!("`{path}` is {other} and has no field `{field}`"), None)),
        }
    }

    fn comprehension(&mut self, id: u64, comprehension: &mut ComprehensionExpr) -> Result<Type, Misfit> {
        if comprehension.iter_var2.is_some() {
            return Err(self.misfit(id, "two variables are not used in conditions", None));
        }
        let element = match self.of(&mut comprehension.iter_range)? {
            Type::List(element) => *element,
            Type::Pairs => Type::Text,
            Type::Any => Type::Any,
            other => {
                let path = path(&comprehension.iter_range.expr).unwrap_or_else(|| "it".to_owned());
                return Err(self.misfit(id, format!("`{path}` is {other}, not a list"), None));
            }
        };
        let depth = self.variables.len();
        let mut result = self.of(&mut comprehension.accu_init)?;
        self.variables.push((comprehension.iter_var.clone(), element));
        self.variables.push((comprehension.accu_var.clone(), result.clone()));
        self.of(&mut comprehension.loop_cond)?;
        let step = self.of(&mut comprehension.loop_step)?;
        if result == Type::List(Box::new(Type::Any)) {
            result = step;
        }
        self.variables.truncate(depth);
        self.variables.push((comprehension.accu_var.clone(), result));
        let found = self.of(&mut comprehension.result);
        self.variables.truncate(depth);
        found
    }

    fn call(&mut self, node: &mut IdedExpr) -> Result<Type, Misfit> {
        let id = node.id;
        let Expr::Call(call) = &mut node.expr else { return Ok(Type::Any) };
        let mut types = Vec::with_capacity(3);
        if let Some(target) = &mut call.target {
            types.push(self.of(target)?);
        }
        for argument in &mut call.args {
            types.push(self.of(argument)?);
        }
        let name = call.func_name.as_str();
        match (name, types.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, sides) => {
                for (side, argument) in sides.iter().zip(&call.args) {
                    self.expect_flag(argument, side)?;
                }
                Ok(Type::Flag)
            }
            (operators::NOT_STRICTLY_FALSE, _) => Ok(Type::Flag),
            (operators::CONDITIONAL, [when, a, b]) => {
                self.expect_flag(&call.args[0], when)?;
                Ok(if a.class() == b.class() { a.clone() } else { Type::Any })
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => {
                self.comparable(id, (a, &call.args[0].expr), (b, &call.args[1].expr))?;
                Ok(Type::Flag)
            }
            (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
                let ordered = |side: &Type| matches!(side.class(), Class::Any | Class::Number | Class::Text);
                if !ordered(a) || !ordered(b) {
                    let odd = if ordered(a) { b } else { a };
                    return Err(self.misfit(id, format!("{odd} has no greater and less"), None));
                }
                self.comparable(id, (a, &call.args[0].expr), (b, &call.args[1].expr))?;
                Ok(Type::Flag)
            }
            (operators::IN, [one, many]) => {
                match many {
                    Type::List(element) => match &call.args[1].expr {
                        Expr::List(list) => {
                            for node in &list.elements {
                                let own = literal_type(&node.expr).unwrap_or_else(|| (**element).clone());
                                self.comparable(node.id, (one, &call.args[0].expr), (&own, &node.expr))?;
                            }
                        }
                        other => self.comparable(id, (one, &call.args[0].expr), (element, other))?,
                    },
                    Type::Pairs => self.comparable(id, (one, &call.args[0].expr), (&Type::Text, &call.args[1].expr))?,
                    Type::Any => {}
                    other => return Err(self.misfit(id, format!("`in` wants a list, not {other}"), None)),
                }
                Ok(Type::Flag)
            }
            (operators::ADD, [a, b]) if a.class() == b.class() || *a == Type::Any || *b == Type::Any => {
                match (a.class(), a) {
                    (Class::Text, _) => Ok(Type::Text),
                    (Class::Number | Class::Any | Class::List, _) => Ok(if *b == Type::Any { a } else { b }.clone()),
                    _ => Err(self.misfit(id, format!("{a} cannot be added"), None)),
                }
            }
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [a, b],
            ) => match (a, b) {
                (Type::Number, Type::Number) => Ok(Type::Number),
                (Type::Decimal, Type::Decimal) => Ok(Type::Decimal),
                (Type::Any, other) | (other, Type::Any) => Ok(other.clone()),
                _ => Err(self.misfit(id, format!("{a} and {b} do not reckon together"), None)),
            },
            (operators::NEGATE, [a]) if matches!(a.class(), Class::Number | Class::Any) => Ok(a.clone()),
            (operators::INDEX, [whole, _]) => {
                let (whole, index) = (whole.clone(), &call.args[1]);
                match (&whole, literal_text(&index.expr)) {
                    (Type::List(element), None) => Ok((**element).clone()),
                    // A name in brackets is a field.
                    (Type::Pairs | Type::Thing(_), Some(field)) if !field.contains('.') => {
                        let (field, operand) = (field.to_owned(), Box::new(call.args[0].clone()));
                        let found = self.field(id, &whole, &operand.expr, &field)?;
                        node.expr = Expr::Select(SelectExpr { operand, field, test: false });
                        Ok(found)
                    }
                    (Type::Pairs, _) => Ok(Type::Text),
                    (Type::Any, _) => Ok(Type::Any),
                    (other, _) => Err(self.misfit(id, format!("{other} cannot be looked into with this"), None)),
                }
            }
            ("size", [of]) => match of.class() {
                Class::Text | Class::List | Class::Any => Ok(Type::Number),
                _ => Err(self.misfit(id, format!("{of} has no size"), None)),
            },
            ("string", [_]) => Ok(Type::Text),
            ("int", [_]) => Ok(Type::Number),
            ("double", [_]) => Ok(Type::Decimal),
            (name, [of, with]) if OF_TEXTS.contains(&name) && call.target.is_some() => {
                for side in [of, with] {
                    if !matches!(side.class(), Class::Text | Class::Any) {
                        return Err(self.misfit(id, format!("`{name}` is for texts, not for {side}"), None));
                    }
                }
                if name == "matches"
                    && let Some(pattern) = literal_text(&call.args[0].expr)
                {
                    let compiled = Regex::new(pattern).map_err(|why| {
                        let why = why.to_string();
                        let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                        let what = format!("`{pattern}` is not a regular expression: {why}");
                        self.misfit(call.args[0].id, what, None)
                    })?;
                    self.patterns.insert(pattern.to_owned(), compiled);
                    call.func_name = FITS.to_owned();
                }
                Ok(Type::Flag)
            }
            (name, _) => {
                let known = FUNCTIONS.contains(&name);
                let what = match known {
                    true => format!("`{name}` is not called like this"),
                    false if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                        format!("`{name}` is not a function")
                    }
                    false => "this operator is not used in conditions like this".to_owned(),
                };
                let hint = (!known).then(|| suggestion(name, FUNCTIONS.iter().copied()));
                Err(self.misfit(id, what, hint))
            }
        }
    }

    fn expect_flag(&self, node: &IdedExpr, found: &Type) -> Result<(), Misfit> {
        match found {
            Type::Flag | Type::Any => Ok(()),
            other => Err(self.misfit(node.id, format!("{other} stands where true or false must stand"), None)),
        }
    }

    /// Two sides of a comparison: of one kind, and a word that is one of the other side's list.
    fn comparable(&self, id: u64, (a, left): (&Type, &Expr), (b, right): (&Type, &Expr)) -> Result<(), Misfit> {
        let (one, two) = (a.class(), b.class());
        if one != two && ![one, two].iter().any(|class| matches!(class, Class::Any | Class::Null)) {
            let subject = path(left).or_else(|| path(right)).map(|path| format!("`{path}`: "));
            return Err(self.misfit(id, format!("{}{a} is never {b}", subject.unwrap_or_default()), None));
        }
        self.known_word(id, a, left, right)?;
        self.known_word(id, b, right, left)
    }

    fn known_word(&self, id: u64, list: &Type, subject: &Expr, word: &Expr) -> Result<(), Misfit> {
        let Some(word) = literal_text(word) else { return Ok(()) };
        let known: Vec<&str> = match list {
            Type::Words(words) => words.to_vec(),
            Type::Event if word.starts_with("session.") => return Ok(()),
            Type::Event => EVENT_TYPES.iter().map(|(known, _)| *known).collect(),
            Type::FieldName => Kind::ALL.iter().flat_map(|kind| kind.fields()).map(|(name, _)| *name).collect(),
            _ => return Ok(()),
        };
        if known.contains(&word) {
            return Ok(());
        }
        let subject = path(subject).map_or_else(|| "it".to_owned(), |path| format!("`{path}`"));
        let what = match list {
            Type::FieldName => format!("no record has a field `{word}`"),
            _ => format!("{subject} is never `{word}`"),
        };
        Err(self.misfit(id, what, Some(suggestion(word, known.into_iter()))))
    }
}

/// What can be compared with what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Any,
    Null,
    Flag,
    Number,
    Text,
    Thing,
    List,
}

impl Type {
    fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Flag => Type::Flag,
            Shape::Number => Type::Number,
            Shape::Text => Type::Text,
            Shape::Words(words) => Type::Words(words),
            Shape::Moment => Type::Moment,
            Shape::Thing(fields) => Type::Thing(fields),
            Shape::List(Shape::Pair) => Type::Pairs,
            Shape::List(element) => Type::List(Box::new(Type::of(element))),
            Shape::Pair => Type::Any,
        }
    }

    fn class(&self) -> Class {
        match self {
            Type::Any => Class::Any,
            Type::Null => Class::Null,
            Type::Flag => Class::Flag,
            Type::Number | Type::Decimal => Class::Number,
            Type::Text | Type::Moment | Type::Words(_) | Type::Event | Type::FieldName => Class::Text,
            Type::Thing(_) => Class::Thing,
            Type::Pairs | Type::List(_) => Class::List,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Type::Any => "anything",
            Type::Null => "null",
            Type::Flag => "true or false",
            Type::Number => "a whole number",
            Type::Decimal => "a decimal number",
            Type::Text | Type::Event | Type::FieldName | Type::Words(_) => "a text",
            Type::Moment => "a moment",
            Type::Thing(_) => "a thing with fields",
            Type::Pairs => "a table of attributes",
            Type::List(_) => "a list",
        })
    }
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn literal_type(expr: &Expr) -> Option<Type> {
    match expr {
        Expr::Literal(LiteralValue::String(_)) => Some(Type::Text),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_)) => Some(Type::Number),
        Expr::Literal(LiteralValue::Boolean(_)) => Some(Type::Flag),
        _ => None,
    }
}

/// A chain of names as it was written.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path(&select.operand.expr)?, select.field)),
        _ => None,
    }
}
