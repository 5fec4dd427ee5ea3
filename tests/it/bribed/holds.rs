//! What happens after two have signed: the hold, its end, and the signers who aren't there any more by then. The clock
//! moves, so these run on SQLite, whose clock is the node's; the race of a freeze against redeems runs on both.

use std::sync::Arc;

use countersign::adapters::receipts::{Freshness, verify_offline};
use countersign::domain::ApprovalId;
use countersign::domain::approval::State;
use countersign::domain::backend::{Caller, IdempotencyKey, Scope, Scopes};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::override_request::StateName;
use countersign::domain::receipt::{Receipt, ReceiptStaff};
use countersign::domain::staff::Role;
use countersign::service::{Error, backends, freeze, invite, links, log, redeem, release};
use countersign::workers::{ClockGate, overrides};
use serde_json::json;
use tokio::sync::Notify;

use super::cast::{Cast, opened, released, veteran};
use crate::console::stage::{self, DAY, HOUR, MINUTE, Stage};
use crate::log::receipts::run_documented;
use crate::support::eventually::eventually;

async fn sign_both(cast: &mut Cast, id: countersign::domain::OverrideId) {
    let (one, other, _) = cast.drawn(id).await;
    cast.sign(one, id).await.expect(200);
    cast.sign(other, id).await.expect(200);
}

async fn turn(stage: &Stage) {
    overrides::turn(&stage.cx, &ClockGate::open()).await.unwrap();
}

async fn look_at(stage: &Stage, id: ApprovalId) {
    // A release waits for the checkpoint that holds its decision.
    while log::turn(&stage.cx).await.unwrap() > 0 {}
    release::fall_due(&stage.cx, &[id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_staff_approved_is_released_a_day_after_the_first_notice() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let (approval, id) = cast.asked().await;
    let before = cast.stage.cx.store.approval(approval).await.unwrap().unwrap();
    assert_eq!(before.expires_at, cast.case(id).await.expires_at, "asking moved its end to four hours");
    sign_both(&mut cast, id).await;
    cast.stage.clock.advance(5 * HOUR);
    cast.deliver().await;
    look_at(&cast.stage, approval).await;
    let told_at = cast.stage.cx.now();
    let State::Cooling { cooling_until, .. } = cast.stage.cx.store.approval(approval).await.unwrap().unwrap().state
    else {
        panic!("it cools off")
    };
    assert_eq!(cooling_until, told_at + DAY);
    cast.stage.clock.advance(DAY - MINUTE);
    look_at(&cast.stage, approval).await;
    assert_eq!(cast.state(approval).await.0, "cooling");
    cast.stage.clock.advance(MINUTE);
    look_at(&cast.stage, approval).await;
    assert_eq!(cast.state(approval).await.0, "released");
}

/// The larger of the two holds: an override that is sooner than the holder's own device would be a way to loosen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_asked_for_a_longer_hold_keeps_it_when_staff_approve() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let body = json!({
        "subject": "u-1", "transfer_id": "wd-held", "amount": "99000.00", "currency": "EUR",
        "payee": {"name": "Marta Nowak", "account": "PL61109010140000071219812874"},
        "source_account": {"id": "acc-4471", "label": "Everyday account, ending 4471"},
        "initiator": {"started_on": "website"}, "hold_seconds": 2 * DAY.as_secs(),
    });
    let approval: ApprovalId = cast.stage.api("/v1/approvals", &body).await["id"].as_str().unwrap().parse().unwrap();
    let id = opened(&cast.ask_for("approve_for_holder", &approval.to_string(), "").await);
    let (one, other, _) = cast.drawn(id).await;
    let page = cast.signers[one].get(&format!("/cases/{id}")).await;
    assert!(page.text.contains("cooling-off of 48 hours"), "{}", page.text);
    cast.sign(one, id).await.expect(200);
    cast.sign(other, id).await.expect(200);
    let signed = cast.stage.entries("override.signed_twice").await;
    assert_eq!(signed[0]["facts"]["hold_micros"], (2 * DAY).as_micros().to_string());
    cast.deliver().await;
    for hours in [24, 23] {
        cast.stage.clock.advance(hours * HOUR);
        look_at(&cast.stage, approval).await;
        assert_eq!(cast.state(approval).await.0, "cooling");
    }
    cast.stage.clock.advance(HOUR);
    look_at(&cast.stage, approval).await;
    assert_eq!(cast.state(approval).await.0, "released");
}

/// The receipt names the two and their request, and anybody can check it: with our tool's code, and with the program that
/// docs/audit.md prints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receipt_of_what_staff_approved_verifies_with_and_without_our_tool() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let (approval, id) = cast.asked().await;
    sign_both(&mut cast, id).await;
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
    look_at(&cast.stage, approval).await;
    cast.stage.clock.advance(DAY);
    look_at(&cast.stage, approval).await;
    let cx = &cast.stage.cx;
    let caller = backends::authenticate(cx, &cast.stage.key).await.unwrap();
    let digest = cx.store.approval(approval).await.unwrap().unwrap().digest();
    let key = IdempotencyKey::parse("redeem-0123456789").unwrap();
    let taken = redeem::redeem(cx, &caller, approval, digest, key).await.unwrap();
    let receipt = verify_offline(&cx.signer.key_set(), &taken.receipt, None, None, Freshness::WhenIssued).unwrap();
    let keys = cx.log.signer.keys();
    receipt.verify_proof(keys).unwrap();
    let key = &keys.keys[0].key;
    let good = run_documented(&receipt, key);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let staff = receipt.staff.clone().unwrap();
    assert_eq!(staff.override_request, id);
    let forge = |forge: fn(&mut ReceiptStaff)| {
        let mut forged = staff.clone();
        forge(&mut forged);
        Receipt { staff: Some(forged), ..receipt.clone() }
    };
    for (what, forged) in [
        ("another request", forge(|staff| staff.digest = Digest::of(b"another"))),
        ("another transfer", Receipt { digest: Digest::of(b"another"), ..receipt.clone() }),
        ("nobody", Receipt { staff: None, ..receipt.clone() }),
    ] {
        assert!(forged.verify_proof(keys).is_err(), "{what}");
        assert!(!run_documented(&forged, key).status.success(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_of_whose_hold_nobody_was_told_is_given_up() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let (approval, id) = cast.asked().await;
    sign_both(&mut cast, id).await;
    cast.stage.clock.advance(DAY);
    look_at(&cast.stage, approval).await;
    assert_eq!(cast.state(approval).await, ("cancelled", Some("unreachable")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_who_is_gone_at_the_end_of_the_hold_takes_the_transfer_with_them() {
    let (stage, _alive) = stage::on_sqlite().await;
    let soon = stage.cx.now() + 2 * HOUR;
    let mut cast = Cast::new(stage).await;
    let far = cast.stage.in_a_year();
    // Everybody leaves but one, so that the one whose contract ends is drawn.
    let admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
    for desk in cast.signers.drain(1..) {
        admin.form(&format!("/staff/{}/end", desk.id()), &[]).await;
    }
    let ending = veteran(&cast.stage, ("Kim Ray", "legal", "in-house"), &[Role::Signer], 30 * DAY, soon).await;
    cast.signers.push(ending);
    let (approval, id) = cast.asked().await;
    sign_both(&mut cast, id).await;
    cast.deliver().await;
    look_at(&cast.stage, approval).await;
    cast.stage.clock.advance(DAY + HOUR);
    look_at(&cast.stage, approval).await;
    assert_eq!(cast.state(approval).await, ("cancelled", Some("signature_void")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfreeze_ends_the_freeze_at_the_end_of_its_hold_and_not_before() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let lock = links::lock_page(&cast.stage.cx, cast.holder).unwrap();
    freeze::by_lock_link(&cast.stage.cx, lock.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    let look = cast.look().await;
    assert_eq!(cast.agent.form(&format!("{look}/lock"), &[("reason", "says it wasn't them")]).await.status, 303);
    let id = opened(&cast.ask_for("unfreeze", "", "").await);
    sign_both(&mut cast, id).await;
    cast.deliver().await;
    turn(&cast.stage).await;
    cast.stage.clock.advance(DAY - MINUTE);
    turn(&cast.stage).await;
    assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_some());
    cast.stage.clock.advance(2 * MINUTE);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::CarriedOut);
    assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_none());
    cast.stage.transfer("u-1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_removes_every_device_and_lets_one_enrol_again() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let id = opened(&cast.ask_for("reset_devices", "", "").await);
    sign_both(&mut cast, id).await;
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
    turn(&cast.stage).await;
    assert!(cast.stage.cx.store.devices(cast.holder).await.unwrap().iter().all(|device| device.is_live()));
    cast.stage.clock.advance(DAY + MINUTE);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::CarriedOut);
    assert!(cast.stage.cx.store.devices(cast.holder).await.unwrap().iter().all(|device| !device.is_live()));
    let holder = cast.stage.cx.store.holder_by_id(cast.holder).await.unwrap().unwrap();
    assert_eq!(holder.enrolled_at, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_takes_away_what_the_old_devices_could_do() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let device = cast.stage.cx.store.devices(cast.holder).await.unwrap()[0].body.id;
    cast.channel_on(Some(device), 30 * DAY).await;
    // The oldest mailbox is the one in wrong hands.
    let disputed = cast.channel(60 * DAY).await;
    let decided = released(&cast.stage, "u-1", cast.holder).await;
    let waiting: ApprovalId = cast.stage.transfer("u-1").await.parse().unwrap();
    let id = opened(&cast.ask_for("reset_devices", "", &disputed.to_string()).await);
    sign_both(&mut cast, id).await;
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
    turn(&cast.stage).await;
    assert_eq!(cast.state(decided).await.0, "released", "while it cools off nothing is taken away");
    cast.stage.clock.advance(3 * DAY + MINUTE);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::CarriedOut);
    assert_eq!(cast.state(decided).await, ("cancelled", Some("device_removed")));
    assert_eq!(cast.state(waiting).await.0, "pending", "nobody decided that, and nobody who is left can");
    let cx = &cast.stage.cx;
    let channels = cx.store.channels(cast.holder).await.unwrap();
    assert!(channels.iter().all(|channel| channel.device.is_none()), "{channels:?}");
    assert!(channels.iter().any(|channel| channel.id == disputed), "it is still told of things");

    let new = backends::add_key(cx, cast.stage.backend, Scopes::of(&[Scope::Enrol])).await.unwrap();
    let caller = backends::authenticate(cx, new.secret.reveal()).await.unwrap();
    let (subject, key) = (Subject::parse("u-1").unwrap(), IdempotencyKey::parse("invite-0123456789ab").unwrap());
    cast.deliver().await;
    invite::invite(cx, &caller, &subject, key, Digest::of(b"body"), |_| String::new()).await.unwrap();
    let codes = cast.deliver().await;
    assert_eq!(codes, [(cast.settled, countersign::domain::channel::Purpose::EnrolCode)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hours_of_silence_end_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let id = opened(&cast.ask_for("reset_devices", "", "").await);
    cast.stage.clock.advance(4 * HOUR + MINUTE);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Expired);
}

/// What became of the redeems of a round: how many were taken before the freeze was answered, and how many lost.
#[derive(Default)]
struct Tally {
    taken: usize,
    lost: usize,
}

/// Redeems of twenty transfers of one holder against a freeze, which begins when the first of them was answered. Half of
/// them begin together with it. Whatever was redeemed was so before the freeze was answered, and nothing after.
async fn redeems_against_a_freeze(stage: &Stage, caller: Caller, round: usize) -> Tally {
    let cx = &stage.cx;
    let subject = format!("racer-{round}");
    let (holder, _) = stage.holder(&subject).await;
    let lock = links::lock_page(cx, holder).unwrap();
    let token = lock.path_segments().unwrap().next_back().unwrap().to_owned();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(released(stage, &subject, holder).await);
    }
    // A redeem's receipt needs the checkpoint with its decision.
    eventually("a place for every decision", async || {
        while log::turn(cx).await.unwrap() > 0 {}
        for id in &ids {
            cx.log.store.logged_decision(*id).await.unwrap()?.leaf.index?;
        }
        Some(())
    })
    .await;
    let first = Arc::new(Notify::new());
    let mut redeems = tokio::task::JoinSet::new();
    let redeem = |number: usize, id: ApprovalId| {
        let (cx, first) = (cx.clone(), first.clone());
        async move {
            let digest = cx.store.approval(id).await.unwrap().unwrap().digest();
            let key = IdempotencyKey::parse(&format!("redeem-{round}-{number}-0123456789")).unwrap();
            let answered = redeem::redeem(&cx, &caller, id, digest, key).await;
            first.notify_one();
            (id, answered)
        }
    };
    let (early, late) = ids.split_at(10);
    for (number, id) in early.iter().enumerate() {
        redeems.spawn(redeem(number, *id));
    }
    first.notified().await;
    for (number, id) in late.iter().enumerate() {
        redeems.spawn(redeem(10 + number, *id));
    }
    freeze::by_lock_link(cx, &token).await.unwrap();
    // What the answer of the freeze says is settled: nothing is released any more, and nothing will be redeemed.
    let mut settled = Vec::new();
    for id in &ids {
        let state = cx.store.approval(*id).await.unwrap().unwrap().state.name().as_str();
        assert!(["redeemed", "cancelled"].contains(&state), "{state} after the freeze was answered");
        settled.push((*id, state));
    }
    let mut tally = Tally::default();
    while let Some(done) = redeems.join_next().await {
        let (id, answered) = done.unwrap();
        let state = settled.iter().find(|(known, _)| *known == id).unwrap().1;
        assert_eq!(answered.is_ok(), state == "redeemed", "a redeem came after the freeze was answered: {answered:?}");
        match answered {
            Ok(_) => tally.taken += 1,
            // It lost to the freeze or to the cancel; anything else would be a race that wasn't run.
            Err(Error::Refused(_) | Error::HolderFrozen | Error::Conflict) => tally.lost += 1,
            Err(other) => panic!("a redeem failed for another reason: {other:?}"),
        }
    }
    let parsed = Subject::parse(&subject).unwrap();
    let key = IdempotencyKey::parse("late-0123456789ab").unwrap();
    assert_eq!(cx.store.opening(stage.backend, &parsed, &key).await.unwrap().freezes, 1);
    let digest = cx.store.approval(ids[19]).await.unwrap().unwrap().digest();
    let late = redeem::redeem(cx, &caller, ids[19], digest, key).await;
    assert!(matches!(late, Err(Error::Refused(_))), "{late:?}");
    tally
}

/// Rounds of the race, until some redeems have won it and some have lost it.
async fn no_redeem_follows_an_answered_freeze(stage: Stage) {
    let new = backends::add_key(&stage.cx, stage.backend, Scopes::of(&[Scope::Redeem])).await.unwrap();
    let caller: Caller = backends::authenticate(&stage.cx, new.secret.reveal()).await.unwrap();
    let mut all = Tally::default();
    for round in 0..20 {
        let tally = redeems_against_a_freeze(&stage, caller, round).await;
        all = Tally { taken: all.taken + tally.taken, lost: all.lost + tally.lost };
        if round >= 2 && all.taken > 0 && all.lost > 0 {
            return;
        }
    }
    panic!("in twenty rounds {} redeems won and {} lost: nothing was raced", all.taken, all.lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redeem_follows_an_answered_freeze_on_sqlite() {
    let (stage, _alive) = stage::on_sqlite().await;
    no_redeem_follows_an_answered_freeze(stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redeem_follows_an_answered_freeze_on_postgres() {
    let (stage, _alive) = stage::on_postgres().await;
    no_redeem_follows_an_answered_freeze(stage).await;
}
