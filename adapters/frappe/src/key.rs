//! What a record is known by in Frappe. Names there ignore case and accents, are trimmed, may not hold `<` or `>`, and
//! have at most 140 characters.

use md5::{Digest, Md5};

/// The longest id that is written as it is: with its hash it must still fit into a name.
const LONGEST: usize = 140;

/// A name for an id that no other id has, whatever the database's collation takes for the same. An id of plain letters
/// is its own name; any other ends in its hash.
pub fn folded(id: &str) -> String {
    named(id, |c| c.is_ascii_lowercase())
}

/// The same with capitals left as they are, for ids that people and other programs read. Two ids that differ in
/// nothing but capitals have to be told apart when the record is looked at.
pub fn exact(id: &str) -> String {
    named(id, |c| c.is_ascii_alphabetic())
}

fn named(id: &str, letter: impl Fn(char) -> bool) -> String {
    let safe = |c: char| letter(c) || c.is_ascii_digit() || "._:@+=-".contains(c);
    if !id.is_empty() && id.len() <= LONGEST && id.chars().all(safe) {
        return id.to_owned();
    }
    let start: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || "._:@+=-".contains(*c)).take(100).collect();
    let hash = hex::encode(Md5::digest(id.as_bytes()));
    format!("{start}~{}", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_apart_where_the_database_sees_none() {
        assert_eq!(folded("call-2026-0001"), "call-2026-0001");
        assert_eq!(folded("1772705730.1"), "1772705730.1");
        assert_eq!(exact("ventas-1:34600111222@s.whatsapp.net"), "ventas-1:34600111222@s.whatsapp.net");
        assert_eq!(exact("Ventas"), "Ventas");
        let ids =
            ["Case-Test-A", "case-test-a", "véntas-1", "ventas-1", " a", "a", "a ", "<a>", "a/b", "a'b", "", "😀"];
        let mut names: Vec<String> = ids.iter().map(|id| folded(id).to_lowercase()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        for id in [&"x".repeat(141), &"Ü".repeat(255), "a\"b\\c\0d\ne"] {
            for name in [folded(id), exact(id)] {
                assert!(name.len() <= LONGEST && name.contains('~') && name == name.trim(), "{name}");
                assert!(name.chars().all(|c| c.is_ascii_graphic() && !"<>/'\"\\".contains(c)), "{name}");
            }
        }
    }
}
