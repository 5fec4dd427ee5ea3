//! A mail that was accepted and came back told nobody.

use std::time::Duration;

use countersign::domain::NoticeId;
use countersign::domain::approval::StateName;
use countersign::domain::backend::{Caller, Scope, Scopes};
use countersign::domain::channel::{NoticeStatus, Purpose};
use countersign::domain::ids::{ApprovalId, BackendId};
use countersign::ports::store::NoticeView;
use countersign::service::{Error, bounce};

use super::told::{count, world_with_two_inboxes};
use super::world::{HOLD_CAP, UNPROVED_HOLD, World};

const MINUTE: Duration = Duration::from_secs(60);

async fn notices(world: &World, approval: ApprovalId, purpose: Purpose) -> Vec<NoticeView> {
    let mut all = world.cx.store.notices(approval).await.unwrap();
    all.retain(|notice| notice.purpose == purpose);
    all
}

async fn bounced(world: &World, id: NoticeId) -> Result<(), Error> {
    bounce::bounced(&world.cx, &world.caller, id).await
}

async fn entries(world: &World) -> usize {
    world.audit().await.into_iter().filter(|kind| *kind == "notice.bounced").count()
}

#[tokio::test]
async fn nothing_is_released_on_notices_that_came_back() {
    let (world, mut phone) = world_with_two_inboxes().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    let told = notices(&world, id, Purpose::Cooling).await;
    assert!(told.len() == 2 && told.iter().all(|notice| notice.status == NoticeStatus::Delivered), "{told:?}");
    for notice in &told {
        bounced(&world, notice.id).await.unwrap();
        // A mail system that isn't sure says it again.
        bounced(&world, notice.id).await.unwrap();
    }
    assert_eq!(entries(&world).await, 2);
    world.later(UNPROVED_HOLD + MINUTE).await;
    world.is(id, StateName::Cooling, None).await;
    world.later(HOLD_CAP).await;
    world.is(id, StateName::Cancelled, Some("unreachable")).await;
}

#[tokio::test]
async fn another_channel_that_was_reached_is_enough() {
    let (world, mut phone) = world_with_two_inboxes().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    bounced(&world, notices(&world, id, Purpose::Cooling).await[0].id).await.unwrap();
    world.later(UNPROVED_HOLD + MINUTE).await;
    world.is(id, StateName::Released, None).await;
    // What was released stays so: whoever knows better cancels it.
    bounced(&world, notices(&world, id, Purpose::Cooling).await[1].id).await.unwrap();
    world.later(MINUTE).await;
    world.is(id, StateName::Released, None).await;
}

#[tokio::test]
async fn the_next_channel_is_asked_when_the_first_comes_back() {
    let (world, _) = world_with_two_inboxes().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    let asked = notices(&world, id, Purpose::Asked).await;
    for notice in &asked {
        assert!(matches!(bounced(&world, notice.id).await, Err(Error::Conflict)), "it is still on its way: {notice:?}");
    }
    world.settle().await;
    assert_eq!(count(&world, "second", "is waiting"), 0);
    let first = notices(&world, id, Purpose::Asked).await;
    let first = first.iter().find(|notice| notice.status == NoticeStatus::Delivered).unwrap();
    bounced(&world, first.id).await.unwrap();
    world.settle().await;
    assert_eq!(count(&world, "second", "is waiting"), 1);
}

#[tokio::test]
async fn a_code_that_comes_back_goes_nowhere_else() {
    let world = World::new().await;
    world.holder("u-1", &["first", "second"]).await;
    world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    // Its notice is about a link, and nobody but the mail itself names it.
    let code = world.channel.inbox.messages("first").remove(0).notice;
    bounced(&world, code).await.unwrap();
    world.settle().await;
    assert!(world.channel.inbox.messages("second").is_empty());
    assert_eq!(entries(&world).await, 0);
}

#[tokio::test]
async fn whose_notice_it_is_and_what_the_key_may_do_is_asked() {
    let (world, mut phone) = world_with_two_inboxes().await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, id).await.unwrap();
    world.settle().await;
    let notice = notices(&world, id, Purpose::Cooling).await[0].id;
    let stranger = Caller { backend: BackendId::new(world.cx.now(), [9; 10]), ..world.caller };
    assert!(matches!(bounce::bounced(&world.cx, &stranger, notice).await, Err(Error::NotFound)));
    let reader = Caller { scopes: Scopes::of(&[Scope::Read]), ..world.caller };
    assert!(matches!(bounce::bounced(&world.cx, &reader, notice).await, Err(Error::Scope(Scope::Cancel))));
    let nobody = NoticeId::new(world.cx.now(), [9; 10]);
    assert!(matches!(bounced(&world, nobody).await, Err(Error::NotFound)));
    assert_eq!(entries(&world).await, 0);
    assert_eq!(notices(&world, id, Purpose::Cooling).await[0].status, NoticeStatus::Delivered);
}
