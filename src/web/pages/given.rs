//! Text that somebody outside gave us: names, messages, device names.
//!
//! Owns the last guard before such text is shown. Creation already refuses control, bidi and zero-width characters;
//! what reaches a page all the same (an older record, a name typed on a device) is made visible here instead of being
//! trusted. Also owns what a link in a notice may show of a name or an account. HTML escaping is askama's business and
//! stays on everywhere. Imported by the view models.

use std::fmt;
use unicode_general_category::{GeneralCategory, get_general_category};

/// What stands for a character that would change how the rest of the line reads.
const MARK: char = '\u{FFFD}';

/// How many letters stand for the hidden ones: always four, so that a length gives nothing away.
const HIDDEN: &str = "••••";

/// Text of foreign origin, safe to set in a line of its own: no character in it can reorder, hide or break what stands
/// beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given(String);

impl Given {
    /// Takes any text; invisible and direction-changing characters become a visible mark (U+FFFD).
    pub fn new(text: &str) -> Self {
        Self(text.chars().map(visible).collect())
    }

    /// A name as a link in a notice may show it: the first letter of its first and last word, «M•••• N••••».
    pub fn masked_name(text: &str) -> Self {
        let words: Vec<char> = text.split_whitespace().filter_map(|word| word.chars().next()).map(visible).collect();
        Self(match words.as_slice() {
            [] => HIDDEN.to_owned(),
            [only] => format!("{only}{HIDDEN}"),
            [first, .., last] => format!("{first}{HIDDEN} {last}{HIDDEN}"),
        })
    }

    /// The last four characters of an account or address, by which its owner knows it; shorter ones show nothing.
    pub fn ending(text: &str) -> Self {
        let letters: Vec<char> = text.chars().map(visible).collect();
        Self(match letters.len() {
            ..8 => HIDDEN.to_owned(),
            n => letters[n - 4..].iter().collect(),
        })
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn visible(letter: char) -> char {
    match get_general_category(letter) {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::Surrogate
        | GeneralCategory::Unassigned => MARK,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_changes_and_hidden_letters_become_visible() {
        assert_eq!(Given::new("Marta\u{202e}kawoN").to_string(), "Marta\u{fffd}kawoN");
        assert_eq!(Given::new("a\u{200b}b\u{2066}c\nd").to_string(), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(Given::new("دار السلام, Łódź").to_string(), "دار السلام, Łódź");
    }

    #[test]
    fn a_mask_tells_neither_length_nor_middle() {
        assert_eq!(Given::masked_name("Marta Nowak").to_string(), "M•••• N••••");
        assert_eq!(Given::masked_name("Marta Zofia von Nowak").to_string(), "M•••• N••••");
        assert_eq!(Given::masked_name("Cher").to_string(), "C••••");
        assert_eq!(Given::masked_name("  ").to_string(), "••••");
        assert_eq!(Given::masked_name("\u{202e}evil name").to_string(), "\u{fffd}•••• n••••");
    }

    #[test]
    fn an_account_shows_its_end_only_when_the_rest_stays_hidden() {
        assert_eq!(Given::ending("PL61109010140000071219812874").to_string(), "2874");
        assert_eq!(Given::ending("1234567").to_string(), "••••");
        assert_eq!(Given::ending("").to_string(), "••••");
    }
}
