//! What a commit on this node left to send goes straight to this node's senders: its rows are written as leased
//! already, so that nobody has to search for them. A node that dies leaves them to the end of their lease, when
//! whoever looks next finds them. May import: `domain`, tokio.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::channel::{Notice, Turn};
use crate::domain::ids::{DeliveryId, EndpointId, NoticeId};
use crate::domain::webhook::Delivery;

/// How long a row that was handed over is nobody else's: the age up to which it is taken, and the longest try of a
/// webhook or a notice (15 s).
const LEASE: Duration = Duration::from_secs(20);
/// What waited longer isn't taken any more, because its lease could end while it is being sent.
const FRESH: Duration = Duration::from_secs(4);
/// Most that may wait here; the rest waits in the database.
const MOST: usize = 4096;

/// How the rows of a change that are to be sent are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Born {
    /// For whoever looks first.
    Free,
    /// Leased by this node.
    Leased,
}

impl Born {
    /// The fence of the new row; each lease raises it by one.
    pub const fn fence(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Leased => 1,
        }
    }

    /// After what time anybody may take the row.
    pub const fn lease(self) -> Duration {
        match self {
            Self::Free => Duration::ZERO,
            Self::Leased => LEASE,
        }
    }
}

/// What was taken.
pub struct Taken<T> {
    pub rows: Vec<T>,
    /// Whether something was queued that wasn't handed over, so that the database has to be asked.
    pub more_stored: bool,
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<(Instant, Notice)>,
    deliveries: VecDeque<(Instant, Delivery)>,
    notices_stored: bool,
    deliveries_stored: bool,
}

/// The way from the committers to the senders of one node.
#[derive(Default)]
pub struct Handover {
    signal: Arc<Notify>,
    has_senders: AtomicBool,
    waiting: Mutex<Waiting>,
}

impl Handover {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notified after every commit that left something to send.
    pub fn signal(&self) -> Arc<Notify> {
        Arc::clone(&self.signal)
    }

    /// From now on senders of this node take what is handed over.
    pub fn open(&self) {
        self.has_senders.store(true, Ordering::Relaxed);
    }

    /// From now on nothing is handed over.
    pub fn shut(&self) {
        self.has_senders.store(false, Ordering::Relaxed);
    }

    /// What nobody took: notices, then deliveries. Its leases are to be given back.
    pub fn left(&self) -> (Vec<NoticeId>, Vec<DeliveryId>) {
        let mut waiting = self.waiting();
        let notices = waiting.notices.drain(..).map(|(_, notice)| notice.id).collect();
        let deliveries = waiting.deliveries.drain(..).map(|(_, delivery)| delivery.id).collect();
        (notices, deliveries)
    }

    /// How the next change is to be written.
    pub fn born(&self) -> Born {
        let waiting = self.waiting();
        let has_room = waiting.notices.len() + waiting.deliveries.len() < MOST;
        if has_room && self.has_senders.load(Ordering::Relaxed) { Born::Leased } else { Born::Free }
    }

    /// A change was stored.
    pub fn stored(&self, born: Born, notices: Vec<Notice>, deliveries: Vec<Delivery>) {
        if notices.is_empty() && deliveries.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut waiting = self.waiting();
        match born {
            Born::Leased => {
                let due = notices.into_iter().filter(|notice| notice.turn == Turn::Now);
                waiting.notices.extend(due.map(|notice| (now, notice)));
                waiting.deliveries.extend(deliveries.into_iter().map(|delivery| (now, delivery)));
            }
            Born::Free => {
                waiting.notices_stored |= !notices.is_empty();
                waiting.deliveries_stored |= !deliveries.is_empty();
            }
        }
        drop(waiting);
        self.wake();
    }

    /// A notice was queued by something other than a change.
    pub fn notice_queued(&self) {
        self.waiting().notices_stored = true;
        self.wake();
    }

    /// Tells the senders that something waits: those that wait now, and, if none does, the next one that will.
    fn wake(&self) {
        self.signal.notify_waiters();
        self.signal.notify_one();
    }

    pub fn take_notices(&self, max: u32) -> Taken<Notice> {
        let now = Instant::now();
        let mut waiting = self.waiting();
        let mut rows = Vec::new();
        while rows.len() < max as usize
            && let Some((since, notice)) = waiting.notices.pop_front()
        {
            if now.duration_since(since) < FRESH {
                rows.push(notice);
            }
        }
        Taken { rows, more_stored: std::mem::take(&mut waiting.notices_stored) }
    }

    /// None for the endpoints in `busy`, and at most `per_endpoint` for one.
    pub fn take_deliveries(&self, max: u32, per_endpoint: u32, busy: &[EndpointId]) -> Taken<Delivery> {
        let now = Instant::now();
        let mut waiting = self.waiting();
        let mut rows = Vec::new();
        let mut kept = VecDeque::new();
        let mut places: HashMap<EndpointId, u32> = HashMap::new();
        while rows.len() < max as usize
            && let Some((since, delivery)) = waiting.deliveries.pop_front()
        {
            if now.duration_since(since) >= FRESH {
                continue;
            }
            let taken = places.entry(delivery.endpoint).or_default();
            if *taken >= per_endpoint || busy.contains(&delivery.endpoint) {
                kept.push_back((since, delivery));
            } else {
                *taken += 1;
                rows.push(delivery);
            }
        }
        kept.append(&mut waiting.deliveries);
        waiting.deliveries = kept;
        Taken { rows, more_stored: std::mem::take(&mut waiting.deliveries_stored) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::{About, Purpose, SealedAddress};
    use crate::domain::ids::{ApprovalId, ChannelId, HolderId};
    use crate::domain::time::Timestamp;
    use crate::domain::webhook::Cause;

    const AT: Timestamp = Timestamp::EPOCH;

    fn notice(number: u8, turn: Turn) -> Notice {
        Notice {
            id: NoticeId::new(AT, [number; 10]),
            holder: HolderId::new(AT, [1; 10]),
            channel: ChannelId::new(AT, [1; 10]),
            address: SealedAddress::default(),
            purpose: Purpose::Cooling,
            about: About::Approval(ApprovalId::new(AT, [1; 10])),
            turn,
            rank: 0,
            created_at: AT,
            useless_after: AT,
        }
    }

    fn delivery(number: u8, endpoint: EndpointId) -> Delivery {
        Delivery {
            id: DeliveryId::new(AT, [number; 10]),
            endpoint,
            cause: Cause::Test,
            message_id: String::new(),
            body: String::new(),
            created_at: AT,
        }
    }

    #[test]
    fn only_what_is_fresh_and_has_its_turn_is_taken() {
        let handover = Handover::default();
        assert_eq!(handover.born(), Born::Free);
        handover.open();
        assert_eq!(handover.born(), Born::Leased);
        handover.stored(Born::Leased, vec![notice(1, Turn::Now), notice(2, Turn::AfterFailure)], Vec::new());
        for (since, _) in &mut handover.waiting().notices {
            *since = since.checked_sub(FRESH).unwrap();
        }
        handover.stored(Born::Leased, vec![notice(3, Turn::Now)], Vec::new());
        let taken = handover.take_notices(10);
        assert_eq!(taken.rows, [notice(3, Turn::Now)]);
        assert!(!taken.more_stored);
        assert!(handover.take_notices(10).rows.is_empty());
    }

    #[test]
    fn a_busy_endpoint_keeps_its_place_and_hinders_nobody() {
        let handover = Handover::default();
        handover.open();
        let (dead, alive) = (EndpointId::new(AT, [1; 10]), EndpointId::new(AT, [2; 10]));
        let all = [delivery(1, dead), delivery(2, dead), delivery(3, alive)];
        handover.stored(Born::Leased, Vec::new(), all.to_vec());
        assert_eq!(handover.take_deliveries(10, 1, &[dead]).rows, [delivery(3, alive)]);
        assert_eq!(handover.take_deliveries(10, 1, &[]).rows, [delivery(1, dead)]);
        handover.shut();
        assert_eq!(handover.born(), Born::Free);
        assert_eq!(handover.left(), (Vec::new(), vec![delivery(2, dead).id]));
    }

    #[test]
    fn what_was_not_handed_over_is_told_once() {
        let handover = Handover::default();
        handover.stored(Born::Free, vec![notice(1, Turn::Now)], Vec::new());
        assert!(handover.take_notices(10).more_stored);
        assert!(!handover.take_notices(10).more_stored);
        handover.notice_queued();
        assert!(handover.take_notices(10).more_stored);
        assert!(!handover.take_deliveries(10, 1, &[]).more_stored);
    }

    #[test]
    fn there_is_a_bound() {
        let handover = Handover::default();
        handover.open();
        handover.stored(Born::Leased, vec![notice(1, Turn::Now); MOST], Vec::new());
        assert_eq!(handover.born(), Born::Free);
    }
}
