//! `pgstream tear-down`: removes everything of ours from both sides.

use std::process::ExitCode;

use tracing::info;

use crate::config::{Configuration, ConnectionSettings, Maintenance, SlotName};
use crate::postgres::{PgError, Session, connect_watched, slot_or_default};
use crate::schema::{InstallError, SourceServers, install};

use super::Failure;
use super::args::TearDownArguments;
use super::output::{print, print_note};
use super::plan::print_plan;
use super::runtime::block_on;
use super::servers::Servers;

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream tear-down";

/// The sides that answered, and the first that did not.
struct Sides {
    source: Option<Servers>,
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

impl Sides {
    fn servers(&self) -> Option<SourceServers<'_>> {
        self.source.as_ref().map(Servers::both)
    }
}

async fn tear_down(maintenance: &Maintenance, plan: bool) -> Result<(), Failure> {
    let sides = enter(maintenance).await?;
    let (source, target) = (sides.servers(), sides.target.as_ref());
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
            print_note(&what_remains(side, &sides.slot));
            Err(InstallError::Remains { side, source }.into())
        }
    }
}

async fn remove(sides: &Sides) -> Result<(), Failure> {
    let (source, target) = (sides.servers(), sides.target.as_ref());
    let report = install::tear_down(source, target, &sides.slot).await?;
    for step in &report.done {
        info!(target: "schema", "{step}");
    }
    if report.done.is_empty() && sides.away.is_none() {
        print_note(&format!(
            "nothing of pgstream was there for slot {}: nothing was changed",
            sides.slot
        ));
    }
    Ok(())
}

async fn enter(maintenance: &Maintenance) -> Result<Sides, Failure> {
    let mut away = None;
    let source = async {
        let source = answering(&maintenance.source).await?;
        Servers::of(source, maintenance, APPLICATION_NAME).await
    };
    let source = source.await.map_err(|error| away = Some(("source", error)));
    let source = source.ok();
    let target = match &maintenance.target {
        None => None,
        Some(settings) => match answering(settings).await {
            Ok(session) => Some(session),
            Err(error) => {
                away.get_or_insert(("target", error));
                None
            }
        },
    };
    let slot = match &source {
        Some(servers) => slot_or_default(&servers.source, maintenance.slot.as_ref()).await?,
        None => guessed_slot(maintenance),
    };
    Ok(Sides {
        source,
        target,
        slot,
        away,
    })
}

/// A server that lets us in and then says nothing is away, too.
async fn answering(settings: &ConnectionSettings) -> Result<Session, PgError> {
    let session = connect_watched(settings, APPLICATION_NAME).await?;
    session.current_database().await?;
    Ok(session)
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
