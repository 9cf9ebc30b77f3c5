//! The Snapshot screen beside its list, and what the dashboard shows of it: how far all copies are
//! together, a line while they are under way, a badge, and why there is nothing to see.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::config::key;
use crate::console::action::{Action, Pane};
use crate::console::layout::Class;
use crate::console::model::{CopyOrder, Model};
use crate::console::theme::Role;
use crate::console::{format, status_glyph};
use crate::status::{CopyState, Phase, Snapshot};

use super::gauge::gauge;
use super::paint::{self, Frame};

/// Draws what all copies have done together: in a frame where there is room for one.
pub(super) fn totals(model: &Model, place: Rect, buffer: &mut Buffer) {
    let snapshot = model.status().snapshot.as_deref();
    let inner = if place.height < 3 {
        place
    } else {
        let read_at = snapshot.and_then(|one| one.consistent_point);
        let read_at = read_at.map_or_else(String::new, |lsn| format!("read at {lsn}"));
        let summary = Line::styled(read_at, model.display.theme.style(Role::Quiet));
        let titles = ("All tables", summary);
        paint::frame(model.display.theme, Frame::Pane, titles, place, buffer)
    };
    if let Some(snapshot) = snapshot {
        let words = figures(model, snapshot);
        gauge(model.display.theme, snapshot.done(), words, inner, buffer);
    }
}

/// Draws one line for the dashboard: how far all copies are, and where to see more.
pub(super) fn progress(model: &Model, place: Rect, buffer: &mut Buffer) {
    let Some(snapshot) = &model.status().snapshot else {
        return;
    };
    let opens = format!("  {} opens it ", model.keymap.label(Action::Snapshot));
    let width = u16::try_from(opens.len()).unwrap_or(u16::MAX);
    let [mut left, right] = [place, place];
    left.width = place.width.saturating_sub(width);
    let mut words = vec![format!("tables {}", ready_of(snapshot))];
    words.extend(failed(snapshot));
    words.extend(paused(snapshot));
    words.extend(pace(snapshot));
    gauge(model.display.theme, snapshot.done(), words, left, buffer);
    let style = model.display.theme.style(Role::Quiet);
    paint::text_right(&Line::styled(opens, style), 0, right, buffer);
}

/// What is worth knowing of all copies together, the most important first.
fn figures(model: &Model, snapshot: &Snapshot) -> Vec<String> {
    let mut figures: Vec<String> = paused(snapshot).into_iter().collect();
    let copied = format::bytes(snapshot.byte_count);
    if snapshot.is_settled() {
        figures.push(copied);
        let took = snapshot.started_at_ms.zip(snapshot.finished_at_ms);
        figures.extend(
            took.map(|(from, to)| format!("in {}", format::whole_seconds((to - from) / 1000))),
        );
    } else {
        figures.push(format!(
            "{copied} of {}",
            format::bytes(snapshot.bytes_expected)
        ));
        figures.extend(pace(snapshot));
        figures.push(workers(snapshot));
    }
    let ours = model.status().slots.iter().find(|slot| slot.ours);
    let kept = ours.and_then(|slot| slot.retained_bytes);
    figures.extend(kept.map(|kept| format!("WAL kept {}", format::maybe_bytes(Some(kept)))));
    figures
}

/// How fast, and how long still; nothing while nothing moves.
fn pace(snapshot: &Snapshot) -> Vec<String> {
    let rate = format::whole(snapshot.bytes_per_s);
    let mut words = Vec::new();
    if rate > 0 && snapshot.busy_count > 0 {
        words.push(format!("{}/s", format::bytes(rate)));
        let left = snapshot.left_s.map(format::short_seconds);
        words.extend(left.map(|left| format!("{left} left")));
    }
    words
}

fn workers(snapshot: &Snapshot) -> String {
    let noun = if snapshot.worker_count == 1 {
        "worker"
    } else {
        "workers"
    };
    match snapshot.busy_count {
        busy if busy == snapshot.worker_count => format!("{busy} {noun}"),
        busy => format!("{busy}/{} {noun}", snapshot.worker_count),
    }
}

fn paused(snapshot: &Snapshot) -> Option<String> {
    let words = match snapshot.busy_count {
        0 => "‖ paused".to_owned(),
        busy => format!("‖ paused, {busy} to finish"),
    };
    snapshot.paused.then_some(words)
}

fn failed(snapshot: &Snapshot) -> Option<String> {
    let count = snapshot.count(CopyState::Failed);
    (count > 0).then(|| format!("{count} ✗ failed"))
}

fn ready_of(snapshot: &Snapshot) -> String {
    format!(
        "{}/{}",
        snapshot.count(CopyState::Ready),
        snapshot.tables.len()
    )
}

/// Returns the badge of the header while tables are copied beside the stream, or have failed.
pub(super) fn badge(model: &Model, class: Class) -> Option<(String, Role)> {
    let status = model.status();
    let snapshot = status.snapshot.as_deref()?;
    let failed = snapshot.count(CopyState::Failed);
    let beside = status.phase != Phase::Copying && !snapshot.is_settled();
    let text = match (failed, beside) {
        // The screen itself says it, and has no room to say it twice.
        _ if model.focus == Pane::Snapshot && class == Class::Compact => return None,
        (0, false) => return None,
        (0, true) => ready_of(snapshot),
        (failed, false) => format!("{failed} ✗"),
        (failed, true) => format!("{} {failed} ✗", ready_of(snapshot)),
    };
    let role = if failed > 0 { Role::Bad } else { Role::Accent };
    let name = if class == Class::Compact {
        "⇉"
    } else {
        "snapshot"
    };
    Some((format!("{name} {text}"), role))
}

/// How many tables are in which state, and what the list leaves out.
pub(super) fn summary(model: &Model) -> Line<'static> {
    let theme = model.display.theme;
    let Some(snapshot) = &model.status().snapshot else {
        return Line::default();
    };
    let states = [
        CopyState::Ready,
        CopyState::CatchingUp,
        CopyState::Indexing,
        CopyState::Copying,
        CopyState::Waiting,
        CopyState::Failed,
    ];
    let mut spans = Vec::new();
    for state in states {
        let (sign, count) = (status_glyph::of_copy(state), snapshot.count(state));
        if count > 0 {
            let text = format!("{count} {}  ", sign.glyph);
            spans.push(Span::styled(text, theme.style(sign.role)));
        }
    }
    let order = match model.sorting.copies {
        CopyOrder::State => "by state",
        CopyOrder::Size => "by size",
        CopyOrder::Name => "by name",
    };
    spans.push(Span::styled(order, theme.style(Role::Quiet)));
    if model.only.failed_copies {
        spans.push(Span::styled(" · only ✗", theme.style(Role::Found)));
    }
    Line::from(spans)
}

/// Why there is no table to see, and how to have them copied.
pub(super) fn empty(model: &Model, inner: Rect, buffer: &mut Buffer) {
    let status = model.status();
    let enabled = format!("{}=true", key::SNAPSHOT_ENABLED);
    let lines: &[&str] = match &status.snapshot {
        Some(_) if model.needle().is_some() => &["no table matches"],
        Some(_) if model.only.failed_copies => &["no table has failed"],
        Some(_) => &["there is no table to copy"],
        None if status.phase == Phase::Starting => &["the servers have not answered yet"],
        None => &[
            "Nothing is copied: only what changes from now on replicates.",
            "To have the tables that exist copied too, start with",
            &enabled,
        ],
    };
    let mut row = 1;
    for line in lines {
        row = super::explain::explain(model, line, row, inner, buffer);
    }
}
