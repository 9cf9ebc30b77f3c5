//! The configuration file that a wizard leaves.

use std::io::{self, Write as _};
use std::path::Path;

use super::Draft;
use crate::config::key;

/// Returns the file's text: addresses in single quotes, in which nothing is replaced.
pub(crate) fn text(draft: &Draft) -> String {
    let mut text = format!("# Source\n{}={}\n", key::SOURCE_URL, quoted(&draft.source));
    if !draft.slot.is_empty() {
        text += &format!("{}={}\n", key::SLOT_NAME, draft.slot);
    }
    text += &format!("{}={}\n", key::PLUGIN, draft.plugin);
    text += &format!(
        "\n# Target\n{}={}\n",
        key::TARGET_URL,
        quoted(&draft.target)
    );
    if draft.schema {
        text += &format!("{}={}\n", key::SCHEMA_LOG_URL, quoted(&draft.source));
    }
    text
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
