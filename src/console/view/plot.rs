//! Courses over time: samples gathered in cells that stand still while time goes on, drawn as
//! ratatui's sparklines. The ASCII pass of the theme turns their bars into plain characters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, SparklineBar, Widget as _};

use crate::console::format;
use crate::console::theme::{Role, Theme};
use crate::status::Sample;

/// How a stretch of time is divided among cells. A cell is a whole number of seconds that begins at a
/// multiple of itself, so that a sample stays in its cell and only the newest cell grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cells {
    /// So many are needed.
    pub(super) count: u16,
    seconds: i64,
    newest: i64,
}

impl Cells {
    /// Divides the last `window_s` seconds among at most so many cells.
    pub(super) fn new(window_s: i64, cells_max: u16, now_s: i64) -> Self {
        let most = i64::from(cells_max.max(1));
        let seconds = (window_s + most - 1).div_euclid(most).max(1);
        let count = (window_s + seconds - 1).div_euclid(seconds).clamp(1, most);
        Self {
            count: u16::try_from(count).unwrap_or(1),
            seconds,
            newest: now_s.div_euclid(seconds),
        }
    }

    /// Returns the cell of a moment; none when it lies outside.
    pub(super) fn of(self, at_s: i64) -> Option<u16> {
        let ago = u16::try_from(self.newest - at_s.div_euclid(self.seconds)).ok()?;
        (self.count - 1).checked_sub(ago)
    }

    /// Returns the largest value of each cell; a cell without a sample has none.
    pub(super) fn course(self, samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let mut course = vec![0.0_f64; usize::from(self.count)];
        for sample in samples {
            if let Some(cell) = self.of(sample.at_s) {
                let cell = &mut course[usize::from(cell)];
                *cell = cell.max(value(sample));
            }
        }
        course
    }

    /// Returns the cells that stand so many whole steps before now, with the seconds: as close as their
    /// labels allow.
    pub(super) fn ticks(self) -> Vec<(u16, i64)> {
        let span = i64::from(self.count) * self.seconds;
        let wide_enough = |step: &&i64| **step / self.seconds >= LABEL_CELLS;
        let Some(step) = STEPS_S.iter().find(wide_enough) else {
            return Vec::new();
        };
        let ticks = (1..=span / step).filter_map(|number| {
            let ago = number * step;
            let cells = u16::try_from(ago / self.seconds).ok()?;
            Some(((self.count - 1).checked_sub(cells)?, ago))
        });
        ticks.collect()
    }
}

/// A label and a gap behind it.
const LABEL_CELLS: i64 = 9;
/// Distances between ticks that people count in.
const STEPS_S: [i64; 9] = [10, 15, 30, 60, 120, 300, 600, 900, 1800];

/// Draws a course so that its newest value stands at the right edge. What is not zero is never
/// invisible.
pub(super) fn draw(
    theme: Theme,
    (course, top): (&[f64], f64),
    role: impl Fn(f64) -> Role,
    place: Rect,
    buffer: &mut Buffer,
) {
    let place = place.intersection(buffer.area);
    let width = usize::from(place.width).min(course.len());
    if place.is_empty() || width == 0 {
        return;
    }
    let least = SCALE.div_ceil(u64::from(place.height) * 8);
    let bars = course[course.len() - width..].iter().map(|value| {
        let part = if top > 0.0 { value / top } else { 0.0 };
        let height = format::whole(part.clamp(0.0, 1.0) * format::float(SCALE));
        let height = if *value > 0.0 { height.max(least) } else { 0 };
        SparklineBar::from(height).style(Some(theme.style(role(*value))))
    });
    let right = Rect {
        x: place.right() - u16::try_from(width).unwrap_or(place.width),
        width: u16::try_from(width).unwrap_or(place.width),
        ..place
    };
    let bars: Vec<SparklineBar> = bars.collect();
    Sparkline::default()
        .data(bars)
        .max(SCALE)
        .render(right, buffer);
}

/// A bar's full height: enough that eighths of a cell of any window are whole numbers.
const SCALE: u64 = 1 << 20;

/// Returns a round number that is not below the value: 1, 2, 5 times a power of ten.
pub(super) fn round_up(value: f64) -> f64 {
    let mut scale = 1.0;
    while scale < value {
        for step in [1.0, 2.0, 5.0] {
            if scale * step >= value {
                return scale * step;
            }
        }
        scale *= 10.0;
    }
    scale
}

/// Returns a size that is round in the unit in which it is written, and not below the value.
pub(super) fn round_up_bytes(value: f64) -> f64 {
    let mut unit = 1.0;
    while value > unit * 1023.0 {
        unit *= 1024.0;
    }
    let rounded = round_up(value / unit);
    // 2 MB, not 2,000 kB.
    if rounded > 1000.0 {
        unit * 1024.0
    } else {
        rounded * unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_s: i64, rows: f32) -> Sample {
        Sample {
            at_s,
            rows,
            ..Sample::default()
        }
    }

    fn rows(cells: Cells, samples: &[Sample]) -> Vec<f64> {
        cells.course(samples, |sample| sample.rows.into())
    }

    #[test]
    fn a_sample_stays_in_its_cell_while_time_goes_on() {
        let samples = [sample(1000, 7.0), sample(1003, 9.0), sample(1006, 1.0)];
        let at = |now_s| rows(Cells::new(12, 4, now_s), &samples);
        assert_eq!(at(1006), [0.0, 7.0, 9.0, 1.0]);
        assert_eq!(at(1007), [0.0, 7.0, 9.0, 1.0]);
        assert_eq!(at(1008), [7.0, 9.0, 1.0, 0.0]);

        let wide = Cells::new(60, 100, 1006);
        assert_eq!(
            (wide.count, wide.of(1006), wide.of(900)),
            (60, Some(59), None)
        );
    }

    #[test]
    fn ticks_stand_at_round_times_and_leave_room_for_their_labels() {
        assert_eq!(
            Cells::new(300, 44, 0).ticks(),
            [(25, 120), (8, 240)],
            "seven seconds a cell"
        );
        assert_eq!(
            Cells::new(60, 60, 0).ticks(),
            [(49, 10), (39, 20), (29, 30), (19, 40), (9, 50)]
        );
        assert_eq!(Cells::new(300, 3, 0).ticks(), []);
    }

    fn drawn(course: &[f64], top: f64, (width, height): (u16, u16)) -> Vec<String> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let place = buffer.area;
        draw(
            Theme::default(),
            (course, top),
            |_| Role::Text,
            place,
            &mut buffer,
        );
        let rows = buffer.content.chunks(usize::from(width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    #[test]
    fn what_is_not_zero_is_never_invisible_and_now_is_at_the_right() {
        assert_eq!(drawn(&[0.0, 4.0, 8.0], 8.0, (5, 1)), ["   ▄█"]);
        assert_eq!(drawn(&[1.0, 0.001], 1.0, (2, 1)), ["█▁"]);
        assert_eq!(drawn(&[4.0, 8.0], 8.0, (2, 2)), [" █", "██"]);
        assert_eq!(drawn(&[f64::NAN, 1.0], 0.0, (2, 1)), [" ▁"]);
    }

    #[test]
    fn scales_are_round_in_the_unit_that_is_shown() {
        for (value, expected) in [(0.0, 1.0), (1.1, 2.0), (1204.0, 2000.0), (5000.0, 5000.0)] {
            assert!((round_up(value) - expected).abs() < 1e-9, "{value}");
        }
        for (value, expected) in [(900.0, "1000 B"), (97_000.0, "100 kB"), (1.1e6, "2.0 MB")] {
            let rounded = round_up_bytes(value);
            assert_eq!(format::bytes(format::whole(rounded)), expected);
        }
    }
}
