//! Whether a row under seal is what the log says it became.

use crate::domain::approval::{Approval, State, StateName, Version};
use crate::domain::backend::ApiKey;
use crate::domain::details::Digest;
use crate::domain::device::Device;
use crate::domain::freeze::{Freeze, FreezeState, Until};
use crate::domain::holder::Holder;
use crate::domain::log::Origin;
use crate::domain::override_request::OverrideRequest;
use crate::domain::staff::{Staff, Status};
use crate::domain::verification::evidence::Signer;
use crate::domain::verification::freezes::{Frozen, Until as LogUntil};
use crate::domain::verification::overrides::Case;
use crate::domain::verification::register::Person;
use crate::domain::verification::run::Verifier;
use crate::domain::verification::standing::{Before, Standing};
use crate::ports::audit::SealedRow;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFlaw {
    #[error("its seal is wrong: somebody wrote it who doesn't have the key")]
    Forged,
    #[error("it doesn't read")]
    Corrupt,
    #[error("the log knows nothing of it")]
    NotInLog,
    #[error("it is {row} with version {row_version}, and by the log it is {log} with version {log_version}", row = .row.as_str(), log = .log.as_str())]
    State { row: StateName, row_version: Version, log: StateName, log_version: Version },
    #[error("it has version {row}, and by the log it has version {log} or stands otherwise")]
    Standing { row: Version, log: Version },
    #[error("it has other details than it was opened with")]
    Digest,
    #[error("its decision isn't the one that the log has")]
    Decision,
    #[error("its hold ends before what was signed")]
    Hold,
    #[error("the log has it, and it is gone")]
    Missing,
    #[error("it has another device key than it was enrolled with")]
    Key,
    #[error("by the log it was locked, removed, revoked or ended, and here it wasn't")]
    Alive,
    #[error("by the log its holder has enrolled a first device, and here they may again")]
    NotEnrolled,
    #[error("its holder was added with {log} channels, and here are {row}")]
    Channels { row: u64, log: u64 },
    #[error("the cosignature in the name of {0} isn't by its key, or isn't over this checkpoint")]
    Cosignature(Origin),
    #[error("nobody with the key wrote it; it was found waiting for a place in the log, and set aside")]
    Refused,
}

/// Compares a row with the log.
///
/// # Errors
/// The first [`RowFlaw`].
pub fn fits(row: &SealedRow, verifier: &Verifier) -> Result<(), RowFlaw> {
    match row {
        SealedRow::Approval(approval) => {
            let standing = verifier.standings().and_then(|standings| standings.get(approval.id));
            approval_fits(approval, known(standing, verifier.before(approval.holder))?)
        }
        SealedRow::Device(device) => device_fits(device, verifier),
        SealedRow::Freeze(freeze) => {
            let before = verifier.before(freeze.holder);
            let frozen = verifier.freezes().and_then(|freezes| freezes.get(freeze.id));
            freeze_fits(freeze, known(frozen, before)?.filter(|_| before == Before::Known))
        }
        SealedRow::Override(case) => {
            let standing = verifier.cases().and_then(|cases| cases.get(case.id()));
            case_fits(case, known(standing, verifier.before(case.request.holder))?)
        }
        SealedRow::Key(key) => key_fits(key, verifier),
        SealedRow::Holder(holder) => holder_fits(holder, verifier),
        SealedRow::Channel(_) | SealedRow::Erasure => Ok(()),
    }
}

const fn known<T>(standing: Option<&T>, before: Before) -> Result<Option<&T>, RowFlaw> {
    match (standing, before) {
        (None, Before::Known) => Err(RowFlaw::NotInLog),
        (standing, _) => Ok(standing),
    }
}

fn approval_fits(approval: &Approval, standing: Option<&Standing>) -> Result<(), RowFlaw> {
    let Some(standing) = standing else { return Ok(()) };
    let row = approval.state.name();
    if (row, approval.version) != (standing.state, standing.version) {
        return Err(RowFlaw::State {
            row,
            row_version: approval.version,
            log: standing.state,
            log_version: standing.version,
        });
    }
    if approval.digest() != standing.digest {
        return Err(RowFlaw::Digest);
    }
    let decision = approval.state.decision();
    let decided = decision.map(|decision| decision.challenge);
    let by_staff = decision.and_then(|decision| decision.override_request());
    if decided.is_some() && (decided != standing.challenge || by_staff != standing.by_staff) {
        return Err(RowFlaw::Decision);
    }
    let ends_early = match approval.state {
        State::Cooling { cooling_until, .. } => cooling_until < standing.until,
        _ => false,
    };
    if ends_early { Err(RowFlaw::Hold) } else { Ok(()) }
}

fn device_fits(device: &Device, verifier: &Verifier) -> Result<(), RowFlaw> {
    match verifier.enrolled(Signer::Device(device.body.id)) {
        Some(keys) if keys.device == Some(Digest::of(device.body.key.bytes())) => {}
        Some(_) => return Err(RowFlaw::Key),
        None if verifier.before(device.body.holder) == Before::Unknown => {}
        None => return Err(RowFlaw::NotInLog),
    }
    let Some(known) = verifier.devices().and_then(|devices| devices.get(device.body.id)) else { return Ok(()) };
    let revived = (known.locked.is_some() && device.locked_at.is_none())
        || (known.removed.is_some() && device.removed_at.is_none());
    if revived { Err(RowFlaw::Alive) } else { Ok(()) }
}

fn key_fits(key: &ApiKey, verifier: &Verifier) -> Result<(), RowFlaw> {
    let is_revoked = verifier.register().is_some_and(|register| register.is_revoked(key.id));
    if is_revoked && key.revoked_at.is_none() { Err(RowFlaw::Alive) } else { Ok(()) }
}

fn holder_fits(holder: &Holder, verifier: &Verifier) -> Result<(), RowFlaw> {
    let has_enrolled = verifier.devices().is_some_and(|devices| devices.has_enrolled(holder.id));
    if has_enrolled && holder.enrolled_at.is_none() { Err(RowFlaw::NotEnrolled) } else { Ok(()) }
}

/// Compares somebody of staff with the log.
///
/// # Errors
/// [`RowFlaw::Alive`], [`RowFlaw::Standing`].
pub fn person_fits(person: &Staff, known: Person) -> Result<(), RowFlaw> {
    if known.has_ended && !matches!(person.status, Status::Ended { .. }) {
        return Err(RowFlaw::Alive);
    }
    if person.version < known.version {
        return Err(RowFlaw::Standing { row: person.version, log: known.version });
    }
    Ok(())
}

fn freeze_fits(freeze: &Freeze, frozen: Option<&Frozen>) -> Result<(), RowFlaw> {
    let Some(frozen) = frozen else { return Ok(()) };
    let alike = match (&freeze.state, frozen.until) {
        (_, LogUntil::Ended) => freeze.has_ended(),
        (FreezeState::Holds { until: Until::Override }, LogUntil::Override) => true,
        (FreezeState::Holds { until: Until::Time { at, lift } }, LogUntil::Time { since, lift_asked }) => {
            if *at < since + crate::domain::freeze::LINK_FREEZE {
                return Err(RowFlaw::Hold);
            }
            lift.as_ref().map(|lift| lift.asked_at) == lift_asked
        }
        _ => false,
    };
    if alike && (freeze.version, freeze.holder) == (frozen.version, frozen.holder) {
        return Ok(());
    }
    Err(RowFlaw::Standing { row: freeze.version, log: frozen.version })
}

fn case_fits(case: &OverrideRequest, standing: Option<&Case>) -> Result<(), RowFlaw> {
    let Some(standing) = standing else { return Ok(()) };
    let (state, version, request) = standing.stands();
    if case.request.digest().ok() != Some(request) {
        return Err(RowFlaw::Digest);
    }
    if (case.state.name(), case.version) == (state, version) {
        return Ok(());
    }
    Err(RowFlaw::Standing { row: case.version, log: version })
}
