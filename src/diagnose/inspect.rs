//! One look at a pipeline from outside: what `status` prints, whether an engine runs or not.
//!
//! Each side is asked in a session of its own, at the same time; a side that does not answer leaves
//! its part empty and says why. The serialised form is for monitoring scripts and stays stable:
//! `docs/operations.md` lists its fields.

mod confirmed;
mod look;
mod query;
mod report;

use crate::config::{Pipeline, SlotName};
use crate::diagnose::continuity;
use crate::diagnose::stops::LastStop;
use crate::format::rfc3339;
use crate::model::hint::init_command;
use crate::postgres::PgError;
use crate::runtime::clock;

use look::{SourceLook, TargetLook, slot_name};

pub use report::Unconfirmed;
pub use report::{
    Checkpoint, DifferentTable, Init, Inspection, Lag, SchemaChange, SchemaChangeState, Side,
    TableCopy, UnfitPublication, Verification, Verified,
};

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
        sequences: target_look.and_then(|look| look.sequences.clone()),
        copies: target_look
            .map(|look| look.copies.clone())
            .unwrap_or_default(),
        verified: target_look.and_then(|look| look.verified.clone().known()),
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
    let change = |logged: &look::Logged| {
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
