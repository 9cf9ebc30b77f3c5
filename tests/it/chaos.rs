//! Whatever happens to the three processes, both sides end equal: nothing lost, nothing doubled.
//!
//! The real binary runs under a mixed load and is killed at every named place and at random
//! moments. A run can be repeated with the seed that it has printed (`CHAOS_SEED`); `CHAOS_SECS`
//! is how long it kills at random moments.

pub mod dice;
pub mod load;
