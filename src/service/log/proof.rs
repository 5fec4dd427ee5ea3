//! The proof that goes into a receipt: that the decision is in the log, checked before it is handed out.

use super::RolledBack;
use super::witnessed::witnessed;
use crate::domain::approval::{Approval, Decider};
use crate::domain::audit::commits_to;
use crate::domain::device::Blob;
use crate::domain::log::{TileAt, TlogProof, tree};
use crate::domain::receipt::{Decided, ReceiptProof};
use crate::ports::log::LoggedDecision;
use crate::service::{Context, Error};

/// The decision's entry has no place in the log, although the release had to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision isn't in the signed log")]
struct NotLogged;

/// The entry's text isn't what the log has a commitment to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision's entry was changed after it was written")]
struct Changed;

/// The proof of the decision on an approval, in the newest checkpoint that as many witnesses signed as are asked for.
///
/// # Errors
/// [`Error::Unwitnessed`] while too few have; [`Error::RolledBack`], [`Error::Store`]; [`Error::Internal`] when the log
/// doesn't prove this very decision, which nothing of ours causes.
pub async fn proof_of(cx: &Context, approval: &Approval) -> Result<ReceiptProof, Error> {
    // Before the record is read: a mark that is read later may be ahead of what was read of a sound record.
    let mark = cx.log.mark.seen();
    let logged = cx.log.store.logged_decision(approval.id).await?.ok_or_else(|| Error::internal(NotLogged))?;
    let LoggedDecision { leaf, newest } = logged;
    mark.allows(newest.as_ref().map(|signed| signed.head))?;
    let index = leaf.index.ok_or_else(|| Error::internal(NotLogged))?;
    let decision = approval.state.decision().ok_or_else(|| Error::internal(NotLogged))?;
    if !commits_to(&leaf.entry.leaf_hash, &leaf.entry.salt, &leaf.entry.canonical) {
        return Err(Error::internal(Changed));
    }
    let newest = newest.filter(|newest| index < newest.head.size).ok_or_else(|| Error::internal(NotLogged))?;
    let shown = witnessed(cx, index, newest).await?;
    let size = shown.signed.head.size;
    let tiles = cx.log.store.tiles(&TileAt::all_of(&tree::inclusion_nodes(index, size))).await?;
    let path = tree::inclusion(index, size, &tiles).map_err(RolledBack::Tiles)?;
    let proof = ReceiptProof {
        entry: leaf.entry.canonical,
        salt: Blob(leaf.entry.salt.to_vec()),
        tlog: TlogProof { extra: None, index, path, checkpoint: shown.note }.to_string(),
    };
    let keys = cx.log.signer.keys();
    let signed = match decision.by {
        Decider::Device { .. } => Decided::ByDevice { challenge: decision.challenge },
        Decider::Staff { .. } => Decided::ByStaff { request: decision.challenge },
    };
    proof.verify(approval.id, &approval.digest(), signed, keys, shown.signed.signed_at).map_err(Error::internal)?;
    Ok(proof)
}
