//! The backend takes a released transfer, once, naming the digest it is about to execute, and gets the receipt. The end
//! of the way.

use super::override_request::carry_out::{Under, under};
use super::request::{Repeat, caller_has};
use super::{Context, Error, commit, log};
use crate::domain::approval::transitions::Refusal;
use crate::domain::approval::{Actor, Approval, CancelReason, State};
use crate::domain::backend::{Caller, IdempotencyKey, Scope};
use crate::domain::details::Digest;
use crate::domain::ids::ApprovalId;
use crate::domain::receipt::Receipt;

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
        // Released isn't permission: a signer who left or was moved since takes the signature along.
        if matches!(case.approval.state, State::Released { .. })
            && matches!(under(cx, &case.approval).await?, Under::Void)
        {
            let transition = case.approval.cancel(CancelReason::SignatureVoid, Actor::Service, now)?;
            let with = commit::With { endpoints: &case.endpoints, ..commit::With::default() };
            match commit::transition(cx, transition, Actor::Service, with, now).await {
                Ok(cancelled) => {
                    let why = CancelReason::SignatureVoid.as_str();
                    commit::refused(cx, "redeem.refused", by, &[&id], why, now).await;
                    return Err(Refusal::State(cancelled.state.name()).into());
                }
                Err(error) if error.is_conflict() => continue,
                Err(error) => return Err(error.into()),
            }
        }
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
        let with =
            commit::With { endpoints: &case.endpoints, receipt: Some(receipt.clone()), ..commit::With::default() };
        match commit::transition(cx, transition, by, with, now).await {
            Ok(approval) => return Ok(Redeemed { approval, receipt, repeat: Repeat::New }),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Conflict)
}
