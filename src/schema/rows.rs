//! The rows of a rewritten table, which PostgreSQL never decodes: the source sends them as
//! transactional messages right behind the log row.

use bytes::Bytes;
use serde::Deserialize;

use super::error::SchemaError;
use crate::model::{Column, QualifiedName, Relation, RelationId, ReplicaIdentity, Tuple, Value};

/// One message with rows of a rewritten table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsMessage {
    /// The table as it is after the rewrite, its columns without generated ones.
    pub relation: Relation,
    /// The first message of this table: its old content goes.
    pub first: bool,
    /// The last message of this table.
    pub last: bool,
    /// The source did not send the rows: the table is larger than `pgstream.rewrite_bytes_max`.
    pub too_large: bool,
    /// The rows.
    pub rows: Vec<Tuple>,
}

#[derive(Deserialize)]
struct Wire {
    relation: u32,
    schema: String,
    name: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    first: bool,
    #[serde(default)]
    last: bool,
    #[serde(default)]
    rows: Vec<Vec<Option<String>>>,
    #[serde(default)]
    too_large: bool,
}

impl RowsMessage {
    /// The prefix of these messages.
    pub const PREFIX: &str = "pgstream.rows";

    /// Reads the content of a message with [`Self::PREFIX`].
    ///
    /// # Errors
    /// [`SchemaError::ReadRows`] when the content is not ours (class: bug).
    pub fn parse(content: &[u8]) -> Result<Self, SchemaError> {
        let wire: Wire =
            serde_json::from_slice(content).map_err(|source| SchemaError::ReadRows { source })?;
        let name = QualifiedName::new(wire.schema, wire.name);
        let column = |name: String| Column {
            name: name.into_boxed_str(),
            key: false,
        };
        Ok(Self {
            relation: Relation {
                id: RelationId(wire.relation),
                name,
                identity: ReplicaIdentity::Full,
                columns: wire.columns.into_iter().map(column).collect(),
            },
            first: wire.first,
            last: wire.last,
            too_large: wire.too_large,
            rows: wire.rows.into_iter().map(tuple).collect(),
        })
    }
}

fn tuple(row: Vec<Option<String>>) -> Tuple {
    let value =
        |text: Option<String>| text.map_or(Value::Null, |text| Value::Text(Bytes::from(text)));
    Tuple {
        values: row.into_iter().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_nulls_and_the_mark_of_a_table_too_large_are_read() {
        let content = br#"{"relation": 5, "schema": "public", "name": "t", "columns": ["a", "b"],
            "first": true, "last": false, "rows": [["1", null], ["", "x"]]}"#;
        let message = RowsMessage::parse(content).unwrap();

        assert!(message.first && !message.last);
        assert_eq!(message.relation.columns.len(), 2);
        assert_eq!(message.rows[0].values[1], Value::Null);
        assert_eq!(message.rows[1].values[0], Value::Text(Bytes::new()));
        let short = br#"{"relation":5,"schema":"s","name":"t","too_large":true}"#;
        assert!(RowsMessage::parse(short).unwrap().too_large);
        assert!(RowsMessage::parse(b"{").is_err());
    }
}
