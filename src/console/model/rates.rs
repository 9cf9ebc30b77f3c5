//! How fast each table changes now: from what the engine has counted a moment ago.

use std::collections::BTreeMap;

use crate::console::format;
use crate::status::{Status, TableCounters};

/// Between two looks: a rate of less says more of batches than of the table.
const EVERY_MS: i64 = 2000;

/// The rates of all tables.
#[derive(Debug, Default)]
pub(crate) struct TableRates {
    at_ms: i64,
    started_at_s: i64,
    counted: BTreeMap<String, u64>,
    rates: BTreeMap<String, f64>,
}

impl TableRates {
    /// Takes in what the engine has counted.
    pub(crate) fn take(&mut self, status: &Status) {
        let passed_ms = status.at_ms - self.at_ms;
        let is_same_engine = self.started_at_s == status.started_at_s && self.at_ms != 0;
        if is_same_engine && passed_ms < EVERY_MS {
            return;
        }
        let counted = status
            .tables
            .iter()
            .map(|(name, one)| (name.clone(), all(one)));
        let counted: BTreeMap<String, u64> = counted.collect();
        let rate = |(name, now): (&String, &u64)| {
            let before = self.counted.get(name).copied().unwrap_or_default();
            let changes = format::float(now.saturating_sub(before));
            let seconds = format::float(passed_ms.unsigned_abs()) / 1000.0;
            (name.clone(), changes / seconds)
        };
        self.rates = match is_same_engine {
            true => counted.iter().map(rate).collect(),
            false => BTreeMap::new(),
        };
        (self.at_ms, self.started_at_s) = (status.at_ms, status.started_at_s);
        self.counted = counted;
    }

    /// Returns the changes a second of a table; none before two looks.
    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        self.rates.get(name).copied()
    }
}

const fn all(one: &TableCounters) -> u64 {
    one.inserts + one.updates + one.deletes + one.truncates
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn status(started_at_s: i64, at_ms: i64, inserts: u64) -> Status {
        let counters = TableCounters {
            inserts,
            ..TableCounters::default()
        };
        Status {
            started_at_s,
            at_ms,
            tables: Arc::new(BTreeMap::from([("public.a".to_owned(), counters)])),
            ..Status::default()
        }
    }

    #[test]
    fn a_rate_is_of_two_looks_at_one_engine() {
        let mut rates = TableRates::default();
        rates.take(&status(7, 10_000, 100));
        assert_eq!(rates.of("public.a"), None);
        rates.take(&status(7, 11_000, 900));
        assert_eq!(rates.of("public.a"), None, "too early");
        rates.take(&status(7, 14_000, 500));
        assert_eq!(rates.of("public.a"), Some(100.0));
        rates.take(&status(8, 20_000, 3));
        assert_eq!(rates.of("public.a"), None, "another engine counts anew");
    }
}
