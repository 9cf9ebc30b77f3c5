//! Numbers for people: sizes, counts, times. Pure, one rule per unit, so that two places never write
//! the same figure differently. Counts are `indicatif`'s and times `jiff`'s; sizes are written as
//! PostgreSQL writes them, in cells that a column has.

use indicatif::HumanCount;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Writes a size as PostgreSQL does: powers of 1024, three digits at most.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    let mut scaled = value;
    let mut tenths = 0;
    while scaled >= 1024 && unit + 1 < UNITS.len() {
        tenths = (scaled % 1024) * 10 / 1024;
        scaled /= 1024;
        unit += 1;
    }
    if unit == 0 || scaled >= 10 {
        format!("{scaled} {}", UNITS[unit])
    } else {
        format!("{scaled}.{tenths} {}", UNITS[unit])
    }
}

/// Writes a signed size; what cannot be known is a dash.
pub(crate) fn maybe_bytes(value: Option<i64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| bytes(u64::try_from(value).unwrap_or(0)),
    )
}

/// Writes what is known; a dash while it is not.
pub(crate) fn known<T>(value: Option<T>, write: fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), write)
}

/// Writes a count with thousands separators.
pub(crate) fn count(value: u64) -> String {
    HumanCount(value).to_string()
}

/// Writes a count in at most five characters: `940`, `1.4k`, `38k`, `2.1M`.
pub(crate) fn short_count(value: f64) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];
    let mut unit = 0;
    let mut scaled = value.max(0.0);
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    if unit > 0 && scaled < 9.95 {
        format!("{scaled:.1}{}", UNITS[unit])
    } else {
        format!("{scaled:.0}{}", UNITS[unit])
    }
}

/// Writes a rate of rows or transactions: whole numbers, tenths only below ten.
pub(crate) fn rate(value: f64) -> String {
    if value > 0.0 && value < 9.95 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    }
    count(whole(value))
}

/// Writes a span of seconds with its two largest units: `0.4 s`, `3 min 20 s`, `4 h 40 min`.
pub(crate) fn seconds(value: f64) -> String {
    if value < 9.95 {
        return format!("{:.1} s", value.max(0.0));
    }
    let total = whole(value);
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match total {
        0..60 => format!("{total} s"),
        60..3600 => pair(total / 60, "min", total % 60, "s"),
        3600..86_400 => pair(total / 3600, "h", total % 3600 / 60, "min"),
        _ => pair(total / 86_400, "d", total % 86_400 / 3600, "h"),
    }
}

/// Writes how far something is behind: milliseconds below one second.
pub(crate) fn lag(value: f64) -> String {
    match value {
        value if value < 0.9995 => format!("{} ms", whole(value.max(0.0) * 1000.0)),
        value => seconds(value),
    }
}

/// Writes a span of whole seconds with its two largest units: `42 s`, `3 min 20 s`.
pub(crate) fn whole_seconds(value: i64) -> String {
    match value {
        i64::MIN..10 => format!("{} s", value.max(0)),
        _ => seconds(f64::from(i32::try_from(value).unwrap_or(i32::MAX))),
    }
}

/// Writes a span with its largest unit only: `42 s`, `12 m`, `4 h`, `3 d`.
pub(crate) fn short_seconds(value: i64) -> String {
    match value {
        i64::MIN..60 => format!("{} s", value.max(0)),
        60..3600 => format!("{} m", value / 60),
        3600..86_400 => format!("{} h", value / 3600),
        _ => format!("{} d", value / 86_400),
    }
}

/// Writes milliseconds: one digit after the point below ten; from one second on, seconds.
pub(crate) fn millis(value: f64) -> String {
    if value <= 0.0 {
        // Nothing was timed yet.
        "-".to_owned()
    } else if value < 9.95 {
        format!("{value:.1} ms")
    } else if value < 999.5 {
        format!("{value:.0} ms")
    } else {
        seconds(value / 1000.0)
    }
}

/// Writes a running time as `03:12:44`, with days before it when there are any.
pub(crate) fn uptime(total_s: i64) -> String {
    let total = total_s.max(0);
    let clock = clock_of(total % 86_400);
    match total / 86_400 {
        0 => clock,
        days => format!("{days}d {clock}"),
    }
}

/// Writes the time of day, `12:04:31`.
pub(crate) fn time_of_day(at_ms: i64, zone: &TimeZone) -> String {
    zoned(at_ms, zone).map_or_else(String::new, |at| at.strftime("%H:%M:%S").to_string())
}

/// Writes hour and minute, `12:04`; of another day than today month and day, `11-21`.
pub(crate) fn hour_or_day(at_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let today = zoned(now_ms, zone).map(|now| now.date());
    zoned(at_ms, zone).map_or_else(String::new, |at| {
        let same = Some(at.date()) == today;
        let shown = if same { "%H:%M" } else { "%m-%d" };
        at.strftime(shown).to_string()
    })
}

/// Writes date, time and zone, for copies and details: `2026-11-22T12:04:31.250+01:00`.
pub(crate) fn moment(at_ms: i64, zone: &TimeZone) -> String {
    let written = |at: Zoned| at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
    zoned(at_ms, zone).map_or_else(String::new, written)
}

fn zoned(at_ms: i64, zone: &TimeZone) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(at_ms).ok()?;
    Some(at.to_zoned(zone.clone()))
}

fn clock_of(second: i64) -> String {
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{hour:02}:{minute:02}:{:02}", second % 60)
}

/// Returns a time as RFC 3339 in UTC.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(|_| String::new(), |at| at.to_string())
}

/// Writes a part of one: 100 % only when all is done.
pub(crate) fn percent(part: f64) -> String {
    format!("{} %", whole((part.clamp(0.0, 1.0) * 100.0).floor()))
}

/// Draws a bar of so many cells between two marks, filled by a part of one. What is not zero is
/// never invisible, and only the whole fills it.
pub(crate) fn bar(part: f64, width: usize) -> String {
    let cells = whole((part.clamp(0.0, 1.0) * float(width as u64)).floor());
    let filled = usize::try_from(cells)
        .unwrap_or(usize::MAX)
        .max(usize::from(part > 0.0))
        .min(width);
    format!("▕{}{}▏", "█".repeat(filled), "░".repeat(width - filled))
}

/// Returns the nearest whole number, zero for what is negative or no number.
pub(crate) fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates and turns NaN into zero, which is what a screen wants"
    )]
    let number = value.round() as u64;
    number
}

/// Returns the nearest float; figures on a screen need no more than its 53 bits.
pub(crate) fn float(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let number = value as f64;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts() {
        for (value, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 kB"),
            (48 << 20, "48 MB"),
            ((31 << 30) / 10, "3.0 GB"),
            (u64::MAX, "16383 PB"),
        ] {
            assert_eq!(bytes(value), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        for (value, text) in [
            (0.0, "0"),
            (940.0, "940"),
            (1400.0, "1.4k"),
            (38_000.0, "38k"),
            (999_600.0, "1.0M"),
        ] {
            assert_eq!(short_count(value), text);
        }
        assert_eq!(rate(0.4), "0.4");
        assert_eq!(rate(3.0), "3");
        assert_eq!(rate(1204.3), "1,204");
        assert_eq!(rate(f64::NAN), "0");
    }

    #[test]
    fn bars_are_full_only_when_all_is_done() {
        for (part, expected) in [
            (0.0, "▕░░░░▏"),
            (0.01, "▕█░░░▏"),
            (0.5, "▕██░░▏"),
            (0.99, "▕███░▏"),
            (1.0, "▕████▏"),
            (7.0, "▕████▏"),
            (f64::NAN, "▕░░░░▏"),
        ] {
            assert_eq!(bar(part, 4), expected, "{part}");
        }
        assert_eq!(bar(0.5, 0), "▕▏");
        assert_eq!(
            (percent(0.999), percent(1.0)),
            ("99 %".into(), "100 %".into())
        );
    }

    #[test]
    fn times() {
        for (value, text) in [
            (0.42, "0.4 s"),
            (12.0, "12 s"),
            (200.0, "3 min 20 s"),
            (16_800.0, "4 h 40 min"),
            (7200.0, "2 h"),
            (180_000.0, "2 d 2 h"),
        ] {
            assert_eq!(seconds(value), text);
        }
        assert_eq!(uptime(11_564), "03:12:44");
        assert_eq!(uptime(90_000), "1d 01:00:00");
        let east = jiff::tz::offset(9).to_time_zone();
        assert_eq!(time_of_day(-1000, &TimeZone::UTC), "23:59:59");
        assert_eq!(time_of_day(0, &east), "09:00:00");
        assert_eq!(hour_or_day(0, 3_600_000, &east), "09:00");
        assert_eq!(hour_or_day(0, 54_000_000, &east), "01-01");
        assert_eq!(moment(1500, &east), "1970-01-01T09:00:01.500+09:00");
        assert_eq!(short_seconds(7500), "2 h");
        assert_eq!(millis(0.0), "-", "nothing was timed");
        assert_eq!(millis(0.84), "0.8 ms");
        assert_eq!(millis(15_000.0), "15 s");
        assert_eq!(millis(2474.0), "2.5 s");
        assert_eq!((lag(0.018), lag(0.0)), ("18 ms".into(), "0 ms".into()));
        assert_eq!(
            (lag(0.9996), lag(70.0)),
            ("1.0 s".into(), "1 min 10 s".into())
        );
    }
}
