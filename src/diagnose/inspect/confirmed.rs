//! Whether the slot is confirmed up to what is on the target. One look cannot tell: it may fall between a
//! commit and the word to the source.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::Pipeline;
use crate::model::Lsn;
use crate::postgres::{PgError, connect};
use crate::status::model;

use super::report::Unconfirmed;
use super::report::{Inspection, TableCopy};

/// A slot that is not confirmed within the time of these looks stands still.
const LOOKS_MAX: u32 = 15;

const PAUSE: Duration = Duration::from_millis(200);

const CONFIRMED: &str = "\
SELECT s.confirmed_flush_lsn::pg_catalog.text FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1 AND s.active";

/// Looks until the slot is confirmed up to the checkpoint that was seen, or stands still.
pub(crate) async fn unconfirmed(
    pipeline: &Pipeline,
    seen: &Inspection,
) -> Result<Option<Unconfirmed>, PgError> {
    let active = seen.slot.as_ref().filter(|slot| slot.active);
    let (Some(slot), Some(checkpoint)) = (active, &seen.checkpoint) else {
        return Ok(None);
    };
    let reached = checkpoint.end_lsn;
    let Some(mut confirmed) = slot.confirmed_flush_lsn.filter(|lsn| *lsn < reached) else {
        return Ok(None);
    };
    let session = connect(&pipeline.source, "pgstream status").await?;
    for _ in 0..LOOKS_MAX {
        sleep(PAUSE).await;
        let row = session.row(CONFIRMED, &[&seen.slot_name]).await?;
        let Some(now) = row.and_then(|row| row.get::<_, Option<String>>(0)) else {
            return Ok(None);
        };
        confirmed = now.parse().unwrap_or(confirmed);
        if confirmed >= reached {
            return Ok(None);
        }
    }
    Ok(Some(found(confirmed, reached, &seen.copies)))
}

fn found(confirmed: Lsn, reached: Lsn, copies: &[TableCopy]) -> Unconfirmed {
    let open = copies.iter().filter(|copy| !copy.state.is_settled());
    let tables = open.map(|copy| copy.table.to_string()).collect();
    let found = model::Unconfirmed {
        since_ms: 0,
        bytes: reached.bytes_since(confirmed),
        tables,
    };
    Unconfirmed {
        reason: found.reason(),
        bytes: found.bytes,
        tables: found.tables,
    }
}
