//! Which tables are copied by ranges of their key, and which of the ranges are there from an earlier
//! try. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::model::RelationId;
use crate::schema::ObjectChange;
use crate::snapshot::{KeyRange, Part, SourceTable, StoredPart, StoredTable, plan_ranges};

/// The ranges of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// All are to be copied.
    New(Vec<KeyRange>),
    /// Some are there, each as of its own consistent point.
    Resumed(Vec<StoredPart>),
}

impl Ranges {
    /// Returns what is left to copy.
    pub(crate) fn left(&self) -> Vec<Part> {
        match self {
            Self::New(ranges) => {
                let numbered = (1i32..).zip(ranges.iter().copied());
                numbered
                    .map(|(number, range)| Part::Keys { number, range })
                    .collect()
            }
            Self::Resumed(parts) => {
                let left = parts.iter().filter(|part| part.lsn.is_none());
                let part = |part: &StoredPart| Part::Keys {
                    number: part.number,
                    range: part.range,
                };
                left.map(part).collect()
            }
        }
    }

    /// Returns rows and bytes that are there.
    pub(crate) fn there(&self) -> (u64, u64) {
        match self {
            Self::New(_) => (0, 0),
            Self::Resumed(parts) => {
                let there = parts.iter().filter(|part| part.lsn.is_some());
                there.fold((0, 0), |(rows, bytes), part| {
                    (rows + part.row_count, bytes + part.byte_count)
                })
            }
        }
    }
}

/// Returns the ranges of those tables that are copied by ranges. What is there of a table counts only if
/// the table is still the same: its file, its columns and all else that was made of it.
pub(crate) fn ranges(
    tables: &[SourceTable],
    part_bytes: u64,
    stored: &[StoredTable],
    parts: &[StoredPart],
    made: &BTreeMap<u32, Vec<ObjectChange>>,
) -> HashMap<RelationId, Ranges> {
    let mut found = HashMap::new();
    for table in tables.iter().filter(|table| !table.partitioned) {
        let Some(key) = &table.key else { continue };
        let there: Vec<StoredPart> = parts
            .iter()
            .filter(|part| part.relation == table.relation)
            .cloned()
            .collect();
        let known = stored
            .iter()
            .find(|stored| stored.relation == table.relation);
        let same = known.is_some_and(|known| is_same(known, table, &key.column, made));
        if same && there.iter().any(|part| part.lsn.is_some()) {
            found.insert(table.relation, Ranges::Resumed(there));
            continue;
        }
        let planned = plan_ranges(key, table.byte_count, part_bytes);
        if !planned.is_empty() {
            found.insert(table.relation, Ranges::New(planned));
        }
    }
    found
}

fn is_same(
    known: &StoredTable,
    table: &SourceTable,
    key: &str,
    made: &BTreeMap<u32, Vec<ObjectChange>>,
) -> bool {
    let before = known
        .objects
        .as_ref()
        .and_then(|text| serde_json::from_str(text).ok());
    let before: Option<Vec<ObjectChange>> = before;
    known.fingerprint.as_ref() == Some(&table.fingerprint)
        && known.range_key.as_deref() == Some(key)
        && before.as_ref() == made.get(&table.relation.0)
}
