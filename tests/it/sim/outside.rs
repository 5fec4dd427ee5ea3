//! The other ports of a node: timers that get lost and fire twice, channels and webhooks that fail, and a mailbox that
//! keeps what arrived.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use countersign::adapters::timing::memory_timers::MemoryTimers;
use countersign::domain::approval::Version;
use countersign::domain::channel::{Address, ChannelKind};
use countersign::domain::receipt::Receipt;
use countersign::domain::{ApprovalId, Timestamp};
use countersign::ports::outward::{Message, SendError, WebhookAnswer, WebhookMessage};
use countersign::ports::secrets::SignError;
use countersign::ports::timing::{Claim, PortError, Quota, Verdict};
use countersign::ports::{ChannelSender, Clock, Limits, Live, ReceiptSigner, Timers, WebhookSender};

use super::faults::{Faults, Plant, broken};
use super::tasks::give_way;

/// Timers as the nodes share them. They lose some, fire some twice and some that nobody set, and may all be flushed.
pub struct SharedTimers {
    inner: Mutex<Arc<MemoryTimers>>,
    clock: Arc<dyn Clock>,
    faults: Arc<Faults>,
    known: Mutex<BTreeSet<ApprovalId>>,
}

impl SharedTimers {
    pub fn new(clock: Arc<dyn Clock>, faults: Arc<Faults>) -> Self {
        let inner = Mutex::new(Arc::new(MemoryTimers::new(Arc::clone(&clock))));
        Self { inner, clock, faults, known: Mutex::default() }
    }

    /// Everything that was set is gone.
    pub fn flush(&self) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(MemoryTimers::new(Arc::clone(&self.clock)));
    }

    async fn reach(&self) -> Result<Arc<MemoryTimers>, PortError> {
        give_way().await;
        if self.faults.plant == Plant::TimersAreGone || self.faults.strike(60) {
            return Err(PortError { what: "timers", source: broken("timers can't be reached") });
        }
        Ok(Arc::clone(&self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn known(&self) -> Vec<ApprovalId> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[async_trait]
impl Timers for SharedTimers {
    async fn arm(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        let inner = self.reach().await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(timers.iter().map(|(id, _)| *id));
        if self.faults.strike(10) {
            return Ok(());
        }
        inner.arm(timers).await?;
        give_way().await;
        Ok(())
    }

    async fn arm_missing(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        let inner = self.reach().await?;
        inner.arm_missing(timers).await
    }

    async fn disarm(&self, ids: &[ApprovalId]) -> Result<(), PortError> {
        let inner = self.reach().await?;
        if self.faults.strike(10) {
            return Ok(());
        }
        inner.disarm(ids).await
    }

    async fn claim(&self, max: usize, lease: Duration) -> Result<Vec<Claim>, PortError> {
        let inner = self.reach().await?;
        let mut claims = inner.claim(max, lease).await?;
        let known = self.known();
        if !known.is_empty() && self.faults.strike(4) {
            let id = known[self.faults.below(known.len())];
            claims.push(Claim { id, due_at: self.clock.now(), lease: 0 });
        }
        give_way().await;
        Ok(claims)
    }

    async fn ack(&self, claims: &[Claim]) -> Result<(), PortError> {
        self.reach().await?.ack(claims).await
    }

    async fn release(&self, claims: &[Claim]) -> Result<(), PortError> {
        self.reach().await?.release(claims).await
    }

    async fn wait(&self, _: Duration) {
        give_way().await;
    }

    async fn count(&self) -> Result<u64, PortError> {
        self.reach().await?.count().await
    }
}

/// A message that a channel accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub to: Address,
    pub message: Message,
    /// By the database's clock.
    pub at: Timestamp,
}

/// Where all accepted messages lie.
#[derive(Default)]
pub struct Post(Mutex<Vec<Accepted>>);

impl Post {
    pub fn look<T>(&self, look: impl FnOnce(&[Accepted]) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One kind of channel.
pub struct Carrier {
    pub kind: ChannelKind,
    pub post: Arc<Post>,
    pub faults: Arc<Faults>,
    pub database_clock: Arc<dyn Clock>,
}

#[async_trait]
impl ChannelSender for Carrier {
    fn kind(&self) -> ChannelKind {
        self.kind
    }

    async fn send(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        give_way().await;
        if self.faults.strike(6) {
            return Err(SendError::Again { what: "busy", source: None });
        }
        if self.faults.strike(12) {
            return Err(SendError::Gone { what: "no such address" });
        }
        let accepted = Accepted { to: to.clone(), message: message.clone(), at: self.database_clock.now() };
        self.post.0.lock().unwrap_or_else(PoisonError::into_inner).push(accepted);
        give_way().await;
        if self.faults.strike(20) {
            return Err(SendError::Again { what: "timeout", source: None });
        }
        Ok(())
    }
}

/// The backend's webhook endpoint.
pub struct Hook(pub Arc<Faults>);

#[async_trait]
impl WebhookSender for Hook {
    async fn post(&self, _: WebhookMessage<'_>) -> WebhookAnswer {
        give_way().await;
        match self.0.strike(4) {
            true => WebhookAnswer::Status(503),
            false => WebhookAnswer::Status(204),
        }
    }
}

/// Limits that now and then ask to wait a moment.
pub struct Limiter(pub Arc<Faults>);

#[async_trait]
impl Limits for Limiter {
    async fn take(&self, _: Quota, _: &str) -> Verdict {
        match self.0.strike(15) {
            true => Verdict::Wait(Duration::from_secs(5)),
            false => Verdict::Allowed,
        }
    }
}

/// Nobody waits for news here.
pub struct NoNews;

#[async_trait]
impl Live for NoNews {
    async fn publish(&self, _: &[(ApprovalId, Version)]) {
        give_way().await;
    }

    fn subscribe(&self, _: ApprovalId) -> watch::Receiver<Version> {
        watch::channel(0).1
    }

    fn is_connected(&self) -> bool {
        true
    }
}

/// Receipts as plain JSON: who signed is tested elsewhere.
pub struct PlainSigner;

impl ReceiptSigner for PlainSigner {
    fn sign(&self, receipt: &Receipt) -> Result<String, SignError> {
        serde_json::to_string(receipt).map_err(|error| SignError(Box::new(error)))
    }

    fn key_set(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
