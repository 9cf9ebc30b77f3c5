//! Keeps the source's schema log short. A task of its own, in a session of its own that is open only
//! while it works: what fails here holds nothing up and is tried again later.

use std::time::Duration;

use tokio::time::interval_at;
use tracing::{debug, warn};

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError};
use crate::schema;

use super::clock;

/// An entry outlives its time by this part of it,
const PART: u32 = 24;
/// but at least by this,
const EVERY_MIN: Duration = Duration::from_secs(1);
/// and at most by this.
const EVERY_MAX: Duration = Duration::from_secs(3_600);

/// The start has other things to do.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// Removes entries that are older than `keep`, now and then, until it is dropped.
pub(super) async fn run(settings: ConnectionSettings, keep: Duration) {
    let every = (keep / PART).clamp(EVERY_MIN, EVERY_MAX);
    let mut ticks = interval_at(clock::now() + every.min(FIRST_MAX), every);
    let mut warned = false;
    loop {
        ticks.tick().await;
        match prune(&settings, keep).await {
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

async fn prune(settings: &ConnectionSettings, keep: Duration) -> Result<u64, PgError> {
    let session = postgres::connect(settings, "pgstream schema log").await?;
    schema::prune(&session, keep).await
}
