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
    use std::sync::{LazyLock, Mutex};

    use cordboard_tests::vtiger::{Account, Crm};
    use proptest::prelude::*;

    use super::*;

    static CRM: LazyLock<Mutex<Crm>> = LazyLock::new(Mutex::default);

    /// The ids that the server finds among these last names, each with the first name "x".
    fn found(names: &[(u64, &str)], condition: &str) -> Vec<String> {
        let mut crm = CRM.lock().unwrap();
        for (number, name) in names {
            crm.seed("Contacts", *number, &[("lastname", Some(*name)), ("firstname", Some("x"))]);
        }
        let (name, key) = ("hub".into(), String::new());
        let hub = Account { number: 1, name, key, admin: true, top: false, active: true };
        let answer = crm.query(&hub, &format!("SELECT id FROM Contacts WHERE {condition};"));
        let rows = answer.unwrap_or_else(|refusal| panic!("{condition}: {refusal:?}"));
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_asked_for_is_found_and_nothing_else(
            name in r"(['\\%_;#()=-]|OR 1=1|-- | AND |[a-zä😀\u{202e}\n\x00]){1,12}",
            other in r"['\\]{1,3}",
        ) {
            // A control character never stands in a literal, nor in an id.
            let plain: String = name.chars().filter(|c| !c.is_control()).collect();
            prop_assume!(!plain.trim().is_empty());
            let spelt = literal(&name).unwrap();
            let rows = [(10, plain.as_str()), (11, "bystander"), (12, "x")];
            prop_assume!(!["bystander", "x"].contains(&plain.trim_end().to_lowercase().as_str()));
            prop_assert_eq!(found(&rows, &format!("lastname = {spelt}")), ["12x10"]);
            prop_assert_eq!(found(&rows, &format!("lastname IN ({spelt},'nobody')")), ["12x10"]);
            // A second literal stays one, too.
            let other = literal(&other).unwrap();
            prop_assert_eq!(found(&rows, &format!("lastname = {spelt} AND firstname = {other}")), Vec::<String>::new());
        }
    }

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
