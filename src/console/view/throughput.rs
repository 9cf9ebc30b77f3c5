//! How fast, and how far behind: the chart of the chosen unit, the course of the lag below it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{self, Frame};
use super::plot;
use crate::console::action::Pane;
use crate::console::format;
use crate::console::model::{Model, Unit};
use crate::console::theme::Role;
use crate::engine::status::Sample;

/// Cells of the axis at the left.
const AXIS: u16 = 8;

/// Draws the pane.
pub(super) fn pane(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let focused = model.has_keys(Pane::Throughput);
    let frame = if focused { Frame::Focus } else { Frame::Pane };
    let summary = Line::styled(
        format!("{} · {}", unit_name(model.unit), model.window.name()),
        theme.style(Role::Quiet),
    );
    let inner = paint::frame(theme, frame, ("3 Throughput", summary), place, buffer);
    let samples = window(model);
    let lag_rows = if inner.height >= 9 { 3 } else { 1 };
    let [chart, lag] = split(inner, lag_rows);
    chart_of(model, samples, chart, buffer);
    lag_of(model, samples, lag, buffer);
}

fn split(inner: Rect, below: u16) -> [Rect; 2] {
    let below = below.min(inner.height);
    let above = inner.height - below;
    let chart = Rect {
        height: above,
        ..inner
    };
    let lag = Rect {
        y: inner.y + above,
        height: below,
        ..inner
    };
    [chart, lag]
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Rows => "rows/s",
        Unit::Transactions => "tx/s",
        Unit::Bytes => "bytes/s",
    }
}

/// Returns the samples of the chosen window.
fn window(model: &Model) -> &[Sample] {
    let samples = model.status().samples.as_slice();
    &samples[samples.len().saturating_sub(model.window.seconds())..]
}

/// Returns the course over the whole window: seconds before the start count as zero, so that one
/// cell is the same time in every window.
fn course(model: &Model, samples: &[Sample], value: impl Fn(&Sample) -> f32) -> Vec<f64> {
    let missing = model.window.seconds().saturating_sub(samples.len());
    let mut values = vec![0.0; missing];
    values.extend(samples.iter().map(|sample| f64::from(value(sample))));
    values
}

fn chart_of(model: &Model, samples: &[Sample], place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let unit = model.unit;
    let values = course(model, samples, |sample| match unit {
        Unit::Rows => sample.rows,
        Unit::Transactions => sample.transactions,
        Unit::Bytes => sample.bytes,
    });
    let peak = values.iter().copied().fold(0.0, f64::max);
    let top = plot::round_up(peak);
    let label = |value: f64| match unit {
        Unit::Rows | Unit::Transactions => format::short_count(value),
        Unit::Bytes => format::bytes(format::whole(value)),
    };
    let width = usize::from(place.width.saturating_sub(AXIS));
    let rows = place.height.saturating_sub(1);
    let lines = plot::columns(&values, (width, usize::from(rows)), top);
    for (row, line) in (0..rows).zip(lines) {
        let axis = match row {
            0 => label(top),
            row if row + 1 == rows => "0".to_owned(),
            _ => String::new(),
        };
        let line = Line::from(vec![
            Span::styled(paint::fit(&axis, 7, true), theme.style(Role::Quiet)),
            Span::styled("│", theme.style(Role::Quiet)),
            Span::styled(line, theme.style(Role::Good)),
        ]);
        paint::text(&line, row, place, buffer);
    }
    let latest = values.last().copied().unwrap_or(0.0);
    let foot = format!(
        "        -{}   now {}   peak {}",
        model.window.name(),
        label(latest),
        label(peak)
    );
    paint::text(
        &Line::styled(foot, theme.style(Role::Quiet)),
        rows,
        place,
        buffer,
    );
}

fn lag_of(model: &Model, samples: &[Sample], place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let values = course(model, samples, |sample| sample.lag_s);
    let max = values.iter().copied().fold(0.0, f64::max);
    let now = format::seconds(model.status().lag.seconds);
    let words = if place.height > 1 {
        format!(
            "lag now {now}, max {}, {} of WAL",
            format::seconds(max),
            format::bytes(model.status().lag.bytes)
        )
    } else {
        format!("lag {now} ")
    };
    paint::text(
        &Line::styled(words.clone(), theme.style(Role::Text)),
        0,
        place,
        buffer,
    );
    let (from, rows, indent) = match place.height {
        0 | 1 => (0, 1, u16::try_from(words.chars().count()).unwrap_or(0)),
        height => (1, height - 1, 0),
    };
    let chart = Rect {
        x: place.x + indent.min(place.width),
        width: place.width.saturating_sub(indent),
        ..place
    };
    let size = (usize::from(chart.width), usize::from(rows));
    for (row, line) in (from..).zip(plot::columns(&values, size, max)) {
        paint::text(
            &Line::styled(line, theme.style(Role::Accent)),
            row,
            chart,
            buffer,
        );
    }
}

/// Draws times and sizes of batches as bars.
pub(super) fn batches(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let inner = paint::frame(
        theme,
        Frame::Pane,
        ("· Batches", Line::default()),
        place,
        buffer,
    );
    let times = model.status().batches;
    let width = usize::from(inner.width.saturating_sub(22));
    let bar = |share: f64| {
        let room = format::float(width as u64);
        "█".repeat(usize::try_from(format::whole(share.clamp(0.0, 1.0) * room)).unwrap_or(0))
    };
    let most = times.max_ms.max(0.001);
    let rows = format::float(times.rows_p95.max(1));
    let lines = [
        (
            "time p50",
            format::millis(times.p50_ms),
            bar(times.p50_ms / most),
        ),
        (
            "time p95",
            format::millis(times.p95_ms),
            bar(times.p95_ms / most),
        ),
        (
            "time max",
            format::millis(times.max_ms),
            bar(if times.max_ms > 0.0 { 1.0 } else { 0.0 }),
        ),
        (
            "rows p50",
            format::count(times.rows_p50),
            bar(format::float(times.rows_p50) / rows),
        ),
        (
            "rows p95",
            format::count(times.rows_p95),
            bar(format::float(times.rows_p95) / rows),
        ),
    ];
    for (row, (name, figure, bar)) in (0..).zip(lines) {
        let line = Line::from(vec![
            Span::styled(format!(" {name} {figure:>10}  "), theme.style(Role::Text)),
            Span::styled(bar, theme.style(Role::Good)),
        ]);
        paint::text(&line, row, inner, buffer);
    }
}
