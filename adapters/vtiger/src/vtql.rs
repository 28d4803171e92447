//! Writing queries: literals that stay literals, and patterns for telephone numbers.

/// A literal. Quotes are doubled for the webservice's parser, backslashes for the database behind it: the parser takes
/// a backslash for a letter, the database for an escape, and a value that ends in one would swallow the closing quote.
///
/// An empty value has no spelling in this language: `None`.
pub fn literal(value: &str) -> Option<String> {
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    (!value.is_empty()).then(|| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")))
}

/// A LIKE pattern that finds the digits whatever stands between them. Anything but digits is left out.
pub fn pattern(digits: &str) -> String {
    let mut pattern = String::from("'%");
    for digit in digits.chars().filter(char::is_ascii_digit) {
        pattern.push(digit);
        pattern.push('%');
    }
    pattern.push('\'');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(literal("O'One").unwrap(), "'O''One'");
        assert_eq!(literal(r"a\").unwrap(), r"'a\\'");
        assert_eq!(literal(r"a\' OR 1=1 -- ").unwrap(), r"'a\\'' OR 1=1 -- '");
        assert_eq!(literal("a\0b\n").unwrap(), "'ab'");
        assert_eq!(literal(""), None);
    }

    #[test]
    fn patterns_hold_digits_only() {
        assert_eq!(pattern("79460123"), "'%7%9%4%6%0%1%2%3%'");
        assert_eq!(pattern("1'%_\\2"), "'%1%2%'");
    }
}
