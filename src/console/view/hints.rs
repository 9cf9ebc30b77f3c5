//! The bottom line: what is being searched for, or which keys matter here; toasts stand above it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::paint;
use crate::console::action::{Action, Pane, Scope};
use crate::console::availability::refusal;
use crate::console::keys::{BINDINGS, Binding};
use crate::console::model::Model;
use crate::console::theme::Role;

/// Draws the line; returns the cursor while a search is typed.
pub(super) fn hints(model: &Model, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(find) = &model.find {
        return search(model, find.input.value(), find.editing, place, buffer);
    }
    let mut shown: Vec<(u8, &'static str, &Binding)> = BINDINGS
        .iter()
        .filter(|binding| match binding.scope {
            Scope::Everywhere | Scope::Engine => true,
            Scope::In(pane) => model.has_keys(pane),
        })
        .filter(|binding| refusal(model, binding.action).is_none())
        // Where there is nothing to go back to, Esc is no hint.
        .filter(|binding| binding.action != Action::Back || model.focus == Pane::Snapshot)
        .filter_map(|binding| binding.hint.map(|(order, word)| (order, word, binding)))
        .collect();
    shown.sort_by_key(|(order, _, _)| *order);
    let texts: Vec<(u8, String, &str)> = shown
        .into_iter()
        .map(|(order, word, binding)| (order, model.keymap.label(binding.action), word))
        .collect();
    let line = line(model, &dropped_to(texts, usize::from(place.width)));
    paint::text(&line, 0, place, buffer);
    None
}

/// Leaves out the middle ones until the others fit: moving about at the left and help and quit at
/// the right stay longest.
fn dropped_to(mut texts: Vec<(u8, String, &str)>, width: usize) -> Vec<(u8, String, &str)> {
    let needed = |texts: &[(u8, String, &str)]| {
        let each = texts
            .iter()
            .map(|(_, key, word)| key.chars().count() + word.chars().count() + 3);
        each.sum::<usize>()
    };
    while needed(&texts) > width && texts.len() > 1 {
        let droppable = texts.iter().rposition(|(order, _, _)| *order < 90);
        texts.remove(droppable.unwrap_or(texts.len() - 2));
    }
    texts
}

fn line(model: &Model, texts: &[(u8, String, &str)]) -> Line<'static> {
    let theme = model.look.theme;
    let mut spans = vec![Span::raw(" ")];
    for (_, key, word) in texts {
        spans.push(Span::styled(key.clone(), theme.style(Role::Key)));
        spans.push(Span::styled(format!(" {word}  "), theme.style(Role::Quiet)));
    }
    Line::from(spans)
}

fn search(
    model: &Model,
    text: &str,
    editing: bool,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = model.look.theme;
    let more = if editing {
        "   Enter find  Esc clear".to_owned()
    } else {
        let count = matches(model);
        format!("   {count} found   n next  N previous  Esc clear")
    };
    let line = Line::from(vec![
        Span::styled(" /", theme.style(Role::Key)),
        Span::styled(paint::clean(text), theme.style(Role::Text)),
        Span::styled(more, theme.style(Role::Quiet)),
    ]);
    paint::text(&line, 0, place, buffer);
    let find = model.find.as_ref().filter(|_| editing)?;
    let typed = u16::try_from(find.input.visual_cursor()).unwrap_or(0);
    let x = place.x + 2 + typed.min(place.width.saturating_sub(3));
    Some(Position::new(x, place.y))
}

fn matches(model: &Model) -> usize {
    let Some(needle) = model.needle() else {
        return 0;
    };
    if model.focus == Pane::Logs {
        let visible = model.logs.visible(model.log_end());
        let lines = visible.iter().filter_map(|number| model.logs.get(*number));
        return lines.filter(|line| line.holds(&needle)).count();
    }
    model
        .rows(model.focus)
        .iter()
        .filter(|row| row.holds(&needle))
        .count()
}

/// Draws the toasts above the bottom line, at the right.
pub(super) fn toasts(model: &Model, hints: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let width = usize::from(hints.width).saturating_sub(6);
    let rows = (1..=hints.y.saturating_sub(1)).zip(model.toasts.iter().rev());
    for (above, toast) in rows {
        let text = paint::clean(&toast.text);
        let shown = if text.chars().count() > width {
            paint::fit(&text, width, false)
        } else {
            text
        };
        let role = if toast.bad { Role::Bad } else { Role::Found };
        let line = Line::styled(format!(" {shown} "), theme.style(role));
        let place = Rect {
            y: hints.y - above,
            width: hints.width.saturating_sub(2),
            ..hints
        };
        paint::text_right(&line, 0, place, buffer);
    }
}
