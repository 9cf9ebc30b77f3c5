//! From which figure on somebody should look, and act. Colour is a third witness: a mark behind the
//! figure says the same.

use crate::status::Slot;

use super::theme::Role;

/// A lag of this many seconds is worth a look; of that many, somebody's work.
const LAG_S: [f64; 2] = [10.0, 60.0];
/// The same of the time of a batch, in milliseconds.
const BATCH_MS: [f64; 2] = [1_000.0, 10_000.0];
/// The same of the seconds until a slot is lost.
const LOST_IN_S: [i64; 2] = [4 * 3600, 1800];
/// The same of the part of its limit that a slot keeps, in percent.
const KEPT_PERCENT: [i64; 2] = [50, 80];
/// Kept WAL that has no limit is worth a look from here on.
const KEPT_BYTES: i64 = 10 << 30;

/// Returns what a lag means; none: it is not known.
pub(crate) fn of_lag(seconds: Option<f64>) -> Role {
    above(seconds.unwrap_or(0.0), LAG_S)
}

/// Returns what the time of batches means.
pub(crate) fn of_batch(ms: f64) -> Role {
    above(ms, BATCH_MS)
}

/// Returns what the time means after which a slot is lost.
pub(crate) const fn of_time_left(slot: &Slot) -> Role {
    match slot.lost_in_s {
        Some(seconds) if seconds < LOST_IN_S[1] => Role::Bad,
        Some(seconds) if seconds < LOST_IN_S[0] => Role::Warn,
        Some(_) | None => Role::Text,
    }
}

/// Returns what the WAL means that is kept for a slot.
pub(crate) fn of_kept(slot: &Slot) -> Role {
    let kept = slot.retained_bytes.unwrap_or(0).max(0);
    match slot.safe_wal_bytes {
        _ if slot.is_lost() => Role::Bad,
        None if kept >= KEPT_BYTES => Role::Warn,
        None => Role::Text,
        Some(safe) => {
            let limit = kept.saturating_add(safe.max(0)).max(1);
            match kept.saturating_mul(100) / limit {
                percent if percent >= KEPT_PERCENT[1] => Role::Bad,
                percent if percent >= KEPT_PERCENT[0] => Role::Warn,
                _ => Role::Text,
            }
        }
    }
}

fn above(value: f64, [warn, bad]: [f64; 2]) -> Role {
    match value {
        value if value >= bad => Role::Bad,
        value if value >= warn => Role::Warn,
        _ => Role::Text,
    }
}

/// Returns the mark behind a figure that means this.
pub(crate) const fn mark(role: Role) -> &'static str {
    match role {
        Role::Bad => " ▲▲",
        Role::Warn => " ▲",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_mean_more_the_worse_they_are() {
        for (seconds, expected) in [
            (None, Role::Text),
            (Some(9.9), Role::Text),
            (Some(10.0), Role::Warn),
            (Some(70.0), Role::Bad),
        ] {
            assert_eq!(of_lag(seconds), expected, "{seconds:?}");
        }
        assert_eq!(of_batch(2_474.0), Role::Warn);
        let slot = |kept, safe, lost_in_s| Slot {
            retained_bytes: Some(kept),
            safe_wal_bytes: safe,
            lost_in_s,
            ..Slot::default()
        };
        assert_eq!(of_kept(&slot(49, Some(51), None)), Role::Text);
        assert_eq!(of_kept(&slot(50, Some(50), None)), Role::Warn);
        assert_eq!(of_kept(&slot(80, Some(20), None)), Role::Bad);
        assert_eq!(of_kept(&slot(KEPT_BYTES, None, None)), Role::Warn);
        assert_eq!(of_time_left(&slot(0, None, Some(1799))), Role::Bad);
        assert_eq!(of_time_left(&slot(0, None, Some(1800))), Role::Warn);
        assert_eq!(of_time_left(&slot(0, None, None)), Role::Text);
    }
}
