//! Courses of figures as characters: a one-line sparkline, and columns with eighths of a cell.
//! The ASCII pass of the theme turns both into plain characters, so nothing here uses Braille.

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns so many values, each the largest of its share of the course; short courses stand at the
/// right, because now is at the right.
pub(super) fn resample(course: &[f64], width: usize) -> Vec<f64> {
    if width == 0 {
        return Vec::new();
    }
    if course.len() <= width {
        let mut values = vec![0.0; width - course.len()];
        values.extend_from_slice(course);
        return values;
    }
    let share = |index: usize| {
        let from = index * course.len() / width;
        let to = ((index + 1) * course.len() / width).max(from + 1);
        course[from..to].iter().copied().fold(0.0, f64::max)
    };
    (0..width).map(share).collect()
}

/// Returns the course as one line of at most so many cells.
pub(super) fn sparkline(course: &[f64], width: usize) -> String {
    if course.is_empty() {
        return String::new();
    }
    let values = resample(course, width);
    let top = values.iter().copied().fold(0.0, f64::max);
    values
        .into_iter()
        .map(|value| glyph(value, top, 1, 0))
        .collect()
}

/// Returns the course as `height` lines of `width` cells, the top one first, scaled to `top`.
pub(super) fn columns(course: &[f64], (width, height): (usize, usize), top: f64) -> Vec<String> {
    let values = resample(course, width);
    let line = |row: usize| {
        values
            .iter()
            .map(|value| glyph(*value, top, height, row))
            .collect()
    };
    (0..height).rev().map(line).collect()
}

/// Returns the glyph of a value in the row with this number, counted from the bottom. What is not
/// zero is never invisible.
fn glyph(value: f64, top: f64, height: usize, row: usize) -> char {
    if value <= 0.0 || top <= 0.0 || value.is_nan() {
        return ' ';
    }
    let cells = f64::from(u32::try_from(height * 8).unwrap_or(u32::MAX));
    let filled = crate::console::format::whole((value / top).min(1.0) * cells).max(1);
    let here = usize::try_from(filled)
        .unwrap_or(usize::MAX)
        .saturating_sub(row * 8);
    EIGHTHS[here.min(8)]
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courses_become_characters() {
        assert_eq!(sparkline(&[0.0, 4.0, 8.0], 5), "   ▄█");
        assert_eq!(sparkline(&[1.0, 0.001], 2), "█▁");
        assert_eq!(sparkline(&[], 5), "");
        assert_eq!(columns(&[4.0, 8.0], (2, 2), 8.0), [" █", "██"]);
        assert_eq!(columns(&[3.0], (1, 2), 8.0), [" ", "▆"]);
        assert_eq!(columns(&[f64::NAN], (1, 1), 1.0), [" "]);
        assert!(columns(&[1.0], (0, 3), 1.0).iter().all(String::is_empty));
    }

    #[test]
    fn many_samples_keep_their_peaks() {
        let course: Vec<f64> = (0..100)
            .map(|index| if index == 37 { 9.0 } else { 1.0 })
            .collect();
        assert_eq!(resample(&course, 10)[3], 9.0);
    }

    #[test]
    fn scales_are_round() {
        for (value, expected) in [(0.0, 1.0), (1.1, 2.0), (1204.0, 2000.0), (5000.0, 5000.0)] {
            assert!((round_up(value) - expected).abs() < 1e-9, "{value}");
        }
    }
}
