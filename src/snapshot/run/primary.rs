//! Copying from a standby. A slot on it begins only when the primary says which transactions run there,
//! which an idle primary does seldom; where we know the primary, we ask it to.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use crate::config::Pipeline;
use crate::postgres::{self, PgError, Session};
use crate::snapshot::error::SnapshotError;

/// Mostly the slot has begun by then.
const FIRST_AFTER: Duration = Duration::from_secs(1);

const SAY: &str = "SELECT pg_catalog.pg_log_standby_snapshot()";

const CANNOT_DECODE: &str = "\
SELECT pg_catalog.pg_is_in_recovery()
   AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 160000";

/// Requires that the position of a copy can be had from the server that tables are copied from.
pub(crate) async fn require_position(
    session: &Session,
    pipeline: &Pipeline,
) -> Result<(), SnapshotError> {
    let source = &pipeline.snapshot.source;
    let row = session.row(CANNOT_DECODE, &[]).await;
    let row = row.map_err(|error| SnapshotError::Source {
        operation: "look whether it is a standby",
        endpoint: source.endpoint(),
        source: error,
    })?;
    match row.is_some_and(|row| row.get(0)) {
        false => Ok(()),
        true => Err(SnapshotError::Standby {
            endpoint: source.endpoint(),
        }),
    }
}

/// Does `work`, which may wait for a slot on a standby, and lets the primary speak meanwhile.
pub(crate) async fn while_primary_speaks<T>(
    pipeline: &Pipeline,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        done = work => done,
        never = Box::pin(speak(pipeline)) => never,
    }
}

/// Never returns.
async fn speak<T>(pipeline: &Pipeline) -> T {
    let Err(error) = try_to_speak(pipeline).await else {
        return pending().await;
    };
    // It speaks by itself, too, now and then.
    debug!(target: "snapshot", %error, "the primary cannot be asked which transactions run there");
    pending().await
}

async fn try_to_speak(pipeline: &Pipeline) -> Result<(), PgError> {
    sleep(FIRST_AFTER).await;
    let Some(settings) = &pipeline.schema_log else {
        return Ok(());
    };
    let source = postgres::connect(&pipeline.snapshot.source, "pgstream snapshot").await?;
    if !source.is_standby().await? {
        return Ok(());
    }
    let primary = postgres::connect(settings, "pgstream snapshot").await?;
    loop {
        primary.run(SAY).await?;
        sleep(FIRST_AFTER).await;
    }
}
