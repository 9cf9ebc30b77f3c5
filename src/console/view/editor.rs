//! The SQL of a refused schema change while it is edited.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::model::editor::Editor;
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// Draws the text; returns the cursor. A line that is longer than the window moves with the cursor.
pub(super) fn editor(
    model: &Model,
    editor: &Editor,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let place = paint::centered(100, 18.min(room.height), room, buffer);
    let title = format!("Edit · {}", editor.tag);
    let keys = Line::styled("Tab apply  Esc leave", theme.style(Role::Quiet));
    let inner = paint::frame(theme, Frame::Over, (&title, keys), place, buffer);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let room = width.saturating_sub(2).max(1);
    let first = first_visible(editor.row, editor.lines.len(), height);
    let current = editor.lines.get(editor.row)?;
    let scroll = current.visual_scroll(room);
    let (_, column) = paint::field("", current, room);
    for (row, line) in (0..inner.height).zip(editor.lines.iter().skip(first)) {
        let text = paint::part(&paint::clean(line.value()), scroll, room);
        let text = format!(" {text}");
        paint::text(
            &Line::styled(text, theme.style(Role::Text)),
            row,
            inner,
            buffer,
        );
    }
    let cell = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
    let row = cell(editor.row.saturating_sub(first));
    Some(Position::new(
        inner.x.saturating_add(cell(column + 1)),
        inner.y.saturating_add(row),
    ))
}
