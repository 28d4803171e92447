//! A component's statement with its parameters put in.
//!
//! What is put in is a text in quotes, in brackets so that it joins nothing before it, with each quote doubled. That is
//! all there is to escape: in every session here `\` is a character like others. The statement itself may hold nothing
//! by which a reader of it could be mistaken about where a text begins and ends, or where the statement does.

use crate::components::contract::Failure;

/// Bytes of a statement, with and without its parameters: a list of a thousand ids fits well.
const LENGTH: usize = 1 << 20;

/// The statement as it goes out.
pub(super) fn compose(statement: &str, parameters: &[String]) -> Result<String, Failure> {
    let refused = |why: &str| Failure::Rejected { code: "statement".into(), why: format!("the statement {why}") };
    if statement.len() + parameters.iter().map(String::len).sum::<usize>() > LENGTH {
        return Err(refused("and its parameters are longer than 1 MiB"));
    }
    let first = words(statement).next().unwrap_or_default();
    if !first.eq_ignore_ascii_case("select") && !first.eq_ignore_ascii_case("with") {
        return Err(refused("begins with neither `select` nor `with`: databases are only read"));
    }
    let mut composed = String::with_capacity(statement.len());
    let mut used = vec![false; parameters.len()];
    let mut rest = statement;
    while let Some(at) = rest.find(['\'', '"', '`', '$', ';', '-', '/', '#', '?', '\\', '\0']) {
        let (before, from) = rest.split_at(at);
        check_words(before).map_err(refused)?;
        composed.push_str(before);
        let end = match from.as_bytes() {
            [quote @ (b'\'' | b'"' | b'`'), ..] => {
                let end = from[1..].find(char::from(*quote)).ok_or_else(|| refused("has a quote that does not end"))?;
                let whole = &from[..end + 2];
                if whole.contains(['\\', '\0']) {
                    return Err(refused("has a `\\` or a NUL in it: put such a text into a parameter"));
                }
                composed.push_str(whole);
                whole.len()
            }
            [b'$', ..] => {
                let digits = from[1..].bytes().take_while(u8::is_ascii_digit).count();
                let number: Option<usize> = from[1..=digits].parse().ok();
                let joined = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
                if number.is_none() || before.ends_with(joined) || from[digits + 1..].starts_with(joined) {
                    return Err(refused("has a `$` that is no parameter such as `$1`"));
                }
                let at = number.and_then(|number| number.checked_sub(1)).filter(|at| *at < parameters.len());
                let at = at.ok_or_else(|| misfit(format!("`${}` has no parameter", &from[1..=digits])))?;
                used[at] = true;
                composed.push_str("('");
                composed.push_str(&quoted(&parameters[at])?);
                composed.push_str("')");
                digits + 1
            }
            [b'-', b'-', ..] | [b'/', b'*', ..] | [b'#', ..] => return Err(refused("has a comment")),
            [sign @ (b'-' | b'/'), ..] => {
                composed.push(char::from(*sign));
                1
            }
            [b'?', ..] => return Err(refused("has a `?`: write `$1` for the first parameter")),
            [b';', ..] => return Err(refused("has a `;`: one statement at a time")),
            _ => return Err(refused("has a `\\` or a NUL in it: put such a text into a parameter")),
        };
        rest = &from[end..];
    }
    check_words(rest).map_err(refused)?;
    composed.push_str(rest);
    match used.iter().position(|used| !used) {
        Some(at) => Err(misfit(format!("`${}` is not in the statement", at + 1))),
        None => Ok(composed),
    }
}

fn quoted(parameter: &str) -> Result<String, Failure> {
    if parameter.contains('\0') {
        return Err(misfit("a parameter holds a NUL character".to_owned()));
    }
    Ok(parameter.replace('\'', "''"))
}

fn misfit(why: String) -> Failure {
    Failure::Rejected { code: "parameters".into(), why }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// `select … into` writes: a file, a table or a variable.
fn check_words(text: &str) -> Result<(), &'static str> {
    match words(text).any(|word| word.eq_ignore_ascii_case("into")) {
        true => Err("says `into`: databases are only read"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(statement: &str, parameters: &[&str]) -> Result<String, String> {
        let parameters: Vec<String> = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
        compose(statement, &parameters).map_err(|failure| failure.to_string())
    }

    #[test]
    fn parameters_become_texts_in_quotes() {
        for (statement, parameters, expected) in [
            ("select 1", &[][..], "select 1"),
            ("with a as (select $1) select 3-1, 6/2 from a", &["x"], "with a as (select ('x')) select 3-1, 6/2 from a"),
            ("select $2,$1 , $2", &["a", "b"], "select ('b'),('a') , ('b')"),
            (
                "select '$1', \"a$1\", `;`, 'it''s' where a=$1",
                &["x"],
                "select '$1', \"a$1\", `;`, 'it''s' where a=('x')",
            ),
            ("select $1", &["'; drop table cdr; --"], "select ('''; drop table cdr; --')"),
            ("select $1", &["\\' or 1=1 $1"], "select ('\\'' or 1=1 $1')"),
            ("SELECT \"into\", 'into'", &[], "SELECT \"into\", 'into'"),
        ] {
            let found = composed(statement, parameters);
            assert_eq!(found.as_deref().unwrap_or_default(), expected, "{statement}: {found:?}");
        }
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for (statement, why) in [
            ("delete from cdr", "only read"),
            ("", "only read"),
            ("select 1; delete from cdr", "one statement"),
            ("select 1 -- it", "comment"),
            ("select /*! 1 */ 2", "comment"),
            ("select 1 # it", "comment"),
            ("select 'a", "does not end"),
            ("select 'a\\' or $1", "`\\`"),
            ("select \\ 1", "`\\`"),
            ("select 'a\0'", "NUL"),
            ("select $$a$$", "no parameter such as"),
            ("select $a", "no parameter such as"),
            ("select a$1", "no parameter such as"),
            ("select E$1", "no parameter such as"),
            ("select $1a", "no parameter such as"),
            ("select * from cdr where src = ?", "write `$1`"),
            ("select $0, $1", "`$0` has no parameter"),
            ("select $1, $2", "`$2` has no parameter"),
            ("select 1 ", "`$1` is not in the statement"),
            ("select 1 into outfile '/tmp/x'", "`into`"),
            ("select $99999999999999999999999", "no parameter such as"),
        ] {
            let found = composed(statement, &["x"]).expect_err(statement);
            assert!(found.contains(why), "{statement}: {found}");
        }
        assert!(composed("select $1", &["a\0b"]).is_err());
        assert!(composed("select $1", &["x".repeat(2 << 20).as_str()]).is_err());
    }
}
