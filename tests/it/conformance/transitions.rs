//! Transitions: each is stored by compare-and-set on the version, and reads back whole.

use std::sync::Arc;

use countersign::domain::ApprovalId;
use countersign::domain::approval::transitions::{Deciding, Due, Guard, Transition};
use countersign::domain::approval::{Actor, Approval, Logged};
use countersign::domain::details::Digest;
use countersign::domain::device::Thumbprint;
use countersign::ports::change::DeviceProof;
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, Why, World, transition};

/// Stores the transition and checks that the approval reads back as it is now, in every way there is to read it.
async fn stored(world: &World, done: Transition) -> Approval {
    let approval = done.approval.clone();
    world.apply(transition(done)).await;
    reads_back(world, &approval).await;
    approval
}

async fn reads_back(world: &World, approval: &Approval) {
    let id = approval.id;
    assert_eq!(world.store.approval(id).await.unwrap().as_ref(), Some(approval));
    assert_eq!(&world.store.case(id).await.unwrap().unwrap().approval, approval);
    let far = world.now + 10_000 * HOUR;
    let due = world.store.due_before(far, None, 100).await.unwrap();
    let found = due.into_iter().find(|(other, _)| *other == id).map(|(_, at)| at);
    assert_eq!(found, approval.due_at(), "when it falls due");
    let cases = world.store.due_cases(&[id]).await.unwrap();
    assert_eq!(&cases[0].as_ref().unwrap().approval, approval);
    let listed = world.store.approvals_of_holder(approval.holder, 100).await.unwrap();
    assert!(listed.iter().flatten().any(|other| other == approval));
}

fn due(approval: &Approval, world: &World) -> Transition {
    match approval.clone().fall_due(Some(world.told(20 * MINUTE)), Logged::Yes, world.now) {
        Due::Now(done) => *done,
        other => panic!("{other:?}"),
    }
}

pub async fn a_whole_life_reads_back_at_every_step(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let now = world.now;
    let approval = world.opened().await;
    reads_back(&world, &approval).await;

    let other_devices = vec![world.id(countersign::domain::DeviceId::new)];
    let watched = approval.watch(Digest::of(b"mark"), other_devices, vec![Thumbprint([7; 32])], now - 35 * MINUTE);
    let watched = stored(&world, watched.unwrap()).await;
    let who = Deciding { device: &world.device, mark: None };
    // The approve lies in the past here, where its own guard may not let it be.
    let approved = watched.approve(&who, Digest::of(b"challenge"), now - 30 * MINUTE).unwrap();
    let cooling = stored(&world, Transition { guard: Guard::default(), ..approved }).await;
    let longer = stored(&world, cooling.extend(now - MINUTE, now - 20 * MINUTE).unwrap()).await;
    let released = stored(&world, due(&longer, &world)).await;

    let digest = released.digest();
    let done = released.redeem(digest, world.key.id, world.idempotency_key(), now).unwrap();
    let redeemed = done.approval.clone();
    let receipt = Some("header.claims.signature".to_owned());
    let effect = Effect::Transition { transition: Box::new(done), proof: None, receipt: receipt.clone() };
    world.apply(effect).await;
    reads_back(&world, &redeemed).await;
    assert_eq!(redeemed.version, 6);
    assert_eq!(world.store.case(redeemed.id).await.unwrap().unwrap().receipt, receipt);
}

pub async fn every_other_end_reads_back(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for end in world.ends() {
        let approval = world.opened().await;
        let ended = world.put(&approval, end).await;
        reads_back(&world, &ended).await;
        // Another transition of a final one is no business of the store; it still goes by the version alone.
        let old = transition(world.moved(&approval, world.cancelled(), Guard::default()));
        world.refuses(old, approval.id, Why::Conflict).await;
    }
}

pub async fn an_old_or_future_version_is_refused(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let first = world.opened().await;
    let second = world.put(&first, world.cooled()).await;
    for from in [0, 1, 3, 100] {
        let seen = Approval { version: from, ..second.clone() };
        let attempt = transition(world.moved(&seen, world.cancelled(), Guard::default()));
        world.refuses(attempt, first.id, Why::Conflict).await;
    }
    let third = transition(world.moved(&second, world.cancelled(), Guard::default()));
    world.apply(third.clone()).await;
    world.refuses(third, first.id, Why::Conflict).await;
}

pub async fn an_approval_that_is_not_there_is_refused(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let there = world.opened().await;
    let not_there = world.draft();
    let attempt = transition(world.moved(&not_there, world.cancelled(), Guard::default()));
    world.refuses(attempt, there.id, Why::Conflict).await;
    assert_eq!(world.store.approval(not_there.id).await.unwrap(), None);
}

pub async fn evidence_is_kept_with_its_approval(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (one, other) = (world.opened().await, world.opened().await);
    let proof = Some(DeviceProof { device: world.device.body.id, counter: 0 });
    let done = world.moved(&one, world.cooled(), Guard::default());
    let effect = Effect::Transition { transition: Box::new(done), proof, receipt: None };
    let change = world.loaded(effect, one.id);
    world.store.commit(change.clone()).await.unwrap();
    let kept = |id: ApprovalId| {
        let store = Arc::clone(&world.store);
        async move { store.evidence(id).await.unwrap() }
    };
    assert_eq!(kept(one.id).await, [change.evidence.unwrap()]);
    assert!(kept(other.id).await.is_empty());
}

pub async fn a_receipt_stays(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let released = world.opened_as(world.released()).await;
    let done = world.moved(&released, world.redeemed(), Guard::default());
    let redeemed = done.approval.clone();
    let receipt = Some("the receipt".to_owned());
    let effect = Effect::Transition { transition: Box::new(done), proof: None, receipt: receipt.clone() };
    world.apply(effect.clone()).await;
    world.refuses(effect, redeemed.id, Why::Conflict).await;
    let late = redeemed.clone().reject(Actor::Service, world.now);
    assert!(late.is_err(), "the domain lets nothing follow");
    assert_eq!(world.store.case(redeemed.id).await.unwrap().unwrap().receipt, receipt);
}
