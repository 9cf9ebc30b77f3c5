//! Has the source look for changes that raise no event: `REASSIGN OWNED`. A task of its own, in a session that is
//! open only while it works: what fails here holds nothing up and is tried again later.

use std::time::Duration;

use tokio::time::interval;
use tracing::{debug, warn};

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError};
use crate::schema;

/// A look reads all descriptions.
const EVERY: Duration = Duration::from_secs(60);

/// Looks at once and every minute, until it is dropped.
pub(super) async fn run(schema_log: ConnectionSettings) {
    let mut ticks = interval(EVERY);
    let mut warned = false;
    loop {
        ticks.tick().await;
        match look(&schema_log).await {
            Ok(0) => {}
            Ok(count) => {
                debug!(target: "schema", count, "owners that no command of the log changed");
            }
            Err(error) if !warned => {
                warn!(target: "schema", %error, "cannot look for owners that REASSIGN OWNED changed");
                warned = true;
            }
            Err(error) => debug!(target: "schema", %error, "cannot look for owners"),
        }
    }
}

async fn look(schema_log: &ConnectionSettings) -> Result<u64, PgError> {
    let source = postgres::connect(schema_log, "pgstream schema log").await?;
    schema::record_owners(&source).await
}
