//! Sets `acked` in the source's schema log once a change is durable on the target.
//!
//! A task of its own with a session of its own: it may be slow or fail without holding anything
//! up. What it did not get to before the end is acknowledged at the next start, from the target's own
//! record.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::apply::{CheckpointStore, Writer};
use crate::config::ConnectionSettings;
use crate::model::hint::on_side;
use crate::model::{Classify as _, ErrorClass};
use crate::postgres::{self, PgError, Session, sqlstate};
use crate::{fault, schema};

/// Acknowledgements that may wait; more are left for the next start.
pub(super) const QUEUE_MAX: usize = 4_096;

/// The stream may bring a transaction before other sessions on the source see its commit. That
/// takes less than a millisecond, and with synchronous replication as long as the standby does.
const VISIBLE_EVERY: Duration = Duration::from_millis(10);

/// What is not seen after this many looks is gone, or is left for the next start.
const VISIBLE_LOOKS_MAX: usize = 300;

/// A source that is away is asked again after this long; the stream, which waits for it, too, is not
/// held up by that.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Sets `acked` for all that comes through `ids`, until the other end is dropped.
pub(super) async fn run(settings: ConnectionSettings, mut ids: mpsc::Receiver<String>) {
    let mut session = None;
    let mut batch = Vec::new();
    while ids.recv_many(&mut batch, QUEUE_MAX).await > 0 {
        fault::point(fault::SCHEMA_BEFORE_ACK);
        while let Err(error) = acknowledge(&settings, &mut session, &batch).await {
            session = None;
            if error.class() != ErrorClass::Transient || ids.is_closed() {
                let hint = grant(&settings, &error);
                warn!(target: "schema", %error, hint, "cannot acknowledge schema changes; the next start will");
                break;
            }
            debug!(target: "schema", %error, "cannot acknowledge schema changes yet");
            sleep(AGAIN_AFTER).await;
        }
        batch.clear();
    }
}

/// Returns what fixes a missing right, where it is one.
fn grant(settings: &ConnectionSettings, error: &PgError) -> Option<String> {
    let refused = error.code() == Some(sqlstate::INSUFFICIENT_PRIVILEGE);
    refused.then(|| on_side("source", &schema::grant_log(settings.user())))
}

async fn acknowledge(
    settings: &ConnectionSettings,
    session: &mut Option<Session>,
    ids: &[String],
) -> Result<(), PgError> {
    let session = match session {
        Some(session) => session,
        None => session.insert(postgres::connect(settings, "pgstream acknowledge").await?),
    };
    let mut left = ids.len() as u64;
    for _ in 0..VISIBLE_LOOKS_MAX {
        left = left.saturating_sub(schema::mark_acked(session, ids).await?);
        if left == 0 {
            break;
        }
        sleep(VISIBLE_EVERY).await;
    }
    debug!(target: "schema", count = ids.len(), left, "schema changes acknowledged");
    Ok(())
}

/// Returns the ids that the target has applied and the source does not know of.
pub(super) async fn left_over(
    source: &Session,
    writer: &Writer,
    store: &CheckpointStore,
) -> Vec<String> {
    let ids = match schema::unacked(source).await {
        Ok(ids) if !ids.is_empty() => ids,
        Ok(_) => return Vec::new(),
        Err(error) => {
            let hint = grant(source.settings(), &error);
            warn!(target: "schema", %error, hint, "cannot read the schema log");
            return Vec::new();
        }
    };
    store
        .applied(writer.session(), &ids)
        .await
        .unwrap_or_else(|error| {
            warn!(target: "schema", %error, "cannot read the target's record of schema changes");
            Vec::new()
        })
}
