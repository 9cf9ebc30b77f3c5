//! `pgstream tear-down`: removes everything of ours from both sides.

use std::process::ExitCode;

use tracing::info;

use super::Failure;
use super::args::TearDownArguments;
use super::output::{print, say};
use super::plan::{print_plan, slot_name};
use super::runtime::block_on;
use crate::config::{Configuration, Maintenance, SlotName};
use crate::postgres::{PgError, Session, connect};
use crate::schema::install::{self, InstallError};

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream tear-down";

/// The sides that answered, and the first that did not.
struct Sides {
    source: Option<Session>,
    target: Option<Session>,
    slot: SlotName,
    away: Option<(&'static str, PgError)>,
}

/// Removes what `init` and `run` made, or prints the SQL that would. A side that does not answer is
/// the error at the end: the other one is cleaned all the same.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &TearDownArguments,
) -> Result<ExitCode, Failure> {
    let maintenance = configuration.maintenance()?;
    block_on(tear_down(&maintenance, arguments.plan))??;
    if !arguments.plan {
        print(&"SUCCESS  pgstream tear down complete")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn tear_down(maintenance: &Maintenance, plan: bool) -> Result<(), Failure> {
    let sides = enter(maintenance).await?;
    let (source, target) = (sides.source.as_ref(), sides.target.as_ref());
    if plan {
        let plan = install::plan_tear_down(source, target, &sides.slot).await?;
        if let Some(refusal) = &plan.refusal {
            print(&format!("-- note: {}", install::until_then(refusal)))?;
        }
        print_plan(&plan.steps)?;
    } else {
        remove(&sides).await?;
    }
    match sides.away {
        None => Ok(()),
        Some((side, source)) => {
            say(&what_remains(side, &sides.slot));
            Err(InstallError::Remains { side, source }.into())
        }
    }
}

async fn remove(sides: &Sides) -> Result<(), Failure> {
    let (source, target) = (sides.source.as_ref(), sides.target.as_ref());
    let report = install::tear_down(source, target, &sides.slot).await?;
    for step in &report.done {
        info!(target: "schema", "{step}");
    }
    if report.done.is_empty() && sides.away.is_none() {
        say(&format!(
            "nothing of pgstream was there for slot {}: nothing was changed",
            sides.slot
        ));
    }
    Ok(())
}

async fn enter(maintenance: &Maintenance) -> Result<Sides, Failure> {
    let mut away = None;
    let source = connect(&maintenance.source, APPLICATION_NAME).await;
    let source = source.map_err(|error| away = Some(("source", error))).ok();
    let target = match &maintenance.target {
        None => None,
        Some(settings) => match connect(settings, APPLICATION_NAME).await {
            Ok(session) => Some(session),
            Err(error) => {
                away.get_or_insert(("target", error));
                None
            }
        },
    };
    let slot = match &source {
        Some(source) => slot_name(source, maintenance).await?,
        None => guessed_slot(maintenance),
    };
    Ok(Sides {
        source,
        target,
        slot,
        away,
    })
}

/// The default by the database that the connection string names, as the source cannot be asked.
fn guessed_slot(maintenance: &Maintenance) -> SlotName {
    let database = maintenance.source.database();
    maintenance
        .slot
        .clone()
        .unwrap_or_else(|| SlotName::for_database(database))
}

fn what_remains(side: &str, slot: &SlotName) -> String {
    let what = match side {
        "source" => format!(
            "replication slot {slot}, which keeps WAL, its publication, the event triggers and schema \
             pgstream"
        ),
        _ => format!("the checkpoint of slot {slot} in schema pgstream"),
    };
    format!("on the {side} remains what was made there: {what}; tear-down again when it answers")
}
