//! The rows of the list panes, as text: what is drawn, searched and copied is the same.

mod cell;
mod copies;
mod proof;

use crate::status::{Phase, SchemaChange, Slot, TableCounters};

use super::action::Pane;
use super::item::{Item, objects};
use super::model::Model;
use super::theme::Role;
use super::{format, status_glyph, threshold};

use cell::{cell, column, fill, number, plain};

use cell::showing;
pub(crate) use cell::{Column, Row};

const SLOT_COLUMNS: &[Column] = &[
    fill("SLOT", 12),
    column("STATE", 11, 0),
    number("WAL KEPT", 8, 0),
    number("SAFE", 8, 1),
    number("LOST IN", 8, 2),
    column("FLUSHED", 10, 3),
    column("RESTART", 10, 4),
    number("PID", 7, 5),
    number("SPILL", 7, 6),
    column("DATABASE", 12, 7),
    column("PLUGIN", 8, 8),
];

const SCHEMA_COLUMNS: &[Column] = &[
    column("TIME", 5, 1),
    number("VER", 4, 4),
    column("COMMAND", 14, 1),
    fill("OBJECT", 18),
    column("STATE", 13, 2),
    number("TOOK", 7, 3),
    column("LSN", 10, 5),
];

/// Too narrow for words: the sign alone, whose word stands in the details and in help.
const SCHEMA_COLUMNS_NARROW: &[Column] = &[
    column("TIME", 5, 1),
    column("COMMAND", 12, 1),
    fill("OBJECT", 10),
    showing("SIGN", column("", 1, 0)),
];

const TABLE_COLUMNS: &[Column] = &[
    fill("TABLE", 17),
    number("INSERTS", 9, 0),
    number("UPDATES", 9, 0),
    number("DELETES", 9, 1),
    number("TRUNC", 5, 4),
    number("SIZE", 8, 3),
    number("LAST", 6, 2),
];

/// Too narrow for whole numbers: `6.2M`.
const TABLE_COLUMNS_NARROW: &[Column] = &[
    fill("TABLE", 14),
    number("INS", 5, 0),
    number("UPD", 5, 1),
    number("DEL", 5, 2),
];

/// Returns the columns of a list pane that is so many cells wide.
pub(crate) const fn columns(pane: Pane, width: u16) -> &'static [Column] {
    match pane {
        Pane::Slots => SLOT_COLUMNS,
        Pane::Schema if width < 56 => SCHEMA_COLUMNS_NARROW,
        Pane::Schema => SCHEMA_COLUMNS,
        Pane::Tables if width < 48 => TABLE_COLUMNS_NARROW,
        Pane::Tables => TABLE_COLUMNS,
        Pane::Snapshot => copies::columns(width),
        Pane::Verify => proof::columns(width),
        Pane::Throughput | Pane::Logs => &[],
    }
}

/// Returns the number of a row's cell that belongs to a column.
pub(crate) fn cell_of(pane: Pane, column: &Column) -> usize {
    let all = match pane {
        Pane::Slots => SLOT_CELLS,
        Pane::Schema => SCHEMA_CELLS,
        Pane::Tables => TABLE_CELLS,
        Pane::Snapshot => copies::CELLS,
        Pane::Verify => proof::CELLS,
        Pane::Throughput | Pane::Logs => &[],
    };
    all.iter()
        .position(|other| *other == column.key)
        .unwrap_or(0)
}

/// Returns the headings of a copied row, columns apart by two blanks.
pub(crate) fn headings(pane: Pane) -> String {
    let copied = match pane {
        Pane::Slots => SLOT_CELLS,
        Pane::Schema => &SCHEMA_CELLS[..SCHEMA_CELLS.len() - 1],
        Pane::Tables => &TABLE_CELLS[..TABLE_CELLS.len() - 3],
        Pane::Snapshot => &copies::CELLS[..copies::CELLS.len() - 2],
        Pane::Verify => &proof::CELLS[..proof::CELLS.len() - 2],
        Pane::Throughput | Pane::Logs => &[],
    };
    copied.join("  ")
}

/// What the cells of a row are, in order; a wide and a narrow screen choose among them.
const SLOT_CELLS: &[&str] = &[
    "SLOT", "STATE", "WAL KEPT", "SAFE", "LOST IN", "FLUSHED", "RESTART", "PID", "SPILL",
    "DATABASE", "PLUGIN",
];
const SCHEMA_CELLS: &[&str] = &[
    "TIME", "VER", "COMMAND", "OBJECT", "STATE", "TOOK", "LSN", "SIGN",
];
const TABLE_CELLS: &[&str] = &[
    "TABLE", "INSERTS", "UPDATES", "DELETES", "TRUNC", "SIZE", "LAST", "INS", "UPD", "DEL",
];

/// Returns the row of something that a list pane lists.
pub(crate) fn row(model: &Model, item: &Item<'_>) -> Row {
    match item {
        Item::Slot(slot) => slot_row(slot, &model.status().phase),
        Item::Change(change) => schema_row(change, model),
        Item::Table(name, counters) => {
            let refused = model.status().refused_table() == Some(*name);
            table_row((name, refused), counters, model.status().at_ms)
        }
        Item::Copy(table) => copies::row(table),
        Item::Compared(one) => proof::row(one),
    }
}

fn slot_row(slot: &Slot, phase: &Phase) -> Row {
    let state = status_glyph::of_slot(slot, phase);
    let lsn = |lsn: Option<crate::model::Lsn>| lsn.map_or("-".to_owned(), |lsn| lsn.to_string());
    let safe = match slot.safe_wal_bytes {
        _ if slot.is_lost() => cell("lost", Role::Bad),
        None => cell("no limit", Role::Quiet),
        Some(bytes) => plain(format::maybe_bytes(Some(bytes))),
    };
    let lost_in = match slot.lost_in_s {
        Some(seconds) => cell(
            format::short_seconds(seconds),
            threshold::of_time_left(slot),
        ),
        None => cell("-", Role::Quiet),
    };
    Row {
        copied: SLOT_CELLS.len(),
        cells: vec![
            plain(slot.slot_name.clone()),
            cell(format!("{} {}", state.glyph, state.word), state.role),
            cell(
                format::maybe_bytes(slot.retained_bytes),
                threshold::of_kept(slot),
            ),
            safe,
            lost_in,
            plain(lsn(slot.confirmed_flush_lsn)),
            plain(lsn(slot.restart_lsn)),
            plain(
                slot.active_pid
                    .filter(|_| state.word == "active")
                    .map_or("-".to_owned(), |pid| pid.to_string()),
            ),
            plain(format::maybe_bytes(Some(slot.spill_bytes))),
            plain(slot.database.clone()),
            plain(slot.plugin.clone()),
        ],
    }
}

fn schema_row(change: &SchemaChange, model: &Model) -> Row {
    let state = status_glyph::of_schema(change.state);
    let took = change.duration_ms.map_or("-".to_owned(), format::millis);
    Row {
        copied: SCHEMA_CELLS.len() - 1,
        cells: vec![
            plain(made_at(change, model)),
            plain(change.version.to_string()),
            plain(change.tag.clone()),
            plain(objects(change)),
            cell(format!("{} {}", state.glyph, state.word), state.role),
            plain(took),
            plain(change.end_lsn.map_or("-".to_owned(), |lsn| lsn.to_string())),
            cell(state.glyph, state.role),
        ],
    }
}

/// Returns hour and minute, or the day; as the source wrote it where that is no time.
fn made_at(change: &SchemaChange, model: &Model) -> String {
    match change.made_at_ms() {
        Some(at_ms) => format::hour_or_day(at_ms, model.now_ms, &model.zone),
        None => change.created_at.clone(),
    }
}

fn table_row((name, refused): (&str, bool), counters: &TableCounters, now_ms: i64) -> Row {
    let number = |value: u64| match value {
        0 => cell("0", Role::Quiet),
        value if value < 1_000_000 => plain(format::count(value)),
        value => plain(format::short_count(format::float(value))),
    };
    let short = |value: u64| plain(format::short_count(format::float(value)));
    let last = match counters.last_change_ms {
        0 => "-".to_owned(),
        at_ms => format::short_seconds((now_ms - at_ms) / 1000),
    };
    Row {
        copied: TABLE_CELLS.len() - 3,
        cells: vec![
            match refused {
                true => cell(format!("✗ {name}"), Role::Bad),
                false => plain(name),
            },
            number(counters.inserts),
            number(counters.updates),
            number(counters.deletes),
            number(counters.truncates),
            plain(format::bytes(counters.bytes)),
            plain(last),
            short(counters.inserts),
            short(counters.updates),
            short(counters.deletes),
        ],
    }
}
