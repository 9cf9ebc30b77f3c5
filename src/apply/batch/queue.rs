//! The three ways in which changes wait for their turn.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashSet, HashTable};

use crate::apply::ApplyOrder;
use crate::model::{OldTuple, Tuple, Value};

use super::TablePlan;
use super::op::{Op, OpKind, RowChange, keeps_key, move_of, present_columns};

/// The net effect by key, with the moves that interrupt it.
#[derive(Debug, Default)]
pub(super) struct NetQueue {
    done: Vec<OpKind>,
    rows: Vec<NetRow>,
    passed: Vec<Tuple>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct NetRow {
    effect: Effect,
    tuple: Tuple,
}

/// What a key's changes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Was not there, is now.
    Insert,
    /// Was there, is there.
    Update,
    /// Was there, is gone.
    Delete,
    /// Was there, was deleted, and another stands in its place.
    Replace,
    /// Was not there, came and went.
    Nothing,
}

impl NetQueue {
    pub(super) fn push(&mut self, table: &TablePlan, change: RowChange) {
        match change {
            RowChange::Insert(new) => self.merge(table, Effect::Insert, new),
            RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => {
                self.merge(table, Effect::Delete, old);
            }
            RowChange::Update { old, new } if keeps_key(table, old.as_ref(), &new) => {
                let new = with_key(table, old, new);
                self.merge(table, Effect::Update, new);
            }
            RowChange::Update { old, new } => {
                self.seal(table);
                self.done.push(move_of(table, old, new));
            }
        }
    }

    pub(super) fn finish(mut self, table: &TablePlan) -> Vec<OpKind> {
        self.seal(table);
        self.done.extend(passed(self.passed));
        self.done
    }

    /// Joins a change to what is known of its key. What cannot follow (an INSERT of a row that is
    /// there) is left for the target to judge, in its place.
    fn merge(&mut self, table: &TablePlan, effect: Effect, tuple: Tuple) {
        let hash = hash_columns(&self.hasher, &table.key, &tuple);
        let same = |&row: &usize| equal_columns(&table.key, &self.rows[row].tuple, &tuple);
        let Some(&row) = self.index.find(hash, same) else {
            return self.add(table, hash, effect, tuple);
        };
        let known = &mut self.rows[row];
        match joined(known.effect, effect) {
            Some(joined) if effect == Effect::Update => {
                known.effect = joined;
                overwrite(&mut known.tuple, tuple);
            }
            Some(joined) => {
                let before = std::mem::replace(&mut known.tuple, tuple);
                if joined_away(known.effect, effect) && table.uses_sequences() {
                    self.passed.push(before);
                }
                known.effect = joined;
            }
            None => {
                self.seal(table);
                self.add(table, hash, effect, tuple);
            }
        }
    }

    fn add(&mut self, table: &TablePlan, hash: u64, effect: Effect, tuple: Tuple) {
        let (rows, hasher) = (&mut self.rows, &self.hasher);
        rows.push(NetRow { effect, tuple });
        let rehash = |&row: &usize| hash_columns(hasher, &table.key, &rows[row].tuple);
        self.index.insert_unique(hash, rows.len() - 1, rehash);
    }

    /// Turns the rows at hand into deletes, then updates, then inserts.
    fn seal(&mut self, table: &TablePlan) {
        self.index.clear();
        let mut deletes = Vec::new();
        let mut updates: Vec<(Vec<usize>, Vec<Tuple>)> = Vec::new();
        let mut inserts = Vec::new();
        for NetRow { effect, tuple } in self.rows.drain(..) {
            match effect {
                Effect::Insert => inserts.push(tuple),
                Effect::Delete => deletes.push(tuple),
                Effect::Replace => {
                    deletes.push(tuple.clone());
                    inserts.push(tuple);
                }
                Effect::Update => group_update(table, &mut updates, tuple),
                Effect::Nothing => {}
            }
        }
        let filled = |rows: &Vec<Tuple>| !rows.is_empty();
        self.done.extend(
            Some(deletes)
                .filter(filled)
                .map(|rows| OpKind::Delete(neighbours_together(table, rows))),
        );
        self.done
            .extend(updates.into_iter().map(|(columns, rows)| OpKind::Update {
                columns,
                rows: neighbours_together(table, rows),
            }));
        self.done
            .extend(Some(inserts).filter(filled).map(OpKind::Insert));
    }
}

/// Sorts rows of different keys so that neighbours in the key's index follow each other: the target
/// then finds in its processor's cache what it has just read, which saves a quarter of an UPDATE of
/// rows from all over a large table. Shorter texts come first because numbers sort so; where a type
/// sorts otherwise, some of the gain is lost and nothing else.
fn neighbours_together(table: &TablePlan, mut rows: Vec<Tuple>) -> Vec<Tuple> {
    rows.sort_by(|a, b| {
        let columns = table.key.iter();
        columns.fold(Ordering::Equal, |order, &column| {
            order.then_with(|| place(&a.values[column]).cmp(&place(&b.values[column])))
        })
    });
    rows
}

fn place(value: &Value) -> (usize, &[u8]) {
    match value {
        Value::Text(bytes) => (bytes.len(), bytes),
        Value::Null | Value::Unchanged => (0, &[]),
    }
}

/// What two changes of one key come to; none when the second cannot follow the first.
const fn joined(known: Effect, next: Effect) -> Option<Effect> {
    match (known, next) {
        (Effect::Insert, Effect::Update) | (Effect::Nothing, Effect::Insert) => {
            Some(Effect::Insert)
        }
        (Effect::Insert, Effect::Delete) => Some(Effect::Nothing),
        (Effect::Update, Effect::Update) => Some(Effect::Update),
        (Effect::Update | Effect::Replace, Effect::Delete) => Some(Effect::Delete),
        (Effect::Delete, Effect::Insert) | (Effect::Replace, Effect::Update) => {
            Some(Effect::Replace)
        }
        _ => None,
    }
}

/// Whether a row that was inserted goes again without a trace.
const fn joined_away(known: Effect, next: Effect) -> bool {
    matches!(
        (known, next),
        (Effect::Insert | Effect::Replace, Effect::Delete)
    )
}

fn passed(rows: Vec<Tuple>) -> Option<OpKind> {
    (!rows.is_empty()).then_some(OpKind::Passed(rows))
}

/// Puts the newer values over the older, where they were sent.
fn overwrite(known: &mut Tuple, newer: Tuple) {
    for (known, newer) in known.values.iter_mut().zip(newer.values) {
        if newer != Value::Unchanged {
            *known = newer;
        }
    }
}

/// Fills a key value that was not sent (a key out of line) from the old row.
fn with_key(table: &TablePlan, old: Option<OldTuple>, mut new: Tuple) -> Tuple {
    if let Some(OldTuple::Key(old) | OldTuple::Full(old)) = old {
        for &column in &table.key {
            if new.values[column] == Value::Unchanged {
                new.values[column] = old.values[column].clone();
            }
        }
    }
    new
}

/// Rows that set the same columns share a statement.
fn group_update(table: &TablePlan, groups: &mut Vec<(Vec<usize>, Vec<Tuple>)>, row: Tuple) {
    let fits = |columns: &[usize]| {
        let sent = table
            .written
            .iter()
            .filter(|&&column| row.values[column] != Value::Unchanged);
        sent.eq(columns.iter())
    };
    match groups.iter_mut().find(|(columns, _)| fits(columns)) {
        Some((_, rows)) => rows.push(row),
        None => groups.push((present_columns(table, &row), vec![row])),
    }
}

/// The net number of equal rows.
#[derive(Debug, Default)]
pub(super) struct MultisetQueue {
    done: Vec<OpKind>,
    images: Vec<(Tuple, i64)>,
    passed: Vec<Tuple>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl MultisetQueue {
    pub(super) fn push(&mut self, table: &TablePlan, change: RowChange) {
        match change {
            RowChange::Insert(new) => self.count(table, new, 1),
            RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => {
                self.count(table, old, -1);
            }
            RowChange::Update {
                old: Some(OldTuple::Full(old)),
                new,
            } if is_whole(&new) => {
                self.count(table, old, -1);
                self.count(table, new, 1);
            }
            RowChange::Update { old, new } => {
                self.seal();
                self.done.push(move_of(table, old, new));
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<OpKind> {
        self.seal();
        self.done.extend(passed(self.passed));
        self.done
    }

    fn count(&mut self, table: &TablePlan, image: Tuple, by: i64) {
        let hash = hash_columns(&self.hasher, &table.written, &image);
        let same = |&row: &usize| equal_columns(&table.written, &self.images[row].0, &image);
        if let Some(&row) = self.index.find(hash, same) {
            let count = &mut self.images[row].1;
            if *count > 0 && by < 0 && table.uses_sequences() {
                self.passed.push(image);
            }
            *count += by;
            return;
        }
        let (images, hasher) = (&mut self.images, &self.hasher);
        images.push((image, by));
        let rehash = |&row: &usize| hash_columns(hasher, &table.written, &images[row].0);
        self.index.insert_unique(hash, images.len() - 1, rehash);
    }

    fn seal(&mut self) {
        self.index.clear();
        let (mut deletes, mut inserts) = (Vec::new(), Vec::new());
        for (image, count) in self.images.drain(..) {
            let rows = if count < 0 {
                &mut deletes
            } else {
                &mut inserts
            };
            let copies = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            rows.extend(std::iter::repeat_n(image, copies));
        }
        let filled = |rows: &Vec<Tuple>| !rows.is_empty();
        self.done
            .extend(Some(deletes).filter(filled).map(OpKind::Delete));
        self.done
            .extend(Some(inserts).filter(filled).map(OpKind::Insert));
    }
}

fn is_whole(tuple: &Tuple) -> bool {
    tuple.values.iter().all(|value| *value != Value::Unchanged)
}

/// The order of the stream; neighbours of one kind share a step.
#[derive(Debug, Default)]
pub(super) struct OrderedQueue {
    ops: Vec<Op>,
    /// Hashes of the keys in the last step: a second UPDATE of a row starts a new one. Two rows
    /// with one hash only cost a statement more.
    keys: HashSet<u64>,
    hasher: DefaultHashBuilder,
}

impl OrderedQueue {
    pub(super) fn push(&mut self, table: &Arc<TablePlan>, change: RowChange) {
        let (table, kind) = match change {
            RowChange::Insert(new) => self.inserted(table, new),
            change => (Arc::clone(table), step_of(table, change)),
        };
        let hash = match &kind {
            OpKind::Update { rows, .. } => hash_columns(&self.hasher, &table.key, &rows[0]),
            OpKind::Insert(_) | OpKind::Move { .. } | OpKind::Delete(_) | OpKind::Passed(_) => 0,
        };
        let kind = match self.ops.last_mut() {
            Some(last) if joins(&table, &kind) && Arc::ptr_eq(&last.table, &table) => {
                match append(&mut last.kind, kind, &mut self.keys, hash) {
                    Some(kind) => kind,
                    None => return,
                }
            }
            Some(_) | None => kind,
        };
        self.keys.clear();
        self.keys.insert(hash);
        self.ops.push(Op { table, kind });
    }

    fn inserted(&mut self, table: &Arc<TablePlan>, new: Tuple) -> (Arc<TablePlan>, OpKind) {
        match self.take_left_for(table) {
            None => (Arc::clone(table), OpKind::Insert(vec![new])),
            Some((root, old)) => {
                let columns = present_columns(&root, &new);
                (root, OpKind::Move { old, columns, new })
            }
        }
    }

    /// Takes back the row that the last step deletes, if it may be on its way to another partition.
    pub(super) fn take_leaving(&mut self) -> Option<(Arc<TablePlan>, Tuple)> {
        let last = self.ops.last_mut()?;
        last.table.root.as_ref()?;
        let table = Arc::clone(&last.table);
        let OpKind::Delete(rows) = &mut last.kind else {
            return None;
        };
        let row = rows.pop()?;
        if rows.is_empty() {
            self.ops.pop();
        }
        Some((table, row))
    }

    /// As [`take_leaving`](Self::take_leaving), if it is on its way to this one. Returns the root, and
    /// the old row in the order of this table's columns.
    fn take_left_for(&mut self, table: &TablePlan) -> Option<(Arc<TablePlan>, Tuple)> {
        let root = Arc::clone(self.ops.last()?.table.way_to(table)?);
        let (from, old) = self.take_leaving()?;
        let columns = &from.relation.columns;
        let value = |name: &str| {
            let found = columns.iter().position(|column| &*column.name == name);
            found.map_or(Value::Null, |column| old.values[column].clone())
        };
        let names = root.relation.columns.iter();
        let values = names.map(|column| value(&column.name)).collect();
        Some((root, Tuple { values }))
    }

    pub(super) fn finish(self) -> Vec<Op> {
        self.ops
    }
}

/// Whether neighbours share a step. Rows that refer to each other cannot be told apart, even where each row
/// stands by itself.
fn joins(table: &TablePlan, kind: &OpKind) -> bool {
    let comes_or_goes = matches!(kind, OpKind::Insert(_) | OpKind::Delete(_));
    table.order == ApplyOrder::Ordered || comes_or_goes && table.target.refers_to_itself()
}

/// The change as a step of one row.
fn step_of(table: &TablePlan, change: RowChange) -> OpKind {
    match change {
        RowChange::Insert(new) => OpKind::Insert(vec![new]),
        RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => OpKind::Delete(vec![old]),
        RowChange::Update { old, new }
            if !table.key.is_empty() && keeps_key(table, old.as_ref(), &new) =>
        {
            let new = with_key(table, old, new);
            OpKind::Update {
                columns: present_columns(table, &new),
                rows: vec![new],
            }
        }
        RowChange::Update { old, new } => move_of(table, old, new),
    }
}

/// Adds a step of one row to the last one; gives it back when it does not fit there.
fn append(last: &mut OpKind, next: OpKind, keys: &mut HashSet<u64>, hash: u64) -> Option<OpKind> {
    match (last, next) {
        (OpKind::Insert(rows), OpKind::Insert(more))
        | (OpKind::Delete(rows), OpKind::Delete(more)) => {
            rows.extend(more);
            None
        }
        (
            OpKind::Update { columns, rows },
            OpKind::Update {
                columns: next_columns,
                rows: more,
            },
        ) if *columns == next_columns && keys.insert(hash) => {
            rows.extend(more);
            None
        }
        (_, next) => Some(next),
    }
}

fn hash_columns(hasher: &DefaultHashBuilder, columns: &[usize], tuple: &Tuple) -> u64 {
    let mut state = hasher.build_hasher();
    for &column in columns {
        tuple.values[column].hash(&mut state);
    }
    state.finish()
}

fn equal_columns(columns: &[usize], a: &Tuple, b: &Tuple) -> bool {
    columns
        .iter()
        .all(|&column| a.values[column] == b.values[column])
}
