//! Turns a step into statements with their parameters. Pure.

use crate::postgres::run_as_owner;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::apply::encode::{array_literal, copy_line};
use crate::apply::shape::Shape;
use crate::apply::{ApplyOrder, Op, OpKind, TablePlan};
use crate::config::OnConflict;
use crate::model::{Tuple, Value};

/// From this many rows on COPY wins over arrays, though it costs a round trip of its own.
const COPY_ROWS_MIN: usize = 32;

/// Rows of one statement hold at most this many bytes: an array literal that doubles every byte
/// must stay far below the 1 GB that PostgreSQL takes for one value.
const STATEMENT_BYTES_MAX: usize = 32 << 20;

/// Far below the 2 GB of one message.
const GUARDED_BYTES_MAX: usize = 256 << 20;

/// What the writer sends for one step or a part of it.
pub(super) enum Work {
    Statement(Bound),
    Copy(CopyRows),
}

/// A statement with its parameters.
pub(super) struct Bound {
    pub(super) table: Arc<TablePlan>,
    pub(super) shape: Shape,
    pub(super) parameters: Vec<TextParameter>,
    /// The rows that it is about.
    pub(super) row_count: u64,
    /// How many of them it must report.
    pub(super) count: Count,
    /// Whether its answer decides what is sent next.
    pub(super) alone: bool,
    /// What to send when it finds no row.
    pub(super) instead: Option<Box<Self>>,
    /// Whether foreign keys must not act on it.
    pub(super) silent: bool,
    /// The step of one row that it does, where rows go one by one.
    pub(super) step: Option<Box<Op>>,
}

impl Bound {
    /// Returns whether the server itself can see to it that the statement reports all its rows. A rule takes
    /// the place of RETURNING, row security asks more for it, and what runs as another role is a text.
    ///
    /// What is too large to be sent would not be refused by the server, and what stands behind it would be
    /// committed without it.
    pub(super) fn can_be_guarded(&self) -> bool {
        let target = &self.table.target;
        let parameters = self.parameters.iter().flat_map(|parameter| &parameter.0);
        let byte_count: usize = parameters.map(Bytes::len).sum();
        byte_count <= GUARDED_BYTES_MAX
            && (self.count != Count::All
                || self.shape.can_be_guarded()
                    && !(target.rules || target.row_security || target.run_as.is_some()))
    }

    /// Makes the statement fail unless it reports all its rows.
    pub(super) fn guard(&mut self) {
        if self.count == Count::All {
            self.parameters
                .push(TextParameter(Some(self.row_count.to_string().into())));
            self.shape = Shape::Guarded(Box::new(self.shape.clone()), self.parameters.len());
            self.count = Count::Any;
        }
    }

    /// Returns whether the statement can move the checkpoint as well. Nobody may watch the table: what triggers
    /// and foreign keys do waits for the end of a transaction.
    pub(super) fn can_be_alone(&self) -> bool {
        let (table, target) = (&self.table, &self.table.target);
        let inserts = matches!(self.shape, Shape::InsertOne | Shape::InsertMany);
        matches!(table.order, ApplyOrder::Net | ApplyOrder::Multiset)
            && table.on_conflict == OnConflict::Error
            && !(target.rules || target.row_security || target.suppresses || self.silent)
            && target.run_as.is_none()
            && (inserts || self.count == Count::All && self.shape.can_be_guarded())
    }

    /// Makes the statement move the checkpoint, and fail unless it does that and reports all its rows.
    pub(super) fn be_alone(
        &mut self,
        checkpoint: [Option<String>; 5],
        sequences: Vec<Option<i64>>,
    ) {
        let guard = self.row_count.to_string();
        self.parameters.push(TextParameter(Some(guard.into())));
        self.shape = Shape::Alone(Box::new(self.shape.clone()), self.parameters.len());
        let sequences = sequences
            .into_iter()
            .map(|value| value.map(|value| value.to_string()));
        let behind = checkpoint.into_iter().chain(sequences);
        let behind = behind.map(|value| TextParameter(value.map(Bytes::from)));
        self.parameters.extend(behind);
        self.count = Count::Any;
    }
}

/// How many rows a statement must report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// All; a trigger of the target may keep some.
    All,
    /// Less is the target's will: a trigger or a rule keeps the rest, or a row that is there.
    Less,
    /// Any number: a foreign key of the target has deleted the others already.
    Any,
}

/// Rows in COPY's text format.
pub(super) struct CopyRows {
    pub(super) table: Arc<TablePlan>,
    pub(super) rows: Bytes,
    pub(super) row_count: u64,
}

/// A parameter in its type's text form, whatever the type.
#[derive(Clone)]
pub(super) struct TextParameter(Option<Bytes>);

impl TextParameter {
    /// Returns a text as it is.
    pub(super) fn text(text: &str) -> Self {
        Self(Some(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// Returns an array with each of these as an element.
    pub(super) fn array(parameters: &[Self]) -> Self {
        let values: Vec<Value> = parameters
            .iter()
            .map(|parameter| parameter.0.clone().map_or(Value::Null, Value::Text))
            .collect();
        Self(Some(array_literal(values.iter()).freeze()))
    }
}

/// As people read it.
impl fmt::Debug for TextParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            None => f.write_str("NULL"),
        }
    }
}

impl ToSql for TextParameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Returns what to send for a step, in order.
pub(super) fn work(op: &Op) -> Vec<Work> {
    let mut work = statements(op);
    if op.table.order == ApplyOrder::Rows && op.kind.row_count() == 1 {
        for one in &mut work {
            if let Work::Statement(bound) = one {
                bound.step = Some(Box::new(op.clone()));
            }
        }
    }
    work
}

fn statements(op: &Op) -> Vec<Work> {
    let table = &op.table;
    match &op.kind {
        OpKind::Insert(rows) => chunks(rows).flat_map(|rows| insert(table, rows)).collect(),
        OpKind::Update { columns, rows } => {
            let columns = table.checked(columns);
            if columns.is_empty() {
                return Vec::new();
            }
            chunks(rows)
                .map(|rows| Work::Statement(update(table, &columns, rows)))
                .collect()
        }
        OpKind::Delete(rows) => chunks(rows)
            .map(|rows| Work::Statement(delete(table, rows)))
            .collect(),
        OpKind::Move { old, columns, new } => moved(table, old, columns, new)
            .into_iter()
            .map(Work::Statement)
            .collect(),
        OpKind::Passed(_) => Vec::new(),
    }
}

fn insert(table: &Arc<TablePlan>, rows: &[Tuple]) -> Vec<Work> {
    let written = &table.written;
    if rows.len() >= COPY_ROWS_MIN && can_copy(table) {
        let byte_count: usize = rows.iter().map(Tuple::byte_count).sum();
        let mut lines = BytesMut::with_capacity(byte_count);
        rows.iter()
            .for_each(|row| copy_line(&mut lines, written, row));
        return vec![Work::Copy(CopyRows {
            table: Arc::clone(table),
            rows: lines.freeze(),
            row_count: rows.len() as u64,
        })];
    }
    let one = |row| Work::Statement(inserted(table, row));
    match rows {
        rows if written.is_empty() => rows.iter().map(one).collect(),
        [row] => vec![one(row)],
        rows => {
            let arrays = arrays(rows, written);
            let many = bound(table, Shape::InsertMany, arrays, rows.len());
            let count = Count::Less;
            vec![Work::Statement(Bound { count, ..many })]
        }
    }
}

fn inserted(table: &Arc<TablePlan>, row: &Tuple) -> Bound {
    let one = bound(table, Shape::InsertOne, values(row, &table.written), 1);
    let count = Count::Less;
    Bound { count, ..one }
}

fn can_copy(table: &TablePlan) -> bool {
    table.on_conflict == OnConflict::Error
        && !table.target.row_security
        && !table.target.rules
        && !table.written.is_empty()
        && table.target.run_as.is_none()
}

fn update(table: &Arc<TablePlan>, columns: &[usize], rows: &[Tuple]) -> Bound {
    let all: Vec<_> = table.key.iter().chain(columns).copied().collect();
    let silent = table.is_silent_update(columns);
    let [row] = rows else {
        let shape = Shape::UpdateMany(columns.to_vec());
        let many = bound(table, shape, arrays(rows, &all), rows.len());
        return Bound { silent, ..many };
    };
    let shape = Shape::UpdateOne(columns.to_vec());
    let mut one = Bound {
        silent,
        ..bound(table, shape, values(row, &all), 1)
    };
    let has_identity = columns
        .iter()
        .any(|&column| table.column(column).identity_always);
    if has_identity && table.order == ApplyOrder::Rows && !table.acts() {
        one.alone = true;
        one.instead = Some(Box::new(replaced(table, row, columns, row)));
    }
    one
}

fn replaced(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let mut parameters = values(old, &table.key);
    parameters.extend(values(new, columns));
    let replaced = bound(table, Shape::Replace(columns.to_vec()), parameters, 1);
    Bound {
        silent: table.silent.deletes || table.silent.moves || table.is_silent_update(columns),
        ..replaced
    }
}

/// A row that a foreign key of the target has deleted already is gone, as it should be.
fn delete(table: &Arc<TablePlan>, rows: &[Tuple]) -> Bound {
    let (shape, parameters) = match (&*table.key, &*table.written) {
        ([], []) => (Shape::DeleteAny, vec![number(rows.len())]),
        ([], written) => (Shape::DeleteImages, arrays(rows, written)),
        (key, _) => (Shape::DeleteMany, arrays(rows, key)),
    };
    let deleted = bound(table, shape, parameters, rows.len());
    let count = match table.target.loses_rows() {
        true => Count::Any,
        false => deleted.count,
    };
    Bound {
        count,
        silent: table.silent.deletes,
        ..deleted
    }
}

fn number(number: usize) -> TextParameter {
    TextParameter(Some(number.to_string().into()))
}

fn moved(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Vec<Bound> {
    let is_identity = |column: &usize| table.column(*column).identity_always;
    let (of_key, of_row) = (
        table.key.iter().any(is_identity),
        columns.iter().any(is_identity),
    );
    match &*table.key {
        [] if of_row || table.silent.moves => {
            let gone = delete(table, std::slice::from_ref(old));
            let silent = gone.silent || table.silent.moves;
            vec![Bound { silent, ..gone }, inserted(table, new)]
        }
        [] => vec![moved_by_image(table, old, columns, new)],
        _ if of_key && !table.acts() || table.silent.moves => {
            vec![replaced(table, old, columns, new)]
        }
        _ => vec![moved_by_key(table, old, columns, new)],
    }
}

/// Where foreign keys act by themselves, one may have made the change already: then a row must look
/// as this one should.
fn moved_by_image(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let by_image = |old: &Tuple| {
        let mut parameters = values(old, &table.written);
        parameters.extend(values(new, columns));
        let moved = bound(table, Shape::MoveImage(columns.to_vec()), parameters, 1);
        Bound {
            silent: table.is_silent_update(columns),
            ..moved
        }
    };
    let already = (table.target.is_acted_on() && columns.len() == table.written.len())
        .then(|| Box::new(by_image(new)));
    let moved = by_image(old);
    Bound {
        alone: moved.alone || already.is_some(),
        instead: already,
        ..moved
    }
}

/// Where the key refers to another table, the foreign key may have made the change already, and of several
/// rows that follow each other another one may stand where this was: so it is looked for where it goes, where
/// no other can be.
fn moved_by_key(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let in_key = |column: &usize| table.key.contains(column);
    let set = |column: &usize| in_key(column) || !table.column(*column).identity_always;
    let set: Vec<_> = columns.iter().copied().filter(set).collect();
    let mut parameters = values(old, &table.key);
    parameters.extend(values(new, &set));
    let silent = table.is_silent_update(&set);
    let moved = bound(table, Shape::Move(set), parameters, 1);
    let moved = Bound { silent, ..moved };
    if !table.has_key_of_others() {
        return moved;
    }
    let settable = table.settable(columns);
    let there = match &*settable {
        [] => bound(table, Shape::FindOne, values(new, &table.key), 1),
        settable => update(table, settable, std::slice::from_ref(new)),
    };
    Bound {
        alone: true,
        instead: Some(Box::new(moved)),
        ..there
    }
}

/// Returns the question for the rows that a statement was to change and did not, if it is one that a
/// trigger can keep from that.
pub(super) fn search(bound: &Bound) -> Option<Bound> {
    let table = &bound.table;
    let (shape, parameters) = match &bound.shape {
        Shape::UpdateOne(_) | Shape::Move(_) | Shape::Replace(_) => {
            (Shape::FindOne, &bound.parameters[..table.key.len()])
        }
        Shape::UpdateMany(_) | Shape::DeleteMany => {
            (Shape::FindMany, &bound.parameters[..table.key.len()])
        }
        Shape::DeleteImages => (Shape::FindImages, &*bound.parameters),
        Shape::MoveImage(_) => (Shape::FindImage, &bound.parameters[..table.written.len()]),
        Shape::InsertOne
        | Shape::InsertMany
        | Shape::Copy
        | Shape::DeleteAny
        | Shape::FindOne
        | Shape::FindMany
        | Shape::FindImage
        | Shape::FindImages
        | Shape::Guarded(..)
        | Shape::Alone(..) => return None,
    };
    let row_count = bound.row_count;
    Some(Bound {
        row_count,
        ..self::bound(table, shape, parameters.to_vec(), 0)
    })
}

/// Each row of a table with triggers stands alone where sets have failed: what a trigger kept is then
/// looked for right behind it.
fn bound(
    table: &Arc<TablePlan>,
    shape: Shape,
    parameters: Vec<TextParameter>,
    row_count: usize,
) -> Bound {
    Bound {
        table: Arc::clone(table),
        shape,
        parameters,
        row_count: row_count as u64,
        count: match table.target.rules {
            true => Count::Less,
            false => Count::All,
        },
        alone: table.target.suppresses && table.order == ApplyOrder::Rows,
        instead: None,
        silent: false,
        step: None,
    }
}

fn values(row: &Tuple, columns: &[usize]) -> Vec<TextParameter> {
    let value = |&column: &usize| match &row.values[column] {
        Value::Text(bytes) => TextParameter(Some(bytes.clone())),
        Value::Null | Value::Unchanged => TextParameter(None),
    };
    columns.iter().map(value).collect()
}

fn arrays(rows: &[Tuple], columns: &[usize]) -> Vec<TextParameter> {
    let array = |&column: &usize| {
        let values = rows.iter().map(|row| &row.values[column]);
        TextParameter(Some(array_literal(values).freeze()))
    };
    columns.iter().map(array).collect()
}

/// Splits rows so that no part holds more than [`STATEMENT_BYTES_MAX`], unless one row does.
fn chunks(rows: &[Tuple]) -> impl Iterator<Item = &[Tuple]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut byte_count = 0;
        let fits = |row: &&Tuple| {
            byte_count += row.byte_count();
            byte_count <= STATEMENT_BYTES_MAX
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (chunk, behind) = rest.split_at(count);
        rest = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Returns what runs a statement of ours as a role, if one is named.
pub(super) fn as_role(role: Option<u32>, sql: &str) -> String {
    role.map_or_else(|| sql.to_owned(), |role| run_as_owner(role, sql))
}
