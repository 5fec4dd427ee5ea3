//! The only place that turns an error of a use case into something said outside.
//!
//! [`Problem::of`] is the mapping, for JSON and for pages alike: one kind and one fixed text for each error, so that
//! nothing of the inside gets out. Converting an error with `?` also writes its inside to the log, once, in the span
//! of the request and so with its id.

use std::error::Error as StdError;
use std::time::Duration;

use super::problem::{Extra, FieldError, Kind, Problem};
use crate::domain::approval::transitions::Refusal;
use crate::domain::details::BadDetails;
use crate::domain::link::LinkRefusal;
use crate::domain::override_request;
use crate::domain::staff::change::ChangeRefusal;
use crate::domain::staff::invite::InviteRefusal;
use crate::ports::outward::CeremonyError;
use crate::ports::store::StoreError;
use crate::service::Error;

/// When to come back after a fault that may pass: longer than a failover's first seconds would be rude to nobody.
const SOON: Duration = Duration::from_secs(2);

impl Problem {
    /// How an error of a use case looks from outside. Writes nothing to the log.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::NotFound => not_found(),
            Error::Scope(scope) => {
                let detail = format!("This needs a key with the scope `{}`.", scope.as_str());
                Self::new(Kind::ScopeMissing, detail).with(Extra::Scope(*scope))
            }
            Error::Unauthenticated => {
                Self::new(Kind::Unauthenticated, "Send `Authorization: Bearer cs_…` with a key that stands.")
            }
            Error::UnknownHolder => {
                Self::new(Kind::UnknownHolder, "`subject` names no holder of yours. Create it first.")
            }
            Error::NoDevice => {
                Self::new(Kind::NoDevice, "No enrolled device of the holder can approve. Ask for an enrolment.")
            }
            Error::NoChannel => Self::new(Kind::NoChannel, "The holder has no channel on which they could be told."),
            Error::HolderFrozen => Self::new(
                Kind::HolderFrozen,
                "The holder said that it wasn't them. Nothing of theirs can be opened, approved, enrolled or redeemed.",
            ),
            Error::HolderBusy => Self::new(
                Kind::HolderBusy,
                "An approval of the holder is pending, cooling off or released, or staff are asked about them. Cancel it \
                 or wait for its end.",
            ),
            Error::TooManyPending => {
                Self::new(Kind::TooManyPending, "Wait until the holder has answered, or cancel one that is pending.")
            }
            Error::DuplicateTransfer => {
                Self::new(Kind::DuplicateTransfer, "`transfer_id` belongs to an approval that lives or was redeemed.")
            }
            Error::DuplicateSubject => {
                Self::new(Kind::DuplicateSubject, "There is a holder of this `subject`, or there was one.")
            }
            Error::IdempotencyMismatch => Self::new(
                Kind::IdempotencyMismatch,
                "This Idempotency-Key was used for another request. Use a new key for a new request.",
            ),
            Error::TooManyEndpoints => Self::new(Kind::TooManyEndpoints, "Remove an endpoint first."),
            Error::Refused(refusal) => Self::refused(*refusal),
            Error::Link(LinkRefusal::Ended | LinkRefusal::Expired) => link_ended(),
            Error::Link(LinkRefusal::CodeUsedUp) => {
                Self::new(Kind::CodeUsedUp, "The code was tried too often, so the link has ended.")
            }
            Error::AlreadyEnrolled => Self::new(
                Kind::AlreadyEnrolled,
                "A further device is added by the holder on an enrolled one; a backend can't do it.",
            ),
            Error::WrongCode => Self::new(Kind::CodeWrong, "The code isn't the one that was sent."),
            Error::UnknownDevice => Self::new(Kind::UnknownDevice, "This browser isn't an enrolled device."),
            Error::DeviceLocked => device_locked(),
            Error::PromptStale => Self::new(
                Kind::PromptStale,
                "Nothing was approved. The approval has changed since; ask for a new prompt.",
            ),
            Error::DeviceKey | Error::Ceremony(CeremonyError::Malformed(_) | CeremonyError::Refused { .. }) => {
                Self::new(Kind::CeremonyFailed, "The signatures couldn't be accepted. Nothing was changed.")
            }
            Error::Invalid { field, source } => {
                Self::invalid(vec![FieldError { field: (*field).to_owned(), message: rule(source.as_ref()) }])
            }
            Error::TooFast(wait) => rate_limited(*wait),
            Error::Freeze(refusal) => Self::new(Kind::Conflict, sentence(refusal)),
            Error::Override(refusal) => Self::of_override(*refusal),
            Error::DailyCap => Self::new(Kind::DailyCap, "The most for one day is reached."),
            Error::Conflict => Self::new(Kind::Conflict, "It changed at the same time. Read it again."),
            Error::Unknown(_) => Self::new(
                Kind::OutcomeUnknown,
                "Whether this was stored isn't known. Repeat it with the same Idempotency-Key, or read it again.",
            )
            .with(Extra::RetryAfter(SOON)),
            Error::SignedOut => Self::new(Kind::SignedOut, "Sign in on the console."),
            Error::NotInRole(role) => {
                Self::new(Kind::Forbidden, format!("This needs the role `{}`.", role.as_str())).with(Extra::Role(*role))
            }
            Error::OwnAccount => Self::new(Kind::Forbidden, "This holder is you. Somebody else has to do it."),
            Error::StaffChange(ChangeRefusal::Over | ChangeRefusal::Moved) => {
                Self::new(Kind::Conflict, "The change is over, or the record has changed since. Look again.")
            }
            Error::StaffChange(ChangeRefusal::SignedAlready) => {
                Self::new(Kind::Conflict, "You have signed this. Another admin has to.")
            }
            Error::StaffChange(ChangeRefusal::NotAdmin | ChangeRefusal::Oneself) => {
                Self::new(Kind::Forbidden, "You can't decide this.")
            }
            Error::Invite(InviteRefusal::NotYet { .. }) => Self::new(Kind::TooEarly, "The invite isn't open yet."),
            Error::Invite(InviteRefusal::Link(LinkRefusal::CodeUsedUp)) => {
                Self::new(Kind::CodeUsedUp, "The code was tried too often, so the invite has ended.")
            }
            Error::Invite(InviteRefusal::Link(_) | InviteRefusal::Founded) => link_ended(),
            Error::TooManyLooks => {
                Self::new(Kind::LookCap, "You have looked at as many holders as one person may in a day.")
            }
            // Nothing says that there could be one.
            Error::NoConsole => not_found(),
            Error::RolledBack(_) => Self::new(
                Kind::LogRolledBack,
                "Nothing is approved, released or redeemed until the operator has recovered the record.",
            ),
            Error::Unwitnessed(_) => Self::new(
                Kind::AwaitingWitnesses,
                "The receipt waits until the log's witnesses have signed the approval's entry. Nothing was changed. \
                 Repeat it with the same Idempotency-Key.",
            )
            .with(Extra::RetryAfter(SOON)),
            Error::Store(StoreError::Unavailable(_)) => {
                Self::new(Kind::Unavailable, "Nothing was changed. Try again.").with(Extra::RetryAfter(SOON))
            }
            Error::Store(StoreError::Corrupt { .. } | StoreError::Forged { .. })
            | Error::Ceremony(CeremonyError::Internal(_))
            | Error::Internal(_) => internal(),
        }
    }

    fn of_override(refusal: override_request::Refusal) -> Self {
        use override_request::Refusal as Why;
        let kind = match refusal {
            Why::State(_) | Why::SignedAlready | Why::RedrawnAlready | Why::NobodyToDraw => Kind::Conflict,
            Why::RefusedBefore => Kind::RefusedBefore,
            Why::TimeOver => Kind::Expired,
            Why::Ineligible(_) | Why::NotDrawn | Why::SameGroup | Why::NobodyInHouse | Why::MayNotAsk => {
                Kind::Forbidden
            }
            Why::TooFewWords | Why::UnknownChannel => Kind::InvalidRequest,
        };
        Self::new(kind, sentence(&refusal))
    }

    fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::State(state) => {
                let detail = format!("The approval is {}.", state.as_str());
                Self::new(Kind::Conflict, detail).with(Extra::State(state))
            }
            Refusal::Redeemed { at } => Self::new(Kind::AlreadyRedeemed, "It is too late: the transfer was redeemed.")
                .with(Extra::RedeemedAt(at)),
            Refusal::OtherKey => {
                Self::new(Kind::AlreadyRedeemed, "The transfer was redeemed under another Idempotency-Key.")
            }
            Refusal::TimeOver => Self::new(Kind::Expired, "The time for this is over."),
            Refusal::TooEarly => Self::new(Kind::TooEarly, "The time for this has not come."),
            // Whose it is would be told by any other answer.
            Refusal::OtherHolder => not_found(),
            Refusal::DeviceDead => device_locked(),
            Refusal::DeviceTooNew => Self::new(
                Kind::DeviceTooNew,
                "The device was enrolled, or was still on hold, when the approval was created.",
            ),
            Refusal::SameBrowser => {
                Self::new(Kind::NotDistinct, "This browser may be the one that started the transfer.")
            }
            Refusal::Unproved => {
                Self::new(Kind::NotDistinct, "Nobody opened the waiting page, and for this transfer that is needed.")
            }
            Refusal::AssuranceTooLow => Self::new(
                Kind::AssuranceTooLow,
                "For this transfer the passkey must be one that can't leave its device.",
            ),
            Refusal::AlreadyWatched => link_ended(),
            Refusal::OtherDigest => {
                Self::new(Kind::DigestMismatch, "The digest isn't that of the details on record. Don't execute.")
            }
            Refusal::PastCap => Self::new(Kind::PastCap, "The hold can't be extended past its cap."),
            Refusal::NotLonger => Self::new(Kind::NotLonger, "The new end isn't later than the present one."),
        }
    }
}

impl From<Error> for Problem {
    /// As [`Problem::of`]; writes to the log what isn't said outside.
    fn from(error: Error) -> Self {
        log(&error);
        Self::of(&error)
    }
}

/// Writes the inside of an error to the log, where it has one.
fn log(error: &Error) {
    match error {
        Error::Store(StoreError::Forged { .. }) => {
            tracing::error!(error = %chain(error), "somebody who doesn't have the key wrote to the database");
        }
        Error::Internal(_) | Error::Store(StoreError::Corrupt { .. }) | Error::Ceremony(CeremonyError::Internal(_)) => {
            tracing::error!(error = %chain(error), "a fault of our own")
        }
        Error::RolledBack(_) => tracing::error!(error = %chain(error), "the log is not the one that was signed"),
        Error::Unwitnessed(_) => tracing::warn!(error = %chain(error), "a receipt waits for the log's witnesses"),
        Error::Unknown(_) | Error::Store(StoreError::Unavailable(_)) => {
            tracing::warn!(error = %chain(error), "the store didn't do its part");
        }
        Error::Ceremony(CeremonyError::Malformed(_) | CeremonyError::Refused { .. }) => {
            tracing::info!(error = %chain(error), "a ceremony failed");
        }
        Error::NotFound
        | Error::Scope(_)
        | Error::Unauthenticated
        | Error::UnknownHolder
        | Error::NoDevice
        | Error::NoChannel
        | Error::HolderFrozen
        | Error::HolderBusy
        | Error::Freeze(_)
        | Error::Override(_)
        | Error::DailyCap
        | Error::TooManyPending
        | Error::DuplicateTransfer
        | Error::DuplicateSubject
        | Error::IdempotencyMismatch
        | Error::TooManyEndpoints
        | Error::Refused(_)
        | Error::Link(_)
        | Error::AlreadyEnrolled
        | Error::WrongCode
        | Error::UnknownDevice
        | Error::DeviceLocked
        | Error::PromptStale
        | Error::DeviceKey
        | Error::SignedOut
        | Error::NotInRole(_)
        | Error::OwnAccount
        | Error::StaffChange(_)
        | Error::Invite(_)
        | Error::TooManyLooks
        | Error::NoConsole
        | Error::Invalid { .. }
        | Error::TooFast(_)
        | Error::Conflict => tracing::debug!(error = %error, "refused"),
    }
}

/// A refusal's own words as a sentence. They are written for whoever is refused.
fn sentence(refusal: &dyn StdError) -> String {
    let text = refusal.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}

/// The error and everything it came from, in one line.
fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}

/// The rule that an input breaks. The sources of [`Error::Invalid`] are written for whoever sent the input.
fn rule(source: &(dyn StdError + Send + Sync + 'static)) -> String {
    match source.downcast_ref::<BadDetails>() {
        Some(BadDetails::Amount(rule)) => rule.to_string(),
        Some(BadDetails::Unit | BadDetails::Stored(_) | BadDetails::Canonical(_)) | None => source.to_string(),
    }
}

/// Nothing of that name is there, or not for this caller; which of the two isn't said.
pub fn not_found() -> Problem {
    Problem::new(Kind::NotFound, "Nothing of that name is there for you.")
}

/// Too many in too short a time.
pub fn rate_limited(wait: Duration) -> Problem {
    Problem::new(Kind::RateLimited, "Come back after the time in `Retry-After`.").with(Extra::RetryAfter(wait))
}

/// A fault of our own.
pub fn internal() -> Problem {
    Problem::new(Kind::Internal, "It is in our log under the request's id.")
}

fn link_ended() -> Problem {
    Problem::new(Kind::LinkEnded, "The link was used, or its time is over.")
}

fn device_locked() -> Problem {
    Problem::new(Kind::DeviceLocked, "The device can't approve any more. It can still stop transfers.")
}
