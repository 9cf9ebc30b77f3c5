//! The rows in which two sides of a table differ. Pure: rows of unequal buckets in, as COPY sends them,
//! differences out.

use std::collections::{BTreeMap, HashMap};

use super::digest::Hasher;
use super::report::{RowDifference, RowKind};

/// Rows whose text is kept take no more than this together; of those beyond only the key is known.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// How often a row is there more on the source than on the target, and what it says.
#[derive(Debug)]
struct Surplus {
    count: i64,
    key: Vec<u8>,
    text: Option<Vec<u8>>,
}

/// Gathers the rows of both sides; what is on both goes away.
#[derive(Debug)]
pub(super) struct Differences<'t> {
    hasher: Hasher,
    /// Places of the key's columns among all; none: the table has no key.
    key: &'t [usize],
    columns: &'t [String],
    rows: HashMap<u128, Surplus>,
    kept_bytes: usize,
}

/// On which side a row was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOn {
    Source,
    Target,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) differing: u64,
    pub(super) rows: Vec<RowDifference>,
}

impl<'t> Differences<'t> {
    pub(super) fn new(hasher: Hasher, key: &'t [usize], columns: &'t [String]) -> Self {
        Self {
            hasher,
            key,
            columns,
            rows: HashMap::new(),
            kept_bytes: 0,
        }
    }

    /// Adds a row of one side.
    pub(super) fn add(&mut self, on: ReadOn, row: &[u8]) {
        let hash = self.hasher.hash(row);
        let step = match on {
            ReadOn::Source => 1,
            ReadOn::Target => -1,
        };
        if let Some(surplus) = self.rows.get_mut(&hash) {
            surplus.count += step;
            if surplus.count == 0 {
                let gone = self.rows.remove(&hash);
                self.kept_bytes -= gone.and_then(|gone| gone.text).map_or(0, |text| text.len());
            }
            return;
        }
        let keep = self.kept_bytes + row.len() <= KEPT_BYTES_MAX;
        if keep {
            self.kept_bytes += row.len();
        }
        let surplus = Surplus {
            count: step,
            key: self.key_of(row),
            text: keep.then(|| row.to_vec()),
        };
        self.rows.insert(hash, surplus);
    }

    /// Returns what is on one side only; rows of one key on both sides are one row that differs.
    pub(super) fn found(self, rows_max: usize) -> Found {
        let Self {
            key, columns, rows, ..
        } = self;
        let mut by_key: BTreeMap<Vec<u8>, Vec<Surplus>> = BTreeMap::new();
        for surplus in rows.into_values() {
            by_key.entry(surplus.key.clone()).or_default().push(surplus);
        }
        let mut found = Found::default();
        for (text, mut same) in by_key {
            same.sort_by_key(|surplus| -surplus.count);
            let differs = match &same[..] {
                [wanted, present]
                    if !key.is_empty() && wanted.count == 1 && present.count == -1 =>
                {
                    Some(unequal(
                        columns,
                        wanted.text.as_ref(),
                        present.text.as_ref(),
                    ))
                }
                _ => None,
            };
            if let Some(unequal) = differs {
                found.differing += 1;
                found.note(RowKind::Different, key, &text, unequal, rows_max);
                continue;
            }
            for surplus in same {
                let (kind, total) = match surplus.count > 0 {
                    true => (RowKind::Missing, &mut found.missing),
                    false => (RowKind::Extra, &mut found.extra),
                };
                *total += surplus.count.unsigned_abs();
                found.note(kind, key, &text, Vec::new(), rows_max);
            }
        }
        found
    }

    fn key_of(&self, row: &[u8]) -> Vec<u8> {
        let fields: Vec<&[u8]> = fields(row).collect();
        let parts = self.key.iter().filter_map(|place| fields.get(*place));
        parts.copied().collect::<Vec<_>>().join(&b'\t')
    }
}

impl Found {
    fn note(
        &mut self,
        kind: RowKind,
        key: &[usize],
        text: &[u8],
        columns: Vec<String>,
        rows_max: usize,
    ) {
        if self.rows.len() < rows_max {
            let key = (!key.is_empty()).then(|| {
                let parts = text.split(|byte| *byte == b'\t');
                parts
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .collect()
            });
            self.rows.push(RowDifference { kind, key, columns });
        }
    }
}

/// The values of a row of COPY's text format (manual, COPY, «Text Format»): tabs within values are written
/// `\t`, so each tab is a border.
fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = row.strip_suffix(b"\n").unwrap_or(row);
    line.split(|byte| *byte == b'\t')
}

fn unequal(columns: &[String], wanted: Option<&Vec<u8>>, present: Option<&Vec<u8>>) -> Vec<String> {
    let Some((wanted, present)) = wanted.zip(present) else {
        return Vec::new();
    };
    let both = columns.iter().zip(fields(wanted).zip(fields(present)));
    both.filter(|(_, (wanted, present))| wanted != present)
        .map(|(column, _)| column.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &[usize], source: &[&str], target: &[&str]) -> Found {
        let columns = ["id".to_owned(), "v".to_owned()];
        let mut differences = Differences::new(Hasher::new(1, 0), key, &columns);
        for row in source {
            differences.add(ReadOn::Source, row.as_bytes());
        }
        for row in target {
            differences.add(ReadOn::Target, row.as_bytes());
        }
        differences.found(10)
    }

    #[test]
    fn rows_of_one_key_differ_and_others_are_missing_or_extra() {
        let source = ["1\ta\n", "2\tb\n", "3\tc\n"];
        let found = found(&[0], &source, &["1\ta\n", "2\tB\n", "4\td\n"]);

        assert_eq!((found.differing, found.missing, found.extra), (1, 1, 1));
        let reported: Vec<_> = found
            .rows
            .iter()
            .map(|row| {
                (
                    row.kind,
                    row.key.clone().unwrap().join(","),
                    row.columns.join(","),
                )
            })
            .collect();
        assert_eq!(
            reported,
            [
                (RowKind::Different, "2".to_owned(), "v".to_owned()),
                (RowKind::Missing, "3".to_owned(), String::new()),
                (RowKind::Extra, "4".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn rows_without_a_key_count_as_often_as_they_are_there() {
        let found = found(&[], &["1\ta\n", "1\ta\n", "1\ta\n"], &["1\ta\n", "2\tb\n"]);

        assert_eq!((found.differing, found.missing, found.extra), (0, 2, 1));
        assert!(found.rows.iter().all(|row| row.key.is_none()));
    }
}
