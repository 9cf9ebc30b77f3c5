//! The selected row in plain words: over the dashboard, or beside the lists.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget as _};

use crate::console::action::Pane;
use crate::console::detail;
use crate::console::model::Model;
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// Draws the words over the dashboard, scrolled.
pub(super) fn over(model: &Model, pane: Pane, scroll: u16, room: Rect, buffer: &mut Buffer) {
    let width = room.width.min(WIDTH_MAX);
    let lines = over_lines(model, pane, width);
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let place = paint::centered(width, height.min(room.height), room, buffer);
    let theme = model.display.theme;
    let hint = Line::styled("↑↓ scroll · y copy · Esc", theme.style(Role::Quiet));
    let inner = paint::frame(theme, Frame::Over, (pane.title(), hint), place, buffer);
    let height = usize::from(inner.height);
    let first = usize::from(scroll).min(lines.len().saturating_sub(height));
    paint::scrollbar(theme, (first, lines.len(), height), place, buffer);
    show(&lines[first..], inner, buffer);
}

/// A line that is longer is hard to read.
const WIDTH_MAX: u16 = 100;

fn over_lines(model: &Model, pane: Pane, width: u16) -> Vec<Line<'static>> {
    let lines = detail::lines(model, pane);
    wrapped(lines, usize::from(width.saturating_sub(2)))
}

/// Returns how far the words about a pane's row can be scrolled in this window.
pub(crate) fn scroll_max(model: &Model, pane: Pane) -> u16 {
    let screen = Rect::new(0, 0, model.size.width, model.size.height);
    let room = super::room::room_of_overlays(&model.layout(), screen);
    let lines = over_lines(model, pane, room.width.min(WIDTH_MAX)).len();
    let hidden = lines.saturating_sub(usize::from(room.height.saturating_sub(2)));
    u16::try_from(hidden).unwrap_or(u16::MAX)
}

/// Draws the words beside the lists.
pub(super) fn beside(model: &Model, pane: Pane, title: &str, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    let title = format!("· {title}");
    let inner = paint::frame(theme, Frame::Pane, (&title, Line::default()), place, buffer);
    let lines = wrapped(detail::lines(model, pane), usize::from(inner.width));
    let hidden = lines.len().saturating_sub(usize::from(inner.height));
    show(&lines, inner, buffer);
    if hidden > 0 {
        let text = format!(" ▼ {hidden} more lines ");
        let corner = Rect {
            y: place.bottom().saturating_sub(1),
            height: 1,
            width: place.width.saturating_sub(2),
            ..place
        };
        paint::text_right(
            &Line::styled(text, theme.style(Role::Quiet)),
            0,
            corner,
            buffer,
        );
    }
}

fn show(lines: &[Line<'static>], inner: Rect, buffer: &mut Buffer) {
    Paragraph::new(lines.to_vec()).render(inner.intersection(buffer.area), buffer);
}

/// Breaks lines that are too long; what goes on keeps its indent, which a paragraph that wraps by
/// itself would not keep, and the style of the last piece.
fn wrapped(lines: Vec<Line<'static>>, width: usize) -> Vec<Line<'static>> {
    let mut broken = Vec::with_capacity(lines.len());
    for line in lines {
        if line.width() <= width {
            broken.push(line);
            continue;
        }
        let text = line.to_string();
        let indent: String = text.chars().take_while(|one| *one == ' ').collect();
        let style = line.spans.last().map(|span| span.style).unwrap_or_default();
        let room = width.saturating_sub(indent.len());
        for part in paint::wrap(text.trim_start(), room) {
            broken.push(Line::styled(format!("{indent}{part}"), style));
        }
    }
    broken
}
