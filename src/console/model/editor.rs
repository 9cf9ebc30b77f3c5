//! A text of a few lines that is edited in place: what is to run for a schema change that the target
//! refused. Plain data; it knows no screen and no engine.

use crossterm::event::KeyCode;
use tui_input::{Input, InputRequest};

use crate::console::chord::Chord;

use super::overlay::{edit, insert};

/// The text, and where the cursor is.
#[derive(Debug)]
pub(crate) struct Editor {
    /// The schema change that it is for.
    pub(crate) id: String,
    /// What it was, for people: `ALTER TABLE`.
    pub(crate) tag: String,
    /// Never empty.
    pub(crate) lines: Vec<Input>,
    /// The line with the cursor.
    pub(crate) row: usize,
}

impl Editor {
    /// Returns an editor that begins with a text.
    pub(crate) fn new(id: String, tag: String, text: &str) -> Self {
        let mut lines: Vec<Input> = text.lines().map(Input::from).collect();
        if lines.is_empty() {
            lines.push(Input::default());
        }
        for line in &mut lines {
            line.handle(InputRequest::GoToStart);
        }
        Self {
            id,
            tag,
            lines,
            row: 0,
        }
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(Input::value).collect();
        lines.join("\n").trim().to_owned()
    }

    /// Takes a key.
    pub(crate) fn on_key(&mut self, chord: Chord) {
        let last = self.lines.len() - 1;
        match chord.code {
            KeyCode::Up => self.row = self.row.saturating_sub(1),
            KeyCode::Down => self.row = (self.row + 1).min(last),
            KeyCode::PageUp => self.row = 0,
            KeyCode::PageDown => self.row = last,
            KeyCode::Enter => self.break_line(),
            KeyCode::Backspace if self.lines[self.row].cursor() == 0 => self.join_lines(),
            _ => {
                edit(&mut self.lines[self.row], chord);
            }
        }
    }

    /// Takes pasted text, line by line.
    pub(crate) fn paste(&mut self, text: &str) {
        for (number, line) in text.trim_end().lines().enumerate() {
            if number > 0 {
                self.break_line();
            }
            insert(&mut self.lines[self.row], line);
        }
    }

    fn break_line(&mut self) {
        let line = &self.lines[self.row];
        let (before, after) = split_at(line.value(), line.cursor());
        let mut next = Input::from(after);
        next.handle(InputRequest::GoToStart);
        self.lines[self.row] = Input::from(before);
        self.row += 1;
        self.lines.insert(self.row, next);
    }

    fn join_lines(&mut self) {
        if self.row == 0 {
            return;
        }
        let line = self.lines.remove(self.row);
        self.row -= 1;
        let before = self.lines[self.row].value().to_owned();
        let cursor = before.chars().count();
        let joined = Input::from(before + line.value());
        self.lines[self.row] = joined.with_cursor(cursor);
    }
}

/// Cursors count characters.
fn split_at(text: &str, cursor: usize) -> (String, String) {
    (
        text.chars().take(cursor).collect(),
        text.chars().skip(cursor).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, keys: &str) {
        for key in keys.split_whitespace() {
            editor.on_key(key.parse().unwrap());
        }
    }

    #[test]
    fn lines_are_broken_joined_and_pasted() {
        let mut editor = Editor::new("1".into(), "ALTER TABLE".into(), "ALTER é;\nB;");
        typed(&mut editor, "x down end enter c");
        assert_eq!(editor.text(), "xALTER é;\nB;\nc");

        typed(&mut editor, "up up end left enter home backspace");
        assert_eq!(editor.text(), "xALTER é;\nB;\nc");
        assert_eq!((editor.row, editor.lines[0].cursor()), (0, 8));

        typed(&mut editor, "home backspace page-down ctrl-u");
        editor.paste("one\ntwo\n");
        assert_eq!(editor.text(), "xALTER é;\nB;\none\ntwo");
    }

    #[test]
    fn a_pasted_comment_takes_nothing_behind_it_along() {
        let mut editor = Editor::new("1".into(), "ALTER TABLE".into(), "");
        editor.paste("-- why\n\nALTER TABLE a ADD b int;");
        assert_eq!(editor.text(), "-- why\n\nALTER TABLE a ADD b int;");
    }
}
