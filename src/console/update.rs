//! The only place where the console's state changes: `update(model, message) -> effects`. No I/O,
//! no clock; what must happen outside is returned.

use std::sync::Arc;

use super::action::Pane;
use super::layout::Layout;
use super::message::{Effect, Message};
use super::model::overlay::Overlay;
use super::model::{Leaving, Model, Toast};
use super::settings::Settings;
use crate::engine::status::{
    Command, CommandAnswer, CopyCommand, EngineEvent, Failure, Phase, SchemaState, Status,
};
use crate::model::ErrorClass;

mod act;
mod ask;
mod copies;
mod keys;
mod lesson;
mod motion;
mod start;
#[cfg(test)]
mod tests;
mod wizard;

pub(crate) use act::act;

/// A toast stays long enough to be read twice.
const TOAST_MS: i64 = 6000;
/// More toasts than this would hide what they speak about.
const TOASTS_MAX: usize = 3;

/// Takes a message in; returns what is to be done outside.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Now(now_ms) => return tick(model, now_ms),
        Message::Log { lost, line } => {
            model.logs.skip(lost);
            model.logs.push(line);
            model.dirty |= model.frozen.is_none();
            return Vec::new();
        }
        Message::LogsLost(count) => {
            model.logs.skip(count);
            model.dirty |= model.frozen.is_none();
            return Vec::new();
        }
        _ => model.dirty = true,
    }
    match message {
        Message::Key(chord) => return keys::on_key(model, chord),
        Message::Paste(text) => keys::on_paste(model, &text),
        Message::Click { column, row } => click(model, column, row),
        Message::Wheel { column, row, rows } => wheel(model, column, row, rows),
        Message::Resize(size) => {
            model.size = size;
            motion::resized(model);
        }
        Message::Status(status) => {
            model.latest = status;
            copies::on_status(model);
        }
        Message::Event(event) => on_event(model, &event),
        Message::EngineGone => engine_gone(model),
        Message::Answered(command, answer) => on_answer(model, command, answer),
        Message::Told(Ok(place)) => toast(model, place),
        Message::Told(Err(problem)) => warn(model, problem),
        Message::Configured(rows, path) => model.settings = Some(Settings::new(rows, Some(path))),
        Message::Performed(request, seen) => return lesson::on_answer(model, &request, seen),
        Message::Opened(opened) => return start::on_opened(model, opened),
        Message::Staged(staged) => return start::on_staged(model, staged),
        Message::Saved(Ok(text)) => {
            if let Some(settings) = &mut model.settings {
                settings.saved(&text);
            }
            toast(model, "saved; it counts from the next start of pgstream");
        }
        Message::Saved(Err(problem)) => warn(model, problem),
        Message::Wizard(kind, answer) => return wizard::on_answer(model, kind, answer),
        Message::Terminate => return leave(model),
        Message::Now(_) | Message::Log { .. } | Message::LogsLost(_) => {}
    }
    settle(model);
    Vec::new()
}

/// Shows a short message.
fn toast(model: &mut Model, text: impl Into<String>) {
    push_toast(model, text.into(), false);
}

/// Shows a short message about something that did not work.
fn warn(model: &mut Model, text: impl Into<String>) {
    push_toast(model, text.into(), true);
}

fn push_toast(model: &mut Model, text: String, bad: bool) {
    model.toasts.retain(|toast| toast.text != text);
    if model.toasts.len() == TOASTS_MAX {
        model.toasts.remove(0);
    }
    let until_ms = model.now_ms + TOAST_MS;
    model.toasts.push(Toast {
        text,
        bad,
        until_ms,
    });
}

/// The screen changes with the clock only where a whole second shows, or where a toast ends.
/// Returns what is due.
fn tick(model: &mut Model, now_ms: i64) -> Vec<Effect> {
    let second_passed = now_ms.div_euclid(1000) != model.now_ms.div_euclid(1000);
    model.now_ms = now_ms;
    let toasts = model.toasts.len();
    model.toasts.retain(|toast| toast.until_ms > now_ms);
    model.dirty |= second_passed && model.look.motion || toasts != model.toasts.len();
    settle(model);
    let mut effects = wizard::on_tick(model);
    let look = model.course.as_mut().and_then(|course| course.look(now_ms));
    effects.extend(look.map(Effect::Perform));
    effects
}

/// Closes the console once the engine that was asked to stop has stopped, or takes too long.
fn settle(model: &mut Model) {
    if let Leaving::When { stopped_by_ms } = model.leaving
        && (model.is_at_rest() || model.now_ms >= stopped_by_ms)
    {
        model.leaving = Leaving::Now;
    }
}

/// Longest wait for the engine to finish the transaction in hand before the console closes; what
/// is unfinished then is rolled back by the target and comes again.
const STOP_MS: i64 = 10_000;

/// Starts to leave; returns what to ask of the engine.
fn leave(model: &mut Model) -> Vec<Effect> {
    match model.leaving {
        Leaving::No if !model.is_at_rest() && model.latest.started_at_s != 0 => {
            let stopped_by_ms = model.now_ms + STOP_MS;
            model.leaving = Leaving::When { stopped_by_ms };
            model.overlay = None;
            toast(
                model,
                "finishing the transaction in hand; ^C again leaves at once",
            );
            vec![Effect::Command(Command::Stop)]
        }
        Leaving::No | Leaving::When { .. } | Leaving::Now => {
            model.leaving = Leaving::Now;
            Vec::new()
        }
    }
}

fn on_event(model: &mut Model, event: &EngineEvent) {
    match event {
        EngineEvent::Phase(Phase::Streaming { behind: false }) => toast(model, "● streaming"),
        EngineEvent::Phase(Phase::Paused) => {
            toast(model, "‖ paused: the source keeps WAL until you resume");
        }
        EngineEvent::Phase(_) => {}
        EngineEvent::SchemaChange(change) => match change.state {
            SchemaState::Failed => warn(model, format!("✗ {} failed", change.tag)),
            SchemaState::NotApplied => warn(model, format!("! {} was not applied", change.tag)),
            SchemaState::Running | SchemaState::Applied | SchemaState::Skipped => {}
        },
        EngineEvent::Failed(failure) => warn(model, format!("✗ {}", failure.headline())),
        EngineEvent::Skipped(transaction) => toast(
            model,
            format!(
                "- transaction {} skipped; pgstream.skipped_transaction on the target has it",
                transaction.xid
            ),
        ),
    }
}

/// An engine that ends says so; one that has gone without a word has crashed.
fn engine_gone(model: &mut Model) {
    if model.is_at_rest() {
        return;
    }
    let mut last = Status::clone(&model.latest);
    last.phase = Phase::Crashed;
    last.last_error.get_or_insert_with(|| Failure {
        class: ErrorClass::Bug,
        message: "the engine has gone without a word".to_owned(),
        refusal: None,
        causes: Vec::new(),
        sqlstate: None,
        statement: None,
        hint: Some("the checkpoint is safe; please report it with the log".to_owned()),
        transaction: None,
        at_ms: model.now_ms,
    });
    model.latest = Arc::new(last);
}

fn on_answer(model: &mut Model, command: Command, answer: Option<CommandAnswer>) {
    match answer {
        Some(CommandAnswer::Accepted) => match command {
            Command::Pause => toast(model, "pausing after the transaction in hand"),
            Command::Resume => toast(model, "resuming"),
            Command::Retry => toast(model, "trying again"),
            Command::Skip { .. } => toast(model, "skipping the transaction, on record"),
            Command::Edit(_) => toast(model, "applying what was edited"),
            Command::Stop => {}
            Command::Copy(CopyCommand::Table { .. }) => toast(model, "copying the table again"),
            Command::Copy(CopyCommand::Pause) => toast(model, "no more copies begin"),
            Command::Copy(CopyCommand::Resume) => toast(model, "copying goes on"),
            Command::Copy(CopyCommand::Workers { count }) => {
                toast(model, format!("{count} copies at a time"));
            }
        },
        Some(CommandAnswer::Refused(reason)) => {
            model.workers_asked = None;
            warn(model, reason);
        }
        None => {
            model.workers_asked = None;
            warn(model, "the engine is not running");
            if command == Command::Stop && model.leaving != Leaving::No {
                model.leaving = Leaving::Now;
            }
        }
    }
}

fn click(model: &mut Model, column: u16, row: u16) {
    if model.overlay.is_some() || model.is_covered() {
        return;
    }
    let layout: Layout = model.layout();
    let Some((pane, place)) = layout.pane_at(column, row) else {
        return;
    };
    act::go(model, pane);
    // One row of frame stands above the first row, and in a list one of headings.
    let above = match pane {
        Pane::Logs | Pane::Throughput => 1,
        Pane::Slots | Pane::Schema | Pane::Tables | Pane::Snapshot => 2,
    };
    if let Some(line) = row.checked_sub(place.y + above) {
        motion::click(model, pane, usize::from(line));
    }
}

fn wheel(model: &mut Model, column: u16, row: u16, rows: isize) {
    let covered = model.is_covered();
    match &mut model.overlay {
        Some(Overlay::Detail { scroll, .. }) => {
            *scroll = scroll.saturating_add_signed(i16::try_from(rows).unwrap_or(0));
        }
        Some(_) => {}
        None if covered => {}
        None => {
            let pane = model.layout().pane_at(column, row).map(|(pane, _)| pane);
            motion::scroll(model, pane.unwrap_or(model.focus), rows);
        }
    }
}
