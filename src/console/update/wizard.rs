//! Opening and leaving a wizard, and what its keys and answers lead to.

use crossterm::event::KeyCode;

use crate::console::availability::READ_ONLY;
use crate::console::chord::Chord;
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::mode::Mode;
use crate::console::settings::Settings;
use crate::console::wizard::{Answer, Job, Kind, Loaded, Outcome, Started, Step, Wizard, update};

use super::toast::refuse;
use super::toast::toast;

/// Opens a wizard: the one that was left on its way, or a new one.
pub(super) fn open(model: &mut Model, kind: Kind) {
    let parked = model.parked.iter().position(|wizard| wizard.kind == kind);
    let wizard = match parked {
        Some(index) => model.parked.remove(index),
        None => Wizard::new(kind, &model.wizard_values),
    };
    model.open_wizard(wizard);
}

/// Takes a key while a wizard is open.
pub(super) fn on_key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let (read_only, now_ms) = (model.display.read_only, model.now_ms);
    let Some(wizard) = model.wizard_mut() else {
        return Vec::new();
    };
    let goes_on = chord.code == KeyCode::Enter && wizard.sql_scroll.is_none();
    if read_only && goes_on && wizard.step() == Step::Plan {
        refuse(model, READ_ONLY);
        return Vec::new();
    }
    match update::on_key(wizard, chord, now_ms) {
        Outcome::Stay => Vec::new(),
        Outcome::Ask(jobs) => asked(wizard.kind, jobs),
        Outcome::Yank(what, text) => vec![Effect::Yank { what, text }],
        Outcome::Write(name, text) => vec![Effect::Write { name, text }],
        Outcome::Refuse(reason) => {
            refuse(model, reason);
            Vec::new()
        }
        Outcome::Leave => {
            leave(model);
            Vec::new()
        }
    }
}

/// Takes in that time has passed.
pub(super) fn on_tick(model: &mut Model) -> Vec<Effect> {
    let now_ms = model.now_ms;
    let Some(wizard) = model.wizard_mut() else {
        return Vec::new();
    };
    let effects = asked(wizard.kind, update::on_tick(wizard, now_ms));
    model.dirty |= !effects.is_empty();
    effects
}

/// Takes an answer in, also for a wizard that has been left meanwhile.
pub(super) fn on_answer(model: &mut Model, kind: Kind, answer: Answer) -> Vec<Effect> {
    if let Answer::Started(Ok(started)) = answer {
        started_well(model, *started);
        return Vec::new();
    }
    let now_ms = model.now_ms;
    let open = match &mut model.mode {
        Mode::Wizard(_, wizard) => Some(&mut **wizard),
        Mode::Dashboard | Mode::Start | Mode::Settings(_) => None,
    };
    let mut wizards = open.into_iter().chain(&mut model.parked);
    let wizard = wizards.find(|wizard| wizard.kind == kind);
    let jobs = wizard.map(|wizard| update::on_answer(wizard, answer, now_ms));
    asked(kind, jobs.unwrap_or_default())
}

/// The new pipeline is the console's from now on.
fn started_well(model: &mut Model, started: Started) {
    let file = started.settings.1.display().to_string();
    let text = match started.starts {
        true => format!("saved; pgstream run -c {file} does the same"),
        false => format!("saved; pgstream run -c {file} starts it"),
    };
    toast(model, text);
    if model.wizard().is_some_and(|open| open.kind == Kind::Init) {
        drop(model.leave_screen());
    }
    model.parked.retain(|wizard| wizard.kind != Kind::Init);
    if !started.starts {
        return;
    }
    model.wizard_values = started.wizard_values;
    model.pipeline = started.name;
    model.servers.begin();
    model.settings = Some(Settings::new(started.settings.0, Some(started.settings.1)));
    model.leave_start_screen();
}

fn asked(kind: Kind, jobs: Vec<Job>) -> Vec<Effect> {
    let effects = jobs.into_iter().map(|job| Effect::Wizard(kind, job));
    effects.collect()
}

/// Leaves the wizard; one that has not come to its end is kept as it is.
fn leave(model: &mut Model) {
    let Some(wizard) = model.leave_screen() else {
        return;
    };
    match wizard.verified {
        Loaded::Not => {
            toast(model, "left; what was typed is kept");
            model.parked.push(wizard);
        }
        // There is no pipeline any more.
        Loaded::Done(remains) if remains.is_empty() => {
            toast(model, "torn down");
            if model.start.is_some() {
                model.mode = Mode::Start;
            }
        }
        Loaded::Done(_) | Loaded::Waiting | Loaded::Failed(_) => {}
    }
}
