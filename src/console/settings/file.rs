//! Changes of a configuration file: the lines of the variables that were changed, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use crate::console::wizard::save;

/// Returns the text with these values in it: an assignment is replaced where it stands, a new one
/// is added at the end, one with an empty value is taken away.
pub(crate) fn changed(text: &str, changes: &BTreeMap<&'static str, String>) -> String {
    let mut left = changes.clone();
    let mut lines = Vec::new();
    for line in text.lines() {
        let name = assigned(line);
        match name.and_then(|name| changes.get_key_value(name)) {
            None => lines.push(line.to_owned()),
            // A second assignment of the same variable goes away with the first.
            Some((key, value)) => {
                if left.remove(key).is_some() && !value.is_empty() {
                    lines.push(assignment(key, value));
                }
            }
        }
    }
    let new = left.iter().filter(|(_, value)| !value.is_empty());
    lines.extend(new.map(|(key, value)| assignment(key, value)));
    lines.join("\n") + "\n"
}

/// Returns the variable that a line assigns.
fn assigned(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, _) = line.split_once('=')?;
    Some(name.trim()).filter(|name| !name.starts_with('#'))
}

fn assignment(key: &str, value: &str) -> String {
    format!("{key}={}", save::quoted(value))
}

/// Returns the number of the line, from 1, that assigns a variable.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let found = text.lines().position(|line| assigned(line) == Some(key));
    found.map(|index| index + 1)
}

/// Writes the changes into a file, whole or not at all; returns what stands in it then.
///
/// # Errors
/// When it cannot be read or written; it is then as it was.
pub(crate) fn save(
    path: &Path,
    changes: &BTreeMap<&'static str, String>,
) -> std::io::Result<String> {
    let text = changed(&std::fs::read_to_string(path)?, changes);
    save::write(path, &text)?;
    Ok(text)
}
