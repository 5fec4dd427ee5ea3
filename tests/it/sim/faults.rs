//! What goes wrong, and the bugs that can be planted to see whether the checks find them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::chance::Chance;

/// A bug put into the ports on purpose, or a port that is gone for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    Nothing,
    /// The store writes a transition whatever version is there.
    NoCompareAndSet,
    /// The store doesn't ask its own clock.
    NoGuard,
    /// The store calls everybody told.
    EverybodyWasTold,
    /// Now and then the store answers before it has stored, and then doesn't.
    AnswersTooSoon,
    /// The store forgets to write what goes out.
    NoOutbox,
    /// The store forgets the evidence.
    NoEvidence,
    /// Passkeys are taken for anybody's.
    AnyPasskeyFits,
    /// Lost timers are never armed again.
    NoSweep,
    /// The timers' worker goes on while its node's clock and the database's don't agree.
    TimersAskNoGate,
    /// A sweep releases what is due while they don't.
    SweepAsksNoGate,
    /// The store tells one channel twice, in the place of another.
    TellsOneTwice,
    /// A freeze finds nothing to stop.
    FreezeSeesNothing,
    /// No bug: timers can't be reached from beginning to end, the calm included. Nothing may come of it.
    TimersAreGone,
}

/// Decides when a fault strikes. Switched off for the calm at the end of a run.
pub struct Faults {
    chance: Mutex<Chance>,
    on: AtomicBool,
    pub plant: Plant,
}

impl Faults {
    pub fn new(seed: u64, plant: Plant) -> Self {
        Self { chance: Mutex::new(Chance::new(seed, 2)), on: AtomicBool::new(true), plant }
    }

    pub fn end(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    /// True once in `times`, while faults are on.
    pub fn strike(&self, times: usize) -> bool {
        self.on.load(Ordering::Relaxed) && self.chance.lock().unwrap_or_else(PoisonError::into_inner).once_in(times)
    }

    pub fn below(&self, bound: usize) -> usize {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner).below(bound)
    }
}

/// What a broken port says.
pub fn broken(what: &'static str) -> Box<dyn std::error::Error + Send + Sync> {
    format!("simulated: {what}").into()
}
