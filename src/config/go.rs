//! Variables of the Go pgstream that this program does not have, and what does their work here. Whoever
//! comes from there is named as such, instead of being sent to the variable that is spelt most alike.

/// What is said of such a variable.
pub(super) const RULE: &str = "is a variable of the Go pgstream that this program does not have";

const RETRIES: &str =
    "connections are tried again by themselves, for as long as PGSTREAM_RETRY_TIMEOUT says";
const MEMORY: &str = "memory is bounded by itself";
const CONNECTIONS: &str = "one session writes, and each of PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS copies with one more";
const COPY_SPEED: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS and PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_PART_SIZE say how rows are copied";
const OBJECTS: &str = "docs/schema-changes.md says which kinds of objects travel; tables are chosen with PGSTREAM_FILTER_INCLUDE_TABLES and PGSTREAM_FILTER_EXCLUDE_TABLES";
const WHOLE: &str = "definitions travel with the rows; pgstream snapshot copies both once";
const ROLES: &str = "roles, owners and privileges do not travel: pg_dumpall --roles-only, or pg_dump with --schema-only, brings them";
const STATUS: &str = "pgstream status --json tells how far the stream is";
const OTHER_TARGET: &str = "the target here is PostgreSQL: PGSTREAM_POSTGRES_WRITER_TARGET_URL";

/// A name, or the beginning of names where it ends with `_`, and what to use instead; the first that fits
/// counts.
const INSTEAD: &[(&str, &str)] = &[
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_STORE_URL",
        "the record of a copy is kept on the target; the database that is copied from is PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_STORE_URL",
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_STORE_REPEATABLE",
        "run copies what the target lacks; pgstream snapshot copies anew each time",
    ),
    ("PGSTREAM_POSTGRES_SNAPSHOT_MODE", WHOLE),
    ("PGSTREAM_POSTGRES_SNAPSHOT_SCHEMA_DUMP_FILE", WHOLE),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_SCHEMA_ONLY_TABLES",
        "leave them out with PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES, and make them on the target with pg_dump --schema-only",
    ),
    (
        "PGSTREAM_FILTER_SCHEMA_ONLY_TABLES",
        "a table travels with its rows, or is left out with PGSTREAM_FILTER_EXCLUDE_TABLES",
    ),
    ("PGSTREAM_POSTGRES_SNAPSHOT_SCHEMA_WORKERS", COPY_SPEED),
    ("PGSTREAM_POSTGRES_SNAPSHOT_TABLE_WORKERS", COPY_SPEED),
    ("PGSTREAM_POSTGRES_SNAPSHOT_BATCH_BYTES", COPY_SPEED),
    ("PGSTREAM_POSTGRES_SNAPSHOT_MAX_CONNECTIONS", CONNECTIONS),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_DISABLE_PROGRESS_TRACKING",
        "progress is reported on stderr, which can be sent elsewhere",
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_CLEAN_TARGET_DB",
        "nothing is ever removed from the target: empty it by hand",
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_CREATE_TARGET_DB",
        "make the database first: CREATE DATABASE",
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_INDEX_CONSTRAINT_SESSION_SETTINGS",
        "in the target's address: options=-c%20maintenance_work_mem%3D1GB",
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_REFRESH_MATERIALIZED_VIEWS",
        OBJECTS,
    ),
    (
        "PGSTREAM_POSTGRES_SNAPSHOT_EXCLUDED_SECURITY_LABELS",
        OBJECTS,
    ),
    ("PGSTREAM_POSTGRES_SNAPSHOT_EXCLUDE_OBJECT_TYPES", OBJECTS),
    ("PGSTREAM_POSTGRES_SNAPSHOT_INCLUDE_", OBJECTS),
    ("PGSTREAM_POSTGRES_SNAPSHOT_NO_", ROLES),
    ("PGSTREAM_POSTGRES_SNAPSHOT_ROLE", ROLES),
    ("PGSTREAM_POSTGRES_SNAPSHOT_ROLES_", ROLES),
    ("PGSTREAM_POSTGRES_LISTENER_DISABLE_RETRIES", RETRIES),
    ("PGSTREAM_POSTGRES_LISTENER_BACKOFF_", RETRIES),
    ("PGSTREAM_POSTGRES_LISTENER_EXP_BACKOFF_", RETRIES),
    (
        "PGSTREAM_POSTGRES_REPLICATION_PLUGIN_",
        "which tables travel is said with PGSTREAM_FILTER_INCLUDE_TABLES and PGSTREAM_FILTER_EXCLUDE_TABLES",
    ),
    (
        "PGSTREAM_POSTGRES_WRITER_STRICT_MODE",
        "it is always so: what the target refuses stops the stream, and can be skipped with run --skip-transaction",
    ),
    (
        "PGSTREAM_POSTGRES_WRITER_BATCH_IGNORE_SEND_ERRORS",
        "no error is passed over: what the target refuses stops the stream, and can be skipped with run --skip-transaction",
    ),
    ("PGSTREAM_POSTGRES_WRITER_BATCH_BYTES", MEMORY),
    (
        "PGSTREAM_POSTGRES_WRITER_BATCH_AUTO_TUNE_",
        "a batch grows by itself while the target is behind, unless PGSTREAM_POSTGRES_WRITER_BATCH_SIZE is set",
    ),
    ("PGSTREAM_POSTGRES_WRITER_MAX_QUEUE_BYTES", MEMORY),
    ("PGSTREAM_POSTGRES_WRITER_MAX_CONNECTIONS", CONNECTIONS),
    (
        "PGSTREAM_POSTGRES_WRITER_BULK_INGEST_",
        "rows go through COPY by themselves wherever that gives the same",
    ),
    (
        "PGSTREAM_POSTGRES_WRITER_IGNORE_DDL",
        "schema changes travel only where PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL is set",
    ),
    ("PGSTREAM_POSTGRES_WRITER_INCLUDE_DDL_OBJECT_TYPES", OBJECTS),
    ("PGSTREAM_POSTGRES_WRITER_EXCLUDE_DDL_OBJECT_TYPES", OBJECTS),
    ("PGSTREAM_POSTGRES_WRITER_DISABLE_RETRIES", RETRIES),
    ("PGSTREAM_POSTGRES_WRITER_BACKOFF_", RETRIES),
    ("PGSTREAM_POSTGRES_WRITER_EXP_BACKOFF_", RETRIES),
    (
        "PGSTREAM_INJECTOR_STORE_POSTGRES_URL",
        "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL switches schema changes on",
    ),
    (
        "PGSTREAM_PROCESSOR_SANITIZE_",
        "PostgreSQL stores no zero byte in a text: there is nothing to strip",
    ),
    (
        "PGSTREAM_TRANSFORMER_RULES_FILE",
        "rows arrive as they are: change them with triggers of the target",
    ),
    ("PGSTREAM_METRICS_", STATUS),
    ("PGSTREAM_TRACES_", STATUS),
    ("PGSTREAM_HEALTH_CHECK_", STATUS),
    ("PGSTREAM_STDOUT_WRITER_", OTHER_TARGET),
    ("PGSTREAM_KAFKA_", OTHER_TARGET),
    ("PGSTREAM_SEARCH_", OTHER_TARGET),
    ("PGSTREAM_OPENSEARCH_", OTHER_TARGET),
    ("PGSTREAM_ELASTICSEARCH_", OTHER_TARGET),
    ("PGSTREAM_WEBHOOK_", OTHER_TARGET),
];

/// Returns what to use in the place of a variable, none when it is not one of theirs.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    let fits = |(known, _): &&(&str, &str)| match known.ends_with('_') {
        true => name.starts_with(*known),
        false => name == *known,
    };
    INSTEAD.iter().find(fits).map(|(_, instead)| *instead)
}
