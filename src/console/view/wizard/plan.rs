//! The plan: one line for each step with its side and whether it can be taken back, and the exact
//! SQL of the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::console::view::paint::{self, Frame};
use crate::console::wizard::{Loaded, Step, Wizard};
use crate::schema::PlannedStep;

use super::sheet::{Content, Sheet, name, show};

/// What goes on in the next line is indented by so many cells.
const GOES_ON: usize = 8;
/// A lower screen has no room for SQL below the steps; it stands alone there.
const BESIDE_ROWS_MIN: u16 = 16;

/// Draws the screen; returns the cursor.
pub(super) fn plan(
    model: &Model,
    wizard: &Wizard,
    main: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let step = match &wizard.plan {
        Loaded::Done(planned) => planned.steps.get(wizard.selected),
        Loaded::Not | Loaded::Waiting | Loaded::Failed(_) => None,
    };
    if let (Some(step), Some(scroll)) = (step, wizard.sql_scroll) {
        sql(model, wizard, (step, scroll), (main, Frame::Focus), buffer);
        return None;
    }
    let below = match (step, main.height) {
        (Some(_), BESIDE_ROWS_MIN..) => main.height * 2 / 5,
        _ => 0,
    };
    let [list, beside] =
        Split::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(main);
    let titles = (name(Step::Plan), Line::default());
    let inner = paint::frame(model.display.theme, Frame::Focus, titles, list, buffer);
    let width = usize::from(inner.width);
    let cursor = show(steps(&Sheet { model, width }, wizard), inner, buffer);
    if let Some(step) = step.filter(|_| below > 0) {
        sql(model, wizard, (step, 0), (beside, Frame::Pane), buffer);
    }
    cursor
}

fn steps(sheet: &Sheet<'_>, wizard: &Wizard) -> Content {
    let mut lines = sheet.missing(&wizard.plan, "asking the servers what is there");
    let mut cursor = None;
    let Loaded::Done(planned) = &wizard.plan else {
        return (lines, cursor);
    };
    for note in &planned.notes {
        let role = match note.starts_with('!') {
            true => Role::Warn,
            false => Role::Quiet,
        };
        lines.extend(sheet.wrapped(1, note, role));
    }
    if planned.steps.is_empty() {
        return (lines, cursor);
    }
    lines.push(Line::default());
    let text = sheet.width.saturating_sub(2 + 3 + 2 + 8 + 7);
    let head = paint::fit("WHAT", text, false);
    lines.push(sheet.line(format!("    #  WHERE   {head}  UNDO"), Role::Quiet));
    for (index, step) in planned.steps.iter().enumerate() {
        let selected = index == wizard.selected;
        if selected {
            cursor = Some((lines.len(), 0));
        }
        let mark = if selected { "▶" } else { " " };
        let undo = if step.undo.is_some() { "✓" } else { "-" };
        let what = paint::fit(&step.what, text, false);
        let side = step.side.to_string();
        let number = index + 1;
        let role = if selected { Role::Selected } else { Role::Text };
        let mut line = sheet.line(format!("{mark} "), Role::Text);
        line.push_span(sheet.span(format!("{number:>3}  {side:<7} {what}  {undo:<4}"), role));
        lines.push(line);
    }
    (lines, cursor)
}

/// Draws the SQL of a step and what takes it back, scrolled.
fn sql(
    model: &Model,
    wizard: &Wizard,
    (step, scroll): (&PlannedStep, usize),
    (place, frame): (Rect, Frame),
    buffer: &mut Buffer,
) {
    let theme = model.display.theme;
    let title = format!("SQL of step {} on the {}", wizard.selected + 1, step.side);
    let width = usize::from(place.width.saturating_sub(3));
    let mut lines = text(theme.style(Role::Accent), &step.sql, width);
    lines.push(Line::default());
    match &step.undo {
        Some(undo) => {
            lines.push(Line::styled(
                " -- to take it back",
                theme.style(Role::Quiet),
            ));
            lines.extend(text(theme.style(Role::Quiet), undo, width));
        }
        None => {
            let words = " -- nothing takes it back";
            lines.push(Line::styled(words, theme.style(Role::Quiet)));
        }
    }
    let rows = usize::from(place.height.saturating_sub(2));
    let first = scroll.min(lines.len().saturating_sub(rows));
    let more = lines.len().saturating_sub(first + rows);
    let summary = match more {
        0 => Line::default(),
        more => Line::styled(format!("{more} more lines"), theme.style(Role::Quiet)),
    };
    let inner = paint::frame(theme, frame, (&title, summary), place, buffer);
    for (row, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        paint::text(line, row, inner, buffer);
    }
}

/// Returns where the text is cut instead: behind the last blank, if that leaves half of it.
fn at_blank(text: &str, whole: usize) -> usize {
    let blank = text[..whole].rfind(' ').map(|blank| blank + 1);
    let cut = blank.filter(|cut| whole < text.len() && *cut > whole / 2);
    cut.unwrap_or(whole)
}

/// SQL as it is, line by line; what is too long goes on, indented, in the next one.
fn text(style: Style, sql: &str, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for line in sql.trim_end().lines() {
        let mut rest = paint::clean(line);
        let mut indent = 0;
        loop {
            let whole = paint::fitting(&rest, width.saturating_sub(indent));
            let whole = at_blank(&rest, whole);
            let least = rest.chars().next().map_or(0, char::len_utf8);
            let part: String = rest.drain(..whole.max(least)).collect();
            lines.push(Line::styled(format!(" {:indent$}{part}", ""), style));
            if rest.is_empty() {
                break;
            }
            indent = GOES_ON;
        }
    }
    lines
}
