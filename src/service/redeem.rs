//! The backend takes a released transfer, once, naming the digest it is about to execute, and gets the receipt. The end
//! of the way.

use super::override_request::carry_out::{Under, is_decider_removed, under};
use super::request::{Repeat, caller_has};
use super::{Context, Error, commit, log};
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Actor, Approval, CancelReason, Decision, State};
use crate::domain::audit::Facts;
use crate::domain::backend::{Caller, IdempotencyKey, Scope};
use crate::domain::details::Digest;
use crate::domain::ids::ApprovalId;
use crate::domain::receipt::Receipt;
use crate::ports::store::CommitError;

/// A redeemed approval with its receipt.
#[derive(Debug, Clone)]
pub struct Redeemed {
    pub approval: Approval,
    /// JWS, compact.
    pub receipt: String,
    pub repeat: Repeat,
}

/// Redeems, or repeats the answer to the same key and digest.
///
/// # Errors
/// [`Refusal::OtherDigest`], [`Refusal::OtherKey`], [`Refusal::TimeOver`] and [`Refusal::State`] as
/// [`Error::Refused`]; [`Error::RolledBack`] when the log isn't the one that was signed.
pub async fn redeem(
    cx: &Context,
    caller: &Caller,
    id: ApprovalId,
    digest: Digest,
    key: IdempotencyKey,
) -> Result<Redeemed, Error> {
    caller_has(caller, Scope::Redeem)?;
    for _ in 0..commit::ATTEMPTS {
        let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
        if case.approval.backend != caller.backend {
            return Err(Error::NotFound);
        }
        if let State::Redeemed { idempotency_key, by, .. } = &case.approval.state {
            return match case.receipt {
                Some(receipt) if *by == caller.key && *idempotency_key == key && case.approval.digest() == digest => {
                    Ok(Redeemed { approval: case.approval, receipt, repeat: Repeat::Earlier })
                }
                Some(_) if case.approval.digest() == digest => Err(Refusal::OtherKey.into()),
                Some(_) => Err(Refusal::OtherDigest.into()),
                None => Err(Error::internal("a redeemed approval has no receipt")),
            };
        }
        let now = cx.now();
        let by = Actor::Backend(caller.key);
        let (holder, decider) = (case.approval.holder, case.approval.state.decision().and_then(Decision::device));
        // Released isn't permission: a signer who left or was moved since takes the signature along, and the commit asks
        // for them again.
        let signed = match &case.approval.state {
            State::Released { .. } => match under(cx, &case.approval).await? {
                Under::NoStaff => None,
                Under::Signatures(signed) => Some(signed),
                Under::Void => {
                    taken_along(cx, id, by, CancelReason::SignatureVoid).await?;
                    continue;
                }
            },
            _ => None,
        };
        let transition = match case.approval.redeem(digest, caller.key, key.clone(), now) {
            Ok(transition) => transition,
            Err(refusal) => {
                let why = super::decide::refusal_name(refusal);
                commit::refused(cx, "redeem.refused", by, &[&id], why, now).await;
                return Err(refusal.into());
            }
        };
        let proof = log::proof_of(cx, &transition.approval).await?;
        let claims = Receipt::of(&transition.approval, &cx.settings.issuer, proof)
            .ok_or_else(|| Error::internal("a redeem without a receipt"))?;
        let receipt = cx.signer.sign(&claims).map_err(Error::internal)?;
        let receipt_of = Some(receipt.clone());
        let with = commit::With { endpoints: &case.endpoints, receipt: receipt_of, signed, ..commit::With::default() };
        match commit::transition(cx, transition, by, with, now).await {
            Ok(approval) => return Ok(Redeemed { approval, receipt, repeat: Repeat::New }),
            // Somebody was faster, a signer left in between, or the device that approved was removed.
            Err(error) if error.is_conflict() => {
                if is_decider_removed(cx, holder, decider).await? {
                    taken_along(cx, id, by, CancelReason::DeviceRemoved).await?;
                }
            }
            // Whatever froze the holder cancels it, as where a device decided.
            Err(commit::CommitOrFault::Commit(CommitError::Frozen)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}

/// What the transfer was approved with is gone, so it ends. Nothing where it came to its end otherwise meanwhile.
///
/// # Errors
/// [`Error::Refused`] once it was cancelled, because the backend may not take it any more; [`Error::Conflict`] and
/// [`Error::Store`] when it can't be cancelled now.
async fn taken_along(cx: &Context, id: ApprovalId, by: Actor, why: CancelReason) -> Result<(), Error> {
    match commit::cancel_living(cx, id, why, Actor::Service, &Facts::new()).await? {
        Some(cancelled) => {
            commit::refused(cx, "redeem.refused", by, &[&id], why.as_str(), cx.now()).await;
            Err(Refusal::State(cancelled.state.name()).into())
        }
        None => Ok(()),
    }
}
