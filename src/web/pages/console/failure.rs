//! What didn't work, for staff.

use super::frame::Frame;
use askama::Template;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    NotAllowed,
    LookCap,
    DailyCap,
    /// The holder's transfers are locked.
    Locked,
    /// A signer refused the same of this holder's.
    RefusedBefore,
    SlowDown,
    InviteEnded,
    NotYet,
    Invalid,
    Changed,
    TooLate,
    PastCap,
    Unavailable,
    Wrong,
}

#[derive(Template)]
#[template(path = "console/error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub trouble: Trouble,
}

impl Trouble {
    pub const fn headline(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::NotAllowed => "You can’t do this",
            Self::LookCap => "You have looked at too many holders",
            Self::DailyCap => "The most for one day is reached",
            Self::Locked => "Transfers are locked",
            Self::RefusedBefore => "A signer refused this",
            Self::SlowDown => "Please wait",
            Self::InviteEnded => "This invite has ended",
            Self::NotYet => "This invite isn’t open yet",
            Self::Invalid => "Something is missing",
            Self::Changed => "This changed while you were looking",
            Self::TooLate => "It is too late",
            Self::PastCap => "The hold can’t be made that long",
            Self::Unavailable => "The console can’t work right now",
            Self::Wrong => "Something went wrong on our side",
        }
    }

    pub const fn text(self) -> &'static str {
        match self {
            Self::NotFound => "It doesn’t exist, isn’t yours, or its time is over. A look lasts 15 minutes.",
            Self::NotAllowed => "It needs another role, or another person than you.",
            Self::LookCap => {
                "One person may look at 40 holders in a day, and reveal 5 accounts. This was written down. Ask a colleague."
            }
            Self::DailyCap => "Nothing was done, and this was written down. Ask a colleague, or try again tomorrow.",
            Self::Locked => {
                "Nothing was done. While transfers are locked, nothing of this holder can be approved. Ask to unlock them first."
            }
            Self::RefusedBefore => {
                "Nothing was done. For 24 hours after a refusal nobody can ask the same for this holder, you or anybody else."
            }
            Self::SlowDown => "You were quicker than a person works. Try again in a few minutes.",
            Self::InviteEnded => "It was used, or its time is over. Ask the admin who sent it for a new one.",
            Self::NotYet => "It was made on the host and waits 72 hours, so that every admin can see it.",
            Self::Invalid => "Give a reason in one line, and whatever else the form asks for.",
            Self::Changed => "Nothing was done. Look again, then decide.",
            Self::TooLate => "The backend has taken it. It can’t be stopped here any more.",
            Self::PastCap => "Nothing was changed. Choose fewer hours.",
            Self::Unavailable => "Nothing was done. Try again in a minute.",
            Self::Wrong => "We don’t know if your last click counted. Look before you click again.",
        }
    }
}
