//! A statement that waits for the rows that follow its entry.

use crate::schema::{Entry, Step};

/// A statement that waits for the rows that follow its entry.
#[derive(Debug)]
pub(super) struct BehindRows {
    pub(super) entry: Entry,
    pub(super) step: Step,
}
