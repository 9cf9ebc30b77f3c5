//! What is wrong with a configuration: every fault at once, each with its key, rule and origin.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::model::{Classify, ErrorClass};

use super::Origin;

/// One fault of a configuration, or one warning about it. The value is not in it, nor a part of one: what
/// does not parse may be a password in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable; none for a line that is not an assignment.
    pub key: Option<String>,
    /// What the value must be, or what is wrong.
    pub rule: String,
    /// Where the value came from; none when nothing sets it.
    pub origin: Option<Origin>,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl Problem {
    /// Returns a problem of `key`.
    pub(super) fn of(
        key: impl Into<String>,
        origin: Option<Origin>,
        rule: impl Into<String>,
    ) -> Self {
        Self {
            key: Some(key.into()),
            rule: rule.into(),
            origin,
            suggestion: None,
        }
    }

    /// Adds what to write instead.
    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// `pg2pg.env:4: PGSTREAM_X: the rule (write …)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.rule)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file given with `-c` cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    ReadFile {
        /// The file as the user named it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Values that are missing, wrong or contradict each other: all of them.
    #[error("invalid configuration, {}", list(problems))]
    Invalid {
        /// By origin and line, missing values last; never empty.
        problems: Vec<Problem>,
    },
}

fn list(problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => "1 problem:".to_owned(),
        count => format!("{count} problems:"),
    };
    problems
        .iter()
        .fold(count, |text, problem| format!("{text}\n  {problem}"))
}

impl ConfigError {
    /// Joins the faults, in the order of their lines.
    pub(super) fn invalid(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| {
            let place = |problem: &Problem| (problem.origin.is_none(), problem.origin.clone());
            place(one).cmp(&place(other))
        });
        Self::Invalid { problems }
    }

    /// Returns the faults, none when the file could not be read at all.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::ReadFile { .. } => &[],
            Self::Invalid { problems } => problems,
        }
    }
}

impl Classify for ConfigError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ReadFile { path, source } if source.kind() == ErrorKind::InvalidData => format!(
                "it must be text in UTF-8: iconv -f LATIN1 -t UTF-8 {}",
                path.display()
            ),
            Self::ReadFile { path, .. } => {
                format!(
                    "give the file's path with -c, as seen from here: ls -l {}",
                    path.display()
                )
            }
            Self::Invalid { .. } => {
                "docs/configuration.md lists every variable with its meaning and default".to_owned()
            }
        })
    }
}
