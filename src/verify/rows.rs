//! The rows in which two sides of a table differ. Pure: rows of unequal buckets in, as COPY sends them,
//! differences out.

use std::collections::{BTreeMap, HashMap};

use super::digest::Hasher;
use super::report::{ColumnValues, RowDifference, RowKind};

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
    /// Differences are told with their values.
    show_values: bool,
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
    /// The keys of all of them, for a table that has one.
    pub(super) keys: Vec<Vec<String>>,
}

impl<'t> Differences<'t> {
    pub(super) fn new(
        hasher: Hasher,
        (key, columns): (&'t [usize], &'t [String]),
        show_values: bool,
    ) -> Self {
        Self {
            hasher,
            key,
            columns,
            show_values,
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
    pub(super) fn found(mut self, rows_max: usize) -> Found {
        let mut by_key: BTreeMap<Vec<u8>, Vec<Surplus>> = BTreeMap::new();
        for mut surplus in std::mem::take(&mut self.rows).into_values() {
            let key = std::mem::take(&mut surplus.key);
            by_key.entry(key).or_default().push(surplus);
        }
        let mut found = Found::default();
        for (key, mut same) in by_key {
            found.keys.extend(self.key_values(&key));
            same.sort_by_key(|surplus| -surplus.count);
            if let [wanted, present] = &same[..]
                && !self.key.is_empty()
                && (wanted.count, present.count) == (1, -1)
            {
                found.differing += 1;
                let texts = (wanted.text.as_deref(), present.text.as_deref());
                found.note(rows_max, || self.report(RowKind::Different, &key, texts));
                continue;
            }
            for surplus in same {
                let text = surplus.text.as_deref();
                let (kind, total, texts) = match surplus.count > 0 {
                    true => (RowKind::Missing, &mut found.missing, (text, None)),
                    false => (RowKind::Extra, &mut found.extra, (None, text)),
                };
                *total += surplus.count.unsigned_abs();
                found.note(rows_max, || self.report(kind, &key, texts));
            }
        }
        found
    }

    /// Says how a row differs, by what both sides sent of it.
    fn report(
        &self,
        kind: RowKind,
        key: &[u8],
        (source, target): (Option<&[u8]>, Option<&[u8]>),
    ) -> RowDifference {
        let (of_source, of_target) = (values(source), values(target));
        let mut columns = Vec::new();
        let mut shown = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            let (source, target) = (of_source.get(place), of_target.get(place));
            if source == target {
                continue;
            }
            if kind == RowKind::Different {
                columns.push(column.clone());
            }
            if self.show_values {
                shown.push(ColumnValues {
                    column: column.clone(),
                    source: source.map(|field| value(field)),
                    target: target.map(|field| value(field)),
                });
            }
        }
        RowDifference {
            kind,
            key: self.key_values(key),
            columns: match source.is_some() && target.is_some() {
                true => columns,
                false => Vec::new(),
            },
            values: shown,
        }
    }

    fn key_values(&self, key: &[u8]) -> Option<Vec<String>> {
        let parts = key.split(|byte| *byte == b'\t');
        (!self.key.is_empty()).then(|| parts.filter_map(value).collect())
    }

    fn key_of(&self, row: &[u8]) -> Vec<u8> {
        let fields: Vec<&[u8]> = fields(row).collect();
        let parts = self.key.iter().filter_map(|place| fields.get(*place));
        parts.copied().collect::<Vec<_>>().join(&b'\t')
    }
}

impl Found {
    fn note(&mut self, rows_max: usize, report: impl FnOnce() -> RowDifference) {
        if self.rows.len() < rows_max {
            self.rows.push(report());
        }
    }
}

/// The values of a row of COPY's text format (manual, COPY, «Text Format»): tabs within values are written
/// `\t`, so each tab is a border.
pub(super) fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = row.strip_suffix(b"\n").unwrap_or(row);
    line.split(|byte| *byte == b'\t')
}

fn values(row: Option<&[u8]>) -> Vec<&[u8]> {
    row.map_or_else(Vec::new, |row| fields(row).collect())
}

/// Returns the value of a field, none for NULL: what COPY writes with a backslash is what it stands for.
pub(super) fn value(field: &[u8]) -> Option<String> {
    if field == b"\\N" {
        return None;
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next().copied().unwrap_or(b'\\') {
                b'b' => 8,
                b't' => 9,
                b'n' => 10,
                b'v' => 11,
                b'f' => 12,
                b'r' => 13,
                other => other,
            },
            byte => *byte,
        });
    }
    Some(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &[usize], source: &[&str], target: &[&str]) -> Found {
        let columns = ["id".to_owned(), "v".to_owned()];
        let mut differences = Differences::new(Hasher::new(1, 0, 0), (key, &columns), true);
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

    #[test]
    fn values_are_what_they_are_and_null_is_none() {
        assert_eq!(value(b"a\\tb\\\\n\\n"), Some("a\tb\\n\n".to_owned()));
        assert_eq!(value(b"\\N"), None);
        let found = found(&[0], &["1\ta\n"], &["1\t\\N\n"]);

        let [row] = &found.rows[..] else {
            panic!("{found:?}")
        };
        let shown = ColumnValues {
            column: "v".to_owned(),
            source: Some(Some("a".to_owned())),
            target: Some(None),
        };
        assert_eq!(row.values, [shown]);
    }
}
