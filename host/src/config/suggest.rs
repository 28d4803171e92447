//! "Did you mean": the known word nearest to a mistyped one.

/// A hint that names the nearest of the known words, or all of them when none is near.
pub(super) fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    match nearest {
        Some((far, candidate)) if far <= slips(word.chars().count().max(candidate.chars().count())) => {
            format!("did you mean `{candidate}`?")
        }
        Some(_) if known.len() <= 24 => {
            let list: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
            format!("known: {}", list.join(", "))
        }
        Some(_) => "no known word is near it".to_owned(),
        None => "there is none to choose from".to_owned(),
    }
}

/// How many slips of the hand to expect in a word of that length.
fn slips(length: usize) -> usize {
    if length < 4 { 1 } else { (length / 3).max(2) }
}

/// How many single-character edits (swapped neighbours count as one) lie between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word() {
        assert_eq!(suggestion("compnent", ["component", "paths"].into_iter()), "did you mean `component`?");
        assert_eq!(suggestion("fomr", ["from", "to"].into_iter()), "did you mean `from`?");
        assert_eq!(suggestion("zzz", ["from", "to"].into_iter()), "known: `from`, `to`");
    }
}
