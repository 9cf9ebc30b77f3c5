//! What the source tells the engine beside the schema log, at its place in the stream.
//!
//! The triggers write a row into `pgstream.outbox` and delete it again in the same transaction: it is in
//! the WAL, and nobody ever sees it in the table. Only the owner of the installation can write there, so
//! it may be believed, which a logical message never may: any role can write one.

use serde::Deserialize;

use crate::model::{Relation, Tuple};
use crate::postgres::Publication;

use super::entry::column_text;
use super::error::SchemaError;
use super::json::json;
use super::rows::RewrittenRows;

/// One row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// Some rows of a rewritten table.
    RewrittenRows(RewrittenRows),
    /// A command is about to begin that may change publications. What they are afterwards follows in the
    /// same transaction; it does not come when the publication of the stream no longer lets it through.
    PublicationCommand,
    /// The publications of the database, behind such a command.
    Publications(Vec<NamedPublication>),
}

/// A publication and its options.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NamedPublication {
    pub name: String,
    /// What it publishes.
    #[serde(flatten)]
    pub publication: Publication,
}

impl Letter {
    /// The table, in our schema.
    pub const TABLE: &str = "outbox";

    /// Reads an inserted row of the table.
    ///
    /// # Errors
    /// [`SchemaError`]: class operator for a kind that this program does not know, class bug when it is not
    /// of the layout that this program installs.
    pub fn from_tuple(relation: &Relation, tuple: &Tuple) -> Result<Self, SchemaError> {
        let content = column_text(relation, tuple, "content")?;
        match column_text(relation, tuple, "kind")? {
            "rewritten_rows" => RewrittenRows::parse(content).map(Self::RewrittenRows),
            "publication_command" => Ok(Self::PublicationCommand),
            "publications" => json(content).map(Self::Publications),
            kind => Err(SchemaError::UnknownLetter {
                kind: kind.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{Column, OUR_SCHEMA, QualifiedName, RelationId, ReplicaIdentity, Value};

    fn read(kind: &'static str, content: &'static str) -> Result<Letter, SchemaError> {
        let column = |name: &str| Column {
            name: name.into(),
            key: false,
        };
        let relation = Relation {
            id: RelationId(1),
            name: QualifiedName::new(OUR_SCHEMA, Letter::TABLE),
            identity: ReplicaIdentity::Default,
            columns: ["id", "kind", "content"].map(column).into(),
        };
        let text = |text: &'static str| Value::Text(Bytes::from_static(text.as_bytes()));
        let values = [text("1"), text(kind), text(content)].into();
        Letter::from_tuple(&relation, &Tuple { values })
    }

    #[test]
    fn letters_are_known_by_their_kind() {
        let published = r#"[{"name": "p", "all_tables": true, "all_changes": false,
            "via_root": false, "generated": true}]"#;
        let Ok(Letter::Publications(publications)) = read("publications", published) else {
            panic!("publications");
        };
        assert!(publications[0].name == "p" && !publications[0].publication.all_changes);
        let command = read("publication_command", "").unwrap();
        assert_eq!(command, Letter::PublicationCommand);
        let broken = read("rewritten_rows", "{");
        assert!(matches!(broken, Err(SchemaError::ReadLetter { .. })));
        let later = read("later", "");
        assert!(matches!(later, Err(SchemaError::UnknownLetter { .. })));
    }
}
