//! `init`: decides what is missing, does it step by step, and takes it back when a step fails.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::{Plugin, SlotName, publication_name};
use crate::model::hint::begin_anew;
use crate::postgres::{
    PgError, Session, create_publication_sql, create_slot_sql, drop_publication_sql, drop_slot_sql,
    naming_whom_we_wait_for, publish_generated_sql,
};

use super::facts::{self, Facts, Keyless, plugin_hint};
use super::progress::{Progress, Reporter, StepState};
use super::script::{self, quietly};
use super::servers::SourceServers;
use super::unrecorded::unrecorded;
use super::{InstallError, PlannedStep, Side};

/// How often the source is asked whether old transactions are over.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Returns the number of transactions that began before the installation and still run.
const OLDER_TRANSACTIONS: &str = "\
SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::pg_catalog.text::pg_catalog.int8";
const NEXT_TRANSACTION: &str = "\
SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::pg_catalog.int8";

/// A request to cancel that came between two statements is repeated.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(200);

const WAIT: &str = "-- waits until the transactions that are running now are over";

/// What `init` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// The steps, for people; empty when everything was there already.
    pub done: Vec<String>,
    /// What it cannot fix, with what does.
    pub notes: Vec<String>,
}

/// Returns what [`init`] would run, without running it.
///
/// # Errors
/// [`InstallError::Blocked`] when an operator must change something first, [`InstallError::Ask`]
/// when the source does not answer.
pub async fn plan_init(
    source: impl Into<SourceServers<'_>>,
    slot: &SlotName,
    plugin: Plugin,
) -> Result<Vec<PlannedStep>, InstallError> {
    let facts = facts::read(source.into(), slot).await?;
    match facts.blocker(slot, plugin) {
        Some(blocked) => Err(blocked),
        None => Ok(decide(&facts, slot, plugin)),
    }
}

/// Installs everything that is missing on the source: schema, triggers, replica identities,
/// publication, slot. Doing it again changes nothing. Not cancel safe: a cancelled call leaves what
/// it has done so far, which the next call completes.
///
/// # Errors
/// As [`plan_init`]; [`InstallError::Step`] when a step failed, after the steps before it were
/// taken back.
pub async fn init(
    source: impl Into<SourceServers<'_>>,
    slot: &SlotName,
    plugin: Plugin,
) -> Result<InitReport, InstallError> {
    let nobody = watch::Sender::new(Progress::default());
    init_watched(source, slot, plugin, &nobody).await
}

/// As [`init_watched`], until `stop` turns true: then the step in hand is cancelled on the source, and
/// everything is taken back.
///
/// # Errors
/// As [`init`]; [`InstallError::Interrupted`].
pub async fn init_until(
    source: impl Into<SourceServers<'_>>,
    (slot, plugin): (&SlotName, Plugin),
    watcher: &watch::Sender<Progress>,
    stop: &watch::Sender<bool>,
) -> Result<InitReport, InstallError> {
    carry_out(source.into(), (slot, plugin), watcher, stop).await
}

/// As [`init`], told to a watcher step by step.
///
/// # Errors
/// As [`init`].
pub async fn init_watched(
    source: impl Into<SourceServers<'_>>,
    slot: &SlotName,
    plugin: Plugin,
    watcher: &watch::Sender<Progress>,
) -> Result<InitReport, InstallError> {
    let never = watch::Sender::new(false);
    carry_out(source.into(), (slot, plugin), watcher, &never).await
}

async fn carry_out(
    servers: SourceServers<'_>,
    (slot, plugin): (&SlotName, Plugin),
    watcher: &watch::Sender<Progress>,
    stop: &watch::Sender<bool>,
) -> Result<InitReport, InstallError> {
    let facts = facts::read(servers, slot).await?;
    if let Some(blocked) = facts.blocker(slot, plugin) {
        return Err(blocked);
    }
    let unrecorded = unrecorded(servers.primary, facts.installation.as_ref()).await;
    let unrecorded = unrecorded.map_err(|source| InstallError::Ask {
        what: "compare what is known of the schema",
        source,
    })?;
    servers.primary.end_with_us().await;
    servers.slot().end_with_us().await;
    let steps = decide(&facts, slot, plugin);
    let reporter = Reporter::new(watcher, &steps);
    for (number, step) in steps.iter().enumerate() {
        let outcome = reporter.reported(number, run(servers, step, stop)).await;
        let stopped = *stop.borrow();
        let done = match &outcome {
            Ok(()) if !stopped => continue,
            Ok(()) => &steps[..=number],
            Err(_) => &steps[..number],
        };
        let left = take_back(servers, done, &reporter).await;
        let what = step.what.clone();
        return Err(match outcome {
            Err(error) if !stopped => InstallError::Step {
                hint: plugin_hint(&error, &plugin.to_string(), &facts),
                what,
                left,
                source: error,
            },
            Ok(()) | Err(_) => InstallError::Interrupted { what, left },
        });
    }
    Ok(InitReport {
        done: steps.into_iter().map(|step| step.what).collect(),
        notes: unrecorded
            .into_iter()
            .chain(outlived(&facts, slot, plugin))
            .collect(),
    })
}

/// The output plugin looks for the publication as of the moment of each change: one that is made again
/// serves what comes from now on, and not what the slot has kept since the former one went.
fn outlived(facts: &Facts, slot: &SlotName, plugin: Plugin) -> Option<String> {
    let lacks = plugin == Plugin::Pgoutput && facts.publication.is_none();
    (lacks && facts.slot.is_some()).then(|| {
        format!(
            "slot {slot} has lived without its publication: what was changed meanwhile, the drop included, \
             cannot be decoded: {}",
            begin_anew(&facts.argument, slot.as_str())
        )
    })
}

/// Pure: what is missing, in order.
fn decide(facts: &Facts, slot: &SlotName, plugin: Plugin) -> Vec<PlannedStep> {
    let step = |what: String, sql: String, undo: Option<String>| PlannedStep {
        side: Side::Source,
        what,
        sql,
        undo,
    };
    let mut steps = Vec::new();
    let installed = facts.installation.as_ref();
    let complete = installed.is_some_and(|i| i.current && i.of_this_database && i.triggers);
    if !complete {
        let what = match installed {
            Some(_) => "upgrade schema pgstream, its functions and event triggers",
            None => "install schema pgstream, its tables, functions and event triggers",
        };
        let fresh = installed.is_some_and(|i| !i.of_this_database);
        let undo = installed.is_none().then(script::removal);
        steps.push(step(what.to_owned(), script::install(fresh), undo));
    }
    for table in &facts.keyless {
        let what = format!("give keyless table {} a replica identity", table.name);
        steps.push(step(what, full(table), Some(former(table))));
    }
    if !steps.is_empty() {
        let what = "wait for the transactions that began before the triggers were there";
        steps.push(step(what.to_owned(), WAIT.to_owned(), None));
        let what = "describe what those transactions changed";
        steps.push(step(what.to_owned(), describe_again(), None));
    }
    let publication = publication_name(slot.as_str());
    if plugin == Plugin::Pgoutput && facts.publication.is_none() {
        steps.push(step(
            format!("create publication {publication}"),
            quietly(&create_publication_sql(&publication, facts.major_version)),
            Some(quietly(&drop_publication_sql(&publication))),
        ));
    }
    if plugin == Plugin::Pgoutput && facts.publication.is_some_and(|found| !found.generated) {
        steps.push(step(
            format!("publish stored generated columns in publication {publication}"),
            quietly(&publish_generated_sql(&publication)),
            None,
        ));
    }
    if !complete || !facts.pipelines.recorded || facts.slot.is_none() {
        steps.push(step(
            format!("record the pipeline of slot {slot}"),
            script::record_pipeline(slot, (facts.slot.is_some(), facts.on_standby)),
            Some(script::forget_pipeline(slot)),
        ));
    }
    if facts.slot.is_none() {
        steps.push(PlannedStep {
            side: match facts.on_standby {
                true => Side::Standby,
                false => Side::Source,
            },
            what: format!("create replication slot {slot}"),
            sql: create_slot_sql(slot, plugin),
            undo: Some(drop_slot_sql(slot)),
        });
    }
    steps
}

fn full(table: &Keyless) -> String {
    let Keyless { name, oid, former } = table;
    quietly(&format!(
        "ALTER TABLE ONLY {name} REPLICA IDENTITY FULL;
INSERT INTO pgstream.keyless_table VALUES ({oid}, '{former}') ON CONFLICT DO NOTHING"
    ))
}

fn former(table: &Keyless) -> String {
    let setting = match table.former.as_str() {
        "n" => "NOTHING",
        _ => "DEFAULT",
    };
    quietly(&format!(
        "ALTER TABLE ONLY {} REPLICA IDENTITY {setting}",
        table.name
    ))
}

fn describe_again() -> String {
    "BEGIN;
SET LOCAL lock_timeout = '200ms';
SELECT pgstream.keep_identity(c.oid) FROM pg_catalog.pg_class AS c
WHERE pgstream.identity_statement(c.oid) IS NOT NULL;
SELECT pgstream.describe_all();
COMMIT;"
        .to_owned()
}

async fn run(
    servers: SourceServers<'_>,
    step: &PlannedStep,
    stop: &watch::Sender<bool>,
) -> Result<(), PgError> {
    let source = servers.of(step.side);
    // Those of a standby are its primary's.
    let ask = || servers.primary.another("pgstream init");
    let work = async {
        match step.side {
            Side::Standby => servers.make_slot_on_standby(&step.sql, stop).await,
            _ if step.sql == WAIT => wait_for_older_transactions(source, stop).await,
            _ => script::run_patiently(source, &step.sql).await,
        }
    };
    let mut work = Box::pin(naming_whom_we_wait_for(&step.what, ask, work));
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = stopped(stop) => {}
    }
    loop {
        drop(source.cancel().await);
        if let Ok(done) = timeout(CANCEL_AGAIN_AFTER, &mut work).await {
            return done;
        }
    }
}

async fn stopped(stop: &watch::Sender<bool>) {
    let mut asked = stop.subscribe();
    if asked.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left to ask.
        std::future::pending::<()>().await;
    }
}

/// Runs the undos, last first. Returns those that failed.
async fn take_back(
    servers: SourceServers<'_>,
    done: &[PlannedStep],
    reporter: &Reporter<'_>,
) -> Vec<String> {
    let mut left = Vec::new();
    for (number, step) in done.iter().enumerate().rev() {
        let Some(undo) = &step.undo else { continue };
        reporter.report(number, StepState::TakingBack);
        let source = servers.of(step.side);
        if source.run(undo).await.is_ok() {
            reporter.report(number, StepState::TakenBack);
            continue;
        }
        drop(source.run("ROLLBACK").await);
        reporter.report(number, StepState::Left);
        left.push(step.what.clone());
    }
    left
}

async fn wait_for_older_transactions(
    source: &Session,
    stop: &watch::Sender<bool>,
) -> Result<(), PgError> {
    let number = async |sql: &'static str| -> Result<i64, PgError> {
        let row = source.row(sql, &[]).await?;
        Ok(row.map_or(0, |row| row.get(0)))
    };
    let installed_before = number(NEXT_TRANSACTION).await?;
    while !*stop.borrow() && number(OLDER_TRANSACTIONS).await? < installed_before {
        tokio::time::sleep(POLL_EVERY).await;
    }
    Ok(())
}
