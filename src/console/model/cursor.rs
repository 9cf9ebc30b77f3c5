//! Which row of a list is selected: by its key, not by its number, so that rows that come and go
//! above it do not move the selection.

/// A step of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many rows down; negative is up.
    By(isize),
    First,
    Last,
}

/// The selected row of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    key: Option<String>,
    /// Where it was when its row was last seen, for the case that the row goes away.
    index: usize,
}

impl Cursor {
    /// Returns the selected row among rows with these keys; none when there are no rows.
    pub(crate) fn index(&self, keys: &[&str]) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        let found = self.key.as_deref().and_then(|key| {
            let mut all = keys.iter();
            all.position(|other| *other == key)
        });
        Some(found.unwrap_or_else(|| self.index.min(last)))
    }

    /// Moves the selection; a list without rows has none.
    pub(crate) fn step(&mut self, keys: &[&str], step: Step) {
        let (Some(index), Some(last)) = (self.index(keys), keys.len().checked_sub(1)) else {
            return;
        };
        self.select(keys, moved(index, last, step));
    }

    /// Selects the row with this number.
    pub(crate) fn select(&mut self, keys: &[&str], index: usize) {
        if let Some(key) = keys.get(index) {
            self.key = Some((*key).to_owned());
            self.index = index;
        }
    }
}

/// Returns where a step leads from `index` in a list whose last row is `last`.
pub(crate) fn moved(index: usize, last: usize, step: Step) -> usize {
    match step {
        Step::First => 0,
        Step::Last => last,
        Step::By(rows) => index.saturating_add_signed(rows).min(last),
    }
}

/// Returns the first row to show so that the selected one is visible, in the middle if possible.
pub(crate) fn first_visible(selected: usize, row_count: usize, height: usize) -> usize {
    let latest = row_count.saturating_sub(height);
    selected.saturating_sub(height / 2).min(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_stays_with_its_row() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.index(&[]), None);
        assert_eq!(cursor.index(&["a", "b"]), Some(0));

        cursor.step(&["a", "b", "c"], Step::By(1));

        assert_eq!(cursor.index(&["new", "a", "b", "c"]), Some(2));
        assert_eq!(cursor.index(&["a", "c"]), Some(1), "the row is gone");
        assert_eq!(cursor.index(&["a"]), Some(0));
    }

    #[test]
    fn steps_end_at_the_ends() {
        for (step, expected) in [
            (Step::By(-9), 0),
            (Step::By(9), 4),
            (Step::By(1), 3),
            (Step::First, 0),
            (Step::Last, 4),
        ] {
            assert_eq!(moved(2, 4, step), expected);
        }
        assert_eq!(first_visible(9, 10, 4), 6);
        assert_eq!(first_visible(0, 10, 4), 0);
        assert_eq!(first_visible(1, 2, 4), 0);
    }
}
