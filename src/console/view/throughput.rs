//! How fast, and how far behind: the chart of the chosen unit and that of the lag, over one axis of
//! time with what happened on it; and how long batches took.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Bar, BarChart, Widget as _};

use crate::console::action::Pane;
use crate::console::model::{Model, Unit};
use crate::console::theme::Role;
use crate::console::{format, status_glyph, threshold};
use crate::status::BATCH_BOUNDS_MS;

use super::paint::{self, Frame};
use super::plot::{self, Cells};

/// Cells of the labels at the left, and of the axis behind them.
const LABELS: u16 = 7;
/// A lag below this many seconds is no hill.
const LAG_TOP_MIN_S: f64 = 1.0;

/// Draws the pane.
pub(super) fn pane(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    let focused = model.has_keys(Pane::Throughput);
    let frame = if focused { Frame::Focus } else { Frame::Pane };
    let summary = Line::styled(
        format!("{} · {}", unit_name(model.unit), model.window.name()),
        theme.style(Role::Quiet),
    );
    let inner = paint::frame(theme, frame, ("3 Throughput", summary), place, buffer);
    let chart = Chart::new(model, inner.width.saturating_sub(LABELS + 1));
    let words = u16::from(inner.height >= 3);
    let ticks = u16::from(inner.height >= 5);
    let rest = inner.height - words - ticks;
    let lag = (rest / 3).max(u16::from(rest >= 2));
    let [rate, lag, ticks, words] = Split::vertical([
        Constraint::Fill(1),
        Constraint::Length(lag),
        Constraint::Length(ticks),
        Constraint::Length(words),
    ])
    .areas(inner);
    chart.rate(rate, buffer);
    chart.lag(lag, buffer);
    chart.ticks(ticks, buffer);
    chart.words(words, buffer);
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Rows => "rows/s",
        Unit::Transactions => "tx/s",
        Unit::Bytes => "bytes/s",
    }
}

/// Both charts, over the same cells.
struct Chart<'a> {
    model: &'a Model,
    cells: Cells,
    rate: Vec<f64>,
    lag: Vec<f64>,
}

impl<'a> Chart<'a> {
    fn new(model: &'a Model, width: u16) -> Self {
        let status = model.status();
        let now_s = match status.samples.last() {
            Some(sample) => sample.at_s.max(status.at_ms.div_euclid(1000)),
            None => status.at_ms.div_euclid(1000),
        };
        let window_s = i64::try_from(model.window.seconds()).unwrap_or(i64::MAX);
        let cells = Cells::new(window_s, width, now_s);
        let unit = model.unit;
        let rate = cells.course(&status.samples, |sample| match unit {
            Unit::Rows => sample.rows.into(),
            Unit::Transactions => sample.transactions.into(),
            Unit::Bytes => sample.bytes.into(),
        });
        // Whoever counts in bytes sees the lag in bytes, too.
        let lag = cells.course(&status.samples, |sample| match unit {
            Unit::Bytes => format::float(sample.lag_bytes),
            Unit::Rows | Unit::Transactions => sample.lag_s.into(),
        });
        Self {
            model,
            cells,
            rate,
            lag,
        }
    }

    fn label(&self, value: f64) -> String {
        match self.model.unit {
            Unit::Rows | Unit::Transactions => format::short_count(value),
            Unit::Bytes => format::bytes(format::whole(value)),
        }
    }

    fn lag_label(&self, value: f64) -> String {
        match self.model.unit {
            Unit::Bytes => format::bytes(format::whole(value)),
            Unit::Rows | Unit::Transactions => format::lag(value),
        }
    }

    fn rate(&self, place: Rect, buffer: &mut Buffer) {
        let peak = highest(&self.rate);
        let top = match self.model.unit {
            Unit::Bytes => plot::round_up_bytes(peak),
            Unit::Rows | Unit::Transactions => plot::round_up(peak),
        };
        let labels = [self.label(top), "0".to_owned()];
        let place = self.axis(labels, place, buffer);
        let theme = self.model.display.theme;
        plot::draw(theme, (&self.rate, top), |_| Role::Good, place, buffer);
    }

    fn lag(&self, place: Rect, buffer: &mut Buffer) {
        let in_bytes = self.model.unit == Unit::Bytes;
        let max = highest(&self.lag);
        let top = match in_bytes {
            true => plot::round_up_bytes(max),
            false => max.max(LAG_TOP_MIN_S),
        };
        let labels = match place.height {
            1 => ["lag".to_owned(), String::new()],
            _ => [self.lag_label(top), "lag".to_owned()],
        };
        let place = self.axis(labels, place, buffer);
        let role = |value| match threshold::of_lag(Some(value)) {
            Role::Text => Role::Accent,
            worse if !in_bytes => worse,
            _ => Role::Accent,
        };
        let theme = self.model.display.theme;
        plot::draw(theme, (&self.lag, top), role, place, buffer);
    }

    /// Labels of the first and the last row, and the line beside the chart; returns its place.
    fn axis(&self, [top, bottom]: [String; 2], place: Rect, buffer: &mut Buffer) -> Rect {
        let last = place.height.saturating_sub(1);
        for row in 0..place.height {
            let label = match row {
                0 => top.as_str(),
                row if row == last => bottom.as_str(),
                _ => "",
            };
            let label = paint::fit(label, usize::from(LABELS), true);
            let style = self.model.display.theme.style(Role::Quiet);
            paint::text(
                &Line::styled(format!("{label}│"), style),
                row,
                place,
                buffer,
            );
        }
        self.beside_axis(place)
    }

    fn beside_axis(&self, place: Rect) -> Rect {
        let width = self.cells.count.min(place.width.saturating_sub(LABELS + 1));
        Rect {
            x: place.right().saturating_sub(width),
            width,
            ..place
        }
    }

    /// The axis of time: round times before now, and what happened.
    fn ticks(&self, place: Rect, buffer: &mut Buffer) {
        let theme = self.model.display.theme;
        let quiet = theme.style(Role::Quiet);
        let line = "─".repeat(usize::from(place.width.saturating_sub(LABELS + 1)));
        let blank = " ".repeat(usize::from(LABELS));
        paint::text(
            &Line::styled(format!("{blank}└{line}"), quiet),
            0,
            place,
            buffer,
        );
        let chart = self.beside_axis(place).intersection(buffer.area);
        let mut write = |cell: u16, text: &str, style| {
            if chart.height > 0 && cell < chart.width {
                let room = usize::from(chart.width - cell);
                buffer.set_stringn(chart.x + cell, chart.y, text, room, style);
            }
        };
        let marks = self.model.marks.iter();
        let marks = marks.filter_map(|mark| Some((self.cells.of(mark.at_s)?, mark.kind)));
        // No mark covers a word in part.
        let is_free = |from: u16, text: &str| {
            let cells = from..from + u16::try_from(text.chars().count()).unwrap_or(u16::MAX - from);
            marks.clone().all(|(cell, _)| !cells.contains(&cell))
        };
        for (cell, ago_s) in self.cells.ticks() {
            let label = format!("┴-{}", format::short_seconds(ago_s));
            let label = if is_free(cell, &label) { &label } else { "┴" };
            write(cell, label, quiet);
        }
        let now = chart.width.saturating_sub(3);
        if is_free(now, "now") {
            write(now, "now", quiet);
        }
        for (cell, kind) in marks {
            let sign = status_glyph::of_mark(kind);
            write(cell, sign.glyph, theme.style(sign.role));
        }
    }

    /// The figures below, as many as there is room for.
    fn words(&self, place: Rect, buffer: &mut Buffer) {
        let theme = self.model.display.theme;
        let lag = self.model.lag();
        let role = threshold::of_lag(lag.seconds);
        let seconds = format::known(lag.seconds, format::lag);
        let bytes = lag.bytes.map(format::bytes);
        // Once the engine has ended nothing replicates, whatever the last sample says.
        let now = match self.model.is_shown_at_rest() {
            true => 0.0,
            false => self.rate.last().copied().unwrap_or(0.0),
        };
        let figures = [
            format!("now {}", self.label(now)),
            format!("peak {}", self.label(highest(&self.rate))),
            format!("lag {seconds}{}", threshold::mark(role)),
            format!("max {}", self.lag_label(highest(&self.lag))),
        ];
        let wal = bytes.map(|bytes| format!("{bytes} of WAL"));
        let figures = figures.into_iter().chain(wal);
        let text = paint::whole_figures(" ", figures, usize::from(place.width));
        let role = if role == Role::Text {
            Role::Quiet
        } else {
            role
        };
        paint::text(&Line::styled(text, theme.style(role)), 0, place, buffer);
    }
}

fn highest(course: &[f64]) -> f64 {
    course.iter().copied().fold(0.0, f64::max)
}

/// Cells of one bar of the histogram, and of the gap behind it.
const BAR: u16 = 5;

/// Draws how many of the latest batches took how long: a bar for each span of time, its count in it,
/// its bound below.
pub(super) fn batches(model: &Model, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
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
    let [chart, words] = Split::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(inner);
    let bars = times.counts.iter().zip(bounds()).map(|(count, bound)| {
        let label = Line::styled(bound, theme.style(Role::Quiet));
        let text = match count {
            0 => String::new(),
            count => format::short_count(f64::from(*count)),
        };
        Bar::with_label(label, u64::from(*count)).text_value(text)
    });
    BarChart::vertical(bars.collect::<Vec<_>>())
        .bar_width(BAR)
        .bar_gap(1)
        .bar_style(theme.style(Role::Good))
        .value_style(theme.style(Role::Selected))
        .render(chart.intersection(buffer.area), buffer);
    let text = format!(
        " ms · row changes in a batch: p50 {}, p95 {}",
        format::count(times.rows_p50),
        format::count(times.rows_p95)
    );
    let line = Line::from(Span::styled(text, theme.style(Role::Quiet)));
    paint::text(&line, 0, words, buffer);
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
