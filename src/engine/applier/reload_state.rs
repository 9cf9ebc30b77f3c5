//! How far the rows of rewritten tables are.

use std::sync::Arc;

use crate::apply::TablePlan;

/// A reload under way.
#[derive(Debug)]
pub(super) struct Reload {
    pub(super) plan: Arc<TablePlan>,
}
