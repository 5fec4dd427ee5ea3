//! Who signs is drawn, not chosen: two at random among all pairs that the rules allow, so that nobody picks a friend.

use crate::domain::details::Digest;
use crate::domain::ids::StaffId;
use crate::domain::linking::length_prefixed;
use crate::domain::staff::Staff;
use crate::domain::staff::eligible;
use crate::domain::time::Timestamp;

use super::Refusal;

/// Randomness of one draw.
pub type Lot = [u8; 16];

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
