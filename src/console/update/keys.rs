//! Whom a key is for: what stands over the dashboard first, then a search being typed, then the
//! key table.

use crossterm::event::KeyCode;
use tui_input::Input;

use crate::console::action::Action;
use crate::console::availability::READ_ONLY;
use crate::console::chord::Chord;
use crate::console::message::Effect;
use crate::console::model::cursor::Step;
use crate::console::model::mode::Mode;
use crate::console::model::overlay::{
    Answer, Filtered, Overlay, Question, edit, first_line, insert,
};
use crate::console::model::{Leaving, Model};
use crate::console::palette::{self, Does};
use crate::console::settings::Outcome;
use crate::console::view;

use super::toast::refuse;
use super::toast::{toast, warn};
use super::{act, ask, lesson, motion, start, wizard};

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
    match model.mode {
        Mode::Dashboard => {}
        Mode::Start => return start::on_key(model, chord),
        Mode::Settings(_) | Mode::Wizard(..) if chord.code == KeyCode::F(1) => {
            return act(model, Action::Help);
        }
        Mode::Settings(_) => {
            in_settings(model, chord);
            return Vec::new();
        }
        Mode::Wizard(..) => return wizard::on_key(model, chord),
    }
    if model.find.as_ref().is_some_and(|find| find.editing) {
        in_find(model, chord);
        return Vec::new();
    }
    if let Some(effects) = lesson::on_key(model, chord) {
        return effects;
    }
    let selecting = model.has_selector_keys();
    if let Some(effects) = selecting.then(|| in_selector(model, chord)).flatten() {
        return effects;
    }
    match model.keymap.action(chord, model.focus) {
        Some(action) => act(model, action),
        None => {
            refuse(
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
    if model.overlay.is_none() && model.wizard().is_some() {
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
        Some(Overlay::Editor | Overlay::Detail { .. }) => return None,
        None => {}
    }
    match model.mode {
        Mode::Dashboard => {}
        Mode::Start => {
            let choosing = model.start.as_mut()?.choosing.as_mut()?;
            choosing.listed = None;
            return Some(&mut choosing.input);
        }
        Mode::Settings(_) => {
            let settings = model.settings.as_mut()?;
            let typed = settings.choices().is_none();
            return settings.editing.as_mut().filter(|_| typed);
        }
        Mode::Wizard(..) => return None,
    }
    let tutorial = model.tutorial.as_mut().filter(|tutorial| tutorial.focused);
    if let Some(prompt) = tutorial.and_then(|tutorial| tutorial.prompt.as_mut()) {
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
            let changed = !settings.changes.is_empty();
            drop(model.leave_screen());
            if changed {
                warn(model, "what was changed is not saved yet");
            }
        }
        Outcome::Edit if model.display.read_only => refuse(model, READ_ONLY),
        Outcome::Edit => settings.edit_value(),
        Outcome::AskToSave(_) if model.display.read_only => refuse(model, READ_ONLY),
        Outcome::AskToSave(lines) => ask::save(model, lines),
        Outcome::Refuse(reason) => refuse(model, reason),
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
            if !motion::begin_find(model) {
                refuse(model, "not found");
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
                    other @ (Action::YankRow
                    | Action::YankPane
                    | Action::SchemaRetry
                    | Action::SchemaSkip
                    | Action::SchemaEdit
                    | Action::RetryNow
                    | Action::SkipTransaction
                    | Action::RowValues
                    | Action::SnapshotCopy
                    | Action::VerifyValues
                    | Action::VerifyRepair),
                ) => return act(model, other),
                _ => {}
            }
            Vec::new()
        }
        Some(Overlay::Editor) => {
            in_editor(model, chord);
            Vec::new()
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
        lines.into_iter().nth(list.selected).map(|line| line.does)
    };
    let chosen = match &model.overlay {
        Some(Overlay::Help(list)) => chosen(list, true),
        Some(Overlay::Palette(list)) => chosen(list, false),
        _ => None,
    };
    model.overlay = None;
    match chosen {
        Some(Does::Act(action)) => return act(model, action),
        Some(Does::Select(pane, key)) => {
            act::go(model, pane);
            motion::select(model, pane, &key);
        }
        Some(Does::Setting(key)) => {
            if let Some(settings) = &mut model.settings {
                settings.select(key);
                model.open_settings();
            }
        }
        None => {}
    }
    Vec::new()
}

/// The keys of tui-logger's target selector, as those know them who use it elsewhere. None: the key
/// means what it means everywhere.
fn in_selector(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let logs = &mut model.logs;
    let mut captured = false;
    match chord.code {
        KeyCode::Up | KeyCode::Char('k') => logs.select_target(Step::By(-1)),
        KeyCode::Down | KeyCode::Char('j') => logs.select_target(Step::By(1)),
        KeyCode::Left => captured = logs.show(false),
        KeyCode::Right => captured = logs.show(true),
        KeyCode::Char(more @ ('+' | '=' | '-')) => {
            logs.capture(more != '-');
            captured = true;
        }
        KeyCode::Char('f') => logs.selector.only = !logs.selector.only,
        KeyCode::Char('h') => logs.selector.hidden = !logs.selector.hidden,
        KeyCode::Char(' ') => logs.selector.hide_off = !logs.selector.hide_off,
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('t') => logs.selector.keys = false,
        _ => return None,
    }
    let captured = captured.then(|| Effect::Capture(model.logs.captured()));
    Some(captured.into_iter().collect())
}
