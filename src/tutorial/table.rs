//! Draws an answer as psql does, for terminals and logs.

use std::fmt::Write as _;

use super::database::Answer;

/// Returns the answer as lines, each indented by `indent` spaces; nothing for no columns.
#[must_use]
pub fn draw(answer: &Answer, indent: usize) -> String {
    let mut text = String::new();
    if answer.columns.is_empty() {
        return text;
    }
    let widths: Vec<usize> = (0..answer.columns.len())
        .map(|at| width(answer, at))
        .collect();
    let mut line = |cells: Vec<String>, divider: &str| {
        let joined = cells.join(divider);
        writeln!(text, "{:indent$}{}", "", joined.trim_end()).expect("a String takes all");
    };
    line(padded(&answer.columns, &widths), " | ");
    line(
        widths.iter().map(|width| "-".repeat(*width)).collect(),
        "-+-",
    );
    for row in &answer.rows {
        line(padded(row, &widths), " | ");
    }
    text
}

fn width(answer: &Answer, at: usize) -> usize {
    let column = std::iter::once(&answer.columns).chain(&answer.rows);
    column
        .filter_map(|cells| cells.get(at))
        .map(|cell| cell.chars().count())
        .max()
        .unwrap_or(0)
}

fn padded(cells: &[String], widths: &[usize]) -> Vec<String> {
    cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Answer, draw};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let answer = Answer {
            columns: words(&["id", "name"]),
            rows: vec![words(&["1", "alice"]), words(&["200", "bob"])],
        };

        let expected = "  id  | name\n  ----+------\n  1   | alice\n  200 | bob\n";
        assert_eq!(draw(&answer, 2), expected);
    }

    #[test]
    fn a_statement_without_rows_draws_nothing() {
        assert_eq!(draw(&Answer::default(), 2), "");
    }
}
