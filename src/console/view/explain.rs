//! What an empty pane says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::model::Model;
use crate::console::theme::Role;

use super::paint;

/// Writes words in place of rows, from this row on; returns the first row below them.
pub(super) fn explain(
    model: &Model,
    text: &str,
    from: u16,
    inner: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let style = model.display.theme.style(Role::Quiet);
    let width = usize::from(inner.width).saturating_sub(2);
    let mut row = from;
    for part in paint::wrap(text, width) {
        let line = Line::styled(format!("  {part}"), style);
        paint::text(&line, row, inner, buffer);
        row = row.saturating_add(1);
    }
    row
}
