//! Reads each value that is set by the rule of its kind; a value that breaks it becomes a problem
//! with its origin, and reading goes on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::model::Classify as _;

use super::kinds::LeftOut;
use super::layers::Setting;
use super::pipeline::{Batch, Screen, Snapshot, Word, WordError, parse_word};
use super::table_filter::parse_patterns;
use super::unit::ByteSizeError;
use super::{
    ByteSize, Configuration, ConnectionSettings, Kind, LogFormat, LogLevel, NullNumbers,
    OnConflict, Pipeline, Plugin, Problem, SlotName, TableFilter, TablePattern, Variable, key,
    parse_duration, suggest,
};

/// Row changes of a batch when nothing sets it: the tutorial's default.
const BATCH_SIZE: usize = 100;
/// Age of a batch when nothing sets it: the tutorial's default.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// An hour covers a restart, a failover and a short maintenance; longer needs an operator anyway.
const RETRY_TIMEOUT: Duration = Duration::from_secs(3600);
/// A month: whoever asks what changed asks sooner.
const SCHEMA_LOG_RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// More copies than this do not pay on one source.
const SNAPSHOT_WORKERS_MAX: usize = 8;

/// Its locks on the source are soon gone, and its round trips do not count.
const SNAPSHOT_PART_SIZE: ByteSize = ByteSize(128 << 20);

/// The values that are set and valid.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) source: Option<ConnectionSettings>,
    pub(super) target: Option<ConnectionSettings>,
    pub(super) schema_log: Option<ConnectionSettings>,
    pub(super) slot: Option<SlotName>,
    pub(super) plugin: Option<Plugin>,
    batch_size: Option<usize>,
    batch_timeout: Option<Duration>,
    disable_triggers: Option<bool>,
    run_as_owner: Option<bool>,
    on_conflict: Option<OnConflict>,
    null_numbers: Option<NullNumbers>,
    include: Vec<TablePattern>,
    exclude: Vec<TablePattern>,
    left_out: Option<LeftOut>,
    pub(super) snapshot_enabled: Option<bool>,
    snapshot_store: Option<ConnectionSettings>,
    snapshot_include: Vec<TablePattern>,
    snapshot_exclude: Vec<TablePattern>,
    snapshot_workers: Option<usize>,
    snapshot_part: Option<ByteSize>,
    retry_timeout: Option<Duration>,
    schema_log_retention: Option<Duration>,
}

impl Values {
    pub(super) fn filter(&self) -> TableFilter {
        TableFilter::new(self.include.clone(), self.exclude.clone())
    }

    pub(super) fn snapshot_tables(&self) -> TableFilter {
        TableFilter::new(self.snapshot_include.clone(), self.snapshot_exclude.clone())
    }

    pub(super) fn into_pipeline(
        self,
        source: ConnectionSettings,
        target: ConnectionSettings,
    ) -> Pipeline {
        let tables = self.snapshot_tables();
        Pipeline {
            filter: self.filter(),
            left_out: self.left_out.unwrap_or_default(),
            slot: self.slot,
            plugin: self.plugin.unwrap_or_default(),
            batch: Batch {
                size: self.batch_size.unwrap_or(BATCH_SIZE),
                size_is_set: self.batch_size.is_some(),
                timeout: self.batch_timeout.unwrap_or(BATCH_TIMEOUT),
            },
            disable_triggers: self.disable_triggers.unwrap_or_default(),
            run_as_owner: self.run_as_owner.unwrap_or_default(),
            on_conflict: self.on_conflict.unwrap_or_default(),
            null_numbers: self.null_numbers.unwrap_or_default(),
            schema_log: self.schema_log,
            schema_log_retention: self.schema_log_retention.unwrap_or(SCHEMA_LOG_RETENTION),
            snapshot: Snapshot {
                enabled: self.snapshot_enabled.unwrap_or_default(),
                source: self.snapshot_store.unwrap_or_else(|| source.clone()),
                tables,
                worker_count: self.snapshot_workers.unwrap_or_else(default_workers),
                part_size: self.snapshot_part.unwrap_or(SNAPSHOT_PART_SIZE),
            },
            retry_timeout: self.retry_timeout.unwrap_or(RETRY_TIMEOUT),
            source,
            target,
        }
    }
}

fn default_workers() -> usize {
    let core_count = std::thread::available_parallelism().map_or(1, usize::from);
    core_count.saturating_mul(2).min(SNAPSHOT_WORKERS_MAX)
}

/// Reads values one by one and remembers what is wrong with them.
pub(super) struct Reader<'a> {
    configuration: &'a Configuration,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(configuration: &'a Configuration) -> Self {
        Self {
            configuration,
            problems: Vec::new(),
        }
    }

    pub(super) fn values(&mut self) -> Values {
        let values = Values {
            source: self.connection(key::SOURCE_URL),
            slot: self.slot(),
            plugin: self.word(key::PLUGIN),
            snapshot_enabled: self.switch(key::SNAPSHOT_ENABLED),
            snapshot_store: self.connection(key::SNAPSHOT_STORE_URL),
            snapshot_include: self.tables(key::SNAPSHOT_TABLES),
            snapshot_exclude: self.tables(key::SNAPSHOT_EXCLUDED_TABLES),
            snapshot_workers: self.count(key::SNAPSHOT_WORKERS),
            snapshot_part: self.size(key::SNAPSHOT_PART_SIZE),
            target: self.connection(key::TARGET_URL),
            batch_size: self.count(key::BATCH_SIZE),
            batch_timeout: self.duration(key::BATCH_TIMEOUT),
            disable_triggers: self.switch(key::DISABLE_TRIGGERS),
            run_as_owner: self.switch(key::RUN_AS_OWNER),
            on_conflict: self.word(key::ON_CONFLICT),
            null_numbers: self.word(key::NULL_NUMBERS),
            schema_log: self.connection(key::SCHEMA_LOG_URL),
            schema_log_retention: self.duration(key::SCHEMA_LOG_RETENTION),
            include: self.tables(key::INCLUDE_TABLES),
            exclude: self.tables(key::EXCLUDE_TABLES),
            left_out: self.value(key::EXCLUDE_KINDS, |setting| LeftOut::parse(&setting.value)),
            retry_timeout: self.duration(key::RETRY_TIMEOUT),
        };
        let _: Option<LogLevel> = self.word(key::LOG_LEVEL);
        let _: Option<LogFormat> = self.word(key::LOG_FORMAT);
        drop(self.screen());
        values
    }

    pub(super) fn screen(&mut self) -> Screen {
        let keys = self.configuration.value_of(key::CONSOLE_KEYS);
        Screen {
            keys: keys.map(str::to_owned),
            palette: self.word(key::CONSOLE_THEME),
            colours: self
                .configuration
                .value_of(key::CONSOLE_COLOURS)
                .map(PathBuf::from),
            ascii: self.switch(key::CONSOLE_ASCII),
            motion: self.switch(key::CONSOLE_MOTION),
            mouse: self.switch(key::CONSOLE_MOUSE),
            read_only: self.switch(key::CONSOLE_READ_ONLY),
        }
    }

    /// Reads one value; what `parse` refuses becomes a problem with its rule and suggestion.
    fn value<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Setting) -> Result<T, (String, Option<String>)>,
    ) -> Option<T> {
        let setting = self.configuration.setting(key)?;
        match parse(setting) {
            Ok(value) => Some(value),
            Err((rule, suggestion)) => {
                self.problems.push(Problem {
                    key: Some(setting.name.clone()),
                    rule,
                    origin: Some(setting.origin.clone()),
                    suggestion,
                });
                None
            }
        }
    }

    fn connection(&mut self, key: &'static str) -> Option<ConnectionSettings> {
        let defaults = &self.configuration.connection_defaults;
        self.value(key, |setting| {
            ConnectionSettings::parse_in(&setting.value, defaults)
                .map(|settings| settings.with_origin(key, setting.origin.clone()))
                .map_err(|error| (error.to_string(), error.hint()))
        })
    }

    fn slot(&mut self) -> Option<SlotName> {
        self.value(key::SLOT_NAME, |setting| {
            let name = setting.value.trim().parse();
            name.map_err(|error| (text_of(&error), None))
        })
    }

    pub(super) fn word<T: Word>(&mut self, key: &'static str) -> Option<T> {
        self.value(key, |setting| {
            let meant =
                |error: &WordError| error.nearest().map(|word| format!("did you mean {word}?"));
            parse_word(setting.value.trim()).map_err(|error| (text_of(&error), meant(&error)))
        })
    }

    fn switch(&mut self, key: &'static str) -> Option<bool> {
        self.value(key, |setting| {
            match setting.value.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "on" | "1" => Ok(true),
                "false" | "f" | "no" | "off" | "0" => Ok(false),
                text => Err(("must be true or false".to_owned(), did_you_mean(text))),
            }
        })
    }

    fn count(&mut self, key: &'static str) -> Option<usize> {
        let (min, max) = match Variable::find(key).map(|variable| variable.kind) {
            Some(Kind::Count { min, max }) => (min, max),
            _ => (0, usize::MAX),
        };
        self.value(key, |setting| {
            let count = usize::from_str(setting.value.trim()).ok();
            let rule = || (format!("must be a whole number from {min} to {max}"), None);
            count
                .filter(|count| (min..=max).contains(count))
                .ok_or_else(rule)
        })
    }

    fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.value(key, |setting| {
            let text = setting.value.trim();
            let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let suggestion =
                bare.then(|| "write s behind it for seconds, ms for milliseconds".to_owned());
            match parse_duration(text) {
                Ok(Duration::ZERO) => Err(("must be longer than nothing".to_owned(), None)),
                Ok(duration) => Ok(duration),
                Err(rule) => Err((rule, suggestion)),
            }
        })
    }

    fn size(&mut self, key: &'static str) -> Option<ByteSize> {
        self.value(key, |setting| match setting.value.trim().parse() {
            Ok(ByteSize(0)) => Err(("must be larger than nothing".to_owned(), None)),
            Ok(size) => Ok(size),
            Err(error) => Err((ByteSizeError::to_string(&error), None)),
        })
    }

    fn tables(&mut self, key: &'static str) -> Vec<TablePattern> {
        self.value(key, |setting| {
            parse_patterns(&setting.value).map_err(|rule| (rule, None))
        })
        .unwrap_or_default()
    }
}

/// Returns which of the two words of a switch was probably meant.
fn did_you_mean(text: &str) -> Option<String> {
    let word = suggest::nearest(text, ["true", "false"].into_iter())?;
    Some(format!("did you mean {word}?"))
}

fn text_of(error: &impl fmt::Display) -> String {
    error.to_string()
}
