//! Opening an approval: what it needs, what it takes with it, and what is remembered of it.

use std::sync::Arc;

use countersign::domain::approval::StateName;
use countersign::domain::channel::{About, NoticeStatus, Turn};
use countersign::domain::details::Subject;
use countersign::domain::holder::PENDING_AT_ONCE;
use countersign::ports::store::Unique;
use countersign::ports::{Effect, Store};

use super::world::{HOUR, MINUTE, Why, World, transition};

pub async fn an_opened_approval_reads_back_whole(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let draft = world.draft();
    let remember = world.remember();
    let open = Effect::Open { approval: Box::new(draft.clone()), remember: remember.clone() };
    world.apply(open).await;
    assert_eq!(world.store.approval(draft.id).await.unwrap(), Some(draft.clone()));
    let case = world.store.case(draft.id).await.unwrap().unwrap();
    assert_eq!(case.approval, draft);
    assert_eq!((case.endpoints, case.receipt), (vec![world.endpoint], None));
    assert_eq!(world.store.remembered(world.backend.id, &remember.key).await.unwrap(), Some(remember));
    let due = world.store.due_before(draft.expires_at + MINUTE, None, 10).await.unwrap();
    assert_eq!(due, [(draft.id, draft.expires_at)]);
}

pub async fn the_consequences_of_a_change_are_stored_with_it(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let draft = world.draft();
    let mut change = world.loaded(world.open(&draft), draft.id);
    let second = world.added_channel(None, world.now).await;
    change.notices.push(world.notice(About::Approval(draft.id), second.id, Turn::AfterFailure, 1));
    world.store.commit(change.clone()).await.unwrap();

    let entries = world.store.audit_page(None, 1_000).await.unwrap();
    assert_eq!(entries.last().map(|(_, entry)| entry), Some(&change.entry));
    let mut notices = world.store.notices(draft.id).await.unwrap();
    notices.sort_by_key(|notice| notice.id);
    let found: Vec<_> = notices.iter().map(|notice| (notice.id, notice.channel, notice.status)).collect();
    let expected = [
        (change.notices[0].id, world.mailbox.id, NoticeStatus::Queued),
        (change.notices[1].id, second.id, NoticeStatus::Waiting),
    ];
    assert_eq!(found, expected);
    let first = &notices[0];
    assert_eq!((first.kind, first.masked.as_str()), (world.mailbox.kind, world.mailbox.masked.as_str()));
    assert_eq!((first.attempts, first.delivered_at), (0, None));
    assert_eq!(first.purpose, change.notices[0].purpose);
    let log = world.store.deliveries(world.endpoint, None, 10).await.unwrap();
    assert_eq!(log.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [change.deliveries[0].id]);
}

pub async fn an_idempotency_key_serves_once_whatever_for(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let remember = world.remember();
    let first = world.draft();
    world.apply(Effect::Open { approval: Box::new(first.clone()), remember: remember.clone() }).await;

    // The likeliest repeat is the same request: its transfer is taken too, and the key must be what is named.
    let again = world.drafted(&world.holder, first.details.transfer().transfer_id.as_str());
    let taken = || Why::Duplicate(Unique::IdempotencyKey);
    let repeat = Effect::Open { approval: Box::new(again), remember: remember.clone() };
    world.refuses(repeat, first.id, taken()).await;
    let other = Effect::Open { approval: Box::new(world.draft()), remember: remember.clone() };
    world.refuses(other, first.id, taken()).await;
    let mut holder = world.holder.clone();
    holder.id = world.id(countersign::domain::HolderId::new);
    let same_subject = Effect::AddHolder { holder, channels: Vec::new(), remember: remember.clone() };
    world.refuses(same_subject, first.id, taken()).await;
    let link = Effect::AddLink { link: world.link(world.holder.id), remember: remember.clone() };
    world.refuses(link, first.id, taken()).await;
    assert_eq!(world.store.remembered(world.backend.id, &remember.key).await.unwrap(), Some(remember.clone()));

    // Another backend has its own keys.
    let quay = world.another_backend().await;
    let holder = countersign::domain::holder::Holder {
        id: world.id(countersign::domain::HolderId::new),
        backend: quay.id,
        ..world.holder.clone()
    };
    let remember = world.remember_as(quay.id, remember.key);
    world.apply(Effect::AddHolder { holder, channels: Vec::new(), remember }).await;
}

pub async fn a_transfer_id_is_taken_while_its_approval_lives_or_was_redeemed(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let other_holder = world.another_holder("u-78").await;
    let mut approval = world.opened().await;
    let id = approval.details.transfer().transfer_id.as_str().to_owned();
    for state in [None, Some(world.cooled()), Some(world.released()), Some(world.redeemed())] {
        if let Some(state) = state {
            approval = world.put(&approval, state).await;
        }
        let again = world.open(&world.drafted(&other_holder, &id));
        world.refuses(again, approval.id, Why::Duplicate(Unique::TransferId)).await;
    }
    let quay = world.another_backend().await;
    let theirs = countersign::domain::holder::Holder {
        id: world.id(countersign::domain::HolderId::new),
        backend: quay.id,
        ..world.holder.clone()
    };
    let remember = world.remember_as(quay.id, world.idempotency_key());
    world.apply(Effect::AddHolder { holder: theirs.clone(), channels: Vec::new(), remember }).await;
    world.apply(world.open(&world.drafted(&theirs, &id))).await;
}

pub async fn a_transfer_id_is_free_again_after_a_refusal(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    for end in [world.rejected(), world.cancelled(), world.expired()] {
        let ended = world.opened_as(end).await;
        let again = world.drafted(&world.holder, ended.details.transfer().transfer_id.as_str());
        world.apply(world.open(&again)).await;
        world.put(&again, world.cancelled()).await;
    }
}

pub async fn five_wait_at_once_and_no_sixth(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let mut waiting = Vec::new();
    for _ in 0..PENDING_AT_ONCE {
        waiting.push(world.opened().await);
    }
    world.refuses(world.open(&world.draft()), waiting[0].id, Why::Cap).await;
    let other = world.another_holder("u-78").await;
    world.apply(world.open(&world.drafted(&other, "theirs"))).await;
    // A transition that stays pending frees no place; one that leaves it does.
    let watched = waiting[0].clone().watch(countersign::domain::details::Digest::of(b"m"), vec![], vec![], world.now);
    world.apply(transition(watched.unwrap())).await;
    world.refuses(world.open(&world.draft()), waiting[0].id, Why::Cap).await;
    world.put(&waiting[1], world.cooled()).await;
    world.apply(world.open(&world.draft())).await;
    world.refuses(world.open(&world.draft()), waiting[0].id, Why::Cap).await;
}

pub async fn what_is_read_before_an_open_comes_in_one_go(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let (backend, subject) = (world.backend.id, &world.holder.subject);
    let fresh = world.idempotency_key();
    let opening = world.store.opening(backend, subject, &fresh).await.unwrap();
    assert_eq!(opening.holder, Some(world.holder.clone()));
    assert_eq!(opening.channels, [world.mailbox.clone()]);
    assert_eq!((opening.remembered, opening.pending, opening.devices), (None, 0, 1));

    let remember = world.remember();
    let open = Effect::Open { approval: Box::new(world.draft()), remember: remember.clone() };
    world.apply(open).await;
    world.opened_as(world.cooled()).await;
    let device = world.device.body.id;
    world.apply(Effect::CountFailure { device, failures: 0, lock_at: Some(world.now) }).await;
    let opening = world.store.opening(backend, subject, &remember.key).await.unwrap();
    assert_eq!((opening.remembered, opening.pending, opening.devices), (Some(remember), 1, 0));

    let stranger = Subject::parse("nobody").unwrap();
    let opening = world.store.opening(backend, &stranger, &fresh).await.unwrap();
    assert_eq!((opening.holder, opening.pending, opening.devices), (None, 0, 0));
    assert!(opening.channels.is_empty());
    let quay = world.another_backend().await;
    assert_eq!(world.store.opening(quay.id, subject, &fresh).await.unwrap().holder, None);
}

pub async fn remembered_answers_are_forgotten_by_age(store: Arc<dyn Store>) {
    let world = World::build(store).await;
    let remembered = |ago| {
        let mut remember = world.remember();
        remember.created_at = world.now - ago;
        remember
    };
    let (old, young) = (remembered(48 * HOUR), remembered(24 * HOUR));
    for remember in [&old, &young] {
        let open = Effect::Open { approval: Box::new(world.draft()), remember: remember.clone() };
        world.apply(open).await;
    }
    assert_eq!(world.store.forget_before(world.now - 24 * HOUR).await.unwrap(), 1);
    assert_eq!(world.store.forget_before(world.now - 24 * HOUR).await.unwrap(), 0);
    assert_eq!(world.store.remembered(world.backend.id, &old.key).await.unwrap(), None);
    assert_eq!(world.store.remembered(world.backend.id, &young.key).await.unwrap(), Some(young));
    world.apply(Effect::Open { approval: Box::new(world.draft()), remember: old }).await;
    let pending = world.store.live_counts().await.unwrap();
    assert_eq!(pending.into_iter().find(|(name, _)| *name == StateName::Pending), Some((StateName::Pending, 3)));
}
