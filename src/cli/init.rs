//! `pgstream init`: prepares the source.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::process::ExitCode;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::{Configuration, Maintenance, Plugin, SlotName};
use crate::postgres::{PgError, Session, connect_watched, find_slot, slot_or_default};
use crate::schema::{InstallError, Progress, StepProgress, StepState, install};

use super::Failure;
use super::args::InitArguments;
use super::output::{print, print_note};
use super::plan::print_plan;
use super::runtime::block_on;
use super::servers::Servers;
use super::signals::Signals;

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
        print(&"SUCCESS  pgstream initialisation complete")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing; says so when nothing is. A signal takes back what was done, a second one
/// ends at once.
pub(super) async fn init(maintenance: &Maintenance) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let stop = watch::Sender::new(false);
    let mut work = pin!(install_missing(maintenance, &stop));
    let name = tokio::select! {
        biased;
        done = &mut work => return done,
        name = signals.next() => name,
    };
    info!(target: "schema", "{name}: taking back what was done; a second signal leaves it");
    stop.send_replace(true);
    tokio::select! {
        biased;
        done = &mut work => done,
        _ = signals.next() => Err(InstallError::Left.into()),
    }
}

async fn install_missing(
    maintenance: &Maintenance,
    stop: &watch::Sender<bool>,
) -> Result<(), Failure> {
    let servers = enter(maintenance).await?;
    let source = &servers.source;
    let slot = slot_or_default(source, maintenance.slot.as_ref()).await?;
    let plugin = plugin(source, &slot, maintenance.plugin).await?;
    let watcher = watch::Sender::new(Progress::default());
    let reported = Cell::new(0);
    let work = install::init_until(servers.both(), (&slot, plugin), &watcher, stop);
    let report = tokio::select! {
        biased;
        never = tell_steps(watcher.subscribe(), &reported) => match never {},
        report = work => report?,
    };
    // Whoever watches may miss the last one.
    for step in report.done.iter().skip(reported.get()) {
        info!(target: "schema", "{step}");
    }
    for note in &report.notes {
        warn!(target: "schema", "{note}");
    }
    if report.done.is_empty() {
        print_note(&format!(
            "{} was initialised before, with slot {slot}: nothing was changed",
            source.object()
        ));
    }
    Ok(())
}

/// Tells each step when it is done.
async fn tell_steps(mut progress: watch::Receiver<Progress>, reported: &Cell<usize>) -> Infallible {
    loop {
        let seen = progress.borrow_and_update().clone();
        let is_done = |step: &&StepProgress| matches!(step.state, StepState::Done(_));
        for step in seen.steps.iter().skip(reported.get()).take_while(is_done) {
            info!(target: "schema", "{}", step.what);
            reported.set(reported.get() + 1);
        }
        if progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn enter(maintenance: &Maintenance) -> Result<Servers, PgError> {
    let source = connect_watched(&maintenance.source, APPLICATION_NAME).await?;
    Servers::of(source, maintenance, APPLICATION_NAME).await
}

/// What was not asked for is as the slot has it that is there.
async fn plugin(
    source: &Session,
    slot: &SlotName,
    wanted: Option<Plugin>,
) -> Result<Plugin, Failure> {
    if let Some(wanted) = wanted {
        return Ok(wanted);
    }
    let found = find_slot(source, slot).await?;
    let plugin = found.and_then(|found| found.plugin?.parse().ok());
    Ok(plugin.unwrap_or_default())
}

async fn plan(maintenance: &Maintenance) -> Result<(), Failure> {
    let servers = enter(maintenance).await?;
    let slot = slot_or_default(&servers.source, maintenance.slot.as_ref()).await?;
    let plugin = plugin(&servers.source, &slot, maintenance.plugin).await?;
    let steps = install::plan_init(servers.both(), &slot, plugin).await?;
    Ok(print_plan(&steps)?)
}
