//! Where words leave the program. A reader that went away (`pgstream status | head -1`) is no
//! failure of ours; a result that found no room is one, whatever was done before.

use std::fmt::Display;
use std::io::{self, Write as _};

use crate::model::{Classify, ErrorClass};

/// What the user asked for could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the result to the standard output")]
pub(super) struct OutputError(#[source] io::Error);

impl Classify for OutputError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Operator
    }

    fn hint(&self) -> Option<String> {
        Some("make room where the output goes, or send it elsewhere".to_owned())
    }
}

/// Writes a line of what the user asked for.
pub(super) fn print(text: &impl Display) -> Result<(), OutputError> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a question; the answer is typed behind it.
#[cfg(feature = "tui")]
pub(super) fn prompt(text: &str) {
    let mut out = io::stdout().lock();
    drop(write!(out, "{text}").and_then(|()| out.flush()));
}

/// Returns a text of a database for a terminal: it may hold what moves the cursor, or begins a line.
pub(super) fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}

/// Writes a line for people beside the result.
pub(super) fn print_note(text: &impl Display) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a value as JSON, for machines.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), OutputError> {
    let text = serde_json::to_string_pretty(value);
    print(&text.map_err(|error| OutputError(error.into()))?)
}
