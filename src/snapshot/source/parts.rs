//! Cuts a table into parts that several workers read at once. Pure.
//!
//! Usually ranges of blocks. All of them are read under one snapshot, and a row version that the
//! snapshot sees never moves while the table keeps its file, so they hold every row exactly once; ranges
//! read under two snapshots would not, since rows move between blocks. A large table whose key is a whole
//! number is cut into ranges of keys instead: a row stays in its range, so that each range can be as of a
//! consistent point of its own, and what is there after a crash need not be copied again.
//!
//! A part is a transaction on both sides: small enough that its lock on the source is soon gone,
//! large enough that its round trips do not count.

use super::select::RangeKey;

/// A table is cut for the sake of several workers only into parts of at least this size.
const PART_BYTES_MIN: u64 = 16 << 20;

/// From so many parts on it is worth while to read a table by its key, to resume within it.
const RANGES_MIN: u64 = 4;

/// A part of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it.
    Whole,
    /// The rows in some of its blocks.
    Blocks {
        /// The first block.
        from: u64,
        /// The first block behind; none: to the end, however far that is.
        to: Option<u64>,
    },
    /// The rows with some of its keys.
    Keys {
        /// Its number among all ranges.
        number: i32,
        range: KeyRange,
    },
}

/// A range of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// The least key; none: from the beginning.
    pub low: Option<i64>,
    /// The least key behind; none: to the end.
    pub high: Option<i64>,
}

/// Returns ranges of blocks of a table of `block_count` blocks and `byte_count` bytes, TOAST
/// included.
#[must_use]
pub fn plan_parts(
    block_count: u64,
    byte_count: u64,
    part_bytes: u64,
    worker_count: usize,
) -> Vec<Part> {
    let workers = u64::try_from(worker_count).unwrap_or(u64::MAX);
    let by_size = byte_count.div_ceil(part_bytes.max(1));
    let by_workers = workers.min(byte_count / PART_BYTES_MIN);
    let part_count = by_size.max(by_workers).min(block_count);
    if part_count < 2 {
        return vec![Part::Whole];
    }
    let border = |part: u64| block_count / part_count * part + (block_count % part_count).min(part);
    (0..part_count)
        .map(|part| Part::Blocks {
            from: border(part),
            to: (part + 1 < part_count).then(|| border(part + 1)),
        })
        .collect()
}

/// Returns ranges of keys of a table of `byte_count` bytes; none when it is too small for that.
#[must_use]
pub fn plan_ranges(key: &RangeKey, byte_count: u64, part_bytes: u64) -> Vec<KeyRange> {
    let part_count = byte_count.div_ceil(part_bytes.max(1));
    if part_count < RANGES_MIN || key.bounds.len() < 2 {
        return Vec::new();
    }
    let mut borders: Vec<i64> = (1..part_count)
        .map(|part| quantile(&key.bounds, part, part_count))
        .collect();
    borders.dedup();
    let lows = std::iter::once(None).chain(borders.iter().copied().map(Some));
    let highs = borders
        .iter()
        .copied()
        .map(Some)
        .chain(std::iter::once(None));
    lows.zip(highs)
        .map(|(low, high)| KeyRange { low, high })
        .collect()
}

/// The value below which `part` of `part_count` of the rows lie, between the bounds in a straight line.
fn quantile(bounds: &[i64], part: u64, part_count: u64) -> i64 {
    let steps = bounds.len() as u64 - 1;
    let (whole, rest) = (part * steps / part_count, part * steps % part_count);
    let at = |place: u64| {
        let place = usize::try_from(place)
            .unwrap_or(usize::MAX)
            .min(bounds.len() - 1);
        i128::from(bounds[place])
    };
    let (low, high) = (at(whole), at(whole + 1));
    let value = low + (high - low) * i128::from(rest) / i128::from(part_count);
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What a part brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub row_count: u64,
    /// Bytes, as COPY has them.
    pub byte_count: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PART_BYTES: u64 = 128 << 20;

    #[test]
    fn small_tables_stay_whole_and_large_ones_are_cut_for_the_workers() {
        let check = |blocks: u64, workers, expected: usize| {
            let parts = plan_parts(blocks, blocks * 8192, PART_BYTES, workers);
            assert_eq!(parts.len(), expected, "{blocks} blocks, {workers} workers");
        };

        check(0, 4, 1);
        check(100, 4, 1);
        check(PART_BYTES / 8192, 1, 1);
        check(PART_BYTES / 8192, 4, 4);
        check(10 * PART_BYTES / 8192, 4, 10);
        // One row of a hundred megabytes: all of it is in the TOAST table of one block.
        assert_eq!(plan_parts(1, 100 << 20, PART_BYTES, 8), [Part::Whole]);
    }

    proptest! {
        #[test]
        fn parts_cover_every_block_once(
            blocks in 0u64..3_000_000, toast in 0u64..1 << 40, workers in 1usize..64,
        ) {
            let parts = plan_parts(blocks, blocks * 8192 + toast, PART_BYTES, workers);

            let mut next = 0;
            for (place, part) in parts.iter().enumerate() {
                match *part {
                    Part::Whole => prop_assert_eq!(parts.len(), 1),
                    Part::Blocks { from, to } => {
                        prop_assert_eq!(from, next);
                        prop_assert_eq!(to.is_none(), place + 1 == parts.len());
                        prop_assert!(to.is_none_or(|to| to > from));
                        next = to.unwrap_or(next);
                    }
                    Part::Keys { .. } => prop_assert!(false),
                }
            }
        }

        #[test]
        fn ranges_cover_every_key_once(
            mut bounds in prop::collection::vec(any::<i64>(), 0..101),
            bytes in 0u64..1 << 40,
            probes in prop::collection::vec(any::<i64>(), 20),
        ) {
            bounds.sort_unstable();
            let key = RangeKey { column: "id".to_owned(), bounds };
            let ranges = plan_ranges(&key, bytes, PART_BYTES);

            for probe in probes {
                let holds = |range: &&KeyRange| {
                    range.low.is_none_or(|low| probe >= low) && range.high.is_none_or(|high| probe < high)
                };
                let found = ranges.iter().filter(holds).count();
                prop_assert_eq!(found, usize::from(!ranges.is_empty()));
            }
        }
    }
}
