//! What `init` and `tear-down` share: the slot's name, and how a plan is printed.

use crate::config::{Maintenance, SlotName};
use crate::postgres::{PgError, Session};
use crate::schema::{PlannedStep, install};

use super::output::{OutputError, print};

/// Returns the configured slot, else the default one of the database really connected to.
///
/// # Errors
/// Transient when the connection is lost.
pub(super) async fn slot_name(
    source: &Session,
    maintenance: &Maintenance,
) -> Result<SlotName, PgError> {
    if let Some(slot) = &maintenance.slot {
        return Ok(slot.clone());
    }
    Ok(SlotName::for_database(&source.current_database().await?))
}

/// Prints the steps as SQL that psql would take, each under the side it is for.
///
/// # Errors
/// Operator when there is no room for them.
pub(super) fn print_plan(steps: &[PlannedStep]) -> Result<(), OutputError> {
    print(&install::render_plan(steps).trim_end_matches('\n'))
}
