//! Bytes searched and compared sixteen or eight at a time. Half of an Asterisk's events are passed over, and all that is done
//! to those is to find their ends; WebAssembly's own ways go byte by byte.

use wide::u8x16;

/// Where the first colon of the line that begins here stands, and where the line ends. Lines are short, so both are looked
/// for at once.
pub fn line(bytes: &[u8], start: usize) -> (Option<usize>, usize) {
    let (mut at, mut colon) = (start, None);
    while at < bytes.len() {
        let block = block(&bytes[at..]);
        if colon.is_none() {
            let found = block.simd_eq(u8x16::splat(b':')).to_bitmask();
            colon = (found != 0).then(|| at + found.trailing_zeros() as usize);
        }
        let found = block.simd_eq(u8x16::splat(b'\n')).to_bitmask();
        if found == 0 {
            at += 16;
            continue;
        }
        let feed = at + found.trailing_zeros() as usize;
        if feed > start && bytes[feed - 1] == b'\r' {
            return (colon.filter(|colon| *colon < feed), feed - 1);
        }
        at = feed + 1;
    }
    (colon, bytes.len())
}

/// Where the last line feed stands.
pub fn last_feed(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    while let Some(block) = bytes[..end].last_chunk() {
        let found = u8x16::new(*block).simd_eq(u8x16::splat(b'\n')).to_bitmask();
        if found != 0 {
            return Some(end - 16 + found.ilog2() as usize);
        }
        end -= 16;
    }
    bytes[..end].iter().rposition(|byte| *byte == b'\n')
}

/// Where the first empty line behind another one begins, both ended by CR LF.
pub fn empty_line(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        // A line that begins with CR is nearly always the end of a message: what has none is passed over.
        while let Some(window) = bytes[at..].first_chunk::<65>() {
            if (begins(window, 0) | begins(window, 16) | begins(window, 32) | begins(window, 48)).any() {
                break;
            }
            at += 64;
        }
        let end = bytes.len().min(at + 64);
        while at < end {
            let mut found = begins(&bytes[at..], 0).to_bitmask();
            while found != 0 {
                let feed = at + found.trailing_zeros() as usize;
                if feed > 0 && bytes[feed - 1] == b'\r' && bytes.get(feed + 2) == Some(&b'\n') {
                    return Some(feed + 1);
                }
                found &= found - 1;
            }
            at += 16;
        }
    }
    None
}

/// Which of sixteen bytes are line feeds that CR follows.
#[inline(always)]
fn begins(bytes: &[u8], at: usize) -> u8x16 {
    let next = bytes.get(at + 1..).unwrap_or_default();
    block(&bytes[at..]).simd_eq(u8x16::splat(b'\n')) & block(next).simd_eq(u8x16::splat(b'\r'))
}

/// The first sixteen bytes; zeros where there are not so many.
#[inline(always)]
fn block(bytes: &[u8]) -> u8x16 {
    u8x16::new(bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; 16];
        block[..bytes.len()].copy_from_slice(bytes);
        block
    }))
}

/// Whether both are the same.
pub fn same(one: &str, other: &str) -> bool {
    matches(one.as_bytes(), other.as_bytes(), 0)
}

/// Whether these are the letters of a name, in whatever case: names are what is compared most.
///
/// A bit tells lower case from upper. Nothing but a letter becomes one by it, and what becomes a digit or a hyphen is a
/// control character, which no name has.
#[inline(always)]
pub fn is(bytes: &[u8], name: &[u8]) -> bool {
    matches(bytes, name, 0x20)
}

/// Whether both are the same but for these bits: by whole words, of which the last may reach back over what has been seen.
#[inline(always)]
fn matches(one: &[u8], other: &[u8], but: u8) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let long = |at: usize| {
        let word =
            |text: &[u8]| text[at..].first_chunk().map(|word| u64::from_ne_bytes(*word) | u64::from_ne_bytes([but; 8]));
        word(one) == word(other)
    };
    let short = |at: usize| {
        let word =
            |text: &[u8]| text[at..].first_chunk().map(|word| u32::from_ne_bytes(*word) | u32::from_ne_bytes([but; 4]));
        word(one) == word(other)
    };
    match one.len() {
        0..4 => one.iter().zip(other).all(|(one, other)| one | but == other | but),
        length @ 4..8 => short(0) && short(length - 4),
        length => (0..length - 8).step_by(8).all(long) && long(length - 8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_the_same_in_whatever_case() {
        for name in ["", "Ab", "Uniqueid", "ConnectedLineNum", "ConnectedLineName", "X-Header-1"] {
            for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert!(is(spelling.as_bytes(), name.as_bytes()), "{spelling}");
            }
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                for byte in (b' '..=b'~').filter(|byte| !byte.eq_ignore_ascii_case(&name.as_bytes()[at])) {
                    other[at] = byte;
                    assert!(!is(&other, name.as_bytes()), "{name}: {}", other.escape_ascii());
                }
            }
            assert!(!is(format!("{name}x").as_bytes(), name.as_bytes()));
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![2 => Just(b'\r'), 2 => Just(b'\n'), 1 => Just(b':'), 12 => any::<u8>()];
        prop_oneof![
            proptest::collection::vec(byte, 0..200),
            proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..100),
        ]
    }

    proptest! {
        #[test]
        fn lines_end_where_they_do(bytes in text(), start in 0_usize..50) {
            let start = start.min(bytes.len());
            let end = bytes[start..].windows(2).position(|two| two == b"\r\n").map_or(bytes.len(), |end| start + end);
            let colon = bytes[start..end].iter().position(|byte| *byte == b':').map(|colon| start + colon);
            prop_assert_eq!(line(&bytes, start), (colon, end));
        }

        #[test]
        fn the_last_line_feed_is_the_last(bytes in text()) {
            prop_assert_eq!(last_feed(&bytes), bytes.iter().rposition(|byte| *byte == b'\n'));
        }

        #[test]
        fn empty_lines_begin_where_they_do(bytes in text(), before in 0_usize..130) {
            let bytes = [vec![b'.'; before], bytes].concat();
            let expected = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 2);
            prop_assert_eq!(empty_line(&bytes), expected);
        }

        #[test]
        fn the_same_is_the_same(one in ".{0,40}", other in ".{0,40}", at in 0_usize..40) {
            prop_assert!(same(&one, &one.clone()));
            prop_assert_eq!(same(&one, &other), one == other);
            let mut near: Vec<char> = one.chars().collect();
            if let Some(letter) = near.get_mut(at) {
                *letter = if *letter == 'x' { 'y' } else { 'x' };
                prop_assert!(!same(&one, &near.into_iter().collect::<String>()));
            }
        }
    }
}
