//! Turns a step into statements with their parameters. Pure.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::apply::encode::{array_literal, copy_line};
use crate::apply::shape::Shape;
use crate::apply::{Lane, Op, OpKind, TablePlan};
use crate::config::OnConflict;
use crate::model::{Tuple, Value};

/// From this many rows on COPY wins over arrays, though it costs a round trip of its own.
const COPY_ROWS_MIN: usize = 32;

/// Rows of one statement hold at most this many bytes: an array literal that doubles every byte
/// must stay far below the 1 GB that PostgreSQL takes for one value.
const STATEMENT_BYTES_MAX: usize = 32 << 20;

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
    /// The rows it must find; none when any number will do.
    pub(super) expected: Option<u64>,
    /// Whether its answer decides what is sent next.
    pub(super) alone: bool,
    /// What to send when it finds no row.
    pub(super) instead: Option<Box<Self>>,
}

/// Rows in COPY's text format.
pub(super) struct CopyRows {
    pub(super) table: Arc<TablePlan>,
    pub(super) rows: Bytes,
}

/// A parameter in its type's text form, whatever the type.
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
        })];
    }
    let one = |row| bound(table, Shape::InsertOne, values(row, written), None);
    match rows {
        rows if written.is_empty() => rows.iter().map(|row| Work::Statement(one(row))).collect(),
        [row] => vec![Work::Statement(one(row))],
        rows => {
            let arrays = arrays(rows, written);
            vec![Work::Statement(bound(
                table,
                Shape::InsertMany,
                arrays,
                None,
            ))]
        }
    }
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
    let [row] = rows else {
        let shape = Shape::UpdateMany(columns.to_vec());
        return bound(table, shape, arrays(rows, &all), Some(rows.len()));
    };
    let mut bound = bound(
        table,
        Shape::UpdateOne(columns.to_vec()),
        values(row, &all),
        Some(1),
    );
    let has_identity = columns
        .iter()
        .any(|&column| table.column(column).identity_always);
    if has_identity && table.lane == Lane::Rows && !table.target.cascades {
        bound.alone = true;
        bound.instead = Some(Box::new(replaced(table, row, columns, row)));
    }
    bound
}

fn replaced(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let mut parameters = values(old, &table.key);
    parameters.extend(values(new, columns));
    bound(table, Shape::Replace(columns.to_vec()), parameters, Some(1))
}

/// A row that a foreign key of the target has deleted already is gone, as it should be.
fn delete(table: &Arc<TablePlan>, rows: &[Tuple]) -> Bound {
    let (shape, parameters) = match (&*table.key, &*table.written) {
        ([], []) => (Shape::DeleteAny, vec![number(rows.len())]),
        ([], written) => (Shape::DeleteImages, arrays(rows, written)),
        (key, _) => (Shape::DeleteMany, arrays(rows, key)),
    };
    let gone_already = table.target.cascades;
    bound(
        table,
        shape,
        parameters,
        (!gone_already).then_some(rows.len()),
    )
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
        [] if of_row => {
            let inserted = bound(table, Shape::InsertOne, values(new, &table.written), None);
            vec![delete(table, std::slice::from_ref(old)), inserted]
        }
        [] => vec![moved_by_image(table, old, columns, new)],
        _ if of_key && !table.target.cascades => vec![replaced(table, old, columns, new)],
        _ => vec![moved_by_key(table, old, columns, new)],
    }
}

/// Where foreign keys act by themselves, one may have made the change already: then a row must look
/// as this one should.
fn moved_by_image(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let by_image = |old: &Tuple| {
        let mut parameters = values(old, &table.written);
        parameters.extend(values(new, columns));
        bound(
            table,
            Shape::MoveImage(columns.to_vec()),
            parameters,
            Some(1),
        )
    };
    let already = (table.target.cascades && columns.len() == table.written.len())
        .then(|| Box::new(by_image(new)));
    Bound {
        alone: already.is_some(),
        instead: already,
        ..by_image(old)
    }
}

/// As [`moved_by_image`]: then the row is found under its new key.
fn moved_by_key(table: &Arc<TablePlan>, old: &Tuple, columns: &[usize], new: &Tuple) -> Bound {
    let in_key = |column: &usize| table.key.contains(column);
    let set = |column: &usize| in_key(column) || !table.column(*column).identity_always;
    let set: Vec<_> = columns.iter().copied().filter(set).collect();
    let mut parameters = values(old, &table.key);
    parameters.extend(values(new, &set));
    let settable = table.settable(columns);
    let already = (table.target.cascades && !settable.is_empty())
        .then(|| Box::new(update(table, &settable, std::slice::from_ref(new))));
    let bound = bound(table, Shape::Move(set), parameters, Some(1));
    Bound {
        alone: already.is_some(),
        instead: already,
        ..bound
    }
}

fn bound(
    table: &Arc<TablePlan>,
    shape: Shape,
    parameters: Vec<TextParameter>,
    expected: Option<usize>,
) -> Bound {
    Bound {
        table: Arc::clone(table),
        shape,
        parameters,
        expected: expected
            .filter(|_| !table.target.rules)
            .map(|rows| rows as u64),
        alone: false,
        instead: None,
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
