//! Rows of tables that the target does not have yet.
//!
//! `CREATE TABLE … AS` sends its rows before the event trigger can describe the table. They wait
//! here, in memory while few and in a temporary file beyond, until the schema log's entry arrives
//! later in the same transaction. Only INSERTs can come so early.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::SpooledTempFile;

use crate::model::{QualifiedName, Relation, RelationId, Tuple, Value};

use super::ApplyError;

/// Rows beyond this go to a temporary file. They are copied once more when their table arrives, so
/// the bound only has to be small against the memory limit.
const HELD_MEMORY_BYTES_MAX: usize = 8 << 20;

/// Rows waiting for their table, by relation.
#[derive(Debug, Default)]
pub struct HeldRows {
    tables: HashMap<RelationId, HeldTable>,
}

#[derive(Debug)]
struct HeldTable {
    relation: Arc<Relation>,
    file: SpooledTempFile,
    row_count: u64,
}

impl HeldRows {
    /// Keeps an inserted row.
    ///
    /// # Errors
    /// [`ApplyError::Spill`] (class Operator) when the temporary file cannot be written.
    pub fn hold(&mut self, relation: &Arc<Relation>, row: &Tuple) -> Result<(), ApplyError> {
        let table = self.tables.entry(relation.id).or_insert_with(|| HeldTable {
            relation: Arc::clone(relation),
            file: SpooledTempFile::new(HELD_MEMORY_BYTES_MAX),
            row_count: 0,
        });
        table.row_count += 1;
        table
            .file
            .write_all(&encode(row))
            .map_err(|source| ApplyError::Spill { source })
    }

    /// Returns the tables whose rows wait.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.tables.values().map(|table| &table.relation)
    }

    /// Returns the name of a table that still waits, if any.
    #[must_use]
    pub fn first_name(&self) -> Option<&QualifiedName> {
        self.relations().map(|relation| &relation.name).min()
    }

    /// Takes the rows of one table, in the order in which they came.
    ///
    /// # Errors
    /// [`ApplyError::Spill`] (class Operator) when the temporary file cannot be read.
    pub fn take(&mut self, id: RelationId) -> Result<Option<HeldReader>, ApplyError> {
        let Some(mut table) = self.tables.remove(&id) else {
            return Ok(None);
        };
        table
            .file
            .seek(SeekFrom::Start(0))
            .map_err(|source| ApplyError::Spill { source })?;
        Ok(Some(HeldReader {
            file: BufReader::new(table.file),
            row_count: table.row_count,
        }))
    }

    /// Forgets the rows of a relation that is no table.
    pub fn forget(&mut self, name: &QualifiedName) {
        self.tables.retain(|_, table| table.relation.name != *name);
    }

    /// Forgets all rows: their transaction is given up.
    pub fn clear(&mut self) {
        self.tables.clear();
    }
}

/// Reads held rows back.
#[derive(Debug)]
pub struct HeldReader {
    file: BufReader<SpooledTempFile>,
    row_count: u64,
}

impl Iterator for HeldReader {
    type Item = Result<Tuple, ApplyError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row_count = self.row_count.checked_sub(1)?;
        Some(decode(&mut self.file).map_err(|source| ApplyError::Spill { source }))
    }
}

const LENGTH_NULL: u32 = u32::MAX;
const LENGTH_UNCHANGED: u32 = u32::MAX - 1;

/// Column count, then for each value its length and its bytes.
fn encode(row: &Tuple) -> Vec<u8> {
    let length = |count: usize| u32::try_from(count).expect("a row is smaller than 1 GB");
    let mut out = length(row.values.len()).to_be_bytes().to_vec();
    for value in &row.values {
        match value {
            Value::Null => out.extend(LENGTH_NULL.to_be_bytes()),
            Value::Unchanged => out.extend(LENGTH_UNCHANGED.to_be_bytes()),
            Value::Text(bytes) => {
                out.extend(length(bytes.len()).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

fn decode(file: &mut impl Read) -> std::io::Result<Tuple> {
    let column_count = read_u32(file)?;
    let values = (0..column_count)
        .map(|_| {
            Ok(match read_u32(file)? {
                LENGTH_NULL => Value::Null,
                LENGTH_UNCHANGED => Value::Unchanged,
                length => {
                    let mut bytes = Vec::new();
                    file.take(u64::from(length)).read_to_end(&mut bytes)?;
                    Value::Text(Bytes::from(bytes))
                }
            })
        })
        .collect::<std::io::Result<_>>()?;
    Ok(Tuple { values })
}

fn read_u32(file: &mut impl Read) -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReplicaIdentity;

    #[test]
    fn rows_come_back_as_they_were_in_order() {
        let relation = Arc::new(Relation {
            id: RelationId(7),
            name: QualifiedName::new("public", "t"),
            identity: ReplicaIdentity::Default,
            columns: Box::default(),
        });
        let text = |bytes: &'static [u8]| Value::Text(Bytes::from_static(bytes));
        let rows = [
            Tuple {
                values: [text(b"1"), Value::Null, Value::Unchanged].into(),
            },
            Tuple {
                values: [text(b""), text(b"\n\\"), text(b"x")].into(),
            },
        ];
        let mut held = HeldRows::default();

        for row in &rows {
            held.hold(&relation, row).unwrap();
        }

        assert_eq!(held.first_name(), Some(&relation.name));
        let back: Vec<_> = held
            .take(relation.id)
            .unwrap()
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(back, rows);
        assert_eq!(held.first_name(), None);
    }
}
