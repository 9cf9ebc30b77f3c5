//! Turns the values of a [`Configuration`] into its typed forms. Every value that is set is read for
//! every command, so that a fault shows before the command that would need the value.

use super::reader::{Reader, Values};
use super::{
    ConfigError, Configuration, ConnectionSettings, LogFormat, LogLevel, Logging, Maintenance,
    Pipeline, Problem, Screen, TableFilter, Variable, key,
};

impl Configuration {
    /// Returns the configuration of a whole pipeline.
    ///
    /// # Errors
    /// Usage: all faults at once, missing values included.
    pub fn pipeline(&self) -> Result<Pipeline, ConfigError> {
        let (values, mut problems) = self.read();
        let source = self.require(key::SOURCE_URL, values.source.as_ref(), &mut problems);
        let target = self.require(key::TARGET_URL, values.target.as_ref(), &mut problems);
        match (source, target, problems.is_empty()) {
            (Some(source), Some(target), true) => Ok(values.into_pipeline(source, target)),
            _ => Err(ConfigError::invalid(problems)),
        }
    }

    /// Returns what `init` and `tear-down` need: the source, and the target when there is one.
    ///
    /// # Errors
    /// Usage: all faults at once, those of values that only `run` needs included.
    pub fn maintenance(&self) -> Result<Maintenance, ConfigError> {
        let (values, mut problems) = self.read();
        let source = self.require(key::SOURCE_URL, values.source.as_ref(), &mut problems);
        match (source, problems.is_empty()) {
            (Some(source), true) => Ok(Maintenance {
                source,
                slot: values.slot,
                plugin: values.plugin,
                target: values.target,
                schema_log: values.schema_log,
            }),
            _ => Err(ConfigError::invalid(problems)),
        }
    }

    /// Returns whether all that is set is valid, whatever is missing.
    ///
    /// # Errors
    /// Usage: all faults at once.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (_, problems) = self.read();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::invalid(problems)),
        }
    }

    /// Returns how to log. Invalid values count as not set here: logging must stand before the
    /// faults of the rest can be reported, and [`Configuration::validate`] tells these too.
    #[must_use]
    pub fn logging(&self) -> Logging {
        let mut reader = Reader::new(self);
        Logging {
            level: reader.word::<LogLevel>(key::LOG_LEVEL).unwrap_or_default(),
            format: reader
                .word::<LogFormat>(key::LOG_FORMAT)
                .unwrap_or_default(),
        }
    }

    /// Returns how the console shall look. Invalid values count as not set here, as with
    /// [`Configuration::logging`].
    #[must_use]
    pub fn screen(&self) -> Screen {
        Reader::new(self).screen()
    }

    /// Returns what is odd but not wrong. `copies`: the command copies tables, whatever is enabled.
    #[must_use]
    pub fn warnings(&self, copies: bool) -> Vec<Problem> {
        let (values, _) = self.read();
        let mut warnings = self.unknown.clone();
        if !copies {
            warnings.extend(self.idle_snapshot_settings(&values));
        }
        warnings.extend(self.foreign_schema_log(&values));
        warnings
    }

    fn idle_snapshot_settings(&self, values: &Values) -> Vec<Problem> {
        let keys = [
            key::SNAPSHOT_STORE_URL,
            key::SNAPSHOT_TABLES,
            key::SNAPSHOT_EXCLUDED_TABLES,
            key::SNAPSHOT_WORKERS,
        ];
        let enabled = values.snapshot_enabled == Some(true);
        let set = |key: &&str| !enabled && self.setting(key).is_some();
        let rule = format!("has no effect while {} is not true", key::SNAPSHOT_ENABLED);
        let warn = |key: &str| self.problem(key, rule.clone());
        keys.into_iter().filter(set).map(warn).collect()
    }

    fn foreign_schema_log(&self, values: &Values) -> Option<Problem> {
        let (source, log) = (values.source.as_ref()?, values.schema_log.as_ref()?);
        let rule = format!(
            "names {}, not the source {}: right only where that is its standby; the schema log is read from \
             the source's own stream",
            log.endpoint(),
            source.endpoint()
        );
        (!may_be_one_database(source, log)).then(|| self.problem(key::SCHEMA_LOG_URL, rule))
    }

    fn require(
        &self,
        key: &str,
        value: Option<&ConnectionSettings>,
        problems: &mut Vec<Problem>,
    ) -> Option<ConnectionSettings> {
        // A line that could not be read sets the variable all the same.
        let reported = problems
            .iter()
            .any(|problem| problem.key.as_deref() == Some(key));
        if value.is_none() && self.setting(key).is_none() && !reported {
            problems.push(missing(key));
        }
        value.cloned()
    }

    fn read(&self) -> (Values, Vec<Problem>) {
        let mut reader = Reader::new(self);
        let values = reader.values();
        let mut problems = self.problems.clone();
        problems.append(&mut reader.problems);
        problems.extend(self.same_database(&values));
        problems.extend(self.empty_filter(
            (key::INCLUDE_TABLES, key::EXCLUDE_TABLES),
            &values.filter(),
            "no table would replicate",
        ));
        problems.extend(self.empty_filter(
            (key::SNAPSHOT_TABLES, key::SNAPSHOT_EXCLUDED_TABLES),
            &values.snapshot_tables(),
            "no table would be copied",
        ));
        (values, problems)
    }

    fn same_database(&self, values: &Values) -> Option<Problem> {
        let (source, target) = (values.source.as_ref()?, values.target.as_ref()?);
        let rule = format!(
            "names the same database as {} ({}): {}",
            key::SOURCE_URL,
            self.origin_of(key::SOURCE_URL),
            target.endpoint()
        );
        are_one_database(source, target).then(|| self.problem(key::TARGET_URL, rule))
    }

    fn empty_filter(
        &self,
        (include, exclude): (&str, &str),
        filter: &TableFilter,
        outcome: &str,
    ) -> Option<Problem> {
        let rule = format!("excludes everything that {include} includes: {outcome}");
        filter
            .selects_nothing()
            .then(|| self.problem(exclude, rule))
    }
}

/// Returns whether both strings reach one database by the words alone. Two spellings of one host are
/// found later, by the servers' system identifiers.
fn are_one_database(one: &ConnectionSettings, other: &ConnectionSettings) -> bool {
    let shared = one.hosts.iter().any(|place| other.hosts.contains(place));
    shared && one.database() == other.database()
}

/// Returns whether both strings may reach one database: the same name and the same ports.
fn may_be_one_database(one: &ConnectionSettings, other: &ConnectionSettings) -> bool {
    let port_of =
        |settings: &ConnectionSettings| settings.hosts.iter().map(|h| h.port).collect::<Vec<_>>();
    one.database() == other.database() && port_of(one) == port_of(other)
}

fn missing(key: &str) -> Problem {
    let problem = Problem::of(key, None, "is required and not set");
    let flag = match key {
        key::SOURCE_URL => ", or --pgurl",
        key::TARGET_URL => ", or --target-url",
        _ => "",
    };
    match Variable::find(key) {
        Some(variable) => problem.suggest(format!(
            "in the file given with -c: {key}={}{flag}",
            variable.example
        )),
        None => problem,
    }
}

#[cfg(test)]
#[path = "validate/tests.rs"]
mod tests;
