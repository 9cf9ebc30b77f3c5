//! The configuration screen: the variables, and below them what the selected one means.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::settings::Settings;
use crate::console::theme::Role;

/// Draws the screen; returns the cursor.
pub(super) fn settings(
    model: &Model,
    settings: &Settings,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let below = if buffer.area.height < 16 { 4 } else { 7 };
    let [list, detail, foot] = Split::vertical([
        Constraint::Fill(1),
        Constraint::Length(below),
        Constraint::Length(1),
    ])
    .areas(buffer.area);
    let file = settings
        .path
        .as_ref()
        .map_or("no file".to_owned(), |path| path.display().to_string());
    let summary = match settings.changes.len() {
        0 => Line::styled(file, theme.style(Role::Quiet)),
        count => Line::styled(format!("{count} not saved"), theme.style(Role::Warn)),
    };
    let inner = paint::frame(theme, Frame::Focus, ("Config", summary), list, buffer);
    let cursor = rows(model, settings, inner, buffer);
    let typing = meaning(model, settings, detail, buffer);
    let keys = match settings.editing {
        Some(_) => " Enter accept   Esc leave it",
        None => " Enter change   Bksp take back   w save (shows what changes)   Esc leave",
    };
    paint::text(
        &Line::styled(keys, theme.style(Role::Quiet)),
        0,
        foot,
        buffer,
    );
    typing.or(cursor)
}

fn rows(model: &Model, settings: &Settings, inner: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.look.theme;
    let height = usize::from(inner.height);
    let first = first_visible(settings.selected, settings.rows.len(), height);
    let origin_width = if inner.width >= 90 { 24 } else { 0 };
    let name_width = usize::from(inner.width / 2).min(52);
    let value_width = usize::from(inner.width).saturating_sub(name_width + origin_width + 5);
    let shown = settings.rows.iter().enumerate().skip(first);
    for (row, (index, one)) in (0..inner.height).zip(shown) {
        let key = one.variable.key;
        let changed = settings.changes.get(key);
        let (value, role) = match (changed, &one.value) {
            (Some(value), _) => (format!("~ {}", crate::config::redact(value)), Role::Warn),
            (None, Some(value)) => (value.clone(), Role::Accent),
            (None, None) => (one.variable.default.to_owned(), Role::Quiet),
        };
        let mark = if index == settings.selected {
            "▶ "
        } else {
            "  "
        };
        let name = key.strip_prefix("PGSTREAM_").unwrap_or(key);
        let line = Line::from(vec![
            Span::raw(mark),
            Span::styled(paint::fit(name, name_width, false), theme.style(Role::Text)),
            Span::raw(" "),
            Span::styled(paint::fit(&value, value_width, false), theme.style(role)),
            Span::raw(" "),
            Span::styled(
                paint::fit(&one.origin.to_string(), origin_width, false),
                theme.style(Role::Quiet),
            ),
        ]);
        paint::text(&line, row, inner, buffer);
    }
    let row = u16::try_from(settings.selected.checked_sub(first)?).ok()?;
    let position = Position::new(inner.x, inner.y + row);
    inner.contains(position).then_some(position)
}

fn meaning(
    model: &Model,
    settings: &Settings,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let row = settings.row()?;
    let variable = row.variable;
    let inner = paint::frame(
        theme,
        Frame::Pane,
        (variable.key, Line::default()),
        place,
        buffer,
    );
    let width = usize::from(inner.width).saturating_sub(2);
    if let Some(input) = &settings.editing {
        let line = Line::styled(
            format!(" > {}", paint::masked(&paint::clean(input.value()))),
            theme.style(Role::Accent),
        );
        paint::text(&line, 0, inner, buffer);
        let (text, role) = match &settings.problem {
            Some(problem) => (format!("✗ {problem}"), Role::Bad),
            None => (
                format!(
                    "{} · for example {}",
                    variable.kind.describe(),
                    variable.example
                ),
                Role::Quiet,
            ),
        };
        for (row, part) in (1..).zip(paint::wrap(&text, width)).take(4) {
            paint::text(
                &Line::styled(format!(" {part}"), theme.style(role)),
                row,
                inner,
                buffer,
            );
        }
        let column = u16::try_from(3 + input.visual_cursor()).ok()?;
        let position = Position::new(inner.x + column.min(inner.width.saturating_sub(1)), inner.y);
        return inner.contains(position).then_some(position);
    }
    let mut lines = paint::wrap(variable.meaning, width);
    lines.push(format!(
        "{} · default {} · now from {}",
        variable.kind.describe(),
        variable.default,
        row.origin
    ));
    lines.push("Saved changes count from the next start of pgstream.".to_owned());
    for (row, text) in (0..).zip(lines) {
        let role = if row == 0 { Role::Text } else { Role::Quiet };
        paint::text(
            &Line::styled(format!(" {text}"), theme.style(role)),
            row,
            inner,
            buffer,
        );
    }
    None
}
