//! News of changed approvals inside one process. Imports `domain` and `ports`. The Redis adapter stands on it: news
//! from other nodes ends here too.

use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

use crate::domain::approval::Version;
use crate::domain::ids::ApprovalId;
use crate::ports::timing::Live;

/// Who waits for news of what, in this process.
#[derive(Default)]
pub struct MemoryLive {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    // A sender for each receiver, because each counts from when it began to listen. Few listen to one approval.
    by_id: HashMap<ApprovalId, Vec<watch::Sender<Version>>>,
    // How many ids there were when the closed ones were last removed.
    kept: usize,
}

impl Waiting {
    /// Ids looked at without a sweep, however few there are.
    const FEW: usize = 64;

    /// Removes those to whom nobody listens any more, each time the map has doubled: a constant share of the work of
    /// subscribing, and no task of its own.
    fn sweep_if_doubled(&mut self) {
        if self.by_id.len() < Self::FEW.max(2 * self.kept) {
            return;
        }
        self.by_id.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        self.kept = self.by_id.len();
    }
}

impl MemoryLive {
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells those who listen here.
    pub(super) fn deliver(&self, news: impl IntoIterator<Item = (ApprovalId, Version)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, version) in news {
            let Some(senders) = waiting.by_id.get_mut(&id) else { continue };
            senders.retain(|sender| {
                // News may overtake other news: what is older than what was heard is no news.
                sender.send_if_modified(|newest| {
                    let is_newer = version > *newest;
                    if is_newer {
                        *newest = version;
                    }
                    is_newer
                });
                !sender.is_closed()
            });
            if senders.is_empty() {
                waiting.by_id.remove(&id);
            }
        }
    }

    /// A receiver of what is delivered from now on.
    pub(super) fn listen(&self, id: ApprovalId) -> watch::Receiver<Version> {
        let (sender, receiver) = watch::channel(0);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.sweep_if_doubled();
        waiting.by_id.entry(id).or_default().push(sender);
        receiver
    }
}

#[async_trait]
impl Live for MemoryLive {
    async fn publish(&self, news: &[(ApprovalId, Version)]) {
        self.deliver(news.iter().copied());
    }

    fn subscribe(&self, id: ApprovalId) -> watch::Receiver<Version> {
        self.listen(id)
    }

    fn is_connected(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn id(n: u16) -> ApprovalId {
        let mut random = [0; 10];
        random[8..].copy_from_slice(&n.to_be_bytes());
        ApprovalId::new(Timestamp::from_micros(1_795_271_520_000_000), random)
    }

    #[test]
    fn who_stopped_listening_is_forgotten() {
        let live = MemoryLive::new();
        let stays = live.listen(id(0));
        for n in 1..10_000 {
            drop(live.listen(id(n)));
        }
        assert!(live.waiting.lock().unwrap().by_id.len() <= Waiting::FEW);
        live.deliver([(id(0), 4)]);
        assert_eq!(*stays.borrow(), 4);

        drop(stays);
        live.deliver([(id(0), 5)]);
        assert!(!live.waiting.lock().unwrap().by_id.contains_key(&id(0)));
    }
}
