//! Which actions make sense now, and why the others do not: a disabled action stays visible, with
//! its reason.

use crate::status::{CopyState, Failure, Phase, SchemaState, Verdict};

use super::action::{Action, Pane};
use super::items::{selected_change, selected_compared, selected_copy, selected_table};
use super::model::Model;

/// Returns why an action makes no sense now; none when it does.
pub(crate) fn refusal(model: &Model, action: Action) -> Option<&'static str> {
    let status = &model.latest;
    let at_rest = matches!(status.phase, Phase::Stopped | Phase::Crashed);
    if model.is_starting() && !means_something_at_the_start(action) {
        return Some("there is no pipeline yet");
    }
    if model.display.read_only && asks_something(action) {
        return Some(READ_ONLY);
    }
    match action {
        Action::Pause => match status.phase {
            Phase::Copying | Phase::Streaming { .. } | Phase::Paused => None,
            Phase::Starting | Phase::Retrying { .. } => Some("the engine is not streaming yet"),
            Phase::Held => Some("the engine is held at a refused transaction"),
            Phase::Stopping => Some("the engine is stopping"),
            Phase::Stopped | Phase::Crashed => Some("the engine is not running"),
        },
        Action::RetryNow => match status.phase {
            Phase::Retrying { .. } | Phase::Held | Phase::Stopped | Phase::Crashed => None,
            _ => Some("nothing has failed"),
        },
        Action::SkipTransaction | Action::SchemaSkip => match refused(model) {
            Some(_) => None,
            None => Some("the engine is held at no refused transaction"),
        },
        Action::SchemaRetry if status.phase != Phase::Held => Some("no schema change has failed"),
        Action::SchemaEdit => match (&status.phase, selected_change(model)) {
            (Phase::Held, Some(change)) if change.state == SchemaState::Failed => None,
            (Phase::Held, _) if has_failed_change(model) => Some("select the change that failed"),
            _ => Some("no schema change has failed"),
        },
        Action::RowValues => row_refusal(model),
        Action::Stop if at_rest => Some("the engine is not running"),
        Action::Lessons if model.tutorial.is_some() => None,
        Action::Lessons | Action::OpenFile if model.start.is_none() => {
            Some("this console has one pipeline; pgstream alone opens the menu")
        }
        Action::OpenFile if model.tutorial.is_some() => Some("leave the tutorial first"),
        Action::Init | Action::TearDown | Action::OpenFile | Action::Lessons if !at_rest => {
            Some(STOP_FIRST)
        }
        Action::NextPane | Action::PreviousPane if model.focus.is_screen() => {
            Some("Esc goes back to the dashboard and its panes")
        }
        Action::SnapshotCopy
        | Action::SnapshotPause
        | Action::SnapshotMore
        | Action::SnapshotFewer => copy_refusal(model, action),
        Action::SnapshotFailed if !has_failed_copy(model) && !model.only.failed_copies => {
            Some("no table has failed")
        }
        Action::VerifyStart | Action::VerifyStop | Action::VerifyRepair | Action::VerifyValues => {
            proof_refusal(model, action)
        }
        Action::VerifyTrouble if !has_unequal(model) && !model.proof.only_trouble => {
            Some("nothing differs")
        }
        Action::Config if model.settings.is_none() => Some("there is no configuration"),
        Action::FindNext | Action::FindPrevious if model.needle().is_none() => {
            Some("nothing is searched for")
        }
        Action::Find if model.focus == Pane::Throughput => Some("there is nothing to find here"),
        Action::SchemaTrouble if !has_trouble(model) && !model.only.schema_trouble => {
            Some("no schema change needs you")
        }
        _ => None,
    }
}

fn row_refusal(model: &Model) -> Option<&'static str> {
    let selected = selected_table(model).map(|(name, _)| name);
    let refused = model
        .latest
        .refused_table()
        .filter(|one| Some(*one) == selected);
    match refused {
        Some(_) => None,
        None => Some("the target refuses no row of this table"),
    }
}

/// Why nothing else takes the place of a running engine.
pub(crate) const STOP_FIRST: &str = "stop the engine first";

/// Why nothing is asked of the engine or of a server.
pub(crate) const READ_ONLY: &str = "this console is read-only";

/// What a console that only shows leaves alone. Leaving stays possible, and asks as ever.
const fn asks_something(action: Action) -> bool {
    matches!(
        action,
        Action::Pause
            | Action::RetryNow
            | Action::SkipTransaction
            | Action::Stop
            | Action::SchemaRetry
            | Action::SchemaSkip
            | Action::SchemaEdit
            | Action::SnapshotCopy
            | Action::SnapshotPause
            | Action::SnapshotMore
            | Action::SnapshotFewer
            | Action::VerifyStart
            | Action::VerifyStop
            | Action::VerifyRepair
            | Action::VerifyValues
    )
}

/// The start screen has a menu and what is the same everywhere.
const fn means_something_at_the_start(action: Action) -> bool {
    matches!(
        action,
        Action::Help
            | Action::Palette
            | Action::Up
            | Action::Down
            | Action::First
            | Action::Last
            | Action::NextPane
            | Action::PreviousPane
            | Action::Open
            | Action::Back
            | Action::Mouse
            | Action::Redraw
            | Action::Suspend
            | Action::Quit
            | Action::Interrupt
            | Action::Init
            | Action::TearDown
            | Action::Config
            | Action::OpenFile
            | Action::Lessons
    )
}

/// Returns the failure whose transaction may be skipped.
pub(crate) fn refused(model: &Model) -> Option<&Failure> {
    let failure = model.latest.last_error.as_ref()?;
    let held = matches!(model.latest.phase, Phase::Held);
    (held && failure.transaction.is_some()).then_some(failure)
}

fn has_trouble(model: &Model) -> bool {
    let mut changes = model.status().schema_changes.iter();
    changes.any(|change| matches!(change.state, SchemaState::Failed | SchemaState::NotApplied))
}

/// Returns whether a schema change stands refused.
pub(crate) fn has_failed_change(model: &Model) -> bool {
    let mut changes = model.latest.schema_changes.iter();
    changes.any(|change| change.state == SchemaState::Failed)
}

/// As many as the configuration allows.
pub(crate) const WORKERS_MAX: usize = 64;

fn copy_refusal(model: &Model, action: Action) -> Option<&'static str> {
    match action {
        _ if model.latest.snapshot.is_none() => Some("no table is copied here"),
        _ if matches!(model.latest.phase, Phase::Stopped | Phase::Crashed) => {
            Some("the engine is not running")
        }
        Action::SnapshotCopy => match selected_copy(model).map(|table| table.state) {
            Some(CopyState::Ready | CopyState::CatchingUp | CopyState::Failed) => None,
            Some(CopyState::Waiting) => Some("it waits for its turn already"),
            Some(CopyState::Copying | CopyState::Indexing) => Some("it is being copied"),
            None => Some("no table is selected"),
        },
        Action::SnapshotMore if model.worker_count() >= Some(WORKERS_MAX) => {
            Some("more than 64 copies at a time are not to be had")
        }
        Action::SnapshotFewer if model.worker_count() <= Some(1) => {
            Some("one copy at a time is the least; copying can be paused")
        }
        _ => None,
    }
}

fn proof_refusal(model: &Model, action: Action) -> Option<&'static str> {
    let runs = model.proof.running.is_some();
    match action {
        Action::VerifyStop if !runs => Some("nothing is being compared"),
        Action::VerifyStop => None,
        _ if runs => Some("a comparison runs"),
        Action::VerifyValues => match selected_compared(model) {
            Some(one) if one.table.is_some() && one.verdict == Verdict::Different => None,
            Some(_) | None => Some("select a table that differs"),
        },
        _ => None,
    }
}

fn has_unequal(model: &Model) -> bool {
    let mut all = model.proof.compared.iter();
    all.any(|one| one.verdict != Verdict::Equal)
}

fn has_failed_copy(model: &Model) -> bool {
    let snapshot = model.status().snapshot.as_ref();
    snapshot.is_some_and(|snapshot| snapshot.count(CopyState::Failed) > 0)
}
