//! The rows of a rewritten table, which PostgreSQL never decodes: they come through the outbox, right
//! behind the log row.

use bytes::Bytes;
use serde::Deserialize;

use crate::model::{Column, QualifiedName, Relation, RelationId, ReplicaIdentity, Tuple, Value};

use super::error::SchemaError;

/// Some rows of a rewritten table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewrittenRows {
    /// The table as it is after the rewrite, its columns without generated ones.
    pub relation: Relation,
    /// The first part of this table: its old content goes.
    pub first: bool,
    /// The last part of this table.
    pub last: bool,
    /// The source did not send the rows: the table is larger than `pgstream.rewrite_bytes_max`.
    pub too_large: bool,
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

impl RewrittenRows {
    pub(super) fn parse(content: &str) -> Result<Self, SchemaError> {
        let wire: Wire = super::json::json(content)?;
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
        let content = r#"{"relation": 5, "schema": "public", "name": "t", "columns": ["a", "b"],
            "first": true, "last": false, "rows": [["1", null], ["", "x"]]}"#;
        let part = RewrittenRows::parse(content).unwrap();

        assert!(part.first && !part.last);
        assert_eq!(part.relation.columns.len(), 2);
        assert_eq!(part.rows[0].values[1], Value::Null);
        assert_eq!(part.rows[1].values[0], Value::Text(Bytes::new()));
        let short = r#"{"relation":5,"schema":"s","name":"t","too_large":true}"#;
        assert!(RewrittenRows::parse(short).unwrap().too_large);
        assert!(RewrittenRows::parse("{").is_err());
    }
}
