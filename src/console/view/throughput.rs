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
use crate::engine::status::{BATCH_BOUNDS_MS, Sample};

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
fn course(model: &Model, samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let missing = model.window.seconds().saturating_sub(samples.len());
    let mut values = vec![0.0; missing];
    values.extend(samples.iter().map(value));
    values
}

fn chart_of(model: &Model, samples: &[Sample], place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let unit = model.unit;
    let values = course(model, samples, |sample| match unit {
        Unit::Rows => sample.rows.into(),
        Unit::Transactions => sample.transactions.into(),
        Unit::Bytes => sample.bytes.into(),
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
    let lag = model.lag();
    // Whoever counts in bytes sees the lag in bytes, too.
    let in_bytes = model.unit == Unit::Bytes;
    let values = course(model, samples, |sample| match in_bytes {
        true => format::float(sample.lag_bytes),
        false => sample.lag_s.into(),
    });
    let max = values.iter().copied().fold(0.0, f64::max);
    let seconds = format::known(lag.seconds, format::seconds);
    let bytes = format::known(lag.bytes, format::bytes);
    let words = match (place.height, in_bytes) {
        (0 | 1, true) => format!("lag {bytes} "),
        (0 | 1, false) => format!("lag {seconds} "),
        (_, true) => {
            let max = format::bytes(format::whole(max));
            format!("lag now {bytes} of WAL, max {max}, {seconds}")
        }
        (_, false) => {
            let max = format::seconds(max);
            format!("lag now {seconds}, max {max}, {bytes} of WAL")
        }
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

/// Cells of one bar of the histogram with the gap behind it.
const BAR: usize = 6;

/// Draws how many of the latest batches took how long: a bar for each span of time, its count
/// above it, its bound below.
pub(super) fn batches(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.look.theme;
    let times = model.status().batches;
    let summary = format!(
        "p50 {} · p95 {} · max {}",
        format::millis(times.p50_ms),
        format::millis(times.p95_ms),
        format::millis(times.max_ms)
    );
    let titles = (
        "· Batches by time",
        Line::styled(summary, theme.style(Role::Quiet)),
    );
    let inner = paint::frame(theme, Frame::Pane, titles, place, buffer);
    let Some(rows) = usize::from(inner.height).checked_sub(4) else {
        return;
    };
    let most = times.counts.iter().copied().max().unwrap_or(0);
    let heights: Vec<f64> = times.counts.iter().map(|count| f64::from(*count)).collect();
    let bars = plot::columns(&heights, (heights.len(), rows), f64::from(most));
    let cells = |texts: &[String]| -> String {
        let texts = texts.iter().map(|text| format!("{text:^BAR$}"));
        format!(" {}", texts.collect::<String>())
    };
    let counts = times.counts.map(|count| match count {
        0 => String::new(),
        count => format::short_count(f64::from(count)),
    });
    let mut lines = vec![Line::styled(cells(&counts), theme.style(Role::Text))];
    lines.extend(bars.iter().map(|line| {
        let bar = |glyph: char| glyph.to_string().repeat(BAR - 1) + " ";
        let text: String = line.chars().map(bar).collect();
        Line::styled(format!(" {text}"), theme.style(Role::Good))
    }));
    lines.push(Line::styled(cells(&bounds()), theme.style(Role::Quiet)));
    lines.push(Line::styled(
        format!(
            " ms · row changes in a batch: p50 {}, p95 {}",
            format::count(times.rows_p50),
            format::count(times.rows_p95)
        ),
        theme.style(Role::Quiet),
    ));
    for (row, line) in (0..inner.height).zip(&lines) {
        paint::text(line, row, inner, buffer);
    }
}

/// What stands below the bars: `<1`, `<2` … and the last bound again for the rest.
fn bounds() -> Vec<String> {
    let mut texts: Vec<String> = BATCH_BOUNDS_MS
        .iter()
        .map(|bound| format!("<{bound}"))
        .collect();
    let last = BATCH_BOUNDS_MS.last();
    texts.extend(last.map(|bound| format!("≥{bound}")));
    texts
}
