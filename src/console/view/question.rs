//! A question over the dashboard.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget as _};

use crate::console::model::Model;
use crate::console::model::overlay::{Answer, Purpose, Question};
use crate::console::status_glyph;
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// Draws a question; returns the cursor: in the text to type, or on the chosen answer.
pub(super) fn question(
    model: &Model,
    question: &Question,
    room: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let texts = texts(question, room);
    let place = place_of(question, room).intersection(buffer.area);
    Clear.render(place, buffer);
    let titles = (question.title.as_str(), Line::default());
    let inner = paint::frame(theme, Frame::Over, titles, place, buffer);
    // The answers stay on the screen however low the room is; the words above are cut, and say so.
    let answer_rows = answer_rows(question);
    let room = inner.height.saturating_sub(answer_rows);
    let from = u16::from(texts.len() + 2 <= usize::from(room));
    let texts = cut(texts, usize::from(room), usize::from(inner.width));
    for (row, text) in (0..room).zip(texts) {
        let role = match question.purpose {
            Purpose::Save => status_glyph::of_difference(&text),
            _ => Role::Text,
        };
        let line = Line::styled(format!(" {text}"), theme.style(role));
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
                false => format!(" Enter waits for these words   Esc {}", question.keep),
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

fn texts(question: &Question, room: Rect) -> Vec<String> {
    let inside = usize::from(WIDTH.min(room.width).saturating_sub(4));
    let lines = question.lines.iter();
    // SQL keeps its indent.
    let wrapped = lines.flat_map(|line| {
        let text = line.trim_start_matches(' ');
        let indent = (line.len() - text.len()).min(inside / 2);
        let parts = paint::wrap(text, inside - indent);
        parts
            .into_iter()
            .map(move |part| format!("{:indent$}{part}", ""))
    });
    wrapped.collect()
}

/// Blank lines go first; a text that is cut ends with a sign of that.
fn cut(mut texts: Vec<String>, rows: usize, width: usize) -> Vec<String> {
    if texts.len() > rows {
        texts.retain(|text| !text.is_empty());
    }
    if texts.len() > rows {
        texts.truncate(rows);
        if let Some(last) = texts.last_mut() {
            last.truncate(paint::fitting(last, width.saturating_sub(3)));
            last.push_str(" …");
        }
    }
    texts
}

/// A line that is longer is hard to read.
const WIDTH: u16 = 70;

const fn answer_rows(question: &Question) -> u16 {
    match question.answer {
        Answer::Choice { .. } => 1,
        Answer::Typed { .. } => 4,
    }
}

/// A frame, a blank line above and below the words, the answers.
fn place_of(question: &Question, room: Rect) -> Rect {
    let rows = u16::try_from(texts(question, room).len()).unwrap_or(u16::MAX);
    let height = rows
        .saturating_add(answer_rows(question) + 4)
        .min(room.height);
    room.centered(
        Constraint::Length(WIDTH.min(room.width)),
        Constraint::Length(height),
    )
}

/// Returns whether the button at a position says «do it»; none when there is no button.
pub(crate) fn button_at(question: &Question, room: Rect, at: (u16, u16)) -> Option<bool> {
    if matches!(question.answer, Answer::Typed { .. }) {
        return None;
    }
    let inner = paint::inside(place_of(question, room));
    let row = inner.bottom().checked_sub(1)?;
    let [keep, go] = buttons(question);
    let in_button = |(from, width): (u16, u16)| {
        let from = inner.x + from;
        at.1 == row && (from..from + width).contains(&at.0)
    };
    if in_button(keep) {
        Some(false)
    } else {
        in_button(go).then_some(true)
    }
}

/// Where the buttons begin in their row, and how wide they are: «leave it», then «do it».
fn buttons(question: &Question) -> [(u16, u16); 2] {
    let width = |words: &str| u16::try_from(Span::raw(words).width() + 3).unwrap_or(0);
    let keep = width(&question.keep);
    [(1, keep), (1 + keep + 3, width(&question.go))]
}

fn choice(
    model: &Model,
    question: &Question,
    go: bool,
    (row, inner): (u16, Rect),
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.display.theme;
    let button = |words: &str, chosen: bool| {
        let (text, role) = match chosen {
            true => (format!("▶ {words} "), Role::Selected),
            false => (format!("  {words} "), Role::Text),
        };
        Span::styled(text, theme.style(role))
    };
    let line = Line::from(vec![
        Span::raw(" "),
        button(&question.keep, !go),
        Span::raw("   "),
        button(&question.go, go),
    ]);
    paint::text(&line, row, inner, buffer);
    let (column, _) = buttons(question)[usize::from(go)];
    Some(Position::new(inner.x + column, inner.y + row))
}
