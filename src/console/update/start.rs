//! Keys on the start screen, and what its choices lead to.

use crossterm::event::KeyCode;
use tracing::Level;

use crate::console::action::Action;
use crate::console::chord::Chord;
use crate::console::lesson::{Lesson, TutorialState};
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::mode::Mode;
use crate::console::model::overlay::edit;
use crate::console::settings::Settings;
use crate::console::start::{Choosing, Found};

use super::act;
use super::toast::refuse;
use super::toast::toast;

/// Takes a key while the start screen stands.
pub(super) fn on_key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let action = model.keymap.action(chord, model.focus);
    let Some(start) = &mut model.start else {
        return Vec::new();
    };
    if start.choosing.is_some() {
        return in_file(model, chord);
    }
    match action {
        Some(Action::Up | Action::PreviousPane) => start.select(-1),
        Some(Action::Down | Action::NextPane) => start.select(1),
        Some(Action::First) => start.select(isize::MIN),
        Some(Action::Last) => start.select(isize::MAX),
        Some(Action::Open) => {
            let chosen = start.chosen();
            return act(model, chosen);
        }
        Some(Action::Back) => {
            let quit = model.keymap.label(Action::Quit);
            toast(model, format!("{quit} quits"));
        }
        Some(action) => return act(model, action),
        None => refuse(
            model,
            format!("{chord} does nothing here; ? shows what does"),
        ),
    }
    Vec::new()
}

fn in_file(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let Some(start) = &mut model.start else {
        return Vec::new();
    };
    let Some(choosing) = &mut start.choosing else {
        return Vec::new();
    };
    match chord.code {
        KeyCode::Esc => start.choosing = None,
        KeyCode::Up | KeyCode::BackTab => choosing.take(&start.files, -1),
        KeyCode::Down | KeyCode::Tab => choosing.take(&start.files, 1),
        KeyCode::Enter => {
            let path = choosing.input.value().trim().to_owned();
            if path.is_empty() {
                start.trouble = vec!["type the name of a file, or choose one with ↑ ↓".to_owned()];
                return Vec::new();
            }
            return vec![Effect::Open(path.into())];
        }
        _ => {
            choosing.listed = None;
            edit(&mut choosing.input, chord);
        }
    }
    Vec::new()
}

/// Opens the field for a file, with the first of the list in it.
pub(super) fn choose_file(model: &mut Model) {
    let Some(start) = &mut model.start else {
        return;
    };
    let mut choosing = Choosing::default();
    choosing.take(&start.files, 1);
    start.choosing = Some(choosing);
    model.mode = Mode::Start;
}

/// Asks for the tutorial's servers.
pub(super) fn stage(model: &mut Model) -> Vec<Effect> {
    let Some(start) = model.start.as_mut().filter(|start| start.waiting.is_none()) else {
        return Vec::new();
    };
    start.trouble.clear();
    start.waiting = Some("starting two throw-away PostgreSQL servers".to_owned());
    vec![Effect::Stage]
}

/// Shows the pipeline of a file, or why there is none.
pub(super) fn on_opened(model: &mut Model, opened: Result<Found, Vec<String>>) -> Vec<Effect> {
    let trouble = match opened {
        Ok(found) => {
            let (rows, path) = found.settings;
            model.settings = Some(Settings::new(rows, Some(path)));
            model.wizard_values = found.wizard_values;
            if found.trouble.is_empty() {
                model.pipeline = found.pipeline;
                model.servers.begin();
                // What was typed into a wizard was about something else.
                model.parked.clear();
                model.leave_start_screen();
                return capture(model, found.level);
            }
            found.trouble
        }
        Err(trouble) => trouble,
    };
    if let Some(start) = &mut model.start {
        start.trouble = trouble;
    }
    Vec::new()
}

/// Has a level written down and shown.
fn capture(model: &mut Model, level: Level) -> Vec<Effect> {
    model.logs.begin(level);
    vec![Effect::Capture(model.logs.captured())]
}

/// Opens the first lesson, or says why there is none.
pub(super) fn on_staged(
    model: &mut Model,
    staged: Result<(Vec<Lesson>, Vec<String>), Vec<String>>,
) -> Vec<Effect> {
    match staged {
        Ok((lessons, addresses)) => {
            model.tutorial = Some(TutorialState::new(lessons, addresses));
            model.pipeline = "tutorial".to_owned();
            model.servers.begin();
            model.leave_start_screen();
            // Its lessons speak of each single change.
            capture(model, Level::TRACE)
        }
        Err(trouble) => {
            if let Some(start) = &mut model.start {
                start.waiting = None;
                start.trouble = trouble;
            }
            Vec::new()
        }
    }
}
