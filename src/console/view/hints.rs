//! The bottom line: what is being searched for, or which keys matter here; toasts stand above it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget as _};

use super::{lesson, paint};
use crate::console::action::{Action, Pane, Scope};
use crate::console::availability::refusal;
use crate::console::keys::{BINDINGS, Binding};
use crate::console::model::overlay::{Answer, Overlay};
use crate::console::model::{Find, Model};
use crate::console::theme::Role;

/// Draws the line; returns the cursor while a search is typed.
pub(super) fn hints(model: &Model, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(find) = &model.find {
        return search(model, find, place, buffer);
    }
    let learning = model.course.as_ref().filter(|course| course.focused);
    let own = learning.map_or_else(Vec::new, |course| lesson::keys(model, course));
    let is_typing = learning.is_some_and(|course| course.prompt.is_some());
    let mut shown: Vec<(u8, &'static str, &Binding)> = BINDINGS
        .iter()
        .filter(|binding| match binding.scope {
            Scope::Everywhere | Scope::Engine => true,
            Scope::In(pane) => model.has_keys(pane),
        })
        .filter(|binding| refusal(model, binding.action).is_none())
        // Where there is nothing to go back to, Esc is no hint.
        .filter(|binding| binding.action != Action::Back || model.focus == Pane::Snapshot)
        // A lesson has its own Enter and Tab, and where text is typed a letter is no key.
        .filter(|binding| {
            let taken = matches!(binding.action, Action::Open | Action::NextPane);
            !(is_typing || taken && learning.is_some())
        })
        .filter_map(|binding| binding.hint.map(|(order, word)| (order, word, binding)))
        .collect();
    shown.sort_by_key(|(order, _, _)| *order);
    let mut texts: Vec<(u8, String, &str)> = own
        .into_iter()
        .map(|(key, word)| (0, key.to_owned(), word))
        .collect();
    if model.course.is_some() && learning.is_none() {
        texts.push((0, model.keymap.label(Action::Lessons), "lesson"));
    }
    let label = |(order, word, binding): (u8, &'static str, &Binding)| {
        (order, model.keymap.label(binding.action), word)
    };
    texts.extend(shown.into_iter().map(label));
    let line = line(model, &dropped_to(texts, usize::from(place.width)));
    paint::text(&line, 0, place, buffer);
    None
}

/// Draws the keys of what stands over the screen; those of the screen below do nothing then.
pub(super) fn over(model: &Model, overlay: &Overlay, place: Rect, buffer: &mut Buffer) {
    let fixed = keys_over(overlay).iter();
    let mut texts: Vec<(u8, String, &str)> = fixed
        .map(|(key, word)| (0, (*key).to_owned(), *word))
        .collect();
    if let Overlay::Detail { pane, .. } = overlay {
        texts.extend(acting_on_row(model, *pane));
    }
    let place = place.intersection(buffer.area);
    Clear.render(place, buffer);
    let line = line(model, &dropped_to(texts, usize::from(place.width)));
    paint::text(&line, 0, place, buffer);
}

const fn keys_over(overlay: &Overlay) -> &'static [(&'static str, &'static str)] {
    match overlay {
        Overlay::Help(_) | Overlay::Palette(_) => {
            &[("↑↓", "choose"), ("Enter", "run it"), ("Esc", "close")]
        }
        Overlay::Detail { .. } => &[("↑↓", "scroll"), ("Esc", "close")],
        Overlay::Levels { .. } => &[("↑↓", "target"), ("←→", "level"), ("Esc", "close")],
        Overlay::Editor => &[
            ("Tab", "apply (asks)"),
            ("Enter", "new line"),
            ("Esc", "leave"),
        ],
        Overlay::Question(question) => match question.answer {
            Answer::Choice { .. } => &[
                ("←→", "choose"),
                ("Enter", "answer"),
                ("Esc", "nothing happens"),
            ],
            Answer::Typed { .. } => &[("Esc", "nothing happens")],
        },
    }
}

/// What can be done with the row whose details are shown.
fn acting_on_row(model: &Model, pane: Pane) -> impl Iterator<Item = (u8, String, &'static str)> {
    let actions = [
        (None, Action::CopyRow, "copy"),
        (Some(Pane::Schema), Action::SchemaEdit, "edit"),
        (Some(Pane::Schema), Action::SchemaRetry, "retry"),
        (Some(Pane::Schema), Action::SchemaSkip, "skip (asks)"),
        (
            Some(Pane::Snapshot),
            Action::SnapshotCopy,
            "copy the table again",
        ),
    ];
    let here = move |(of, action, _): &(Option<Pane>, Action, _)| {
        of.is_none_or(|of| of == pane) && refusal(model, *action).is_none()
    };
    let shown = actions.into_iter().filter(here);
    shown.map(|(_, action, word)| (1, model.keymap.label(action), word))
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

fn search(model: &Model, find: &Find, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.look.theme;
    let more = if find.editing {
        "   Enter find  Esc clear".to_owned()
    } else {
        let count = matches(model);
        format!("   {count} found   n next  N previous  Esc clear")
    };
    let room = usize::from(place.width).saturating_sub(3);
    let (text, column) = paint::field(find.input.value(), &find.input, room);
    let line = Line::from(vec![
        Span::styled(" /", theme.style(Role::Key)),
        Span::styled(text, theme.style(Role::Text)),
        Span::styled(more, theme.style(Role::Quiet)),
    ]);
    paint::text(&line, 0, place, buffer);
    let column = u16::try_from(column).ok().filter(|_| find.editing)?;
    Some(Position::new(place.x + 2 + column, place.y))
}

fn matches(model: &Model) -> usize {
    let Some(needle) = model.needle() else {
        return 0;
    };
    if model.focus == Pane::Logs {
        let visible = model.logs.visible();
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
