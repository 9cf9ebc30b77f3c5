//! Durations and sizes with their units: `5s`, `250ms`, `16MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units of durations in milliseconds, longest first.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Returns the duration that `text` names: whole numbers with units, such as `250ms` or `1m30s`.
///
/// # Errors
/// The rule that the text breaks, for people.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    milliseconds(text)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            "must be a duration with its unit, such as 250ms, 5s, 1m30s or 1h".to_owned()
        })
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (count, after) = leading_number(rest)?;
        let unit_end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        total = total.checked_add(count.checked_mul(factor)?)?;
        rest = next;
    }
    (!text.is_empty()).then_some(total)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// Returns the shortest text that [`parse_duration`] reads as `duration`, to the millisecond.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in DURATION_UNITS {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    text
}

/// A number of bytes, read and shown with binary units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Units of sizes in bytes, largest first. A bare number is bytes; `kB`, `MB` and `GB` are 1024-fold
/// as in PostgreSQL's own settings (manual, section 20.1.1).
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1 << 40),
    ("GB", 1 << 30),
    ("MB", 1 << 20),
    ("kB", 1 << 10),
    ("B", 1),
];

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a size such as 16MiB: a whole number with its unit (B, KiB, MiB, GiB, TiB)")]
pub struct ByteSizeError;

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = leading_number(text).and_then(|(count, unit)| {
            let factor = match unit {
                "" => 1,
                unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1,
            };
            count.checked_mul(factor)
        });
        parsed.map(Self).ok_or(ByteSizeError)
    }
}

/// One decimal from KiB on: `16.0 MiB`. For people; [`ByteSize::from_str`] reads whole numbers only.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS
            .iter()
            .take(4)
            .find(|(_, factor)| self.0 >= *factor);
        match unit {
            Some((name, factor)) => {
                let tenths = u128::from(self.0) * 10 / u128::from(*factor);
                write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
            }
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_need_whole_numbers_with_units() {
        let ms = |text: &str| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("5s"), Ok(5_000));
        assert_eq!(ms("250ms"), Ok(250));
        assert_eq!(ms("1m30s"), Ok(90_000));
        assert_eq!(ms("1h"), Ok(3_600_000));
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "5 s",
            "5sec",
            "99999999999999999999d",
        ] {
            assert!(ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_take_the_units_of_postgresql_and_of_iec() {
        let size = |text: &str| text.parse::<ByteSize>().map(|size| size.0);
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("16MB"), Ok(16 << 20));
        assert_eq!(size("512"), Ok(512));
        for text in [
            "",
            "MiB",
            "-1B",
            "1.5GiB",
            "1 GiB",
            "1mib",
            "99999999999TiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(ByteSize(0).to_string(), "0 B");
        assert_eq!(ByteSize(1536).to_string(), "1.5 KiB");
        assert_eq!(ByteSize(u64::MAX).to_string(), "16777215.9 TiB");
    }

    crate::property::properties! {
        #[test]
        fn durations_round_trip(ms in 0..u64::MAX) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            drop(parse_duration(&text));
            drop(text.parse::<ByteSize>());
        }
    }
}
