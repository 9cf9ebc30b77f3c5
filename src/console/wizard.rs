//! The wizards: set a pipeline up, take one down. Plain data; what runs on the servers is asked
//! for as a [`Job`] and comes back as an answer.
//!
//! ```text
//!   init       Source > Target > Preflight > Plan > Run > Start
//!   tear-down  Servers > Plan > Confirm > Run > Verify
//! ```
//!
//! The exact SQL is shown before anything runs; leaving keeps what was typed.

use tui_input::Input;

use crate::config::{Pipeline, SlotName};
use crate::engine::check::Finding;
use crate::schema::install::PlannedStep;

pub(crate) mod job;
pub(crate) mod save;
#[cfg(test)]
mod tests;
pub(crate) mod update;

/// What a wizard is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    TearDown,
}

/// One screen of a wizard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Source,
    Target,
    Preflight,
    Plan,
    Run,
    Start,
    Servers,
    Confirm,
    Verify,
}

impl Kind {
    /// Returns the screens in order.
    pub(crate) const fn steps(self) -> &'static [Step] {
        match self {
            Self::Init => &[
                Step::Source,
                Step::Target,
                Step::Preflight,
                Step::Plan,
                Step::Run,
                Step::Start,
            ],
            Self::TearDown => &[
                Step::Servers,
                Step::Plan,
                Step::Confirm,
                Step::Run,
                Step::Verify,
            ],
        }
    }

    /// Returns the name of the wizard.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Init => "Init",
            Self::TearDown => "Tear-down",
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Source,
    Target,
    Slot,
    Plugin,
    Schema,
    Confirm,
    File,
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
}

/// Something that is asked of the servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Loaded<T> {
    #[default]
    Not,
    Waiting,
    Done(T),
    Failed(Vec<String>),
}

/// What is left behind by a side that does not answer, and what stays in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) steps: Vec<PlannedStep>,
    /// What to know about it, line by line.
    pub(crate) notes: Vec<String>,
    /// The slot's name, as the server knows it.
    pub(crate) slot: String,
}

/// What a wizard knows of the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Address of the source.
    pub source: String,
    /// Address of the target; may be empty for a tear-down.
    pub target: String,
    /// The slot; empty: named after the database.
    pub slot: String,
    /// The output plugin.
    pub plugin: String,
    /// Whether schema changes replicate.
    pub schema: bool,
}

/// What a wizard asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// Can this server be reached?
    Probe(Name, String),
    /// What is in the way?
    Check(Draft),
    /// What would run?
    Plan(Kind, Draft),
    /// Run it.
    Run(Kind, Draft),
    /// Is everything gone?
    Verify(Draft),
    /// Write the file, then start the pipeline.
    Start { draft: Draft, file: String },
}

/// What came of a [`Job`].
#[derive(Debug)]
pub(crate) enum Answer {
    Probed(Name, String, Result<String, Vec<String>>),
    Checked(Result<Vec<Finding>, Vec<String>>),
    Planned(Result<Planned, Vec<String>>),
    Ran(Result<Vec<String>, Vec<String>>),
    Verified(Result<Vec<String>, Vec<String>>),
    Started(Result<(String, Box<Pipeline>), Vec<String>>),
}

/// A wizard on its way.
#[derive(Debug)]
pub(crate) struct Wizard {
    pub(crate) kind: Kind,
    /// Number of the screen.
    pub(crate) at: usize,
    pub(crate) fields: Vec<Field>,
    /// Number of the field that has the keys, among those of the screen.
    pub(crate) field: usize,
    /// Whether passwords are shown in the field that has the keys.
    pub(crate) reveal: bool,
    pub(crate) source: Loaded<String>,
    pub(crate) target: Loaded<String>,
    pub(crate) findings: Loaded<Vec<Finding>>,
    pub(crate) plan: Loaded<Planned>,
    pub(crate) ran: Loaded<Vec<String>>,
    pub(crate) verified: Loaded<Vec<String>>,
    pub(crate) started: Loaded<String>,
    /// The selected line of a list.
    pub(crate) selected: usize,
}

const PLUGINS: &[&str] = &["pgoutput", "wal2json"];
const SCHEMA: &[&str] = &["yes", "no"];

fn field(name: Name, label: &'static str, help: &'static str, value: &str) -> Field {
    Field {
        name,
        label,
        help,
        input: Input::new(value.to_owned()),
        choices: &[],
        problem: None,
    }
}

impl Wizard {
    /// Returns a wizard on its first screen, with what is known filled in.
    pub(crate) fn new(kind: Kind, draft: &Draft) -> Self {
        let choice = |field: Field, choices| Field { choices, ..field };
        let plugin = if draft.plugin.is_empty() {
            PLUGINS[0]
        } else {
            &draft.plugin
        };
        let fields = vec![
            field(
                Name::Source,
                "Source",
                "postgres://user:password@host:5432/database",
                &draft.source,
            ),
            field(
                Name::Slot,
                "Slot",
                "empty: pgstream_<database>_slot",
                &draft.slot,
            ),
            choice(
                field(
                    Name::Plugin,
                    "Plugin",
                    "pgoutput is built into every server",
                    plugin,
                ),
                PLUGINS,
            ),
            field(
                Name::Target,
                "Target",
                "postgres://user:password@host:5432/database",
                &draft.target,
            ),
            choice(
                field(
                    Name::Schema,
                    "Schema changes",
                    "whether they replicate, too",
                    SCHEMA[0],
                ),
                SCHEMA,
            ),
            field(Name::Confirm, "Slot", "type its name to go on", ""),
            field(
                Name::File,
                "File",
                "where the configuration is saved; only you can read it",
                "pgstream.env",
            ),
        ];
        Self {
            kind,
            at: 0,
            fields,
            field: 0,
            reveal: false,
            source: Loaded::Not,
            target: Loaded::Not,
            findings: Loaded::Not,
            plan: Loaded::Not,
            ran: Loaded::Not,
            verified: Loaded::Not,
            started: Loaded::Not,
            selected: 0,
        }
    }

    /// Returns the screen.
    pub(crate) fn step(&self) -> Step {
        let steps = self.kind.steps();
        steps[self.at.min(steps.len() - 1)]
    }

    /// Returns the fields of the screen.
    pub(crate) const fn names(&self, step: Step) -> &'static [Name] {
        match step {
            Step::Source => &[Name::Source, Name::Slot, Name::Plugin],
            Step::Target => &[Name::Target, Name::Schema],
            Step::Servers => &[Name::Source, Name::Target, Name::Slot],
            Step::Confirm => &[Name::Confirm],
            Step::Start => &[Name::File],
            Step::Preflight | Step::Plan | Step::Run | Step::Verify => &[],
        }
    }

    /// Returns the name of the field that has the keys.
    pub(crate) fn focused(&self) -> Option<Name> {
        self.names(self.step()).get(self.field).copied()
    }

    /// Returns a field.
    pub(crate) fn get(&self, name: Name) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns a field, to change it.
    pub(crate) fn get_mut(&mut self, name: Name) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// Returns what a field holds, without blanks at the ends.
    pub(crate) fn value(&self, name: Name) -> String {
        let value = self
            .get(name)
            .map(|field| field.input.value().trim().to_owned());
        value.unwrap_or_default()
    }

    /// Returns what was typed, as one.
    pub(crate) fn draft(&self) -> Draft {
        Draft {
            source: self.value(Name::Source),
            target: self.value(Name::Target),
            slot: self.value(Name::Slot),
            plugin: self.value(Name::Plugin),
            schema: self.value(Name::Schema) == SCHEMA[0],
        }
    }

    /// Returns the findings that init itself does not mend.
    pub(crate) fn blocking(&self) -> usize {
        match &self.findings {
            Loaded::Done(findings) => findings.iter().filter(|one| blocks(one)).count(),
            Loaded::Not | Loaded::Waiting | Loaded::Failed(_) => 1,
        }
    }

    /// Returns the name that must be typed before a tear-down.
    pub(crate) fn slot_to_type(&self) -> &str {
        match &self.plan {
            Loaded::Done(planned) => &planned.slot,
            Loaded::Not | Loaded::Waiting | Loaded::Failed(_) => "",
        }
    }
}

/// Returns whether a finding is in the way of init: what `pgstream init` mends is not.
pub(crate) fn blocks(finding: &Finding) -> bool {
    finding.blocking && !finding.mend.starts_with("pgstream init")
}

/// Returns what is wrong with a field; none when it may be left.
pub(crate) fn problem(kind: Kind, name: Name, value: &str) -> Option<String> {
    use crate::config::ConnectionSettings;
    match name {
        Name::Target if value.is_empty() && kind == Kind::TearDown => None,
        Name::Source | Name::Target if value.is_empty() => Some("an address is needed".to_owned()),
        Name::Source | Name::Target => ConnectionSettings::parse(value)
            .err()
            .map(|error| error.to_string()),
        Name::Slot if value.is_empty() => None,
        Name::Slot => value
            .parse::<SlotName>()
            .err()
            .map(|error| error.to_string()),
        Name::File if value.is_empty() => Some("a name is needed".to_owned()),
        Name::Plugin | Name::Schema | Name::Confirm | Name::File => None,
    }
}
