//! How every session of ours prints, reads and compares, whatever server, database or role are set to.
//!
//! Values and definitions travel as text from the source to the target. They mean the same on both
//! sides only if both sessions agree on every setting that takes part in output or input; timeouts that
//! an administrator meant for people would cut our long-lived sessions, and what speeds up long analyses
//! slows ours.
//!
//! This is the only list: the functions that `init` installs pin [`MEANING`], too, and a test compares
//! it with `docs/architecture.md`.

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

/// What else our sessions pin. Some exist in newer servers only and are left out where unknown.
const SESSION: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("search_path", ""),
    ("row_security", "on"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // An error that we expect would end the session.
    ("exit_on_error", "off"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    // Questions to large catalogs look dear to the planner and are not: compiling them takes longer.
    ("jit", "off"),
];

/// Returns the statement that pins all of them, in one round trip.
pub(super) fn pin_statement() -> String {
    let values: Vec<String> = MEANING
        .iter()
        .chain(SESSION)
        .map(|(name, value)| format!("('{name}', '{value}')"))
        .collect();
    format!(
        "SELECT pg_catalog.set_config(pin.name, pin.value, false) \
         FROM (VALUES {}) AS pin(name, value) \
         WHERE pg_catalog.current_setting(pin.name, true) IS NOT NULL",
        values.join(", ")
    )
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
