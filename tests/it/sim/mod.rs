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
mod outside;
mod passkeys;
mod run;
mod store;
mod tasks;

use checks::Broken;
use faults::Plant;
use run::Run;

/// Seeds of a plain test run, and steps of each.
const SEEDS: u64 = 3_000;
const STEPS: usize = 800;

/// A number from the environment, by which a person asks for more, or for one seed again.
fn asked_for(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how a person chooses what this test runs; no setting of the service")]
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

#[test]
fn no_seed_breaks_an_invariant() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let seeds = match asked_for("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked_for("SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let (run, result) = run(seed, Plant::Nothing);
        if let Err(broken) = result {
            panic!("seed {seed} broke: {broken}\n\n{}\n\nSEED={seed} runs it again", run.story.join("\n"));
        }
    }
}
