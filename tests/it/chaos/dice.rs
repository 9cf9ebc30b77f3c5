//! Random numbers that a seed repeats; the seed is reported when a test fails.

use std::hash::{BuildHasher as _, RandomState};

/// Repeats a run: the number that a failed one has told.
const SEED: &str = "CHAOS_SEED";

/// `SplitMix64`: small, and good enough to choose what happens next.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Returns this run's seed and says it: what a failed test has printed can be seen again.
pub fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(SEED) % 1_000_000);
    eprintln!("{SEED}={seed}");
    seed
}
