//! The wizards: set a pipeline up, take one down. Plain data; what runs on the servers is asked
//! for as a [`Job`] and comes back as an answer.
//!
//! ```text
//!   init       Source > Target > Preflight > Tables > First copy > Plan > Run > Start
//!   tear-down  Servers > Plan > Confirm > Run > Verify
//! ```
//!
//! The exact SQL is shown before anything runs; leaving keeps what was typed.

use std::path::PathBuf;

use tui_input::Input;

use crate::config::{Pipeline, Resolved, TableFilter};
use crate::diagnose::Finding;
use crate::schema::{PlannedStep, Progress, SourceTable};

mod field;
pub(crate) mod job;
pub(crate) mod save;
#[cfg(test)]
mod tests;
pub(crate) mod update;
mod values;
mod why;

pub(crate) use field::{Field, Name, problem};
pub(crate) use job::perform;
pub(crate) use update::Outcome;
pub use values::WizardValues;
pub(crate) use values::{Kind, Step};

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

/// What a wizard asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// Can this server be reached?
    Probe(Name, String),
    /// What is in the way?
    Check(WizardValues),
    /// Which tables has the source?
    Tables(WizardValues),
    /// What would run?
    Plan(Kind, WizardValues),
    /// Run it.
    Run(Kind, WizardValues),
    /// Is everything gone?
    Verify(WizardValues),
    /// Write the file, then start the pipeline or not.
    Start {
        wizard_values: WizardValues,
        file: String,
        starts: bool,
    },
}

/// What came of a [`Job`].
#[derive(Debug)]
pub(crate) enum Answer {
    Probed(Name, String, Result<String, Vec<String>>),
    Checked(Result<Vec<Finding>, Vec<String>>),
    Listed(Result<Vec<SourceTable>, Vec<String>>),
    Planned(Result<Planned, Vec<String>>),
    /// How the run goes on.
    Progress(Progress),
    Ran(Result<Vec<String>, Vec<String>>),
    Verified(Result<Vec<String>, Vec<String>>),
    Started(Result<Box<Started>, Vec<String>>),
}

/// A pipeline that was saved and can be started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Whether it shall start now.
    pub(crate) starts: bool,
    /// Its name: the file's without the ending.
    pub(crate) name: String,
    /// What was typed.
    pub(crate) wizard_values: WizardValues,
    /// Its settings.
    pub(crate) pipeline: Pipeline,
    /// The settings with their origins, and the file.
    pub(crate) settings: (Vec<Resolved>, PathBuf),
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
    pub(crate) tables: Loaded<Vec<SourceTable>>,
    /// The tables have been listed before.
    listed: bool,
    pub(crate) plan: Loaded<Planned>,
    /// How the run goes on, and since when its present step runs.
    pub(crate) progress: Progress,
    pub(crate) step_since_ms: i64,
    pub(crate) ran: Loaded<Vec<String>>,
    pub(crate) verified: Loaded<Vec<String>>,
    pub(crate) started: Loaded<String>,
    /// The selected line of a list.
    pub(crate) selected: usize,
    /// Lines that the SQL of the selected step is scrolled down; none: it stands below the plan.
    pub(crate) sql_scroll: Option<usize>,
    /// When the address being typed is tried, unless another key comes before.
    pub(crate) try_at_ms: Option<i64>,
}

impl Wizard {
    /// Returns a wizard on its first screen, with what is known filled in.
    pub(crate) fn new(kind: Kind, wizard_values: &WizardValues) -> Self {
        Self {
            kind,
            at: 0,
            fields: field::all(wizard_values),
            field: 0,
            reveal: false,
            source: Loaded::Not,
            target: Loaded::Not,
            findings: Loaded::Not,
            tables: Loaded::Not,
            listed: false,
            plan: Loaded::Not,
            progress: Progress::default(),
            step_since_ms: 0,
            ran: Loaded::Not,
            verified: Loaded::Not,
            started: Loaded::Not,
            selected: 0,
            sql_scroll: None,
            try_at_ms: None,
        }
    }

    /// Returns the screen.
    pub(crate) const fn step(&self) -> Step {
        let steps = self.kind.steps();
        let last = steps.len() - 1;
        steps[if self.at < last { self.at } else { last }]
    }

    /// Returns the fields of the screen.
    pub(crate) const fn names(&self, step: Step) -> &'static [Name] {
        match step {
            Step::Source => &[Name::Source, Name::Slot, Name::Plugin],
            Step::Target => &[Name::Target, Name::Schema],
            Step::Servers => &[Name::Source, Name::Target, Name::Slot],
            Step::Tables => &[Name::Include, Name::Exclude],
            Step::FirstCopy => &[Name::Copy, Name::CopyTables, Name::CopyWorkers],
            Step::Confirm => &[Name::Confirm],
            Step::Start => &[Name::File, Name::Then],
            Step::Preflight | Step::Plan | Step::Run | Step::Verify => &[],
        }
    }

    /// Returns the name of the field that has the keys.
    pub(crate) fn focused(&self) -> Option<Name> {
        self.names(self.step()).get(self.field).copied()
    }

    /// Returns the number of the last place that the keys may have: a field, or the list below.
    pub(crate) const fn last_place(&self) -> usize {
        let step = self.step();
        let fields = self.names(step).len();
        match step {
            Step::Tables => fields,
            _ => fields.saturating_sub(1),
        }
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
    pub(crate) fn wizard_values(&self) -> WizardValues {
        WizardValues {
            source: self.value(Name::Source),
            target: self.value(Name::Target),
            slot: self.value(Name::Slot),
            plugin: self.value(Name::Plugin),
            schema: self.value(Name::Schema) == field::YES,
            include: self.value(Name::Include),
            exclude: self.value(Name::Exclude),
            copy: self.value(Name::Copy) == field::YES,
            copy_tables: self.value(Name::CopyTables),
            copy_workers: self.value(Name::CopyWorkers),
        }
    }

    /// Returns the filter that was typed, while it can be read.
    pub(crate) fn filter(&self) -> Option<TableFilter> {
        TableFilter::parse(&self.value(Name::Include), &self.value(Name::Exclude)).ok()
    }

    /// Returns the tables of the source, as far as they are known.
    pub(crate) fn source_tables(&self) -> &[SourceTable] {
        match &self.tables {
            Loaded::Done(tables) => tables,
            Loaded::Not | Loaded::Waiting | Loaded::Failed(_) => &[],
        }
    }

    /// Puts a text into a field.
    pub(crate) fn fill(&mut self, name: Name, text: String) {
        if let Some(field) = self.get_mut(name) {
            field.input = Input::new(text);
            field.problem = None;
        }
    }

    /// Takes in which tables the source has. Where one of them may have rows, these are to be copied unless
    /// somebody says otherwise; that is asked once.
    pub(crate) fn list(&mut self, tables: Vec<SourceTable>) {
        let rows = tables.iter().any(|table| table.row_count != Some(0));
        if rows && !self.listed {
            self.fill(Name::Copy, field::YES.to_owned());
        }
        self.listed = true;
        self.tables = Loaded::Done(tables);
    }

    /// Takes in what would run.
    pub(crate) fn planned(&mut self, planned: Planned) {
        self.plan = Loaded::Done(planned);
    }

    /// Lets the table with this number in or out, by the shortest change of the patterns.
    ///
    /// # Errors
    /// Why it cannot be done, for people.
    pub(crate) fn toggle(&mut self, index: usize) -> Result<(), String> {
        let table = self.source_tables().get(index);
        let name = table.map(|table| table.name.clone());
        let name = name.ok_or("there is no such table")?;
        let filter = self.filter().ok_or("fix the patterns first")?;
        let changed = filter.toggled(&name).map_err(|pattern| {
            format!("{pattern} excludes {name} and perhaps others: change the pattern")
        })?;
        self.fill(Name::Include, changed.include_text());
        self.fill(Name::Exclude, changed.exclude_text());
        Ok(())
    }

    /// Returns whether the filter lets no table of the source through, which is a mistake.
    pub(crate) fn lets_nothing_through(&self) -> bool {
        let Some(filter) = self.filter() else {
            return false;
        };
        match self.source_tables() {
            [] => filter.selects_nothing(),
            tables => !tables.iter().any(|table| filter.selects(&table.name)),
        }
    }

    /// Returns the findings that init itself does not fix.
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

/// Returns what failed, why and the hint in one line; they stand in columns otherwise.
pub(crate) fn in_one_line<'a>(trouble: impl IntoIterator<Item = &'a String>) -> String {
    let lines = trouble.into_iter().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// Returns whether a finding is in the way of init: what `pgstream init` fixes is not.
pub(crate) fn blocks(finding: &Finding) -> bool {
    finding.blocking && !made_by_init(finding)
}

/// Returns whether init itself fixes what was found.
pub(crate) fn made_by_init(finding: &Finding) -> bool {
    finding.hint.starts_with("pgstream init")
}
