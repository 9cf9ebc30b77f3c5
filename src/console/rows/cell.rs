//! Columns, rows and cells of a list pane.

use crate::console::theme::Role;

/// A column of a list pane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Which of a row's cells it shows.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    /// Cells it takes; the first column that is `fill` takes what is left, at least this.
    pub(crate) width: u16,
    pub(crate) fill: bool,
    pub(crate) right: bool,
    /// Columns with the largest number go first when there is no room.
    pub(crate) priority: u8,
}

/// One row of a list, with a cell for each of the pane's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
    /// So many of the cells say everything; the others say it again in fewer letters.
    pub(super) copied: usize,
}

impl Row {
    /// Returns the row as one line of text, columns apart by two blanks.
    pub(crate) fn text(&self) -> String {
        let cells: Vec<&str> = self.cells[..self.copied]
            .iter()
            .map(|cell| cell.text.as_str())
            .collect();
        cells.join("  ")
    }

    /// Returns whether the row holds a text, without regard to case.
    pub(crate) fn holds(&self, needle: &str) -> bool {
        self.text().to_lowercase().contains(needle)
    }
}

/// One piece of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) role: Role,
}

pub(super) fn cell(text: impl Into<String>, role: Role) -> Cell {
    Cell {
        text: text.into(),
        role,
    }
}

pub(super) const fn column(title: &'static str, width: u16, priority: u8) -> Column {
    Column {
        key: title,
        title,
        width,
        fill: false,
        right: false,
        priority,
    }
}

pub(super) const fn fill(title: &'static str, width: u16) -> Column {
    Column {
        fill: true,
        ..column(title, width, 0)
    }
}

pub(super) const fn number(title: &'static str, width: u16, priority: u8) -> Column {
    Column {
        right: true,
        ..column(title, width, priority)
    }
}

pub(super) fn plain(text: impl Into<String>) -> Cell {
    cell(text, Role::Text)
}

pub(super) const fn showing(key: &'static str, column: Column) -> Column {
    Column { key, ..column }
}
