//! Keys and answers of a wizard. Pure: what must be asked of the servers is returned.

use crossterm::event::KeyCode;

use super::job::is_address;
use super::{Answer, Field, Job, Kind, Loaded, Name, Step, Wizard, problem};
use crate::console::chord::Chord;
use crate::console::model::overlay::edit;

/// What a key leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to do outside.
    Stay,
    /// Ask the servers.
    Ask(Vec<Job>),
    /// Leave the wizard; what was typed is kept.
    Leave,
    /// Put text on the clipboard.
    Copy(String, String),
}

/// Takes a key.
pub(crate) fn on_key(wizard: &mut Wizard, chord: Chord) -> Outcome {
    match chord.code {
        KeyCode::Esc => Outcome::Leave,
        KeyCode::Enter => go_on(wizard),
        _ if wizard.focused().is_some() => in_form(wizard, chord),
        KeyCode::Backspace => back(wizard),
        KeyCode::Up => select(wizard, -1),
        KeyCode::Down => select(wizard, 1),
        KeyCode::PageUp => select(wizard, -10),
        KeyCode::PageDown => select(wizard, 10),
        KeyCode::Char('r') => again(wizard),
        KeyCode::Char('y') => copied(wizard),
        _ => Outcome::Stay,
    }
}

/// Takes an answer in; one to an address that has been changed since is dropped.
pub(crate) fn on_answer(wizard: &mut Wizard, answer: Answer) -> Vec<Job> {
    match answer {
        Answer::Probed(name, address, probed) if wizard.value(name) == address => match name {
            Name::Target => wizard.target = loaded(probed),
            _ => wizard.source = loaded(probed),
        },
        Answer::Probed(..) => {}
        Answer::Checked(findings) => wizard.findings = loaded(findings),
        Answer::Planned(plan) => wizard.plan = loaded(plan),
        Answer::Ran(ran) => {
            wizard.ran = loaded(ran);
            if wizard.kind == Kind::TearDown && matches!(wizard.ran, Loaded::Done(_)) {
                wizard.at += 1;
                wizard.verified = Loaded::Waiting;
                return vec![Job::Verify(wizard.draft())];
            }
        }
        Answer::Verified(verified) => wizard.verified = loaded(verified),
        Answer::Started(started) => wizard.started = loaded(started.map(|(name, _)| name)),
    }
    Vec::new()
}

fn loaded<T>(answer: Result<T, Vec<String>>) -> Loaded<T> {
    match answer {
        Ok(value) => Loaded::Done(value),
        Err(trouble) => Loaded::Failed(trouble),
    }
}

fn in_form(wizard: &mut Wizard, chord: Chord) -> Outcome {
    let Some(name) = wizard.focused() else {
        return Outcome::Stay;
    };
    let last = wizard.names(wizard.step()).len() - 1;
    match chord.code {
        KeyCode::Tab | KeyCode::Down => {
            let jobs = leave_field(wizard, name);
            wizard.field = (wizard.field + 1).min(last);
            Outcome::Ask(jobs)
        }
        KeyCode::BackTab | KeyCode::Up if wizard.field == 0 => back(wizard),
        KeyCode::BackTab | KeyCode::Up => {
            let jobs = leave_field(wizard, name);
            wizard.field -= 1;
            Outcome::Ask(jobs)
        }
        KeyCode::F(2) => {
            wizard.reveal = !wizard.reveal;
            Outcome::Stay
        }
        _ => {
            typed(wizard, name, chord);
            Outcome::Stay
        }
    }
}

fn typed(wizard: &mut Wizard, name: Name, chord: Chord) {
    if let Some(field) = wizard.get_mut(name) {
        field.problem = None;
        if field.choices.is_empty() {
            edit(&mut field.input, chord);
        } else if matches!(
            chord.code,
            KeyCode::Left | KeyCode::Right | KeyCode::Char(' ')
        ) {
            choose_next(field);
        }
    }
    match name {
        Name::Source => wizard.source = Loaded::Not,
        Name::Target => wizard.target = Loaded::Not,
        _ => {}
    }
}

fn choose_next(field: &mut Field) {
    let at = field
        .choices
        .iter()
        .position(|one| *one == field.input.value());
    let next = at.map_or(0, |at| (at + 1) % field.choices.len());
    field.input = tui_input::Input::new(field.choices[next].to_owned());
}

/// Checks a field as it is left; a new address is tried in the background.
fn leave_field(wizard: &mut Wizard, name: Name) -> Vec<Job> {
    wizard.reveal = false;
    let value = wizard.value(name);
    let found = problem(wizard.kind, name, &value);
    let good = found.is_none() && !value.is_empty();
    if let Some(field) = wizard.get_mut(name) {
        field.problem = found;
    }
    let probed = match name {
        Name::Target => &mut wizard.target,
        _ => &mut wizard.source,
    };
    if !is_address(name) || !good || *probed != Loaded::Not {
        return Vec::new();
    }
    *probed = Loaded::Waiting;
    vec![Job::Probe(name, value)]
}

/// Goes on: to the next field, or to the next screen when this one allows it.
fn go_on(wizard: &mut Wizard) -> Outcome {
    let names = wizard.names(wizard.step());
    let mut jobs = Vec::new();
    for name in names {
        jobs.extend(leave_field(wizard, *name));
    }
    let faulty = names
        .iter()
        .position(|name| wizard.get(*name).is_some_and(|one| one.problem.is_some()));
    if let Some(field) = faulty {
        wizard.field = field;
        return Outcome::Ask(jobs);
    }
    match wizard.step() {
        Step::Source | Step::Servers | Step::Target => jobs.extend(next(wizard)),
        Step::Preflight if wizard.blocking() == 0 => jobs.extend(next(wizard)),
        Step::Plan if matches!(wizard.plan, Loaded::Done(_)) => jobs.extend(next(wizard)),
        Step::Confirm if wizard.value(Name::Confirm) == wizard.slot_to_type() => {
            jobs.extend(next(wizard));
        }
        Step::Run if matches!(wizard.ran, Loaded::Done(_)) => jobs.extend(next(wizard)),
        Step::Start if wizard.started != Loaded::Waiting => {
            wizard.started = Loaded::Waiting;
            let (draft, file) = (wizard.draft(), wizard.value(Name::File));
            jobs.push(Job::Start { draft, file });
        }
        Step::Verify => return Outcome::Leave,
        Step::Preflight | Step::Plan | Step::Confirm | Step::Run | Step::Start => {}
    }
    Outcome::Ask(jobs)
}

/// Opens the next screen; returns what it must know.
fn next(wizard: &mut Wizard) -> Option<Job> {
    wizard.at = (wizard.at + 1).min(wizard.kind.steps().len() - 1);
    wizard.field = 0;
    wizard.selected = 0;
    entered(wizard)
}

/// Returns what a screen must know that has just been opened.
fn entered(wizard: &mut Wizard) -> Option<Job> {
    let draft = wizard.draft();
    match wizard.step() {
        Step::Preflight => {
            wizard.findings = Loaded::Waiting;
            Some(Job::Check(draft))
        }
        Step::Plan => {
            wizard.plan = Loaded::Waiting;
            Some(Job::Plan(wizard.kind, draft))
        }
        Step::Run => {
            wizard.ran = Loaded::Waiting;
            Some(Job::Run(wizard.kind, draft))
        }
        Step::Verify => {
            wizard.verified = Loaded::Waiting;
            Some(Job::Verify(draft))
        }
        Step::Source | Step::Target | Step::Start | Step::Servers | Step::Confirm => None,
    }
}

/// Asks again what a screen has asked before; a run only when it has failed.
fn again(wizard: &mut Wizard) -> Outcome {
    let may = match wizard.step() {
        Step::Preflight => wizard.findings != Loaded::Waiting,
        Step::Plan => wizard.plan != Loaded::Waiting,
        Step::Run => matches!(wizard.ran, Loaded::Failed(_)),
        Step::Verify => wizard.verified != Loaded::Waiting,
        _ => false,
    };
    Outcome::Ask(may.then(|| entered(wizard)).flatten().into_iter().collect())
}

fn back(wizard: &mut Wizard) -> Outcome {
    let running = wizard.ran == Loaded::Waiting && wizard.step() == Step::Run;
    let done = matches!(wizard.ran, Loaded::Done(_));
    if !running && !done {
        wizard.at = wizard.at.saturating_sub(1);
        wizard.field = 0;
        wizard.selected = 0;
    }
    Outcome::Stay
}

fn select(wizard: &mut Wizard, by: isize) -> Outcome {
    let count = match (wizard.step(), &wizard.findings, &wizard.plan) {
        (Step::Preflight, Loaded::Done(findings), _) => findings.len(),
        (Step::Plan, _, Loaded::Done(planned)) => planned.steps.len(),
        _ => 0,
    };
    let last = count.saturating_sub(1);
    wizard.selected = wizard.selected.saturating_add_signed(by).min(last);
    Outcome::Stay
}

/// Copies the mend of a finding, or the SQL of the whole plan.
fn copied(wizard: &Wizard) -> Outcome {
    match (wizard.step(), &wizard.findings, &wizard.plan) {
        (Step::Preflight, Loaded::Done(findings), _) => match findings.get(wizard.selected) {
            Some(finding) => Outcome::Copy("fix".to_owned(), finding.mend.clone()),
            None => Outcome::Stay,
        },
        (Step::Plan, _, Loaded::Done(planned)) => {
            let steps = planned.steps.iter();
            let sql = steps.map(|step| format!("-- {}\n{}\n", step.what, step.sql));
            Outcome::Copy("plan".to_owned(), sql.collect::<Vec<_>>().join("\n"))
        }
        _ => Outcome::Stay,
    }
}
