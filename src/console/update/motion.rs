//! Moving in a pane and finding in it.

use crate::console::action::Pane;
use crate::console::model::Model;
use crate::console::model::cursor::{Step, first_visible, moved};

/// Moves the selection of a pane.
pub(super) fn step(model: &mut Model, pane: Pane, step: Step) {
    if pane == Pane::Logs {
        return step_logs(model, step);
    }
    let rows = model.rows(pane);
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    if let Some(cursor) = model.cursor_mut(pane) {
        cursor.step(&keys, step);
    }
}

/// Selects the row at this line of a list that shows so many rows.
pub(super) fn click(model: &mut Model, pane: Pane, line: usize, height: usize) {
    let rows = model.rows(pane);
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    if let Some(cursor) = model.cursor_mut(pane) {
        let selected = cursor.index(&keys).unwrap_or(0);
        cursor.select(&keys, first_visible(selected, keys.len(), height) + line);
    }
}

/// Scrolling up leaves the end and stops following; the last line follows again.
fn step_logs(model: &mut Model, step: Step) {
    let visible = model.logs.visible(model.log_end());
    let Some(last) = visible.len().checked_sub(1) else {
        return;
    };
    let index = log_index(model, &visible).unwrap_or(last);
    let next = moved(index, last, step);
    let follows = next == last && !matches!(step, Step::By(isize::MIN..=-1));
    model.logs.selected = (!follows).then(|| visible[next]);
}

/// Returns where the selected log line is among those shown.
fn log_index(model: &Model, visible: &[u64]) -> Option<usize> {
    let selected = model.logs.selected?;
    let index = visible.partition_point(|number| *number < selected);
    Some(index.min(visible.len().checked_sub(1)?))
}

/// Selects the next (or previous) row that holds the text searched for; returns whether there is
/// one. It goes on from the other end.
pub(super) fn find(model: &mut Model, forward: bool) -> bool {
    let Some(needle) = model.needle() else {
        return false;
    };
    match model.focus {
        Pane::Logs => find_log(model, &needle, forward),
        pane => find_row(model, pane, &needle, forward),
    }
}

fn find_row(model: &mut Model, pane: Pane, needle: &str, forward: bool) -> bool {
    let rows = model.rows(pane);
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let Some(cursor) = model.cursor_mut(pane) else {
        return false;
    };
    let start = cursor.index(&keys).unwrap_or(0);
    let found = around(start, rows.len(), forward, |index| {
        rows[index].holds(needle)
    });
    if let Some(index) = found {
        cursor.select(&keys, index);
    }
    found.is_some()
}

fn find_log(model: &mut Model, needle: &str, forward: bool) -> bool {
    let visible = model.logs.visible(model.log_end());
    let start = log_index(model, &visible).unwrap_or(visible.len().saturating_sub(1));
    let found = around(start, visible.len(), forward, |index| {
        let line = model.logs.get(visible[index]);
        line.is_some_and(|line| line.holds(needle))
    });
    if let Some(index) = found {
        model.logs.selected = Some(visible[index]);
    }
    found.is_some()
}

/// Returns the first index after (or before) `start`, around the end, that `holds`; `start` itself
/// comes last.
fn around(start: usize, len: usize, forward: bool, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let steps = 1..=len;
    let mut indexes = steps.map(|step| match forward {
        true => (start + step) % len,
        false => (start + len - step) % len,
    });
    indexes.find(|index| holds(*index))
}
