//! Verifies every precondition on both sides before anything runs: what is in the way, and the exact
//! statement that fixes it.
//!
//! ```text
//! source ─> check.sql ─> SourceFacts ─┐
//!                                      ├─> rules (pure) ─> findings
//! target ─> check.sql ─> TargetFacts ─┘
//! ```
//!
//! Nothing is left behind on either side. A server that cannot be reached is a finding, not an error:
//! the other side is checked all the same.

mod facts;
mod finding;
mod query;
mod rules;
mod wal2json;

use std::collections::HashSet;

use serde::Serialize;

use crate::config::{
    ConnectionSettings, NullNumbers, Pipeline, Plugin, SlotName, TableFilter, key, publication_name,
};
use crate::engine::continuity;
use crate::model::{Classify, QualifiedName};
use crate::postgres::{PgError, connect_watched};
use crate::schema::Conflict;
use crate::snapshot::plan_snapshot;

use crate::snapshot::SnapshotError;
use facts::{SourceFacts, TargetFacts};

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream check";

/// Where a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where changes come from.
    Source,
    /// Where they go.
    Target,
}

/// One precondition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    pub side: Side,
    /// The setting, role, slot or table.
    pub object: String,
    /// What is in the way.
    pub problem: String,
    /// The statement or command that fixes it.
    pub hint: String,
    /// Whether replication cannot start, or would stop, because of it.
    pub blocking: bool,
}

/// Everything that `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The source, without a password.
    pub source: String,
    /// The target, without a password.
    pub target: String,
    /// The slot; none when its default could not be known.
    pub slot_name: Option<String>,
    /// Findings, those that block first, then by side.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Returns whether replication can start.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.findings.iter().any(|finding| finding.blocking)
    }
}

/// What the pipeline wants of the servers.
#[derive(Debug, Clone)]
struct Wanted {
    /// Without a password.
    source_uri: String,
    /// What names the source on a command line.
    source_argument: String,
    /// The same for what needs a superuser.
    init_argument: String,
    slot_name: SlotName,
    publication_name: String,
    plugin: Plugin,
    null_numbers: NullNumbers,
    schema_changes: bool,
    silent_triggers: bool,
    filter: TableFilter,
    /// Tables that a snapshot brings, if one is asked for.
    copied: Option<TableFilter>,
    /// It brings all else, too: sequences that no table owns.
    everything: bool,
    /// Tables that are on the target already, by a copy or by the stream.
    settled: HashSet<QualifiedName>,
}

impl Wanted {
    /// Returns whether a snapshot brings this table, with the types that it needs.
    fn brings(&self, table: &QualifiedName) -> bool {
        self.copied
            .as_ref()
            .is_some_and(|copied| copied.selects(table))
            && !self.settled.contains(table)
    }

    /// Takes out what is not to be copied any more, once the target has a checkpoint: what it has, the
    /// stream keeps, but for copies that are not through.
    fn goes_on_with(&mut self, target: &TargetFacts) {
        if !self.has_checkpoint(target) {
            return;
        }
        let slot_name = self.slot_name.as_str();
        let open = target.copies.iter().filter(|copy| copy.is_open());
        let open: HashSet<&QualifiedName> = open
            .filter(|copy| copy.slot_name == slot_name)
            .map(|copy| &copy.table)
            .collect();
        let there = target.tables.iter().map(|table| &table.name);
        self.settled = there.filter(|name| !open.contains(name)).cloned().collect();
        self.everything = false;
    }

    fn has_checkpoint(&self, target: &TargetFacts) -> bool {
        let slot_name = self.slot_name.as_str();
        let mut checkpoints = target.checkpoints.iter();
        checkpoints.any(|found| found.slot_name == slot_name)
    }
}

impl Wanted {
    fn of(pipeline: &Pipeline, database: &str) -> Self {
        let slot = pipeline.slot.clone();
        let slot_name = slot.unwrap_or_else(|| SlotName::for_database(database));
        Self {
            source_uri: pipeline.source.to_uri_without_password(),
            source_argument: pipeline.source.as_argument(),
            init_argument: pipeline.source.as_argument(),
            publication_name: publication_name(slot_name.as_str()),
            slot_name,
            plugin: pipeline.plugin,
            null_numbers: pipeline.null_numbers,
            schema_changes: pipeline.schema_log.is_some(),
            silent_triggers: pipeline.disable_triggers,
            filter: pipeline.filter.clone(),
            copied: pipeline
                .snapshot
                .enabled
                .then(|| pipeline.snapshot.tables.clone()),
            everything: pipeline.snapshot.enabled,
            settled: HashSet::new(),
        }
    }
}

/// Verifies both sides. Never fails: what cannot be asked is a finding.
pub async fn check(pipeline: &Pipeline) -> CheckReport {
    // In this order: what the source says of the target has become true there before.
    let mut source = ask_source(pipeline).await;
    let slot_name = source
        .as_ref()
        .ok()
        .map(|(wanted, _)| wanted.slot_name.to_string());
    let slot_name = slot_name.or_else(|| pipeline.slot.as_ref().map(ToString::to_string));
    let mut target = ask_target(pipeline, &slot_name.unwrap_or_default()).await;
    if let (Ok((wanted, facts)), Ok(target)) = (&mut source, &mut target) {
        wanted.goes_on_with(target);
        let slot_name = wanted.slot_name.as_str();
        if rules::both::may_misfit(wanted, facts, target) {
            target.misfit = continuity::certain_misfit(pipeline, slot_name).await;
        }
        if rules::both::gone_checkpoint(wanted, facts, target).is_some() {
            target.checkpoint_gone = continuity::checkpoint_is_gone(pipeline, slot_name).await;
        }
    }
    let source = source.map_err(|error| unreachable(Side::Source, &pipeline.source, &error));
    let target = target.map_err(|error| unreachable(Side::Target, &pipeline.target, &error));
    let wanted = source.as_ref().ok().map(|(wanted, _)| wanted.clone());
    let in_the_way = match (&wanted, &target) {
        (Some(wanted), Ok(facts)) if begins_with_a_copy(wanted, facts) => conflicts(pipeline).await,
        _ => Vec::new(),
    };
    let mut findings = rules::judge(
        source.as_ref().map(|(wanted, facts)| (wanted, facts)),
        target.as_ref(),
        &wanted
            .clone()
            .unwrap_or_else(|| Wanted::of(pipeline, pipeline.source.database())),
    );
    findings.extend(in_the_way);
    findings.sort_by_key(|finding| (!finding.blocking, finding.side));
    CheckReport {
        source: pipeline.source.endpoint(),
        target: pipeline.target.endpoint(),
        slot_name: wanted
            .map(|wanted| wanted.slot_name.to_string())
            .or_else(|| pipeline.slot.as_ref().map(ToString::to_string)),
        findings,
    }
}

/// Without a checkpoint nothing was copied yet.
fn begins_with_a_copy(wanted: &Wanted, target: &TargetFacts) -> bool {
    wanted.copied.is_some() && !wanted.has_checkpoint(target)
}

/// What the first copy would find in its way. Whatever else keeps it from being planned, a missing right
/// for instance, has a finding of its own.
async fn conflicts(pipeline: &Pipeline) -> Vec<Finding> {
    match plan_snapshot(pipeline).await {
        Err(error @ SnapshotError::Patterns { .. }) => {
            let hint = error.hint().unwrap_or_default();
            let object = "tables of the initial snapshot";
            vec![finding::found(
                Side::Source,
                object,
                error.to_string(),
                hint,
            )]
        }
        Err(SnapshotError::Conflict { conflicts, .. }) => {
            finding::bounded(conflicts.iter().map(conflict))
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn conflict(Conflict { object, reason, .. }: &Conflict) -> Finding {
    let hint = "empty or drop it on the target, or leave the table out with \
                PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES";
    let problem = format!("is in the way of the initial snapshot: {reason}");
    finding::found(Side::Target, object.as_str(), problem, hint)
}

async fn ask_source(pipeline: &Pipeline) -> Result<(Wanted, SourceFacts), PgError> {
    let session = connect_watched(&pipeline.source, APPLICATION_NAME).await?;
    session.require_own_process().await?;
    let database = session.current_database().await?;
    let mut wanted = Wanted::of(pipeline, &database);
    let mut facts = query::source(&session, &wanted).await?;
    if !facts.server.superuser {
        wanted.init_argument = pipeline.source.as_superusers_argument();
    }
    if let Some(settings) = &pipeline.schema_log {
        let asked = query::schema_log(settings, &mut facts).await;
        facts.closed_log = asked.err().map(|error| closed_log(settings, &error));
    }
    if rules::source::plugin(&wanted, &facts) == Plugin::Wal2json {
        facts.wal2json = wal2json::ask(session).await;
    }
    Ok((wanted, facts))
}

fn closed_log(settings: &ConnectionSettings, error: &PgError) -> Finding {
    let found = unreachable(Side::Source, settings, error);
    Finding {
        problem: format!("{}: {}", found.object, found.problem),
        object: key::SCHEMA_LOG_URL.to_owned(),
        ..found
    }
}

async fn ask_target(pipeline: &Pipeline, slot_name: &str) -> Result<TargetFacts, PgError> {
    let session = connect_watched(&pipeline.target, APPLICATION_NAME).await?;
    session.require_own_process().await?;
    query::target(&session, slot_name).await
}

fn unreachable(side: Side, settings: &ConnectionSettings, error: &PgError) -> Finding {
    let endpoint = settings.endpoint();
    let text = error.to_string();
    let mut problem = match text.strip_prefix(&format!("{endpoint}: ")) {
        Some(message) => message.to_owned(),
        None => text,
    };
    if let Some(cause) = std::error::Error::source(error) {
        problem = format!("{problem}: {cause}");
    }
    let try_it = || format!("psql \"{}\"", settings.to_uri_without_password());
    Finding {
        side,
        object: endpoint,
        problem,
        hint: error.hint().unwrap_or_else(try_it),
        blocking: true,
    }
}
