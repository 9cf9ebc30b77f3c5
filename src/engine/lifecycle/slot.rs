//! The slot that the stream is read from: there, ours, whole, and free.

use std::time::Duration;

use crate::config::SlotName;
use crate::engine::EngineError;
use crate::model::Lsn;
use crate::model::hint::{begin_anew, init_command, take_over};
use crate::postgres::{Session, slot_or_default};
use crate::schema::install;

use super::source_errors::SourceErrors;

/// The slot as the source describes it.
pub(super) struct SlotState {
    pub(super) name: String,
    pub(super) plugin: String,
    pub(super) confirmed_lsn: Lsn,
    /// No transaction that is still to come has begun before it.
    pub(super) restart_lsn: Lsn,
    pub(super) database: String,
}

const SLOT: &str = "\
SELECT s.slot_type, s.plugin, s.database, pg_catalog.current_database(), s.wal_status,
       s.confirmed_flush_lsn::pg_catalog.text, s.active_pid, s.restart_lsn::pg_catalog.text
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1";

/// Those that might have been meant.
const OTHER_SLOTS: &str = "\
SELECT s.slot_name::pg_catalog.text FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_type = 'logical' AND s.database = pg_catalog.current_database() AND NOT s.temporary
ORDER BY 1 LIMIT 10";

/// Returns the slot, which nobody else reads.
pub(super) async fn find_slot(
    source: &Session,
    wanted: Option<&SlotName>,
    holder_timeout: Duration,
    errors: &SourceErrors<'_>,
) -> Result<SlotState, EngineError> {
    let name = slot_or_default(source, wanted).await;
    let name = name.map_err(|error| errors.failed("ask for the database's name", error))?;
    let name = name.to_string();
    let row = source.row(SLOT, &[&name]).await;
    let row = row.map_err(|error| errors.failed("look for the slot", error))?;
    let Some(row) = row else {
        let others = source.rows(OTHER_SLOTS, &[]).await;
        let others = others.map_err(|error| errors.failed("look for slots", error))?;
        return Err(EngineError::SlotMissing {
            others: others.iter().map(|row| row.get(0)).collect(),
            hint: missing_hint(source, &name, errors).await?,
            slot_name: name,
            endpoint: errors.0.endpoint(),
        });
    };
    let unusable = |reason: String, hint: &str| EngineError::SlotUnusable {
        slot_name: name.clone(),
        reason,
        hint: hint.to_owned(),
    };
    if row.get::<_, &str>(0) != "logical" {
        return Err(unusable(
            "it is a physical slot".to_owned(),
            "name a logical slot",
        ));
    }
    let (database, here): (&str, &str) = (row.get(2), row.get(3));
    if database != here {
        let reason = format!("it decodes database {database}, and the source is {here}");
        return Err(unusable(
            reason,
            "name a slot of the source's database, or that database",
        ));
    }
    if row.get::<_, Option<&str>>(4) == Some("lost") {
        let reason = "the source has removed WAL that it needs".to_owned();
        return Err(unusable(reason, &lost_hint(source, &name, errors).await?));
    }
    if let Some(pid) = row.get::<_, Option<i32>>(6) {
        let (endpoint, silence_timeout) = (errors.0.endpoint(), holder_timeout);
        return Err(EngineError::SlotInUse {
            slot_name: name,
            endpoint,
            pid,
            silence_timeout,
        });
    }
    let lsn = |at: usize| {
        let lsn: Option<&str> = row.get(at);
        lsn.and_then(|lsn| lsn.parse().ok()).unwrap_or_default()
    };
    Ok(SlotState {
        plugin: row.get(1),
        confirmed_lsn: lsn(5),
        restart_lsn: lsn(7),
        database: database.to_owned(),
        name,
    })
}

async fn lost_hint(
    source: &Session,
    name: &str,
    errors: &SourceErrors<'_>,
) -> Result<String, EngineError> {
    let argument = errors.0.as_argument();
    let anew = match was_applied(source, name, errors).await? {
        true => take_over(&argument),
        false => begin_anew(&argument, name),
    };
    Ok(format!(
        "{anew}; and raise max_slot_wal_keep_size on the source"
    ))
}

/// A slot that was applied to a target is lost; any other was never made.
async fn missing_hint(
    source: &Session,
    name: &str,
    errors: &SourceErrors<'_>,
) -> Result<String, EngineError> {
    let argument = errors.0.as_argument();
    let hint = match was_applied(source, name, errors).await? {
        true => format!("it was dropped: {}", take_over(&argument)),
        false => format!("create it: {}", init_command(&argument, name)),
    };
    Ok(format!(
        "{hint}; see which slots there are: SELECT slot_name FROM pg_replication_slots"
    ))
}

/// Returns whether the source remembers a target of the slot's pipeline.
pub(super) async fn was_applied(
    source: &Session,
    name: &str,
    errors: &SourceErrors<'_>,
) -> Result<bool, EngineError> {
    let recorded = install::pipeline_record(source, name).await;
    let recorded = recorded.map_err(|error| errors.failed("look for the pipeline", error))?;
    Ok(recorded.is_some_and(|recorded| recorded.target.is_some()))
}
