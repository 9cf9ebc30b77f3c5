//! What both ends say to each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::status::{
    Command, CommandAnswer, EngineEvent, Sample, SchemaChange, Snapshot, Status, TableCounters,
};

use super::wire::WireLine;

/// The version of all that follows the greeting. The greeting itself stays as it is.
pub const VERSION: u32 = 3;

/// More samples than this are forgotten: an hour of them.
const SAMPLES_MAX: usize = 3600;

/// The engine's greeting: its first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of what it speaks.
    pub version: u32,
    /// Its process.
    pub pid: u32,
    /// The version of pgstream.
    pub release: String,
}

/// What an engine says after the greeting.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromEngine {
    Status(Box<Report>),
    Event(EngineEvent),
    Lines(Vec<WireLine>),
    Answer { id: u64, answer: CommandAnswer },
}

/// What a console says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromConsole {
    /// All that it asks from now on is to be refused.
    ReadOnly,
    Ask {
        id: u64,
        command: Command,
    },
    /// Lines of these levels are wanted, by target.
    Capture(Vec<(String, String)>),
}

/// A status without what the console knows already.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    status: Status,
    /// Those that are newer than what was said before.
    samples: Vec<Sample>,
    /// None: as before.
    tables: Option<Arc<BTreeMap<String, TableCounters>>>,
    schema_changes: Option<Arc<Vec<SchemaChange>>>,
    copies: Copies,
}

/// The copy of existing tables.
#[derive(Debug, Default, Serialize, Deserialize)]
enum Copies {
    #[default]
    AsBefore,
    Now(Option<Arc<Snapshot>>),
}

impl Report {
    /// Returns what is new in a status.
    pub(super) fn of(now: &Status, before: Option<&Status>) -> Self {
        let until = before.and_then(|before| before.samples.last());
        let until = until.map_or(i64::MIN, |sample| sample.at_s);
        let new = now.samples.iter().filter(|sample| sample.at_s > until);
        let same =
            |is_same: fn(&Status, &Status) -> bool| before.is_some_and(|one| is_same(one, now));
        let copies = match same(|one, other| one.snapshot == other.snapshot) {
            true => Copies::AsBefore,
            false => Copies::Now(now.snapshot.clone()),
        };
        Self {
            samples: new.copied().collect(),
            tables: (!same(|one, other| one.tables == other.tables))
                .then(|| Arc::clone(&now.tables)),
            schema_changes: (!same(|one, other| one.schema_changes == other.schema_changes))
                .then(|| Arc::clone(&now.schema_changes)),
            copies,
            status: Status {
                samples: Arc::default(),
                tables: Arc::default(),
                schema_changes: Arc::default(),
                snapshot: None,
                ..now.clone()
            },
        }
    }

    /// Returns the status that it makes of the one before.
    pub(super) fn onto(self, before: &Status) -> Status {
        let mut samples = Arc::clone(&before.samples);
        if !self.samples.is_empty() {
            let samples = Arc::make_mut(&mut samples);
            samples.extend(self.samples);
            let surplus = samples.len().saturating_sub(SAMPLES_MAX);
            samples.drain(..surplus);
        }
        Status {
            samples,
            tables: self.tables.unwrap_or_else(|| Arc::clone(&before.tables)),
            schema_changes: self
                .schema_changes
                .unwrap_or_else(|| Arc::clone(&before.schema_changes)),
            snapshot: match self.copies {
                Copies::AsBefore => before.snapshot.clone(),
                Copies::Now(copies) => copies,
            },
            ..self.status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_s: i64) -> Sample {
        Sample {
            at_s,
            rows: 3.0,
            ..Sample::default()
        }
    }

    #[test]
    fn what_is_known_already_is_not_reported_again() {
        let tables = BTreeMap::from([("public.a".to_owned(), TableCounters::default())]);
        let first = Status {
            slot_name: "a".to_owned(),
            samples: Arc::new(vec![sample(1), sample(2)]),
            tables: Arc::new(tables),
            snapshot: Some(Arc::default()),
            ..Status::default()
        };
        let mut second = first.clone();
        Arc::make_mut(&mut second.samples).push(sample(3));
        second.slot_name = "b".to_owned();
        second.snapshot = None;

        let known = Report::of(&first, None).onto(&Status::default());
        assert_eq!(known, first);
        let report = Report::of(&second, Some(&first));
        assert_eq!((report.samples.len(), &report.tables), (1, &None));
        let wire = serde_json::to_vec(&report).unwrap();
        let report: Report = serde_json::from_slice(&wire).unwrap();
        assert_eq!(report.onto(&known), second);
    }
}
