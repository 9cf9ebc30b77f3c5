//! What is asked on the Snapshot screen.

use crate::console::items::selected_copy;
use crate::console::message::Effect;
use crate::console::model::{CopyOrder, Model};
use crate::status::{Command, CopyCommand, CopyState};

use super::ask;

/// Copies the selected table again; asks when that replaces good rows.
pub(super) fn again(model: &mut Model) -> Vec<Effect> {
    model.overlay = None;
    let Some(table) = selected_copy(model).cloned() else {
        return Vec::new();
    };
    if table.state == CopyState::Failed {
        let relation = table.relation;
        return command(CopyCommand::Table { relation });
    }
    ask::copy_again(model, &table);
    Vec::new()
}

/// Lets no copy begin any more, or lets them begin again.
pub(super) fn pause_or_resume(model: &Model) -> Vec<Effect> {
    let snapshot = model.latest.snapshot.as_ref();
    let paused = snapshot.is_some_and(|snapshot| snapshot.paused);
    command(if paused {
        CopyCommand::Resume
    } else {
        CopyCommand::Pause
    })
}

/// Lets more or fewer copies run at the same time.
pub(super) fn workers(model: &mut Model, by: isize) -> Vec<Effect> {
    let now = model.worker_count().unwrap_or(1);
    let count = now.saturating_add_signed(by).max(1);
    model.workers_asked = Some(count);
    command(CopyCommand::Workers { count })
}

pub(super) const fn sort(model: &mut Model) {
    model.sorting.copies = match model.sorting.copies {
        CopyOrder::State => CopyOrder::Size,
        CopyOrder::Size => CopyOrder::Name,
        CopyOrder::Name => CopyOrder::State,
    };
}

/// Forgets the number of workers that was asked for once the status has it.
pub(super) fn on_status(model: &mut Model) {
    let snapshot = model.latest.snapshot.as_ref();
    let count = snapshot.map(|snapshot| snapshot.worker_count);
    model.workers_asked = model.workers_asked.filter(|_| model.workers_asked != count);
}

fn command(command: CopyCommand) -> Vec<Effect> {
    vec![Effect::Command(Command::Copy(command))]
}
