//! One value and its origin for each variable: flags over environment over file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::connection::Environment;
use super::{
    ConfigError, Kind, Origin, Problem, VARIABLES, Variable, env_file, go, redact, suggest,
};

/// What all our variables begin with.
const PREFIX: &str = "PGSTREAM_";

/// Variables of the environment that are no settings: where the tutorial and the tests look for
/// PostgreSQL's programs.
const ENVIRONMENT_ONLY: [&str; 2] = ["PGSTREAM_PG_BIN_DIR", "PGSTREAM_TEST_PG_BIN_DIRS"];

/// A variable that was set by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// The variable, from [`key`](super::key).
    pub key: &'static str,
    /// The flag as typed, such as `--pgurl`.
    pub flag: &'static str,
    /// Its value.
    pub value: String,
}

/// Everything that a configuration is read from.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Values of flags.
    pub flags: Vec<FlagValue>,
    /// The process environment; names without our prefix are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// The file given with `-c`.
    pub file: Option<PathBuf>,
    /// What libpq takes from the process.
    pub connection_defaults: Environment,
}

impl Inputs {
    /// Returns the inputs of this process: its environment, with these flags and this file.
    #[must_use]
    pub fn of_process(flags: Vec<FlagValue>, file: Option<PathBuf>) -> Self {
        Self {
            flags,
            environment: std::env::vars_os().collect(),
            file,
            connection_defaults: Environment::of_process(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The name it was set by: the variable's, or a synonym.
    pub(super) name: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// A variable with the value that counts, for screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The variable.
    pub variable: &'static Variable,
    /// The value with secrets redacted; none when the default counts.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// All values with their origins, not yet validated: [`Configuration::pipeline`] and its siblings
/// do that and report every fault at once.
#[derive(Debug, Clone)]
pub struct Configuration {
    settings: BTreeMap<&'static str, Setting>,
    pub(super) problems: Vec<Problem>,
    pub(super) unknown: Vec<Problem>,
    pub(super) connection_defaults: Environment,
}

impl Configuration {
    /// Reads the file, if there is one, and joins the sources.
    ///
    /// # Errors
    /// Usage: the file cannot be read. What is wrong inside it is reported together with all other
    /// faults, by the functions that validate.
    pub fn load(inputs: Inputs) -> Result<Self, ConfigError> {
        let file = match &inputs.file {
            Some(path) => Some((path.clone(), read_file(path)?)),
            None => None,
        };
        Ok(Self::from_parts(inputs, file))
    }

    fn from_parts(inputs: Inputs, file: Option<(PathBuf, String)>) -> Self {
        let mut configuration = Self {
            settings: BTreeMap::new(),
            problems: Vec::new(),
            unknown: Vec::new(),
            connection_defaults: inputs.connection_defaults,
        };
        if let Some((path, text)) = file {
            configuration.add_file(&path, &text);
        }
        configuration.add_environment(inputs.environment);
        for flag in inputs.flags {
            configuration.set(flag.key, flag.value, Origin::Flag(flag.flag));
        }
        configuration
    }

    fn add_file(&mut self, path: &Path, text: &str) {
        let file = env_file::parse(text, path);
        self.problems.extend(file.problems);
        for assignment in file.assignments {
            let origin = Origin::File {
                path: path.to_owned(),
                line: assignment.line,
            };
            if Variable::find(&assignment.key).is_some() {
                self.set(&assignment.key, assignment.value, origin);
            } else if assignment.key.starts_with(PREFIX) {
                self.problems.push(unknown(&assignment.key, origin));
            }
        }
    }

    fn add_environment(&mut self, environment: Vec<(OsString, OsString)>) {
        let mut ours: Vec<(String, OsString)> = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .filter(|(name, _)| !ENVIRONMENT_ONLY.contains(&name.as_str()))
            .collect();
        ours.sort();
        for (name, value) in ours {
            match (Variable::find(&name), value.into_string()) {
                (None, _) => self.unknown.push(unknown(&name, Origin::Environment)),
                (Some(_), Ok(value)) => self.set(&name, value, Origin::Environment),
                (Some(_), Err(_)) => {
                    let rule = "is not valid UTF-8";
                    self.problems
                        .push(Problem::of(name, Some(Origin::Environment), rule));
                }
            }
        }
    }

    /// Sets a known variable from a source that is at least as strong as those before.
    fn set(&mut self, name: &str, value: String, origin: Origin) {
        let Some(variable) = Variable::find(name) else {
            return;
        };
        if let Some(other) = self.settings.get(variable.key)
            && same_source(&other.origin, &origin)
            && other.value != value
        {
            let rule = format!(
                "contradicts {} ({}), which means the same",
                other.name, other.origin
            );
            let problem = Problem::of(name, Some(origin), rule);
            self.problems.push(problem.suggest("keep one of the two"));
            return;
        }
        let setting = Setting {
            name: name.to_owned(),
            value,
            origin,
        };
        self.settings.insert(variable.key, setting);
    }

    /// Returns the setting of a variable; an empty value is none.
    pub(super) fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings
            .get(key)
            .filter(|setting| !setting.value.trim().is_empty())
    }

    /// Returns where the value of a variable came from.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Origin {
        self.setting(key)
            .map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Returns a fault of a variable by the name that it was set by, with its origin.
    pub(super) fn problem(&self, key: &str, rule: impl Into<String>) -> Problem {
        let name = self.setting(key).map_or(key, |setting| &setting.name);
        Problem::of(name, Some(self.origin_of(key)), rule)
    }

    /// Returns the value of a variable as it was set, secrets included; none when the default counts.
    #[must_use]
    pub fn value_of(&self, key: &str) -> Option<&str> {
        self.setting(key).map(|setting| setting.value.as_str())
    }

    /// Returns every variable with the value that counts, in the order of the documentation.
    #[must_use]
    pub fn resolved(&self) -> Vec<Resolved> {
        let resolve = |variable: &'static Variable| Resolved {
            variable,
            value: self
                .setting(variable.key)
                .map(|setting| shown_value(variable, &setting.value)),
            origin: self.origin_of(variable.key),
        };
        VARIABLES.iter().map(resolve).collect()
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::ReadFile {
        path: path.to_owned(),
        source,
    })
}

/// Returns the value as a message may show it.
pub(super) fn shown_value(variable: &Variable, value: &str) -> String {
    match variable.kind {
        Kind::Connection => redact(value),
        Kind::Slot
        | Kind::Choice(_)
        | Kind::Switch
        | Kind::Count { .. }
        | Kind::Duration
        | Kind::Size
        | Kind::Tables
        | Kind::Objects
        | Kind::Keys
        | Kind::File => value.to_owned(),
    }
}

fn same_source(one: &Origin, other: &Origin) -> bool {
    match (one, other) {
        (Origin::File { path: one, .. }, Origin::File { path: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

fn unknown(name: &str, origin: Origin) -> Problem {
    let names = VARIABLES
        .iter()
        .flat_map(|variable| variable.synonyms.iter().chain([&variable.key]))
        .copied();
    if let Some(instead) = go::instead_of(name) {
        return Problem::of(name, Some(origin), go::RULE).suggest(instead);
    }
    let problem = Problem::of(name, Some(origin), "there is no such variable");
    match suggest::nearest_name(name, names) {
        Some(nearest) => problem.suggest(format!("did you mean {nearest}?")),
        None => problem,
    }
}

#[cfg(test)]
#[path = "layers/tests.rs"]
pub(super) mod tests;
