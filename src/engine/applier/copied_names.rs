//! Names of tables that are being copied: the stream gives them to other tables.
//!
//! A table that is being copied is as of its consistent point, and its own schema changes wait for its own session.
//! Its name cannot wait: the next statement of the stream may need it, for a table that is renamed or
//! made anew. So every table of the target is called as it is where the stream is. What is renamed,
//! moved or dropped while it is being copied is so at once, and what is still there is copied again.
//! Of its indexes only those give way whose name another table's index gets.

use std::collections::HashMap;

use tracing::info;

use crate::engine::EngineError;
use crate::model::{Lsn, QualifiedName, RelationId, quote_ident};
use crate::schema::{Change, Entry, Images, ObjectChange, Table};
use crate::snapshot::StoredTable;
use crate::status::CopyState;

use super::Applier;
use super::table_sync::records_refused;

impl Applier {
    /// Gives tables that are being copied the names that an entry gives them.
    pub(super) async fn follow_copied_names(
        &mut self,
        entry: &Entry,
        commit_lsn: Lsn,
    ) -> Result<(), EngineError> {
        let table_sync = &self.table_sync;
        let left = |images: &&Images<Table>| table_sync.leaves_out(RelationId(images.oid));
        let another = |images: &&Images<Table>| name(&images.before) != name(&images.after);
        let known = |images: &&Images<Table>| images.before.is_some();
        let called_otherwise = tables(&entry.change).filter(left).filter(known);
        let called_otherwise: Vec<_> = called_otherwise.filter(another).cloned().collect();
        let given = match table_sync.is_empty() {
            true => Vec::new(),
            false => index_names_given(&entry.change, &|table| table_sync.leaves_out(table)),
        };
        let nothing = called_otherwise.is_empty() && given.is_empty();
        // A session that takes tables over passes entries for the second time.
        if nothing || table_sync.is_catching_up(commit_lsn) {
            return Ok(());
        }
        self.flush().await?;
        self.begin().await?;
        let stored = self.stored_tables().await?;
        let made = stored.into_iter();
        let made = made.filter(|table| table.is_made() || table.target.is_some());
        let made: HashMap<RelationId, StoredTable> =
            made.map(|table| (table.relation, table)).collect();
        for images in called_otherwise {
            if let Some(stored) = made.get(&RelationId(images.oid)) {
                self.follow_copied_name(&entry.change, &images, stored)
                    .await?;
            }
        }
        for name in given {
            self.give_index_name_up(&name, made.values()).await?;
        }
        Ok(())
    }

    /// An index of a table that is being copied, made or still to be made, has a name that another table's
    /// index gets now: it goes, and its table is copied again, with the names of then.
    async fn give_index_name_up(
        &mut self,
        name: &QualifiedName,
        copied: impl Iterator<Item = &StoredTable>,
    ) -> Result<(), EngineError> {
        let session = self.background.idle().session();
        let store = self.copies.store();
        let found = async {
            let existing = session
                .row(EXISTING_INDEX, &[&&*name.schema, &&*name.name])
                .await?;
            Ok((existing, store.open_steps(session).await?))
        };
        let (existing, steps) = found
            .await
            .map_err(|source| self.failed(records_refused(source)))?;
        let existing: Option<(QualifiedName, String)> = existing.map(|row| {
            let table = QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
            (table, row.get(2))
        });
        for table in copied {
            if !self.table_sync.leaves_out(table.relation) {
                continue;
            }
            let stands = existing.as_ref().filter(|(of, _)| *of == table.name);
            let planned = steps.iter().any(|step| {
                step.relation == Some(table.relation) && makes(&step.object, name, &table.name)
            });
            if stands.is_none() && !planned {
                continue;
            }
            info!(target: "snapshot", table = %table.name, index = %name,
                "an index of a table that is being copied gives its name up");
            if let Some((_, sql)) = stands {
                self.run(&format!("index {name}"), sql).await?;
            }
            if !matches!(table.state, CopyState::Failed | CopyState::Waiting) {
                let session = self.background.idle().session();
                let waits = self.copies.store().wait(session, &[table.relation]).await;
                waits.map_err(|source| self.failed(records_refused(source)))?;
            }
        }
        Ok(())
    }

    /// The target's table first, the records afterwards: who writes rows into it holds the former while
    /// he waits for the latter.
    async fn follow_copied_name(
        &mut self,
        change: &Change,
        images: &Images<Table>,
        stored: &StoredTable,
    ) -> Result<(), EngineError> {
        let Some(before) = name(&images.before) else {
            return Ok(());
        };
        let after = name(&images.after);
        info!(target: "snapshot", table = %before, tag = change.tag,
            "a table that is being copied gives its name up");
        let sql = match &after {
            Some(after) => renaming(&before, after),
            None => dropping(&before, &sequences_that_go_with(change, images.oid)),
        };
        let object = format!("table {before}");
        for sql in sql {
            self.run(&object, &sql).await?;
        }
        let relation = stored.relation;
        let session = self.background.idle().session();
        let noted = match (after, stored.state) {
            (Some(_), CopyState::Failed | CopyState::Waiting) => Ok(()),
            (Some(_), _) => {
                let waits = self.copies.store().wait(session, &[relation]).await;
                waits.map(drop)
            }
            (None, _) => self.copies.store().forget(session, &[relation]).await,
        };
        noted.map_err(|source| self.failed(records_refused(source)))?;
        if images.after.is_none() {
            self.table_sync.forget(relation);
        }
        Ok(())
    }
}

/// The table of an index, and the statement that takes the index away.
const EXISTING_INDEX: &str = "\
SELECT n.nspname::pg_catalog.text, t.relname::pg_catalog.text,
       CASE WHEN k.oid IS NULL THEN pg_catalog.format('DROP INDEX %I.%I', n.nspname, c.relname)
            ELSE pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, t.relname, k.conname) END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname = $1 AND c.relname = $2";

/// The names that a change gives to indexes of tables that are not being copied.
fn index_names_given(
    change: &Change,
    leaves_out: &dyn Fn(RelationId) -> bool,
) -> Vec<QualifiedName> {
    let indexes = change.objects.iter().filter_map(|object| match object {
        ObjectChange::Index(images) => Some((images.before.as_ref(), images.after.as_ref()?)),
        _ => None,
    });
    let given = indexes.filter(|(before, after)| {
        let another = before.is_none_or(|before| before.name != after.name);
        another && !leaves_out(RelationId(after.table_oid))
    });
    given
        .map(|(_, after)| QualifiedName::new(&*after.table.schema, after.name.as_str()))
        .collect()
}

/// Whether a statement that completes a table, by its object, makes an index of that name.
fn makes(object: &str, index: &QualifiedName, table: &QualifiedName) -> bool {
    object == format!("index {index}") || object == format!("constraint {} on {table}", index.name)
}

fn tables(change: &Change) -> impl Iterator<Item = &Images<Table>> {
    change.objects.iter().filter_map(|object| match object {
        ObjectChange::Table(images) => Some(images),
        _ => None,
    })
}

fn name(table: &Option<Table>) -> Option<QualifiedName> {
    table.as_ref().map(Table::qualified_name)
}

pub(super) fn renaming(before: &QualifiedName, after: &QualifiedName) -> Vec<String> {
    let mut sql = Vec::new();
    let moved = QualifiedName::new(&*after.schema, &*before.name);
    if moved != *before {
        let (table, schema) = (before.quoted(), quote_ident(&after.schema));
        sql.push(format!("ALTER TABLE IF EXISTS {table} SET SCHEMA {schema}"));
    }
    if moved != *after {
        let (table, name) = (moved.quoted(), quote_ident(&after.name));
        sql.push(format!("ALTER TABLE IF EXISTS {table} RENAME TO {name}"));
    }
    sql
}

/// Sequences do not belong to their table before all its rows are there.
fn dropping(table: &QualifiedName, sequences: &[QualifiedName]) -> Vec<String> {
    let table = format!("DROP TABLE IF EXISTS {}", table.quoted());
    let sequences = sequences.iter().map(QualifiedName::quoted);
    let sequences = sequences.map(|name| format!("DROP SEQUENCE IF EXISTS {name}"));
    std::iter::once(table).chain(sequences).collect()
}

fn sequences_that_go_with(change: &Change, table: u32) -> Vec<QualifiedName> {
    let gone = change.objects.iter().filter_map(|object| match object {
        ObjectChange::Sequence(images) if images.after.is_none() => images.before.as_ref(),
        _ => None,
    });
    let owned = gone.filter(|sequence| sequence.table_oid == Some(table) && !sequence.identity);
    owned.map(crate::schema::Sequence::qualified_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_up_in_one_step_or_two() {
        let check = |before: (&str, &str), after: (&str, &str), expected: &[&str]| {
            let name = |(schema, name): (&str, &str)| QualifiedName::new(schema, name);
            assert_eq!(renaming(&name(before), &name(after)), expected);
        };

        check(
            ("s", "a"),
            ("s", "b"),
            &[r#"ALTER TABLE IF EXISTS "s"."a" RENAME TO "b""#],
        );
        check(
            ("s", "a"),
            ("r", "b"),
            &[
                r#"ALTER TABLE IF EXISTS "s"."a" SET SCHEMA "r""#,
                r#"ALTER TABLE IF EXISTS "r"."a" RENAME TO "b""#,
            ],
        );
    }
}
