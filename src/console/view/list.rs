//! The panes that are lists: slots, schema log, tables, copies.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, HighlightSpacing, StatefulWidget as _, Table, TableState};

use crate::console::action::{Action, Pane};
use crate::console::format;
use crate::console::item::Item;
use crate::console::items::{self, items};
use crate::console::model::{Model, SlotOrder, TableOrder};
use crate::console::rows::{self, Column, Row};
use crate::console::theme::Role;
use crate::status::{Phase, SchemaState};

use super::explain::explain;
use super::paint::{self, Frame};
use super::{proof, snapshot};

/// Draws a list pane; returns where its selected row stands.
pub(super) fn pane(
    model: &Model,
    pane: Pane,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let focused = model.has_keys(pane);
    let frame = if focused { Frame::Focus } else { Frame::Pane };
    let title = match pane {
        Pane::Snapshot | Pane::Verify => "· Tables".to_owned(),
        pane => format!("{} {}", pane.number(), pane.title()),
    };
    let titles = (title.as_str(), summary(model, pane));
    let inner = paint::frame(model.display.theme, frame, titles, place, buffer);
    let items = items(model, pane);
    let columns = fitting(rows::columns(pane, inner.width), &items, inner.width);
    let keys = items::keys(&items);
    let cursor = model.cursor(pane)?;
    let height = usize::from(inner.height.saturating_sub(1));
    let first = cursor.top(&keys, height);
    let selected = cursor
        .index(&keys)
        .and_then(|index| index.checked_sub(first));
    let selected = selected.filter(|row| *row < height);
    let shown = items.iter().skip(first).take(height);
    let shown: Vec<Row> = shown.map(|item| rows::row(model, item)).collect();
    table(model, pane, (&columns, &shown, selected), inner, buffer);
    if items.is_empty() {
        empty(model, pane, inner, buffer);
    }
    let rows = (first, items.len(), height);
    paint::scrollbar(model.display.theme, rows, place, buffer);
    let row = u16::try_from(selected?).ok()? + 1;
    if focused {
        let bar = Rect::new(inner.x, inner.y + row, inner.width, 1);
        paint::select(model.display.theme, bar, buffer);
    }
    Some(Position::new(inner.x, inner.y + row))
}

/// Columns from this priority on make room for the whole name of what a row is about.
const YIELDING: u8 = 3;
/// A longer name is cut: other columns are worth more than its end.
const NAME_MAX: u16 = 28;

/// A column, and the cells it gets.
type Fitted = (&'static Column, u16);

/// The columns that fit, with the widths they get. Two cells stand before them for the mark, two
/// between them.
fn fitting(columns: &'static [Column], items: &[Item<'_>], width: u16) -> Vec<Fitted> {
    let cells = |texts: usize| u16::try_from(texts).unwrap_or(u16::MAX);
    let names = items.iter().map(|item| Span::raw(item.name()).width());
    let name = cells(names.max().unwrap_or(0)).min(NAME_MAX);
    let version = cells(items.iter().map(version_digits).max().unwrap_or(0));
    let least = |one: &Column| match one.key {
        "VER" => one.width.max(version),
        _ => one.width,
    };
    let mut kept: Vec<&'static Column> = columns.iter().collect();
    let needed = |kept: &[&Column]| {
        let yields = kept.iter().any(|one| one.priority >= YIELDING);
        let wanted = |one: &Column| match one.fill && yields {
            true => one.width.max(name),
            false => least(one),
        };
        2 + kept.iter().map(|one| wanted(one) + 2).sum::<u16>()
    };
    while needed(&kept) > width && kept.len() > 1 {
        let last = kept.iter().map(|one| one.priority).max().unwrap_or(0);
        let Some(index) = kept.iter().rposition(|one| one.priority == last) else {
            break;
        };
        if kept[index].fill {
            break;
        }
        kept.remove(index);
    }
    let taken = 2 + kept.iter().map(|one| least(one) + 2).sum::<u16>();
    let spare = width.saturating_sub(taken);
    let width_of = |one: &Column| least(one) + if one.fill { spare } else { 0 };
    kept.into_iter().map(|one| (one, width_of(one))).collect()
}

fn version_digits(item: &Item<'_>) -> usize {
    match item {
        Item::Change(change) => change.version.to_string().len(),
        Item::Slot(_) | Item::Table(..) | Item::Copy(_) | Item::Compared(_) => 0,
    }
}

/// Draws the rows that are seen, below their headings. The cells are cut here, with a sign that they
/// are; a table would cut them silently.
fn table(
    model: &Model,
    pane: Pane,
    (columns, rows, selected): (&[Fitted], &[Row], Option<usize>),
    inner: Rect,
    buffer: &mut Buffer,
) {
    let theme = model.display.theme;
    let needle = model.needle().filter(|_| model.has_keys(pane));
    let quiet = theme.style(Role::Quiet);
    let heading = columns.iter().map(|(column, width)| {
        let text = paint::fit(column.title, usize::from(*width), column.right);
        Line::styled(text, quiet)
    });
    let lines = rows.iter().map(|row| {
        let cells = columns.iter().map(|(column, width)| {
            let cell = &row.cells[rows::cell_of(pane, column)];
            let text = paint::fit(&cell.text, usize::from(*width), column.right);
            Line::from(paint::found(theme, &text, needle.as_deref(), cell.role))
        });
        widgets::Row::new(cells.collect::<Vec<_>>())
    });
    let widths = columns.iter().map(|(_, width)| Constraint::Length(*width));
    let table = Table::new(lines, widths)
        .header(widgets::Row::new(heading.collect::<Vec<_>>()))
        .column_spacing(2)
        .highlight_symbol("▶ ")
        .highlight_spacing(HighlightSpacing::Always);
    let mut state = TableState::new().with_selected(selected);
    table.render(inner.intersection(buffer.area), buffer, &mut state);
}

/// What stands in the frame: how many, and how many of them need somebody.
fn summary(model: &Model, pane: Pane) -> Line<'static> {
    let theme = model.display.theme;
    let status = model.status();
    let text = match pane {
        Pane::Slots => {
            let order = match model.sorting.slots {
                SlotOrder::Kept => " · most WAL",
                SlotOrder::TimeLeft => " · by time left",
                SlotOrder::Name => " · by name",
            };
            let seen = match status.phase {
                _ if status.slots.is_empty() => "",
                Phase::Stopped | Phase::Crashed if model.servers.source_answers() => "",
                Phase::Stopped | Phase::Crashed | Phase::Retrying { .. } => " · as last seen",
                _ => "",
            };
            let slots = plural(status.slots.len(), "slot");
            format!("{}{slots}{order}{seen}", matching(model, pane))
        }
        Pane::Tables => {
            let order = match model.sorting.tables {
                TableOrder::Changes => "most changes",
                TableOrder::Latest => "latest",
                TableOrder::Name => "by name",
            };
            format!("{}{} · {order}", matching(model, pane), status.tables.len())
        }
        Pane::Schema => return schema_summary(model),
        Pane::Snapshot => return snapshot::summary(model),
        Pane::Verify => return proof::summary(model),
        Pane::Throughput | Pane::Logs => String::new(),
    };
    Line::styled(text, theme.style(Role::Quiet))
}

/// How many of a list's rows a search leaves: `10/` of all.
pub(super) fn matching(model: &Model, pane: Pane) -> String {
    match model.needle().filter(|_| model.focus == pane) {
        Some(_) => format!("{}/", items(model, pane).len()),
        None => String::new(),
    }
}

fn schema_summary(model: &Model) -> Line<'static> {
    let theme = model.display.theme;
    let changes = items::changes(model);
    let count = |state| changes.iter().filter(|one| one.state == state).count();
    // What is on record and not read is there all the same.
    let known = changes.len() as u64;
    let total = match model.servers.history.total {
        Some(total) if total > known => {
            format!("{} of {}", format::count(known), format::count(total))
        }
        _ => format::count(known),
    };
    let mut spans = vec![Span::styled(
        format!("{}{total}", matching(model, Pane::Schema)),
        theme.style(Role::Quiet),
    )];
    let failed = count(SchemaState::Failed);
    let open = count(SchemaState::NotApplied);
    if failed > 0 {
        spans.push(Span::styled(
            format!(" · {failed} ✗"),
            theme.style(Role::Bad),
        ));
    }
    if open > 0 {
        spans.push(Span::styled(
            format!(" · {open} !"),
            theme.style(Role::Warn),
        ));
    }
    if model.only.schema_trouble {
        spans.push(Span::styled(" · only ✗ !", theme.style(Role::Found)));
    }
    Line::from(spans)
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

fn no_engine(model: &Model) -> String {
    match model.tutorial {
        Some(_) => "no engine runs yet; a lesson starts it".to_owned(),
        None => {
            let init = model.keymap.label(Action::Init);
            format!("no engine runs yet; {init} sets a pipeline up")
        }
    }
}

fn no_slot(model: &Model) -> String {
    let init = model.keymap.label(Action::Init);
    format!("the source has no logical slot; {init} makes ours, once the engine is stopped")
}

/// Why the list is empty.
fn empty(model: &Model, pane: Pane, inner: Rect, buffer: &mut Buffer) {
    let status = model.status();
    let seen = model.servers.seen.as_ref();
    let away = seen.and_then(|seen| seen.source_trouble.as_ref());
    let unreadable = model.servers.history.trouble.as_ref();
    let at_rest = matches!(status.phase, Phase::Stopped | Phase::Crashed);
    let text = match (pane, &status.phase) {
        (Pane::Snapshot, _) => return snapshot::empty(model, inner, buffer),
        (Pane::Verify, _) => return proof::empty(model, inner, buffer),
        (_, _) if model.needle().is_some() && model.focus == pane => "nothing matches",
        (Pane::Slots, _) if at_rest && away.is_some() => &format!(
            "the source does not answer: {}",
            away.map_or("", String::as_str)
        ),
        (Pane::Slots, _) if at_rest && model.servers.source_answers() => &no_slot(model),
        (Pane::Schema, _) if unreadable.is_some() => &format!(
            "the log cannot be read: {}",
            unreadable.map_or("", String::as_str)
        ),
        (Pane::Schema, _) if model.servers.history.total == Some(0) => {
            "no schema change is on record"
        }
        (_, _) if status.started_at_s == 0 && at_rest => &no_engine(model),
        (Pane::Slots, Phase::Starting | Phase::Retrying { .. }) => {
            "the source has not answered yet"
        }
        (Pane::Slots, _) => &no_slot(model),
        (Pane::Schema, _) if !status.schema_log && status.started_at_s != 0 => {
            "rows only: PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL is not set"
        }
        (Pane::Schema, _) => "no schema change has come in this session",
        (_, _) => "no row has changed yet",
    };
    explain(model, text, 1, inner, buffer);
}
