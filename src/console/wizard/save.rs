//! The configuration file that a wizard leaves.

use std::io::{self, Write as _};
use std::path::Path;

use crate::config::key;

use super::values::WizardValues;

/// A variable and its value.
pub(crate) type Assignment = (&'static str, String);

/// Returns what was typed as the variables it sets, in the sections of the file.
pub(crate) fn sections(wizard_values: &WizardValues) -> [(&'static str, Vec<Assignment>); 4] {
    let set = |values: &[(&'static str, &str)]| -> Vec<Assignment> {
        let values = values.iter().filter(|(_, value)| !value.is_empty());
        values
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect()
    };
    let when = |wanted: bool, value| if wanted { value } else { "" };
    [
        (
            "Source",
            set(&[
                (key::SOURCE_URL, &wizard_values.source),
                (key::SLOT_NAME, &wizard_values.slot),
                (key::PLUGIN, &wizard_values.plugin),
            ]),
        ),
        (
            "Target",
            set(&[
                (key::TARGET_URL, &wizard_values.target),
                (
                    key::SCHEMA_LOG_URL,
                    when(wizard_values.schema, &wizard_values.source),
                ),
            ]),
        ),
        (
            "Tables that replicate",
            set(&[
                (key::INCLUDE_TABLES, &wizard_values.include),
                (key::EXCLUDE_TABLES, &wizard_values.exclude),
            ]),
        ),
        (
            "First copy of existing rows",
            set(&[
                (key::SNAPSHOT_ENABLED, when(wizard_values.copy, "true")),
                (
                    key::SNAPSHOT_TABLES,
                    when(wizard_values.copy, &wizard_values.copy_tables),
                ),
                (
                    key::SNAPSHOT_WORKERS,
                    when(wizard_values.copy, &wizard_values.copy_workers),
                ),
            ]),
        ),
    ]
}

/// Returns the file's text: values in single quotes, in which nothing is replaced.
pub(crate) fn text(wizard_values: &WizardValues) -> String {
    let section = |(heading, values): (&str, Vec<Assignment>)| {
        let lines = values.iter();
        let lines = lines.map(|(key, value)| format!("{key}={}\n", quoted(value)));
        format!("# {heading}\n{}", lines.collect::<String>())
    };
    let filled = sections(wizard_values)
        .into_iter()
        .filter(|(_, values)| !values.is_empty());
    filled.map(section).collect::<Vec<_>>().join("\n")
}

/// Returns a value as the file takes it unchanged: in single quotes, in which nothing is replaced,
/// or in double ones when it has a single quote itself.
pub(crate) fn quoted(value: &str) -> String {
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let escaped = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    format!("\"{escaped}\"")
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    // Such files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
