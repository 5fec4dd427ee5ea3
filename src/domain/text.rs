//! Text that people or programs outside give us, made safe to show and to sign: NFC (Unicode TR 15), no control,
//! format (bidi and zero-width among them), surrogate, private-use or unassigned characters, no line breaks, no space
//! at either end, and a length that fits the page.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_security::MixedScript as _;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {max} characters")]
    TooLong { max: usize },
    #[error("must not begin or end with a space")]
    Untrimmed,
    #[error("must be in Unicode normal form NFC")]
    NotNfc,
    #[error("must not contain control, bidirectional or zero-width characters")]
    Forbidden,
    #[error("must contain only letters, digits, and . _ : - / @ +")]
    NotToken,
}

/// One line of text with at most `MAX` characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Line<const MAX: usize>(String);

/// One opaque token of at most `MAX` characters: ASCII letters, digits and `. _ : - / @ +`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Token<const MAX: usize>(String);

fn allowed(c: char) -> bool {
    !matches!(
        get_general_category(c),
        Category::Control
            | Category::Format
            | Category::Surrogate
            | Category::PrivateUse
            | Category::Unassigned
            | Category::LineSeparator
            | Category::ParagraphSeparator
    ) && !matches!(c, '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
        && !('\u{fe00}'..='\u{fe0f}').contains(&c)
        && !('\u{e0100}'..='\u{e01ef}').contains(&c)
}

impl<const MAX: usize> Line<MAX> {
    /// Checks the text; it is never changed silently.
    ///
    /// # Errors
    /// The first rule of [`BadText`] that it breaks.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        if text.is_empty() {
            return Err(BadText::Empty);
        }
        if text.chars().take(MAX + 1).count() > MAX {
            return Err(BadText::TooLong { max: MAX });
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(BadText::Untrimmed);
        }
        if !text.chars().all(allowed) {
            return Err(BadText::Forbidden);
        }
        if !is_nfc(text) {
            return Err(BadText::NotNfc);
        }
        Ok(Self(text.to_owned()))
    }

    /// The nearest text that [`Line::parse`] takes: for what a person typed on our own page, where a helpful reading
    /// beats a refusal. Nothing that is signed goes through here.
    pub fn tidy(text: &str) -> Option<Self> {
        let clean: String = text.nfc().filter(|c| allowed(*c)).collect();
        let cut: String = clean.trim().chars().take(MAX).collect();
        Self::parse(cut.trim()).ok()
    }

    /// Whether it has letters of more than one alphabet (Unicode UTS 39 section 5.1), as a name has in which one letter
    /// was put for another that looks like it. Characters that belong together in one way of writing, such as Japanese,
    /// are one; digits and signs belong to all.
    pub fn mixes_alphabets(&self) -> bool {
        !self.0.as_str().is_single_script()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Token<MAX> {
    /// Checks the token.
    ///
    /// # Errors
    /// The first rule of [`BadText`] that it breaks.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        if text.is_empty() {
            return Err(BadText::Empty);
        }
        if text.len() > MAX {
            return Err(BadText::TooLong { max: MAX });
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-/@+".contains(&b);
        if !text.bytes().all(plain) {
            return Err(BadText::NotToken);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! plumbing {
    ($name:ident) => {
        impl<const MAX: usize> fmt::Display for $name<MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl<const MAX: usize> fmt::Debug for $name<MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl<'de, const MAX: usize> Deserialize<'de> for $name<MAX> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
plumbing!(Line);
plumbing!(Token);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_could_mislead_a_reader() {
        for (text, why) in [
            ("", BadText::Empty),
            (" x", BadText::Untrimmed),
            ("a\u{0}b", BadText::Forbidden),
            ("a\nb", BadText::Forbidden),
            ("a\u{202e}b", BadText::Forbidden),
            ("a\u{200b}b", BadText::Forbidden),
            ("a\u{2066}b", BadText::Forbidden),
            ("a\u{feff}b", BadText::Forbidden),
            ("a\u{3164}b", BadText::Forbidden),
            ("e\u{301}", BadText::NotNfc),
            ("elevenchars", BadText::TooLong { max: 10 }),
        ] {
            assert_eq!(Line::<10>::parse(text), Err(why), "{text:?}");
        }
        assert!(Line::<10>::parse("Zoë Łuka").is_ok());
        assert!(Line::<10>::parse("محمد").is_ok());
    }

    #[test]
    fn a_letter_of_another_alphabet_is_seen() {
        let mixes = |text: &str| Line::<60>::parse(text).unwrap().mixes_alphabets();
        // The second letter is Cyrillic, the first Greek, the last Armenian.
        for text in ["M\u{430}rta Nowak", "\u{39c}arta", "Marta \u{578}", "شركة النور (Al Noor Trading)", "Банк Plus"]
        {
            assert!(mixes(text), "{text}");
        }
        for text in [
            "Marta Nowak",
            "Zoë Łuka-Ðorđe O’Brien № 7 & Co.",
            "Марта Новак",
            "Μάρτα 12",
            "شركة النور 24",
            "株式会社みどりサービス",
            "한국은행 韓國",
            "12 – 34",
            "ø",
        ] {
            assert!(!mixes(text), "{text}");
        }
    }

    #[test]
    fn tidies_what_a_person_typed() {
        assert_eq!(Line::<10>::tidy("  Priya\u{200b}’s e\u{301} ").unwrap().as_str(), "Priya’s é");
        assert!(Line::<10>::tidy("\u{200b} ").is_none());
    }

    #[test]
    fn tokens_are_plain_ascii() {
        assert!(Token::<8>::parse("wd-1:a/b").is_ok());
        assert_eq!(Token::<8>::parse("a b"), Err(BadText::NotToken));
        assert_eq!(Token::<8>::parse("ünique"), Err(BadText::NotToken));
        assert_eq!(Token::<3>::parse("abcd"), Err(BadText::TooLong { max: 3 }));
    }
}
