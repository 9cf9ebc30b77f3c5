//! `pgstream init`: prepares the source.

use std::process::ExitCode;

use tracing::info;

use super::Failure;
use super::args::InitArguments;
use super::output::{print, say};
use super::plan::{print_plan, slot_name};
use super::runtime::block_on;
use crate::config::{Configuration, Maintenance};
use crate::postgres::connect;
use crate::schema::install;

/// What `application_name` says of us on the source.
const APPLICATION_NAME: &str = "pgstream init";

/// Prepares the source, or prints the SQL that would.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &InitArguments,
) -> Result<ExitCode, Failure> {
    let maintenance = configuration.maintenance()?;
    if arguments.plan {
        block_on(plan(&maintenance))??;
    } else {
        block_on(init(&maintenance))??;
        print(&"SUCCESS  pgstream initialisation complete");
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing; says so when nothing is.
pub(super) async fn init(maintenance: &Maintenance) -> Result<(), Failure> {
    let source = connect(&maintenance.source, APPLICATION_NAME).await?;
    let slot = slot_name(&source, maintenance).await?;
    let report = install::init(&source, &slot, maintenance.plugin).await?;
    for step in &report.done {
        info!(target: "schema", "{step}");
    }
    if report.done.is_empty() {
        say(&format!(
            "{} was initialised before, with slot {slot}: nothing was changed",
            source.object()
        ));
    }
    Ok(())
}

async fn plan(maintenance: &Maintenance) -> Result<(), Failure> {
    let source = connect(&maintenance.source, APPLICATION_NAME).await?;
    let slot = slot_name(&source, maintenance).await?;
    print_plan(&install::plan_init(&source, &slot, maintenance.plugin).await?);
    Ok(())
}
