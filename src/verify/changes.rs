//! What makes the rows of the target those of the source. Pure: rows in as COPY sends them, changes out.

use std::collections::HashMap;

use super::report::Repaired;
use super::rows::fields;

/// A row of the target: where it lies (the table's OID and `ctid`), and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) part: String,
    pub(super) place: String,
    pub(super) text: Vec<u8>,
}

impl Placed {
    /// Reads a row that COPY sends behind its `tableoid` and `ctid`.
    pub(super) fn read(row: &[u8]) -> Option<Self> {
        let mut parts = row.splitn(3, |byte| *byte == b'\t');
        let mut text = || {
            parts
                .next()
                .map(|part| String::from_utf8_lossy(part).into_owned())
        };
        let (part, place) = (text()?, text()?);
        Some(Self {
            part,
            place,
            text: parts.next()?.to_vec(),
        })
    }
}

/// What is to be done with the target.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) inserted: Vec<Vec<u8>>,
    /// Each with the row that it replaces.
    pub(super) updated: Vec<(Placed, Vec<u8>)>,
    pub(super) deleted: Vec<Placed>,
}

impl Changes {
    /// Compares rows; those with an equal key are one row that changes.
    pub(super) fn between(source: Vec<Vec<u8>>, target: Vec<Placed>, key: &[usize]) -> Self {
        let mut there: HashMap<&[u8], usize> = HashMap::new();
        for row in &target {
            *there.entry(&row.text).or_default() += 1;
        }
        let mut on_both: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut wanted = Vec::new();
        for row in source {
            match there.get_mut(&*row).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    *on_both.entry(row).or_default() += 1;
                }
                None => wanted.push(row),
            }
        }
        let surplus = target.into_iter().filter(|row| {
            match on_both.get_mut(&row.text).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    false
                }
                None => true,
            }
        });
        Self::paired(wanted, surplus.collect(), key)
    }

    fn paired(wanted: Vec<Vec<u8>>, surplus: Vec<Placed>, key: &[usize]) -> Self {
        let mut changes = Self {
            inserted: wanted,
            updated: Vec::new(),
            deleted: surplus,
        };
        if key.is_empty() {
            return changes;
        }
        let mut by_key: HashMap<Vec<u8>, Placed> = HashMap::new();
        for row in std::mem::take(&mut changes.deleted) {
            if let Some(twin) = by_key.insert(key_of(&row.text, key), row) {
                changes.deleted.push(twin);
            }
        }
        for row in std::mem::take(&mut changes.inserted) {
            match by_key.remove(&key_of(&row, key)) {
                Some(placed) => changes.updated.push((placed, row)),
                None => changes.inserted.push(row),
            }
        }
        changes.deleted.extend(by_key.into_values());
        changes
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }

    /// Returns what comes or changes.
    pub(super) fn arrivals(self) -> Self {
        Self {
            deleted: Vec::new(),
            ..self
        }
    }

    /// Returns what goes.
    pub(super) fn departures(self) -> Self {
        Self {
            deleted: self.deleted,
            ..Self::default()
        }
    }

    pub(super) fn counts(&self) -> Repaired {
        Repaired {
            inserted: self.inserted.len() as u64,
            updated: self.updated.len() as u64,
            deleted: self.deleted.len() as u64,
            range_count: u64::from(!self.is_empty()),
        }
    }

    /// Deletes and inserts where it would update.
    pub(super) fn without_updates(mut self) -> Self {
        for (placed, row) in std::mem::take(&mut self.updated) {
            self.deleted.push(placed);
            self.inserted.push(row);
        }
        self
    }

    /// Returns the changes as rows for COPY: the kind, where the row lies, and its values.
    pub(super) fn staged(&self, column_count: usize) -> Vec<u8> {
        let mut rows = Vec::new();
        for row in &self.inserted {
            rows.extend_from_slice(b"i\t\\N\t\\N\t");
            rows.extend_from_slice(row);
        }
        for (Placed { part, place, .. }, row) in &self.updated {
            rows.extend_from_slice(format!("u\t{part}\t{place}\t").as_bytes());
            rows.extend_from_slice(row);
        }
        for Placed { part, place, .. } in &self.deleted {
            rows.extend_from_slice(format!("d\t{part}\t{place}").as_bytes());
            rows.extend_from_slice(&b"\t\\N".repeat(column_count));
            rows.push(b'\n');
        }
        rows
    }
}

fn key_of(row: &[u8], key: &[usize]) -> Vec<u8> {
    let fields: Vec<&[u8]> = fields(row).collect();
    let parts = key.iter().filter_map(|place| fields.get(*place));
    parts.copied().collect::<Vec<_>>().join(&b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(place: &str, text: &str) -> Placed {
        Placed {
            part: "7".to_owned(),
            place: place.to_owned(),
            text: text.as_bytes().to_vec(),
        }
    }

    fn rows(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn rows_of_one_key_change_and_others_come_and_go() {
        let target = vec![
            placed("(0,1)", "1\ta\n"),
            placed("(0,2)", "2\tB\n"),
            placed("(0,3)", "4\td\n"),
        ];
        let changes = Changes::between(rows(&["1\ta\n", "2\tb\n", "3\tc\n"]), target, &[0]);

        assert_eq!(changes.inserted, rows(&["3\tc\n"]));
        assert_eq!(
            changes.updated,
            [(placed("(0,2)", "2\tB\n"), b"2\tb\n".to_vec())]
        );
        assert_eq!(changes.deleted, [placed("(0,3)", "4\td\n")]);
        assert_eq!(
            String::from_utf8(changes.staged(2)).expect("text"),
            "i\t\\N\t\\N\t3\tc\nu\t7\t(0,2)\t2\tb\nd\t7\t(0,3)\t\\N\t\\N\n"
        );
    }

    #[test]
    fn rows_without_a_key_count_as_often_as_they_are_there() {
        let target = vec![
            placed("(0,1)", "a\n"),
            placed("(0,2)", "b\n"),
            placed("(0,3)", "b\n"),
        ];
        let changes = Changes::between(rows(&["a\n", "a\n", "b\n"]), target, &[]);

        assert_eq!(changes.inserted, rows(&["a\n"]));
        assert_eq!(changes.deleted, [placed("(0,3)", "b\n")]);
        assert_eq!(
            Changes::between(rows(&["a\n"]), vec![placed("(0,1)", "a\n")], &[]),
            Changes::default()
        );
    }

    #[test]
    fn a_key_that_is_there_twice_keeps_one_row() {
        let target = vec![placed("(0,1)", "1\tx\n"), placed("(0,2)", "1\ty\n")];
        let changes = Changes::between(rows(&["1\ta\n"]), target, &[0]);

        assert_eq!((changes.updated.len(), changes.deleted.len()), (1, 1));
        let replaced = changes.without_updates();
        assert_eq!((replaced.inserted.len(), replaced.deleted.len()), (1, 2));
    }

    #[test]
    fn where_a_row_lies_comes_before_it() {
        assert_eq!(
            Placed::read(b"7\t(0,1)\t1\ta\n"),
            Some(placed("(0,1)", "1\ta\n"))
        );
    }
}
