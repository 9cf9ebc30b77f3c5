//! Tables that cross the border of the filter: what leaves is left alone on the target, what enters is copied.
//! What was left of a table that comes back gets its name again here; whether its rows may go the copy looks
//! at ([`crate::snapshot`]), beside the stream.

use tracing::{info, warn};

use crate::engine::EngineError;
use crate::engine::source_tables::Crossing;
use crate::model::{Lsn, QualifiedName, RelationId};
use crate::schema::{Entry, NotApplied, ObjectChange, Table};

use super::Applier;
use super::copied_names::renaming;
use super::table_sync::records_refused;

/// What joins tables that replicate no longer with others: foreign keys of either side, and their places in
/// partitioned tables. As the other table, the object for people, the statement that takes it away, whether the
/// other one loses a key, and whether that was left here, too.
const JOINTS: &str = "\
WITH leaving (oid) AS (
  SELECT pg_catalog.to_regclass(w.name)::pg_catalog.oid
  FROM pg_catalog.unnest($1::pg_catalog.text[]) AS w (name)
  WHERE pg_catalog.to_regclass(w.name) IS NOT NULL
)
SELECT n.nspname::pg_catalog.text, o.relname::pg_catalog.text,
       pg_catalog.format('constraint %s on %s.%s', k.conname, kn.nspname, r.relname),
       pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', kn.nspname, r.relname, k.conname),
       o.oid = k.conrelid, o.oid IN (SELECT t.target FROM pgstream.left_table AS t)
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS r ON r.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS kn ON kn.oid = r.relnamespace
JOIN pg_catalog.pg_class AS o
  ON o.oid = CASE WHEN k.conrelid IN (SELECT l.oid FROM leaving AS l) THEN k.confrelid ELSE k.conrelid END
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid IN (SELECT l.oid FROM leaving AS l)) <> (k.confrelid IN (SELECT l.oid FROM leaving AS l))
UNION ALL
SELECT on_.nspname, o.relname, pg_catalog.format('partition %s.%s', cn.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I DETACH PARTITION %I.%I', n.nspname, p.relname, cn.nspname, c.relname),
       false, false
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
JOIN pg_catalog.pg_class AS o
  ON o.oid = CASE WHEN i.inhrelid IN (SELECT l.oid FROM leaving AS l) THEN i.inhparent ELSE i.inhrelid END
JOIN pg_catalog.pg_namespace AS on_ ON on_.oid = o.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND (i.inhrelid IN (SELECT l.oid FROM leaving AS l)) <> (i.inhparent IN (SELECT l.oid FROM leaving AS l))";

/// The foreign keys that point to these tables: as the table that has the key, the object for people, and the
/// statement that takes it away.
const KEYS_TO: &str = "\
SELECT n.nspname::pg_catalog.text, r.relname::pg_catalog.text,
       pg_catalog.format('constraint %s on %s.%s', k.conname, n.nspname, r.relname),
       pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, r.relname, k.conname), true, false
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS r ON r.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid IN (
  SELECT pg_catalog.to_regclass(w.name)::pg_catalog.oid FROM pg_catalog.unnest($1::pg_catalog.text[]) AS w (name))";

impl Applier {
    /// Takes out of a change what is left to copies of tables that enter, or goes with tables that leave.
    pub(super) fn take_crossing(
        &self,
        crossing: Crossing,
        entry: &mut Entry,
        commit_lsn: Lsn,
    ) -> Crossing {
        // A session that takes copied tables over passes entries for the second time.
        let crossing = match self.table_sync.is_catching_up(commit_lsn) {
            true => crossing.crossed_before(),
            false => self.below_waiting(crossing, entry),
        };
        if !crossing.is_empty() {
            entry.change = entry.change.part(|object| !crossing.takes(object), true);
        }
        crossing
    }

    /// What comes below a table that waits for its copy comes with that.
    fn below_waiting(&self, mut crossing: Crossing, entry: &Entry) -> Crossing {
        if !self.router.filters() {
            return crossing;
        }
        for object in &entry.change.objects {
            let ObjectChange::Table(images) = object else {
                continue;
            };
            let Some(after) = images.after.as_ref().filter(|after| after.is_partition()) else {
                continue;
            };
            let (relation, name) = (RelationId(images.oid), after.qualified_name());
            let waits = after
                .parents
                .iter()
                .map(|parent| RelationId(parent.oid))
                .any(|parent| {
                    self.table_sync.leaves_out(parent) || crossing.entering.contains_key(&parent)
                });
            if !waits || self.table_sync.leaves_out(relation) || !self.router.selects(&name) {
                continue;
            }
            let stood = images.before.as_ref().map(Table::qualified_name);
            if let (Some(before), None) = (stood, crossing.entering.insert(relation, name)) {
                crossing.replaced.insert(relation, before);
            }
        }
        crossing
    }

    /// Parts the tables that leave from those that replicate on, and remembers where they were left. Returns
    /// what the target has no longer, or no longer follows.
    pub(super) async fn leave_filter(
        &mut self,
        crossing: &Crossing,
    ) -> Result<Vec<NotApplied>, EngineError> {
        let mut lost = Vec::new();
        if crossing.leaving.is_empty() && crossing.cut.is_empty() {
            return Ok(lost);
        }
        self.begin().await?;
        let cut: Vec<String> = crossing.cut.values().map(QualifiedName::quoted).collect();
        let reason = "the filter leaves out a part of the table that it refers to";
        lost.extend(self.part(KEYS_TO, &cut, reason).await?);
        let leaving = crossing.leaving.iter();
        let leaving = leaving.map(|(relation, (_, after))| (*relation, after.clone()));
        let leaving: Vec<(RelationId, QualifiedName)> = leaving.collect();
        let names: Vec<String> = leaving.iter().map(|(_, name)| name.quoted()).collect();
        let reason = "the filter leaves out the table that it refers to";
        lost.extend(self.part(JOINTS, &names, reason).await?);
        let store = self.copies.store();
        let session = self.background.idle().session();
        let left = async {
            let cut: Vec<RelationId> = crossing.cut.keys().copied().collect();
            store.forget_keys_to(session, &cut).await?;
            store.leave(session, &leaving).await?;
            let relations: Vec<RelationId> = leaving.iter().map(|(one, _)| *one).collect();
            store.forget(session, &relations).await
        };
        let left = left.await;
        left.map_err(|source| self.failed(records_refused(source)))?;
        for (relation, name) in &leaving {
            self.table_sync.forget(*relation);
            lost.push(NotApplied {
                object: format!("rows of {name}"),
                reason: "the filter leaves it out by its new place: it stays on the target as it is, and \
                         replicates no longer"
                    .to_owned(),
            });
        }
        for part in &lost {
            warn!(target: "schema", object = part.object, reason = part.reason, "left out from now on");
        }
        Ok(lost)
    }

    /// Takes away what joins tables with others that replicate. Returns the keys that those lose.
    async fn part(
        &mut self,
        question: &str,
        names: &[String],
        reason: &str,
    ) -> Result<Vec<NotApplied>, EngineError> {
        let mut lost = Vec::new();
        let session = self.background.idle().session();
        let joints = session.rows(question, &[&names]).await;
        let joints = joints.map_err(|source| self.failed(records_refused(source)))?;
        for row in &joints {
            let other = QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
            // What joins them with a table of the target's own is nobody's to take away.
            if !self.router.selects(&other) && !row.get::<_, bool>(5) {
                continue;
            }
            let (object, sql): (String, String) = (row.get(2), row.get(3));
            self.run(&object, &sql).await?;
            let reason = reason.to_owned();
            lost.extend(
                row.get::<_, bool>(4)
                    .then_some(NotApplied { object, reason }),
            );
        }
        Ok(lost)
    }

    /// Lets the tables that enter wait for their copy: their rows of before are not in the stream.
    pub(super) async fn enter_filter(&mut self, crossing: &Crossing) -> Result<(), EngineError> {
        if crossing.entering.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        let entering = crossing.entering.iter();
        let entering = entering.map(|(relation, name)| (*relation, name.clone()));
        let entering: Vec<(RelationId, QualifiedName)> = entering.collect();
        let relations: Vec<RelationId> = entering.iter().map(|(one, _)| *one).collect();
        let store = self.copies.store();
        let session = self.background.idle().session();
        let entered = async {
            store.forget(session, &relations).await?;
            store.enter(session, &entering).await?;
            store.left(session, &relations).await
        };
        let left = entered.await;
        let mut left = left.map_err(|source| self.failed(records_refused(source)))?;
        // These replicated until now.
        let replaced = crossing.replaced.iter();
        left.extend(replaced.map(|(relation, name)| (*relation, name.clone())));
        for (relation, name) in &left {
            if let Some(after) = crossing.entering.get(relation) {
                self.take_back(*relation, name, after).await?;
            }
        }
        if !left.is_empty() {
            self.background.writer().forget();
        }
        for (_, name) in &entering {
            info!(target: "schema", table = %name, "passes the filter from now on: it is copied");
        }
        self.table_sync.leave_entering(&entering);
        self.table_sync.let_wait();
        Ok(())
    }

    /// The foreign keys to tables that are whole again come with the next look at the source: what is left out is
    /// in no entry.
    pub(super) async fn ask_for_keys(&mut self, crossing: &Crossing) -> Result<(), EngineError> {
        if crossing.whole.is_empty() {
            return Ok(());
        }
        self.begin().await?;
        let session = self.background.idle().session();
        let store = self.copies.store();
        let asked = store.ask_for_keys_to(session, &crossing.whole).await;
        asked.map_err(|source| self.failed(records_refused(source)))?;
        for table in crossing.whole.values() {
            info!(target: "schema", %table, "no part of it is left out any more: its foreign keys come");
        }
        self.table_sync.let_wait();
        Ok(())
    }

    /// Gives what is on the target of a table that enters the name that it has now, where that is free, and
    /// parts it from all others until its copy is there.
    async fn take_back(
        &mut self,
        relation: RelationId,
        left: &QualifiedName,
        after: &QualifiedName,
    ) -> Result<(), EngineError> {
        let sql =
            "SELECT pg_catalog.to_regclass($1) IS NOT NULL, pg_catalog.to_regclass($2) IS NOT NULL";
        let session = self.background.idle().session();
        let there = session.row(sql, &[&left.quoted(), &after.quoted()]).await;
        let there = there.map_err(|source| self.failed(records_refused(source)))?;
        let there = there
            .map(|row| (row.get(0), row.get(1)))
            .unwrap_or_default();
        match there {
            (true, false) => {
                for sql in renaming(left, after) {
                    self.run(&format!("table {left}"), &sql).await?;
                }
            }
            // Its schema has another name by now.
            (false, true) => {}
            (true, true) if left == after => {}
            _ => return Ok(()),
        }
        self.part(JOINTS, &[after.quoted()], "").await?;
        let session = self.background.idle().session();
        let kept = self
            .copies
            .store()
            .take_back(session, relation, after)
            .await;
        kept.map_err(|source| self.failed(records_refused(source)))
    }
}
