//! The release of what two of staff approved: their signatures are looked at in its own commit.

use countersign::domain::approval::transitions::{Due, Guard, Transition};
use countersign::domain::approval::{Approval, Logged};
use countersign::domain::freeze::FreezeReason;
use countersign::domain::override_request::OverrideRequest;
use countersign::ports::Effect;

use super::Desk;
use crate::conformance::world::{HOUR, Why, why};

impl Desk {
    /// What a worker would store at the end of the hold.
    fn releases(&self, approval: &Approval) -> Transition {
        let told = self.world().told(29 * HOUR);
        match approval.clone().fall_due(Some(told), Logged::Yes, self.office.now()) {
            Due::Now(transition) => *transition,
            other => panic!("{other:?}"),
        }
    }
}

fn release(transition: Transition, case: &OverrideRequest) -> Effect {
    Effect::MoveSigned { transition: Box::new(transition), case: Box::new(case.clone()), receipt: None }
}

fn redeem(transition: Transition, case: &OverrideRequest) -> Effect {
    let receipt = Some("header.claims.signature".to_owned());
    Effect::MoveSigned { transition: Box::new(transition), case: Box::new(case.clone()), receipt }
}

pub async fn what_two_signed_is_released_while_both_stand(desk: Desk) {
    let (approval, case) = desk.cooled().await;
    let about = approval.id;
    let change = desk.world().loaded(release(desk.releases(&approval), &case), about);
    let notices = desk.world().store.notices(about).await.unwrap().len();
    desk.world().store.commit(change).await.unwrap();
    assert_eq!(desk.state(&approval).await, "released");
    assert_eq!(desk.world().store.notices(about).await.unwrap().len(), notices + 1, "with all its consequences");
}

pub async fn a_signer_who_left_since_the_reading_releases_nothing(desk: Desk) {
    let (approval, case) = desk.cooled().await;
    let releases = desk.releases(&approval);
    desk.apply(desk.leaves(&desk.one)).await;
    desk.refuses(release(releases, &case), Why::Conflict).await;
    assert_eq!(desk.state(&approval).await, "cooling");
}

/// `released` isn't permission: what the backend takes needs both signatures once more.
pub async fn a_redeem_of_staff_needs_both_signers_and_keeps_its_receipt(desk: Desk) {
    for leaves in [false, true] {
        let (approval, case) = desk.cooled().await;
        let releases = desk.releases(&approval);
        let released = releases.approval.clone();
        desk.apply(release(releases, &case)).await;
        let (digest, key) = (released.digest(), desk.world().idempotency_key());
        let redeems = released.redeem(digest, desk.world().key.id, key, desk.office.now()).unwrap();
        if leaves {
            desk.apply(desk.leaves(&desk.one)).await;
            desk.refuses(redeem(redeems, &case), Why::Conflict).await;
            assert_eq!(desk.state(&approval).await, "released");
        } else {
            desk.apply(redeem(redeems, &case)).await;
            let stored = desk.world().store.case(approval.id).await.unwrap().unwrap();
            assert_eq!(stored.receipt.as_deref(), Some("header.claims.signature"));
            assert_eq!(desk.state(&approval).await, "redeemed");
        }
    }
}

pub async fn a_release_of_staff_keeps_every_other_condition(desk: Desk) {
    let (approval, case) = desk.cooled().await;
    let releases = desk.releases(&approval);
    let stale = Transition { from: releases.from + 1, ..releases.clone() };
    desk.refuses(release(stale, &case), Why::Conflict).await;
    let later = Guard { not_before: Some(desk.office.now() + HOUR), before: None };
    desk.refuses(release(Transition { guard: later, ..releases.clone() }, &case), Why::Conflict).await;
    desk.frozen(FreezeReason::Device, desk.office.now()).await;
    desk.refuses(release(releases, &case), Why::Frozen).await;
    assert_eq!(desk.state(&approval).await, "cooling");
}

/// Whichever is first: never a release after an ending that was answered.
pub async fn of_an_ending_and_a_release_at_once_one_comes_first(desk: Desk) {
    let (approval, case) = desk.cooled().await;
    let releases = desk.world().change(release(desk.releases(&approval), &case));
    let ending = desk.world().change(desk.leaves(&desk.other));
    let (end, released) = (ending.entry.id, releases.entry.id);
    let store = &desk.world().store;
    let (ended, answer) = tokio::join!(store.commit(ending), store.commit(releases));
    ended.unwrap();
    let entries = store.audit_page(None, 10_000).await.unwrap();
    let place = |id| entries.iter().position(|(_, entry)| entry.id == id);
    match answer {
        Ok(()) => assert!(place(released) < place(end), "it was released after a signer had ended"),
        Err(error) => {
            assert_eq!(why(error), Why::Conflict);
            assert_eq!((place(released), desk.state(&approval).await), (None, "cooling"));
        }
    }
}
