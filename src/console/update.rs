//! The only place where the console's state changes: `update(model, message) -> effects`. No I/O,
//! no clock; what must happen outside is returned.

use std::sync::Arc;

use crate::model::ErrorClass;
use crate::status::{
    Command, CommandAnswer, CopyCommand, EngineEvent, Failure, Phase, SchemaState, Slot, Status,
};

use super::message::{Effect, Message};
use super::model::overlay::Overlay;
use super::model::servers::Looked;
use super::model::{Leaving, MarkKind, Model};
use super::settings::Settings;
use super::status_glyph;

mod act;
pub(crate) mod ask;
mod click;
mod copies;
mod keys;
mod lesson;
mod motion;
mod proof;
mod rows;
mod start;
#[cfg(test)]
mod tests;
mod toast;
mod wizard;

pub(crate) use act::act;
use toast::refuse;
use toast::{leave, toast, warn};

/// Takes a message in; returns what is to be done outside.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = take(model, message);
    effects.extend(rows::due(model));
    effects
}

fn take(model: &mut Model, message: Message) -> Vec<Effect> {
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
        Message::Click { column, row } => return click::on_click(model, column, row),
        Message::Wheel { column, row, rows } => wheel(model, column, row, rows),
        Message::Resize(size) => {
            model.size = size;
            motion::resized(model);
        }
        Message::Status(status) => {
            if status.started_at_s != model.latest.started_at_s && status.started_at_s != 0 {
                model.mark(status.started_at_s, MarkKind::Started);
            }
            model.table_rates.take(&status);
            model.latest = status;
            let newest = model.latest.schema_changes.first();
            model.servers.history.compare(newest, model.now_ms);
            copies::on_status(model);
            ask::withdraw_offer(model);
            settle(model);
            return retitled(model);
        }
        Message::Event(event) => on_event(model, &event),
        Message::EngineGone => engine_gone(model),
        Message::Answered(command, answer) => on_answer(model, command, answer),
        Message::Told(Ok(place)) => toast(model, place),
        Message::Told(Err(problem)) => warn(model, problem),
        Message::Configured(rows, path) => {
            model.settings = Some(Settings::new(rows, Some(path)));
            model.servers.begin();
        }
        Message::Looked(looked) => on_looked(model, looked),
        Message::Compared(news) => {
            let effects = proof::on_news(model, news);
            settle(model);
            return effects;
        }
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

/// The screen changes with the clock only where a whole second shows, or where a toast ends.
/// Returns what is due.
fn tick(model: &mut Model, now_ms: i64) -> Vec<Effect> {
    let second_passed = now_ms.div_euclid(1000) != model.now_ms.div_euclid(1000);
    model.now_ms = now_ms;
    let toasts = model.toasts.len();
    model.toasts.retain(|toast| toast.until_ms > now_ms);
    model.dirty |= second_passed && model.display.motion || toasts != model.toasts.len();
    settle(model);
    let mut effects = wizard::on_tick(model);
    let look = model
        .tutorial
        .as_mut()
        .and_then(|tutorial| tutorial.look(now_ms));
    effects.extend(look.map(Effect::Perform));
    let engine_runs = !model.is_at_rest();
    let look = model.servers.due(now_ms, engine_runs);
    effects.extend(look.map(Effect::DisplayOptions));
    effects
}

/// While no engine runs, the servers say how both sides stand.
fn on_looked(model: &mut Model, looked: Looked) {
    if let Looked::Proof(found) = &looked
        && let Ok(verified) = found
    {
        model.proof.record = Some((verified.clone(), model.now_ms));
    }
    let Some(seen) = model.servers.looked(looked).cloned() else {
        return;
    };
    if !model.is_at_rest() {
        return;
    }
    let mut status = Status::clone(&model.latest);
    status.at_ms = model.now_ms;
    (status.source, status.target) = (seen.source, seen.target);
    if !seen.slot_name.is_empty() {
        status.slot_name = seen.slot_name;
    }
    if let Some(slots) = seen.slots {
        let ours = slots.iter().find(|slot| slot.ours);
        status.plugin = ours.map(|slot| slot.plugin.clone()).unwrap_or_default();
        (status.slots, status.lag) = (slots, seen.lag);
    }
    status.checkpoint.end_lsn = seen.end_lsn.unwrap_or(status.checkpoint.end_lsn);
    // An engine that ran here has told why it ended.
    if status.started_at_s == 0 {
        status.last_error = seen.last_stop;
    }
    model.latest = Arc::new(status);
}

/// The window's title says the state, so that it is seen from elsewhere. The bell calls for what is
/// worth coming back for: the engine is held, has crashed or has caught up, the slot is lost.
fn retitled(model: &mut Model) -> Vec<Effect> {
    let ours = model.latest.slots.iter().find(|slot| slot.ours);
    let is_lost = ours.is_some_and(Slot::is_lost);
    let sign = match is_lost {
        true => status_glyph::LOST,
        false => status_glyph::of_phase(&model.latest.phase),
    };
    let text = format!("{} {} {}", sign.glyph, sign.word, model.pipeline);
    if text == model.title {
        return Vec::new();
    }
    let was_behind = model.title.contains(status_glyph::of_phase(&BEHIND).word);
    let bell = match model.latest.phase {
        _ if is_lost => true,
        Phase::Held | Phase::Crashed => true,
        Phase::Streaming { behind: false } => was_behind,
        _ => false,
    };
    model.title.clone_from(&text);
    vec![Effect::Title { text, bell }]
}

const BEHIND: Phase = Phase::Streaming { behind: true };

/// Closes the console once the engine that was asked to stop has stopped, or takes too long.
fn settle(model: &mut Model) {
    if let Leaving::When { stopped_by_ms } = model.leaving
        && (model.is_at_rest() || model.now_ms >= stopped_by_ms)
    {
        model.leaving = Leaving::Now;
    }
}

fn on_event(model: &mut Model, event: &EngineEvent) {
    let kind = match event {
        EngineEvent::Phase(Phase::Retrying { .. }) => Some(MarkKind::Reconnect),
        EngineEvent::Phase(Phase::Held) => Some(MarkKind::Held),
        EngineEvent::SchemaChange(change) if change.state == SchemaState::Applied => {
            Some(MarkKind::SchemaChange)
        }
        EngineEvent::Phase(_)
        | EngineEvent::SchemaChange(_)
        | EngineEvent::Failed(_)
        | EngineEvent::Skipped(_) => None,
    };
    if let Some(kind) = kind {
        model.mark(model.now_ms.div_euclid(1000), kind);
    }
    match event {
        EngineEvent::Phase(Phase::Paused) => {
            toast(model, "‖ paused: the source keeps WAL until you resume");
        }
        EngineEvent::Phase(_) => {}
        EngineEvent::SchemaChange(change) => match change.state {
            SchemaState::Failed => warn(model, format!("✗ {} failed", change.tag)),
            SchemaState::NotApplied => warn(model, format!("! {} was not applied", change.tag)),
            SchemaState::Pending
            | SchemaState::Running
            | SchemaState::Applied
            | SchemaState::Skipped => {}
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
            Command::Look { .. } => {}
        },
        Some(CommandAnswer::Seen(look)) => {
            if let Command::Look { table, values } = command {
                rows::seen(model, (&table, values), *look);
            }
        }
        // That no engine runs is seen already.
        Some(CommandAnswer::Refused(_)) | None if command.only_looks() => {}
        Some(CommandAnswer::Refused(reason)) => {
            model.workers_asked = None;
            refuse(model, reason);
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
