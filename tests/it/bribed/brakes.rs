//! What stops and slows wins: a freeze takes what staff began along with it, a signer who leaves takes what was released
//! along, and a record that was rolled back loosens nothing. The clock moves, so these run on SQLite.

use std::path::Path;
use std::sync::Arc;

use countersign::adapters::high_water::MemoryMark;
use countersign::domain::approval::Actor;
use countersign::domain::backend::{IdempotencyKey, Scope, Scopes};
use countersign::domain::details::Digest;
use countersign::domain::freeze::FreezeReason;
use countersign::domain::override_request::{State, StateName};
use countersign::domain::staff::Role;
use countersign::domain::{ApprovalId, OverrideId};
use countersign::ports::{Effect, MarkFile};
use countersign::service::{Browser, Error, backends, freeze, links, log, recover, redeem, release};
use countersign::workers::{ClockGate, overrides};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

use super::cast::{Cast, opened, veteran};
use crate::console::stage::{self, DAY, HOUR, MINUTE, Stage};
use crate::support::log::log_renamed;

async fn turn(stage: &Stage) {
    overrides::turn(&stage.cx, &ClockGate::open()).await.unwrap();
}

async fn sign_both(cast: &mut Cast, id: OverrideId) {
    let (one, other, _) = cast.drawn(id).await;
    cast.sign(one, id).await.expect(200);
    cast.sign(other, id).await.expect(200);
}

async fn drain(stage: &Stage) {
    while log::turn(&stage.cx).await.unwrap() > 0 {}
}

fn lock_link(cast: &Cast) -> String {
    let lock = links::lock_page(&cast.stage.cx, cast.holder).unwrap();
    lock.path_segments().unwrap().next_back().unwrap().to_owned()
}

fn phone() -> Browser {
    Browser { cookie: Some(Digest::of(b"cookie-of-u-1")), mark: None }
}

/// In its hold, signed by both, with every channel told.
async fn cooling(cast: &mut Cast, kind: &str, disputed: &str) -> OverrideId {
    let id = opened(&cast.ask_for(kind, "", disputed).await);
    sign_both(cast, id).await;
    cast.stage.clock.advance(MINUTE);
    cast.deliver().await;
    turn(&cast.stage).await;
    let State::Cooling { told: Some(_), .. } = cast.case(id).await.state else { panic!("its hold began") };
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_locks_stops_the_reset_that_would_remove_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let id = cooling(&mut cast, "reset_devices", "").await;
    freeze::by_device(&cast.stage.cx, &phone()).await.unwrap();
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    assert_eq!(cast.stage.entries("override.stopped").await.len(), 1);
    // What is asked for after that is how the freeze ends, also while the worker still settles it.
    let unfreeze = opened(&cast.ask_for("unfreeze", "", "").await);
    turn(&cast.stage).await;
    assert_eq!(cast.case(unfreeze).await.state.name(), StateName::Requested);
    cast.stage.clock.advance(2 * DAY);
    turn(&cast.stage).await;
    let devices = cast.stage.cx.store.devices(cast.holder).await.unwrap();
    assert!(devices.iter().all(|device| device.is_live()), "it still locks and stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_locks_again_stops_the_unfreeze() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    freeze::by_device(&cast.stage.cx, &phone()).await.unwrap();
    let id = cooling(&mut cast, "unfreeze", "").await;
    // Nothing about the freeze itself has to be stored for this.
    freeze::by_lock_link(&cast.stage.cx, &lock_link(&cast)).await.unwrap();
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    let second = cooling(&mut cast, "unfreeze", "").await;
    let look = cast.look().await;
    assert_eq!(cast.agent.form(&format!("{look}/lock"), &[("reason", "says it wasn't them")]).await.status, 303);
    assert_eq!(cast.case(second).await.state.name(), StateName::Stopped);
    cast.stage.clock.advance(2 * DAY);
    turn(&cast.stage).await;
    assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_some());
}

/// The node that was told died right after it wrote that down: the worker finds what was asked for in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_before_it_was_said_again_is_stopped_by_whoever_settles_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    freeze::by_lock_link(&cast.stage.cx, &lock_link(&cast)).await.unwrap();
    cast.stage.clock.advance(2 * MINUTE);
    turn(&cast.stage).await;
    let id = cooling(&mut cast, "reset_devices", "").await;
    cast.stage.clock.advance(2 * MINUTE);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Cooling, "it was asked for after the freeze");

    let frozen = cast.stage.cx.store.freeze(cast.holder).await.unwrap().unwrap();
    let again = frozen.again(FreezeReason::Link, Actor::Link, cast.stage.cx.now()).unwrap();
    cast.stage.apply(Effect::Freeze { step: Box::new(again), proof: None }).await;
    let later = opened(&cast.ask_for("unfreeze", "", "").await);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    assert_eq!(cast.case(later).await.state.name(), StateName::Requested, "what is asked for since is how it ends");
}

/// The link may have come out of the very mailbox that is in wrong hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_does_not_stop_what_disputes_a_channel_and_a_device_does() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let disputed = cast.channel(30 * DAY).await;
    let id = cooling(&mut cast, "reset_devices", &disputed.to_string()).await;
    freeze::by_lock_link(&cast.stage.cx, &lock_link(&cast)).await.unwrap();
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Cooling);
    freeze::by_device(&cast.stage.cx, &phone()).await.unwrap();
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
}

/// A transfer that staff approved, released.
async fn released(cast: &mut Cast) -> ApprovalId {
    let (approval, id) = cast.asked().await;
    sign_both(cast, id).await;
    cast.deliver().await;
    cast.stage.clock.advance(DAY + MINUTE);
    drain(&cast.stage).await;
    release::fall_due(&cast.stage.cx, &[approval]).await.unwrap();
    assert_eq!(cast.state(approval).await.0, "released");
    approval
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_who_is_ended_after_the_release_takes_it_with_them() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let approval = released(&mut cast).await;
    let decision = cast.stage.cx.store.approval(approval).await.unwrap().unwrap();
    let case = decision.state.decision().and_then(|decision| decision.override_request()).unwrap();
    let (one, ..) = cast.drawn(case).await;
    let far = cast.stage.in_a_year();
    let admin = veteran(&cast.stage, ("Ada Lind", "office", "in-house"), &[Role::Admin], 30 * DAY, far).await;
    assert_eq!(admin.form(&format!("/staff/{}/end", cast.signers[one].id()), &[]).await.status, 303);
    let cx = &cast.stage.cx;
    let new = backends::add_key(cx, cast.stage.backend, Scopes::of(&[Scope::Redeem])).await.unwrap();
    let caller = backends::authenticate(cx, new.secret.reveal()).await.unwrap();
    let key = IdempotencyKey::parse("redeem-0123456789ab").unwrap();
    for _ in 0..2 {
        let taken = redeem::redeem(cx, &caller, approval, decision.digest(), key.clone()).await;
        assert!(matches!(taken, Err(Error::Refused(_))), "{taken:?}");
    }
    assert_eq!(cast.state(approval).await, ("cancelled", Some("signature_void")));
    assert_eq!(cast.stage.entries("redeem.refused").await.len(), 2);
}

/// Somebody who can write to the database and doesn't have the key.
async fn past_the_store(stage: &Stage, sql: &str) {
    let file: &Path = stage.file.as_ref().unwrap();
    let mut file = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
}

/// As a backup that was taken now looks once it is put back: what the log signed since isn't in it. Gives the mark.
async fn rolled_back(stage: &Stage) -> MemoryMark {
    drain(stage).await;
    let place = stage.cx.log.store.newest().await.unwrap().unwrap().place;
    stage.holder("later").await;
    drain(stage).await;
    let mark = MemoryMark::default();
    mark.write(&stage.cx.log.store.newest().await.unwrap().unwrap().note).await.unwrap();
    for table in ["audit", "log_checkpoints"] {
        past_the_store(stage, &format!("DELETE FROM {table} WHERE place > {place}")).await;
    }
    assert!(matches!(log::ensure_whole(&stage.cx).await, Err(Error::RolledBack(_))));
    mark
}

/// As the operator does it: the log goes on under a new name.
async fn recovered(cast: &mut Cast, mark: MemoryMark) -> recover::Recovered {
    cast.stage.cx.log = log_renamed(cast.stage.cx.log.store.clone(), Arc::new(mark)).await;
    recover::recover(&cast.stage.cx).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_rolled_back_carries_nothing_out_and_recovery_stops_it() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let reset = cooling(&mut cast, "reset_devices", "").await;
    freeze::by_lock_link(&cast.stage.cx, &lock_link(&cast)).await.unwrap();
    // Stopped by the freeze; another one, asked for since, is what a restored record would carry out.
    assert_eq!(cast.case(reset).await.state.name(), StateName::Stopped);
    let id = cooling(&mut cast, "reset_devices", "").await;
    let mark = rolled_back(&cast.stage).await;
    cast.stage.clock.advance(2 * DAY);
    turn(&cast.stage).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Cooling, "nothing is carried out");
    assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_some(), "and no freeze ends");
    let done = recovered(&mut cast, mark).await;
    assert_eq!(done.stopped, 1);
    let stopped = cast.case(id).await.state;
    assert!(matches!(stopped, State::Stopped { by: Actor::Operator, .. }), "{stopped:?}");
    turn(&cast.stage).await;
    assert!(cast.stage.cx.store.freeze(cast.holder).await.unwrap().is_none(), "the record is whole: the day is over");
    let devices = cast.stage.cx.store.devices(cast.holder).await.unwrap();
    assert!(devices.iter().all(|device| device.is_live()));
}

/// More rows than are read at once, all of them early and none of them ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_requests_keep_no_sound_one_from_being_stopped_by_a_recovery() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let id = cooling(&mut cast, "reset_devices", "").await;
    let mark = rolled_back(&cast.stage).await;
    let columns = "kind, state, version, requester_id, created_at";
    let forge = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501) \
         INSERT INTO overrides (id, holder_id, target_id, {columns}, due_at, body, seal) \
         SELECT randomblob(16), holder_id, randomblob(16), {columns}, 1, body, seal FROM overrides, n \
         WHERE due_at IS NOT NULL"
    );
    past_the_store(&cast.stage, &forge).await;
    assert_eq!(recovered(&mut cast, mark).await.stopped, 1);
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    assert!(cast.stage.entries("row.forged").await.len() >= 501, "each of them is raised");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_on_a_record_that_was_rolled_back() {
    let (stage, _alive) = stage::on_sqlite().await;
    let mut cast = Cast::new(stage).await;
    let (approval, id) = cast.asked().await;
    let (one, other, _) = cast.drawn(id).await;
    cast.sign(one, id).await.expect(200);
    let mark = rolled_back(&cast.stage).await;
    let signed = cast.sign(other, id).await;
    assert_eq!((signed.status, signed.slug().as_str()), (503, "log-rolled-back"), "{}", signed.text);
    assert_eq!(cast.case(id).await.state.name(), StateName::Requested);
    assert_eq!(cast.state(approval).await, ("pending", None));
    recovered(&mut cast, mark).await;
    assert_eq!(cast.case(id).await.state.name(), StateName::Stopped);
    cast.stage.clock.advance(5 * HOUR);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoilt_row_does_not_disarm_the_brake() {
    let (stage, _alive) = stage::on_sqlite().await;
    let cast = Cast::new(stage).await;
    let waits: ApprovalId = cast.stage.transfer("u-1").await.parse().unwrap();
    past_the_store(&cast.stage, "UPDATE channels SET masked = 'x' WHERE id = (SELECT min(id) FROM channels)").await;
    // Copies under other ids, more than are read at once.
    for number in 0..130 {
        let columns = "backend_id, holder_id, subject, reason, version, created_at, expires_at, cooling_until, \
                       approved_at, redeem_until, due_at, decided_by, body, details, seal, slot";
        past_the_store(
            &cast.stage,
            &format!(
                "INSERT INTO approvals (id, transfer_id, state, {columns}) SELECT x'ff{number:030x}', 'copy-{number}', 'cooling', \
                 {columns} FROM approvals WHERE transfer_id NOT LIKE 'copy-%' LIMIT 1"
            ),
        )
        .await;
    }
    freeze::by_device(&cast.stage.cx, &phone()).await.unwrap();
    assert_eq!(cast.state(waits).await, ("cancelled", Some("holder_frozen")));
    assert!(!cast.stage.entries("row.forged").await.is_empty(), "and it is raised");
    let told = cast.deliver().await;
    assert!(told.iter().any(|(_, purpose)| purpose.as_str() == "frozen"), "{told:?}");
    turn(&cast.stage).await;
}
