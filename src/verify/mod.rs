//! Proves that both sides are equal, at one exact position, while both are in use.
//!
//! ```text
//!  pair    ── a snapshot of the source and one of the target that hold exactly the same transactions
//!  table   ── what is compared: the tables that replicate, and the columns that both sides have
//!  digest  ── COPY … TO STDOUT of both sides, the bytes of each row hashed, sums by bucket     (pure)
//!  rows    ── the rows of unequal buckets, read once more, row by row                           (pure)
//!  compare ── one table, both sides at once, range by range where its key has an order
//!  proved  ── how far each table is, for another pair of snapshots or another run
//!  workers ── several tables at a time; others go first
//!  schema  ── what replicates of the definitions, compared by the one comparer of descriptions
//!  sequence── the target's are not behind
//!  repair  ── rows of the target made those of the source, where the stream stands
//!  adopt   ── a target that the slot does not go on from, taken over at a position
//!  run     ── all of it; what changed meanwhile is compared under another pair
//! ```
//!
//! Every difference is real: both snapshots hold the same transactions, so nothing is tried again in the
//! hope that it goes away. Nothing that differs is missed: 128 bits of hash a row under a seed that nobody
//! knows, and sums, not XOR, in which a row that is there twice does not cancel itself.

mod adopt;
mod beside;
mod changes;
mod compare;
mod counters;
mod digest;
mod error;
mod opened;
mod pair;
mod proved;
mod record;
mod repair;
mod repairs;
mod report;
mod rows;
mod run;
mod schema;
mod sequence;
mod session;
mod table;
mod workers;

pub use crate::status::Verdict;
pub use error::VerifyError;
pub use report::{
    ColumnValues, Event, ObjectReport, Progress, Repaired, Report, RowDifference, RowKind,
    SequenceReport, TableReport,
};
pub use run::{Options, verify};
