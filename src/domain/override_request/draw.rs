//! Who signs is drawn, not chosen: two at random among all pairs that the rules allow, so that nobody picks a friend.

use crate::domain::details::Digest;
use crate::domain::ids::{HolderId, StaffId};
use crate::domain::linking::length_prefixed;
use crate::domain::staff::Staff;
use crate::domain::staff::eligible;
use crate::domain::time::Timestamp;

use std::time::Duration;

use super::{OverrideRequest, Refusal, Request, SIGN_WITHIN, State};

/// Randomness of one draw.
pub type Lot = [u8; 16];

/// So long a draw stands for every request of the same kind about the same holder, and so long after a refusal none may
/// be asked for: whoever could stop and ask again would draw until a friend comes up.
pub const DRAW_STANDS: Duration = Duration::from_secs(24 * 3600);
/// A request that is younger than this may have been refused within [`DRAW_STANDS`].
pub const LOOKS_BACK: Duration = Duration::from_secs(24 * 3600 + SIGN_WITHIN.as_secs());

/// Who was drawn for an earlier request, which goes for the next one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands {
    pub drawn: [StaffId; 2],
    pub earlier: Option<[StaffId; 2]>,
}

/// Those who aren't the holder themself.
pub fn strangers(people: &[Staff], holder: HolderId) -> Vec<Staff> {
    people.iter().filter(|person| !person.profile.is(holder)).cloned().collect()
}

fn of_the_same<'a>(others: &'a [OverrideRequest], request: &Request) -> impl Iterator<Item = &'a OverrideRequest> {
    let (id, holder, kind) = (request.id, request.holder, request.kind.name());
    others
        .iter()
        .filter(move |other| other.id() != id && other.request.holder == holder && other.request.kind.name() == kind)
}

fn recent(other: &OverrideRequest, now: Timestamp) -> bool {
    other.request.created_at + DRAW_STANDS > now
}

/// The draw that stands for a new request, whoever asked before and whatever became of it: one draw and one redraw in a
/// day for each holder and kind. By kind and not by transfer, because a transfer is easily created anew.
///
/// # Errors
/// [`Refusal::RefusedBefore`] when a signer refused within the last day.
pub fn standing(others: &[OverrideRequest], request: &Request, now: Timestamp) -> Result<Option<Stands>, Refusal> {
    let refused = |other: &OverrideRequest| matches!(other.state, State::Refused { at, .. } if at + DRAW_STANDS > now);
    if of_the_same(others, request).any(refused) {
        return Err(Refusal::RefusedBefore);
    }
    let stands = of_the_same(others, request).filter(|other| recent(other, now));
    // What was redrawn once is the last draw there is.
    let last = stands.max_by_key(|other| (other.earlier.is_some(), other.request.created_at, other.id()));
    Ok(last.map(|other| Stands { drawn: other.drawn, earlier: other.earlier }))
}

/// Whether the one redraw of the day was used up by another request of the same kind about the same holder.
pub fn redrawn_elsewhere(others: &[OverrideRequest], request: &Request, now: Timestamp) -> bool {
    of_the_same(others, request).any(|other| other.earlier.is_some() && recent(other, now))
}

/// Whether two people may sign together, whatever else they may.
///
/// # Errors
/// [`Refusal::SignedAlready`] for one person, [`Refusal::SameGroup`], [`Refusal::NobodyInHouse`].
pub fn fit(one: &Staff, other: &Staff) -> Result<(), Refusal> {
    if one.id == other.id {
        return Err(Refusal::SignedAlready);
    }
    if one.profile.group == other.profile.group {
        return Err(Refusal::SameGroup);
    }
    if !one.profile.employer.is_in_house() && !other.profile.employer.is_in_house() {
        return Err(Refusal::NobodyInHouse);
    }
    Ok(())
}

/// Draws two signers for what `requester` asks. Nobody in `without` is drawn; `keep` is, because they have signed.
///
/// # Errors
/// [`Refusal::NobodyToDraw`] when no pair fits.
pub fn draw(
    people: &[Staff],
    requester: StaffId,
    keep: Option<StaffId>,
    without: &[StaffId],
    lot: Lot,
    now: Timestamp,
) -> Result<[StaffId; 2], Refusal> {
    let may = |person: &&Staff| eligible::signer(person, requester, now).is_ok();
    let able: Vec<&Staff> = people.iter().filter(may).filter(|person| !without.contains(&person.id)).collect();
    let mut pairs = Vec::new();
    for (at, one) in able.iter().enumerate() {
        for other in &able[at + 1..] {
            let kept = keep.is_none_or(|keep| one.id == keep || other.id == keep);
            if kept && fit(one, other).is_ok() {
                pairs.push([one.id, other.id]);
            }
        }
    }
    // The order in which people are given must not matter.
    pairs.iter_mut().for_each(|pair| pair.sort_unstable());
    pairs.sort_unstable();
    let number = u128::try_from(pairs.len()).unwrap_or(u128::MAX);
    let chosen = u128::from_be_bytes(lot).checked_rem(number).ok_or(Refusal::NobodyToDraw)?;
    usize::try_from(chosen).ok().and_then(|at| pairs.get(at).copied()).ok_or(Refusal::NobodyToDraw)
}

/// The lot of a draw: random bytes bound to the request, so that one lot never serves two requests.
pub fn lot(random: [u8; 16], request: &Digest) -> Lot {
    let digest = Digest::of(&length_prefixed(&[b"countersign/override/draw/v1", &random, request.bytes()]));
    let mut lot = [0; 16];
    lot.copy_from_slice(&digest.bytes()[..16]);
    lot
}
