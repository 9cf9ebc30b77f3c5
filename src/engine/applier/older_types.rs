//! Rows that were decoded under a type that is another by now.
//!
//! The source prints a row as it was when it was written. Where a second session alters a type and commits before
//! the first one does, the row comes behind that change, printed as the type was before it. A label of an
//! enum is then given its name of now; what cannot be known so certainly stops the stream.
//!
//! ```text
//!  INSERT 'a' ──────────────────────────> COMMIT     the row comes here, as 'a'
//!       ALTER TYPE … RENAME 'a' TO 'b'; COMMIT       and the type was changed before
//! ```

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::model::{Lsn, OldTuple, QualifiedName, Relation, Tuple, Value};
use crate::schema::{Category, Column, Entry, Images, ObjectChange, Table, Type};

use super::{Applier, RowChange};

const TYPE_USES: &str = include_str!("../../../assets/sql/target/type_uses.sql");

/// What is known of changed types, by table.
#[derive(Debug, Default)]
pub(in crate::engine) struct OlderTypes {
    tables: HashMap<QualifiedName, Vec<(Lsn, Reading)>>,
}

/// How older values of a column are to be read behind a change of its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Reading {
    table: QualifiedName,
    column: String,
    /// Each renamed label with its new name; none: the values have other parts.
    labels: Option<Vec<(String, String)>>,
    /// The column's values are such labels, and not only made of them.
    itself: bool,
}

/// A value that cannot be read any more, by its column.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable(String);

impl OlderTypes {
    /// Returns what is on record on the target.
    pub(in crate::engine) fn known(recorded: Vec<(Lsn, String)>) -> Self {
        let mut types = Self::default();
        for (commit_lsn, readings) in recorded {
            // Our own words: who wrote others there knows better.
            types.add(
                commit_lsn,
                serde_json::from_str(&readings).unwrap_or_default(),
            );
        }
        types
    }

    /// Takes over what an entry of that commit changed.
    fn add(&mut self, commit_lsn: Lsn, readings: Vec<Reading>) {
        for reading in readings {
            let table = self.tables.entry(reading.table.clone()).or_default();
            table.push((commit_lsn, reading));
        }
    }

    /// Returns the change as it is to be read now, if it lies at `at` and was committed behind the types'
    /// changes.
    fn read(
        &self,
        table: &QualifiedName,
        relation: &Relation,
        (commit_lsn, at): (Lsn, Lsn),
        mut change: RowChange,
    ) -> Result<RowChange, Unreadable> {
        let readings = self.tables.get(table).into_iter().flatten();
        let readings = readings.filter(|(changed, _)| at < *changed && *changed < commit_lsn);
        for (_, reading) in readings {
            let named = |column: &crate::model::Column| *column.name == *reading.column;
            let Some(column) = relation.columns.iter().position(named) else {
                continue;
            };
            for tuple in tuples(&mut change) {
                reading.read(&mut tuple.values[column])?;
            }
        }
        Ok(change)
    }
}

impl Reading {
    fn read(&self, value: &mut Value) -> Result<(), Unreadable> {
        let Value::Text(text) = value else {
            return Ok(());
        };
        let unreadable = || Unreadable(self.column.clone());
        let labels = self.labels.as_ref().ok_or_else(unreadable)?;
        let holds = |old: &str| {
            text.windows(old.len().max(1))
                .any(|part| part == old.as_bytes())
        };
        if !self.itself {
            let any = labels.iter().any(|(old, _)| holds(old));
            return if any { Err(unreadable()) } else { Ok(()) };
        }
        let renamed = labels.iter().find(|(old, _)| *text == old.as_bytes());
        if let Some((_, new)) = renamed {
            *text = Bytes::copy_from_slice(new.as_bytes());
        }
        Ok(())
    }
}

fn tuples(change: &mut RowChange) -> Vec<&mut Tuple> {
    match change {
        RowChange::Insert(new) | RowChange::Update { old: None, new } => vec![new],
        RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => vec![old],
        RowChange::Update {
            old: Some(OldTuple::Key(old) | OldTuple::Full(old)),
            new,
        } => vec![old, new],
    }
}

impl Applier {
    /// Reads the change at hand as the types of its table are now.
    pub(super) fn read_as_of_now(
        &self,
        relation: &Relation,
        commit_lsn: Lsn,
        change: RowChange,
    ) -> Result<RowChange, EngineError> {
        if self.older_types.tables.is_empty() {
            return Ok(change);
        }
        let table = self.router.name_now(relation);
        let place = (commit_lsn, self.at);
        let read = self.older_types.read(&table, relation, place, change);
        read.map_err(|Unreadable(column)| self.failed(ApplyError::OlderType { table, column }))
    }

    /// Returns how older values are to be read behind an entry, and takes that over.
    pub(super) async fn follow_types(
        &mut self,
        entry: &Entry,
        commit_lsn: Lsn,
    ) -> Result<Vec<Reading>, EngineError> {
        let mut readings = Vec::new();
        for object in &entry.change.objects {
            let Some((name, labels)) = changed_type(object) else {
                continue;
            };
            let session = self.background.idle().session();
            let found = session
                .rows(TYPE_USES, &[&&*name.schema, &&*name.name])
                .await;
            let rows = found.map_err(|source| {
                self.failed(ApplyError::Statement {
                    object: format!("a look for what is made of type {name}"),
                    statement: TYPE_USES.to_owned(),
                    source,
                })
            })?;
            readings.extend(rows.iter().map(|row| Reading {
                table: QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1)),
                column: row.get(2),
                labels: labels.clone(),
                itself: row.get(3),
            }));
        }
        self.older_types.add(commit_lsn, readings.clone());
        Ok(readings)
    }
}

/// The name of the type whose values an object's change gives another meaning, and the labels that it renames.
type ChangedType = (QualifiedName, Option<Vec<(String, String)>>);

fn changed_type(object: &ObjectChange) -> Option<ChangedType> {
    match object {
        ObjectChange::Type(Images {
            before: Some(before),
            after: Some(after),
            ..
        }) => match after.category {
            Category::Enum => {
                let labels = renamed_labels(before, after);
                (!labels.is_empty()).then(|| (after.qualified_name(), Some(labels)))
            }
            Category::Composite => has_other_parts(&before.attributes, &after.attributes)
                .then(|| (after.qualified_name(), None)),
            Category::Domain | Category::Range => None,
        },
        ObjectChange::Table(Images {
            before: Some(before),
            after: Some(after),
            ..
        }) => has_other_parts(&before.columns, &after.columns)
            .then(|| (Table::qualified_name(after), None)),
        _ => None,
    }
}

fn renamed_labels(before: &Type, after: &Type) -> Vec<(String, String)> {
    let now = |oid: u32| after.labels.iter().find(|label| label.oid == oid);
    let renamed = before.labels.iter().filter_map(|old| {
        let new = now(old.oid).filter(|new| new.label != old.label)?;
        Some((old.label.clone(), new.label.clone()))
    });
    renamed.collect()
}

/// Whether values that were printed before are printed otherwise now. Names are not printed.
fn has_other_parts(before: &[Column], after: &[Column]) -> bool {
    let kind = |column: &Column| (column.number, column.type_oid);
    before.iter().map(kind).ne(after.iter().map(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RelationId, ReplicaIdentity};

    fn reading(labels: Option<&[(&str, &str)]>, itself: bool) -> Reading {
        let own = |(old, new): &(&str, &str)| ((*old).to_owned(), (*new).to_owned());
        Reading {
            table: QualifiedName::new("public", "t"),
            column: "v".to_owned(),
            labels: labels.map(|labels| labels.iter().map(own).collect()),
            itself,
        }
    }

    /// What a row at 10, committed at 100, with the value `text` is read as behind changes of the type.
    fn read(text: &str, changes: &[(u64, Reading)]) -> Result<String, Unreadable> {
        let mut types = OlderTypes::default();
        for (lsn, reading) in changes {
            types.add(Lsn(*lsn), vec![reading.clone()]);
        }
        let relation = Relation {
            id: RelationId(1),
            name: QualifiedName::new("public", "t"),
            identity: ReplicaIdentity::Default,
            columns: ["id", "v"]
                .map(|name| crate::model::Column {
                    name: name.into(),
                    key: name == "id",
                })
                .into(),
        };
        let value = |text: &str| Value::Text(Bytes::copy_from_slice(text.as_bytes()));
        let row = Tuple {
            values: [value("a"), value(text)].into(),
        };
        let place = (Lsn(100), Lsn(10));
        let read = types.read(&relation.name, &relation, place, RowChange::Insert(row))?;
        let RowChange::Insert(row) = read else {
            panic!("an INSERT stays one");
        };
        match &row.values[..] {
            [Value::Text(id), Value::Text(text)] if &id[..] == b"a" => {
                Ok(String::from_utf8(text.to_vec()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_label_is_read_as_it_is_called_now() {
        let swap = [[("a", "x")], [("b", "a")], [("x", "b")]];
        let swap = swap.map(|step| (50, reading(Some(&step), true)));

        assert_eq!(read("a", &swap).unwrap(), "b");
        assert_eq!(read("b", &swap).unwrap(), "a");
        assert_eq!(read("c", &swap).unwrap(), "c");
        let both = [(50, reading(Some(&[("a", "b"), ("b", "a")]), true))];
        assert_eq!(read("a", &both).unwrap(), "b");
        for elsewhere in [5, 100, 200] {
            let change = [(elsewhere, reading(Some(&[("a", "x")]), true))];
            assert_eq!(read("a", &change).unwrap(), "a");
        }
    }

    #[test]
    fn what_cannot_be_reported_for_certain_is_not_guessed() {
        let refused = Err(Unreadable("v".to_owned()));

        let inside = [(50, reading(Some(&[("a", "x")]), false))];
        assert_eq!(read("{b,a}", &inside), refused);
        assert_eq!(read("{b}", &inside).unwrap(), "{b}");
        assert_eq!(read("(1,2)", &[(50, reading(None, true))]), refused);
    }
}
