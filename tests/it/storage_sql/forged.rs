//! Somebody who can write to the database, but doesn't have the key, isn't believed.

use std::sync::Arc;

use countersign::adapters::storage::postgres::Committers;
use countersign::adapters::timing::SystemClock;
use countersign::domain::FreezeId;
use countersign::domain::approval::{Actor, Approval};
use countersign::domain::channel::{About, NoticeStatus, Turn};
use countersign::domain::device::Thumbprint;
use countersign::domain::freeze::{Freeze, FreezeReason};
use countersign::ports::store::{Filter, NoticeOutcome};
use countersign::ports::{CommitError, Effect, StoreError};
use uuid::Uuid;

use super::make;
use crate::conformance::world::{HOUR, MINUTE, World};
use crate::support::owner::Owner;

/// Runs a case on both databases.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {$(
            #[tokio::test]
            async fn $case() {
                let (store, directory) = super::make::sqlite_with(super::Arc::new(super::SystemClock)).await;
                let intruder = super::Owner::File(directory.path().join("record.db"));
                super::$case(super::World::build(store).await, intruder).await;
            }
        )+}
        mod on_postgres {$(
            #[tokio::test]
            async fn $case() {
                let server = super::make::server();
                let store = super::make::postgres_at(&server.url("postgres"), super::Committers::One).await;
                super::$case(super::World::build(store).await, super::Owner::Server(server)).await;
            }
        )+}
    };
}

on_both!(
    an_edited_approval_is_forged,
    an_approval_under_another_id_is_forged,
    edited_columns_of_an_approval_are_corrupt,
    one_forged_approval_does_not_hide_the_others,
    one_forged_row_of_a_holder_does_not_hide_the_others,
    one_forged_freeze_does_not_hide_the_others,
    a_swapped_device_key_is_forged,
    a_device_handed_to_another_holder_is_refused,
    a_widened_or_revived_key_is_forged,
    a_redirected_channel_is_forged_and_tells_nobody,
    a_holder_that_never_enrolled_again_is_forged,
    a_shortened_seal_is_no_seal,
    a_locked_device_that_is_unlocked_is_forged,
    a_link_that_lasts_longer_is_forged,
);

fn forged<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str) {
    assert!(matches!(&result, Err(StoreError::Forged { table: named, .. }) if *named == table), "{result:?}");
}

fn corrupt<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str) {
    assert!(matches!(&result, Err(StoreError::Corrupt { table: named, .. }) if *named == table), "{result:?}");
}

/// Every way to read an approval refuses it.
async fn unreadable(world: &World, approval: &Approval) {
    let store = &world.store;
    forged(store.approval(approval.id).await, "approvals");
    forged(store.case(approval.id).await, "approvals");
    forged(store.approvals(world.backend.id, &Filter::default(), 10).await, "approvals");
    forged(store.approvals_of_holder(world.holder.id, 10).await.unwrap().remove(0), "approvals");
    forged(store.due_cases(&[approval.id]).await.unwrap().remove(0), "approvals");
}

async fn an_edited_approval_is_forged(world: World, intruder: Owner) {
    for (column, from, to) in [
        ("details", "12500.00", "12500.01"),
        ("details", "PL61109010140000071219812874", "PL27114020040000300201355387"),
        ("body", r#""hold":900000000"#, r#""hold":1"#),
        ("body", r#""state":"pending""#, r#""state":"pending" "#),
    ] {
        let approval = world.opened().await;
        let edit = format!("UPDATE approvals SET {column} = replace({column}, '{from}', '{to}')");
        intruder.runs(&format!("{edit} WHERE id = {}", intruder.id(approval.id.uuid()))).await;
        unreadable(&world, &approval).await;
        intruder.runs(&format!("DELETE FROM approvals WHERE id = {}", intruder.id(approval.id.uuid()))).await;
    }
}

async fn an_approval_under_another_id_is_forged(world: World, intruder: Owner) {
    let released = world.opened_as(world.released()).await;
    let pending = world.opened().await;
    // A released approval's whole row under the id of one that nobody approved, with its seal.
    let (from, to) = (intruder.id(released.id.uuid()), intruder.id(pending.id.uuid()));
    intruder.runs(&format!("DELETE FROM approvals WHERE id = {to}")).await;
    intruder.runs(&format!("UPDATE approvals SET id = {to} WHERE id = {from}")).await;
    unreadable(&world, &pending).await;
}

async fn edited_columns_of_an_approval_are_corrupt(world: World, intruder: Owner) {
    for edit in ["version = 7", "state = 'released'", "due_at = NULL", "subject = 'u-1'", "transfer_id = 'other'"] {
        let approval = world.opened().await;
        let id = intruder.id(approval.id.uuid());
        intruder.runs(&format!("UPDATE approvals SET {edit} WHERE id = {id}")).await;
        corrupt(world.store.approval(approval.id).await, "approvals");
        intruder.runs(&format!("DELETE FROM approvals WHERE id = {id}")).await;
    }
}

async fn one_forged_approval_does_not_hide_the_others(world: World, intruder: Owner) {
    let (good, bad, other) = (world.opened().await, world.opened().await, world.opened().await);
    let id = intruder.id(bad.id.uuid());
    intruder.runs(&format!("UPDATE approvals SET body = replace(body, '900000000', '1') WHERE id = {id}")).await;
    let cases = world.store.due_cases(&[good.id, bad.id, other.id]).await.unwrap();
    let (read, refused): (Vec<_>, Vec<_>) = cases.into_iter().partition(Result::is_ok);
    let mut read: Vec<_> = read.into_iter().map(|case| case.unwrap().approval.id).collect();
    read.sort();
    assert_eq!(read, [good.id, other.id]);
    assert_eq!(refused.len(), 1);
    forged(refused.into_iter().next().unwrap(), "approvals");
}

async fn one_forged_row_of_a_holder_does_not_hide_the_others(world: World, intruder: Owner) {
    let (good, bad) = (world.opened().await, world.opened().await);
    let id = intruder.id(bad.id.uuid());
    intruder.runs(&format!("UPDATE approvals SET body = replace(body, '900000000', '1') WHERE id = {id}")).await;
    let (read, refused): (Vec<_>, Vec<_>) =
        world.store.approvals_of_holder(world.holder.id, 10).await.unwrap().into_iter().partition(Result::is_ok);
    assert_eq!(read.into_iter().map(|one| one.unwrap().id).collect::<Vec<_>>(), [good.id]);
    forged(refused.into_iter().next().unwrap(), "approvals");

    let second = world.added_channel(None, world.now - 72 * HOUR).await;
    let id = intruder.id(world.mailbox.id.uuid());
    intruder.runs(&format!("UPDATE channels SET masked = 'x' WHERE id = {id}")).await;
    forged(world.store.channels(world.holder.id).await, "channels");
    let (read, refused): (Vec<_>, Vec<_>) =
        world.store.channels_one_by_one(world.holder.id).await.unwrap().into_iter().partition(Result::is_ok);
    assert_eq!(read.into_iter().map(|one| one.unwrap().id).collect::<Vec<_>>(), [second.id]);
    forged(refused.into_iter().next().unwrap(), "channels");
}

async fn one_forged_freeze_does_not_hide_the_others(world: World, intruder: Owner) {
    let other = world.another_holder("u-78").await;
    for holder in [world.holder.id, other.id] {
        let id = world.id(FreezeId::new);
        let step = Box::new(Freeze::begin(id, holder, FreezeReason::Link, Actor::Link, world.now));
        world.apply(Effect::Freeze { step, proof: None }).await;
    }
    let id = intruder.id(other.id.uuid());
    intruder.runs(&format!("UPDATE freezes SET body = replace(body, 'link', 'linq') WHERE holder_id = {id}")).await;
    let later = world.now + 48 * HOUR;
    for rows in [world.store.freezes_due(later, 10).await, world.store.freezes_unsettled(10).await] {
        let (read, refused): (Vec<_>, Vec<_>) = rows.unwrap().into_iter().partition(Result::is_ok);
        assert_eq!(read.into_iter().map(|one| one.unwrap().holder).collect::<Vec<_>>(), [world.holder.id]);
        forged(refused.into_iter().next().unwrap(), "freezes");
    }
}

async fn a_swapped_device_key_is_forged(world: World, intruder: Owner) {
    let mine = &world.device.body;
    let theirs = world.another_device(world.holder.id).body;
    let swap = |body: &str, column: &str| format!("UPDATE devices SET body = '{body}', {column}");
    let mut edited = mine.clone();
    edited.key = theirs.key.clone();
    let body = serde_json::to_string(&edited).unwrap().replace('\'', "''");
    let thumbprint = format!("thumbprint = {}", intruder.bytes(&edited.key.thumbprint().0));
    intruder.runs(&swap(&body, &thumbprint)).await;
    forged(world.store.devices(world.holder.id).await, "devices");
    forged(world.store.device_by_cookie(&mine.cookie_hash).await, "devices");
    let keys: [Thumbprint; 1] = [edited.key.thumbprint()];
    forged(world.store.devices_by_key(&keys).await, "devices");
}

async fn a_device_handed_to_another_holder_is_refused(world: World, intruder: Owner) {
    let other = world.another_holder("u-78").await;
    intruder.runs(&format!("UPDATE devices SET holder_id = {}", intruder.id(other.id.uuid()))).await;
    corrupt(world.store.devices(other.id).await, "devices");
    let copy = intruder.id(Uuid::from_u128(7));
    intruder.runs(&format!("UPDATE devices SET id = {copy}")).await;
    forged(world.store.devices(other.id).await, "devices");
}

async fn a_widened_or_revived_key_is_forged(world: World, intruder: Owner) {
    let narrow = world.another_key(world.backend.id);
    world.apply(Effect::AddKey(narrow.clone())).await;
    let id = intruder.id(narrow.id.uuid());
    intruder.runs(&format!("UPDATE api_keys SET scopes = 63 WHERE id = {id}")).await;
    forged(world.store.key_by_hash(&narrow.hash).await, "api_keys");
    forged(world.store.key(narrow.id).await, "api_keys");

    world.apply(Effect::RevokeKey { key: world.key.id, at: world.now }).await;
    let id = intruder.id(world.key.id.uuid());
    intruder.runs(&format!("UPDATE api_keys SET revoked_at = NULL WHERE id = {id}")).await;
    forged(world.store.key_by_hash(&world.key.hash).await, "api_keys");
    let again = world.store.commit(world.change(Effect::RevokeKey { key: world.key.id, at: world.now })).await;
    assert!(matches!(again, Err(CommitError::Store(StoreError::Forged { .. }))), "{again:?}");
}

async fn a_redirected_channel_is_forged_and_tells_nobody(world: World, intruder: Owner) {
    let cooling = world.opened_as(world.cooled()).await;
    let second = world.added_channel(None, world.now - 72 * HOUR).await;
    let mut change = world.change(Effect::Noted);
    let about = About::Approval(cooling.id);
    change.notices = vec![
        world.notice(about, world.mailbox.id, Turn::Now, 0),
        world.notice(about, second.id, Turn::AfterFailure, 1),
    ];
    world.store.commit(change.clone()).await.unwrap();
    let id = intruder.id(world.mailbox.id.uuid());
    let elsewhere = intruder.bytes(b"the intruder's own mailbox");
    intruder.runs(&format!("UPDATE channels SET address = {elsewhere} WHERE id = {id}")).await;
    forged(world.store.channels(world.holder.id).await, "channels");

    // It is never handed to a worker; the next channel in the row is.
    assert!(world.store.claim_notices(10, MINUTE).await.unwrap().is_empty());
    let jobs = world.store.claim_notices(10, MINUTE).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [change.notices[1].id]);
    let statuses: Vec<_> =
        world.store.notices(cooling.id).await.unwrap().into_iter().map(|notice| notice.status).collect();
    assert_eq!(statuses, [NoticeStatus::Failed, NoticeStatus::Queued]);

    // Nor does a delivery on it count, whatever the row says.
    intruder
        .runs(&format!("UPDATE notices SET status = 'delivered', delivered_at = created_at WHERE channel_id = {id}"))
        .await;
    assert_eq!(world.store.due_cases(&[cooling.id]).await.unwrap().remove(0).unwrap().told, None);
    let delivered = NoticeOutcome::Delivered { at: world.now };
    assert!(world.store.settle_notice(jobs[0].id, jobs[0].fence, delivered).await.unwrap());
    let told = world.store.due_cases(&[cooling.id]).await.unwrap().remove(0).unwrap().told;
    assert_eq!(told.unwrap().channel, second.id);
}

async fn a_holder_that_never_enrolled_again_is_forged(world: World, intruder: Owner) {
    let (link, remember) = (world.link(world.holder.id), world.remember());
    world.apply(Effect::AddLink { link: link.clone(), remember }).await;
    intruder.runs("UPDATE holders SET enrolled_at = NULL").await;
    let device = Box::new(world.another_device(world.holder.id));
    let enrol = world.change(Effect::EnrolFirst { link: link.id, device, at: world.now });
    let refused = world.store.commit(enrol).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Forged { table: "holders", .. }))), "{refused:?}");
    forged(world.store.holder_by_id(world.holder.id).await, "holders");
    forged(world.store.holder(world.backend.id, &world.holder.subject).await, "holders");
    let opening = world.store.opening(world.backend.id, &world.holder.subject, &world.idempotency_key()).await;
    forged(opening, "holders");
}

async fn a_shortened_seal_is_no_seal(world: World, intruder: Owner) {
    let approval = world.opened().await;
    intruder.runs("UPDATE approvals SET seal = substr(seal, 1, 16)").await;
    unreadable(&world, &approval).await;
}

async fn a_locked_device_that_is_unlocked_is_forged(world: World, intruder: Owner) {
    let device = world.device.body.id;
    world.apply(Effect::CountFailure { device, failures: 0, lock_at: Some(world.now) }).await;
    assert!(world.store.devices(world.holder.id).await.unwrap()[0].locked_at.is_some());
    intruder.runs("UPDATE devices SET locked_at = NULL, failures = 0").await;
    forged(world.store.devices(world.holder.id).await, "devices");
    // Nor is one removed by anybody but us; counting a further failure isn't believed either.
    intruder.runs("UPDATE devices SET removed_at = (SELECT min(created_at) FROM holders)").await;
    forged(world.store.device_by_cookie(&world.device.body.cookie_hash).await, "devices");
    let again = world.change(Effect::CountFailure { device, failures: 0, lock_at: None });
    let refused = world.store.commit(again).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Forged { table: "devices", .. }))), "{refused:?}");
}

async fn a_link_that_lasts_longer_is_forged(world: World, intruder: Owner) {
    let (link, remember) = (world.link(world.holder.id), world.remember());
    world.apply(Effect::AddLink { link: link.clone(), remember }).await;
    assert_eq!(world.store.enrol_link(&link.token_hash).await.unwrap(), Some(link.clone()));
    let later = match &intruder {
        Owner::File(_) => "expires_at + 600000000",
        Owner::Server(_) => "expires_at + interval '10 minutes'",
    };
    intruder.runs(&format!("UPDATE enrol_links SET expires_at = {later}")).await;
    forged(world.store.enrol_link(&link.token_hash).await, "enrol_links");
}
