//! Which changes of the stream reach which table, while tables are being copied. Pure.
//!
//! ```text
//!                   position of the stream ──────────────────────────────>
//!  other tables     …already on the target…│checkpoint│ applied
//!  waiting, copying passed over: the copy will have them
//!  catching up      in the copy │lsn│ applied, also before the checkpoint
//! ```
//!
//! A table that was copied is as of its own position, which the checkpoint may have passed while it
//! was being copied. A session of the stream therefore starts at the lowest of these positions and the
//! checkpoint, and each change is applied exactly if it lies behind its own table's. Once the stream
//! is behind all of them, the tables have one position again: the checkpoint's.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::TableFilter;
use crate::model::{Lsn, QualifiedName, Relation, RelationId};
use crate::schema::{Change, ObjectChange};

/// Objects of users are numbered from here on (`FirstNormalObjectId`).
const USER_OIDS_MIN: u32 = 16_384;

use super::ranges::Ranges;

/// What the stream has to do with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TablePolicy {
    /// Nothing: it is not there yet, or is being copied.
    Left,
    /// What was committed at or behind this position.
    From(Lsn),
    /// What was committed at or behind the position of the row's own range.
    Ranges(Arc<Ranges>),
}

/// The tables that the checkpoint does not speak for.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableSync {
    tables: HashMap<RelationId, (QualifiedName, TablePolicy)>,
    /// The types of users that those are made of which are being copied, where that is known.
    types: HashMap<RelationId, Vec<u32>>,
    /// By the name of now, for plugins that send no OIDs.
    names: HashMap<QualifiedName, RelationId>,
    by_name: bool,
    /// The checkpoint when the session began.
    checkpoint: Lsn,
    /// Until a copy's consistent point is passed, tables that the target lacks may be left out: the copy
    /// brings those of them that the source still has.
    lenient_for: Option<TableFilter>,
    /// The source keeps everything from here on, whatever is confirmed otherwise.
    hold: Option<Lsn>,
    /// The earliest snapshot of parts that are there of tables that are being copied.
    parts: Option<Lsn>,
    /// Tables are being copied, or will be.
    some_wait: bool,
    /// Waiting tables of which nothing was begun: those that the stream creates are the stream's.
    unbegun: HashSet<RelationId>,
    /// Tables wait for which this session keeps nothing.
    needs_session: bool,
}

impl TableSync {
    /// Returns what a session begins with. `checkpoint` is that of all other tables; `by_name` is for
    /// plugins that send no OIDs.
    pub(crate) fn new(
        tables: impl IntoIterator<Item = (RelationId, QualifiedName, TablePolicy)>,
        checkpoint: Lsn,
        by_name: bool,
    ) -> Self {
        let mut table_sync = Self {
            by_name,
            checkpoint,
            ..Self::default()
        };
        for (relation, name, policy) in tables {
            table_sync.names.insert(name.clone(), relation);
            table_sync.tables.insert(relation, (name, policy));
        }
        table_sync
    }

    /// Returns whether there is nothing that the checkpoint does not speak for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Returns where the session must start to read.
    pub(crate) fn start(&self) -> Lsn {
        self.positions()
            .min()
            .unwrap_or(self.checkpoint)
            .min(self.checkpoint)
    }

    /// Returns the position from which on the checkpoint speaks for every table that catches up.
    pub(crate) fn settled_at(&self) -> Option<Lsn> {
        self.positions().max().map(|last| last.max(self.checkpoint))
    }

    fn positions(&self) -> impl Iterator<Item = Lsn> {
        self.tables.values().flat_map(|(_, policy)| match policy {
            TablePolicy::From(lsn) => vec![*lsn],
            TablePolicy::Ranges(ranges) => ranges.positions().collect(),
            TablePolicy::Left => Vec::new(),
        })
    }

    /// Returns whether a change of this relation, committed at `commit_lsn`, is to be applied.
    pub(crate) fn takes(&self, relation: &Relation, commit_lsn: Lsn) -> bool {
        self.tables.is_empty()
            || match self.known(relation) {
                Some((_, TablePolicy::Ranges(ranges))) => commit_lsn >= ranges.first(),
                known => self.judge(known, commit_lsn),
            }
    }

    /// Returns the ranges that share a change among them.
    pub(crate) fn ranges(&self, relation: &Relation, commit_lsn: Lsn) -> Option<&Arc<Ranges>> {
        match self.known(relation)? {
            (_, TablePolicy::Ranges(ranges)) if commit_lsn < ranges.last() => Some(ranges),
            _ => None,
        }
    }

    fn known(&self, relation: &Relation) -> Option<&(QualifiedName, TablePolicy)> {
        match self.by_name {
            true => self.tables.get(self.names.get(&relation.name)?),
            false => self.tables.get(&relation.id),
        }
    }

    /// As [`TableSync::takes`], for a relation known by its OID and its names around a change.
    pub(crate) fn takes_oid(&self, relation: RelationId, commit_lsn: Lsn) -> bool {
        self.judge(self.tables.get(&relation), commit_lsn)
    }

    fn judge(&self, known: Option<&(QualifiedName, TablePolicy)>, commit_lsn: Lsn) -> bool {
        match known {
            None => commit_lsn >= self.checkpoint,
            Some((_, TablePolicy::Left)) => false,
            Some((_, TablePolicy::From(lsn))) => commit_lsn >= *lsn,
            // What is not about rows: the ranges are of one table, whose definition did not change
            // between their snapshots.
            Some((_, TablePolicy::Ranges(ranges))) => commit_lsn >= ranges.last(),
        }
    }

    /// Returns whether a transaction committed there is already on the target but for tables that
    /// catch up.
    pub(crate) fn is_catching_up(&self, commit_lsn: Lsn) -> bool {
        !self.tables.is_empty() && commit_lsn < self.checkpoint
    }

    /// Returns the tables being copied that a schema change reaches in another way than by itself.
    pub(crate) fn disturbed_by(&mut self, change: &Change) -> Vec<RelationId> {
        self.forget_types(change);
        let left = self
            .tables
            .iter()
            .filter(|(_, (_, policy))| *policy == TablePolicy::Left);
        let left = left.map(|(relation, _)| *relation);
        let below = |object: &&ObjectChange| object.reaches_below();
        let below: Vec<&ObjectChange> = change.objects.iter().filter(below).collect();
        let made_of = |relation: &RelationId, object: &ObjectChange| {
            let types = self.types.get(relation);
            !matches!(object, ObjectChange::Type(_))
                || types.is_none_or(|types| types.contains(&object.oid()))
        };
        let reached = |relation: &RelationId| below.iter().any(|object| made_of(relation, object));
        let touched = |relation: &RelationId| {
            change
                .objects
                .iter()
                .any(|object| object.relation() == Some(relation.0))
        };
        let with_others = change.objects.iter().any(|object| {
            let table = matches!(object, ObjectChange::Table(_));
            table
                && object.existed()
                && object
                    .relation()
                    .is_some_and(|oid| !self.knows(RelationId(oid)))
        });
        left.filter(|relation| reached(relation) || with_others && touched(relation))
            .collect()
    }

    /// What a table gets while it is being copied comes in its own session, and may name types that it had
    /// nothing to do with before.
    fn forget_types(&mut self, change: &Change) {
        let plain = |object: &ObjectChange| match object {
            ObjectChange::Table(images) => images.after.as_ref().is_none_or(|after| {
                let mut columns = after.columns.iter();
                columns.all(|column| {
                    let before = images.before.as_ref();
                    let before = before.and_then(|before| before.column(column.number));
                    column.type_oid < USER_OIDS_MIN
                        || before.is_some_and(|before| before.type_oid == column.type_oid)
                })
            }),
            ObjectChange::Sequence(_)
            | ObjectChange::Schema(_)
            | ObjectChange::Type(_)
            | ObjectChange::Object(_) => true,
            ObjectChange::Index(_) | ObjectChange::Constraint(_) => false,
        };
        let others = change.objects.iter().filter(|object| !plain(object));
        for relation in others.filter_map(ObjectChange::relation) {
            self.types.remove(&RelationId(relation));
        }
    }

    /// Leaves a table out that turned out to need another copy.
    pub(crate) fn leave_again(&mut self, relation: &Relation) -> Option<RelationId> {
        let id = match self.by_name {
            true => *self.names.get(&relation.name)?,
            false => relation.id,
        };
        self.some_wait = true;
        let (_, policy) = self.tables.get_mut(&id)?;
        *policy = TablePolicy::Left;
        Some(id)
    }

    /// Says which waiting tables the target lacks as the stream goes on: nothing of them was begun.
    pub(crate) fn unbegun(&mut self, tables: impl IntoIterator<Item = RelationId>) {
        self.unbegun.extend(tables);
    }

    /// Returns whether rows committed at `commit_lsn` may be of a waiting table that the stream is about
    /// to create: rows of `CREATE TABLE AS` come before what describes it.
    pub(crate) fn may_be_created(&self, relation: &Relation, commit_lsn: Lsn) -> bool {
        if self.unbegun.is_empty() || commit_lsn < self.checkpoint {
            return false;
        }
        let id = match self.by_name {
            true => self.names.get(&relation.name).copied(),
            false => Some(relation.id),
        };
        id.is_some_and(|id| self.unbegun.contains(&id))
    }

    /// Returns whether this table waits to be copied, and nothing of it was begun.
    pub(crate) fn waits(&self, relation: &Relation) -> bool {
        self.may_be_created(relation, self.checkpoint)
    }

    /// Returns the waiting tables that a schema change creates.
    pub(crate) fn created_by(&self, change: &Change, commit_lsn: Lsn) -> Vec<RelationId> {
        // What an ALTER describes for the first time was there before it.
        if commit_lsn < self.checkpoint || change.tag.starts_with("ALTER ") {
            return Vec::new();
        }
        let tables = change.objects.iter().filter_map(|object| match object {
            ObjectChange::Table(images) if images.before.is_none() => Some(RelationId(images.oid)),
            _ => None,
        });
        tables
            .filter(|table| self.unbegun.contains(table))
            .collect()
    }

    /// Returns whether some table is left out.
    pub(crate) fn leaves_out(&self, relation: RelationId) -> bool {
        matches!(self.tables.get(&relation), Some((_, TablePolicy::Left)))
    }

    /// Returns whether a table is copied or catches up: the checkpoint does not speak for it.
    pub(crate) fn knows(&self, relation: RelationId) -> bool {
        self.tables.contains_key(&relation)
    }

    /// Follows a table's new name.
    pub(crate) fn rename(&mut self, relation: RelationId, after: &QualifiedName) {
        if let Some((name, _)) = self.tables.get_mut(&relation) {
            self.names.remove(name);
            name.clone_from(after);
            self.names.insert(after.clone(), relation);
        }
    }

    /// Leaves these tables out from now on: they are being copied. Each with the types that it is made of.
    pub(crate) fn leave(
        &mut self,
        tables: impl IntoIterator<Item = (RelationId, QualifiedName, Vec<u32>)>,
    ) {
        for (relation, name, types) in tables {
            self.unbegun.remove(&relation);
            self.types.insert(relation, types);
            if let Some((old, _)) = self
                .tables
                .insert(relation, (name.clone(), TablePolicy::Left))
            {
                self.names.remove(&old);
            }
            self.names.insert(name, relation);
        }
    }

    /// Leaves tables out from now on that wait to be copied because they replicate now. Nobody knows yet of
    /// what types they are made.
    pub(crate) fn leave_entering(&mut self, tables: &[(RelationId, QualifiedName)]) {
        for (relation, name) in tables {
            self.forget(*relation);
            self.types.remove(relation);
            self.names.insert(name.clone(), *relation);
            self.tables
                .insert(*relation, (name.clone(), TablePolicy::Left));
        }
    }

    /// Forgets tables that are gone from the source.
    pub(crate) fn forget(&mut self, relation: RelationId) {
        self.unbegun.remove(&relation);
        if let Some((name, _)) = self.tables.remove(&relation) {
            self.names.remove(&name);
        }
    }

    /// The checkpoint speaks for every table that was catching up.
    pub(crate) fn settle(&mut self) {
        self.tables
            .retain(|_, (_, policy)| *policy == TablePolicy::Left);
        let tables = &self.tables;
        self.names
            .retain(|_, relation| tables.contains_key(relation));
        if !self.some_wait {
            self.hold = None;
        }
    }

    /// Begins or ends to leave out what the target lacks, among these tables.
    pub(crate) fn be_lenient(&mut self, tables: Option<TableFilter>) {
        self.lenient_for = tables;
    }

    /// Returns whether a copy is still to come that brings what the target lacks.
    pub(crate) fn is_lenient(&self) -> bool {
        self.lenient_for.is_some()
    }

    /// Returns whether this table may be left out when the target lacks it.
    pub(crate) fn excuses(&self, table: &QualifiedName) -> bool {
        let tables = self.lenient_for.as_ref();
        tables.is_some_and(|tables| tables.selects(table))
    }

    /// Keeps the source's WAL from where the session starts: tables wait, and where they are read is not
    /// known yet. `parts` is the earliest snapshot of what is there of them already, or on its way.
    pub(crate) fn hold(&mut self, parts: Option<Lsn>) {
        let start = self.start();
        self.hold = Some(parts.map_or(start, |parts| parts.min(start)));
        self.parts = parts;
    }

    /// Says that tables are being copied, or will be.
    pub(crate) fn some_wait(&mut self) {
        self.some_wait = true;
    }

    /// Keeps the source's WAL for tables that are being copied as of `lsn`.
    pub(crate) fn hold_from(&mut self, lsn: Option<Lsn>) {
        let lowest = self.positions().chain(self.parts).chain(lsn).min();
        self.hold = self.hold.and(lowest);
    }

    /// Says that tables wait from now on. Their copy needs what the source has by then: where nothing is
    /// held for others, another session has to begin with them.
    pub(crate) fn let_wait(&mut self) {
        self.some_wait = true;
        self.needs_session |= self.hold.is_none();
    }

    /// Returns whether another session has to begin.
    pub(crate) const fn needs_session(&self) -> bool {
        self.needs_session
    }

    /// Nothing is copied any more: nothing needs what the source keeps.
    pub(crate) fn release(&mut self) {
        self.some_wait = false;
        self.parts = None;
        self.lenient_for = None;
        self.unbegun.clear();
        if self.positions().next().is_none() {
            self.hold = None;
        }
    }

    /// Returns what may be confirmed when `durable` is on the target.
    pub(crate) fn confirmable(&self, durable: Lsn) -> Lsn {
        self.hold.map_or(durable, |hold| hold.min(durable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReplicaIdentity;

    fn name(table: &str) -> QualifiedName {
        QualifiedName::new("public", table)
    }

    fn relation(id: u32, table: &str) -> Relation {
        Relation {
            id: RelationId(id),
            name: name(table),
            identity: ReplicaIdentity::Default,
            columns: Box::default(),
        }
    }

    fn table_sync(by_name: bool) -> TableSync {
        let tables = [
            (RelationId(1), name("left"), TablePolicy::Left),
            (RelationId(2), name("early"), TablePolicy::From(Lsn(50))),
            (RelationId(3), name("late"), TablePolicy::From(Lsn(150))),
        ];
        TableSync::new(tables, Lsn(100), by_name)
    }

    #[test]
    fn each_table_takes_what_lies_behind_its_own_position() {
        for by_name in [false, true] {
            let table_sync = table_sync(by_name);
            let check = |id, table, lsn, expected| {
                let id = if by_name { id + 1_000 } else { id };
                let takes = table_sync.takes(&relation(id, table), Lsn(lsn));
                assert_eq!(takes, expected, "{table} {lsn}");
            };

            check(1, "left", 1_000, false);
            check(2, "early", 49, false);
            check(2, "early", 50, true);
            check(3, "late", 149, false);
            check(3, "late", 150, true);
            check(4, "other", 99, false);
            check(4, "other", 100, true);
        }
    }

    #[test]
    fn a_round_starts_at_the_lowest_position_and_settles_behind_the_highest() {
        let mut table_sync = table_sync(false);

        assert_eq!(
            (table_sync.start(), table_sync.settled_at()),
            (Lsn(50), Some(Lsn(150)))
        );
        assert!(table_sync.is_catching_up(Lsn(99)) && !table_sync.is_catching_up(Lsn(100)));
        table_sync.settle();
        assert_eq!(
            (table_sync.start(), table_sync.settled_at()),
            (Lsn(100), None)
        );
        assert!(!table_sync.takes(&relation(1, "left"), Lsn(200)));
        table_sync.forget(RelationId(1));
        assert!(table_sync.is_empty());
    }

    #[test]
    fn a_new_name_is_followed_and_a_held_position_is_not_confirmed() {
        let mut table_sync = table_sync(true);

        table_sync.rename(RelationId(1), &name("renamed"));
        assert!(!table_sync.takes(&relation(9, "renamed"), Lsn(500)));
        assert!(table_sync.takes(&relation(9, "left"), Lsn(500)));
        table_sync.hold(Some(Lsn(20)));
        assert_eq!(table_sync.confirmable(Lsn(500)), Lsn(20));
        table_sync.hold(None);
        assert_eq!(table_sync.confirmable(Lsn(500)), Lsn(50));
        assert_eq!(table_sync.confirmable(Lsn(40)), Lsn(40));
        table_sync.hold(Some(Lsn(30)));
        table_sync.hold_from(Some(Lsn(200)));
        assert_eq!(table_sync.confirmable(Lsn(500)), Lsn(30));
        table_sync.settle();
        assert_eq!(table_sync.confirmable(Lsn(500)), Lsn(500));
    }
}
