//! Clicks: on hints, tabs, headings, buttons and rows. Each does what its key does.

use crate::console::action::{Action, Pane};
use crate::console::layout::Class;
use crate::console::message::Effect;
use crate::console::model::overlay::{Answer, Overlay};
use crate::console::model::{Clicked, Model};
use crate::console::view;

use super::{act, ask, keys, motion};

/// A second click on the same row within this time opens it.
const DOUBLE_MS: i64 = 400;

/// Takes a click.
pub(super) fn on_click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    let layout = model.layout();
    if layout.hints.contains((column, row).into()) {
        let key = view::key_at(model, layout.hints.width, column);
        return key.map_or_else(Vec::new, |chord| keys::on_key(model, chord));
    }
    if model.overlay.is_some() {
        return on_button(model, (column, row));
    }
    if model.is_covered() {
        return Vec::new();
    }
    if layout.class == Class::Compact && layout.figures.contains((column, row).into()) {
        if let Some(pane) = view::tab_at(model, layout.figures, column) {
            act::go(model, pane);
        }
        return Vec::new();
    }
    let Some((pane, place)) = layout.pane_at(column, row) else {
        return Vec::new();
    };
    act::go(model, pane);
    let Some(line) = row.checked_sub(place.y + 1) else {
        return Vec::new();
    };
    match (pane, line) {
        (Pane::Slots, 0) => act(model, Action::SlotsSort),
        (Pane::Tables, 0) => act(model, Action::TablesSort),
        (Pane::Snapshot, 0) => act(model, Action::SnapshotSort),
        (Pane::Schema | Pane::Verify, 0) | (Pane::Throughput, _) => Vec::new(),
        (Pane::Logs, line) => on_row(model, pane, usize::from(line)),
        (_, line) => on_row(model, pane, usize::from(line) - 1),
    }
}

fn on_row(model: &mut Model, pane: Pane, line: usize) -> Vec<Effect> {
    let now_ms = model.now_ms;
    let last = model.clicked.replace(Clicked {
        pane,
        line,
        at_ms: now_ms,
    });
    motion::click(model, pane, line);
    let twice = last.is_some_and(|last| {
        (last.pane, last.line) == (pane, line) && now_ms - last.at_ms <= DOUBLE_MS
    });
    match twice {
        true => act(model, Action::Open),
        false => Vec::new(),
    }
}

/// A click chooses an answer; a click on the chosen one gives it.
fn on_button(model: &mut Model, at: (u16, u16)) -> Vec<Effect> {
    let room = view::room_over(model);
    let Some(Overlay::Question(question)) = &mut model.overlay else {
        return Vec::new();
    };
    let Some(wanted) = view::button_at(question, room, at) else {
        return Vec::new();
    };
    let purpose = question.purpose;
    match &mut question.answer {
        Answer::Choice { go } if *go != wanted => *go = wanted,
        Answer::Choice { go: true } => return ask::confirmed(model, purpose),
        Answer::Choice { go: false } => model.overlay = None,
        Answer::Typed { .. } => {}
    }
    Vec::new()
}
