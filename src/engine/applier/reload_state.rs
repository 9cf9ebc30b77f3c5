//! How far the rows of rewritten tables are.

use crate::apply::TablePlan;
use std::sync::Arc;

/// A reload under way.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) plan: Arc<TablePlan>,
}
