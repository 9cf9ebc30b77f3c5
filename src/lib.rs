//! Keeps one PostgreSQL database equal to another while both are in use: rows and schema changes, exactly
//! once, transaction by transaction.
//!
//! ```text
//!  config ──> Engine::start ──> Handle ──> status (watch), events, commands ──> console, cli
//!                  │
//!  SOURCE ──> postgres ──> decode ──> engine ──> apply ──> TARGET
//!                                       │ schema: what a schema change becomes
//!                                       └ snapshot: existing tables, handed over to the stream
//! ```
//!
//! The face of the library is [`config`] (what to replicate), [`engine`] (start it, read its
//! [`status`], command it) and [`cli::main`]. Everything else is public for the tests and the benches
//! of this repository alone.
//!
//! `docs/architecture.md` has the rules that always hold and the way of a row, `docs/delivery.md` the
//! argument why nothing is lost or applied twice.

#[doc(hidden)]
pub mod apply;
#[doc(hidden)]
pub mod attach;
pub mod cli;
#[doc(hidden)]
pub mod cluster;
pub mod config;
#[cfg(feature = "tui")]
#[doc(hidden)]
pub mod console;
#[doc(hidden)]
pub mod decode;
#[doc(hidden)]
pub mod diagnose;
pub mod engine;
#[doc(hidden)]
pub mod failure;
#[doc(hidden)]
pub mod fault;
#[cfg_attr(
    not(feature = "tui"),
    expect(dead_code, reason = "most of it is for the console")
)]
mod format;
#[cfg(test)]
mod fuzz;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod postgres;
#[cfg(test)]
mod property;
#[doc(hidden)]
pub mod runtime;
#[doc(hidden)]
pub mod schema;
#[doc(hidden)]
pub mod snapshot;
pub mod status;
#[doc(hidden)]
pub mod tutorial;
#[doc(hidden)]
pub mod verify;
