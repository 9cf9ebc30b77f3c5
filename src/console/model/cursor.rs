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

/// Rows that stay between the selection and the edge of the view, where the list goes on.
const MARGIN: usize = 2;

/// How far a view is scrolled: so many of its rows stand above the selected one. That one keeps its
/// place on the screen when rows come and go above it; the wheel may leave it outside of the view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Offset(isize);

impl Offset {
    /// Returns the first row to show of a list of `count` rows in a view of `height` rows.
    pub(crate) fn top(self, selected: usize, (count, height): (usize, usize)) -> usize {
        let top = signed(selected).saturating_sub(self.0).max(0);
        usize::try_from(top)
            .unwrap_or(0)
            .min(count.saturating_sub(height))
    }

    /// Lets the view follow the selection from one row to another: no further than it must.
    pub(crate) fn follow(&mut self, from: usize, to: usize, size: (usize, usize)) {
        let (count, height) = size;
        let margin = MARGIN.min(height.saturating_sub(1) / 2);
        let lowest = (to + margin + 1).saturating_sub(height);
        let top = self
            .top(from, size)
            .max(lowest)
            .min(to.saturating_sub(margin));
        self.place(to, top.min(count.saturating_sub(height)));
    }

    /// Moves the view and not the selection.
    pub(crate) fn scroll(&mut self, rows: isize, selected: usize, size: (usize, usize)) {
        let (count, height) = size;
        let top = self.top(selected, size).saturating_add_signed(rows);
        self.place(selected, top.min(count.saturating_sub(height)));
    }

    /// Puts the selected row where it stands below this first row.
    pub(crate) fn place(&mut self, selected: usize, top: usize) {
        self.0 = signed(selected) - signed(top);
    }
}

fn signed(row: usize) -> isize {
    isize::try_from(row).unwrap_or(isize::MAX)
}

/// The selected row of a list, and where it stands in the view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    key: Option<String>,
    /// Where it was when its row was last seen, for the case that the row goes away.
    index: usize,
    offset: Offset,
}

impl Cursor {
    /// Returns the selected row among rows with these keys; none when there are no rows.
    pub(crate) fn index(&self, keys: &[impl AsRef<str>]) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        let found = self.key.as_deref().and_then(|key| {
            let mut all = keys.iter();
            all.position(|other| other.as_ref() == key)
        });
        Some(found.unwrap_or_else(|| self.index.min(last)))
    }

    /// Returns the first row to show in a view of so many rows.
    pub(crate) fn top(&self, keys: &[impl AsRef<str>], height: usize) -> usize {
        let selected = self.index(keys).unwrap_or(0);
        self.offset.top(selected, (keys.len(), height))
    }

    /// Moves the selection; a list without rows has none.
    pub(crate) fn step(&mut self, keys: &[impl AsRef<str>], step: Step, height: usize) {
        let (Some(index), Some(last)) = (self.index(keys), keys.len().checked_sub(1)) else {
            return;
        };
        self.select(keys, moved(index, last, step), height);
    }

    /// Selects the row with this number; the view follows.
    pub(crate) fn select(&mut self, keys: &[impl AsRef<str>], index: usize, height: usize) {
        if let Some(key) = keys.get(index) {
            let before = self.index(keys).unwrap_or(0);
            self.key = Some(key.as_ref().to_owned());
            self.index = index;
            self.offset.follow(before, index, (keys.len(), height));
        }
    }

    /// Selects the row that stands in this line of the view, which does not move.
    pub(crate) fn point(&mut self, keys: &[impl AsRef<str>], line: usize, height: usize) {
        let top = self.top(keys, height);
        if let Some(key) = keys.get(top + line).filter(|_| line < height) {
            self.key = Some(key.as_ref().to_owned());
            self.index = top + line;
            self.offset.place(self.index, top);
        }
    }

    /// Moves the view and not the selection.
    pub(crate) fn scroll(&mut self, keys: &[impl AsRef<str>], rows: isize, height: usize) {
        if let Some(selected) = self.index(keys) {
            self.offset.scroll(rows, selected, (keys.len(), height));
        }
    }

    /// Brings the selection back into the view, whose height has changed.
    pub(crate) fn show(&mut self, keys: &[impl AsRef<str>], height: usize) {
        if let Some(selected) = self.index(keys) {
            self.offset.follow(selected, selected, (keys.len(), height));
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
        assert_eq!(cursor.index(&[""; 0]), None);
        assert_eq!(cursor.index(&["a", "b"]), Some(0));

        cursor.step(&["a", "b", "c"], Step::By(1), 9);

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

    #[test]
    fn the_view_moves_only_when_the_selection_comes_near_its_edge() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut cursor = Cursor::default();
        let mut top_after = |step| {
            cursor.step(&keys, step, 10);
            cursor.top(&keys, 10)
        };
        assert_eq!(top_after(Step::By(7)), 0);
        assert_eq!(top_after(Step::By(1)), 1, "two rows stay below it");
        assert_eq!(top_after(Step::By(-5)), 1);
        assert_eq!(top_after(Step::By(-1)), 0);
        assert_eq!(top_after(Step::Last), 90);
        assert_eq!(top_after(Step::By(-6)), 90);
        assert_eq!(top_after(Step::First), 0);
    }

    #[test]
    fn what_is_pointed_at_is_selected_and_stays_where_it_is() {
        let names: Vec<String> = (0..504).map(|number| number.to_string()).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut cursor = Cursor::default();
        cursor.scroll(&keys, 30, 10);
        assert_eq!((cursor.index(&keys), cursor.top(&keys, 10)), (Some(0), 30));

        cursor.point(&keys, 1, 10);
        assert_eq!((cursor.index(&keys), cursor.top(&keys, 10)), (Some(31), 30));
        cursor.point(&keys, 1, 10);
        assert_eq!((cursor.index(&keys), cursor.top(&keys, 10)), (Some(31), 30));
        cursor.point(&keys, 10, 10);
        assert_eq!(cursor.index(&keys), Some(31), "below the view is nothing");

        let mut more = vec!["new"];
        more.extend(&keys);
        assert_eq!(cursor.top(&more, 10), 31, "it stays in its line");
        cursor.show(&keys, 1);
        assert_eq!(cursor.top(&keys, 1), 31);
        cursor.scroll(&keys, -900, 10);
        assert_eq!(cursor.top(&keys, 10), 0);
    }
}
