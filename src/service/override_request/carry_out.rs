//! A worker's turn: silence ends a request, a signer who left ends it, a first delivered notice starts its hold, and the
//! end of the hold carries it out, in one commit with what it does, guarded by the database's clock.

use super::{change, signers};
use crate::domain::approval::{Actor, Approval, CancelReason, Decision};
use crate::domain::audit::Facts;
use crate::domain::ids::{DeviceId, HolderId};
use crate::domain::override_request::transitions::{Carry, Due};
use crate::domain::override_request::{Kind, OverrideRequest, VoidReason};
use crate::ports::overrides::Also;
use crate::ports::store::CommitError;
use crate::service::{Context, Error, commit, log};

/// Rows that a worker looks at in one turn.
const BATCH: u32 = 100;
/// Approvals of one holder that are read at once, those that live first.
const LIVING: u32 = 1000;

/// Looks at what is due. Gives how many moved.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn turn(cx: &Context) -> Result<usize, Error> {
    let now = cx.store.now().await?;
    let mut moved = 0;
    for case in cx.store.overrides_due(now, BATCH).await? {
        // A forged or corrupt row is never carried out, and doesn't hold up its neighbours.
        match case {
            Ok(case) => moved += usize::from(one(cx, case).await?),
            Err(error) => tracing::error!(error = %error, "a stored override request was refused"),
        }
    }
    Ok(moved)
}

async fn one(cx: &Context, case: OverrideRequest) -> Result<bool, Error> {
    let people = signers(cx, &case).await?;
    let told = cx.store.override_told(case.id()).await?;
    let now = cx.now();
    let (id, holder) = (case.id(), case.request.holder);
    let Due::Now(mut step, carry) = case.clone().fall_due(&people, told, now) else { return Ok(false) };
    // What looks unstopped in a restored record may have been stopped since.
    if carry.is_some() && log::loosens_nothing(cx).await? {
        return Ok(false);
    }
    let also = match carry {
        None => Also::Nothing,
        Some(carry) => match what(cx, &carry).await? {
            Some(also) => also,
            None => {
                *step = case.void(VoidReason::TargetGone, now)?;
                Also::Nothing
            }
        },
    };
    let event = step.event;
    let resets = matches!(also, Also::ResetDevices(_));
    if resets {
        // So that backend and holder hear of it now, and once more for what such a device decided since. What a crash
        // leaves over is released and redeemed by nobody: those commits ask for the device, and then it ends.
        stop_decided(cx, holder).await?;
    }
    let change = change(cx, *step, also, Actor::Service, Facts::new(), now)?;
    match cx.store.commit(change).await {
        Ok(()) => {
            if resets {
                stop_decided(cx, holder).await?;
            }
            tracing::info!(override.id = %id, holder.id = %holder, event = event.as_str(), "an override went on");
            metrics::counter!("countersign_overrides_total", "event" => event.as_str()).increment(1);
            Ok(true)
        }
        // Somebody was faster, a signer left in between, or the database's clock is behind: the next turn finds out.
        Err(CommitError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Cancels what the holder's devices approved and nobody redeemed: they are removed because they are lost.
async fn stop_decided(cx: &Context, holder: HolderId) -> Result<(), Error> {
    let rows = cx.store.approvals_of_holder(holder, LIVING).await?;
    for approval in commit::believed(cx, rows).await {
        let lives = !approval.state.name().is_final();
        if lives && approval.state.decision().and_then(Decision::device).is_some() {
            commit::cancel_living(cx, approval.id, CancelReason::DeviceRemoved, Actor::Service, &Facts::new()).await?;
        }
    }
    Ok(())
}

/// Whether the device that approved a transfer is gone. The commit of a release and of a redeem asks for it; this tells
/// why one was refused, so that the transfer ends instead of being tried again for ever.
///
/// # Errors
/// [`Error::Store`] when the devices can't be read.
pub async fn is_decider_removed(cx: &Context, holder: HolderId, decider: Option<DeviceId>) -> Result<bool, Error> {
    let Some(id) = decider else { return Ok(false) };
    let devices = cx.store.devices(holder).await?;
    let decider = devices.iter().find(|device| device.body.id == id);
    Ok(decider.is_none_or(|device| device.removed_at.is_some()))
}

/// What carrying it out does; nothing when what was signed about is gone.
async fn what(cx: &Context, carry: &Carry) -> Result<Option<Also>, Error> {
    Ok(match carry.kind() {
        // Carried out with its second signature; the transfer cools off itself.
        Kind::ApproveForHolder { .. } => None,
        Kind::Unfreeze { .. } => {
            let freeze = cx.store.freeze(carry.holder()).await?;
            freeze.and_then(|freeze| freeze.unfreeze(carry, cx.now()).ok()).map(|step| Also::Freeze(Box::new(step)))
        }
        Kind::ResetDevices => Some(Also::ResetDevices(Box::new(carry.clone()))),
    })
}

/// What stands under the decision about a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Under {
    /// A device decided, or nobody yet: no signature of staff is asked for.
    NoStaff,
    /// Two signatures of staff that counted when they were looked at. The commit looks again.
    Signatures(Box<OverrideRequest>),
    /// Signatures of staff that don't count any more.
    Void,
}

/// Whether the two signatures under a transfer still count. Asked at the end of its hold: a signer who left, was moved
/// or lost the role takes the signature with them.
///
/// # Errors
/// [`Error::Store`] when the record can't be read.
pub async fn under(cx: &Context, approval: &Approval) -> Result<Under, Error> {
    let Some(id) = approval.state.decision().and_then(|decision| decision.override_request()) else {
        return Ok(Under::NoStaff);
    };
    let Some(case) = cx.store.override_request(id).await? else { return Ok(Under::Void) };
    let people = signers(cx, &case).await?;
    let both = case.state.signatures().len() == 2 && case.request.kind.approval() == Some(approval.id);
    let stand = both && case.signatures_stand(&people, cx.now());
    Ok(if stand { Under::Signatures(Box::new(case)) } else { Under::Void })
}
