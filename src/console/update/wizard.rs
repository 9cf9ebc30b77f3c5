//! Opening and leaving a wizard, and what its keys and answers lead to.

use super::toast;
use crate::console::chord::Chord;
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::wizard::update::{self, Outcome};
use crate::console::wizard::{Answer, Draft, Job, Kind, Loaded, Wizard};

/// Opens a wizard: the one that was left on its way, or a new one.
pub(super) fn open(model: &mut Model, kind: Kind) {
    let parked = model.parked.iter().position(|wizard| wizard.kind == kind);
    let wizard = match parked {
        Some(index) => model.parked.remove(index),
        None => Wizard::new(kind, &Draft::default()),
    };
    model.wizard = Some(wizard);
}

/// Takes a key while a wizard is open.
pub(super) fn on_key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let Some(wizard) = &mut model.wizard else {
        return Vec::new();
    };
    match update::on_key(wizard, chord) {
        Outcome::Stay => Vec::new(),
        Outcome::Ask(jobs) => asked(jobs),
        Outcome::Copy(what, text) => vec![Effect::Copy { what, text }],
        Outcome::Leave => {
            leave(model);
            Vec::new()
        }
    }
}

/// Takes an answer in, also for a wizard that has been left meanwhile.
pub(super) fn on_answer(model: &mut Model, answer: Answer) -> Vec<Effect> {
    if let Answer::Started(Ok((name, _))) = &answer {
        toast(
            model,
            format!("saved; pgstream run -c {name}.env does the same"),
        );
        model.pipeline.clone_from(name);
        model.wizard = None;
        return Vec::new();
    }
    let wizard = model.wizard.as_mut().or_else(|| model.parked.last_mut());
    asked(wizard.map_or_else(Vec::new, |wizard| update::on_answer(wizard, answer)))
}

fn asked(jobs: Vec<Job>) -> Vec<Effect> {
    jobs.into_iter().map(Effect::Wizard).collect()
}

/// Leaves the wizard; one that has not come to its end is kept as it is.
fn leave(model: &mut Model) {
    let Some(wizard) = model.wizard.take() else {
        return;
    };
    if matches!(wizard.verified, Loaded::Not) {
        toast(model, "left; what was typed is kept");
        model.parked.push(wizard);
    }
}
