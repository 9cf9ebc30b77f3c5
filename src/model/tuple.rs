//! A row image. Values stay the bytes that the source printed: nothing here knows a type, so
//! nothing can change a value on its way.

use bytes::Bytes;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A value stored out of line (TOAST) that the statement did not change and that the source therefore did not
    /// send (manual, section 55.9 «Logical Replication Message Formats», `TupleData` `u`).
    Unchanged,
    /// The type's text output, UTF-8.
    Text(Bytes),
}

/// The values of one row, in the order of the relation's columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// One value a column.
    pub values: Box<[Value]>,
}

impl Tuple {
    /// Returns the bytes that the values hold, for bounds on memory.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.values
            .iter()
            .map(|value| match value {
                Value::Text(bytes) => bytes.len() + size_of::<Value>(),
                Value::Null | Value::Unchanged => size_of::<Value>(),
            })
            .sum()
    }
}
