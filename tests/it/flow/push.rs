//! Web push on a device: asked for again and again, renewed by the browser, and gone at its maker's push service.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign::authenticator::SoftAuthenticator;
use countersign::domain::channel::{Address, Channel, ChannelKind, NoticeStatus, Purpose};
use countersign::ports::ChannelSender;
use countersign::ports::outward::{Message, SendError};
use countersign::service::{Error, cancel, subscribe};

use super::world::{Phone, SendErrorKind, World};

/// What the message about a new channel says.
const ADDED: &str = "messages now go to one of your devices too";

/// A push service that knows what it has forgotten, and what it took, behind a guard that may let nothing out.
#[derive(Default)]
struct PushService {
    forgotten: Mutex<HashSet<String>>,
    /// Endpoints and titles.
    taken: Mutex<Vec<(String, String)>>,
    lets_nothing_out: AtomicBool,
}

#[async_trait]
impl ChannelSender for PushService {
    fn kind(&self) -> ChannelKind {
        ChannelKind::WebPush
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let Address::WebPush { endpoint, .. } = to else { panic!("not a subscription") };
        if self.lets_nothing_out.load(Ordering::SeqCst) {
            return Err(SendError::Refused { what: "not a push service" });
        }
        let is_gone = self.forgotten.lock().unwrap().contains(endpoint);
        if !is_gone {
            self.taken.lock().unwrap().push((endpoint.clone(), message.title.clone()));
        }
        if is_gone { Err(SendError::Gone { what: "410" }) } else { Ok(()) }
    }
}

fn endpoint(number: u32) -> String {
    format!("https://push.example/{number}")
}

fn subscription(number: u32, secret: u8) -> Address {
    let point = data_encoding::BASE64URL_NOPAD.encode(&[4; 65]);
    let auth = data_encoding::BASE64URL_NOPAD.encode(&[secret; 16]);
    Address::web_push(&endpoint(number), &point, &auth).unwrap()
}

async fn world_with_push() -> (World, Phone, Arc<PushService>) {
    let mut world = World::new().await;
    let push = Arc::new(PushService::default());
    let (inbox, browsers): (Arc<dyn ChannelSender>, Arc<dyn ChannelSender>) = (world.channel.clone(), push.clone());
    world.senders = Arc::new(HashMap::from([(ChannelKind::Inbox, inbox), (ChannelKind::WebPush, browsers)]));
    world.holder("u-1", &["u-1"]).await;
    let token = world.invite("u-1", "invite").await.unwrap();
    world.settle().await;
    let phone = world.enrol_with(&token, &world.code("u-1"), SoftAuthenticator::device_bound()).await.unwrap();
    (world, phone, push)
}

/// The channels of the phone, and all of its holder's.
async fn channels(world: &World, phone: &Phone) -> (Vec<Channel>, usize) {
    let holder = phone.browser.device(&world.cx).await.unwrap().body.holder;
    let all = world.cx.store.channels(holder).await.unwrap();
    (all.iter().filter(|channel| channel.device.is_some()).cloned().collect(), all.len())
}

#[tokio::test]
async fn the_same_subscription_again_changes_nothing_and_other_keys_are_another() {
    let (world, phone, _) = world_with_push().await;
    for _ in 0..5 {
        subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 1)).await.unwrap();
    }
    let (first, _) = channels(&world, &phone).await;
    assert_eq!(first.len(), 1, "{first:?}");
    subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 2)).await.unwrap();
    subscribe::subscribe(&world.cx, &phone.browser, subscription(2, 1)).await.unwrap();
    assert_eq!(channels(&world, &phone).await.0.len(), 3);
    // Nobody who has the cookie alone can push out what the holder is told by.
    let fourth = subscribe::subscribe(&world.cx, &phone.browser, subscription(3, 1)).await;
    assert!(matches!(fourth, Err(Error::Invalid { .. })), "{fourth:?}");
    subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 1)).await.unwrap();
    assert_eq!(channels(&world, &phone).await.0.len(), 3);
}

#[tokio::test]
async fn a_renewal_takes_the_place_of_what_is_gone_as_often_as_it_comes() {
    let (world, phone, push) = world_with_push().await;
    subscribe::subscribe(&world.cx, &phone.browser, subscription(0, 1)).await.unwrap();
    let removed = async || {
        let entries = world.cx.store.audit_page(None, 10_000).await.unwrap();
        entries.iter().filter(|(_, entry)| entry.kind == "channel.removed").count()
    };
    for number in 1..=6 {
        world.later(Duration::from_secs(61)).await;
        push.forgotten.lock().unwrap().insert(endpoint(number - 1));
        subscribe::subscribe(&world.cx, &phone.browser, subscription(number, 1)).await.unwrap();
        let (id, _) = world.create("u-1", &format!("wd-{number}")).await.unwrap();
        world.settle().await;
        let (mine, _) = channels(&world, &phone).await;
        assert_eq!((mine.len(), removed().await), (1, number as usize), "after renewal {number}: {mine:?}");
        let notices = world.cx.store.notices(id).await.unwrap();
        assert!(notices.iter().any(|notice| notice.delivered_at.is_some()), "somebody was told: {notices:?}");
        cancel::by_backend(&world.cx, &world.caller, id).await.unwrap();
    }
}

#[tokio::test]
async fn a_channel_that_the_backend_knows_stays_whatever_it_answers() {
    let (world, phone, _) = world_with_push().await;
    let (_, before) = channels(&world, &phone).await;
    world.fails("u-1", Some(SendErrorKind::Gone));
    world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    assert_eq!(channels(&world, &phone).await.1, before);
}

#[tokio::test]
async fn what_we_do_not_send_takes_no_channel_away() {
    let (world, phone, push) = world_with_push().await;
    subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 1)).await.unwrap();
    let before = channels(&world, &phone).await;
    push.lets_nothing_out.store(true, Ordering::SeqCst);
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    assert_eq!(channels(&world, &phone).await, before);
    let notices = world.cx.store.notices(id).await.unwrap();
    let failed = |kind| notices.iter().filter(|n| n.kind == kind && n.status == NoticeStatus::Failed).count();
    assert_eq!((failed(ChannelKind::WebPush), failed(ChannelKind::Inbox)), (1, 0), "{notices:?}");
}

#[tokio::test]
async fn a_new_channel_is_told_to_every_other_and_a_known_one_to_nobody() {
    let (world, phone, push) = world_with_push().await;
    let by_mail =
        || world.channel.inbox.messages("u-1").into_iter().filter(|m| m.title.contains(ADDED)).collect::<Vec<_>>();
    let by_push = || {
        let taken = push.taken.lock().unwrap();
        taken.iter().filter(|(_, title)| title.contains(ADDED)).map(|(to, _)| to.clone()).collect::<Vec<_>>()
    };
    subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 1)).await.unwrap();
    world.settle().await;
    assert_eq!((by_mail().len(), by_push().len()), (1, 0), "the old one is told, the new one isn't");
    let told = by_mail().remove(0);
    assert!(told.stop.is_none() && told.open.is_none() && told.code.is_none() && told.approval.is_none());
    for _ in 0..3 {
        subscribe::subscribe(&world.cx, &phone.browser, subscription(1, 1)).await.unwrap();
        world.settle().await;
    }
    assert_eq!((by_mail().len(), by_push().len()), (1, 0));
    subscribe::subscribe(&world.cx, &phone.browser, subscription(2, 1)).await.unwrap();
    world.settle().await;
    assert_eq!((by_mail().len(), by_push()), (2, vec![endpoint(1)]));
    // That a channel was added tells nobody of a transfer, and holds none of its questions up.
    let (id, _) = world.create("u-1", "wd-1").await.unwrap();
    world.settle().await;
    let notices = world.cx.store.notices(id).await.unwrap();
    assert!(notices.iter().all(|notice| notice.purpose == Purpose::Asked), "{notices:?}");
}

#[tokio::test]
async fn whoever_adds_channels_again_and_again_causes_five_messages_a_minute() {
    let (world, phone, push) = world_with_push().await;
    let told = || world.channel.inbox.messages("u-1").iter().filter(|m| m.title.contains(ADDED)).count();
    for number in 1..=5 {
        subscribe::subscribe(&world.cx, &phone.browser, subscription(number, 1)).await.unwrap();
        world.settle().await;
        // Gone as soon as something is sent there, so that there is a place for the next one.
        push.forgotten.lock().unwrap().insert(endpoint(number));
    }
    // The first told one channel, the second and the third two each; what came then waits.
    assert_eq!(told(), 3);
    world.later(Duration::from_secs(60)).await;
    assert_eq!(told(), 5, "none is lost");
    assert_eq!(channels(&world, &phone).await.0.len(), 1, "what is gone is taken away");
}
