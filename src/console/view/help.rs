//! Help and palette: the key table, filtered by what is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::console::keys::FIXED;
use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::model::overlay::Filtered;
use crate::console::palette::{self, Line as Entry};
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// Draws help: all keys by place, then what cannot be changed, then what the signs mean.
pub(super) fn help(
    model: &Model,
    list: &Filtered,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let place = paint::centered(76, room.height, room, buffer);
    let name = match place.width {
        ..60 => "Help · type to filter · Esc closes",
        _ => "Help · type to filter · Enter runs a line · Esc closes",
    };
    let titles = (name, Line::default());
    let inner = paint::frame(model.display.theme, Frame::Over, titles, place, buffer);
    let width = usize::from(inner.width);
    let entries = palette::lines(model, list, true);
    let mut lines = Vec::new();
    let mut selected = 0;
    let mut heading = "";
    for (index, entry) in entries.iter().enumerate() {
        if heading != entry.heading {
            heading = entry.heading;
            lines.push(title(model, heading));
        }
        lines.extend(entry_lines(model, entry, index == list.selected, width));
        if index == list.selected {
            selected = lines.len() - 1;
        }
    }
    if list.filter.value().is_empty() {
        lines.extend(fixed(model, width));
    }
    show(model, list, (lines, selected), place, inner, buffer)
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
    let inner = paint::frame(model.display.theme, Frame::Over, titles, place, buffer);
    let mut lines = Vec::new();
    let mut selected = 0;
    for (index, entry) in palette::lines(model, list, false).iter().enumerate() {
        let marked = index == list.selected;
        lines.extend(entry_lines(model, entry, marked, usize::from(inner.width)));
        if marked {
            selected = lines.len() - 1;
        }
    }
    show(model, list, (lines, selected), place, inner, buffer)
}

fn show(
    model: &Model,
    list: &Filtered,
    (lines, selected): (Vec<Line<'static>>, usize),
    place: Rect,
    inner: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let room = usize::from(inner.width).saturating_sub(8);
    let (typed, column) = paint::field(list.filter.value(), &list.filter, room);
    let prompt = Line::from(vec![
        Span::styled(" find: ", theme.style(Role::Quiet)),
        Span::styled(typed, theme.style(Role::Text)),
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
    paint::scrollbar(theme, (first, lines.len(), height), place, buffer);
    for (row, line) in (1..inner.height).zip(lines.into_iter().skip(first)) {
        paint::text(&line, row, inner, buffer);
    }
    let column = u16::try_from(column).unwrap_or(0);
    Some(Position::new(inner.x + 7 + column, inner.y))
}

/// The cells before what a key does: the mark, the keys, a blank.
const WORDS_AT: usize = 12;

/// An action with its keys; the reason why it can do nothing now stands whole, below if need be.
fn entry_lines(model: &Model, entry: &Entry, selected: bool, width: usize) -> Vec<Line<'static>> {
    let theme = model.display.theme;
    let (words, role) = match entry.refusal {
        Some(reason) => (format!("{} ({reason})", entry.words), Role::Quiet),
        None => (entry.words.clone(), Role::Text),
    };
    let mark = if selected { "▶ " } else { "  " };
    let keys = format!("{mark}{}", paint::fit(&entry.keys, WORDS_AT - 3, false));
    let mut lines = beside(model, (&keys, WORDS_AT), (&words, role), width);
    if selected {
        for line in &mut lines {
            let rest = " ".repeat(width.saturating_sub(line.width()));
            line.push_span(Span::raw(rest));
            *line = std::mem::take(line).patch_style(theme.style(Role::Selected));
        }
    }
    lines
}

/// Keys at the left, what they do at their right, in as many lines as it needs.
fn beside(
    model: &Model,
    (keys, words_at): (&str, usize),
    (words, role): (&str, Role),
    width: usize,
) -> Vec<Line<'static>> {
    let theme = model.display.theme;
    let parts = paint::wrap(words, width.saturating_sub(words_at));
    let lines = parts.into_iter().enumerate().map(|(number, part)| {
        let left = if number == 0 { keys } else { "" };
        Line::from(vec![
            Span::styled(paint::fit(left, words_at, false), theme.style(Role::Key)),
            Span::styled(part, theme.style(role)),
        ])
    });
    lines.collect()
}

fn title(model: &Model, text: &str) -> Line<'static> {
    Line::styled(format!(" {text}"), model.display.theme.style(Role::Title))
}

fn fixed(model: &Model, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut place = "";
    for key in FIXED {
        if place != key.place {
            place = key.place;
            lines.push(title(model, place));
        }
        let keys = format!("  {}", key.keys);
        // In a narrow window the words begin below the longest keys, not beside them.
        let words_at = if width < 60 { 20 } else { 28 };
        let words_at = words_at.max(Span::raw(keys.as_str()).width() + 1);
        lines.extend(beside(
            model,
            (&keys, words_at),
            (key.words, Role::Text),
            width,
        ));
    }
    lines.push(title(model, "Signs"));
    for signs in SIGNS {
        lines.extend(beside(model, ("", 2), (signs, Role::Text), width));
    }
    lines
}

const SIGNS: [&str; 3] = [
    "✓ applied   ✗ failed, lost, crashed   ! needs you   … running   - skipped",
    "● active, streaming   ○ idle, stopped   » catching up   ‖ paused",
    "◦ starting   ↻ trying again by itself",
];
