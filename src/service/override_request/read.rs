//! What the console's case pages show. A case is seen by whoever asked and by the two who were drawn; by nobody else.

use super::{case, people, signers};
use crate::domain::approval::Approval;
use crate::domain::channel::Channel;
use crate::domain::freeze::Freeze;
use crate::domain::ids::{ChannelId, HolderId, OverrideId};
use crate::domain::override_request::{Kind, OverrideRequest, Refusal, StateName};
use crate::domain::staff::Staff;
use crate::service::read::{readable, whole};
use crate::service::staff::SignedIn;
use crate::service::{Context, Error};

/// Cases that are read at once.
pub(super) const PAGE: u32 = 200;
/// As many are read of one holder where one that isn't found would loosen something.
pub(super) const EVERY: u32 = 10_000;

/// One case with everything to decide on.
#[derive(Debug, Clone)]
pub struct CasePage {
    pub case: OverrideRequest,
    /// The transfer, where it is about one.
    pub approval: Option<Approval>,
    pub freeze: Option<Freeze>,
    pub channels: Vec<Channel>,
    /// Who asked, who was drawn, who signed.
    pub people: Vec<Staff>,
    /// Whether who looks may sign, or the rule that says no.
    pub may: Result<(), Refusal>,
}

/// The cases that concern somebody: those that wait for them first, then by what ends first.
///
/// # Errors
/// [`Error::Store`].
pub async fn mine(cx: &Context, by: &SignedIn) -> Result<Vec<OverrideRequest>, Error> {
    let mut all = cx.store.overrides(PAGE).await?;
    all.retain(|case| concerns(case, by));
    all.sort_by_key(|case| {
        let waits = waits_for(case, by);
        (!waits, case.due_at().is_none(), case.due_at(), std::cmp::Reverse(case.id()))
    });
    Ok(all)
}

/// Whether a case waits for this person's signature.
pub fn waits_for(case: &OverrideRequest, by: &SignedIn) -> bool {
    let open = matches!(case.state, crate::domain::override_request::State::Requested { .. });
    let signed = case.state.signatures().iter().any(|signature| signature.staff == by.person.id);
    open && !signed && case.drawn.contains(&by.person.id)
}

/// One case.
///
/// # Errors
/// [`Error::NotFound`] also for somebody whom it doesn't concern.
pub async fn one(cx: &Context, by: &SignedIn, id: OverrideId) -> Result<CasePage, Error> {
    let case = case(cx, id).await?;
    if !concerns(&case, by) {
        return Err(Error::NotFound);
    }
    let approval = match case.request.kind.approval() {
        Some(approval) => cx.store.approval(approval).await?,
        None => None,
    };
    let freeze = cx.store.freeze(case.request.holder).await?;
    let channels = cx.store.channels(case.request.holder).await?;
    let mut ids = vec![case.request.requester];
    ids.extend(case.drawn);
    ids.extend(case.earlier.into_iter().flatten());
    ids.extend(case.state.signatures().iter().map(|signature| signature.staff));
    ids.sort_unstable();
    ids.dedup();
    let people = people(cx, &ids).await?;
    let may = case.may_sign(&by.person, &signers(cx, &case).await?, cx.now());
    Ok(CasePage { case, approval, freeze, channels, people, may })
}

fn concerns(case: &OverrideRequest, by: &SignedIn) -> bool {
    let id = by.person.id;
    let signed = case.state.signatures().iter().any(|signature| signature.staff == id);
    case.request.requester == id || case.drawn.contains(&id) || signed
}

/// Override requests of a holder that live, for their device's page.
///
/// # Errors
/// [`Error::Store`].
pub async fn of_holder(cx: &Context, holder: HolderId) -> Result<Vec<OverrideRequest>, Error> {
    let all = readable(cx.store.overrides_of_holder(holder, PAGE).await?);
    Ok(all.filter(|case| case.due_at().is_some()).collect())
}

/// Channels that were said to be in wrong hands when the holder's devices were last reset. No enrolment code goes there.
///
/// # Errors
/// [`Error::Store`], also when a row isn't believed: it could be the one that says so.
pub async fn disputed_at_reset(cx: &Context, holder: HolderId) -> Result<Vec<ChannelId>, Error> {
    let all = whole(cx.store.overrides_of_holder(holder, EVERY).await?)?;
    let carried_out =
        |case: &&OverrideRequest| case.request.kind == Kind::ResetDevices && case.state.name() == StateName::CarriedOut;
    let newest = all.iter().filter(carried_out).max_by_key(|case| case.id());
    Ok(newest.map(|case| case.request.disputed.clone()).unwrap_or_default())
}
