//! Help and palette: the key table, filtered by what is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use crate::console::keys::FIXED;
use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::model::overlay::Filtered;
use crate::console::palette::{self, Line as Entry};
use crate::console::theme::Role;

/// Draws help: all keys by place, then what cannot be changed, then what the signs mean.
pub(super) fn help(
    model: &Model,
    list: &Filtered,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let place = paint::centered(76, room.height, room, buffer);
    let titles = (
        "Help · type to filter · Enter runs a line · Esc closes",
        Line::default(),
    );
    let inner = paint::frame(model.look.theme, Frame::Over, titles, place, buffer);
    let entries = palette::lines(model, list, true);
    let mut lines = Vec::new();
    let mut selected_line = 0;
    let mut heading = "";
    for (index, entry) in entries.iter().enumerate() {
        if heading != entry.heading {
            heading = entry.heading;
            lines.push(Line::styled(
                format!(" {heading}"),
                model.look.theme.style(Role::Title),
            ));
        }
        if index == list.selected {
            selected_line = lines.len();
        }
        lines.push(entry_line(model, entry, index == list.selected));
    }
    if list.filter.value().is_empty() {
        lines.extend(fixed(model));
    }
    show(model, list, (lines, selected_line), inner, buffer)
}

/// Draws the palette: the actions that match, the best match first.
pub(super) fn palette(
    model: &Model,
    list: &Filtered,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let place = paint::centered(70, 16.min(room.height), room, buffer);
    let titles = ("Command", Line::default());
    let inner = paint::frame(model.look.theme, Frame::Over, titles, place, buffer);
    let entries = palette::lines(model, list, false);
    let lines = entries.iter().enumerate();
    let lines = lines.map(|(index, entry)| entry_line(model, entry, index == list.selected));
    show(model, list, (lines.collect(), list.selected), inner, buffer)
}

fn show(
    model: &Model,
    list: &Filtered,
    (lines, selected): (Vec<Line<'static>>, usize),
    inner: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let prompt = Line::from(vec![
        Span::styled(" find: ", theme.style(Role::Quiet)),
        Span::styled(list.filter.value().to_owned(), theme.style(Role::Text)),
    ]);
    paint::text(&prompt, 0, inner, buffer);
    if lines.is_empty() {
        paint::text(
            &Line::styled(" no key does that", theme.style(Role::Quiet)),
            1,
            inner,
            buffer,
        );
    }
    let height = usize::from(inner.height.saturating_sub(1));
    let first = first_visible(selected, lines.len(), height);
    for (row, line) in (1..inner.height).zip(lines.into_iter().skip(first)) {
        paint::text(&line, row, inner, buffer);
    }
    let typed = u16::try_from(list.filter.visual_cursor()).unwrap_or(0);
    Some(Position::new(inner.x + 7 + typed, inner.y))
}

fn entry_line(model: &Model, entry: &Entry, selected: bool) -> Line<'static> {
    let theme = model.look.theme;
    let mark = if selected { "▶ " } else { "  " };
    let words = match entry.refusal {
        Some(reason) => Span::styled(
            format!("{} ({reason})", entry.words),
            theme.style(Role::Quiet),
        ),
        None => Span::styled(entry.words, theme.style(Role::Text)),
    };
    let line = Line::from(vec![
        Span::raw(mark),
        Span::styled(paint::fit(&entry.keys, 9, false), theme.style(Role::Key)),
        Span::raw(" "),
        words,
    ]);
    if selected {
        line.patch_style(theme.style(Role::Selected))
    } else {
        line
    }
}

fn fixed(model: &Model) -> Vec<Line<'static>> {
    let theme = model.look.theme;
    let title = |text: &str| Line::styled(format!(" {text}"), theme.style(Role::Title));
    let mut lines = Vec::new();
    let mut place = "";
    for key in FIXED {
        if place != key.place {
            place = key.place;
            lines.push(title(place));
        }
        lines.push(Line::from(vec![
            Span::styled(
                paint::fit(&format!("  {}", key.keys), 28, false),
                theme.style(Role::Key),
            ),
            Span::styled(key.words, theme.style(Role::Text)),
        ]));
    }
    lines.push(title("Signs"));
    for signs in SIGNS {
        lines.push(Line::styled(format!("  {signs}"), theme.style(Role::Text)));
    }
    lines
}

const SIGNS: [&str; 3] = [
    "✓ applied   ✗ failed, lost, crashed   ! needs you   … running   - skipped",
    "● active, streaming   ○ idle, stopped   » catching up   ‖ paused",
    "◦ starting   ↻ trying again by itself",
];
