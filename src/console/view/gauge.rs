//! How much of something is done, on one line.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Rect};
use ratatui::text::Line;
use ratatui::widgets::{LineGauge, Widget as _};

use crate::console::format;
use crate::console::theme::{Role, Theme};

use super::paint;

/// `100 %`, and a blank.
const PERCENT_CELLS: u16 = 6;

/// Draws a bar, how much of all it stands for (1.0 is all), and as many of the words as there is room for.
pub(super) fn gauge(theme: Theme, done: f64, words: Vec<String>, place: Rect, buffer: &mut Buffer) {
    let cells = (place.width / 6).clamp(6, 30) + PERCENT_CELLS;
    let [_, gauge, words_place] = Split::horizontal([
        Constraint::Length(1),
        Constraint::Length(cells),
        Constraint::Fill(1),
    ])
    .areas(place);
    LineGauge::default()
        .ratio(done.clamp(0.0, 1.0))
        .label(format!("{:>5}", format::percent(done)))
        .filled_symbol("█")
        .unfilled_symbol("░")
        .filled_style(theme.style(Role::Accent))
        .unfilled_style(theme.style(Role::Quiet))
        .render(gauge.intersection(buffer.area), buffer);
    let words = paint::whole_figures("   ", words, usize::from(words_place.width));
    let line = Line::styled(words, theme.style(Role::Text));
    paint::text(&line, 0, words_place, buffer);
}
