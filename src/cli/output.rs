//! Where words leave the program. A reader that went away (`pgstream status | head -1`) is no
//! failure of ours.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line of what the user asked for.
pub(super) fn print(text: &impl Display) {
    drop(writeln!(io::stdout().lock(), "{text}"));
}

/// Writes a question; the answer is typed behind it.
#[cfg(feature = "tui")]
pub(super) fn prompt(text: &str) {
    let mut out = io::stdout().lock();
    drop(write!(out, "{text}").and_then(|()| out.flush()));
}

/// Writes a line for people beside the result.
pub(super) fn say(text: &impl Display) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a value as JSON, for machines.
pub(super) fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => say(&format!("cannot write JSON: {error}")),
    }
}
