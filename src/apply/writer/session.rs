//! Opens the writing session with the settings that applying needs.

use crate::apply::{ApplyError, Stream};
use crate::config::ConnectionSettings;
use crate::model::quote_literal;
use crate::postgres::{self, Session};

/// A commit waits for the disk, and for
/// that of synchronous standbys, unless it says otherwise, whatever the role or the server are set to. Plans must use the key's index: a plan made while a table was small
/// would scan it for ever. A plan made anew for each set of rows knows how many they are, and then reads
/// the whole index to merge them; a generic one looks up each.
const SETTINGS: &str = "\
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
WHERE pg_catalog.current_setting('synchronous_commit') <> 'remote_apply'";

/// Finds out whether the role may keep triggers from firing, without an error in the server's log.
const SILENCES: &str = "\
DO $do$ BEGIN \
PERFORM pg_catalog.set_config('session_replication_role', 'replica', true); \
PERFORM pg_catalog.set_config('pgstream.silences', 'on', false); \
EXCEPTION WHEN insufficient_privilege THEN NULL; \
END $do$";

const APPLICATION_NAME: &str = "pgstream apply";
const DISABLE_TRIGGERS: &str = "SET session_replication_role = replica";

/// Connects. What belongs to one slot comes with [`claim`].
pub(super) async fn open(
    settings: &ConnectionSettings,
    disable_triggers: bool,
) -> Result<Session, ApplyError> {
    let refused = |source| ApplyError::Open { source };
    let session = postgres::connect(settings, APPLICATION_NAME).await;
    let session = session.map_err(refused)?;
    session.run(SETTINGS).await.map_err(refused)?;
    session.carry_bytes().await.map_err(refused)?;
    session.run(SILENCES).await.map_err(refused)?;
    if disable_triggers {
        session.run(DISABLE_TRIGGERS).await.map_err(refused)?;
    }
    Ok(session)
}

/// Names the session after the slot, and ends what a former one has left: the slot has one reader, so any
/// other session for it is such a leftover.
pub(super) async fn claim(session: &Session, stream: &Stream) -> Result<(), ApplyError> {
    let refused = |source| ApplyError::Open { source };
    let name = session_name(&stream.slot_name);
    session.replace_namesakes(&name).await.map_err(refused)?;
    let came_through = session.run(&came_through_sql(stream, &[])).await;
    came_through.map_err(refused)
}

/// Returns the statement that tells our triggers on the target, which may be the source of another stream,
/// through which streams the changes come that this session makes from now on.
pub(super) fn came_through_sql(stream: &Stream, origins: &[String]) -> String {
    let mut all = origins.to_vec();
    all.push(stream.origin());
    format!(
        "SELECT pg_catalog.set_config('pgstream.applying', {}, false)",
        quote_literal(&all.join(","))
    )
}

/// The name by which leftovers are recognised, whatever name the configured URL asks for.
/// PostgreSQL cuts names at 63 bytes; a slot's name has ASCII letters only.
fn session_name(slot_name: &str) -> String {
    let mut name = format!("{APPLICATION_NAME} {slot_name}");
    name.truncate(63);
    name
}
