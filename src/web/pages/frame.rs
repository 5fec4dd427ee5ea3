//! What stands around every holder page: whose service it is, where to call, and whether the money is real.
//!
//! Owns the operator's two words on the pages, the profile banner and the language. Every view model carries one
//! `Frame`; `templates/frame.html` prints it.

/// The deployment's own words, the same on every page of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The operator as the holder knows it: «Harbour».
    pub operator: String,
    /// Where a call reaches the operator, as it stands after «Call Harbour on»: «the number on your card».
    pub contact: String,
    /// Whether this deployment moves real money.
    pub profile: Profile,
    /// The language of the page.
    pub lang: Lang,
}

/// The configured profile. Only `Live` may go without a banner (design, §8: shorter values say so on every page).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Live,
    Demo,
    Bench,
}

impl Profile {
    /// The line on top of every page of a profile that isn't live.
    pub fn banner(self) -> Option<&'static str> {
        match self {
            Self::Live => None,
            Self::Demo => Some(
                "Demo: holds are seconds long, but what staff decide for a holder waits a day. Not for real money.",
            ),
            Self::Bench => Some("Bench: for load tests. Not for real money."),
        }
    }
}

/// A language the pages are written in. Its code is part of what a signature over an approve page commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    En,
}

impl Lang {
    /// The BCP 47 tag.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
        }
    }

    /// The direction of the script, for the `dir` attribute.
    pub fn dir(self) -> &'static str {
        match self {
            Self::En => "ltr",
        }
    }
}
