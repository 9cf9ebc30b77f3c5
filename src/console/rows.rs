//! The rows of the list panes, as text: what is drawn, searched and copied is the same.

mod copies;

pub(crate) use copies::copies;

use jiff::tz::TimeZone;

use super::action::Pane;
use super::format;
use super::model::{Model, SlotOrder, TableOrder};
use super::sign;
use super::theme::Role;
use crate::engine::status::{Phase, SchemaChange, SchemaState, Slot, TableCounters};

/// One piece of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) role: Role,
}

/// One row of a list, with a cell for each of the pane's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// What the selection holds on to.
    pub(crate) key: String,
    pub(crate) cells: Vec<Cell>,
    /// So many of the cells say everything; the others say it again in fewer letters.
    copied: usize,
}

impl Row {
    /// Returns the row as one line of text, columns apart by two blanks.
    pub(crate) fn text(&self) -> String {
        let cells: Vec<&str> = self.cells[..self.copied]
            .iter()
            .map(|cell| cell.text.as_str())
            .collect();
        cells.join("  ")
    }

    /// Returns whether the row holds a text, without regard to case.
    pub(crate) fn holds(&self, needle: &str) -> bool {
        self.text().to_lowercase().contains(needle)
    }
}

/// A column of a list pane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Cells it takes; the first column that is `fill` takes what is left, at least this.
    pub(crate) width: u16,
    pub(crate) fill: bool,
    pub(crate) right: bool,
    /// Columns with the largest number go first when there is no room.
    pub(crate) priority: u8,
}

const fn column(title: &'static str, width: u16, priority: u8) -> Column {
    Column {
        title,
        width,
        fill: false,
        right: false,
        priority,
    }
}

const fn number(title: &'static str, width: u16, priority: u8) -> Column {
    Column {
        right: true,
        ..column(title, width, priority)
    }
}

const fn fill(title: &'static str, width: u16) -> Column {
    Column {
        fill: true,
        ..column(title, width, 0)
    }
}

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
    column("", 1, 0),
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
        Pane::Throughput | Pane::Logs => &[],
    }
}

/// Returns the number of a row's cell that belongs to a column.
pub(crate) fn cell_of(pane: Pane, column: &Column) -> usize {
    let title = if column.title.is_empty() {
        "SIGN"
    } else {
        column.title
    };
    let all = match pane {
        Pane::Slots => SLOT_CELLS,
        Pane::Schema => SCHEMA_CELLS,
        Pane::Tables => TABLE_CELLS,
        Pane::Snapshot => copies::CELLS,
        Pane::Throughput | Pane::Logs => &[],
    };
    all.iter().position(|other| *other == title).unwrap_or(0)
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

fn plain(text: impl Into<String>) -> Cell {
    cell(text, Role::Text)
}

fn cell(text: impl Into<String>, role: Role) -> Cell {
    Cell {
        text: text.into(),
        role,
    }
}

/// Returns the slots: ours first, the others in the chosen order.
pub(crate) fn slots(model: &Model) -> Vec<Row> {
    let mut slots: Vec<&Slot> = model.status().slots.iter().collect();
    slots.sort_by(|one, other| {
        let ours = other.ours.cmp(&one.ours);
        let chosen = match model.sorting.slots {
            SlotOrder::Kept => other.retained_bytes.cmp(&one.retained_bytes),
            SlotOrder::TimeLeft => {
                let left = |slot: &Slot| slot.lost_in_s.unwrap_or(i64::MAX);
                left(one).cmp(&left(other))
            }
            SlotOrder::Name => std::cmp::Ordering::Equal,
        };
        ours.then(chosen)
            .then_with(|| one.slot_name.cmp(&other.slot_name))
    });
    let phase = &model.status().phase;
    slots
        .into_iter()
        .map(|slot| slot_row(slot, phase))
        .collect()
}

fn slot_row(slot: &Slot, phase: &Phase) -> Row {
    let state = sign::of_slot(slot, phase);
    let lsn = |lsn: Option<crate::model::Lsn>| lsn.map_or("-".to_owned(), |lsn| lsn.to_string());
    let safe = match slot.safe_wal_bytes {
        _ if slot.is_lost() => cell("lost", Role::Bad),
        None => cell("no limit", Role::Quiet),
        Some(bytes) => plain(format::maybe_bytes(Some(bytes))),
    };
    let lost_in = match slot.lost_in_s {
        Some(seconds) if seconds < 4 * 3600 => cell(format::short_seconds(seconds), Role::Warn),
        Some(seconds) => plain(format::short_seconds(seconds)),
        None => cell("-", Role::Quiet),
    };
    Row {
        key: slot.slot_name.clone(),
        copied: SLOT_CELLS.len(),
        cells: vec![
            plain(slot.slot_name.clone()),
            cell(format!("{} {}", state.glyph, state.word), state.role),
            plain(format::maybe_bytes(slot.retained_bytes)),
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

/// Returns the schema changes, newest first; only those that need someone, if asked.
pub(crate) fn schema(model: &Model) -> Vec<Row> {
    let changes = model.status().schema_changes.iter();
    let wanted = |change: &&SchemaChange| {
        let trouble = matches!(change.state, SchemaState::Failed | SchemaState::NotApplied);
        trouble || !model.only.schema_trouble
    };
    let row = |change| schema_row(change, &model.zone);
    changes.filter(wanted).map(row).collect()
}

fn schema_row(change: &SchemaChange, zone: &TimeZone) -> Row {
    let state = sign::of_schema(change.state);
    let objects = match subject(change) {
        Some(one) => one.to_owned(),
        None => {
            let words: Vec<_> = change.statement.split_whitespace().collect();
            words.join(" ")
        }
    };
    let took = change.duration_ms.map_or("-".to_owned(), format::millis);
    Row {
        key: change.id.clone(),
        copied: SCHEMA_CELLS.len() - 1,
        cells: vec![
            plain(made_at(change, zone)),
            plain(change.version.to_string()),
            plain(change.tag.clone()),
            plain(objects),
            cell(format!("{} {}", state.glyph, state.word), state.role),
            plain(took),
            plain(change.end_lsn.map_or("-".to_owned(), |lsn| lsn.to_string())),
            cell(state.glyph, state.role),
        ],
    }
}

/// Returns the name of what a change is about: of `CREATE TABLE` the table, not the sequence that
/// comes with it. Objects are written as kind and name.
fn subject(change: &SchemaChange) -> Option<&str> {
    let kind = change.tag.rsplit(' ').next()?.to_lowercase();
    let is_of_kind = |object: &&String| object.split_once(' ').is_some_and(|(one, _)| one == kind);
    let mut objects = change.objects.iter();
    let object = objects
        .clone()
        .find(is_of_kind)
        .or_else(|| objects.next())?;
    Some(
        object
            .split_once(' ')
            .map_or(object.as_str(), |(_, name)| name),
    )
}

/// Returns hour and minute; as the source wrote it where that is no moment.
fn made_at(change: &SchemaChange, zone: &TimeZone) -> String {
    match change.made_at_ms() {
        Some(at_ms) => format::hour_and_minute(at_ms, zone),
        None => change.created_at.clone(),
    }
}

/// Returns the tables in the chosen order; a search shows only those that match.
pub(crate) fn tables(model: &Model) -> Vec<Row> {
    let status = model.status();
    let changes = |one: &TableCounters| one.inserts + one.updates + one.deletes + one.truncates;
    let mut tables: Vec<(&String, &TableCounters)> = status.tables.iter().collect();
    match model.sorting.tables {
        TableOrder::Changes => tables.sort_by_key(|(_, one)| std::cmp::Reverse(changes(one))),
        TableOrder::Latest => tables.sort_by_key(|(_, one)| std::cmp::Reverse(one.last_change_ms)),
        TableOrder::Name => {}
    }
    let needle = model.needle().filter(|_| model.focus == Pane::Tables);
    let wanted = |row: &Row| needle.as_ref().is_none_or(|needle| row.holds(needle));
    let rows = tables
        .into_iter()
        .map(|(name, one)| table_row(name, one, status.at_ms));
    rows.filter(wanted).collect()
}

fn table_row(name: &str, counters: &TableCounters, now_ms: i64) -> Row {
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
        key: name.to_owned(),
        copied: TABLE_CELLS.len() - 3,
        cells: vec![
            plain(name),
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
