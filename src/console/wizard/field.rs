//! The fields of the wizards: what each asks for, and what is wrong with what was typed.

use tui_input::Input;

use crate::config::{self, ConnectionSettings, SlotName, TableFilter, Variable, key};

use super::values::{Kind, WizardValues};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Address of the source.
    Source,
    /// Address of the target.
    Target,
    /// Name of the slot.
    Slot,
    /// Its output plugin.
    Plugin,
    /// Whether schema changes replicate.
    Schema,
    /// The tables that replicate.
    Include,
    /// The tables that do not.
    Exclude,
    /// Whether existing rows are copied first.
    Copy,
    /// The tables whose rows are copied.
    CopyTables,
    /// How many copies run at the same time.
    CopyWorkers,
    /// The slot's name once more, before a tear-down.
    Confirm,
    /// The configuration file to be written.
    File,
    /// What comes after that.
    Then,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) label: &'static str,
    pub(crate) help: &'static str,
    pub(crate) input: Input,
    /// A choice instead of a text: the values it may have.
    pub(crate) choices: &'static [&'static str],
    /// What is wrong with it, found when it was left.
    pub(crate) problem: Option<String>,
    /// Whether it has been left since the last key: what is still being typed is not judged.
    pub(crate) left: bool,
}

const PLUGINS: &[&str] = &["pgoutput", "wal2json"];
pub(crate) const YES: &str = "yes";
const NO: &str = "no";
const SWITCH: &[&str] = &[YES, NO];
pub(crate) const START: &str = "start";
const THEN: &[&str] = &[START, "only save"];

const ADDRESS: &str = "postgres://user:password@host/db";
/// Name, label and help, in the order in which the screens show them.
const FIELDS: [(Name, &str, &str); 13] = [
    (Name::Source, "Source", ADDRESS),
    (Name::Slot, "Slot", "empty: pgstream_<database>_slot"),
    (
        Name::Plugin,
        "Plugin",
        "pgoutput is built into every server",
    ),
    (Name::Target, "Target", ADDRESS),
    (
        Name::Schema,
        "Schema changes",
        "whether they replicate, too",
    ),
    (
        Name::Include,
        "Include",
        "empty: all tables; shop.* is a schema",
    ),
    (Name::Exclude, "Exclude", "wins over what is included"),
    (
        Name::Copy,
        "Copy rows",
        "whether existing rows are copied before streaming",
    ),
    (Name::CopyTables, "Tables", "empty: all that replicate"),
    (
        Name::CopyWorkers,
        "Workers",
        "copies at the same time; empty: twice the cores, at most 8",
    ),
    (Name::Confirm, "Slot", "type its name to go on"),
    (
        Name::File,
        "File",
        "where the configuration is saved; only you can read it",
    ),
    (
        Name::Then,
        "Then",
        "start the pipeline here and now, or leave that for later",
    ),
];

/// Returns all fields, with what is known filled in.
pub(super) fn all(wizard_values: &WizardValues) -> Vec<Field> {
    let field = |(name, label, help)| Field {
        name,
        label,
        help,
        input: Input::new(beginning(name, wizard_values)),
        choices: match name {
            Name::Plugin => PLUGINS,
            Name::Schema | Name::Copy => SWITCH,
            Name::Then => THEN,
            _ => &[],
        },
        problem: None,
        left: true,
    };
    FIELDS.into_iter().map(field).collect()
}

/// Returns what a field holds at first.
fn beginning(name: Name, wizard_values: &WizardValues) -> String {
    let or = |value: &str, otherwise: &str| match value {
        "" => otherwise.to_owned(),
        value => value.to_owned(),
    };
    match name {
        Name::Source => wizard_values.source.clone(),
        Name::Target => wizard_values.target.clone(),
        Name::Slot => wizard_values.slot.clone(),
        Name::Plugin => or(&wizard_values.plugin, PLUGINS[0]),
        Name::Schema => YES.to_owned(),
        Name::Include => wizard_values.include.clone(),
        Name::Exclude => wizard_values.exclude.clone(),
        Name::Copy => (if wizard_values.copy { YES } else { NO }).to_owned(),
        Name::CopyTables => wizard_values.copy_tables.clone(),
        Name::CopyWorkers => wizard_values.copy_workers.clone(),
        Name::Confirm => String::new(),
        Name::File => "pgstream.env".to_owned(),
        Name::Then => START.to_owned(),
    }
}

impl Name {
    /// Returns whether it is the address of a server.
    pub(crate) const fn is_address(self) -> bool {
        matches!(self, Self::Source | Self::Target)
    }
}

/// Returns what is wrong with a field; none when it may be left.
pub(crate) fn problem(kind: Kind, name: Name, value: &str) -> Option<String> {
    match name {
        Name::Target if value.is_empty() && kind == Kind::TearDown => None,
        Name::Source | Name::Target if value.is_empty() => Some("an address is needed".to_owned()),
        Name::Source | Name::Target => ConnectionSettings::parse(value)
            .err()
            .map(|error| error.to_string()),
        Name::File if value.is_empty() => Some("a name is needed".to_owned()),
        _ if value.is_empty() => None,
        Name::Slot => value
            .parse::<SlotName>()
            .err()
            .map(|error| error.to_string()),
        Name::Include | Name::CopyTables => TableFilter::parse(value, "").err(),
        Name::Exclude => TableFilter::parse("", value).err(),
        Name::CopyWorkers => workers_problem(value),
        Name::Plugin | Name::Schema | Name::Copy | Name::Confirm | Name::File | Name::Then => None,
    }
}

/// The bounds are those of the variable that the number becomes.
fn workers_problem(value: &str) -> Option<String> {
    let kind = Variable::find(key::SNAPSHOT_WORKERS)?.kind;
    let config::Kind::Count { min, max } = kind else {
        return None;
    };
    let number: Option<usize> = value.parse().ok();
    let good = number.is_some_and(|number| (min..=max).contains(&number));
    (!good).then(|| format!("must be a {}", kind.describe()))
}
