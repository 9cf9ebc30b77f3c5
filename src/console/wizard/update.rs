//! Keys and answers of a wizard. Pure: what must be asked of the servers is returned.

use crossterm::event::KeyCode;

use crate::console::chord::Chord;
use crate::console::model::overlay::edit;
use crate::schema::{Progress, StepState, render_plan};

use super::field::START;
use super::values::{Kind, Step};
use super::{Answer, Field, Job, Loaded, Name, Wizard, blocks, made_by_init, problem};

/// An address is tried when nothing has been typed for so long: longer than a pause between two
/// letters, shorter than a look at the answer.
const TRY_AFTER_MS: i64 = 500;

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
    Yank(String, String),
    /// Write text into a file of this name.
    Write(String, String),
    /// Say why nothing happens.
    Refuse(String),
}

/// Takes a key.
pub(crate) fn on_key(wizard: &mut Wizard, chord: Chord, now_ms: i64) -> Outcome {
    if wizard.step() == Step::Plan && wizard.sql_scroll.is_some() {
        return in_sql(wizard, chord);
    }
    match chord.code {
        KeyCode::Esc => Outcome::Leave,
        KeyCode::Enter => go_on(wizard),
        _ if wizard.focused().is_some() => in_form(wizard, chord, now_ms),
        KeyCode::BackTab if wizard.step() == Step::Tables => {
            wizard.field -= 1;
            Outcome::Stay
        }
        KeyCode::Backspace => back(wizard),
        KeyCode::Up => select(wizard, -1),
        KeyCode::Down => select(wizard, 1),
        KeyCode::PageUp => select(wizard, -10),
        KeyCode::PageDown => select(wizard, 10),
        KeyCode::Home => select(wizard, isize::MIN),
        KeyCode::End => select(wizard, isize::MAX),
        KeyCode::Char(letter) => on_letter(wizard, letter),
        _ => Outcome::Stay,
    }
}

fn on_letter(wizard: &mut Wizard, letter: char) -> Outcome {
    match (letter, wizard.step()) {
        ('r', _) => again(wizard),
        ('y', _) => copied(wizard),
        ('w', Step::Plan) => written(wizard),
        ('v', Step::Plan) if matches!(wizard.plan, Loaded::Done(_)) => {
            wizard.sql_scroll = Some(0);
            Outcome::Stay
        }
        (' ', Step::Tables) => toggled(wizard),
        ('a', Step::Tables) => {
            for name in [Name::Include, Name::Exclude] {
                wizard.fill(name, String::new());
            }
            Outcome::Stay
        }
        _ => Outcome::Stay,
    }
}

/// Whoever went on before the answer was there comes back to the address that does not work; what cannot
/// be reached is taken down all the same.
fn return_to(wizard: &mut Wizard, name: Name) {
    let steps = wizard.kind.steps();
    let of = steps
        .iter()
        .position(|step| wizard.names(*step).contains(&name));
    let is_ahead = |at: &usize| *at < wizard.at && wizard.ran == Loaded::Not;
    if let Some(at) = of.filter(is_ahead).filter(|_| wizard.kind == Kind::Init) {
        turn_to(wizard, at);
        let names = wizard.names(wizard.step());
        wizard.field = names.iter().position(|one| *one == name).unwrap_or(0);
    }
}

/// Takes in that time has passed: an address that is no longer being typed is tried.
pub(crate) fn on_tick(wizard: &mut Wizard, now_ms: i64) -> Vec<Job> {
    if wizard.try_at_ms.is_none_or(|at_ms| at_ms > now_ms) {
        return Vec::new();
    }
    wizard.try_at_ms = None;
    let name = wizard.focused().filter(|name| name.is_address());
    name.and_then(|name| tried(wizard, name))
        .into_iter()
        .collect()
}

/// Takes an answer in; one to an address that has been changed since is dropped.
pub(crate) fn on_answer(wizard: &mut Wizard, answer: Answer, now_ms: i64) -> Vec<Job> {
    match answer {
        Answer::Probed(name, address, probed) if wizard.value(name) == address => {
            let refused = probed.is_err();
            *probe(wizard, name) = loaded(probed);
            if refused {
                return_to(wizard, name);
            }
        }
        Answer::Probed(..) => {}
        Answer::Checked(findings) => {
            wizard.findings = loaded(findings.map(|mut findings| {
                // What stops the wizard is seen first, what init fixes last.
                findings.sort_by_key(|one| (!blocks(one), made_by_init(one)));
                findings
            }));
        }
        Answer::Listed(Ok(tables)) => wizard.list(tables),
        Answer::Listed(Err(trouble)) => wizard.tables = Loaded::Failed(trouble),
        Answer::Planned(plan) => wizard.plan = loaded(plan),
        Answer::Progress(progress) => {
            if running(&progress) != running(&wizard.progress) {
                wizard.step_since_ms = now_ms;
            }
            wizard.progress = progress;
        }
        Answer::Ran(ran) => {
            wizard.ran = loaded(ran);
            if wizard.kind == Kind::TearDown && matches!(wizard.ran, Loaded::Done(_)) {
                wizard.at += 1;
                wizard.verified = Loaded::Waiting;
                return vec![Job::Verify(wizard.wizard_values())];
            }
        }
        Answer::Verified(verified) => wizard.verified = loaded(verified),
        Answer::Started(started) => wizard.started = loaded(started.map(|started| started.name)),
    }
    Vec::new()
}

/// Returns the number of the step that is being done or taken back.
fn running(progress: &Progress) -> Option<usize> {
    let mut steps = progress.steps.iter();
    steps.position(|step| matches!(step.state, StepState::Running | StepState::TakingBack))
}

fn loaded<T>(answer: Result<T, Vec<String>>) -> Loaded<T> {
    match answer {
        Ok(value) => Loaded::Done(value),
        Err(trouble) => Loaded::Failed(trouble),
    }
}

const fn probe(wizard: &mut Wizard, name: Name) -> &mut Loaded<String> {
    match name {
        Name::Target => &mut wizard.target,
        _ => &mut wizard.source,
    }
}

fn in_form(wizard: &mut Wizard, chord: Chord, now_ms: i64) -> Outcome {
    let Some(name) = wizard.focused() else {
        return Outcome::Stay;
    };
    match chord.code {
        KeyCode::Tab | KeyCode::Down => {
            let jobs = leave_field(wizard, name);
            wizard.field = (wizard.field + 1).min(wizard.last_place());
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
            typed(wizard, name, chord, now_ms);
            Outcome::Stay
        }
    }
}

fn typed(wizard: &mut Wizard, name: Name, chord: Chord, now_ms: i64) {
    let before = wizard.value(name);
    if let Some(field) = wizard.get_mut(name) {
        field.problem = None;
        field.left = false;
        if field.choices.is_empty() {
            edit(&mut field.input, chord);
        } else if matches!(
            chord.code,
            KeyCode::Left | KeyCode::Right | KeyCode::Char(' ')
        ) {
            choose_next(field);
        }
    }
    if !name.is_address() || wizard.value(name) == before {
        return;
    }
    *probe(wizard, name) = Loaded::Not;
    wizard.try_at_ms = Some(now_ms + TRY_AFTER_MS);
    if name == Name::Source {
        wizard.tables = Loaded::Not;
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
    wizard.try_at_ms = None;
    let found = problem(wizard.kind, name, &wizard.value(name));
    if let Some(field) = wizard.get_mut(name) {
        field.problem = found;
        field.left = true;
    }
    if !name.is_address() {
        return Vec::new();
    }
    tried(wizard, name).into_iter().collect()
}

/// Tries an address that makes sense and was not tried yet.
fn tried(wizard: &mut Wizard, name: Name) -> Option<Job> {
    let value = wizard.value(name);
    let good = problem(wizard.kind, name, &value).is_none() && !value.is_empty();
    let probed = probe(wizard, name);
    if !good || *probed != Loaded::Not {
        return None;
    }
    *probed = Loaded::Waiting;
    Some(Job::Probe(name, value))
}

/// Goes on: to the next field, or to the next screen when this one allows it.
fn go_on(wizard: &mut Wizard) -> Outcome {
    let names = wizard.names(wizard.step());
    let mut jobs = Vec::new();
    for name in names {
        jobs.extend(leave_field(wizard, *name));
    }
    refuse_empty_choice(wizard);
    let faulty = names
        .iter()
        .position(|name| wizard.get(*name).is_some_and(|one| one.problem.is_some()));
    if let Some(field) = faulty {
        wizard.field = field;
        return Outcome::Ask(jobs);
    }
    if let Some(job) = refused_address(wizard) {
        return Outcome::Ask(vec![job]);
    }
    match wizard.step() {
        Step::Source | Step::Servers | Step::Target | Step::Tables | Step::FirstCopy => {
            jobs.extend(next(wizard));
        }
        Step::Preflight if wizard.blocking() == 0 => jobs.extend(next(wizard)),
        Step::Plan if matches!(wizard.plan, Loaded::Done(_)) => jobs.extend(next(wizard)),
        Step::Confirm if wizard.value(Name::Confirm) == wizard.slot_to_type() => {
            jobs.extend(next(wizard));
        }
        Step::Run if matches!(wizard.ran, Loaded::Done(_)) => jobs.extend(next(wizard)),
        Step::Start if wizard.started != Loaded::Waiting => {
            wizard.started = Loaded::Waiting;
            let (wizard_values, file) = (wizard.wizard_values(), wizard.value(Name::File));
            let starts = wizard.value(Name::Then) == START;
            jobs.push(Job::Start {
                wizard_values,
                file,
                starts,
            });
        }
        Step::Verify => return Outcome::Leave,
        Step::Preflight | Step::Plan | Step::Confirm | Step::Run | Step::Start => {}
    }
    Outcome::Ask(jobs)
}

/// An address that does not work is tried again in the place of going on with it.
fn refused_address(wizard: &mut Wizard) -> Option<Job> {
    let names = wizard.names(wizard.step());
    let addresses = names.iter().filter(|name| name.is_address());
    let refused = addresses
        .copied()
        .find(|name| matches!(probe(wizard, *name), Loaded::Failed(_)));
    let name = refused.filter(|_| wizard.kind == Kind::Init)?;
    *probe(wizard, name) = Loaded::Not;
    tried(wizard, name)
}

/// A filter that lets no table of the source through is a mistake.
fn refuse_empty_choice(wizard: &mut Wizard) {
    let faulty = wizard.step() == Step::Tables && wizard.lets_nothing_through();
    if let Some(field) = wizard.get_mut(Name::Exclude).filter(|_| faulty) {
        field.problem = Some("no table would replicate".to_owned());
    }
}

/// Opens the next screen; returns what it must know.
fn next(wizard: &mut Wizard) -> Option<Job> {
    turn_to(wizard, (wizard.at + 1).min(wizard.kind.steps().len() - 1));
    entered(wizard)
}

fn turn_to(wizard: &mut Wizard, at: usize) {
    wizard.at = at;
    wizard.selected = 0;
    // The list of tables is what one comes for; its patterns stand above it.
    wizard.field = match wizard.step() {
        Step::Tables => wizard.last_place(),
        _ => 0,
    };
}

/// Returns what a screen must know that has just been opened.
fn entered(wizard: &mut Wizard) -> Option<Job> {
    let wizard_values = wizard.wizard_values();
    match wizard.step() {
        Step::Preflight => {
            wizard.findings = Loaded::Waiting;
            Some(Job::Check(wizard_values))
        }
        Step::Tables => {
            wizard.tables = Loaded::Waiting;
            Some(Job::Tables(wizard_values))
        }
        Step::Plan => {
            wizard.plan = Loaded::Waiting;
            Some(Job::Plan(wizard.kind, wizard_values))
        }
        Step::Run => {
            wizard.ran = Loaded::Waiting;
            wizard.progress = Progress::default();
            Some(Job::Run(wizard.kind, wizard_values))
        }
        Step::Verify => {
            wizard.verified = Loaded::Waiting;
            Some(Job::Verify(wizard_values))
        }
        Step::Source
        | Step::Target
        | Step::FirstCopy
        | Step::Start
        | Step::Servers
        | Step::Confirm => None,
    }
}

/// Asks again what a screen has asked before; a run only when it has failed.
fn again(wizard: &mut Wizard) -> Outcome {
    let may = match wizard.step() {
        Step::Preflight => wizard.findings != Loaded::Waiting,
        Step::Tables => wizard.tables != Loaded::Waiting,
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
        turn_to(wizard, wizard.at.saturating_sub(1));
    }
    Outcome::Stay
}

fn select(wizard: &mut Wizard, by: isize) -> Outcome {
    let count = match (wizard.step(), &wizard.findings, &wizard.plan) {
        (Step::Preflight, Loaded::Done(findings), _) => findings.len(),
        (Step::Tables, ..) => wizard.source_tables().len(),
        (Step::Plan, _, Loaded::Done(planned)) => planned.steps.len(),
        (Step::Run, ..) => wizard.progress.steps.len(),
        _ => 0,
    };
    let last = count.saturating_sub(1);
    if by < 0 && wizard.selected == 0 && wizard.step() == Step::Tables {
        wizard.field = wizard.last_place() - 1;
    }
    wizard.selected = wizard.selected.saturating_add_signed(by).min(last);
    Outcome::Stay
}

/// Lets the selected table in or out.
fn toggled(wizard: &mut Wizard) -> Outcome {
    match wizard.toggle(wizard.selected) {
        Ok(()) => Outcome::Stay,
        Err(reason) => Outcome::Refuse(reason),
    }
}

/// Keys while the SQL of a step has all the room.
fn in_sql(wizard: &mut Wizard, chord: Chord) -> Outcome {
    let Some(scroll) = wizard.sql_scroll else {
        return Outcome::Stay;
    };
    wizard.sql_scroll = match chord.code {
        KeyCode::Up => Some(scroll.saturating_sub(1)),
        KeyCode::Down => Some(scroll + 1),
        KeyCode::PageUp => Some(scroll.saturating_sub(10)),
        KeyCode::PageDown => Some(scroll + 10),
        KeyCode::Home => Some(0),
        KeyCode::Char('y') => return copied(wizard),
        KeyCode::Char('w') => return written(wizard),
        KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Char('v' | 'q') => None,
        _ => Some(scroll),
    };
    Outcome::Stay
}

/// Copies the hint of a finding, or the SQL of the whole plan.
fn copied(wizard: &Wizard) -> Outcome {
    match (wizard.step(), &wizard.findings, &wizard.plan) {
        (Step::Preflight, Loaded::Done(findings), _) => match findings.get(wizard.selected) {
            Some(finding) => Outcome::Yank("fix".to_owned(), finding.hint.clone()),
            None => Outcome::Stay,
        },
        (Step::Plan, _, Loaded::Done(planned)) => {
            Outcome::Yank("plan".to_owned(), render_plan(&planned.steps))
        }
        _ => Outcome::Stay,
    }
}

/// Writes the SQL of the whole plan into a file beside the configuration.
fn written(wizard: &Wizard) -> Outcome {
    match &wizard.plan {
        Loaded::Done(planned) => {
            let name = wizard.kind.plan_file().to_owned();
            Outcome::Write(name, render_plan(&planned.steps))
        }
        Loaded::Not | Loaded::Waiting | Loaded::Failed(_) => Outcome::Stay,
    }
}
