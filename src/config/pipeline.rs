//! The validated configuration, one type for each use.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ByteSize, ConnectionSettings, LeftOut, SlotName, TableFilter, suggest};

/// What `run`, `status`, `check` and the engine need.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Where changes come from.
    pub source: ConnectionSettings,
    /// Where they go.
    pub target: ConnectionSettings,
    /// The slot; none: [`SlotName::for_database`] of the database really connected to.
    pub slot: Option<SlotName>,
    /// Output plugin of a slot that does not exist yet; an existing slot says its own.
    pub plugin: Plugin,
    /// When a batch goes out.
    pub batch: Batch,
    /// `session_replication_role = replica` on every session that writes.
    pub disable_triggers: bool,
    /// Rows are written as the role that owns their table.
    pub run_as_owner: bool,
    /// What an INSERT does when the key is there already.
    pub on_conflict: OnConflict,
    /// The database of the schema log; none: rows only.
    pub schema_log: Option<ConnectionSettings>,
    /// How long acknowledged entries of the schema log are kept.
    pub schema_log_retention: Duration,
    /// Which tables replicate.
    pub filter: TableFilter,
    /// Which kinds of objects do not.
    pub left_out: LeftOut,
    /// The first copy.
    pub snapshot: Snapshot,
    /// What a null number of an old wal2json is.
    pub null_numbers: NullNumbers,
    /// How long to keep trying when a failure is temporary.
    pub retry_timeout: Duration,
}

/// What `init` and `tear-down` need.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// The database to prepare or to clean.
    pub source: ConnectionSettings,
    /// The slot; none: [`SlotName::for_database`] of the database really connected to.
    pub slot: Option<SlotName>,
    /// Output plugin of the slot that `init` creates; none: not asked for, a slot that is there says its own.
    pub plugin: Option<Plugin>,
    /// The target, when one is configured: `tear-down` removes the checkpoint there.
    pub target: Option<ConnectionSettings>,
    /// The database of the schema log, when one is configured: the primary of a source that is a standby.
    pub schema_log: Option<ConnectionSettings>,
}

/// When a batch goes out: at the first of these, or when the stream has nothing more to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Row changes.
    pub size: usize,
    /// Whether the user set [`Batch::size`]: if so, batches are never merged.
    pub size_is_set: bool,
    /// Age of the oldest change in it.
    pub timeout: Duration,
}

/// The first copy of existing tables.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Whether tables are copied before streaming.
    pub enabled: bool,
    /// Where they are read.
    pub source: ConnectionSettings,
    /// Which ones.
    pub tables: TableFilter,
    /// How many copies run at the same time.
    pub worker_count: usize,
    /// How much of a table one copy moves in one transaction.
    pub part_size: ByteSize,
}

/// How to log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logging {
    /// Least severity.
    pub level: LogLevel,
    /// Form.
    pub format: LogFormat,
}

/// How the console looks and behaves; what is not set is decided by the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screen {
    /// Keys to move: `pause = ctrl-s, quit = Q`.
    pub keys: Option<String>,
    /// The colours.
    pub palette: Option<Palette>,
    /// A file with colours of one's own.
    pub colours: Option<PathBuf>,
    /// Frames and bars in ASCII.
    pub ascii: Option<bool>,
    /// Whether anything moves by itself.
    pub motion: Option<bool>,
    /// Whether the mouse is taken from the terminal.
    pub mouse: Option<bool>,
    /// Whether it only shows.
    pub read_only: Option<bool>,
}

/// A closed set of words.
pub(super) trait Word: Sized + Copy + 'static {
    /// The values with their words, in the order of the documentation.
    const WORDS: &'static [(&'static str, Self)];
}

/// The word is not one of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", words.join(" or "))]
pub struct WordError {
    words: Vec<&'static str>,
    nearest: Option<&'static str>,
}

impl WordError {
    /// Returns the word that was probably meant.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

pub(super) fn parse_word<T: Word>(text: &str) -> Result<T, WordError> {
    let found = T::WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| WordError {
        words: T::WORDS.iter().map(|(word, _)| *word).collect(),
        nearest: suggest::nearest(text, T::WORDS.iter().map(|(word, _)| *word)),
    })
}

macro_rules! words {
    ($type:ident { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl Word for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        impl FromStr for $type {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_word(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word),+
                })
            }
        }
    };
}

/// The output plugin of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plugin {
    /// Built into every server.
    #[default]
    Pgoutput,
    /// JSON, for slots that exist.
    Wal2json,
}

words!(Plugin { "pgoutput" => Pgoutput, "wal2json" => Wal2json });

/// What an INSERT does when the target already has the row's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Stop there.
    #[default]
    Error,
    /// Overwrite the row.
    Update,
    /// Leave the row as it is.
    Nothing,
}

words!(OnConflict { "error" => Error, "update" => Update, "nothing" => Nothing });

/// What a null in a `real`, `double precision` or `numeric` column stands for, where the plugin
/// prints `NaN` and the infinities as null too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullNumbers {
    /// Nobody knows: an error.
    #[default]
    Error,
    /// NULL: the operator vouches that the source holds neither `NaN` nor infinities.
    Null,
}

words!(NullNumbers { "error" => Error, "null" => Null });

/// Least severity that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Each change.
    Trace,
    /// Each batch.
    Debug,
    /// Each change of state.
    #[default]
    Info,
    /// Unexpected, recovered.
    Warn,
    /// Someone must act.
    Error,
}

words!(LogLevel {
    "trace" => Trace, "debug" => Debug, "info" => Info, "warn" => Warn, "error" => Error,
});

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// An object for machines.
    Json,
}

words!(LogFormat { "text" => Text, "json" => Json });

/// A set of colours for the console.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Palette {
    /// The terminal's sixteen colours.
    #[default]
    Auto,
    /// Colours of our own that can be read on dark and on light; what `auto` is where the terminal
    /// has them.
    Truecolor,
    /// Bright, bold, for poor eyes and projectors.
    HighContrast,
    /// No colour; also chosen by `NO_COLOR`.
    Mono,
}

words!(Palette { "auto" => Auto, "truecolor" => Truecolor, "high-contrast" => HighContrast, "mono" => Mono });
