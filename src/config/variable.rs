//! The one table of all variables. Reading, «did you mean», the help text and the test of
//! `docs/configuration.md` come from it: a new variable is one entry here, one line where
//! [`Pipeline`](super::Pipeline) is built, and one row of that page.

/// The names, so that no other file spells them.
pub mod key {
    /// Source.
    pub const SOURCE_URL: &str = "PGSTREAM_POSTGRES_LISTENER_URL";
    /// Slot.
    pub const SLOT_NAME: &str = "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME";
    /// Output plugin of a new slot.
    pub const PLUGIN: &str = "PGSTREAM_POSTGRES_REPLICATION_PLUGIN";
    /// Whether existing tables are copied first.
    pub const SNAPSHOT_ENABLED: &str = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED";
    /// Source of the snapshot.
    pub const SNAPSHOT_STORE_URL: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_STORE_URL";
    /// Tables of the snapshot.
    pub const SNAPSHOT_TABLES: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES";
    /// Tables that the snapshot leaves out.
    pub const SNAPSHOT_EXCLUDED_TABLES: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES";
    /// Parallel copies.
    pub const SNAPSHOT_WORKERS: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS";
    /// What one copy moves in one transaction.
    pub const SNAPSHOT_PART_SIZE: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_PART_SIZE";
    /// Target.
    pub const TARGET_URL: &str = "PGSTREAM_POSTGRES_WRITER_TARGET_URL";
    /// Row changes of a batch.
    pub const BATCH_SIZE: &str = "PGSTREAM_POSTGRES_WRITER_BATCH_SIZE";
    /// Age of a batch.
    pub const BATCH_TIMEOUT: &str = "PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT";
    /// Whether triggers of the target stay silent.
    pub const DISABLE_TRIGGERS: &str = "PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS";
    /// Whether rows are written as the owner of their table.
    pub const RUN_AS_OWNER: &str = "PGSTREAM_POSTGRES_WRITER_RUN_AS_OWNER";
    /// What an INSERT does when the key is there already.
    pub const ON_CONFLICT: &str = "PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION";
    /// Database of the schema log.
    pub const SCHEMA_LOG_URL: &str = "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL";
    /// How long the schema log is kept.
    pub const SCHEMA_LOG_RETENTION: &str = "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_RETENTION";
    /// Tables that replicate.
    pub const INCLUDE_TABLES: &str = "PGSTREAM_FILTER_INCLUDE_TABLES";
    /// Tables that do not.
    pub const EXCLUDE_TABLES: &str = "PGSTREAM_FILTER_EXCLUDE_TABLES";
    /// Which kinds of objects stay on the source.
    pub const EXCLUDE_KINDS: &str = "PGSTREAM_FILTER_EXCLUDE_KINDS";
    /// Bound of temporary failures.
    pub const RETRY_TIMEOUT: &str = "PGSTREAM_RETRY_TIMEOUT";
    /// What wal2json's null numbers are.
    pub const NULL_NUMBERS: &str = "PGSTREAM_POSTGRES_WAL2JSON_NULL_NUMBERS";
    /// Least severity that is logged.
    pub const LOG_LEVEL: &str = "PGSTREAM_LOG_LEVEL";
    /// Form of the log.
    pub const LOG_FORMAT: &str = "PGSTREAM_LOG_FORMAT";
    /// Keys of the console.
    pub const CONSOLE_KEYS: &str = "PGSTREAM_CONSOLE_KEYS";
    /// Colours of the console.
    pub const CONSOLE_THEME: &str = "PGSTREAM_CONSOLE_THEME";
    /// A file of colours of the console.
    pub const CONSOLE_COLOURS: &str = "PGSTREAM_CONSOLE_COLOURS";
    /// Whether the console draws in ASCII.
    pub const CONSOLE_ASCII: &str = "PGSTREAM_CONSOLE_ASCII";
    /// Whether something on the console moves by itself.
    pub const CONSOLE_MOTION: &str = "PGSTREAM_CONSOLE_MOTION";
    /// Whether the console takes the mouse.
    pub const CONSOLE_MOUSE: &str = "PGSTREAM_CONSOLE_MOUSE";
    /// Whether the console only shows.
    pub const CONSOLE_READ_ONLY: &str = "PGSTREAM_CONSOLE_READ_ONLY";
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A libpq connection string; its password is never shown.
    Connection,
    /// The name of a replication slot.
    Slot,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number between two bounds, both included.
    Count {
        /// Least.
        min: usize,
        /// Greatest.
        max: usize,
    },
    /// A duration with its unit.
    Duration,
    /// A size with its unit.
    Size,
    /// A list of table patterns.
    Tables,
    /// A list of kinds of objects.
    Objects,
    /// A list of keys for actions.
    Keys,
    /// The path of a file.
    File,
}

impl Kind {
    /// Returns what a value must be, for people: the «kind» column of the documentation.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Connection => "connection string".to_owned(),
            Self::Slot => "slot name".to_owned(),
            Self::Choice(words) => words.join(", "),
            Self::Switch => "true, false".to_owned(),
            Self::Count { min, max } => format!("number from {min} to {max}"),
            Self::Duration => "duration".to_owned(),
            Self::Size => "size".to_owned(),
            Self::Tables => "list of tables".to_owned(),
            Self::Objects => "list of kinds".to_owned(),
            Self::Keys => "list of action = key".to_owned(),
            Self::File => "path of a file".to_owned(),
        }
    }
}

/// What a variable is about, in the order in which they are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Where changes come from.
    Source,
    /// Where they go.
    Target,
    /// How they travel.
    Stream,
    /// Which tables do.
    Tables,
    /// Changes of the tables themselves.
    Schema,
    /// Rows that exist already.
    Copy,
    /// What is written down.
    Log,
    /// The terminal console.
    Console,
}

impl Section {
    /// All sections, in order.
    pub const ALL: [Self; 8] = [
        Self::Source,
        Self::Target,
        Self::Stream,
        Self::Tables,
        Self::Schema,
        Self::Copy,
        Self::Log,
        Self::Console,
    ];

    /// Returns its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Target => "Target",
            Self::Stream => "Stream",
            Self::Tables => "Tables",
            Self::Schema => "Schema",
            Self::Copy => "Copy",
            Self::Log => "Log",
            Self::Console => "Console",
        }
    }
}

/// One variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: &'static str,
    /// What it is about.
    pub section: Section,
    /// Other names that mean the same.
    pub synonyms: &'static [&'static str],
    /// What it sets, one sentence.
    pub meaning: &'static str,
    /// The default, for people.
    pub default: &'static str,
    /// What a value must be.
    pub kind: Kind,
    /// A value as one would write it in a file.
    pub example: &'static str,
}

impl Variable {
    /// Returns the variable of this name or synonym.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        VARIABLES
            .iter()
            .find(|variable| variable.key == name || variable.synonyms.contains(&name))
    }

    /// Returns the end of its name, which says enough where its section is known.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        let rest = PREFIXES
            .iter()
            .find_map(|prefix| self.key.strip_prefix(prefix));
        rest.unwrap_or(self.key)
    }
}

/// What names begin with, the longest first.
const PREFIXES: [&str; 6] = [
    "PGSTREAM_POSTGRES_LISTENER_INITIAL_",
    "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_",
    "PGSTREAM_POSTGRES_WRITER_",
    "PGSTREAM_POSTGRES_",
    "PGSTREAM_CONSOLE_",
    "PGSTREAM_",
];

/// All variables, in the order of the documentation.
pub static VARIABLES: &[Variable] = &[
    Variable {
        key: key::SOURCE_URL,
        section: Section::Source,
        synonyms: &[],
        meaning: "The source: the database whose changes are read.",
        default: "required",
        kind: Kind::Connection,
        example: "\"postgres://postgres:postgres@localhost:5432?sslmode=disable\"",
    },
    Variable {
        key: key::SLOT_NAME,
        section: Section::Source,
        synonyms: &[],
        meaning: "The replication slot on the source.",
        default: "pgstream_<dbname>_slot",
        kind: Kind::Slot,
        example: "pgstream_tutorial_slot",
    },
    Variable {
        key: key::PLUGIN,
        section: Section::Source,
        synonyms: &[],
        meaning: "The output plugin of the slot that init creates; run reads it from the slot.",
        default: "pgoutput",
        kind: Kind::Choice(&["pgoutput", "wal2json"]),
        example: "pgoutput",
    },
    Variable {
        key: key::SNAPSHOT_ENABLED,
        section: Section::Copy,
        synonyms: &[],
        meaning: "Whether existing tables are copied before streaming.",
        default: "false",
        kind: Kind::Switch,
        example: "true",
    },
    Variable {
        key: key::SNAPSHOT_STORE_URL,
        section: Section::Copy,
        synonyms: &[],
        meaning: "The database that the snapshot is taken from.",
        default: "the source",
        kind: Kind::Connection,
        example: "\"postgres://postgres:postgres@localhost:5432?sslmode=disable\"",
    },
    Variable {
        key: key::SNAPSHOT_TABLES,
        section: Section::Copy,
        synonyms: &["PGSTREAM_POSTGRES_SNAPSHOT_TABLES"],
        meaning: "The tables that the snapshot copies.",
        default: "*.*",
        kind: Kind::Tables,
        example: "\"test_schema.* test\"",
    },
    Variable {
        key: key::SNAPSHOT_EXCLUDED_TABLES,
        section: Section::Copy,
        synonyms: &["PGSTREAM_POSTGRES_SNAPSHOT_EXCLUDED_TABLES"],
        meaning: "The tables that the snapshot leaves out.",
        default: "none",
        kind: Kind::Tables,
        example: "\"test_schema.audit\"",
    },
    Variable {
        key: key::SNAPSHOT_WORKERS,
        section: Section::Copy,
        synonyms: &["PGSTREAM_POSTGRES_SNAPSHOT_WORKERS"],
        meaning: "How many tables, or parts of tables, are copied at the same time.",
        default: "twice the cores, at most 8",
        kind: Kind::Count { min: 1, max: 64 },
        example: "4",
    },
    Variable {
        key: key::SNAPSHOT_PART_SIZE,
        section: Section::Copy,
        synonyms: &[],
        meaning: "How much of a table one worker copies in one transaction; a larger table is cut \
                  into parts, and one with a whole number as its key resumes between them, as \
                  verify does.",
        default: "128MiB",
        kind: Kind::Size,
        example: "64MiB",
    },
    Variable {
        key: key::TARGET_URL,
        section: Section::Target,
        synonyms: &[],
        meaning: "The target: the database that the changes are written to.",
        default: "required",
        kind: Kind::Connection,
        example: "\"postgres://postgres:postgres@localhost:7654?sslmode=disable\"",
    },
    Variable {
        key: key::BATCH_SIZE,
        section: Section::Stream,
        synonyms: &[],
        meaning: "How many row changes fill a batch, which is one transaction on the target.",
        default: "100",
        kind: Kind::Count {
            min: 1,
            max: 1_000_000,
        },
        example: "25",
    },
    Variable {
        key: key::BATCH_TIMEOUT,
        section: Section::Stream,
        synonyms: &[],
        meaning: "The longest time that a batch waits to be filled.",
        default: "5s",
        kind: Kind::Duration,
        example: "5s",
    },
    Variable {
        key: key::DISABLE_TRIGGERS,
        section: Section::Target,
        synonyms: &[],
        meaning: "Whether triggers and foreign keys of the target stay silent for what we write \
                  (session_replication_role = replica).",
        default: "false",
        kind: Kind::Switch,
        example: "true",
    },
    Variable {
        key: key::RUN_AS_OWNER,
        section: Section::Target,
        synonyms: &[],
        meaning: "Whether rows are written as the role that owns their table on the target, so that checks, \
                  defaults, triggers and other expressions run with its rights. Tables that are made get the \
                  owner that they have on the source, where our role is a member of that role. \
                  (PostgreSQL's subscriptions do so when their option run_as_owner is false.)",
        default: "false",
        kind: Kind::Switch,
        example: "true",
    },
    Variable {
        key: key::ON_CONFLICT,
        section: Section::Target,
        synonyms: &[],
        meaning: "What an insert does when the target already has the row's key: stop, overwrite \
                  the row, or leave it as it is.",
        default: "error",
        kind: Kind::Choice(&["error", "update", "nothing"]),
        example: "update",
    },
    Variable {
        key: key::SCHEMA_LOG_URL,
        section: Section::Schema,
        synonyms: &[],
        meaning: "The database that holds pgstream.schema_log, which is the source; when set, \
                  schema changes replicate.",
        default: "rows only",
        kind: Kind::Connection,
        example: "\"postgres://postgres:postgres@localhost:5432?sslmode=disable\"",
    },
    Variable {
        key: key::SCHEMA_LOG_RETENTION,
        section: Section::Schema,
        synonyms: &[],
        meaning: "How long run keeps entries of pgstream.schema_log that are acknowledged and that \
                  every pipeline has confirmed.",
        default: "30d",
        kind: Kind::Duration,
        example: "90d",
    },
    Variable {
        key: key::INCLUDE_TABLES,
        section: Section::Tables,
        synonyms: &[],
        meaning: "The tables that replicate, rows and schema changes; others are never touched on \
                  the target.",
        default: "all",
        kind: Kind::Tables,
        example: "\"public.* shop.orders\"",
    },
    Variable {
        key: key::EXCLUDE_TABLES,
        section: Section::Tables,
        synonyms: &[],
        meaning: "The tables that do not replicate, even when they are included.",
        default: "none",
        kind: Kind::Tables,
        example: "\"*.audit_*\"",
    },
    Variable {
        key: key::EXCLUDE_KINDS,
        section: Section::Schema,
        synonyms: &[],
        meaning: "The kinds of objects that do not travel, with commas between them, as \
                  docs/schema-changes.md calls them, in the singular; owner and privilege among them.",
        default: "none",
        kind: Kind::Objects,
        example: "\"owner, privilege\"",
    },
    Variable {
        key: key::RETRY_TIMEOUT,
        section: Section::Stream,
        synonyms: &[],
        meaning: "How long run keeps trying when a server cannot be reached, before it gives up \
                  with exit code 75.",
        default: "1h",
        kind: Kind::Duration,
        example: "10m",
    },
    Variable {
        key: key::NULL_NUMBERS,
        section: Section::Source,
        synonyms: &[],
        meaning: "What a null number of wal2json before 2.6 is, which prints NaN and the \
                  infinities as null, too: an error, or NULL because the source has none of them.",
        default: "error",
        kind: Kind::Choice(&["error", "null"]),
        example: "null",
    },
    Variable {
        key: key::LOG_LEVEL,
        section: Section::Log,
        synonyms: &[],
        meaning: "The least severity that is logged.",
        default: "info",
        kind: Kind::Choice(&["trace", "debug", "info", "warn", "error"]),
        example: "debug",
    },
    Variable {
        key: key::LOG_FORMAT,
        section: Section::Log,
        synonyms: &[],
        meaning: "The form of the log on stderr.",
        default: "text",
        kind: Kind::Choice(&["text", "json"]),
        example: "json",
    },
    Variable {
        key: key::CONSOLE_KEYS,
        section: Section::Console,
        synonyms: &[],
        meaning: "Keys of the console to move; docs/keys.md has the names of the actions.",
        default: "as in docs/keys.md",
        kind: Kind::Keys,
        example: "\"pause = ctrl-s, quit = Q\"",
    },
    Variable {
        key: key::CONSOLE_THEME,
        section: Section::Console,
        synonyms: &[],
        meaning: "The colours of the console: the terminal's own sixteen, colours of our own where it has them, \
            bright and bold, or none.",
        default: "auto: truecolor where COLORTERM says so, mono when NO_COLOR is set",
        kind: Kind::Choice(&["auto", "truecolor", "high-contrast", "mono"]),
        example: "high-contrast",
    },
    Variable {
        key: key::CONSOLE_COLOURS,
        section: Section::Console,
        synonyms: &[],
        meaning: "A file with colours of one's own, role by role; docs/operations.md has the roles.",
        default: "none",
        kind: Kind::File,
        example: "pgstream.theme",
    },
    Variable {
        key: key::CONSOLE_ASCII,
        section: Section::Console,
        synonyms: &[],
        meaning: "Whether frames and bars of the console are drawn in ASCII.",
        default: "true where the locale is not UTF-8",
        kind: Kind::Switch,
        example: "true",
    },
    Variable {
        key: key::CONSOLE_MOTION,
        section: Section::Console,
        synonyms: &[],
        meaning: "Whether anything on the console moves by itself, such as the running time.",
        default: "true",
        kind: Kind::Switch,
        example: "false",
    },
    Variable {
        key: key::CONSOLE_MOUSE,
        section: Section::Console,
        synonyms: &[],
        meaning: "Whether the console takes the mouse; without, the terminal selects text as ever.",
        default: "true",
        kind: Kind::Switch,
        example: "false",
    },
    Variable {
        key: key::CONSOLE_READ_ONLY,
        section: Section::Console,
        synonyms: &[],
        meaning: "Whether the console only shows: `run` starts its engine as ever, no key asks anything of it, and wizards stop at the plan.",
        default: "false",
        kind: Kind::Switch,
        example: "true",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PAGE: &str = include_str!("../../docs/configuration.md");

    /// The row of the documentation that describes a variable.
    fn row(variable: &Variable) -> String {
        let names: Vec<String> = std::iter::once(&variable.key)
            .chain(variable.synonyms)
            .map(|name| format!("`{name}`"))
            .collect();
        let names = names.join(" or ");
        let Variable {
            meaning, default, ..
        } = variable;
        format!(
            "| {names} | {meaning} | {default} | {} |",
            variable.kind.describe()
        )
    }

    #[test]
    fn every_name_stands_for_one_variable() {
        let names: Vec<&str> = VARIABLES
            .iter()
            .flat_map(|variable| variable.synonyms.iter().chain([&variable.key]))
            .copied()
            .collect();
        let distinct: HashSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len());
        for name in names {
            assert!(name.starts_with("PGSTREAM_"), "{name}");
            assert!(Variable::find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let expected: Vec<String> = VARIABLES.iter().map(row).collect();
        let found: Vec<&str> = PAGE
            .lines()
            .filter(|line| line.starts_with("| `PGSTREAM_"))
            .collect();
        assert_eq!(
            found,
            expected,
            "docs/configuration.md must have:\n{}",
            expected.join("\n")
        );
    }
}
