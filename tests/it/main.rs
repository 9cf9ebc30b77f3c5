//! Integration tests against real throw-away clusters.
//!
//! `support` has what tests are made of; the rest is one file per subject. A test starts its own
//! clusters (0.3 s), never shares a server, never sleeps, and ends with the oracle.

#![expect(unreachable_pub, reason = "nobody uses a test binary as a library")]
#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "a failing test says why and stops"
)]

mod support;

mod cli_check;
mod cli_config;
mod cluster;
#[cfg(feature = "tui")]
mod console;
mod instruments;
mod oracle;
mod rows;
mod tidy;
mod plugins;
mod sessions;
mod stream;
