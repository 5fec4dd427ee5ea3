//! What didn't work, for staff.

use super::frame::Frame;
use askama::Template;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    NotAllowed,
    LookCap,
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

impl ErrorPage {
    fn headline(&self) -> &'static str {
        match self.trouble {
            Trouble::NotFound => "There is nothing here",
            Trouble::NotAllowed => "You can’t do this",
            Trouble::LookCap => "You have looked at too many holders",
            Trouble::SlowDown => "Please wait",
            Trouble::InviteEnded => "This invite has ended",
            Trouble::NotYet => "This invite isn’t open yet",
            Trouble::Invalid => "Something is missing",
            Trouble::Changed => "This changed while you were looking",
            Trouble::TooLate => "It is too late",
            Trouble::PastCap => "The hold can’t be made that long",
            Trouble::Unavailable => "The console can’t work right now",
            Trouble::Wrong => "Something went wrong on our side",
        }
    }

    fn text(&self) -> &'static str {
        match self.trouble {
            Trouble::NotFound => "It doesn’t exist, isn’t yours, or its time is over. A look lasts 15 minutes.",
            Trouble::NotAllowed => "It needs another role, or another person than you.",
            Trouble::LookCap => {
                "One person may look at 40 holders in a day, and reveal 5 accounts. This was written down. Ask a colleague."
            }
            Trouble::SlowDown => "You were quicker than a person works. Try again in a few minutes.",
            Trouble::InviteEnded => "It was used, or its time is over. Ask the admin who sent it for a new one.",
            Trouble::NotYet => "It was made on the host and waits 72 hours, so that every admin can see it.",
            Trouble::Invalid => "Give a reason in one line, and whatever else the form asks for.",
            Trouble::Changed => "Nothing was done. Look again, then decide.",
            Trouble::TooLate => "The backend has taken it. It can’t be stopped here any more.",
            Trouble::PastCap => "Nothing was changed. Choose fewer hours.",
            Trouble::Unavailable => "Nothing was done. Try again in a minute.",
            Trouble::Wrong => "We don’t know if your last click counted. Look before you click again.",
        }
    }
}
