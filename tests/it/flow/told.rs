//! Who is told of what, on which channel, and how often.

use std::time::Duration;

use countersign::authenticator::SoftAuthenticator;
use countersign::domain::approval::StateName;
use countersign::domain::channel::{Address, NoticeStatus, Purpose};
use countersign::domain::policy::TOLD_BEFORE;
use countersign::service::{cancel, subscribe};

use super::world::{SendErrorKind, UNPROVED_HOLD, World};

pub async fn world_with_two_inboxes() -> (World, super::world::Phone) {
    let world = World::new().await;
    world.holder("u-1", &["first", "second"]).await;
    let token = world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    let code = world.code("first");
    assert!(world.channel.inbox.messages("second").is_empty(), "the code goes to one channel");
    let phone = world.enrol_with(&token, &code, SoftAuthenticator::device_bound()).await.unwrap();
    world.settle().await;
    world.later(Duration::from_secs(61)).await;
    (world, phone)
}

pub fn count(world: &World, inbox: &str, words: &str) -> usize {
    world.channel.inbox.messages(inbox).iter().filter(|message| message.title.contains(words)).count()
}

#[tokio::test]
async fn asked_goes_to_the_next_channel_only_when_the_first_fails() {
    let (world, _) = world_with_two_inboxes().await;
    world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    assert_eq!((count(&world, "first", "is waiting"), count(&world, "second", "is waiting")), (1, 0));
    world.fails("first", Some(SendErrorKind::Gone));
    let (id, _) = world.create("u-1", "wd-2").await.unwrap();
    world.settle().await;
    assert_eq!((count(&world, "first", "is waiting"), count(&world, "second", "is waiting")), (1, 1));
    let notices = world.cx.store.notices(id).await.unwrap();
    let of = |status| notices.iter().filter(|notice| notice.status == status).count();
    assert_eq!((of(NoticeStatus::Failed), of(NoticeStatus::Delivered)), (1, 1));
    assert!(notices.iter().all(|notice| notice.masked == "demo inbox"));
}

#[tokio::test]
async fn a_channel_that_fails_for_a_while_is_tried_again() {
    let (world, _) = world_with_two_inboxes().await;
    world.fails("first", Some(SendErrorKind::Again));
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    world.later(Duration::from_secs(2)).await;
    world.fails("first", None);
    world.later(Duration::from_secs(10)).await;
    assert_eq!((count(&world, "first", "is waiting"), count(&world, "second", "is waiting")), (1, 0));
    let notices = world.cx.store.notices(id).await.unwrap();
    assert!(
        notices.iter().any(|notice| notice.status == NoticeStatus::Delivered && notice.attempts >= 2),
        "{notices:?}"
    );
}

#[tokio::test]
async fn cooling_goes_to_every_channel_with_a_link_that_can_only_stop() {
    let (world, mut phone) = world_with_two_inboxes().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    for inbox in ["first", "second"] {
        assert_eq!(count(&world, inbox, "was approved"), 1);
        let message = world.channel.inbox.messages(inbox).into_iter().find(|m| m.title.contains("approved")).unwrap();
        assert!(message.stop.unwrap().path().starts_with("/c/"));
        let words = format!("{} {}", message.title, message.body.join(" "));
        for secret in ["12500", "Marta", "PL61", "Everyday"] {
            assert!(!words.contains(secret), "{words}");
        }
    }
}

#[tokio::test]
async fn a_push_to_the_approving_device_has_told_nobody() {
    let world = World::new().await;
    world.holder("u-1", &["u-1"]).await;
    let token = world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    let mut phone = world.enrol_with(&token, &world.code("u-1"), SoftAuthenticator::device_bound()).await.unwrap();
    let point = data_encoding::BASE64URL_NOPAD.encode(&[4; 65]);
    let auth = data_encoding::BASE64URL_NOPAD.encode(&[1; 16]);
    let address = Address::web_push("https://push.example/x", &point, &auth).unwrap();
    subscribe::subscribe(&world.cx, &phone.browser, address).await.unwrap();
    world.later(Duration::from_secs(25 * 3600)).await;
    world.fails("u-1", Some(SendErrorKind::Gone));
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    // The push is taken by its channel, and the device is the one that approved.
    let push = world.cx.store.notices(id).await.unwrap();
    let push = push.iter().find(|n| n.purpose == Purpose::Cooling && n.masked.contains("device")).unwrap();
    let jobs = world.cx.store.claim_notices(10, Duration::from_secs(5)).await.unwrap();
    let job = jobs.iter().find(|job| job.id == push.id).unwrap();
    let outcome = countersign::ports::store::NoticeOutcome::Delivered { at: world.cx.now() };
    assert!(world.cx.store.settle_notice(job.id, job.fence, outcome).await.unwrap());
    let due = world.cx.store.due_cases(&[id]).await.unwrap();
    assert!(due[0].as_ref().unwrap().told.is_none());
}

#[tokio::test]
async fn a_holder_gets_at_most_five_notices_a_minute_and_none_is_lost() {
    let (world, phone) = world_with_two_inboxes().await;
    for at in 0..5 {
        let (id, _) = world.create("u-1", &format!("wd-{at}")).await.unwrap();
        world.settle().await;
        countersign::service::reject::reject(&world.cx, &phone.browser, id).await.unwrap();
    }
    world.create("u-1", "wd-5").await.unwrap();
    world.settle().await;
    assert_eq!(count(&world, "first", "is waiting"), 5);
    world.later(Duration::from_secs(60)).await;
    assert_eq!(count(&world, "first", "is waiting"), 6);
}

#[tokio::test]
async fn a_flood_of_questions_does_not_hold_up_what_can_still_be_stopped() {
    let (world, mut phone) = world_with_two_inboxes().await;
    for at in 0..50 {
        let (id, _) = world.create("u-1", &format!("flood-{at}")).await.unwrap();
        cancel::by_backend(&world.cx, &world.caller, id).await.unwrap();
    }
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    for inbox in ["first", "second"] {
        assert_eq!(count(&world, inbox, "was approved"), 1, "{inbox}");
    }
    assert!(count(&world, "first", "is waiting") <= 5);
    // Nobody is asked any more about what was cancelled.
    world.later(Duration::from_secs(600)).await;
    assert!(count(&world, "first", "is waiting") <= 5);
    assert_eq!(world.cx.store.backlog().await.unwrap().notices, 0);
}

#[tokio::test]
async fn waiting_for_its_turn_is_no_try() {
    let (world, phone) = world_with_two_inboxes().await;
    let mut last = None;
    for at in 0..8 {
        if let Some(id) = last.take() {
            world.settle().await;
            if at < 6 {
                countersign::service::reject::reject(&world.cx, &phone.browser, id).await.unwrap();
            }
        }
        last = Some(world.create("u-1", &format!("wd-{at}")).await.unwrap().0);
    }
    let id = last.unwrap();
    for _ in 0..3 {
        world.later(Duration::from_secs(1)).await;
    }
    let waits = world.cx.store.notices(id).await.unwrap();
    assert!(waits.iter().all(|notice| notice.attempts == 0), "{waits:?}");
    // One hiccup of its channel isn't the end of it.
    world.fails("first", Some(SendErrorKind::Again));
    world.later(Duration::from_secs(60)).await;
    world.fails("first", None);
    world.later(Duration::from_secs(60)).await;
    let sent = world.cx.store.notices(id).await.unwrap();
    assert!(sent.iter().any(|notice| notice.status == NoticeStatus::Delivered), "{sent:?}");
}

#[tokio::test]
async fn a_holder_who_is_told_late_can_still_stop_it() {
    let (world, mut phone) = world_with_two_inboxes().await;
    for inbox in ["first", "second"] {
        world.fails(inbox, Some(SendErrorKind::Again));
    }
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    for _ in 0..2 {
        world.later(Duration::from_secs(45)).await;
    }
    // Past the whole hold, which is an hour on a page that nobody watched.
    world.clock.advance(UNPROVED_HOLD);
    for inbox in ["first", "second"] {
        world.fails(inbox, None);
    }
    world.settle().await;
    assert_eq!(count(&world, "second", "was approved"), 1);
    world.is(id, StateName::Cooling, None).await;
    world.later(TOLD_BEFORE - Duration::from_secs(1)).await;
    world.is(id, StateName::Cooling, None).await;
    let stop = world.channel.inbox.messages("second").into_iter().find(|m| m.title.contains("approved")).unwrap();
    let stop = stop.stop.unwrap();
    cancel::by_link(&world.cx, stop.path_segments().unwrap().next_back().unwrap()).await.unwrap();
    world.later(Duration::from_secs(2)).await;
    world.is(id, StateName::Cancelled, Some("link_stopped")).await;
}
