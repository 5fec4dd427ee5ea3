//! The seeded simulation: the real services and workers on the store in memory, two nodes with clocks of their own,
//! people and thieves who act at the same time, and every fault the design speaks of: crashes between any two calls,
//! lost answers to COMMIT, lost and doubled timers, bouncing notices, clocks that step. After every step the
//! invariants of design section 9 are checked.
//!
//! A failure prints its seed and its story; `SEED=n` runs that one alone, `SEEDS=n` that many.

mod acts;
mod cast;
mod chance;
mod checks;
mod choices;
mod clocks;
mod faults;
mod log;
mod outside;
mod passkeys;
mod run;
mod store;
mod tasks;

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use checks::Broken;
use faults::Plant;
use run::Run;

/// Seeds of a plain test run, and steps of each.
const SEEDS: u64 = 3_000;
const STEPS: usize = 800;
/// Seeds of the runs that have no timers at all.
const SEEDS_WITHOUT_TIMERS: u64 = 200;
/// Seeds within which a planted bug must show.
const SEEDS_FOR_A_BUG: u64 = 1_000;

/// A number from the environment, by which a person asks for more, or for one seed again.
fn asked_for(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a person chooses what this test runs; no setting of the service"
    )]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// One run from its seed, with this bug planted. Gives the run, and the invariant that it broke.
fn run(seed: u64, plant: Plant) -> (Run, Result<(), Broken>) {
    let mut run = Run::new(seed, plant);
    let steps = (0..STEPS).try_for_each(|_| run.step());
    let result = steps.and_then(|()| run.calm());
    (run, result)
}

/// The senders' timeouts want a runtime to belong to; nothing in a run waits for real time.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Runs these seeds side by side, each with this bug planted, and gives the first that broke an invariant, with its
/// story. Later ones may be left out once one has.
fn first_broken(seeds: Range<u64>, plant: Plant) -> Option<(u64, Broken, String)> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(None);
    let work = || {
        let runtime = runtime();
        let _inside = runtime.enter();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
            if seed >= seeds.end || lock().is_some() {
                return;
            }
            let (run, result) = run(seed, plant);
            if let Err(broken) = result {
                lock().get_or_insert((seed, broken, run.story()));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn no_seed_breaks_an_invariant() {
    let seeds = match asked_for("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked_for("SEEDS").unwrap_or(SEEDS),
    };
    if let Some((seed, broken, story)) = first_broken(seeds, Plant::Nothing) {
        panic!("seed {seed} broke {broken}\n\n{story}\n\nSEED={seed} runs it again");
    }
}

#[test]
fn no_seed_breaks_an_invariant_without_timers() {
    if let Some((seed, broken, story)) = first_broken(0..SEEDS_WITHOUT_TIMERS, Plant::TimersAreGone) {
        panic!("seed {seed} broke {broken} without timers\n\n{story}");
    }
}

/// The checks are worth nothing if they never fail. Each planted bug must be found, by the rule that it breaks.
fn is_found(plant: Plant, rules: &[&str]) {
    let (seed, broken, _) = first_broken(0..SEEDS_FOR_A_BUG, plant).expect("no seed found the planted bug");
    assert!(rules.contains(&broken.rule), "seed {seed} found {plant:?} by another rule: {broken}");
}

#[test]
fn a_store_without_compare_and_set_is_found() {
    is_found(Plant::NoCompareAndSet, &[checks::FINAL, checks::ORDER, checks::EVIDENCE]);
}

#[test]
fn a_store_that_ignores_its_clock_is_found() {
    is_found(Plant::NoGuard, &[checks::EARLY, checks::ONCE]);
}

#[test]
fn a_store_that_calls_everybody_told_is_found() {
    is_found(Plant::EverybodyWasTold, &[checks::TOLD]);
}

#[test]
fn a_store_that_answers_before_it_has_stored_is_found() {
    is_found(Plant::AnswersTooSoon, &[checks::LOST, checks::STOPPED]);
}

#[test]
fn a_store_that_drops_webhooks_is_found() {
    is_found(Plant::NoOutbox, &[checks::WHOLE]);
}

#[test]
fn a_store_that_drops_evidence_is_found() {
    is_found(Plant::NoEvidence, &[checks::EVIDENCE]);
}

#[test]
fn a_passkey_check_that_always_passes_is_found() {
    is_found(Plant::AnyPasskeyFits, &[checks::EVIDENCE]);
}

#[test]
fn timers_that_release_while_the_clocks_are_apart_are_found() {
    is_found(Plant::TimersAskNoGate, &[checks::EARLY]);
}

#[test]
fn a_sweep_that_releases_while_the_clocks_are_apart_is_found() {
    is_found(Plant::SweepAsksNoGate, &[checks::EARLY]);
}

#[test]
fn a_store_that_tells_one_channel_twice_is_found() {
    is_found(Plant::TellsOneTwice, &[checks::WHOLE]);
}

#[test]
fn a_freeze_that_stops_nothing_is_found() {
    is_found(Plant::FreezeSeesNothing, &[checks::STOPPED]);
}

#[test]
fn timers_that_nobody_arms_again_are_found() {
    is_found(Plant::NoSweep, &[checks::STUCK]);
}
