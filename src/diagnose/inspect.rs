//! One look at a pipeline from outside: what `status` prints, whether an engine runs or not.
//!
//! Each side is asked in a session of its own, at the same time; a side that does not answer leaves
//! its part empty and says why. The serialised form is for monitoring scripts and stays stable:
//! `docs/operations.md` lists its fields.

mod confirmed;
mod query;

use serde::{Deserialize, Serialize};

use crate::apply::{SLOT_GONE, Stream, misfit};
use crate::config::{Pipeline, SlotName};
use crate::engine::LastStop;
use crate::engine::continuity;
use crate::model::hint::init_command;
use crate::model::{Lsn, QualifiedName};
use crate::postgres::PgError;
use crate::runtime::clock;
use crate::schema::InitState;
use crate::status::CopyState;
use crate::status::Slot;

pub use confirmed::Unconfirmed;
use query::{SourceLook, TargetLook};

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What installs pgstream on the source, for people.
    #[serde(skip)]
    pub init_command: String,
    /// What lets our role see what `init` has put on the source, for people; none when it may.
    #[serde(skip)]
    pub init_grant: Option<String>,
    /// What lets our role see the schema log, for people; none when it may.
    #[serde(skip)]
    pub schema_grant: Option<String>,
    /// What lets our role see our records on the target, for people; none when it may.
    #[serde(skip)]
    pub target_grant: Option<String>,
    /// The database that the source's session is in, for people.
    #[serde(skip)]
    pub source_database: Option<String>,
    /// The source.
    pub source: Side,
    /// The target.
    pub target: Side,
    /// The slot that the pipeline reads; a guess by the database's name while the source is away.
    pub slot_name: String,
    /// The slot; none when it does not exist or the source is away.
    pub slot: Option<Slot>,
    /// What is wrong with the slot's publication; none when it publishes everything, or is not needed.
    pub publication: Option<UnfitPublication>,
    /// How far the target is behind.
    pub lag: Lag,
    /// What is durable on the target; none before the first run, or while the target is away.
    pub checkpoint: Option<Checkpoint>,
    /// What is on the target, and the source has not been told of; none: it has.
    pub unconfirmed: Option<Unconfirmed>,
    /// Why the last run ended or stands, until that is overcome.
    pub last_stop: Option<LastStop>,
    /// Transactions that an operator skipped on record.
    pub skipped_transaction_count: Option<i64>,
    /// Tables that were or are copied, the largest first.
    pub copies: Vec<TableCopy>,
    /// What `init` has put on the source; none while the source is away or our role may not look.
    pub init: Option<Init>,
    /// The latest schema changes, newest first, at most ten.
    pub schema_changes: Vec<SchemaChange>,
}

/// A publication that leaves changes out: `run` refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfitPublication {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
    /// What fixes it.
    pub fix: String,
}

impl Inspection {
    /// Returns the tables whose copies failed, or lack what the target has refused.
    #[must_use]
    pub fn incomplete_copies(&self) -> Vec<String> {
        let copies = self.copies.iter();
        let incomplete = copies.filter(|copy| copy.error.is_some());
        incomplete.map(|copy| copy.table.to_string()).collect()
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Without a password: `localhost:5432/postgres`.
    pub endpoint: String,
    /// Whether it answered.
    pub reachable: bool,
    /// Its version.
    pub version: Option<String>,
    /// Why it did not answer, or what our role may not read there.
    pub error: Option<String>,
}

/// What `init` has put on the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, for monitoring scripts"
)]
pub struct Init {
    /// Schema `pgstream` with its tables is there.
    pub installed: bool,
    /// How many migrations it has seen.
    pub version: Option<i32>,
    /// It is what this version of pgstream installs.
    pub current: bool,
    /// The event triggers are there and enabled.
    pub triggers: bool,
    /// It was made in this database, not restored from a dump of another.
    pub of_this_database: bool,
}

impl From<InitState> for Init {
    fn from(state: InitState) -> Self {
        Self {
            installed: state.installed,
            version: state.version,
            current: state.current,
            triggers: state.triggers,
            of_this_database: state.of_this_database,
        }
    }
}

/// How far the target is behind the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lag {
    /// WAL between the source's end and what is confirmed durable, in bytes.
    pub bytes: Option<u64>,
    /// Age of what is not yet durable: as the source measures it while a stream is active, else the
    /// age of the checkpoint's last transaction.
    pub seconds: Option<f64>,
}

/// What is durable on the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkpoint {
    /// End of the last source transaction applied.
    pub end_lsn: Lsn,
    /// Its commit time on the source.
    pub commit_time: Option<String>,
    /// When the target committed it.
    pub updated_at: String,
    /// Why the slot does not go on from here: `run` would refuse.
    pub misfit: Option<String>,
}

/// The copy of one table, as the target remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCopy {
    /// Its name.
    pub name: String,
    /// The same in its parts, for people.
    #[serde(skip_serializing)]
    pub table: QualifiedName,
    /// How far it is.
    pub state: CopyState,
    /// Which try this is, from 1; 0 before the first.
    pub attempt: u32,
    /// Rows that are there, or on their way in a copy that runs.
    pub row_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Bytes to copy, estimated.
    pub bytes_expected: u64,
    /// What failed.
    pub error: Option<String>,
    /// Why, outermost cause first.
    pub causes: Vec<String>,
    /// SQLSTATE, when a server said it.
    pub sqlstate: Option<String>,
    /// What fixes it.
    pub hint: Option<String>,
    /// It is unlogged: the stream brings none of its changes.
    pub unlogged: bool,
    /// The position of the source that its rows are as of.
    pub lsn: Option<Lsn>,
    /// When this was noted.
    pub updated_at: String,
}

/// One row of the schema log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaChange {
    /// `id` of the row.
    pub id: String,
    /// `version` of the row.
    pub version: i64,
    /// When the command ran on the source.
    pub created_at: String,
    /// Schema of its first object.
    pub schema_name: String,
    /// Command tag.
    pub tag: String,
    /// The objects it touched, such as `table public.test`.
    pub objects: Vec<String>,
    /// The same, quoted where SQL needs it, for people.
    #[serde(skip)]
    pub quoted_objects: Vec<String>,
    /// What became of it.
    pub state: SchemaChangeState,
    /// Whether a statement ran for it on the target; none: it is not known there.
    pub ran: Option<bool>,
    /// Parts that the target does not have, with the reason.
    pub not_applied: Vec<String>,
}

/// What became of a schema change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChangeState {
    /// On the target, but the source does not know yet.
    Applied,
    /// On the target, and marked so in the schema log.
    Acked,
    /// Not on the target yet.
    Pending,
}

/// Looks at both sides once. Returns what was seen, and the failure of the first side that did not
/// answer.
pub async fn inspect(pipeline: &Pipeline) -> (Inspection, Option<PgError>) {
    let guess = slot_name(pipeline, pipeline.source.database());
    let source = query::source(pipeline).await;
    let slot_name = source.as_ref().map_or(guess, |look| look.slot_name.clone());
    let target = query::target(pipeline, &slot_name).await;
    let at = rfc3339(clock::unix_ms());
    let slot = slot_name.to_string();
    let mut inspection = assemble(pipeline, at, slot_name, source.as_ref(), target.as_ref());
    if let Some(checkpoint) = &mut inspection.checkpoint
        && checkpoint.misfit.is_some()
    {
        checkpoint.misfit = continuity::certain_misfit(pipeline, &slot).await;
    }
    let unconfirmed = confirmed::unconfirmed(pipeline, &inspection).await;
    let lost = unconfirmed.map(|found| inspection.unconfirmed = found);
    (inspection, source.err().or(target.err()).or(lost.err()))
}

fn slot_name(pipeline: &Pipeline, database: &str) -> SlotName {
    let slot = pipeline.slot.clone();
    slot.unwrap_or_else(|| SlotName::for_database(database))
}

/// Returns a time as RFC 3339 in UTC.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms).map_or_else(|_| String::new(), |at| at.to_string())
}

fn assemble(
    pipeline: &Pipeline,
    at: String,
    slot_name: SlotName,
    source: Result<&SourceLook, &PgError>,
    target: Result<&TargetLook, &PgError>,
) -> Inspection {
    let target_look = target.ok();
    let barred = target_look.and_then(|look| look.barred.as_ref());
    let answered = side(
        pipeline.target.endpoint(),
        target.map(|look| look.version.as_str()),
    );
    Inspection {
        at,
        init_command: init_command(&pipeline.source.as_argument(), slot_name.as_str()),
        init_grant: source.ok().and_then(|look| look.init_grant.clone()),
        schema_grant: source.ok().and_then(|look| look.schema_grant.clone()),
        target_grant: barred.map(|barred| barred.grant.clone()),
        source_database: source.ok().map(|look| look.database.clone()),
        source: side(
            pipeline.source.endpoint(),
            source.map(|look| look.version.as_str()),
        ),
        target: Side {
            error: answered
                .error
                .or(barred.map(|barred| barred.message.clone())),
            ..answered
        },
        slot_name: slot_name.to_string(),
        slot: source.ok().and_then(|look| look.slot.clone()),
        publication: source.ok().and_then(|look| look.publication.clone()),
        lag: lag(source.ok(), target_look),
        checkpoint: target_look.and_then(|look| look.checkpoint(source.ok())),
        unconfirmed: None,
        last_stop: target_look.and_then(|look| look.last_stop.clone().map(LastStop::from)),
        copies: target_look
            .map(|look| look.copies.clone())
            .unwrap_or_default(),
        skipped_transaction_count: target_look
            .filter(|_| barred.is_none())
            .map(|look| look.progress.skipped_transaction_count),
        init: source.ok().and_then(|look| look.init),
        schema_changes: schema_changes(source.ok(), target_look),
    }
}

fn side(endpoint: String, version: Result<&str, &PgError>) -> Side {
    let error = version
        .err()
        .map(|error| match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    Side {
        endpoint,
        reachable: version.is_ok(),
        version: version.ok().map(str::to_owned),
        error,
    }
}

/// By the positions alone, as one look saw them.
fn misfit_of(source: &SourceLook, end_lsn: Lsn) -> Option<String> {
    let Some(slot) = &source.slot else {
        return Some(SLOT_GONE.to_owned());
    };
    let stream = Stream::default();
    let owner = (&*stream.system_identifier, &*stream.database_name);
    misfit(
        &stream,
        owner,
        end_lsn,
        (slot.confirmed_flush_lsn?, source.wal_end),
    )
}

/// The checkpoint may be ahead of what is confirmed, never behind it by more than one session.
fn lag(source: Option<&SourceLook>, target: Option<&TargetLook>) -> Lag {
    let Some(source) = source else {
        return Lag::default();
    };
    let confirmed = source
        .slot
        .as_ref()
        .and_then(|slot| slot.confirmed_flush_lsn);
    let checkpoint = target.and_then(|look| look.progress.checkpoint.as_ref());
    let durable = confirmed.max(checkpoint.map(|checkpoint| checkpoint.end_lsn));
    let bytes = durable.map(|durable| source.wal_end.bytes_since(durable));
    let active = source.slot.as_ref().is_some_and(|slot| slot.active);
    let seconds = match (active, bytes) {
        (_, None) => None,
        (_, Some(0)) => Some(0.0),
        (true, Some(_)) => Some(source.flush_lag_s.unwrap_or(0.0)),
        (false, Some(_)) => checkpoint.and_then(|checkpoint| checkpoint.age_s),
    };
    Lag { bytes, seconds }
}

fn schema_changes(source: Option<&SourceLook>, target: Option<&TargetLook>) -> Vec<SchemaChange> {
    let applied = target.map_or(&[][..], |look| &look.progress.applied);
    let logged = source.map_or(&[][..], |look| &look.schema_changes);
    let change = |logged: &query::Logged| {
        let applied = applied.iter().find(|applied| applied.id == logged.id);
        SchemaChange {
            id: logged.id.clone(),
            version: logged.version,
            created_at: logged.created_at.clone(),
            schema_name: logged.schema_name.clone(),
            tag: logged.tag.clone(),
            objects: [&*logged.objects, &*logged.others].concat(),
            quoted_objects: [&*logged.quoted_objects, &*logged.others].concat(),
            state: match (logged.acked, applied) {
                (true, _) => SchemaChangeState::Acked,
                (false, Some(_)) => SchemaChangeState::Applied,
                (false, None) => SchemaChangeState::Pending,
            },
            ran: applied.map(|applied| applied.statement_count > 0),
            not_applied: applied.map_or_else(Vec::new, |applied| applied.not_applied.clone()),
        }
    };
    logged.iter().map(change).collect()
}

#[cfg(test)]
mod tests;
