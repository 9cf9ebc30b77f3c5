//! Whether both sides are equal: the comparison that was started here, and the last proof on record.

use crate::diagnose::Verified;
use crate::status::Verdict;
use crate::verify::{ObjectReport, Progress, Report, SequenceReport, TableReport};

/// What is to be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Only this table; none: everything that replicates.
    pub(crate) table: Option<String>,
    /// Rows that differ are brought from the source.
    pub(crate) repair: bool,
    /// Differing rows come with their values.
    pub(crate) show_values: bool,
}

/// What a comparison says, as it comes.
#[derive(Debug)]
pub(crate) enum News {
    Table(Box<TableReport>),
    Object(ObjectReport),
    Sequence(SequenceReport),
    Note(String),
    Progress(Progress),
    Ended(Result<Box<Report>, String>),
    /// It was given up.
    Stopped,
}

/// A table, an object or a sequence that was compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<String>,
    /// The rest of it, when it is a table.
    pub(crate) table: Option<TableReport>,
}

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// The comparison that runs, and since when.
    pub(crate) running: Option<(Comparison, i64)>,
    pub(crate) progress: Progress,
    pub(crate) compared: Vec<Compared>,
    pub(crate) notes: Vec<String>,
    /// What the last comparison that was started here has come to, in words.
    pub(crate) outcome: Option<Result<String, String>>,
    /// What is on record, and when that was read.
    pub(crate) record: Option<(Verified, i64)>,
    pub(crate) only_trouble: bool,
}

impl Proof {
    /// Begins a comparison: of one table, what is known of the others stays.
    pub(crate) fn begin(&mut self, comparison: Comparison, now_ms: i64) {
        if comparison.table.is_none() {
            self.compared.clear();
            self.notes.clear();
        }
        self.outcome = None;
        self.progress = Progress::default();
        self.running = Some((comparison, now_ms));
    }

    /// Takes in what a comparison says.
    pub(crate) fn take(&mut self, news: News) {
        match news {
            News::Table(table) => self.put(Compared {
                name: table.table.to_string(),
                verdict: table.verdict,
                reason: table.reason.clone(),
                table: Some(*table),
            }),
            News::Object(object) => self.put(Compared {
                name: object.object,
                verdict: object.verdict,
                reason: Some(object.reason),
                table: None,
            }),
            News::Sequence(sequence) => self.put(Compared {
                name: format!("sequence {}", sequence.sequence),
                verdict: sequence.verdict,
                reason: Some(sequence.reason),
                table: None,
            }),
            News::Note(note) => self.notes.push(note),
            News::Progress(progress) => self.progress = progress,
            News::Ended(ended) => self.end(ended),
            News::Stopped => {
                self.running = None;
                self.outcome = Some(Err("it was stopped".to_owned()));
            }
        }
    }

    fn end(&mut self, ended: Result<Box<Report>, String>) {
        self.running = None;
        self.outcome = Some(ended.map(|report| {
            let word = match report.verdict() {
                Verdict::Equal => "equal",
                Verdict::Different => "different",
                Verdict::NotCompared => "not wholly compared",
            };
            let taken = if report.adopted { ", taken over" } else { "" };
            for table in &report.tables {
                self.take(News::Table(Box::new(table.clone())));
            }
            format!("{word} at {}{taken}", report.lsn)
        }));
    }

    fn put(&mut self, one: Compared) {
        match self
            .compared
            .iter_mut()
            .find(|known| known.name == one.name)
        {
            Some(known) => *known = one,
            None => self.compared.push(one),
        }
    }

    /// Returns how many have a verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let all = self.compared.iter();
        all.filter(|one| one.verdict == verdict).count()
    }
}
