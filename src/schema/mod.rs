//! Schema changes: how they are captured on the source and what they become on the target.
//!
//! ```text
//!  SOURCE (assets/sql)                                     HERE                        TARGET
//!  event triggers ─> describe what the command touched,    Entry::from_tuple
//!                    before and after ─> schema_log row ─> plan(entry) ─> Plan.steps ─> executed by
//!                    rows of rewritten tables ──────────── RowsMessage::parse           the engine
//! ```
//!
//! The text of a command is never replayed: it may be a whole batch, a DO block, a function call.
//! What an object is, is read from the catalogs; the difference between two such descriptions is
//! turned into statements by pure code ([`plan`]). `install` puts the triggers and their tables on
//! the source and takes them away again.

pub mod description;
mod entry;
mod error;
mod log;
mod plan;
mod rows;

pub use entry::{Change, Entry, FORMAT, Images, ObjectChange, Other, UnknownDrop};
pub use error::SchemaError;
pub use log::{mark_acked, unacked};
pub use plan::{NotApplied, Plan, Refill, RelationTouch, SchemaRename, Step, plan};
pub use rows::RowsMessage;
