//! The tables that are copied, as rows of the Snapshot screen.

use std::cmp::Reverse;

use super::{Column, Row, cell, column, fill, number, plain};
use crate::console::action::Pane;
use crate::console::format;
use crate::console::model::{CopyOrder, Model};
use crate::console::sign;
use crate::engine::status::{CopyState, TableCopy};

const COLUMNS: &[Column] = &[
    fill("TABLE", 18),
    column("STATE", 10, 0),
    column("DONE", 13, 0),
    number("ROWS", 10, 1),
    number("RATE", 9, 2),
    number("LEFT", 4, 1),
];

const COLUMNS_WIDE: &[Column] = &[
    fill("TABLE", 16),
    column("STATE", 10, 0),
    column("COPIED", 28, 0),
    number("ROWS", 13, 0),
    number("SIZE", 18, 1),
    number("RATE", 9, 0),
    number("LEFT", 5, 0),
    number("TRY", 3, 2),
];

/// Too narrow for bars.
const COLUMNS_NARROW: &[Column] = &[
    fill("TABLE", 14),
    column("STATE", 10, 0),
    number("%", 5, 0),
    number("LEFT", 4, 1),
    number("ROWS", 10, 2),
];

/// What the cells of a row are, in order.
pub(super) const CELLS: &[&str] = &[
    "TABLE", "STATE", "%", "ROWS", "SIZE", "RATE", "LEFT", "TRY", "DONE", "COPIED",
];

pub(super) const fn columns(width: u16) -> &'static [Column] {
    match width {
        0..64 => COLUMNS_NARROW,
        64..110 => COLUMNS,
        _ => COLUMNS_WIDE,
    }
}

/// Returns the tables that are copied, in the chosen order; a search shows only those that match.
pub(crate) fn copies(model: &Model) -> Vec<Row> {
    let Some(snapshot) = &model.status().snapshot else {
        return Vec::new();
    };
    let mut tables: Vec<&TableCopy> = snapshot.tables.iter().collect();
    match model.sorting.copies {
        CopyOrder::State => tables.sort_by_key(|one| turn(one.state)),
        CopyOrder::Size => tables.sort_by_key(|one| Reverse(one.bytes_expected)),
        CopyOrder::Name => tables.sort_by(|one, other| one.name.cmp(&other.name)),
    }
    let needle = model.needle().filter(|_| model.focus == Pane::Snapshot);
    let wanted = |table: &&TableCopy| {
        let failed = table.state == CopyState::Failed || !model.failed_copies_only;
        let found = needle.as_ref();
        failed && found.is_none_or(|needle| row(table).holds(needle))
    };
    tables.into_iter().filter(wanted).map(row).collect()
}

/// What needs somebody, what moves, what waits, what is done.
const fn turn(state: CopyState) -> u8 {
    match state {
        CopyState::Failed => 0,
        CopyState::Copying => 1,
        CopyState::Indexing => 2,
        CopyState::CatchingUp => 3,
        CopyState::Waiting => 4,
        CopyState::Ready => 5,
    }
}

fn row(table: &TableCopy) -> Row {
    let state = sign::of_copy(table.state);
    let moves = table.state == CopyState::Copying && table.byte_count > 0;
    let begun = table.state != CopyState::Waiting;
    let when = |shown: bool, text: String| plain(if shown { text } else { String::new() });
    let percent = format::percent(table.done());
    let bar = |width| format!("{} {percent:>5}", format::bar(table.done(), width));
    let size = match table.state {
        CopyState::Copying | CopyState::Failed => format!(
            "{} of {}",
            format::bytes(table.byte_count),
            format::bytes(table.bytes_expected)
        ),
        _ => format::bytes(table.bytes_expected),
    };
    let rate = format::bytes(format::whole(table.bytes_per_s)) + "/s";
    Row {
        key: table.relation.0.to_string(),
        copied: CELLS.len() - 2,
        cells: vec![
            plain(table.name.clone()),
            cell(format!("{} {}", state.glyph, state.word), state.role),
            when(begun, percent.clone()),
            when(begun, rows(table.row_count)),
            plain(size),
            when(moves, rate),
            when(
                moves,
                table.left_s.map_or_else(String::new, format::short_seconds),
            ),
            plain(table.attempt.to_string()),
            when(begun, bar(5)),
            when(begun, bar(20)),
        ],
    }
}

/// Whole numbers as long as they fit.
fn rows(count: u64) -> String {
    match count {
        0..100_000_000 => format::count(count),
        _ => format::short_count(format::float(count)),
    }
}
