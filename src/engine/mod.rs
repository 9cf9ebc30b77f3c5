//! The replication engine: reads the slot, applies to the target, confirms what is durable. It
//! knows no screen.
//!
//! ```text
//!  Engine::start ──> supervise ──> lifecycle (connect, stream, back off, hold)
//!                                     │
//!            ┌────────────────────────┴──────────────────────────┐
//!            │ stream: frame ──> decode ──> stage ──> Applier    │   one task: what is read is
//!            │                  whole source transactions        │   what is applied next
//!            └───────┬───────────────────────────────┬───────────┘
//!                    │ durable LSN (watch)           │ Status (watch)
//!                feedback ──> source             monitor ──> slots, lag
//!                acknowledge ──> schema log      Handle  <── commands
//! ```
//!
//! Reading and applying share one task on purpose: while a batch is applied the source fills the
//! socket's buffers, and reading them out in one go is faster than taking each row as it is sent.
//! Feedback has a task of its own, so that no slow statement on the target can make the source
//! give up on us (manual, section 20.6.1 `wal_sender_timeout`).
//!
//! What always holds: the position confirmed to the source is never beyond the checkpoint that is
//! committed on the target, and a source transaction is in one target transaction whole, together
//! with that checkpoint.

mod acknowledge;
mod applier;
mod counters;
mod error;
mod failure;
mod feedback;
mod handle;
mod in_flight;
mod lifecycle;
mod monitor;
mod observe;
mod options;
mod paired;
mod presence;
mod prune;
mod read_batching;
mod route;
mod sequences;
mod silent;
mod source_tables;
mod stream;
mod watchdog;

pub use error::EngineError;
pub use handle::{Engine, Handle, Remote};
pub use observe::{Observer, Page, Servers};
pub use options::EngineOptions;
pub use sequences::follow_sequences;
