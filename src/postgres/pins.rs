//! What every session of ours is set to, whatever its server, database or role say.
//!
//! Values and definitions travel as text from the source to the target. They mean the same on both
//! sides only if both sessions agree on every setting that takes part in printing, reading, comparing
//! or firing; timeouts that an administrator meant for people would cut our long-lived sessions.
//!
//! This is the only list: the functions that `init` installs pin [`MEANING`], too, and a test compares
//! it with `docs/architecture.md`. Together with [`FREE`] it names every setting that a session may
//! change: another test compares them with `pg_settings` of each server, so that a setting of a new
//! version is decided on.

use crate::model::quote_ident;

use super::dial::Place;
use super::error::PgError;
use super::sqlstate::INSUFFICIENT_PRIVILEGE;

/// Setting and value: all that decides how a value or a definition is printed, read or compared. Any user
/// may set any of them, so nobody needs a privilege to pin them.
pub const MEANING: &[(&str, &str)] = &[
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("array_nulls", "on"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
];

/// What else our sessions pin. Some exist in some versions only and are left out where unknown.
pub const SESSION: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    // How definitions are read, as pg_dump restores them.
    ("search_path", ""),
    ("check_function_bodies", "off"),
    ("default_table_access_method", "heap"),
    ("default_tablespace", ""),
    // Locales that the source took before they were looked at.
    ("icu_validation_level", "disabled"),
    // Which rows are seen, and what fires for what we write.
    ("row_security", "on"),
    ("session_replication_role", "origin"),
    ("gin_fuzzy_search_limit", "0"),
    ("zero_damaged_pages", "off"),
    ("ignore_checksum_failure", "off"),
    // New in 15.20 and the other minor releases of that day.
    ("composite_type_mismatch", "error"),
    // What our transactions may do, and see of others.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    // An error that we expect would end the session.
    ("exit_on_error", "off"),
    // How long they last.
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("transaction_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    // Warnings count; what is said below them would only be read over.
    ("client_min_messages", "warning"),
    ("escape_string_warning", "off"),
    // Questions to large catalogs look dear to the planner and are not: compiling them takes longer.
    ("jit", "off"),
];

/// Settings that a session may change and that we leave as they are, by the reason for it. A `*` at the
/// end stands for any rest of the name.
pub const FREE: &[(&str, &[&str])] = &[
    (
        "how fast, not what: planning, memory, caches, background work",
        &[
            "backend_flush_after",
            "commit_delay",
            "commit_siblings",
            "constraint_exclusion",
            "cpu_*",
            "cursor_tuple_fraction",
            "deadlock_timeout",
            "debug_discard_caches",
            "debug_parallel_query",
            "default_statistics_target",
            "effective_*",
            "enable_*",
            "file_copy_method",
            "file_extend_method",
            "force_parallel_mode",
            "from_collapse_limit",
            "geqo*",
            "gin_pending_list_limit",
            "hash_mem_multiplier",
            "io_combine_limit",
            "jit_*",
            "join_collapse_limit",
            "logical_decoding_work_mem",
            "maintenance_*",
            "max_parallel_*",
            "max_stack_depth",
            "min_parallel_*",
            "parallel_*",
            "plan_cache_mode",
            "random_page_cost",
            "recursive_worktable_factor",
            "seq_page_cost",
            "stats_fetch_consistency",
            "synchronize_seqscans",
            "temp_*",
            "vacuum_*",
            "wal_skip_threshold",
            "work_mem",
        ],
    ),
    (
        "what the server's own log, statistics and process list hold",
        &[
            "backtrace_functions",
            "compute_query_id",
            "debug_pretty_print",
            "debug_print_*",
            "log_*",
            "trace_*",
            "track_*",
            "update_process_title",
        ],
    ),
    (
        "how the server stores what is written, and when it is on its disk: writers set what they need",
        &["default_toast_compression", "synchronous_commit", "wal_*"],
    ),
    (
        "how a lost connection is noticed",
        &["client_connection_check_interval", "tcp_*"],
    ),
    (
        "in which language people are told; nothing of ours reads messages",
        &["lc_messages", "md5_password_warnings"],
    ),
    (
        "what belongs to a transaction, and follows the default that is pinned",
        &[
            "transaction_deferrable",
            "transaction_isolation",
            "transaction_read_only",
        ],
    ),
    (
        "what we never do: make roles, passwords, large objects, or load code",
        &[
            "createrole_self_grant",
            "dynamic_library_path",
            "extension_control_path",
            "extension_destdir",
            "lo_compat_privileges",
            "local_preload_libraries",
            "password_encryption",
            "scram_iterations",
            "session_preload_libraries",
        ],
    ),
    (
        "what an administrator allows or forbids on purpose, or tests the server with",
        &[
            "allow_in_place_tablespaces",
            "allow_system_table_mods",
            "application_name",
            "debug_logical_replication_streaming",
            "event_triggers",
            "output_plugin_libraries",
            "restrict_nonsystem_relation_kind",
        ],
    ),
    (
        "what expressions of the user's own mean: there is no other value that would be right",
        &["default_text_search_config", "timezone_abbreviations"],
    ),
];

/// For sessions that carry rows: a database in `SQL_ASCII` holds bytes of any encoding, which only a
/// session in the same takes and gives as they are. Names and texts are to be read by other sessions.
pub(super) const CARRY_BYTES: &str = "\
SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

/// What only a superuser may set, or who was granted that.
const PRIVILEGED: [&str; 4] = [
    "session_replication_role",
    "zero_damaged_pages",
    "ignore_checksum_failure",
    "composite_type_mismatch",
];

/// What sessions of ours set otherwise, each for its work.
const OF_A_SESSION: [&str; 2] = ["client_encoding", "row_security"];

/// Returns the list of those that any role may pin and all of our sessions have, as rows of name and value.
pub(super) fn pins_for_anybody() -> String {
    let all = MEANING.iter().chain(SESSION);
    rows(all.filter(|(name, _)| !PRIVILEGED.contains(name) && !OF_A_SESSION.contains(name)))
}

fn rows<'a>(pins: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let rows: Vec<String> = pins
        .map(|(name, value)| format!("('{name}', '{value}')"))
        .collect();
    rows.join(", ")
}

/// Returns the statement that pins all of them, in one round trip. What has its value already is left
/// alone: some of them only a superuser may touch.
pub(super) fn pin_statement() -> String {
    format!(
        "SELECT pg_catalog.pg_backend_pid(), \
                pg_catalog.count(pg_catalog.set_config(pin.name, pin.value, false)) \
         FROM (VALUES {}) AS pin(name, value) \
         WHERE pg_catalog.current_setting(pin.name, true) OPERATOR(pg_catalog.<>) pin.value",
        rows(MEANING.iter().chain(SESSION))
    )
}

impl Place<'_> {
    /// Adds to a failure to pin what fixes it: a superuser has set something for our role or database
    /// that changes what rows mean, and only a superuser can take it back.
    pub(super) fn unpinned(&self, error: PgError) -> PgError {
        if error.code() != Some(INSUFFICIENT_PRIVILEGE) {
            return error;
        }
        let (role, database) = (&self.settings.user, &self.settings.dbname);
        error.with_hint(format!(
            "its value here changes what is read or written; as a superuser, with the parameter that the \
             error names: ALTER ROLE {role} RESET parameter; ALTER DATABASE {database} RESET parameter; \
             ALTER ROLE {role} IN DATABASE {database} RESET parameter;",
            role = quote_ident(role),
            database = quote_ident(database),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_have_every_setting() {
        let docs = include_str!("../../docs/architecture.md");
        let (_, behind) = docs.split_once("| setting | pinned to |").unwrap();
        let rows = behind
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let documented: Vec<String> = rows
            .map(|row| row.split('|').skip(1).take(2).collect())
            .collect();
        let pinned: Vec<String> = MEANING
            .iter()
            .map(|(name, value)| format!(" `{name}`  `{value}` "))
            .collect();
        assert_eq!(documented, pinned);
    }
}
