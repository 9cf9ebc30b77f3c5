//! Integration tests against real throw-away clusters.
//!
//! `support` has what tests are made of; the rest is one file per subject. A test starts its own
//! clusters (0.3 s), never shares a server, never sleeps, and ends with the oracle.

#![expect(unreachable_pub, reason = "nobody uses a test binary as a library")]
#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a failing test says why and stops"
)]

mod support;

mod chaos;
mod cli_check;
mod cli_config;
mod cli_init;
mod cli_run;
mod cluster;
mod console;
mod copy;
mod deps;
mod durable;
mod encodings;
mod filters;
mod hints;
mod hostile;
mod imports;
mod instruments;
mod interleaved;
mod looks;
mod oracle;
mod owners;
mod ownership;
mod pipelines;
mod plugins;
mod privileges;
mod process;
mod process_start;
mod reconnect;
mod refusals;
mod round_trips;
mod rows;
mod rows_constraints;
mod rows_elsewhere;
mod rows_transactions;
mod schema_flow;
mod schema_install;
mod schema_kinds;
mod schema_mirror;
mod schema_model;
mod schema_objects;
mod schema_statements;
mod schema_traps;
mod schema_versions;
mod sequences;
mod sessions;
mod settings;
mod silence;
mod snapshot;
#[cfg(feature = "failpoints")]
mod snapshot_resume;
mod snapshot_source;
mod standby;
mod stream;
mod suites;
mod tidy;
mod trust;
mod tutorial;
mod values;
mod verify;
mod words;
