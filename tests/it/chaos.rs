//! Whatever happens to the three processes, both sides end equal: nothing lost, nothing doubled.
//!
//! The real binary runs under a mixed load and is killed at every named place and at random
//! moments. A run can be repeated with the seed that it has printed (`CHAOS_SEED`); `CHAOS_SECS`
//! is how long it kills at random moments.

pub mod dice;
#[cfg(feature = "failpoints")]
mod failpoints;
pub mod load;
mod moments;

use crate::support::Call;
use crate::support::flow::{Flow, SLOT};

/// Returns how `pgstream run` is called for the two databases of `flow`.
pub fn run(flow: &Flow) -> Call {
    Call::new(["run", "--headless"])
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &flow.source_cluster.url("postgres"))
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &flow.target_cluster.url("postgres"))
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
}
