//! The real loops that send, with receivers that never answer: what they hold up is their own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use countersign::adapters::webhooks::Webhooks;
use countersign::domain::EndpointId;
use countersign::domain::backend::{Caller, Scope, Scopes};
use countersign::domain::channel::{Address, ChannelKind};
use countersign::domain::details::{Digest, Subject};
use countersign::domain::text::Line;
use countersign::domain::webhook::MAX_ENDPOINTS;
use countersign::ports::outward::{Message, SendError, WebhookAnswer, WebhookMessage};
use countersign::ports::{ChannelSender, WebhookSender};
use countersign::service::{backends, endpoints, holders};
use countersign::workers::{deliveries, notices};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::world::{World, key};
use crate::outward::receiver::{Answer, Receiver};
use crate::outward::{allowing_loopback, guard};
use crate::support::eventually::eventually;

/// Less than any receiver is given, and far more than sending takes.
const SOON: Duration = Duration::from_secs(5);
/// More than can have sixteen places each.
const DEAD: usize = 20;
/// What waits for each of them.
const WAITING: usize = 16;
/// Places that may be taken with several for one endpoint.
const HALF: usize = 128;

/// How a receiver behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    NeverAnswers,
    /// 500
    Fails,
    /// Sending to it ends badly, as a fault of our own would make it.
    Breaks,
}

/// Receivers by the host of their URL.
#[derive(Default)]
struct Receivers {
    manners: Mutex<HashMap<String, Manner>>,
    answered: Mutex<HashMap<String, usize>>,
    begun: AtomicUsize,
}

impl Receivers {
    fn is(&self, host: &str, manner: Manner) {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), manner);
    }

    fn answered(&self, host: &str) -> usize {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied().unwrap_or_default()
    }
}

#[async_trait]
impl WebhookSender for Receivers {
    async fn post(&self, message: WebhookMessage<'_>) -> WebhookAnswer {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let host = message.url.host_str().unwrap_or_default().to_owned();
        let manner = self.manners.lock().unwrap_or_else(PoisonError::into_inner).get(&host).copied();
        match manner {
            Some(Manner::NeverAnswers) => std::future::pending().await,
            Some(Manner::Fails) => WebhookAnswer::Status(500),
            Some(Manner::Breaks) => panic!("as told to"),
            Some(Manner::Answers) | None => {
                *self.answered.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default() += 1;
                WebhookAnswer::Status(204)
            }
        }
    }
}

/// A loop that sends webhooks, until it is dropped.
struct Sending {
    world: World,
    receivers: Arc<Receivers>,
    wake: Arc<Notify>,
    stop: CancellationToken,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sending {
    async fn new() -> Self {
        let (receivers, wake, stop) = (Arc::new(Receivers::default()), Arc::default(), CancellationToken::new());
        Self { world: World::new().await, receivers, wake, stop }
    }

    /// A backend of its own: each may have a few endpoints only.
    async fn backend(&self) -> Caller {
        let new =
            backends::add(&self.world.cx, Line::parse("Harbour").unwrap(), Scopes::of(&Scope::ALL)).await.unwrap();
        backends::authenticate(&self.world.cx, new.secret.reveal()).await.unwrap()
    }

    /// An endpoint for which so many messages wait.
    async fn endpoint(&self, caller: &Caller, host: &str, manner: Manner, waiting: usize) -> EndpointId {
        self.receivers.is(host, manner);
        let url = format!("https://{host}/hook").parse().unwrap();
        let (once, fingerprint) = (key(host), Digest::of(host.as_bytes()));
        let added = endpoints::add(&self.world.cx, caller, url, once, fingerprint).await.unwrap();
        let view: serde_json::Value = serde_json::from_str(&added.body).unwrap();
        let id = view["id"].as_str().unwrap().parse().unwrap();
        for _ in 0..waiting {
            endpoints::test(&self.world.cx, caller, id).await.unwrap();
        }
        id
    }

    fn run(&self) {
        let sender = Arc::clone(&self.receivers) as Arc<dyn WebhookSender>;
        let (wake, stop) = (Arc::clone(&self.wake), self.stop.clone());
        tokio::spawn(deliveries::run(self.world.cx.clone(), sender, wake, stop));
    }

    /// Waits until an endpoint was told of everything.
    async fn told(&self, host: &str, times: usize) {
        self.wake.notify_one();
        let told = eventually("a webhook", async || (self.receivers.answered(host) >= times).then_some(()));
        timeout(SOON, told).await.unwrap_or_else(|_| panic!("{host} waits for others"));
    }
}

#[tokio::test]
async fn many_endpoints_that_never_answer_hold_up_no_other() {
    let sending = Sending::new().await;
    let mut caller = sending.backend().await;
    for dead in 0..DEAD {
        if dead % MAX_ENDPOINTS == 0 {
            caller = sending.backend().await;
        }
        sending.endpoint(&caller, &format!("dead-{dead}.example"), Manner::NeverAnswers, WAITING).await;
    }
    sending.run();
    // Whatever they may hold, they hold by now.
    eventually("half of all places taken", async || {
        (sending.receivers.begun.load(Ordering::SeqCst) >= HALF).then_some(())
    })
    .await;
    sending.endpoint(&caller, "alive.example", Manner::Answers, 1).await;
    sending.told("alive.example", 1).await;
    // Once half is taken each may have one more, if it has none.
    assert!(sending.receivers.begun.load(Ordering::SeqCst) <= HALF + DEAD + 1);
}

/// With the guard that all requests really leave by: it holds nobody up whom the places let pass.
#[tokio::test]
async fn dead_servers_do_not_use_the_way_out_up() {
    let sending = Sending::new().await;
    let caller = sending.backend().await;
    let dead = [(); 3].map(|()| Receiver::start(Answer::Silence));
    let alive = Receiver::start(Answer::Status(204));
    let add = async |url: String, waiting: usize| {
        let (once, fingerprint) = (key(&url), Digest::of(url.as_bytes()));
        let added = endpoints::add(&sending.world.cx, &caller, url.parse().unwrap(), once, fingerprint).await.unwrap();
        let view: serde_json::Value = serde_json::from_str(&added.body).unwrap();
        let id: EndpointId = view["id"].as_str().unwrap().parse().unwrap();
        for _ in 0..waiting {
            endpoints::test(&sending.world.cx, &caller, id).await.unwrap();
        }
        id
    };
    for server in &dead {
        add(server.url("/hook").to_string(), WAITING).await;
    }
    let (wake, stop) = (Arc::clone(&sending.wake), sending.stop.clone());
    let sender = Arc::new(Webhooks::new(guard(allowing_loopback())));
    tokio::spawn(deliveries::run(sending.world.cx.clone(), sender, wake, stop));
    // Whatever they may hold, they hold by now.
    let held = eventually("every place taken", async || {
        dead.iter().all(|server| server.received().len() == WAITING).then_some(())
    });
    held.await;
    let id = add(alive.url("/hook").to_string(), 1).await;
    sending.wake.notify_one();
    let told = eventually("a webhook", async || (alive.received().len() == 1).then_some(()));
    timeout(SOON, told).await.expect("a living endpoint waits for dead ones");
    let settled = eventually("its delivery in the log", async || {
        let log = sending.world.cx.store.deliveries(id, None, 10).await.unwrap();
        log.into_iter().next().filter(|delivery| delivery.done_at.is_some())
    });
    assert_eq!(settled.await.attempts, 1);
}

#[tokio::test]
async fn places_come_back_when_sending_ends_badly() {
    let sending = Sending::new().await;
    let caller = sending.backend().await;
    let id = sending.endpoint(&caller, "hook.example", Manner::Breaks, WAITING).await;
    sending.run();
    eventually("everything was tried", async || {
        (sending.receivers.begun.load(Ordering::SeqCst) >= WAITING).then_some(())
    })
    .await;
    sending.receivers.is("hook.example", Manner::Answers);
    endpoints::test(&sending.world.cx, &caller, id).await.unwrap();
    sending.told("hook.example", 1).await;
}

#[tokio::test]
async fn an_endpoint_whose_last_try_failed_has_one_place() {
    let sending = Sending::new().await;
    let caller = sending.backend().await;
    let id = sending.endpoint(&caller, "hook.example", Manner::Fails, 1).await;
    sending.run();
    eventually("a try that failed", async || {
        let log = sending.world.cx.store.deliveries(id, None, 10).await.unwrap();
        (log[0].last_status == Some(500)).then_some(())
    })
    .await;
    sending.receivers.is("hook.example", Manner::NeverAnswers);
    for _ in 0..WAITING {
        endpoints::test(&sending.world.cx, &caller, id).await.unwrap();
    }
    eventually("one place of its own", async || {
        sending.wake.notify_one();
        (sending.receivers.begun.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;
    let other = sending.endpoint(&caller, "other.example", Manner::Answers, WAITING).await;
    sending.told("other.example", WAITING).await;
    assert_eq!(
        sending.receivers.begun.load(Ordering::SeqCst),
        2 + WAITING,
        "{id} had more than one place, not {other}"
    );
}

/// A mail server that takes a connection and never says a word.
#[derive(Default)]
struct Mute(AtomicUsize);

#[async_trait]
impl ChannelSender for Mute {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Email
    }

    async fn send(&self, _: &Address, _: &Message) -> Result<(), SendError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_mute_mail_server_holds_up_no_other_channel() {
    const MAILED: usize = 80;
    let world = World::new().await;
    for number in 0..MAILED {
        let (subject, once) = (format!("mailed-{number}"), key(&format!("mailed-{number}")));
        let ask = holders::NewHolder {
            key: once,
            fingerprint: Digest::of(subject.as_bytes()),
            subject: Subject::parse(&subject).unwrap(),
            channels: vec![Address::email("marta@example.org").unwrap()],
        };
        holders::add(&world.cx, &world.caller, ask).await.unwrap();
        world.invite(&subject, &format!("invite-{subject}")).await.unwrap();
    }
    let mute = Arc::new(Mute::default());
    let mut senders: HashMap<ChannelKind, Arc<dyn ChannelSender>> = world.senders.as_ref().clone();
    senders.insert(ChannelKind::Email, Arc::clone(&mute) as Arc<dyn ChannelSender>);
    let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let running = tokio::spawn(notices::run(world.cx.clone(), Arc::new(senders), wake.clone(), stop.clone()));
    eventually("mails hang", async || (mute.0.load(Ordering::SeqCst) >= 32).then_some(())).await;

    world.holder("u-1", &["u-1"]).await;
    world.invite("u-1", "invite-u-1").await.unwrap();
    wake.notify_one();
    let told = eventually("a code", async || (!world.channel.inbox.messages("u-1").is_empty()).then_some(()));
    timeout(SOON, told).await.expect("another channel doesn't wait for the mail server");
    // Every place of mails is taken, and no other.
    assert_eq!(mute.0.load(Ordering::SeqCst), 32);
    running.abort();
}
