//! The copy of existing tables in plain words: one table, and all of them together.

use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::theme::Role;
use crate::console::{format, hint, status_glyph};
use crate::status::{CopyState, Failure, Snapshot, TableCopy};

use super::Words;

/// Cells of the bar in the slot's words.
const BAR_CELLS: usize = 10;

impl Words<'_> {
    /// What must be known first stands first: where there is little room, only that is seen.
    pub(super) fn copy(&self, table: &TableCopy) -> Vec<Line<'static>> {
        let more = match (&table.failure, table.attempt) {
            (
                Some(Failure {
                    sqlstate: Some(code),
                    ..
                }),
                _,
            ) => code.clone(),
            (_, 0 | 1) => String::new(),
            (_, attempt) => format!("try {attempt}"),
        };
        let mut lines = vec![self.state(&table.name, status_glyph::of_copy(table.state), &more)];
        if let Some(failure) = &table.failure {
            lines.extend(self.failure(failure));
        }
        let meaning = self.meaning(table).into_iter();
        lines.extend(meaning.map(|text| self.line(text, Role::Text)));
        lines.push(Line::default());
        lines.extend(self.figures(table));
        lines
    }

    /// The innermost cause, which is what the server said, and what fixes it.
    fn failure(&self, failure: &Failure) -> Vec<Line<'static>> {
        let cause = failure.causes.last().unwrap_or(&failure.message);
        let mut lines = vec![self.line(cause.clone(), Role::Bad)];
        let hint = hint::in_keys(self.model, failure, Action::SnapshotCopy);
        lines.extend(hint.map(|hint| self.line(format!("hint  {hint}"), Role::Text)));
        lines
    }

    /// What was being done when it failed, from the whole to the part.
    fn course(&self, failure: &Failure) -> Vec<Line<'static>> {
        let at = format::time_of_day(failure.at_ms, &self.model.zone);
        let mut lines = vec![self.fact("failed at", at, ""), Line::default()];
        lines.push(self.heading("What was being done"));
        let causes = failure.causes.iter().rev().skip(1).rev();
        let steps = [&failure.message].into_iter().chain(causes);
        lines.extend(steps.map(|step| self.line(format!("  {step}"), Role::Text)));
        let statement = failure.statement.iter();
        lines.extend(statement.flat_map(|sql| self.block(sql, Role::Text)));
        lines
    }

    /// What a state means for the table's rows, and what can be done.
    fn meaning(&self, table: &TableCopy) -> Vec<String> {
        let key = |action| self.model.keymap.label(action);
        let copy = key(Action::SnapshotCopy);
        let paused = self.snapshot().is_some_and(|snapshot| snapshot.paused);
        match table.state {
            CopyState::Waiting if paused => vec![
                "Its turn has not come, and copying is paused.".to_owned(),
                format!("{} lets copies begin again.", key(Action::SnapshotPause)),
            ],
            CopyState::Waiting => vec![
                "Its turn has not come: the largest tables are copied first.".to_owned(),
                "Changes to it on the source are not lost; its copy will have them.".to_owned(),
            ],
            CopyState::Copying if table.unlogged => vec![
                "Its rows are read as they were in one snapshot of the source.".to_owned(),
                "It is unlogged: what has changed in it since then does not follow.".to_owned(),
            ],
            CopyState::Copying => vec![
                "Its rows are read as they were in one snapshot of the source.".to_owned(),
                "What has changed in it since then follows through the stream.".to_owned(),
            ],
            CopyState::Indexing => {
                vec!["All rows are there; its indexes and constraints are being built.".to_owned()]
            }
            CopyState::CatchingUp => vec![
                "It is complete as of the snapshot in which it was read.".to_owned(),
                "The stream is on its way to that snapshot, and goes on from there.".to_owned(),
            ],
            CopyState::Ready if table.unlogged => vec![
                "It is as it was when it was copied: it is unlogged, and none of its changes travel."
                    .to_owned(),
                format!("{copy} copies it again (asks): its rows on the target are replaced."),
            ],
            CopyState::Ready => vec![
                "It is as the stream has it: every change on the source comes here.".to_owned(),
                format!("{copy} copies it again (asks): its rows on the target are replaced."),
            ],
            CopyState::Failed => vec![
                "The other tables go on; nothing reaches this one until it is copied.".to_owned(),
                format!("Fix the cause, then {copy} copies it again from its first row."),
            ],
        }
    }

    fn figures(&self, table: &TableCopy) -> Vec<Line<'static>> {
        let expected = format!("of {} expected", format::bytes(table.bytes_expected));
        let mut lines = vec![
            self.fact("rows", format::count(table.row_count), ""),
            self.fact("bytes", format::bytes(table.byte_count), &expected),
        ];
        if table.state == CopyState::Copying {
            let rate = format::bytes(format::whole(table.bytes_per_s));
            lines.push(self.fact("rate", rate, "a second"));
            let left = table.left_s.map_or("-".to_owned(), format::whole_seconds);
            lines.push(self.fact("left", left, "at this rate"));
        }
        lines.push(self.fact("try", table.attempt.to_string(), ""));
        let failure = table.failure.iter();
        lines.extend(failure.flat_map(|failure| self.course(failure)));
        lines
    }

    /// How many tables are ready, in the words about our slot.
    pub(super) fn copies(&self) -> Option<Line<'static>> {
        let snapshot = self.snapshot()?;
        let under_way = [
            CopyState::Copying,
            CopyState::Indexing,
            CopyState::CatchingUp,
        ];
        let copying: usize = under_way.into_iter().map(|one| snapshot.count(one)).sum();
        let ready = snapshot.count(CopyState::Ready);
        let course = format!(
            "{} {}   {copying} ⇉   {} ✗",
            format::bar(snapshot.done(), BAR_CELLS),
            format::percent(snapshot.done()),
            snapshot.count(CopyState::Failed),
        );
        let ready = format!("{ready}/{} ready", snapshot.tables.len());
        Some(self.fact("tables", ready, &course))
    }

    fn snapshot(&self) -> Option<&Snapshot> {
        self.model.status().snapshot.as_deref()
    }
}
