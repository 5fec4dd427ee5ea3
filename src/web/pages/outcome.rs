//! Who did what to an approval, and how it ended, in the words of a page.
//!
//! Owns the sentence for every end and its reason, and keeps the ends apart: denied is never blurred with expired, and
//! «released» never claims that money arrived. Imports `clocktext`, `deal`, `given` and `live`; `ends` and `waiting`
//! print it.

use super::clocktext::Moment;
use super::deal::Row;
use super::given::Given;
use super::live::Stage;

/// Which device acted, seen from the page that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The device that shows the page.
    ThisDevice,
    /// Another enrolled device, by the name its holder gave it.
    Device(Given),
    /// Two staff members, instead of a device.
    Staff,
}

/// When an approval was given, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    pub at: Moment,
    pub by: Actor,
}

impl Approved {
    pub fn row(&self) -> Row {
        acted("Approved", &self.at, &self.by)
    }
}

/// A way by which a notice reached the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    Push,
    Email,
    Text,
    Ntfy,
}

/// Whether the holder was told that it was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// No notice was delivered yet; without one, nothing is released.
    NotYet,
    /// Delivered notices, and when the first of them was.
    By(Vec<Reached>, Moment),
}

impl Told {
    pub fn row(&self) -> Row {
        const LABEL: &str = "We told you";
        match self {
            Self::By(ways, at) if !ways.is_empty() => {
                Row::at(LABEL, at.clone()).then(&format!(", by {}", listed(ways)))
            }
            Self::NotYet | Self::By(..) => {
                Row::text(LABEL, "Our messages are on their way. It isn’t sent before one of them has reached you.")
            }
        }
    }
}

/// Who or what stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopper {
    Holder(Actor),
    /// The link in a notice.
    Link,
    /// The screen where the transfer was started.
    WaitingPage,
    /// The backend that asked for it.
    Backend,
    Staff,
    /// No notice was delivered in time (design, §2: «Nobody is surprised»).
    Unreachable,
    /// Transfers were locked: "this wasn't me".
    Frozen,
    /// The service itself, for instance after a restored database.
    Service,
}

/// Whether a released transfer can still be held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Cleared, not taken by its backend yet. Cancel still wins (design, §2: released isn't permission, redeem is).
    Cleared,
    /// Redeemed: the money is the backend's business now.
    Taken,
}

/// Why the time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nobody approved or rejected it.
    Unanswered,
    /// Released, but its backend didn't take it in time.
    NotTaken,
}

/// The end of an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Released { release: Release, at: Moment, approved: Approved },
    Rejected { at: Moment, by: Actor },
    Cancelled { at: Moment, by: Stopper, approved: Option<Approved> },
    Expired { asked: Moment, at: Moment, why: Lapse },
}

impl Outcome {
    pub fn stage(&self) -> Stage {
        match self {
            Self::Released { .. } => Stage::Released,
            Self::Rejected { .. } => Stage::Rejected,
            Self::Cancelled { .. } => Stage::Cancelled,
            Self::Expired { .. } => Stage::Expired,
        }
    }

    /// The heading on an enrolled device: two sentences, which a narrow screen keeps apart.
    pub fn headline(&self) -> [&'static str; 2] {
        match self {
            Self::Released { .. } => ["Released.", "The money is being sent"],
            Self::Rejected { by: Actor::ThisDevice, .. } => ["Not sent.", "You rejected it"],
            Self::Rejected { .. } => ["Not sent.", "You rejected it on another device"],
            Self::Cancelled { .. } => ["Stopped.", "Nothing was sent"],
            Self::Expired { .. } => ["Time ran out.", "Nothing was sent"],
        }
    }

    /// The heading in the browser that started the transfer.
    pub fn headline_where_started(&self) -> [&'static str; 2] {
        match self {
            Self::Rejected { .. } => ["Not sent.", "It was rejected on your phone"],
            Self::Released { .. } | Self::Cancelled { .. } | Self::Expired { .. } => self.headline(),
        }
    }

    /// Whether the brake still works: it does until the backend has taken the release.
    pub fn can_be_stopped(&self) -> bool {
        matches!(self, Self::Released { release: Release::Cleared, .. })
    }

    pub fn is_released(&self) -> bool {
        matches!(self, Self::Released { .. })
    }

    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Cancelled { by: Stopper::Unreachable, .. })
    }

    /// Who, when and why, newest first.
    pub fn rows(&self) -> Vec<Row> {
        match self {
            Self::Released { at, approved, .. } => {
                vec![Row::at("Released", at.clone()), approved.row()]
            }
            Self::Rejected { at, by } => vec![acted("Rejected", at, by)],
            Self::Cancelled { at, by, approved } => {
                std::iter::once(stopped(at, by)).chain(approved.as_ref().map(Approved::row)).collect()
            }
            Self::Expired { asked, at, why } => vec![
                Row::at("Expired", at.clone()).then(match why {
                    Lapse::Unanswered => ". Nobody approved or rejected it.",
                    Lapse::NotTaken => ". It was approved, but not sent in time.",
                }),
                Row::at("Asked", asked.clone()),
            ],
        }
    }
}

fn acted(label: &'static str, at: &Moment, by: &Actor) -> Row {
    match by {
        Actor::ThisDevice => Row::at(label, at.clone()).then(", on this phone"),
        Actor::Device(name) => Row::at(label, at.clone()).then(", on ").then_given(name),
        Actor::Staff => Row::at(label, at.clone()).then(", by two of our staff"),
    }
}

fn stopped(at: &Moment, by: &Stopper) -> Row {
    const LABEL: &str = "Cancelled";
    match by {
        Stopper::Holder(actor) => acted(LABEL, at, actor),
        _ => Row::at(LABEL, at.clone()).then(by.how()),
    }
}

impl Stopper {
    /// How it was stopped, after a clock time, without the name of a device: the browser that started it isn't told
    /// which devices there are.
    pub(super) fn how(&self) -> &'static str {
        match self {
            Self::Holder(_) => ", on your phone",
            Self::Link => ", from the link in our message to you",
            Self::WaitingPage => ", on the screen where it was started",
            Self::Backend => ", by the website or app where it was started",
            Self::Staff => ", by our staff",
            Self::Unreachable => ". None of our messages reached you",
            Self::Frozen => ", when transfers were locked",
            Self::Service => ", by us, to be safe",
        }
    }
}

/// «notice, email and text».
fn listed(ways: &[Reached]) -> String {
    let words: Vec<&str> = ways
        .iter()
        .map(|way| match way {
            Reached::Push => "notice",
            Reached::Email => "email",
            Reached::Text => "text",
            Reached::Ntfy => "ntfy",
        })
        .collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_listed_as_people_say_them() {
        assert_eq!(listed(&[Reached::Push]), "notice");
        assert_eq!(listed(&[Reached::Push, Reached::Email, Reached::Text]), "notice, email and text");
    }
}
