//! "This wasn't me": what it stops, what it refuses from then on, and what lifts it.

use std::sync::Arc;
use std::time::Duration;

use countersign::authenticator::{Flags, SoftAuthenticator, Tamper};
use countersign::domain::HolderId;
use countersign::domain::approval::StateName;
use countersign::domain::device::Thumbprint;
use countersign::domain::freeze::{FreezeReason, FreezeRefusal};
use countersign::domain::linking::{DEVICE_KEY_LIFT, DEVICE_KEY_PROMPT};
use countersign::ports::Clock as _;
use countersign::ports::outward::Message;
use countersign::service::decide::Signed;
use countersign::service::{Browser, Context, Error, freeze, lift, redeem, release};
use countersign::workers::overrides;
use serde_json::Value;

use super::world::{HOLD, Phone, SendErrorKind, World, key};
use crate::support::clock::ManualClock;

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    async fn holder_of(&self, phone: &Phone) -> HolderId {
        phone.browser.device(&self.cx).await.unwrap().body.holder
    }

    async fn frozen(&self, phone: &Phone) -> Option<FreezeReason> {
        let holder = self.holder_of(phone).await;
        self.cx.store.freeze(holder).await.unwrap().map(|freeze| freeze.why)
    }

    async fn freezes_look(&self) {
        overrides::turn(&self.cx, &self.gate).await.unwrap();
    }

    /// The link in the newest notice to u-1 locks everything of theirs.
    pub async fn newest_link_locks(&self) {
        self.settle().await;
        freeze::by_cancel_link(&self.cx, &last_part(&self.newest("u-1"))).await.unwrap();
    }

    /// A holder with a phone whose lock was said by the link in the notice about wd-1.
    async fn locked_by_link(&self) -> Phone {
        let phone = self.enrolled("u-1", SoftAuthenticator::device_bound()).await;
        self.create("u-1", "wd-1").await.unwrap();
        self.newest_link_locks().await;
        phone
    }

    fn newest(&self, inbox: &str) -> Message {
        self.channel.inbox.messages(inbox).into_iter().next().expect("a message")
    }
}

/// The token of the page on which a holder's lock is said again.
fn lock_token(world: &World, holder: HolderId) -> String {
    let page = countersign::service::links::lock_page(&world.cx, holder).unwrap();
    page.path_segments().unwrap().next_back().unwrap().to_owned()
}

fn last_part(message: &Message) -> String {
    let url = message.stop.clone().expect("a link that stops");
    url.path_segments().unwrap().next_back().unwrap().to_owned()
}

pub async fn lift_prompt(world: &World, phone: &Phone) -> Result<(Value, String, Vec<u8>), Error> {
    let page = lift::page(&world.cx, &phone.browser).await?;
    let thumbprint: Thumbprint = phone.soft.key.thumbprint();
    let signature = phone.soft.key.sign(DEVICE_KEY_PROMPT, page.page_token.as_bytes()).unwrap().0;
    let made = lift::prompt(&world.cx, &phone.browser, &page.page_token, &thumbprint, &signature).await?;
    let challenge = data_encoding::BASE64URL_NOPAD.decode(made.challenge.as_bytes()).unwrap();
    Ok((made.options, made.sealed, challenge))
}

async fn ask_lift(world: &World, phone: &mut Phone) -> Result<(), Error> {
    let (options, sealed, challenge) = lift_prompt(world, phone).await?;
    let assertion = phone.soft.authenticator.get(&options, &phone.soft.origin).unwrap();
    let signature = phone.soft.key.sign(DEVICE_KEY_LIFT, &challenge).unwrap().0;
    let thumbprint = phone.soft.key.thumbprint();
    let signed = Signed { sealed, assertion, thumbprint, signature };
    lift::ask(&world.cx, &phone.browser, signed).await.map(|_| ())
}

#[tokio::test]
async fn a_links_freeze_stops_all_that_lives_and_tells_every_channel() {
    let world = World::new().await;
    world.holder("u-1", &["u-1", "u-1-old"]).await;
    let token = world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    let code = world.code("u-1");
    let mut phone = world.enrol_with(&token, &code, SoftAuthenticator::device_bound()).await.unwrap();
    world.later(Duration::from_secs(61)).await;

    let (released, _) = world.create("u-1", "wd-1").await.unwrap();
    world.approve(&mut phone, released).await.unwrap();
    world.settle().await;
    world.later(4 * HOLD + HOUR).await;
    world.is(released, StateName::Released, None).await;
    let (cooling, _) = world.create("u-1", "wd-2").await.unwrap();
    world.approve(&mut phone, cooling).await.unwrap();
    world.later(Duration::from_secs(61)).await;
    let (pending, _) = world.create("u-1", "wd-3").await.unwrap();
    world.settle().await;

    let link = last_part(&world.newest("u-1"));
    freeze::by_cancel_link(&world.cx, &link).await.unwrap();
    for id in [released, cooling, pending] {
        world.is(id, StateName::Cancelled, Some("holder_frozen")).await;
    }
    let digest = world.state(released).await.digest();
    let taken = redeem::redeem(&world.cx, &world.caller, released, digest, key("take")).await;
    assert!(matches!(taken, Err(Error::Refused(_))), "{taken:?}");

    world.later(Duration::from_secs(61)).await;
    for inbox in ["u-1", "u-1-old"] {
        assert!(world.newest(inbox).title.contains("locked"), "{inbox}: {:?}", world.newest(inbox).title);
    }
    let entries = world.cx.store.audit_page(None, 10_000).await.unwrap();
    let alert = entries.iter().find(|(_, entry)| entry.kind == "holder.frozen").expect("an alert");
    assert!(alert.1.canonical.contains(r#""severity":"high""#));
}

#[tokio::test]
async fn nothing_new_comes_while_it_holds() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    freeze::by_device(&world.cx, &phone.browser).await.unwrap();
    let refused = world.create("u-1", "wd-1").await;
    assert!(matches!(refused, Err(Error::HolderFrozen)), "{refused:?}");
    // Nor for a holder who has no device yet.
    world.holder("u-2", &["u-2"]).await;
    let token = world.invite("u-2", "invite-2").await.unwrap();
    world.settle().await;
    let subject = countersign::domain::details::Subject::parse("u-2").unwrap();
    let second = world.cx.store.holder(world.caller.backend, &subject).await.unwrap().unwrap().id;
    freeze::by_lock_link(&world.cx, &lock_token(&world, second)).await.unwrap();
    let refused = world.enrol_with(&token, &world.code("u-2"), SoftAuthenticator::device_bound()).await;
    assert!(matches!(refused, Err(Error::HolderFrozen)), "{:?}", refused.err());
    let refused = world.invite("u-2", "invite-3").await;
    assert!(matches!(refused, Err(Error::HolderFrozen)), "{refused:?}");
}

#[tokio::test]
async fn a_links_freeze_ends_after_a_day_and_a_devices_does_not() {
    let world = World::new().await;
    let first = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let second = world.enrolled("u-2", SoftAuthenticator::device_bound()).await;
    world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    freeze::by_cancel_link(&world.cx, &last_part(&world.newest("u-1"))).await.unwrap();
    freeze::by_device(&world.cx, &second.browser).await.unwrap();

    world.clock.advance(24 * HOUR - Duration::from_secs(1));
    world.freezes_look().await;
    assert_eq!(world.frozen(&first).await, Some(FreezeReason::Link));
    world.clock.advance(Duration::from_secs(2));
    world.freezes_look().await;
    assert_eq!(world.frozen(&first).await, None);
    world.create("u-1", "wd-2").await.unwrap();
    world.clock.advance(1000 * HOUR);
    world.freezes_look().await;
    assert_eq!(world.frozen(&second).await, Some(FreezeReason::Device));
}

#[tokio::test]
async fn a_device_lifts_a_links_freeze_after_an_hour_and_any_link_locks_again() {
    let world = World::new().await;
    let mut phone = world.locked_by_link().await;
    world.later(Duration::from_secs(61)).await;

    ask_lift(&world, &mut phone).await.unwrap();
    world.later(Duration::from_secs(61)).await;
    let told = world.newest("u-1");
    assert!(told.title.contains("unlock"), "{:?}", told.title);
    freeze::by_lock_link(&world.cx, &last_part(&told)).await.unwrap();
    world.clock.advance(HOUR);
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link), "the lift was off");

    ask_lift(&world, &mut phone).await.unwrap();
    // Its hold counts from the first delivered notice.
    world.settle().await;
    world.clock.advance(HOUR - Duration::from_secs(1));
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link));
    world.clock.advance(Duration::from_secs(2));
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, None);
    assert!(world.audit().await.contains(&"freeze.lift_asked"));
}

#[tokio::test]
async fn a_lift_of_which_nobody_was_told_lifts_nothing() {
    let world = World::new().await;
    let mut phone = world.locked_by_link().await;
    world.later(Duration::from_secs(61)).await;
    ask_lift(&world, &mut phone).await.unwrap();
    // The alarm is stuck somewhere.
    world.fails("u-1", Some(SendErrorKind::Again));
    world.settle().await;
    world.clock.advance(2 * HOUR);
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link), "nobody was told");
    world.fails("u-1", None);
    world.later(Duration::from_secs(61)).await;
    assert!(world.newest("u-1").title.contains("unlock"));
    world.clock.advance(HOUR - Duration::from_secs(120));
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link), "its hold counts from the notice");
    world.clock.advance(Duration::from_secs(180));
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, None);
}

#[tokio::test]
async fn a_link_that_is_used_a_hundred_times_is_written_down_once() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    let link = last_part(&world.newest("u-1"));
    for _ in 0..100 {
        freeze::by_cancel_link(&world.cx, &link).await.unwrap();
    }
    let entries = |kinds: Vec<&'static str>| kinds.into_iter().filter(|kind| *kind == "holder.frozen").count();
    assert_eq!(entries(world.audit().await), 1);
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link));
    // A minute later it prolongs.
    world.later(Duration::from_secs(61)).await;
    freeze::by_cancel_link(&world.cx, &link).await.unwrap();
    assert_eq!(entries(world.audit().await), 2);
}

#[tokio::test]
async fn a_devices_own_freeze_can_not_be_lifted_by_it() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    freeze::by_device(&world.cx, &phone.browser).await.unwrap();
    let refused = ask_lift(&world, &mut phone).await;
    assert!(matches!(refused, Err(Error::Freeze(FreezeRefusal::NeedsOverride))), "{refused:?}");
}

#[tokio::test]
async fn a_lift_needs_the_passkey_and_the_device_key_over_this_freeze() {
    let world = World::new().await;
    let mut phone = world.locked_by_link().await;
    let (options, sealed, challenge) = lift_prompt(&world, &phone).await.unwrap();
    let assertion = phone.soft.authenticator.get(&options, &phone.soft.origin).unwrap();
    let thumbprint = phone.soft.key.thumbprint();
    // The signature of another ceremony of the same device.
    let other = phone.soft.key.sign(DEVICE_KEY_PROMPT, &challenge).unwrap().0;
    let signed = Signed { sealed: sealed.clone(), assertion: assertion.clone(), thumbprint, signature: other };
    let refused = lift::ask(&world.cx, &phone.browser, signed).await;
    assert!(matches!(refused, Err(Error::DeviceKey)), "{refused:?}");
    // Right, but the freeze was said again meanwhile: what was signed is about an older version.
    world.clock.advance(Duration::from_secs(61));
    let lock = lock_token(&world, world.holder_of(&phone).await);
    freeze::by_lock_link(&world.cx, &lock).await.unwrap();
    let signature = phone.soft.key.sign(DEVICE_KEY_LIFT, &challenge).unwrap().0;
    let refused = lift::ask(&world.cx, &phone.browser, Signed { sealed, assertion, thumbprint, signature }).await;
    assert!(matches!(refused, Err(Error::PromptStale)), "{refused:?}");
}

#[tokio::test]
async fn five_failed_lifts_in_a_row_lock_the_device() {
    let world = World::new().await;
    let mut phone = world.locked_by_link().await;
    for number in 1..=5 {
        let (options, sealed, challenge) = lift_prompt(&world, &phone).await.unwrap();
        // Its own device key, and a passkey that saw nobody.
        let tamper = Tamper { clear: Some(Flags::USER_VERIFIED), ..Tamper::default() };
        let assertion = phone.soft.authenticator.get_tampered(&options, &phone.soft.origin, &tamper).unwrap();
        let signature = phone.soft.key.sign(DEVICE_KEY_LIFT, &challenge).unwrap().0;
        let thumbprint = phone.soft.key.thumbprint();
        let refused = lift::ask(&world.cx, &phone.browser, Signed { sealed, assertion, thumbprint, signature }).await;
        assert!(matches!(refused, Err(Error::Ceremony(_))), "try {number}: {refused:?}");
    }
    let refused = ask_lift(&world, &mut phone).await;
    assert!(matches!(refused, Err(Error::Freeze(FreezeRefusal::DeviceDead))), "{refused:?}");
    let audit = world.audit().await;
    let count = |kind: &str| audit.iter().filter(|known| **known == kind).count();
    assert_eq!((count("lift.failed"), count("device.locked")), (4, 1));
    assert_eq!(count("lift.refused"), 1, "what the rules refuse is written down, too");
    assert_eq!(count("freeze.lift_asked"), 0);
}

#[tokio::test]
async fn what_a_crash_left_over_is_cancelled_by_the_worker() {
    let world = World::new().await;
    let mut phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    // The freeze was committed, and the node died before it cancelled anything.
    let holder = world.holder_of(&phone).await;
    let now = world.cx.now();
    let by = countersign::domain::approval::Actor::Link;
    let id_of = countersign::domain::FreezeId::new(now, [1; 10]);
    let step = countersign::domain::freeze::Freeze::begin(id_of, holder, FreezeReason::Link, by, now);
    let entry = world.cx.entry("holder.frozen", by, &[&holder], countersign::domain::audit::Facts::new(), now).unwrap();
    let effect = countersign::ports::Effect::Freeze { step: Box::new(step), proof: None };
    world.cx.store.commit(countersign::ports::Change::new(entry, effect)).await.unwrap();

    let refused = world.approve(&mut phone, id).await;
    assert!(matches!(refused, Err(Error::PromptStale)), "the record refuses it: {refused:?}");
    world.is(id, StateName::Pending, None).await;
    world.freezes_look().await;
    world.is(id, StateName::Cancelled, Some("holder_frozen")).await;
    let unsettled = world.cx.store.freezes_unsettled(10).await.unwrap();
    assert_eq!(unsettled.len(), 1, "not before what was under way is seen");
    world.clock.advance(Duration::from_secs(61));
    world.freezes_look().await;
    assert!(world.cx.store.freezes_unsettled(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_browser_that_is_no_device_locks_nobody() {
    let world = World::new().await;
    let refused = freeze::by_device(&world.cx, &Browser::default()).await;
    assert!(matches!(refused, Err(Error::UnknownDevice)), "{refused:?}");
    let refused = freeze::by_cancel_link(&world.cx, "AAAA").await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
}

#[tokio::test]
async fn a_freeze_from_a_link_lasts_its_day_although_the_node_that_took_it_is_behind() {
    let world = World::new().await;
    let phone = world.enrolled("u-1", SoftAuthenticator::device_bound()).await;
    world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    let behind = Arc::new(ManualClock::at(world.clock.now() - 48 * HOUR));
    let node = Context { clock: behind, ..world.cx.clone() };
    let frozen = freeze::by_cancel_link(&node, &last_part(&world.newest("u-1"))).await.unwrap();
    assert_eq!(frozen.due_at(), Some(world.clock.now() + 24 * HOUR));
    // Said again on a node that is ahead, it isn't said in the future either.
    let ahead = Arc::new(ManualClock::at(world.clock.now() + 48 * HOUR));
    let node = Context { clock: ahead, ..world.cx.clone() };
    let again = freeze::by_cancel_link(&node, &last_part(&world.newest("u-1"))).await.unwrap();
    assert!(again.said_at() <= world.clock.now() + release::MAX_SKEW, "{again:?}");
    // Another node looks what is over, at once and just before its time.
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link));
    world.later(24 * HOUR - Duration::from_secs(60)).await;
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, Some(FreezeReason::Link));
    world.later(Duration::from_secs(61)).await;
    world.freezes_look().await;
    assert_eq!(world.frozen(&phone).await, None);
}
