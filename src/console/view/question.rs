//! A question over the dashboard.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use crate::console::model::Model;
use crate::console::model::overlay::{Answer, Question};
use crate::console::theme::Role;

/// Draws a question; returns the cursor: in the text to type, or on the chosen answer.
pub(super) fn question(
    model: &Model,
    question: &Question,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let width = 70.min(room.width);
    let inside = usize::from(width.saturating_sub(4));
    let texts: Vec<String> = question
        .lines
        .iter()
        .flat_map(|line| paint::wrap(line, inside))
        .collect();
    let extra = match question.answer {
        Answer::Choice { .. } => 5,
        Answer::Typed { .. } => 8,
    };
    let height = u16::try_from(texts.len())
        .unwrap_or(u16::MAX)
        .saturating_add(extra)
        .min(room.height);
    let place = paint::centered(width, height, room, buffer);
    let titles = (question.title.as_str(), Line::default());
    let inner = paint::frame(theme, Frame::Over, titles, place, buffer);
    // The answers stay on the screen however low the room is; the words above are cut.
    let answer_rows = extra - 4;
    let words = inner.height.saturating_sub(answer_rows + 1);
    for (row, text) in (0..words).zip(texts) {
        let from = u16::from(words > 1);
        let line = Line::styled(format!(" {text}"), theme.style(Role::Text));
        paint::text(&line, row + from, inner, buffer);
    }
    let from = inner.height.saturating_sub(answer_rows);
    match &question.answer {
        Answer::Choice { go } => choice(model, question, *go, (from, inner), buffer),
        Answer::Typed { expected, input } => {
            let ask = format!(" Type  {expected}  to go on");
            paint::text(
                &Line::styled(ask, theme.style(Role::Title)),
                from,
                inner,
                buffer,
            );
            let room = usize::from(inner.width).saturating_sub(4);
            let (typed, column) = paint::field(input.value(), input, room);
            let typed = Line::styled(format!(" > {typed}"), theme.style(Role::Text));
            paint::text(&typed, from + 1, inner, buffer);
            let words = match question.is_armed() {
                true => format!(" Enter {}   Esc {}", question.go, question.keep),
                false => format!(" Enter inert until it matches   Esc {}", question.keep),
            };
            paint::text(
                &Line::styled(words, theme.style(Role::Quiet)),
                from + 3,
                inner,
                buffer,
            );
            let column = u16::try_from(column).unwrap_or(0);
            Some(Position::new(inner.x + 3 + column, inner.y + from + 1))
        }
    }
}

fn choice(
    model: &Model,
    question: &Question,
    go: bool,
    (row, inner): (u16, Rect),
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let button = |words: &str, chosen: bool| {
        let (text, role) = match chosen {
            true => (format!("▶ {words} "), Role::Selected),
            false => (format!("  {words} "), Role::Text),
        };
        Span::styled(text, theme.style(role))
    };
    let keep = button(&question.keep, !go);
    let width = u16::try_from(keep.width()).unwrap_or(0);
    let line = Line::from(vec![
        Span::raw(" "),
        keep,
        Span::raw("   "),
        button(&question.go, go),
    ]);
    paint::text(&line, row, inner, buffer);
    let column = if go { 4 + width } else { 1 };
    Some(Position::new(inner.x + column, inner.y + row))
}
