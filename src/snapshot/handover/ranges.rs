//! A table whose ranges of keys are as of different snapshots of the source. Pure.
//!
//! A row stays in its range while its key stays, so each range by itself is what the source had at its
//! snapshot. A change reaches it exactly if it was committed behind that consistent point. An UPDATE that moves a row
//! to another range is two changes, each judged by its own range.

use crate::apply::RowChange;
use crate::model::{Lsn, OldTuple, Relation, Tuple, Value};
use crate::snapshot::KeyRange;

/// The ranges, which cover every key once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    key: Box<str>,
    ranges: Vec<(KeyRange, Lsn)>,
}

/// What of a change is to be applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// This.
    Change(RowChange),
    /// Nothing: the copy has it.
    Nothing,
    /// It cannot be known: the row comes into a range that was copied before, with values that the
    /// stream does not carry because they did not change.
    Unknown,
}

impl Ranges {
    pub(crate) fn new(key: &str, ranges: Vec<(KeyRange, Lsn)>) -> Self {
        Self {
            key: key.into(),
            ranges,
        }
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = Lsn> {
        self.ranges.iter().map(|(_, lsn)| *lsn)
    }

    pub(crate) fn last(&self) -> Lsn {
        self.positions().max().unwrap_or_default()
    }

    pub(crate) fn first(&self) -> Lsn {
        self.positions().min().unwrap_or_default()
    }

    /// Returns the share of a change that was committed at `commit_lsn`.
    pub(crate) fn share(&self, relation: &Relation, change: RowChange, commit_lsn: Lsn) -> Share {
        let Some(column) = relation
            .columns
            .iter()
            .position(|column| column.name == self.key)
        else {
            return Share::Unknown;
        };
        let reaches = |tuple: &Tuple| Some(commit_lsn >= self.of(tuple, column)?);
        let shared = match &change {
            RowChange::Insert(new) => reaches(new).map(|new| (false, new)),
            RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => {
                reaches(old).map(|old| (old, false))
            }
            RowChange::Update { old: None, new } => reaches(new).map(|new| (new, new)),
            RowChange::Update {
                old: Some(OldTuple::Key(old) | OldTuple::Full(old)),
                new,
            } => reaches(old).zip(reaches(new)),
        };
        match shared {
            None => Share::Unknown,
            Some(reached) => part(change, reached),
        }
    }

    fn of(&self, tuple: &Tuple, column: usize) -> Option<Lsn> {
        let Some(Value::Text(bytes)) = tuple.values.get(column) else {
            return None;
        };
        let key: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
        let holds = |(range, _): &&(KeyRange, Lsn)| {
            range.low.is_none_or(|low| key >= low) && range.high.is_none_or(|high| key < high)
        };
        self.ranges.iter().find(holds).map(|(_, lsn)| *lsn)
    }
}

/// The part of a change that reaches the range of the old row, of the new one, of both or of none.
fn part(change: RowChange, (old_reached, new_reached): (bool, bool)) -> Share {
    match (change, old_reached, new_reached) {
        (_, false, false) => Share::Nothing,
        (RowChange::Update { old: Some(old), .. }, true, false) => {
            Share::Change(RowChange::Delete(old))
        }
        (RowChange::Update { new, .. }, false, true) => {
            let whole = !new.values.contains(&Value::Unchanged);
            if whole {
                Share::Change(RowChange::Insert(new))
            } else {
                Share::Unknown
            }
        }
        (change, _, _) => Share::Change(change),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Column, QualifiedName, RelationId, ReplicaIdentity};

    fn relation() -> Relation {
        let column = |name: &str| Column {
            name: name.into(),
            key: name == "id",
        };
        Relation {
            id: RelationId(1),
            name: QualifiedName::new("public", "t"),
            identity: ReplicaIdentity::Default,
            columns: [column("note"), column("id")].into(),
        }
    }

    fn tuple(note: Value, id: &str) -> Tuple {
        let id = Value::Text(Bytes::copy_from_slice(id.as_bytes()));
        Tuple {
            values: [note, id].into_iter().collect(),
        }
    }

    fn row(id: &str) -> Tuple {
        tuple(Value::Null, id)
    }

    #[test]
    fn each_range_takes_what_lies_behind_its_own_consistent_point() {
        let range = |low, high| KeyRange { low, high };
        let ranges = Ranges::new(
            "id",
            vec![
                (range(None, Some(10)), Lsn(50)),
                (range(Some(10), None), Lsn(90)),
            ],
        );
        let share = |change: RowChange, lsn| ranges.share(&relation(), change, Lsn(lsn));
        let moved = |old: &str, new| RowChange::Update {
            old: Some(OldTuple::Key(row(old))),
            new,
        };

        assert_eq!(share(RowChange::Insert(row("9")), 49), Share::Nothing);
        assert_eq!(
            share(RowChange::Insert(row("9")), 50),
            Share::Change(RowChange::Insert(row("9")))
        );
        assert_eq!(share(RowChange::Insert(row("10")), 70), Share::Nothing);
        let stays = RowChange::Update {
            old: None,
            new: row("-5"),
        };
        assert_eq!(share(stays.clone(), 60), Share::Change(stays));
        let gone = RowChange::Delete(OldTuple::Key(row("3")));
        assert_eq!(share(moved("3", row("30")), 60), Share::Change(gone));
        assert_eq!(
            share(moved("30", row("3")), 60),
            Share::Change(RowChange::Insert(row("3")))
        );
        assert_eq!(
            share(moved("30", tuple(Value::Unchanged, "3")), 60),
            Share::Unknown
        );
        assert_eq!(share(moved("30", row("3")), 40), Share::Nothing);
        let both = moved("30", tuple(Value::Unchanged, "3"));
        assert_eq!(share(both.clone(), 90), Share::Change(both));
        assert_eq!((ranges.first(), ranges.last()), (Lsn(50), Lsn(90)));
    }
}
