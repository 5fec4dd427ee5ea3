//! Time, chance, timers, limits, and news of changes.

use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::watch;

use crate::domain::approval::Version;
use crate::domain::ids::ApprovalId;
use crate::domain::time::Timestamp;

/// The node's clock.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Random bytes from the operating system.
pub trait Entropy: Send + Sync {
    fn fill(&self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// A port that isn't the record can't be reached. The work goes on without it.
#[derive(Debug, thiserror::Error)]
#[error("{what} is unavailable")]
pub struct PortError {
    pub what: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A timer that a worker has leased. Acknowledged only while the lease is still its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub id: ApprovalId,
    /// When it was due.
    pub due_at: Timestamp,
    /// Fencing token: the exact end of the lease that was handed out, in microseconds of the timer's own clock.
    pub lease: i64,
}

/// An alarm clock, not a record: a timer says "look now".
#[async_trait]
pub trait Timers: Send + Sync {
    /// Sets timers; an earlier one of the same approval is replaced. A timer that is leased right now is set anew
    /// beside its lease, so that nothing is lost.
    async fn arm(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError>;
    /// Sets timers only where none is set or leased: what the sweep does.
    async fn arm_missing(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError>;
    /// Removes timers. One that fires all the same finds nothing to do.
    async fn disarm(&self, ids: &[ApprovalId]) -> Result<(), PortError>;
    /// Leases up to `max` timers that are due; first those whose lease ran out.
    async fn claim(&self, max: usize, lease: Duration) -> Result<Vec<Claim>, PortError>;
    /// Removes claimed timers whose lease is still ours.
    async fn ack(&self, claims: &[Claim]) -> Result<(), PortError>;
    /// Gives claimed timers back at once (graceful shutdown), if the lease is still ours.
    async fn release(&self, claims: &[Claim]) -> Result<(), PortError>;
    /// Waits until a timer may be due, something was armed on this node, or `longest` has passed.
    async fn wait(&self, longest: Duration);
    /// How many are set or leased.
    async fn count(&self) -> Result<u64, PortError>;
}

/// What is limited, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Name in the key, for example `notice`.
    pub name: &'static str,
    /// So many at once.
    pub burst: u32,
    /// So many come back in `per`.
    pub per: Duration,
}

/// Whether one more is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// Try again after this long.
    Wait(Duration),
}

/// Rates (generic cell rate algorithm, ITU-T I.371 annex A), shared by all nodes.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Takes one from `quota` for `who`. When the limiter can't be reached each node counts for itself.
    async fn take(&self, quota: Quota, who: &str) -> Verdict;
}

/// News of changed approvals, for live pages and long polls. May lose messages: whoever waits looks again now and then.
#[async_trait]
pub trait Live: Send + Sync {
    /// Tells every node. Never fails: news is a courtesy.
    async fn publish(&self, news: &[(ApprovalId, Version)]);
    /// A receiver that sees the newest version heard of since now; it starts at 0.
    fn subscribe(&self, id: ApprovalId) -> watch::Receiver<Version>;
    /// Whether news from other nodes arrives at present.
    fn is_connected(&self) -> bool;
}
