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
mod report;
mod rules;
mod wal2json;
mod wanted;

use crate::config::{ConnectionSettings, Pipeline, Plugin, key};
use crate::diagnose::{continuity, filled};
use crate::model::{Classify, QualifiedName};
use crate::postgres::{PgError, connect_watched};
use crate::schema::Conflict;
use crate::snapshot::{SnapshotError, plan_snapshot};

use facts::{SourceFacts, TargetFacts};
use wanted::Wanted;

pub use report::{CheckReport, Finding, Side};

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream check";

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
        if rules::both::begins_without_rows(wanted, facts, target) {
            target.filled = filled_table(pipeline).await.unwrap_or_default();
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

async fn filled_table(pipeline: &Pipeline) -> Result<Option<QualifiedName>, PgError> {
    let source = connect_watched(&pipeline.source, APPLICATION_NAME).await?;
    let target = connect_watched(&pipeline.target, APPLICATION_NAME).await?;
    filled::filled_table(&source, &target, &pipeline.filter).await
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
