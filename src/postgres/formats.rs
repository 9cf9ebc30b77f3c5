//! How every session of ours prints and reads values, whatever server, database or role are set to.
//!
//! Values travel as text from the source to the target. They mean the same on both sides only if
//! both sessions agree on every setting that takes part in output or input; timeouts that an
//! administrator meant for people would cut our long-lived sessions, and what speeds up long analyses
//! slows ours.

/// Setting and value. Some exist in newer servers only and are left out where unknown.
const PINS: &[(&str, &str)] = &[
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    // Output of `money` follows the locale.
    ("lc_monetary", "C"),
    // A fragment is valid input for `xml` only as content.
    ("xmloption", "content"),
    ("array_nulls", "on"),
    ("standard_conforming_strings", "on"),
    ("row_security", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("search_path", ""),
    // Questions to large catalogs look dear to the planner and are not: compiling them takes longer.
    ("jit", "off"),
];

/// Returns the statement that pins all of them, in one round trip.
pub(super) fn pin_statement() -> String {
    let values: Vec<String> = PINS
        .iter()
        .map(|(name, value)| format!("('{name}', '{value}')"))
        .collect();
    format!(
        "SELECT pg_catalog.set_config(pin.name, pin.value, false) \
         FROM (VALUES {}) AS pin(name, value) \
         WHERE pg_catalog.current_setting(pin.name, true) IS NOT NULL",
        values.join(", ")
    )
}
