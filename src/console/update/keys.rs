//! Whom a key is for: what stands over the dashboard first, then a search being typed, then the
//! key table.

use crossterm::event::KeyCode;
use tui_input::Input;

use super::{act, ask, lesson, motion, start, toast, warn, wizard};
use crate::console::action::Action;
use crate::console::availability::READ_ONLY;
use crate::console::chord::Chord;
use crate::console::message::Effect;
use crate::console::model::overlay::{
    Answer, Filtered, Overlay, Question, edit, first_line, insert,
};
use crate::console::model::{Leaving, Model};
use crate::console::palette;
use crate::console::settings::Outcome;
use crate::console::view;

/// Takes a key.
pub(super) fn on_key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let interrupts = model.keymap.action(chord, model.focus) == Some(Action::Interrupt);
    if interrupts {
        return act(model, Action::Interrupt);
    }
    if model.leaving != Leaving::No {
        return Vec::new();
    }
    if model.overlay.is_some() {
        return in_overlay(model, chord);
    }
    if model.wizard.is_some() {
        return wizard::on_key(model, chord);
    }
    if model
        .settings
        .as_ref()
        .is_some_and(|settings| settings.open)
    {
        in_settings(model, chord);
        return Vec::new();
    }
    if model.is_starting() {
        return start::on_key(model, chord);
    }
    if model.find.as_ref().is_some_and(|find| find.editing) {
        in_find(model, chord);
        return Vec::new();
    }
    if let Some(effects) = lesson::on_key(model, chord) {
        return effects;
    }
    match model.keymap.action(chord, model.focus) {
        Some(action) => act(model, action),
        None => {
            warn(
                model,
                format!("{chord} does nothing here; ? shows what does"),
            );
            Vec::new()
        }
    }
}

/// Takes pasted text: only fields do something with it. The SQL editor takes all of it, a field its
/// first line, and says so.
pub(super) fn on_paste(model: &mut Model, text: &str) {
    if let (Some(Overlay::Editor), Some(editor)) = (&model.overlay, &mut model.editor) {
        return editor.paste(text);
    }
    let (line, more) = first_line(text);
    if paste_line(model, line) && more {
        toast(model, "one line taken: a field has no room for more");
    }
}

/// Puts a line into the field that has the keys; returns whether there is one.
fn paste_line(model: &mut Model, line: &str) -> bool {
    if model.overlay.is_none() && model.wizard.is_some() {
        for character in line.trim().chars().filter(|one| !one.is_control()) {
            wizard::on_key(model, Chord::typing(character));
        }
        return true;
    }
    let field = field_with_keys(model);
    let found = field.is_some();
    if let Some(input) = field {
        insert(input, line);
    }
    found
}

/// Returns the text that is being typed into, outside of the wizards.
fn field_with_keys(model: &mut Model) -> Option<&mut Input> {
    match &mut model.overlay {
        Some(Overlay::Help(list) | Overlay::Palette(list)) => return Some(&mut list.filter),
        Some(Overlay::Question(question)) => {
            return match &mut question.answer {
                Answer::Typed { input, .. } => Some(input),
                Answer::Choice { .. } => None,
            };
        }
        Some(Overlay::Editor | Overlay::Detail { .. } | Overlay::Levels { .. }) => return None,
        None => {}
    }
    if let Some(settings) = model.settings.as_mut().filter(|settings| settings.open) {
        return settings.editing.as_mut();
    }
    if let Some(start) = model.start.as_mut().filter(|start| start.shown) {
        let choosing = start.choosing.as_mut()?;
        choosing.listed = None;
        return Some(&mut choosing.input);
    }
    let course = model.course.as_mut().filter(|course| course.focused);
    if let Some(prompt) = course.and_then(|course| course.prompt.as_mut()) {
        return Some(&mut prompt.input);
    }
    let find = model.find.as_mut().filter(|find| find.editing)?;
    Some(&mut find.input)
}

fn in_settings(model: &mut Model, chord: Chord) {
    let Some(settings) = &mut model.settings else {
        return;
    };
    match settings.on_key(chord) {
        Outcome::Stay => {}
        Outcome::Leave => {
            settings.open = false;
            if !settings.changes.is_empty() {
                warn(model, "what was changed is not saved yet");
            }
        }
        Outcome::Edit if model.look.read_only => warn(model, READ_ONLY),
        Outcome::Edit => settings.edit_value(),
        Outcome::AskToSave(_) if model.look.read_only => warn(model, READ_ONLY),
        Outcome::AskToSave(lines) => ask::save(model, lines),
        Outcome::Refuse(reason) => warn(model, reason),
    }
}

fn in_find(model: &mut Model, chord: Chord) {
    let Some(find) = &mut model.find else {
        return;
    };
    match chord.code {
        KeyCode::Esc => model.find = None,
        KeyCode::Enter if find.input.value().is_empty() => model.find = None,
        KeyCode::Enter => {
            find.editing = false;
            if !motion::find(model, true) {
                warn(model, "not found");
            }
        }
        _ => {
            edit(&mut find.input, chord);
        }
    }
}

fn in_overlay(model: &mut Model, chord: Chord) -> Vec<Effect> {
    if chord.code == KeyCode::Esc {
        model.overlay = None;
        return Vec::new();
    }
    let action = model.keymap.action(chord, model.focus);
    let scroll_max = match &model.overlay {
        Some(Overlay::Detail { pane, .. }) => view::scroll_max(model, *pane),
        _ => 0,
    };
    match &mut model.overlay {
        Some(Overlay::Help(_) | Overlay::Palette(_)) => in_list(model, chord),
        Some(Overlay::Question(question)) => {
            if answer(question, chord) {
                let purpose = question.purpose;
                return ask::confirmed(model, purpose);
            }
            if chord.code == KeyCode::Enter && is_kept(question) {
                model.overlay = None;
            }
            Vec::new()
        }
        Some(Overlay::Detail { scroll, .. }) => {
            match action {
                Some(Action::Down) => *scroll = scroll_max.min(*scroll + 1),
                Some(Action::Up) => *scroll = scroll.saturating_sub(1),
                Some(Action::PageDown) => *scroll = scroll_max.min(scroll.saturating_add(10)),
                Some(Action::PageUp) => *scroll = scroll.saturating_sub(10),
                Some(Action::First) => *scroll = 0,
                Some(Action::Last) => *scroll = scroll_max,
                Some(Action::Open | Action::Quit) => model.overlay = None,
                Some(
                    other @ (Action::CopyRow
                    | Action::CopyPane
                    | Action::SchemaRetry
                    | Action::SchemaSkip
                    | Action::SchemaEdit
                    | Action::RetryNow
                    | Action::SkipTransaction
                    | Action::SnapshotCopy),
                ) => return act(model, other),
                _ => {}
            }
            Vec::new()
        }
        Some(Overlay::Editor) => {
            in_editor(model, chord);
            Vec::new()
        }
        Some(Overlay::Levels { .. }) => {
            let more = in_levels(model, action);
            let captured = more.then(|| Effect::Capture(model.logs.captured()));
            captured.into_iter().collect()
        }
        None => Vec::new(),
    }
}

fn is_kept(question: &Question) -> bool {
    matches!(question.answer, Answer::Choice { go: false })
}

/// Lets a key answer; returns whether it said «do it».
fn answer(question: &mut Question, chord: Chord) -> bool {
    if chord.code == KeyCode::Enter {
        return question.is_armed();
    }
    match &mut question.answer {
        Answer::Choice { go } => match chord.code {
            KeyCode::Left | KeyCode::Right | KeyCode::Tab | KeyCode::BackTab => *go = !*go,
            KeyCode::Up | KeyCode::Down => *go = !*go,
            _ => {}
        },
        Answer::Typed { input, .. } => {
            edit(input, chord);
        }
    }
    false
}

fn in_editor(model: &mut Model, chord: Chord) {
    match (&mut model.editor, chord.code) {
        (Some(_), KeyCode::Tab) => ask::edit(model),
        (Some(editor), _) => editor.on_key(chord),
        (None, _) => model.overlay = None,
    }
}

fn in_list(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let count = match &model.overlay {
        Some(Overlay::Help(list)) => palette::lines(model, list, true).len(),
        Some(Overlay::Palette(list)) => palette::lines(model, list, false).len(),
        _ => 0,
    };
    if chord.code == KeyCode::Enter {
        return run_selected(model);
    }
    if let Some(Overlay::Help(list) | Overlay::Palette(list)) = &mut model.overlay {
        let last = count.saturating_sub(1);
        match chord.code {
            KeyCode::Up => list.selected = list.selected.min(last).saturating_sub(1),
            KeyCode::Down => list.selected = (list.selected + 1).min(last),
            KeyCode::PageUp => list.selected = list.selected.saturating_sub(10),
            KeyCode::PageDown => list.selected = (list.selected + 10).min(last),
            _ => {
                edit(&mut list.filter, chord);
                list.selected = 0;
            }
        }
    }
    Vec::new()
}

fn run_selected(model: &mut Model) -> Vec<Effect> {
    let chosen = |list: &Filtered, grouped| {
        let lines = palette::lines(model, list, grouped);
        lines.get(list.selected).map(|line| line.action)
    };
    let action = match &model.overlay {
        Some(Overlay::Help(list)) => chosen(list, true),
        Some(Overlay::Palette(list)) => chosen(list, false),
        _ => None,
    };
    model.overlay = None;
    action.map_or_else(Vec::new, |action| act(model, action))
}

/// Returns whether more is to be written down.
fn in_levels(model: &mut Model, action: Option<Action>) -> bool {
    let Some(Overlay::Levels { selected }) = &mut model.overlay else {
        return false;
    };
    let last = model.logs.targets().count().saturating_sub(1);
    match action {
        Some(Action::Up) => *selected = selected.saturating_sub(1),
        Some(Action::Down) => *selected = (*selected + 1).min(last),
        Some(Action::Left) => return model.logs.show(*selected, false),
        Some(Action::Right) => return model.logs.show(*selected, true),
        Some(Action::Targets | Action::Open | Action::Quit) => model.overlay = None,
        _ => {}
    }
    false
}
