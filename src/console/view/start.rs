//! The start screen: what can be done without a pipeline, and what came of the latest choice.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::{Line, Span};

use crate::console::action::Action;
use crate::console::model::Model;
use crate::console::model::cursor::first_visible;
use crate::console::start::{Choosing, MENU, Start};
use crate::console::theme::Role;

use super::paint::{self, Frame};

/// The menu is no wider than a line that is read at one glance.
const WIDTH_MAX: u16 = 84;

/// Draws the screen; returns the cursor: on the selected line, or in the field.
pub(super) fn start(model: &Model, start: &Start, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.display.theme;
    let [head, body, _] = Split::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(buffer.area);
    let name = Span::styled(" pgstream", theme.style(Role::Title));
    let purpose = "  keeps one PostgreSQL database equal to another";
    let purpose = Span::styled(purpose, theme.style(Role::Quiet));
    let room = usize::from(head.width) >= name.width() + purpose.width();
    let mut title = Line::from(name);
    if room {
        title.push_span(purpose);
    }
    paint::text(&title, 0, head, buffer);
    let width = body.width.min(WIDTH_MAX);
    let inside = (
        usize::from(width.saturating_sub(2)),
        usize::from(body.height.saturating_sub(2)),
    );
    let (lines, cursor) = content(model, start, inside);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let place = body.centered(
        Constraint::Length(width),
        Constraint::Length(height.min(body.height)),
    );
    let titles = match start.choosing {
        Some(_) => "Which configuration file?",
        None => "What would you like to do?",
    };
    let inner = paint::frame(
        theme,
        Frame::Focus,
        (titles, Line::default()),
        place,
        buffer,
    );
    let first = first_visible(cursor.1, lines.len(), usize::from(inner.height));
    for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        paint::text(line, row, inner, buffer);
    }
    position(inner, cursor, first)
}

fn position(inner: Rect, (column, line): (usize, usize), first: usize) -> Option<Position> {
    let column = u16::try_from(column).ok()?;
    let row = u16::try_from(line.checked_sub(first)?).ok()?;
    let position = Position::new(
        inner.x + column.min(inner.width.saturating_sub(1)),
        inner.y + row,
    );
    inner.contains(position).then_some(position)
}

/// What the keys do.
pub(super) fn keys(model: &Model, start: &Start) -> Vec<(String, &'static str)> {
    match start.choosing {
        Some(_) => [("Enter", "open"), ("↑ ↓", "choose"), ("Esc", "back")]
            .map(|(key, word)| (key.to_owned(), word))
            .to_vec(),
        None => [
            (Action::Open, "choose"),
            (Action::Help, "help"),
            (Action::Quit, "quit"),
        ]
        .map(|(action, word)| (model.keymap.label(action), word))
        .to_vec(),
    }
}

/// Lines with the place of the cursor, column and line.
type Content = (Vec<Line<'static>>, (usize, usize));

fn content(model: &Model, start: &Start, (width, height): (usize, usize)) -> Content {
    let below = reported(model, start, width);
    // In a low window what the choices lead to is left out, so that what came of one is seen.
    let explained = 2 * MENU.len() + below.len() <= height;
    let (mut lines, cursor) = match &start.choosing {
        Some(choosing) => field(model, start, choosing),
        None => menu(model, start, width, explained),
    };
    lines.extend(below);
    (lines, cursor)
}

/// What is being waited for, and why the latest choice came to nothing.
fn reported(model: &Model, start: &Start, width: usize) -> Vec<Line<'static>> {
    let theme = model.display.theme;
    let mut lines = Vec::new();
    if let Some(waiting) = &start.waiting {
        lines.push(Line::default());
        let text = format!(" … {waiting}");
        lines.push(Line::styled(text, theme.style(Role::Accent)));
    }
    for (index, text) in start.trouble.iter().enumerate() {
        let (mark, role) = match index {
            0 => ("!", Role::Warn),
            _ => (" ", Role::Text),
        };
        if index == 0 {
            lines.push(Line::default());
        }
        let parts = paint::wrap(text, width.saturating_sub(4));
        for (part_number, part) in parts.into_iter().enumerate() {
            let mark = if part_number == 0 { mark } else { " " };
            lines.push(Line::styled(format!(" {mark} {part}"), theme.style(role)));
        }
    }
    let fixable = model
        .settings
        .as_ref()
        .is_some_and(|settings| settings.path.is_some());
    if !start.trouble.is_empty() && fixable && start.choosing.is_none() {
        let config = model.keymap.label(Action::Config);
        let init = model.keymap.label(Action::Init);
        let text =
            format!("   {config} shows and changes the file, {init} asks for what is missing");
        lines.push(Line::styled(text, theme.style(Role::Quiet)));
    }
    lines
}

fn menu(model: &Model, start: &Start, width: usize, explained: bool) -> Content {
    let theme = model.display.theme;
    let mut lines = Vec::new();
    let mut cursor = (0, 0);
    for (index, (action, words, more)) in MENU.iter().enumerate() {
        let selected = index == start.selected;
        if selected {
            cursor = (0, lines.len());
        }
        let mark = if selected { "▶ " } else { "  " };
        let role = if selected { Role::Selected } else { Role::Text };
        let key = paint::fit(&model.keymap.label(*action), 3, false);
        lines.push(Line::from(vec![
            Span::raw(mark),
            Span::styled(key, theme.style(Role::Key)),
            Span::styled(format!(" {words} "), theme.style(role)),
        ]));
        if !explained {
            continue;
        }
        let more = match action {
            Action::OpenFile if !start.files.is_empty() => {
                format!("here: {}", start.files.join(", "))
            }
            _ => (*more).to_owned(),
        };
        let more = paint::fit(&more, width.saturating_sub(7), false);
        let more = format!("      {}", more.trim_end());
        lines.push(Line::styled(more, theme.style(Role::Quiet)));
    }
    (lines, cursor)
}

fn field(model: &Model, start: &Start, choosing: &Choosing) -> Content {
    let theme = model.display.theme;
    let line = Line::from(vec![
        Span::styled(" File  ", theme.style(Role::Title)),
        Span::styled(
            paint::clean(choosing.input.value()),
            theme.style(Role::Accent),
        ),
    ]);
    let mut lines = vec![line, Line::default()];
    for (index, file) in start.files.iter().enumerate() {
        let (mark, role) = match choosing.listed == Some(index) {
            true => ("▶", Role::Title),
            false => (" ", Role::Text),
        };
        let text = format!(" {mark} {}", paint::clean(file));
        lines.push(Line::styled(text, theme.style(role)));
    }
    if start.files.is_empty() {
        let text = "   no *.env file is in this directory";
        lines.push(Line::styled(text, theme.style(Role::Quiet)));
    }
    (lines, (7 + choosing.input.visual_cursor(), 0))
}
