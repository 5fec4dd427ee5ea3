//! Whether a row under seal is what the log says it became.

use crate::domain::approval::{Approval, State, StateName, Version};
use crate::domain::details::Digest;
use crate::domain::device::Device;
use crate::domain::freeze::{Freeze, FreezeState, Until};
use crate::domain::override_request::OverrideRequest;
use crate::domain::verification::evidence::Signer;
use crate::domain::verification::freezes::{Frozen, Until as LogUntil};
use crate::domain::verification::overrides::Case;
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
}

/// Compares a row with the log.
///
/// # Errors
/// The first [`RowFlaw`].
pub fn fits(row: &SealedRow, verifier: &Verifier) -> Result<(), RowFlaw> {
    let before = verifier.before();
    match row {
        SealedRow::Approval(approval) => {
            let standing = verifier.standings().and_then(|standings| standings.get(approval.id));
            approval_fits(approval, known(standing, before)?)
        }
        SealedRow::Device(device) => device_fits(device, verifier),
        SealedRow::Freeze(freeze) => {
            let frozen = verifier.freezes().and_then(|freezes| freezes.get(freeze.id));
            freeze_fits(freeze, known(frozen, before)?.filter(|_| before == Before::Known))
        }
        SealedRow::Override(case) => {
            let standing = verifier.cases().and_then(|cases| cases.get(case.id()));
            case_fits(case, known(standing, before)?)
        }
        SealedRow::Other => Ok(()),
    }
}

/// What moves with each step, for rows that move.
pub fn version(row: &SealedRow) -> Option<Version> {
    match row {
        SealedRow::Approval(approval) => Some(approval.version),
        SealedRow::Freeze(freeze) => Some(freeze.version),
        SealedRow::Override(case) => Some(case.version),
        SealedRow::Device(_) | SealedRow::Other => None,
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
        Some(keys) if keys.device == Some(Digest::of(device.body.key.bytes())) => Ok(()),
        Some(_) => Err(RowFlaw::Key),
        None if verifier.before() == Before::Unknown => Ok(()),
        None => Err(RowFlaw::NotInLog),
    }
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
