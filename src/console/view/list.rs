//! The panes that are lists: slots, schema log, tables, copies.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use super::snapshot;
use crate::console::action::{Action, Pane};
use crate::console::format;
use crate::console::model::{Model, SlotOrder, TableOrder};
use crate::console::rows::{self, Column, Row};
use crate::console::theme::Role;
use crate::engine::status::{Phase, SchemaState};

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
        Pane::Snapshot => "· Tables".to_owned(),
        pane => format!("{} {}", pane.number(), pane.title()),
    };
    let titles = (title.as_str(), summary(model, pane));
    let inner = paint::frame(model.look.theme, frame, titles, place, buffer);
    let rows = model.rows(pane);
    let columns = fitting(pane, rows::columns(pane, inner.width), &rows, inner.width);
    heading(model, &columns, inner, buffer);
    if rows.is_empty() {
        empty(model, pane, inner, buffer);
        return None;
    }
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let selected = model.cursor(pane)?.index(&keys)?;
    let height = usize::from(inner.height.saturating_sub(1));
    let first = model.cursor(pane)?.top(&keys, height);
    paint::scrollbar(model.look.theme, (first, rows.len(), height), place, buffer);
    let needle = model.needle().filter(|_| focused);
    for (row, (index, one)) in (1..inner.height).zip(rows.iter().enumerate().skip(first)) {
        let marked = index == selected;
        let line = line(model, pane, &columns, one, marked, needle.as_deref());
        paint::text(&line, row, inner, buffer);
        if marked && focused {
            let bar = Rect::new(inner.x, inner.y + row, inner.width, 1);
            paint::select(model.look.theme, bar, buffer);
        }
    }
    let row = u16::try_from(selected.checked_sub(first)?).ok()?;
    (usize::from(row) < height).then(|| Position::new(inner.x, inner.y + 1 + row))
}

/// Columns from this priority on make room for the whole name of what a row is about.
const YIELDING: u8 = 3;
/// A longer name is cut: other columns are worth more than its end.
const NAME_MAX: u16 = 28;

/// The columns that fit, with the widths they get. Two cells stand before them for the mark, two
/// between them.
fn fitting(
    pane: Pane,
    columns: &'static [Column],
    rows: &[Row],
    width: u16,
) -> Vec<(&'static Column, usize)> {
    let mut kept: Vec<&Column> = columns.iter().collect();
    let longest = |column: &Column| {
        let cell = rows::cell_of(pane, column);
        let texts = rows.iter().filter_map(|row| row.cells.get(cell));
        let widths = texts.map(|cell| Span::raw(cell.text.as_str()).width());
        u16::try_from(widths.max().unwrap_or(0)).unwrap_or(u16::MAX)
    };
    let name = columns.iter().find(|one| one.fill).map_or(0, longest);
    let needed = |kept: &[&Column]| {
        let yields = kept.iter().any(|one| one.priority >= YIELDING);
        let wanted = |one: &Column| match one.fill && yields {
            true => one.width.max(name.min(NAME_MAX)),
            false => one.width,
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
    let taken = 2 + kept.iter().map(|one| one.width + 2).sum::<u16>();
    let spare = width.saturating_sub(taken);
    let width_of = |one: &Column| one.width + if one.fill { spare } else { 0 };
    kept.into_iter()
        .map(|one| (one, usize::from(width_of(one))))
        .collect()
}

fn heading(model: &Model, columns: &[(&Column, usize)], inner: Rect, buffer: &mut Buffer) {
    let mut text = String::from("  ");
    for (column, width) in columns {
        text += &paint::fit(column.title, *width, column.right);
        text += "  ";
    }
    let style = model.look.theme.style(Role::Quiet);
    paint::text(&Line::styled(text, style), 0, inner, buffer);
}

fn line(
    model: &Model,
    pane: Pane,
    columns: &[(&Column, usize)],
    row: &Row,
    marked: bool,
    needle: Option<&str>,
) -> Line<'static> {
    let theme = model.look.theme;
    let mut spans = vec![Span::raw(if marked { "▶ " } else { "  " })];
    for (column, width) in columns {
        let Some(cell) = row.cells.get(rows::cell_of(pane, column)) else {
            continue;
        };
        let text = paint::fit(&cell.text, *width, column.right);
        spans.extend(paint::found(theme, &text, needle, cell.role));
        spans.push(Span::raw("  "));
    }
    Line::from(spans)
}

/// What stands in the frame: how many, and how many of them need somebody.
fn summary(model: &Model, pane: Pane) -> Line<'static> {
    let theme = model.look.theme;
    let status = model.status();
    let text = match pane {
        Pane::Slots => {
            let order = match model.sorting.slots {
                SlotOrder::Kept => "",
                SlotOrder::TimeLeft => " · by time left",
                SlotOrder::Name => " · by name",
            };
            let seen = match status.phase {
                _ if status.slots.is_empty() => "",
                Phase::Stopped | Phase::Crashed | Phase::Retrying { .. } => " · as last seen",
                _ => "",
            };
            format!("{}{order}{seen}", plural(status.slots.len(), "slot"))
        }
        Pane::Tables => {
            let order = match model.sorting.tables {
                TableOrder::Changes => "most changes",
                TableOrder::Latest => "latest",
                TableOrder::Name => "by name",
            };
            format!("{} · {order}", status.tables.len())
        }
        Pane::Schema => return schema_summary(model),
        Pane::Snapshot => return snapshot::summary(model),
        Pane::Throughput | Pane::Logs => String::new(),
    };
    Line::styled(text, theme.style(Role::Quiet))
}

fn schema_summary(model: &Model) -> Line<'static> {
    let theme = model.look.theme;
    let changes = &model.status().schema_changes;
    let count = |state| changes.iter().filter(|one| one.state == state).count();
    let mut spans = vec![Span::styled(
        format::count(changes.len() as u64),
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
    match model.course {
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
    let text = match (pane, &status.phase) {
        (_, _) if status.started_at_s == 0 && status.phase == Phase::Stopped => &no_engine(model),
        (Pane::Slots, Phase::Starting | Phase::Retrying { .. }) => {
            "the source has not answered yet"
        }
        (Pane::Slots, _) => &no_slot(model),
        (Pane::Schema, _) if !status.schema_log && status.started_at_s != 0 => {
            "rows only: PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL is not set"
        }
        (Pane::Schema, _) => "no schema change has travelled yet",
        (Pane::Snapshot, _) => return snapshot::empty(model, inner, buffer),
        (_, _) if model.needle().is_some() => "no table matches",
        (_, _) => "no row has changed yet",
    };
    explain(model, text, 1, inner, buffer);
}

/// Writes words in place of rows, from this row on; returns the first row below them.
pub(super) fn explain(
    model: &Model,
    text: &str,
    from: u16,
    inner: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let style = model.look.theme.style(Role::Quiet);
    let width = usize::from(inner.width).saturating_sub(2);
    let mut row = from;
    for part in paint::wrap(text, width) {
        let line = Line::styled(format!("  {part}"), style);
        paint::text(&line, row, inner, buffer);
        row = row.saturating_add(1);
    }
    row
}
