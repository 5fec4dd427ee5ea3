//! All the chance there is in a run, from one seed. What the machine adds to it, nobody can repeat.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From the seed that a person asks for, or the test's own, so that a failure belongs to a change and not to chance.
    pub fn of(test: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "how a person repeats a run; no setting of the service")]
        let asked = std::env::var("FAULTS_SEED").ok();
        let seed = match asked {
            Some(text) => text.parse().expect("FAULTS_SEED is a number"),
            None => BuildHasherDefault::<DefaultHasher>::default().hash_one(test),
        };
        eprintln!("{test}: FAULTS_SEED={seed}");
        Self(seed)
    }

    /// A stream of its own, so that nobody's draws depend on how many another one took.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// Below `bound`, which is more than 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let count = u64::try_from(from.len()).expect("a length that fits");
        from[usize::try_from(self.below(count)).expect("less than the length")]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
