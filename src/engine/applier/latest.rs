//! The latest changes of each table, and the row that the target refuses, for consoles that look.
//!
//! A transaction is walked from its end, and only what can still be shown is put into words: a large
//! one costs a comparison a row, and no copy.

use crate::apply::{Op, OpKind};
use crate::model::{Change, Lsn, OldTuple, Relation, RelationId, TransactionBegin, Tuple, Value};
use crate::runtime::clock;
use crate::status::{Cell, ChangeKind, LATEST_MAX, LatestChange, RefusedRow};

use super::Applier;

/// A key is shown in part of a line.
const KEY_CHARS_MAX: usize = 200;
/// A value is shown in a few lines.
const VALUE_CHARS_MAX: usize = 1_000;

impl Applier {
    /// Notes the latest changes of a transaction, or of a part of one.
    pub(super) fn note_latest(&mut self, begin: &TransactionBegin, changes: &[(Lsn, Change)]) {
        let mut newest = Newest::default();
        for (_, change) in changes.iter().rev() {
            match change {
                Change::Insert { relation, new } => {
                    newest.row(self, begin, (relation, ChangeKind::Insert), (new, None));
                }
                Change::Update { relation, old, new } => {
                    let old = old.as_ref().map(tuple);
                    newest.row(self, begin, (relation, ChangeKind::Update), (new, old));
                }
                Change::Delete { relation, old } => {
                    let old = tuple(old);
                    newest.row(self, begin, (relation, ChangeKind::Delete), (old, None));
                }
                Change::Truncate { relations, .. } => {
                    for relation in relations {
                        let of = (&**relation, ChangeKind::Truncate);
                        newest.note(self, begin, of, String::new);
                    }
                }
                Change::ForeignMessage { .. } => {}
            }
        }
        for (id, newest_first) in newest.tables {
            let known = self.open.latest.entry(id).or_default();
            known.extend(newest_first.into_iter().rev());
            known.drain(..known.len().saturating_sub(LATEST_MAX));
        }
    }

    /// Shows which row the target refuses, where that is known.
    pub(super) fn show_refused(&mut self) {
        let refused = self.background.writer().take_refused();
        self.publisher.refused_row(refused.as_deref().and_then(row));
    }
}

/// The newest changes of a transaction by table, newest first.
#[derive(Debug, Default)]
struct Newest {
    tables: Vec<(RelationId, Vec<LatestChange>)>,
    /// The table of the row before, when it needs no more: so are most rows of a large transaction.
    full: Option<RelationId>,
}

impl Newest {
    fn row(
        &mut self,
        applier: &Applier,
        begin: &TransactionBegin,
        of: (&Relation, ChangeKind),
        (new, old): (&Tuple, Option<&Tuple>),
    ) {
        self.note(applier, begin, of, || key(of.0, new, old));
    }

    fn note(
        &mut self,
        applier: &Applier,
        begin: &TransactionBegin,
        (relation, kind): (&Relation, ChangeKind),
        key: impl FnOnce() -> String,
    ) {
        if self.full == Some(relation.id) {
            return;
        }
        let known = self.tables.iter().position(|(id, _)| *id == relation.id);
        let at = known.unwrap_or_else(|| {
            self.tables.push((relation.id, Vec::new()));
            self.tables.len() - 1
        });
        let found = &mut self.tables[at].1;
        if found.len() == LATEST_MAX {
            self.full = Some(relation.id);
        } else if !applier.passes_over(relation, begin.commit_lsn) {
            found.push(LatestChange {
                kind,
                key: key(),
                xid: begin.xid,
                commit_lsn: begin.commit_lsn,
                commit_time_ms: clock::unix_ms_of(begin.commit_time_us),
            });
        }
    }
}

const fn tuple(old: &OldTuple) -> &Tuple {
    match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple,
    }
}

/// Returns what identifies a row, for people.
fn key(relation: &Relation, new: &Tuple, old: Option<&Tuple>) -> String {
    let mut words = Vec::new();
    for (at, column) in relation
        .columns
        .iter()
        .enumerate()
        .filter(|(_, one)| one.key)
    {
        let sent = |value: &&Value| **value != Value::Unchanged;
        let value = new.values.get(at).filter(sent);
        let value = value.or_else(|| old.and_then(|old| old.values.get(at)));
        let value = value.and_then(|value| text(value, KEY_CHARS_MAX));
        words.push(format!(
            "{}={}",
            column.name,
            value.as_deref().unwrap_or("NULL")
        ));
    }
    shortened(&words.join(", "), KEY_CHARS_MAX)
}

/// Returns a value for people; none: NULL.
fn text(value: &Value, chars_max: usize) -> Option<String> {
    match value {
        Value::Text(bytes) => {
            // Of a large value only the beginning is looked at; four bytes a character at most.
            let shown = &bytes[..bytes.len().min(chars_max * 4)];
            Some(shortened(&String::from_utf8_lossy(shown), chars_max))
        }
        Value::Null | Value::Unchanged => None,
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the row that a refused step was about; none: it was about several.
fn row(op: &Op) -> Option<RefusedRow> {
    let (kind, new, old) = match &op.kind {
        OpKind::Insert(rows) => (ChangeKind::Insert, single(rows)?, None),
        OpKind::Update { rows, .. } => (ChangeKind::Update, single(rows)?, None),
        OpKind::Delete(rows) => (ChangeKind::Delete, single(rows)?, None),
        OpKind::Move { old, new, .. } => (ChangeKind::Update, new, Some(old)),
        OpKind::Passed(_) => return None,
    };
    let plan = &op.table;
    let only_key = kind == ChangeKind::Delete && !plan.key.is_empty();
    let cells = plan
        .relation
        .columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| {
            let key = plan.key.contains(&at) || plan.key.is_empty() && column.key;
            let value = new
                .values
                .get(at)
                .filter(|value| **value != Value::Unchanged)?;
            let value = text(value, VALUE_CHARS_MAX);
            let before = old.filter(|_| key).and_then(|old| old.values.get(at));
            let before = before.and_then(|before| text(before, VALUE_CHARS_MAX));
            let moved = before.filter(|before| Some(before) != value.as_ref());
            let value = match moved {
                Some(before) => Some(format!("{before} → {}", value.as_deref().unwrap_or("NULL"))),
                None => value,
            };
            let column = column.name.to_string();
            (key || !only_key).then_some(Cell { column, key, value })
        });
    Some(RefusedRow {
        table: plan.target.name.to_string(),
        kind,
        cells: cells.collect(),
    })
}

fn single(rows: &[Tuple]) -> Option<&Tuple> {
    match rows {
        [row] => Some(row),
        _ => None,
    }
}
