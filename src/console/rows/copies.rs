//! The tables that are copied, as rows of the Snapshot screen.

use crate::console::{format, status_glyph};
use crate::status::{CopyState, TableCopy};

use super::cell::showing;
use super::cell::{Column, Row, cell, column, fill, number, plain};

const COLUMNS: &[Column] = &[
    fill("TABLE", 18),
    column("STATE", 10, 0),
    showing("SHORT", column("DONE", 13, 0)),
    number("ROWS", 10, 1),
    number("RATE", 9, 2),
    number("LEFT", 4, 1),
];

const COLUMNS_WIDE: &[Column] = &[
    fill("TABLE", 16),
    column("STATE", 10, 0),
    column("DONE", 18, 0),
    number("ROWS", 13, 0),
    number("SIZE", 18, 1),
    number("RATE", 9, 0),
    number("LEFT", 5, 0),
    number("TRY", 3, 2),
];

/// Too narrow for bars.
const COLUMNS_NARROW: &[Column] = &[
    showing("NAME", fill("TABLE", 14)),
    column("STATE", 10, 0),
    number("%", 5, 0),
    number("LEFT", 4, 1),
    number("ROWS", 10, 2),
];

/// What the cells of a row are, in order.
pub(super) const CELLS: &[&str] = &[
    "TABLE", "STATE", "%", "ROWS", "SIZE", "RATE", "LEFT", "TRY", "DONE", "SHORT", "NAME",
];

pub(super) const fn columns(width: u16) -> &'static [Column] {
    match width {
        0..64 => COLUMNS_NARROW,
        64..110 => COLUMNS,
        _ => COLUMNS_WIDE,
    }
}

pub(super) fn row(table: &TableCopy) -> Row {
    let state = status_glyph::of_copy(table.state);
    let moves = table.state == CopyState::Copying && table.byte_count > 0;
    let begun = table.state != CopyState::Waiting;
    let when = |shown: bool, text: String| plain(if shown { text } else { String::new() });
    let percent = format::percent(table.done());
    // What is complete needs no bar: those of what moves are seen.
    let is_whole = matches!(table.state, CopyState::Ready | CopyState::CatchingUp);
    let bar = |width: usize| match is_whole {
        true => format!("{:1$} {percent:>5}", "", width + 2),
        false => format!("{} {percent:>5}", format::bar(table.done(), width)),
    };
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
        copied: CELLS.len() - 3,
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
            when(begun, bar(10)),
            when(begun, bar(5)),
            plain(table.name.trim_start_matches("public.")),
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
