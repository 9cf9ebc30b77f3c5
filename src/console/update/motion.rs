//! Moving in a pane and finding in it.

use crate::console::action::Pane;
use crate::console::items::items;
use crate::console::model::Model;
use crate::console::model::cursor::{Cursor, Offset, Step, moved};

/// Moves the selection of a pane.
pub(super) fn step(model: &mut Model, pane: Pane, step: Step) {
    if pane == Pane::Logs {
        return step_logs(model, step);
    }
    with_cursor(model, pane, |cursor, keys, height| {
        cursor.step(keys, step, height);
    });
}

/// Selects the row with this key.
pub(super) fn select(model: &mut Model, pane: Pane, key: &str) {
    with_cursor(model, pane, |cursor, keys, height| {
        if let Some(index) = keys.iter().position(|one| one == key) {
            cursor.select(keys, index, height);
        }
    });
}

/// Selects the row in this line of the view.
pub(super) fn click(model: &mut Model, pane: Pane, line: usize) {
    if pane == Pane::Logs {
        return click_log(model, line);
    }
    with_cursor(model, pane, |cursor, keys, height| {
        cursor.point(keys, line, height);
    });
}

/// Moves the view.
pub(super) fn scroll(model: &mut Model, pane: Pane, rows: isize) {
    if pane == Pane::Logs {
        return scroll_logs(model, rows);
    }
    with_cursor(model, pane, |cursor, keys, height| {
        cursor.scroll(keys, rows, height);
    });
}

/// Brings what is selected back into the views, whose sizes have changed.
pub(super) fn resized(model: &mut Model) {
    for pane in LISTS {
        with_cursor(model, pane, |cursor, keys, height| {
            cursor.show(keys, height);
        });
    }
    let visible = model.logs.visible();
    if let Some(index) = log_index(model, &visible) {
        let size = (visible.len(), model.view_rows(Pane::Logs));
        model.logs.offset.follow(index, index, size);
    }
}

const LISTS: [Pane; 5] = [
    Pane::Slots,
    Pane::Schema,
    Pane::Tables,
    Pane::Snapshot,
    Pane::Verify,
];

fn with_cursor(model: &mut Model, pane: Pane, change: impl FnOnce(&mut Cursor, &[String], usize)) {
    let keys = keys(model, pane);
    let height = model.view_rows(pane);
    let Some(cursor) = model.cursor_mut(pane) else {
        return;
    };
    change(cursor, &keys, height);
    // Whoever comes near to the end of what is known of the past wants to see more of it.
    if pane == Pane::Schema && cursor.top(&keys, height) + 2 * height >= keys.len() {
        model.servers.history.want_older();
    }
}

fn keys(model: &Model, pane: Pane) -> Vec<String> {
    let items = items(model, pane);
    items.iter().map(|item| item.key().into_owned()).collect()
}

/// Scrolling up leaves the end and stops following; the last line follows again.
fn step_logs(model: &mut Model, step: Step) {
    let visible = model.logs.visible();
    let Some(last) = visible.len().checked_sub(1) else {
        return;
    };
    let index = log_index(model, &visible).unwrap_or(last);
    let next = moved(index, last, step);
    let follows = next == last && !matches!(step, Step::By(isize::MIN..=-1));
    select_log(model, &visible, next);
    model.logs.selected = model.logs.selected.filter(|_| !follows);
}

/// Stops following: the latest line is selected.
pub(super) fn read_log(model: &mut Model) {
    let visible = model.logs.visible();
    select_log(model, &visible, visible.len().saturating_sub(1));
}

/// Selects a line; the view follows. Who begins to read sees what he saw.
fn select_log(model: &mut Model, visible: &[u64], index: usize) {
    let size = (visible.len(), model.view_rows(Pane::Logs));
    let before = begin_to_read(model, visible, size);
    model.logs.selected = visible.get(index).copied();
    model.logs.offset.follow(before, index, size);
}

/// Returns where the selection is; a log that is followed has its last line at the bottom.
fn begin_to_read(model: &mut Model, visible: &[u64], size: (usize, usize)) -> usize {
    log_index(model, visible).unwrap_or_else(|| {
        let last = visible.len().saturating_sub(1);
        model.logs.offset = Offset::default();
        model.logs.offset.follow(last, last, size);
        last
    })
}

fn click_log(model: &mut Model, line: usize) {
    let visible = model.logs.visible();
    let size = (visible.len(), model.view_rows(Pane::Logs));
    let selected = begin_to_read(model, &visible, size);
    let top = model.logs.offset.top(selected, size);
    if let Some(number) = visible.get(top + line) {
        model.logs.selected = Some(*number);
        model.logs.offset.place(top + line, top);
    }
}

/// A view that is scrolled to the end follows again.
fn scroll_logs(model: &mut Model, rows: isize) {
    let visible = model.logs.visible();
    let size = (visible.len(), model.view_rows(Pane::Logs));
    if visible.is_empty() || rows > 0 && model.logs.selected.is_none() {
        return;
    }
    let selected = begin_to_read(model, &visible, size);
    model.logs.offset.scroll(rows, selected, size);
    let at_end = model.logs.offset.top(selected, size) + size.1 >= size.0;
    let reads = !(at_end && rows > 0);
    model.logs.selected = visible.get(selected).copied().filter(|_| reads);
}

/// Returns where the selected log line is among those shown.
fn log_index(model: &Model, visible: &[u64]) -> Option<usize> {
    let selected = model.logs.selected?;
    let index = visible.partition_point(|number| *number < selected);
    Some(index.min(visible.len().checked_sub(1)?))
}

/// Selects the first that holds the text searched for, from where one is; returns whether there is one.
pub(super) fn begin_find(model: &mut Model) -> bool {
    match model.focus {
        Pane::Logs => find(model, true),
        // It shows what matches, and something is selected.
        pane => !items(model, pane).is_empty(),
    }
}

/// Selects the next (or previous) row that holds the text searched for; returns whether there is
/// one. It goes on from the other end.
pub(super) fn find(model: &mut Model, forward: bool) -> bool {
    let Some(needle) = model.needle() else {
        return false;
    };
    match model.focus {
        Pane::Logs => find_log(model, &needle, forward),
        pane => find_row(model, pane, forward),
    }
}

/// A list that is searched shows what matches, and nothing else: the next one is the next row.
fn find_row(model: &mut Model, pane: Pane, forward: bool) -> bool {
    let keys = keys(model, pane);
    let height = model.view_rows(pane);
    let Some(cursor) = model.cursor_mut(pane) else {
        return false;
    };
    let start = cursor.index(&keys).unwrap_or(0);
    let found = around(start, keys.len(), forward, |_| true);
    if let Some(index) = found {
        cursor.select(&keys, index, height);
    }
    found.is_some()
}

fn find_log(model: &mut Model, needle: &str, forward: bool) -> bool {
    let visible = model.logs.visible();
    let start = log_index(model, &visible).unwrap_or(visible.len().saturating_sub(1));
    let found = around(start, visible.len(), forward, |index| {
        let line = model.logs.get(visible[index]);
        line.is_some_and(|line| line.holds(needle))
    });
    if let Some(index) = found {
        select_log(model, &visible, index);
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
