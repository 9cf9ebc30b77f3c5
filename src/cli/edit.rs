//! `--edit-change ID=FILE`: what runs on the target for a refused schema change in place of its
//! plan. The error of the refused change names its id. The file is read before anything starts.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::{Classify, ErrorClass};
use crate::status::SchemaEdit;

use super::Failure;

/// What was typed: the change, and where its statements stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EditFile {
    id: String,
    path: PathBuf,
}

/// The statements cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError {
    #[error("cannot read {path}")]
    Read { path: String, source: io::Error },
    #[error("{path} holds no statement")]
    Empty { path: String },
}

impl Classify for EditError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Usage
    }
}

impl std::str::FromStr for EditFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((id, path)) if !id.is_empty() && !path.is_empty() => Ok(Self {
                id: id.to_owned(),
                path: path.into(),
            }),
            _ => Err("must be ID=FILE, with the id that the error of the refused change names"),
        }
    }
}

/// Reads the file of `--edit-change`, when there is one.
pub(super) fn of_file(file: Option<&EditFile>) -> Result<Option<SchemaEdit>, Failure> {
    let edit = |file: &EditFile| {
        Ok(SchemaEdit {
            id: file.id.clone(),
            sql: statements(&file.path)?,
        })
    };
    file.map(edit).transpose()
}

/// Returns the statements of a file.
pub(super) fn statements(path: &Path) -> Result<String, EditError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| EditError::Read {
        path: name.clone(),
        source,
    })?;
    match text.trim() {
        "" => Err(EditError::Empty { path: name }),
        sql => Ok(sql.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stands_before_the_file() {
        let read = |text: &str| text.parse::<EditFile>();
        let expected = EditFile {
            id: "a1".to_owned(),
            path: "fix=1.sql".into(),
        };
        assert_eq!(read("a1=fix=1.sql"), Ok(expected));
        for text in ["a1", "=fix.sql", "a1="] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
