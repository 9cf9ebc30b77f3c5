//! The one place that asks for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds between 1970-01-01 and 2000-01-01, PostgreSQL's epoch.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// Returns a moment for measuring durations.
#[must_use]
pub fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Returns the time of day, microseconds since 1970 UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn unix_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the time of day, milliseconds since 1970 UTC.
#[must_use]
pub fn unix_ms() -> i64 {
    unix_us() / 1_000
}

/// Returns the time of day as the replication protocol counts it, microseconds since 2000 UTC.
#[must_use]
pub fn postgres_us() -> i64 {
    unix_us() - POSTGRES_EPOCH_US
}

/// Turns PostgreSQL's microseconds since 2000 into milliseconds since 1970.
#[must_use]
pub const fn unix_ms_of(postgres_us: i64) -> i64 {
    (postgres_us + POSTGRES_EPOCH_US) / 1_000
}

/// Returns milliseconds for a log: nobody reads more than tenths.
pub(crate) fn shown_ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e4).round() / 10.0
}
