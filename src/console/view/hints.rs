//! The bottom line: what is being searched for, or which keys matter here; toasts stand above it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget as _};

use crate::console::action::{Action, Pane, Scope};
use crate::console::availability::refusal;
use crate::console::chord::Chord;
use crate::console::format;
use crate::console::items::{self, items};
use crate::console::keys::{BINDINGS, Binding};
use crate::console::model::mode::Mode;
use crate::console::model::overlay::{Answer, Overlay};
use crate::console::model::{Find, Model, ToastKind};
use crate::console::theme::Role;

use super::{lesson, paint, settings, start, wizard};

/// A key, and what it does here.
#[derive(Debug, Clone)]
pub(super) struct Hint {
    /// Those with a smaller number stand before; those from 90 on stay longest.
    order: u8,
    key: String,
    word: String,
}

impl Hint {
    pub(super) fn new(order: u8, key: impl Into<String>, word: impl Into<String>) -> Self {
        Self {
            order,
            key: key.into(),
            word: word.into(),
        }
    }

    fn width(&self) -> usize {
        Span::raw(self.key.as_str()).width() + 1 + Span::raw(self.word.as_str()).width() + GAP
    }
}

/// Cells between two hints.
const GAP: usize = 2;

/// Draws the line: of what stands over the screen, else of the screen; returns the cursor while a
/// search is typed.
pub(super) fn hints(model: &Model, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    let place = place.intersection(buffer.area);
    Clear.render(place, buffer);
    if let Some(find) = model.find.as_ref().filter(|_| model.overlay.is_none()) {
        return search(model, find, place, buffer);
    }
    let theme = model.display.theme;
    let mut spans = vec![Span::raw(" ")];
    for hint in fitting(model, place.width) {
        spans.push(Span::styled(hint.key, theme.style(Role::Key)));
        let word = format!(" {}{:GAP$}", hint.word, "");
        spans.push(Span::styled(word, theme.style(Role::Quiet)));
    }
    paint::text(&Line::from(spans), 0, place, buffer);
    None
}

/// Returns the key of the hint in this column.
pub(crate) fn key_at(model: &Model, width: u16, column: u16) -> Option<Chord> {
    let mut from = 1;
    let column = usize::from(column);
    let hints = fitting(model, width);
    let hint = hints.iter().find(|hint| {
        let to = from + hint.width();
        let found = (from..to - GAP).contains(&column);
        from = to;
        found
    });
    Chord::of_label(&hint?.key)
}

fn fitting(model: &Model, width: u16) -> Vec<Hint> {
    dropped_to(all(model), usize::from(width))
}

fn all(model: &Model) -> Vec<Hint> {
    if let Some(overlay) = &model.overlay {
        return over(model, overlay);
    }
    let fixed = match (&model.mode, &model.start, &model.settings) {
        (Mode::Wizard(_, open), _, _) => wizard::keys(open),
        (Mode::Settings(_), _, Some(open)) => settings::keys(open),
        (Mode::Start, Some(open), _) => {
            let keys = start::keys(model, open).into_iter();
            return keys.map(|(key, word)| Hint::new(0, key, word)).collect();
        }
        (Mode::Dashboard | Mode::Start | Mode::Settings(_), _, _) => return dashboard(model),
    };
    let mut hints: Vec<Hint> = fixed
        .iter()
        .map(|(key, word)| Hint::new(0, *key, *word))
        .collect();
    hints.push(Hint::new(90, "F1", "help"));
    hints
}

fn dashboard(model: &Model) -> Vec<Hint> {
    let learning = model.tutorial.as_ref().filter(|tutorial| tutorial.focused);
    let selecting = model.has_selector_keys();
    let own = match learning {
        Some(tutorial) => lesson::keys(model, tutorial),
        None if selecting => SELECTOR_KEYS.to_vec(),
        None => Vec::new(),
    };
    let is_typing = learning.is_some_and(|tutorial| tutorial.prompt.is_some());
    let mut shown: Vec<(u8, &'static str, &Binding)> = BINDINGS
        .iter()
        .filter(|binding| match binding.scope {
            Scope::Everywhere | Scope::Engine => true,
            Scope::In(pane) => model.has_keys(pane),
        })
        .filter(|binding| refusal(model, binding.action).is_none())
        // Where there is nothing to go back to, Esc is no hint.
        .filter(|binding| binding.action != Action::Back || model.focus.is_screen())
        // A lesson has its own Enter and Tab, and where text is typed a letter is no key.
        .filter(|binding| {
            let taken = matches!(binding.action, Action::Open | Action::NextPane);
            !(is_typing || taken && learning.is_some())
        })
        .filter(|binding| !selecting || binding.action == Action::Help)
        .filter_map(|binding| binding.hint.map(|(order, word)| (order, word, binding)))
        .collect();
    shown.sort_by_key(|(order, _, _)| *order);
    let mut hints: Vec<Hint> = own
        .into_iter()
        .map(|(key, word)| Hint::new(0, key, word))
        .collect();
    if model.tutorial.is_some() && learning.is_none() {
        hints.push(Hint::new(0, model.keymap.label(Action::Lessons), "lesson"));
    }
    let hint = |(order, word, binding): (u8, &'static str, &Binding)| {
        Hint::new(order, model.keymap.label(binding.action), word)
    };
    hints.extend(shown.into_iter().map(hint));
    hints
}

/// The keys of tui-logger's target selector.
const SELECTOR_KEYS: [(&str, &str); 8] = [
    ("↑↓", "target"),
    ("←→", "shown"),
    ("- +", "captured"),
    ("f", "only it"),
    ("h", "hide"),
    ("Space", "hide off"),
    ("PgUp PgDn", "page"),
    ("Esc", "lines"),
];

/// The keys of what stands over the screen; those of the screen below do nothing then.
fn over(model: &Model, overlay: &Overlay) -> Vec<Hint> {
    let fixed = keys_over(overlay).iter();
    let mut hints: Vec<Hint> = fixed.map(|(key, word)| Hint::new(0, *key, *word)).collect();
    if let Overlay::Detail { pane, .. } = overlay {
        hints.extend(acting_on_row(model, *pane));
    }
    hints
}

const fn keys_over(overlay: &Overlay) -> &'static [(&'static str, &'static str)] {
    match overlay {
        Overlay::Help(_) | Overlay::Palette(_) => {
            &[("↑↓", "choose"), ("Enter", "run it"), ("Esc", "close")]
        }
        Overlay::Detail { .. } => &[("↑↓", "scroll"), ("Esc", "close")],
        Overlay::Editor => &[
            ("Tab", "apply (asks)"),
            ("Enter", "new line"),
            ("Esc", "leave"),
        ],
        Overlay::Question(question) => match question.answer {
            Answer::Choice { .. } => &[("←→", "choose"), ("Enter", "answer"), ("Esc", "cancel")],
            Answer::Typed { .. } => &[("Esc", "cancel")],
        },
    }
}

/// What can be done with the row whose details are shown.
fn acting_on_row(model: &Model, pane: Pane) -> impl Iterator<Item = Hint> {
    let actions = [
        (None, Action::YankRow, "copy"),
        (Some(Pane::Tables), Action::RowValues, "values of the row"),
        (Some(Pane::Schema), Action::SchemaEdit, "edit"),
        (Some(Pane::Schema), Action::SchemaRetry, "retry"),
        (Some(Pane::Schema), Action::SchemaSkip, "skip (asks)"),
        (
            Some(Pane::Snapshot),
            Action::SnapshotCopy,
            "copy the table again",
        ),
        (Some(Pane::Verify), Action::VerifyValues, "values"),
        (Some(Pane::Verify), Action::VerifyRepair, "repair (asks)"),
    ];
    let here = move |(of, action, _): &(Option<Pane>, Action, _)| {
        of.is_none_or(|of| of == pane) && refusal(model, *action).is_none()
    };
    let shown = actions.into_iter().filter(here);
    shown.map(|(_, action, word)| Hint::new(1, model.keymap.label(action), word))
}

/// Leaves out the middle ones until the others fit: moving about at the left and help and quit at
/// the right stay longest.
fn dropped_to(mut hints: Vec<Hint>, width: usize) -> Vec<Hint> {
    while hints.iter().map(Hint::width).sum::<usize>() > width && hints.len() > 1 {
        let droppable = hints.iter().rposition(|hint| hint.order < 90);
        hints.remove(droppable.unwrap_or(hints.len() - 2));
    }
    hints
}

fn search(model: &Model, find: &Find, place: Rect, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.display.theme;
    let more = if find.editing {
        "   Enter find  Esc clear".to_owned()
    } else {
        format!("   {}   n next  N previous  Esc clear", found(model))
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

/// Which of how many matches is selected. A list shows nothing but what matches; in the log a line
/// that does not match may be selected, too.
fn found(model: &Model) -> String {
    let Some(needle) = model.needle() else {
        return "nothing to find".to_owned();
    };
    let (position, count) = match model.focus {
        Pane::Logs => {
            let holds = |number: &u64| {
                let line = model.logs.get(*number);
                line.is_some_and(|line| line.holds(&needle))
            };
            let matches: Vec<u64> = model.logs.visible().into_iter().filter(holds).collect();
            let position = model
                .logs
                .selected
                .and_then(|one| matches.binary_search(&one).ok());
            (position, matches.len())
        }
        pane => {
            let items = items(model, pane);
            let cursor = model.cursor(pane);
            let position = cursor.and_then(|cursor| cursor.index(&items::keys(&items)));
            (position, items.len())
        }
    };
    let count = format::count(count as u64);
    match position {
        Some(index) => format!("{} of {count}", format::count(index as u64 + 1)),
        None => format!("{count} found"),
    }
}

/// Draws the toasts above the bottom line, at the right.
pub(super) fn toasts(model: &Model, hints: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    let width = usize::from(hints.width).saturating_sub(6);
    let rows = (1..=hints.y.saturating_sub(1)).zip(model.toasts.iter().rev());
    for (above, toast) in rows {
        let text = paint::clean(&toast.text);
        let shown = if text.chars().count() > width {
            paint::fit(&text, width, false)
        } else {
            text
        };
        let role = match toast.kind {
            ToastKind::Told => Role::Found,
            ToastKind::Refused => Role::Selected,
            ToastKind::Failed => Role::Bad,
        };
        let line = Line::styled(format!(" {shown} "), theme.style(role));
        let place = Rect {
            y: hints.y - above,
            width: hints.width.saturating_sub(2),
            ..hints
        };
        paint::text_right(&line, 0, place, buffer);
    }
}
