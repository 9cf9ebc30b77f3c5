//! Opens the writing session with the settings that applying needs.

use crate::apply::ApplyError;
use crate::config::ConnectionSettings;
use crate::postgres::{self, Session};

/// `pgstream.applying` tells our own event triggers on the target (a target may be the source of
/// another stream) that these changes are not a user's. A commit must be durable when it returns:
/// the source is told so. Plans must use the key's index: a plan made while a table was small
/// would scan it for ever. The price of that setting makes every catalog query look expensive
/// enough to be compiled, which takes a second: no JIT.
const SETTINGS: &str = "\
SET pgstream.applying = 'on';
SET enable_seqscan = off;
SET jit = off;
SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

const DISABLE_TRIGGERS: &str = "SET session_replication_role = replica";

pub(super) async fn open(
    settings: &ConnectionSettings,
    disable_triggers: bool,
) -> Result<Session, ApplyError> {
    let session = postgres::connect(settings, "pgstream apply")
        .await
        .map_err(|source| ApplyError::Open { source })?;
    let refused = |source| ApplyError::Open { source };
    session.run(SETTINGS).await.map_err(refused)?;
    if disable_triggers {
        session.run(DISABLE_TRIGGERS).await.map_err(refused)?;
    }
    Ok(session)
}
