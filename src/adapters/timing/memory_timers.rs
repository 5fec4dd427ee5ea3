//! Timers in this process, for a service that is one process. They are gone with it: the sweep sets them again from
//! the record. Imports `domain` and `ports`.

use async_trait::async_trait;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::ids::ApprovalId;
use crate::domain::time::Timestamp;
use crate::ports::timing::{Claim, Clock, PortError, Timers};

/// Leases of one timer that end closer together than this might be taken for each other.
const SAME: Duration = Duration::from_millis(1);

/// The alarm clock of one process.
pub struct MemoryTimers {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    sooner: Notify,
}

impl MemoryTimers {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), sooner: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A timer is no record: a half-done change of a thread that panicked is mended by the sweep.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the timers and wakes who waits, if there is something to look at sooner than there was.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let is_sooner = {
            let mut state = self.state();
            let before = state.soonest();
            change(&mut state);
            match (before, state.soonest()) {
                (Some(before), Some(after)) => after < before,
                (None, after) => after.is_some(),
                (Some(_), None) => false,
            }
        };
        if is_sooner {
            self.sooner.notify_waiters();
        }
    }
}

/// Timers in two orders each, by id and by time.
#[derive(Default)]
struct State {
    due: HashMap<ApprovalId, Timestamp>,
    by_due: BTreeSet<(Timestamp, ApprovalId)>,
    leases: HashMap<ApprovalId, Lease>,
    by_end: BTreeSet<(Timestamp, ApprovalId)>,
}

#[derive(Clone, Copy)]
struct Lease {
    due_at: Timestamp,
    end: Timestamp,
}

impl State {
    fn set(&mut self, id: ApprovalId, due_at: Timestamp) {
        if let Some(before) = self.due.insert(id, due_at) {
            self.by_due.remove(&(before, id));
        }
        self.by_due.insert((due_at, id));
    }

    fn unset(&mut self, id: ApprovalId) {
        if let Some(before) = self.due.remove(&id) {
            self.by_due.remove(&(before, id));
        }
    }

    fn unlease(&mut self, id: ApprovalId) {
        if let Some(lease) = self.leases.remove(&id) {
            self.by_end.remove(&(lease.end, id));
        }
    }

    /// Hands a lease out. Its end is what tells it from the one before, so it is moved by a microsecond where a clock
    /// that stands still, as in a simulation, would make the two the same.
    fn lease(&mut self, id: ApprovalId, due_at: Timestamp, end: Timestamp) -> Claim {
        let end = match self.leases.get(&id) {
            Some(before) if end <= before.end && before.end.since(end) < SAME => before.end + Duration::from_micros(1),
            _ => end,
        };
        self.unlease(id);
        self.leases.insert(id, Lease { due_at, end });
        self.by_end.insert((end, id));
        Claim { id, due_at, lease: end.micros() }
    }

    fn is_ours(&self, claim: &Claim) -> bool {
        self.leases.get(&claim.id).is_some_and(|lease| lease.end.micros() == claim.lease)
    }

    /// When there will be something to look at.
    fn soonest(&self) -> Option<Timestamp> {
        let due = self.by_due.first().map(|(at, _)| *at);
        let end = self.by_end.first().map(|(at, _)| *at);
        match (due, end) {
            (Some(due), Some(end)) => Some(due.min(end)),
            (due, end) => due.or(end),
        }
    }

    fn claim(&mut self, max: usize, now: Timestamp, end: Timestamp) -> Vec<Claim> {
        let expired: Vec<ApprovalId> =
            self.by_end.iter().take_while(|(end, _)| *end <= now).take(max).map(|(_, id)| *id).collect();
        let mut claims = Vec::with_capacity(expired.len());
        for id in expired {
            let Some(lease) = self.leases.get(&id).copied() else { continue };
            // One that was set anew in the meantime and is due as well is the same look.
            if self.due.get(&id).is_some_and(|due_at| *due_at <= now) {
                self.unset(id);
            }
            claims.push(self.lease(id, lease.due_at, end));
        }
        let due: Vec<(Timestamp, ApprovalId)> =
            self.by_due.iter().take_while(|(at, _)| *at <= now).take(max - claims.len()).copied().collect();
        for (due_at, id) in due {
            self.unset(id);
            claims.push(self.lease(id, due_at, end));
        }
        claims
    }
}

#[async_trait]
impl Timers for MemoryTimers {
    async fn arm(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        self.change(|state| timers.iter().for_each(|(id, due_at)| state.set(*id, *due_at)));
        Ok(())
    }

    async fn arm_missing(&self, timers: &[(ApprovalId, Timestamp)]) -> Result<(), PortError> {
        self.change(|state| {
            for (id, due_at) in timers {
                if !state.due.contains_key(id) && !state.leases.contains_key(id) {
                    state.set(*id, *due_at);
                }
            }
        });
        Ok(())
    }

    async fn disarm(&self, ids: &[ApprovalId]) -> Result<(), PortError> {
        let mut state = self.state();
        for id in ids {
            state.unset(*id);
            state.unlease(*id);
        }
        Ok(())
    }

    async fn claim(&self, max: usize, lease: Duration) -> Result<Vec<Claim>, PortError> {
        let now = self.clock.now();
        Ok(self.state().claim(max, now, now + lease))
    }

    async fn ack(&self, claims: &[Claim]) -> Result<(), PortError> {
        let mut state = self.state();
        for claim in claims {
            if state.is_ours(claim) {
                state.unlease(claim.id);
            }
        }
        Ok(())
    }

    async fn release(&self, claims: &[Claim]) -> Result<(), PortError> {
        self.change(|state| {
            for claim in claims {
                if !state.is_ours(claim) {
                    continue;
                }
                state.unlease(claim.id);
                // Set anew in the meantime: the newer time stands.
                if !state.due.contains_key(&claim.id) {
                    state.set(claim.id, claim.due_at);
                }
            }
        });
        Ok(())
    }

    async fn wait(&self, longest: Duration) {
        let deadline = Instant::now() + longest;
        loop {
            let sooner = self.sooner.notified();
            tokio::pin!(sooner);
            // Heard from here on, so that nothing that is set after the look below is missed.
            sooner.as_mut().enable();
            let soonest = self.state().soonest();
            let now = self.clock.now();
            let until = soonest.map_or(deadline, |at| deadline.min(Instant::now() + at.since(now)));
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = &mut sooner => {}
            }
        }
    }

    async fn count(&self) -> Result<u64, PortError> {
        let state = self.state();
        Ok(u64::try_from(state.due.len() + state.leases.len()).unwrap_or(u64::MAX))
    }
}
