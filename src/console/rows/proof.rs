//! What was compared, as rows of the Verify screen.

use crate::console::model::proof::Compared;
use crate::console::{format, status_glyph};

use super::cell::{Column, Row, cell, column, fill, number, plain, showing};

const COLUMNS: &[Column] = &[
    fill("TABLE", 18),
    column("VERDICT", 11, 0),
    number("ROWS", 11, 1),
    number("MISSING", 8, 0),
    number("EXTRA", 8, 0),
    number("OTHER", 8, 0),
    number("TOOK", 7, 2),
];

/// Too narrow for each kind of difference.
const COLUMNS_NARROW: &[Column] = &[
    showing("NAME", fill("TABLE", 14)),
    column("VERDICT", 11, 0),
    showing("OPEN", number("DIFFER", 8, 1)),
];

/// What the cells of a row are, in order.
pub(super) const CELLS: &[&str] = &[
    "TABLE", "VERDICT", "ROWS", "MISSING", "EXTRA", "OTHER", "TOOK", "OPEN", "NAME",
];

pub(super) const fn columns(width: u16) -> &'static [Column] {
    match width {
        0..64 => COLUMNS_NARROW,
        _ => COLUMNS,
    }
}

pub(super) fn row(one: &Compared) -> Row {
    let sign = status_glyph::of_verdict(one.verdict);
    let rows = one.table.as_ref().filter(|table| table.reason.is_none());
    let count = |of: Option<u64>| {
        plain(match of {
            Some(0) | None => String::new(),
            Some(count) => format::count(count),
        })
    };
    Row {
        copied: CELLS.len() - 2,
        cells: vec![
            plain(one.name.clone()),
            cell(format!("{} {}", sign.glyph, sign.word), sign.role),
            plain(rows.map_or_else(String::new, |table| format::count(table.source_rows))),
            count(rows.map(|table| table.missing)),
            count(rows.map(|table| table.extra)),
            count(rows.map(|table| table.differing)),
            plain(rows.map_or_else(String::new, |table| format::seconds(table.seconds))),
            count(rows.map(|table| table.missing + table.extra + table.differing)),
            plain(one.name.trim_start_matches("public.")),
        ],
    }
}
