//! The SQL of the installation, one file per concern; behind a line `-- REMOVAL` each file says how
//! it goes away.

use std::time::Duration;

use crate::config::SlotName;
use crate::model::{quote_ident, quote_literal};
use crate::postgres::{LOCK_NOT_AVAILABLE, MEANING, PgError, Session, require_ownership_sql};

/// So often a lock is asked for that somebody holds.
const LOCK_TRIES_MAX: u32 = 20;

/// Those who queued behind us go on meanwhile.
const LOCK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The layout of the installation: how many migrations made it.
pub const VERSION: i32 = 5;

const REMOVAL: &str = "-- REMOVAL\n";

const FILES: [&str; 17] = [
    include_str!("../../../assets/sql/source/install/01_schema.sql"),
    include_str!("../../../assets/sql/source/install/02_xid.sql"),
    include_str!("../../../assets/sql/source/install/03_schema_log.sql"),
    include_str!("../../../assets/sql/source/install/04_object.sql"),
    include_str!("../../../assets/sql/source/install/05_describe_table.sql"),
    include_str!("../../../assets/sql/source/install/06_describe_others.sql"),
    include_str!("../../../assets/sql/source/install/07_describe_objects.sql"),
    include_str!("../../../assets/sql/source/install/07_describe_names.sql"),
    include_str!("../../../assets/sql/source/install/07_describe_services.sql"),
    include_str!("../../../assets/sql/source/install/08_describe.sql"),
    include_str!("../../../assets/sql/source/install/09_identity.sql"),
    include_str!("../../../assets/sql/source/install/10_rewrite.sql"),
    include_str!("../../../assets/sql/source/install/11_touched.sql"),
    include_str!("../../../assets/sql/source/install/12_capture.sql"),
    include_str!("../../../assets/sql/source/install/13_restate.sql"),
    include_str!("../../../assets/sql/source/install/14_privileges.sql"),
    include_str!("../../../assets/sql/source/install/15_event_triggers.sql"),
];

/// What stands in the files for the settings of a function that others call: a trigger's, an operator's.
/// It pins everything that printing, reading or comparing depends on, and what could break it.
const ENTRY: &str = "-- ENTRY\n";

/// What stands in the files for the settings of a function that functions of ours call: only what its own
/// text depends on, because it is called often.
const INNER: &str = "-- INNER\n";

/// Names mean ours or the server's, and nothing that a session has made.
const INNER_SETTINGS: &str = "\
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
";

/// Besides [`MEANING`]: nothing is hidden from us, an error that we catch does not end the session, and a
/// warning of ours is seen.
const ENTRY_SETTINGS: &str = "\
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET exit_on_error = off
SET client_min_messages = warning
";

/// What a transaction of ours starts with: everything is found by full name, a body may use what a
/// later file makes, and our own commands are not captured.
const PREAMBLE: &str = "\
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL standard_conforming_strings = on;
SET LOCAL check_function_bodies = off;
SET LOCAL client_min_messages = warning;
SET LOCAL pgstream.busy = 'on';
SET LOCAL lock_timeout = '10s';
";

/// Returns the script that installs, one transaction. It may run over an older installation; with
/// `fresh` the descriptions of another database's objects are forgotten.
pub(super) fn install(fresh: bool) -> String {
    let parts = FILES.iter().map(|file| pinned(split(file).0));
    let body: Vec<String> = parts.collect();
    let forget = if fresh {
        "TRUNCATE pgstream.object, pgstream.privilege, pgstream.keyless_table, pgstream.noted, pgstream.pipeline, pgstream.installation;\n"
    } else {
        ""
    };
    format!(
        "{PREAMBLE}{}\n{forget}SELECT pgstream.describe_all();\n{}{}COMMIT;\n",
        body.join("\n"),
        record(),
        require_ownership_sql()
    )
}

/// Stands behind what makes the schema: nothing in it may be a stranger's before it is used.
const OWNERSHIP: &str = "-- OWNERSHIP\n";

/// The files that describe objects, among [`FILES`]; the first is the table that they look into.
const DESCRIBING: std::ops::Range<usize> = 3..10;

/// Returns the script that gives a session the describing functions as temporary objects of its
/// own: nobody else sees them, no privilege but TEMPORARY is needed, and they end with the session.
pub(in crate::schema) fn temporary_descriptions() -> String {
    let files = FILES[DESCRIBING].iter();
    let files = files.map(|file| pinned(split(file).0));
    let body: Vec<String> = files
        .map(|file| file.replace("pgstream.", "pg_temp."))
        .collect();
    format!("{PREAMBLE}{}COMMIT;\n", body.concat())
}

/// The digest is of what is installed, so that a changed function is noticed without a new version.
fn record() -> String {
    format!(
        "INSERT INTO pgstream.installation (version, digest, system_identifier, database_oid)
SELECT {VERSION}, '{}', s.system_identifier::text, d.oid
FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()
ON CONFLICT (only_row) DO UPDATE
SET version = excluded.version, digest = excluded.digest, system_identifier = excluded.system_identifier,
    database_oid = excluded.database_oid, installed_at = now();
",
        digest()
    )
}

/// Returns the script that removes, one transaction: the files' removals, last first, and the
/// schema if nobody else has something in it.
pub(super) fn removal() -> String {
    let parts: Vec<&str> = FILES.iter().rev().map(|file| split(file).1).collect();
    format!(
        "{PREAMBLE}{}{DROP_SCHEMA_IF_EMPTY}COMMIT;\n",
        parts.concat()
    )
}

/// Returns the statement that writes down that the slot's pipeline uses what is installed. The record
/// comes before the slot and goes after it: a slot without one would be missed by another's removal.
/// Of a slot that is yet to be made nothing was applied anywhere.
pub(super) fn record_pipeline(slot: &SlotName, (exists, on_standby): (bool, bool)) -> String {
    let slot = quote_literal(slot.as_str());
    let known = match exists {
        true => "DO NOTHING".to_owned(),
        false => format!("(slot_name) DO UPDATE SET target = NULL, on_standby = {on_standby}"),
    };
    quietly(&format!(
        "INSERT INTO pgstream.pipeline (slot_name, on_standby) VALUES ({slot}, {on_standby}) ON CONFLICT {known}"
    ))
}

/// Returns the statement that takes the record away.
pub(super) fn forget_pipeline(slot: &SlotName) -> String {
    let slot = quote_literal(slot.as_str());
    quietly(&format!(
        "DELETE FROM pgstream.pipeline WHERE slot_name = {slot}"
    ))
}

/// Drops the schema when nothing is left in it: a target's checkpoint may live there, too.
pub(super) const DROP_SCHEMA_IF_EMPTY: &str = "\
DO '
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ''pgstream'')
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                     WHERE refclassid = ''pg_catalog.pg_namespace''::pg_catalog.regclass
                       AND refobjid = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ''pgstream''))
  THEN
    DROP SCHEMA pgstream;
  END IF;
END
';
";

/// Runs a script that takes locks. Who comes while it waits for one queues behind it, so it waits for
/// `lock_timeout` only and tries again later, for as long as an ordinary transaction takes.
///
/// # Errors
/// By SQLSTATE; `lock_not_available` when somebody holds the lock for longer.
pub(super) async fn run_patiently(session: &Session, sql: &str) -> Result<(), PgError> {
    let mut tries = 1;
    loop {
        let outcome = session.run(sql).await;
        let Err(error) = outcome else { return Ok(()) };
        if sql.starts_with("BEGIN;") {
            // Ends the failed transaction; when that fails, too, the session is gone and it with it.
            drop(session.run("ROLLBACK").await);
        }
        if error.code() != Some(LOCK_NOT_AVAILABLE) || tries >= LOCK_TRIES_MAX {
            return Err(error);
        }
        tries += 1;
        tokio::time::sleep(LOCK_AGAIN_AFTER).await;
    }
}

/// Returns a transaction of ours that no trigger of ours records, for [`run_patiently`].
pub(super) fn quietly(statement: &str) -> String {
    format!(
        "BEGIN;
SET LOCAL lock_timeout = '200ms';
SET LOCAL pgstream.busy = 'on';
{statement};
COMMIT;"
    )
}

/// Returns the two halves of a file.
fn split(file: &'static str) -> (&'static str, &'static str) {
    file.split_once(REMOVAL).unwrap_or((file, ""))
}

/// Returns a file's text with the settings of its functions.
fn pinned(file: &str) -> String {
    let meaning = MEANING
        .iter()
        .map(|(name, value)| format!("SET {} = {}\n", quote_ident(name), quote_literal(value)));
    let entry = ENTRY_SETTINGS.to_owned() + &meaning.collect::<String>();
    file.replace(ENTRY, &entry)
        .replace(INNER, INNER_SETTINGS)
        .replace(OWNERSHIP, &require_ownership_sql())
}

/// Returns a hash of the whole script (FNV-1a, 64 bits): it only has to differ when the text does.
pub(super) fn digest() -> String {
    let files: Vec<String> = FILES.iter().map(|file| pinned(file)).collect();
    let bytes = files.iter().flat_map(|file| file.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_says_how_it_goes_away() {
        for file in FILES {
            let (install, removal) = split(file);
            let made = install.matches("CREATE OR REPLACE FUNCTION").count();
            let dropped = removal.matches("DROP FUNCTION").count();

            assert!(install.starts_with("--"), "{install}");
            assert_eq!(made, dropped, "functions made and dropped in\n{file}");
            assert!(removal.contains("DROP ") || install.contains("CREATE SCHEMA"));
        }
    }
}
