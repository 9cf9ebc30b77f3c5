//! Objects of the kinds that do not replicate: what the source has of them and the target has not.

use std::collections::{BTreeMap, HashSet};

use crate::config::OBJECT_KINDS;
use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};

const OTHERS: &str = include_str!("../../assets/sql/others.sql");

/// Returns whether objects of a kind travel.
#[must_use]
pub fn travels(kind: &str) -> bool {
    OBJECT_KINDS.contains(&kind)
}

/// So many names show what is meant.
const NAMES_MAX: usize = 5;

/// An object of a kind that does not replicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherObject {
    /// `view`, `function`, `trigger` and so on, in PostgreSQL's words.
    pub kind: String,
    /// The object as the server spells it.
    pub identity: String,
    /// The table that it belongs to.
    pub table: Option<QualifiedName>,
}

/// Those of one kind that the target lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LackingKind {
    /// The kind, in PostgreSQL's words.
    pub kind: String,
    /// What the target lacks of it.
    pub identities: Vec<String>,
}

impl LackingKind {
    /// Returns what is to be known of them.
    #[must_use]
    pub fn reason(&self) -> String {
        let shown = &self.identities[..self.identities.len().min(NAMES_MAX)];
        let more = match self.identities.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let count = match self.identities.len() {
            1 => "1 is".to_owned(),
            count => format!("{count} are"),
        };
        let why = match travels(&self.kind) {
            true => "",
            false => ", and objects of this kind do not replicate",
        };
        format!(
            "{count} on the source and not on the target{why}: {}{more}",
            shown.join(", ")
        )
    }
}

/// Returns all such objects of a server.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn other_objects(session: &Session) -> Result<Vec<OtherObject>, PgError> {
    let rows = session.rows(OTHERS, &[]).await?;
    let object = |row: &tokio_postgres::Row| {
        let schema: Option<String> = row.get(2);
        let table = schema.zip(row.get::<_, Option<String>>(3));
        OtherObject {
            kind: row.get(0),
            identity: row.get(1),
            table: table.map(|(schema, table)| QualifiedName::new(schema, table)),
        }
    };
    Ok(rows.iter().map(object).collect())
}

/// Returns, by kind, what the source has and the target has not. What belongs to a table that does not
/// replicate is nobody's loss.
#[must_use]
pub fn lacking(
    source: &[OtherObject],
    target: &[OtherObject],
    selects: &dyn Fn(&QualifiedName) -> bool,
) -> Vec<LackingKind> {
    let there: HashSet<(&str, &str)> = target.iter().map(key).collect();
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for object in source {
        let replicates = object.table.as_ref().is_none_or(selects);
        if replicates && !there.contains(&key(object)) {
            let kind = kinds.entry(&object.kind).or_default();
            kind.push(object.identity.clone());
        }
    }
    let kinds = kinds.into_iter();
    kinds
        .map(|(kind, identities)| LackingKind {
            kind: kind.to_owned(),
            identities,
        })
        .collect()
}

fn key(object: &OtherObject) -> (&str, &str) {
    (&object.kind, &object.identity)
}

/// Returns how many large objects a database has.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn large_object_count(session: &Session) -> Result<u64, PgError> {
    let sql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata";
    let row = session.row(sql, &[]).await?;
    let count: i64 = row.map_or(0, |row| row.get(0));
    Ok(u64::try_from(count).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::LeftOut;

    use super::*;

    /// What stands in a table of the documentation, a word a kind.
    fn documented() -> BTreeSet<String> {
        let docs = include_str!("../../docs/schema-changes.md");
        let (_, section) = docs.split_once("\n## What travels\n").unwrap();
        let (table, _) = section.split_once("\n\nThe kinds from").unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
        let cells = rows.filter_map(|row| row.split('|').nth(1));
        let singular = |kind: &str| match kind.trim() {
            "indexes" => "index".to_owned(),
            kind => match (kind.strip_suffix("ies"), kind.strip_suffix("sses")) {
                (Some(stem), _) => format!("{stem}y"),
                (None, Some(stem)) => format!("{stem}ss"),
                (None, None) => kind.strip_suffix('s').unwrap_or(kind).to_owned(),
            },
        };
        cells
            .flat_map(|cell| cell.split(',').map(singular).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn what_travels_is_one_list_in_code_documentation_and_sql() {
        let parts =
            "schema,table,column,sequence,constraint,index,partition,type,row level security";
        let parts = parts.split(',').chain(["owner", "privilege"]);
        let all: BTreeSet<String> = parts.chain(OBJECT_KINDS).map(str::to_owned).collect();
        assert_eq!(documented(), all);

        let choice: Vec<&str> = ["owner", "privilege"]
            .into_iter()
            .chain(OBJECT_KINDS)
            .collect();
        let (rule, _) = LeftOut::parse("nothing of the kind").unwrap_err();
        let (_, chosen) = rule.split_once(", of: ").unwrap();
        assert_eq!(chosen, choice.join(", "), "each can be left out");

        let sql = include_str!("../../assets/sql/source/install/12_capture.sql");
        let (_, list) = sql.split_once("'{table,").unwrap();
        let (list, _) = list.split_once("}'::text[]").unwrap();
        let described: BTreeSet<&str> = list.split(',').map(str::trim).collect();
        for kind in OBJECT_KINDS {
            assert!(
                described.contains(kind),
                "{kind} is not in pgstream.travels"
            );
        }
    }

    fn object(kind: &str, identity: &str, table: Option<&str>) -> OtherObject {
        OtherObject {
            kind: kind.to_owned(),
            identity: identity.to_owned(),
            table: table.map(|table| QualifiedName::new("public", table)),
        }
    }

    #[test]
    fn what_the_target_lacks_is_counted_by_kind_without_what_belongs_to_tables_left_out() {
        let source = [
            object("trigger", "g on public.t", Some("t")),
            object("trigger", "g on public.out", Some("out")),
            object("type", "public.a", None),
            object("type", "public.b", None),
        ];
        let target = [object("type", "public.a", None)];
        let found = lacking(&source, &target, &|table| &*table.name != "out");
        let message: Vec<_> = found
            .iter()
            .map(|kind| (&*kind.kind, kind.reason()))
            .collect();
        let reason = "1 is on the source and not on the target";
        let stays = "and objects of this kind do not replicate";
        let expected = [
            ("trigger", format!("{reason}: g on public.t")),
            ("type", format!("{reason}, {stays}: public.b")),
        ];
        assert_eq!(message, expected);

        let many = LackingKind {
            kind: "view".to_owned(),
            identities: (0..7).map(|at| format!("v{at}")).collect(),
        };
        assert!(many.reason().starts_with("7 are on the source"));
        assert!(many.reason().ends_with("v3, v4 and 2 more"));
    }
}
