//! How `init` and `tear-down` print a plan.

use crate::schema::{PlannedStep, install};

use super::output::{OutputError, print};

/// Prints the steps as SQL that psql would take, each under the side it is for.
///
/// # Errors
/// Operator when there is no room for them.
pub(super) fn print_plan(steps: &[PlannedStep]) -> Result<(), OutputError> {
    print(&install::render_plan(steps).trim_end_matches('\n'))
}
