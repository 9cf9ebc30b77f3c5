//! Keys while the lesson has them.

use crossterm::event::KeyCode;

use crate::console::action::Action;
use crate::console::availability::READ_ONLY;
use crate::console::chord::Chord;
use crate::console::lesson::{Prompt, Request, Seen};
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::overlay::edit;

use super::toast::refuse;
use super::toast::toast;

/// Takes a key while the lesson has them; none when the key is for the dashboard.
pub(super) fn on_key(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let action = model.keymap.action(chord, model.focus);
    let tutorial = model
        .tutorial
        .as_mut()
        .filter(|tutorial| tutorial.focused)?;
    if tutorial.prompt.is_some() {
        return Some(in_prompt(model, chord));
    }
    match chord.code {
        KeyCode::Enter => return Some(go_on(model)),
        KeyCode::Char('p') => tutorial.prompt = Some(Prompt::default()),
        KeyCode::Up | KeyCode::PageUp => tutorial.scroll += 1,
        KeyCode::Down | KeyCode::PageDown => tutorial.scroll = tutorial.scroll.saturating_sub(1),
        KeyCode::Tab | KeyCode::Esc => {
            tutorial.focused = false;
            let lessons = model.keymap.label(Action::Lessons);
            toast(model, format!("{lessons} goes back to the lesson"));
        }
        _ if matches!(
            action,
            Some(
                Action::GoSlots
                    | Action::GoSchema
                    | Action::GoThroughput
                    | Action::GoLogs
                    | Action::GoTables
            )
        ) =>
        {
            // The keys stay with the lesson: a number only shows the pane.
            return None;
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// Takes in what was done on the tutorial's servers, or seen there; what only looks follows by
/// itself.
pub(super) fn on_answer(model: &mut Model, request: &Request, seen: Seen) -> Vec<Effect> {
    let now_ms = model.now_ms;
    let Some(tutorial) = &mut model.tutorial else {
        return Vec::new();
    };
    let follows = match (request, seen) {
        (Request::DisplayOptions { lesson, step }, Seen::ByHand(found)) => {
            tutorial.looked((*lesson, *step), found, now_ms)
        }
        (Request::Step { .. }, Seen::Shown(shown)) => tutorial.performed(shown),
        (_, Seen::Shown(shown)) => {
            tutorial.answered(shown);
            None
        }
        (_, Seen::ByHand(_)) => None,
    };
    follows.map(Effect::Perform).into_iter().collect()
}

/// Does the step in hand, or opens the next lesson.
fn go_on(model: &mut Model) -> Vec<Effect> {
    let Some(tutorial) = &mut model.tutorial else {
        return Vec::new();
    };
    if tutorial.running {
        refuse(model, "the step is still going on");
        return Vec::new();
    }
    if !tutorial.may_go_on(model.display.read_only) {
        refuse(model, READ_ONLY);
        return Vec::new();
    }
    tutorial.failure = None;
    match tutorial.next_request() {
        Some(request) => {
            tutorial.running = true;
            vec![Effect::Perform(request)]
        }
        None if tutorial.is_last() => {
            tutorial.prompt = Some(Prompt::default());
            Vec::new()
        }
        None => {
            tutorial.advance();
            Vec::new()
        }
    }
}

fn in_prompt(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let Some(tutorial) = &mut model.tutorial else {
        return Vec::new();
    };
    let Some(prompt) = &mut tutorial.prompt else {
        return Vec::new();
    };
    match chord.code {
        KeyCode::Esc => tutorial.prompt = None,
        KeyCode::Tab | KeyCode::BackTab => prompt.on_target = !prompt.on_target,
        KeyCode::Up | KeyCode::PageUp => prompt.scroll = prompt.scroll.saturating_sub(1),
        KeyCode::Down | KeyCode::PageDown => {
            let last = prompt.shown.len().saturating_sub(1);
            prompt.scroll = (prompt.scroll + 1).min(last);
        }
        KeyCode::Enter if tutorial.running || prompt.input.value().trim().is_empty() => {}
        KeyCode::Enter if model.display.read_only => refuse(model, READ_ONLY),
        KeyCode::Enter => {
            let request = Request::Statement {
                on_target: prompt.on_target,
                text: prompt.input.value_and_reset(),
            };
            tutorial.running = true;
            return vec![Effect::Perform(request)];
        }
        _ => {
            edit(&mut prompt.input, chord);
        }
    }
    Vec::new()
}
