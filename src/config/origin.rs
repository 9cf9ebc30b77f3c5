//! Where a value came from, for every message about it.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from, weakest source first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the file given with `-c`.
    File {
        /// The file as the user named it.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// The process environment.
    Environment,
    /// A flag of the command line, such as `--pgurl`.
    Flag(&'static str),
}

/// A setting by its variable and where that was set, as hints call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingOrigin {
    /// The variable.
    pub key: &'static str,
    /// Where it was set.
    pub origin: Origin,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin } = self;
        match origin {
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Environment => write!(f, "{key} in the environment"),
            Origin::File { .. } => write!(f, "{key} in {origin}"),
            Origin::Default => f.write_str(key),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
