//! An agent who looks at a holder asks two others to decide instead of them. The signers are drawn here, and nobody has
//! a say in it.

use super::{change, failed, of_the_day};
use crate::domain::approval::State as ApprovalState;
use crate::domain::approval::transitions::Refusal as NotPending;
use crate::domain::details::Salt;
use crate::domain::freeze::FreezeRefusal;
use crate::domain::ids::{ApprovalId, ChannelId, OverrideId, ViewId};
use crate::domain::override_request::{Kind, OverrideRequest, Refusal, Request, Words, draw};
use crate::ports::overrides::Also;
use crate::ports::store::CommitError;
use crate::service::staff::{SignedIn, look};
use crate::service::{Context, Error, commit, notify};

/// What an agent asks for.
#[derive(Debug, Clone)]
pub enum Wanted {
    ApproveForHolder(ApprovalId),
    Unfreeze,
    ResetDevices,
}

/// The whole question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The agent's own look at the holder.
    pub view: ViewId,
    pub wanted: Wanted,
    pub reason: Words,
    /// Channels that are said to be in wrong hands.
    pub disputed: Vec<ChannelId>,
}

/// Asks. A pending transfer's end moves, once.
///
/// # Errors
/// [`Error::Override`] by the rules, [`Error::DailyCap`], [`Error::Refused`] when the transfer doesn't wait,
/// [`Error::Freeze`] when nothing is frozen, [`Error::HolderFrozen`], [`Error::Conflict`] when it was asked already.
pub async fn ask(cx: &Context, by: &SignedIn, ask: Ask) -> Result<OverrideRequest, Error> {
    let view = look::own(cx, by, ask.view).await?;
    let now = cx.now();
    let holder = view.holder;
    let channels = cx.store.channels(holder).await?;
    if !ask.disputed.iter().all(|id| channels.iter().any(|channel| channel.id == *id)) {
        return Err(Refusal::UnknownChannel.into());
    }
    let frozen = cx.store.freeze(holder).await?;
    let (kind, also) = match ask.wanted {
        Wanted::ApproveForHolder(id) => {
            if frozen.is_some() {
                return Err(Error::HolderFrozen);
            }
            let case = cx.store.case(id).await?.ok_or(Error::NotFound)?;
            if case.approval.holder != holder {
                return Err(Error::NotFound);
            }
            if case.approval.state != ApprovalState::Pending {
                return Err(NotPending::State(case.approval.state.name()).into());
            }
            let kind = Kind::ApproveForHolder { approval: id, digest: case.approval.digest() };
            (kind, case.approval.prolong(now)?.map(|transition| (transition, case.endpoints)))
        }
        Wanted::Unfreeze => (Kind::Unfreeze { freeze: frozen.ok_or(FreezeRefusal::NotFrozen)?.id }, None),
        Wanted::ResetDevices => (Kind::ResetDevices, None),
    };
    let mut disputed = ask.disputed;
    disputed.sort_unstable();
    disputed.dedup();
    let request = Request {
        id: cx.id(OverrideId::new, now),
        holder,
        requester: by.person.id,
        kind,
        reason: ask.reason,
        disputed,
        created_at: now,
        nonce: Salt(cx.random()),
    };
    let id = request.id;
    // The day's draw stands, whoever asked for it and whatever became of it. The record asks again, behind its gate.
    let others = of_the_day(cx, holder).await?;
    let stands = match draw::standing(&others, &request, now) {
        Ok(stands) => stands,
        Err(refusal) => return Err(super::refused(cx, by, id, refusal, now).await),
    };
    let lot = draw::lot(cx.random(), &request.digest().map_err(Error::internal)?);
    let everybody = cx.staff.everybody().await?;
    let step = match OverrideRequest::ask(request, &by.person, &everybody, lot, now) {
        Ok(step) => step.with_draw(stands),
        Err(refusal) => return Err(super::refused(cx, by, id, refusal, now).await),
    };
    let case = step.case.clone();
    let [first, second] = case.drawn;
    let mut facts = by.facts([("drawn", format!("{first} {second}"))]);
    if stands.is_some() {
        // Who asks again and again is to be seen.
        facts.insert("severity", "high".to_owned());
    }
    if let Some((transition, _)) = &also {
        // Its end moved with this entry, and no other entry tells of that version.
        facts.insert("approval_version", transition.approval.version.to_string());
    }
    let (also, deliveries, moved) = match also {
        Some((transition, endpoints)) => {
            let deliveries = notify::webhooks(cx, &transition, &endpoints, now)?;
            let moved = transition.approval.clone();
            (Also::Approval(Box::new(transition)), deliveries, Some(moved))
        }
        None => (Also::Nothing, Vec::new(), None),
    };
    let mut change = change(cx, step, also, by.actor(), facts, now)?;
    change.deliveries = deliveries;
    match cx.store.commit(change).await {
        Ok(()) => {}
        Err(CommitError::Duplicate(_)) => return Err(Error::Conflict),
        Err(error) => return Err(failed(cx, by.actor(), id, error, now).await),
    }
    if let Some(moved) = moved {
        commit::after(cx, std::slice::from_ref(&moved)).await;
    }
    metrics::counter!("countersign_overrides_total", "event" => "asked").increment(1);
    Ok(case)
}
