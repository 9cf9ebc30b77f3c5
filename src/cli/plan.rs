//! What `init` and `tear-down` share: the slot's name, and how a plan is printed.

use super::output::print;
use crate::config::{Maintenance, SlotName};
use crate::postgres::{PgError, Session};
use crate::schema::install::{PlannedStep, Side};

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
pub(super) fn print_plan(steps: &[PlannedStep]) {
    if steps.is_empty() {
        print(&"-- nothing to do");
    }
    for step in steps {
        print(&render(step));
    }
}

fn render(step: &PlannedStep) -> String {
    let side = match step.side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let sql = step.sql.trim_end();
    let end = if sql.ends_with(';') || sql.starts_with("--") {
        ""
    } else {
        ";"
    };
    format!("-- {side}: {}\n{sql}{end}\n", step.what)
}
