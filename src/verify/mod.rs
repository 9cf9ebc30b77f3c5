//! Proves that both sides hold the same rows, at one exact position, while both are in use.
//!
//! ```text
//!  pair    ── a snapshot of the source and one of the target that hold exactly the same transactions
//!  table   ── what is compared: the tables that replicate, and the columns that both sides have
//!  digest  ── COPY … TO STDOUT of both sides, the bytes of each row hashed, sums by bucket     (pure)
//!  rows    ── the rows of unequal buckets, read once more, row by row                           (pure)
//!  compare ── one table, both sides at once
//!  run     ── all tables, several at a time; what changed meanwhile is compared under another pair
//! ```
//!
//! Every difference is real: both snapshots hold the same transactions, so nothing is tried again in the
//! hope that it goes away. Nothing that differs is missed: 128 bits of hash a row under a seed that nobody
//! knows, and sums, not XOR, in which a row that is there twice does not cancel itself.

mod compare;
mod digest;
mod error;
mod pair;
mod record;
mod report;
mod rows;
mod run;
mod table;

pub use error::VerifyError;
pub use report::{Report, RowDifference, RowKind, TableReport, Verdict};
pub use run::{Options, verify};
