//! The digest of a table: rows counted and their hashes summed, by bucket. Pure.
//!
//! The bucket of a row is taken from a hash of its key, or of the row where it has none, so that both sides
//! agree on it whatever order they send their rows in, and whatever their collations are.

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A bucket of about this many rows is read again as a whole when it differs.
const ROWS_PER_BUCKET: u64 = 512;

/// Two digests of so many buckets take four mebibytes.
const BUCKETS_MAX: u64 = 1 << 16;

/// Hashes rows. The seed is another in each run, so that nobody can prepare rows that look equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hasher {
    seed: u64,
    mask: u128,
    /// So many fields at the beginning of a row are its key; 0: it has none.
    key_fields: usize,
}

impl Hasher {
    pub(super) fn new(seed: u64, row_estimate: u64, key_fields: usize) -> Self {
        let buckets = (row_estimate / ROWS_PER_BUCKET)
            .next_power_of_two()
            .clamp(16, BUCKETS_MAX);
        Self {
            seed,
            mask: u128::from(buckets - 1),
            key_fields,
        }
    }

    /// Returns whether its buckets have far fewer rows each.
    pub(super) fn is_finer(self, digest: &Digest) -> bool {
        self.mask > digest.hasher.mask * 8
    }

    /// Returns the hash of a row as COPY sends it.
    pub(super) fn hash(self, row: &[u8]) -> u128 {
        xxh3_128_with_seed(row, self.seed)
    }

    /// Returns the bucket of a row: both values of a key are in one.
    pub(super) fn bucket(self, row: &[u8]) -> usize {
        let mut ends = row
            .iter()
            .enumerate()
            .filter(|(_, byte)| matches!(byte, b'\t' | b'\n'));
        let end = self
            .key_fields
            .checked_sub(1)
            .and_then(|last| ends.nth(last));
        let hash = self.hash(end.map_or(row, |(end, _)| &row[..end]));
        usize::try_from(hash & self.mask).unwrap_or_default()
    }

    /// Returns a digest of no rows.
    pub(super) fn digest(self) -> Digest {
        let count = usize::try_from(self.mask + 1).unwrap_or_default();
        Digest {
            hasher: self,
            buckets: vec![Bucket::default(); count],
        }
    }
}

/// Rows of one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    row_count: u64,
    sum: u128,
}

/// The digest of one side of a table.
#[derive(Debug, Clone)]
pub(super) struct Digest {
    pub(super) hasher: Hasher,
    buckets: Vec<Bucket>,
}

impl Digest {
    /// Adds a row.
    pub(super) fn add(&mut self, row: &[u8]) {
        let hash = self.hasher.hash(row);
        if let Some(bucket) = self.buckets.get_mut(self.hasher.bucket(row)) {
            bucket.row_count += 1;
            bucket.sum = bucket.sum.wrapping_add(hash);
        }
    }

    /// Returns the number of rows.
    pub(super) fn row_count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.row_count).sum()
    }

    /// Returns the buckets in which the two differ.
    pub(super) fn differing(&self, other: &Self) -> Vec<usize> {
        let both = self.buckets.iter().zip(&other.buckets).enumerate();
        both.filter(|(_, (one, other))| one != other)
            .map(|(number, _)| number)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(rows: &[Vec<u8>]) -> Digest {
        let mut digest = Hasher::new(7, 10_000, 0).digest();
        for row in rows {
            digest.add(row);
        }
        digest
    }

    #[test]
    fn a_row_that_is_there_twice_does_not_cancel_itself() {
        let once = digest(&[b"a".to_vec()]);
        let thrice = digest(&[b"a".to_vec(), b"a".to_vec(), b"a".to_vec()]);

        assert_eq!(once.differing(&thrice).len(), 1);
        assert_eq!(thrice.row_count(), 3);
    }

    proptest! {
        #[test]
        fn equal_rows_are_equal_in_any_order_and_others_are_not(
            mut rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..200),
            place in any::<prop::sample::Index>(),
        ) {
            let before = digest(&rows);
            rows.reverse();
            prop_assert!(before.differing(&digest(&rows)).is_empty());

            let place = place.index(rows.len());
            rows[place].push(b'x');
            prop_assert!(!before.differing(&digest(&rows)).is_empty());
        }
    }

    #[test]
    fn rows_of_one_key_are_in_one_bucket_whatever_else_they_hold() {
        let hasher = Hasher::new(7, 10_000_000, 2);
        for (one, other, same) in [
            ("1\ta\tx\n", "1\ta\ty\n", true),
            ("1\ta\n", "1\ta\n", true),
            ("1\ta\tx\n", "1\tb\tx\n", false),
        ] {
            let equal = hasher.bucket(one.as_bytes()) == hasher.bucket(other.as_bytes());
            assert_eq!(equal, same, "{one:?} {other:?}");
        }
    }
}
