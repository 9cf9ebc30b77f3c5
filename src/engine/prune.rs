//! Keeps the source's schema log short, and the target's record of what was applied of it. A task of its own, in sessions of its own that are open only
//! while it works: what fails here holds nothing up and is tried again later.

use std::time::Duration;

use tokio::time::interval_at;
use tracing::{debug, warn};

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError};
use crate::runtime::clock;
use crate::status::StatusPublisher;
use crate::{apply, schema};

/// An entry outlives its time by this part of it,
const PART: u32 = 24;
/// but at least by this,
const EVERY_MIN: Duration = Duration::from_secs(1);
/// and at most by this.
const EVERY_MAX: Duration = Duration::from_secs(3_600);

/// The start has other things to do.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// What is kept short, and how long it is.
pub(super) struct Records {
    /// Where the schema log is.
    pub(super) schema_log: ConnectionSettings,
    /// Where the record of applied changes is.
    pub(super) target: ConnectionSettings,
    /// Tells whose record it is, as soon as that is known.
    pub(super) publisher: StatusPublisher,
    /// What is younger stays.
    pub(super) keep: Duration,
}

/// Removes entries that are older than `keep`, now and then, until it is dropped.
pub(super) async fn run(records: Records) {
    let keep = records.keep;
    let every = (keep / PART).clamp(EVERY_MIN, EVERY_MAX);
    let mut ticks = interval_at(clock::now() + every.min(FIRST_MAX), every);
    let mut warned = false;
    loop {
        ticks.tick().await;
        match prune(&records).await {
            Ok(0) => {}
            Ok(count) => debug!(target: "schema", count, "old entries of the schema log removed"),
            Err(error) if !warned => {
                warn!(target: "schema", %error, "cannot remove old entries of the schema log");
                warned = true;
            }
            Err(error) => debug!(target: "schema", %error, "cannot remove old entries"),
        }
    }
}

/// What the source has yet to be told of stays on the target: the next start tells it.
async fn prune(records: &Records) -> Result<u64, PgError> {
    let source = postgres::connect(&records.schema_log, "pgstream schema log").await?;
    let count = schema::prune(&source, records.keep).await?;
    let unacked = schema::unacked(&source).await?;
    let target = postgres::connect(&records.target, "pgstream schema log").await?;
    let slot_name = &records.publisher.latest().slot_name;
    Ok(count + apply::prune_schema_changes(&target, slot_name, records.keep, &unacked).await?)
}
