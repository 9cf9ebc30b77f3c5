//! Cuts a table into ranges of blocks that several workers read at once. Pure.
//!
//! All parts of a table are read under one snapshot, and a row version that the snapshot sees never
//! moves while the table keeps its file, so the ranges hold every row exactly once. A part is a
//! transaction on both sides: small enough that its lock on the source is soon gone, large enough
//! that its round trips do not count.

/// How much of a table one part reads.
const PART_BYTES: u64 = 128 << 20;

/// A table is cut for the sake of several workers only into parts of at least this size.
const PART_BYTES_MIN: u64 = 16 << 20;

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
}

/// Returns the parts of a table of `block_count` blocks and `byte_count` bytes, TOAST included.
#[must_use]
pub fn plan_parts(block_count: u64, byte_count: u64, worker_count: usize) -> Vec<Part> {
    let workers = u64::try_from(worker_count).unwrap_or(u64::MAX);
    let by_size = byte_count.div_ceil(PART_BYTES);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_tables_stay_whole_and_large_ones_are_cut_for_the_workers() {
        let check = |blocks: u64, workers, expected: usize| {
            let parts = plan_parts(blocks, blocks * 8192, workers);
            assert_eq!(parts.len(), expected, "{blocks} blocks, {workers} workers");
        };

        check(0, 4, 1);
        check(100, 4, 1);
        check(PART_BYTES / 8192, 1, 1);
        check(PART_BYTES / 8192, 4, 4);
        check(10 * PART_BYTES / 8192, 4, 10);
        // One row of a hundred megabytes: all of it is in the TOAST table of one block.
        assert_eq!(plan_parts(1, 100 << 20, 8), [Part::Whole]);
    }

    proptest! {
        #[test]
        fn parts_cover_every_block_once(
            blocks in 0u64..3_000_000, toast in 0u64..1 << 40, workers in 1usize..64,
        ) {
            let parts = plan_parts(blocks, blocks * 8192 + toast, workers);

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
                }
            }
        }
    }
}
