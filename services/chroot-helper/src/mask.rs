//! Takes secrets out of a stream of bytes, wherever its pieces end.

use crate::secrets::Secret;

/// Shorter lines of a secret of several are too likely to be anything else.
const SHORTEST_LINE: usize = 8;

/// Something to be looked for.
struct Pattern {
    bytes: Vec<u8>,
    /// Which secret's it is.
    secret: usize,
}

/// Replaces every occurrence of a secret's value, or of a longer line of one that has several, by
/// `[secret <name>]`. What overlaps is replaced as a whole.
pub struct Mask {
    /// By first byte, the longest first.
    patterns: Vec<Vec<Pattern>>,
    marks: Vec<String>,
    /// What may be the beginning of a secret, until more is known.
    held: Vec<u8>,
    /// How much of `held` belongs to what has been replaced already, and whose that was.
    covered: (usize, usize),
}

impl Mask {
    pub fn new(secrets: &[Secret]) -> Mask {
        let mut patterns: Vec<Vec<Pattern>> = (0..256).map(|_| Vec::new()).collect();
        let mut add = |bytes: &[u8], secret: usize| {
            if let Some(&first) = bytes.first() {
                patterns[usize::from(first)].push(Pattern { bytes: bytes.to_owned(), secret });
            }
        };
        for (number, secret) in secrets.iter().enumerate() {
            add(&secret.value, number);
            let lines = secret.value.split(|&b| b == b'\n');
            for line in lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
                if line.len() >= SHORTEST_LINE && line.len() < secret.value.len() {
                    add(line, number);
                }
            }
        }
        for bucket in &mut patterns {
            bucket.sort_by_key(|pattern| std::cmp::Reverse(pattern.bytes.len()));
        }
        let marks = secrets.iter().map(|secret| format!("[secret {}]", secret.name)).collect();
        Mask { patterns, marks, held: Vec::new(), covered: (0, 0) }
    }

    /// Gives what is certain, in order, to be written out.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.advance(false)
    }

    /// Gives the rest: nothing comes any more.
    pub fn finish(&mut self) -> Vec<u8> {
        self.advance(true)
    }

    fn advance(&mut self, is_last: bool) -> Vec<u8> {
        let mut clean = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let mut found = None;
            for pattern in &self.patterns[usize::from(rest[0])] {
                if rest.starts_with(&pattern.bytes) {
                    found = Some(pattern);
                    break;
                }
                if !is_last && pattern.bytes.starts_with(rest) {
                    return self.keep_from(at, clean);
                }
            }
            let (covered, owner) = self.covered;
            if let Some(pattern) = found
                && at + pattern.bytes.len() > covered
            {
                if at >= covered || pattern.secret != owner {
                    clean.extend_from_slice(self.marks[pattern.secret].as_bytes());
                }
                self.covered = (at + pattern.bytes.len(), pattern.secret);
            } else if at >= covered {
                clean.push(rest[0]);
            }
            at += 1;
        }
        self.keep_from(at, clean)
    }

    fn keep_from(&mut self, at: usize, clean: Vec<u8>) -> Vec<u8> {
        self.held.drain(..at);
        self.covered.0 = self.covered.0.saturating_sub(at);
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, value: &str) -> Secret {
        Secret { variable: "V".into(), name: name.into(), value: value.into() }
    }

    /// Masks a text in pieces of every size.
    fn masked(secrets: &[Secret], text: &str) -> String {
        let piecewise = |size: usize| {
            let mut mask = Mask::new(secrets);
            let mut clean = Vec::new();
            text.as_bytes().chunks(size).for_each(|piece| clean.extend(mask.feed(piece)));
            clean.extend(mask.finish());
            String::from_utf8(clean).unwrap()
        };
        let whole = piecewise(text.len().max(1));
        for size in 1..text.len() {
            assert_eq!(piecewise(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn mask_replaces_every_occurrence_wherever_pieces_end() {
        let one = [secret("pw", "hunter2")];
        assert_eq!(masked(&one, "a hunter2 b"), "a [secret pw] b");
        assert_eq!(masked(&one, "hunter2hunter2"), "[secret pw][secret pw]");
        assert_eq!(masked(&one, "hunthunter2er2"), "hunt[secret pw]er2");
        assert_eq!(masked(&one, "ends in hunter"), "ends in hunter");
        assert_eq!(masked(&one, ""), "");
    }

    #[test]
    fn mask_prefers_the_longest_secret_and_covers_what_overlaps() {
        let two = [secret("a", "abc"), secret("b", "abcdef"), secret("c", "efgh")];
        assert_eq!(masked(&two, "xabcx"), "x[secret a]x");
        assert_eq!(masked(&two, "xabcdex"), "x[secret a]dex");
        assert_eq!(masked(&two, "xabcdefx"), "x[secret b]x");
        assert_eq!(masked(&two, "xabcdefghx"), "x[secret b][secret c]x");
        assert_eq!(masked(&[secret("a", "aa")], "xaaax"), "x[secret a]x");
    }

    #[test]
    fn mask_knows_the_longer_lines_of_a_secret_of_several() {
        let key = [secret("key", "-----BEGIN-----\nMIIEvQIBADAN\nshort\r\n-----END-----")];
        assert_eq!(masked(&key, "MIIEvQIBADAN!"), "[secret key]!");
        assert_eq!(masked(&key, "short"), "short");
        assert_eq!(masked(&key, "-----BEGIN-----\nMIIE"), "[secret key]\nMIIE");
        let whole = String::from_utf8(key[0].value.clone()).unwrap();
        assert_eq!(masked(&key, &format!("<{whole}>")), "<[secret key]>");
    }

    #[test]
    fn mask_leaves_empty_secrets_alone() {
        assert_eq!(masked(&[secret("none", "")], "as it was"), "as it was");
    }
}
