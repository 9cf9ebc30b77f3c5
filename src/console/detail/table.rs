//! A table in plain words: what the target refuses of it, what replicated, its latest changes.

use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::items::changes;
use crate::console::theme::Role;
use crate::console::{format, status_glyph};
use crate::status::{Cell, ChangeKind, SchemaChange, TableCounters, Verdict};

use super::Words;

/// So many schema changes of one table are shown.
const CHANGES_MAX: usize = 10;

impl Words<'_> {
    pub(super) fn table(&self, name: &str, one: &TableCounters) -> Vec<Line<'static>> {
        let ago = (self.model.status().at_ms - one.last_change_ms) / 1000;
        let last = match one.last_change_ms {
            0 => "-".to_owned(),
            _ => format::short_seconds(ago),
        };
        let kept = (one.suppressed > 0).then(|| {
            self.fact(
                "kept",
                format::count(one.suppressed),
                "rows, by the target's triggers",
            )
        });
        let mut lines = vec![self.line(name.to_owned(), Role::Title), Line::default()];
        if self.model.status().refused_table() == Some(name) {
            lines.extend(self.refusal());
        }
        lines.extend([
            self.heading("Changes since the engine started"),
            self.fact("now", self.rate_of(name), "changes a second"),
            self.fact("inserts", format::count(one.inserts), "rows"),
            self.fact("updates", format::count(one.updates), "rows"),
            self.fact("deletes", format::count(one.deletes), "rows"),
            self.fact("truncates", format::count(one.truncates), "times"),
            self.fact("size", format::bytes(one.bytes), "of row values"),
            self.fact("latest", last, "ago"),
        ]);
        lines.extend(kept);
        lines.extend(self.verified(name));
        lines.extend(self.latest_of());
        lines.extend(self.copy_of(name));
        lines.extend(self.changes_of(name));
        lines
    }

    fn rate_of(&self, name: &str) -> String {
        let rate = self.model.table_rates.of(name);
        rate.map_or_else(|| "-".to_owned(), format::rate)
    }

    /// The change that the target refuses: its row, its transaction, its statement, why.
    fn refusal(&self) -> Vec<Line<'static>> {
        let Some(failure) = &self.model.status().last_error else {
            return Vec::new();
        };
        let mut lines = vec![self.line(failure.headline().to_owned(), Role::Bad)];
        let causes = failure.causes.last().into_iter();
        lines.extend(causes.flat_map(|cause| self.block(cause, Role::Text)));
        lines.extend(self.refused_row());
        if let Some(transaction) = &failure.transaction {
            lines.push(self.fact("transaction", transaction.xid.to_string(), "on the source"));
            let commit = transaction.commit_lsn.to_string();
            lines.push(self.fact("commit", commit, "its position on the source"));
        }
        let at = format::moment(failure.at_ms, &self.model.zone);
        lines.push(self.fact("refused at", at, ""));
        let statement = failure.statement.iter();
        lines.extend(statement.flat_map(|text| self.sql(text)));
        lines.push(Line::default());
        lines
    }

    /// Which row it is; what it holds only where that was asked for.
    fn refused_row(&self) -> Vec<Line<'static>> {
        let rows = &self.model.rows;
        let Some(look) = &rows.look else {
            return Vec::new();
        };
        let Some(row) = &look.refused else {
            return vec![self.fact(
                "row",
                "not known",
                "the target does not say which row it is",
            )];
        };
        let mut cells = row.cells.iter();
        let identity: Vec<String> = cells
            .clone()
            .filter(|cell| cell.key)
            .map(in_words)
            .collect();
        let identity = match identity.is_empty() {
            true => "a row without a key".to_owned(),
            false => identity.join(", "),
        };
        let word = word(row.kind);
        let mut lines = vec![self.fact("row", identity, &format!("refused {word}"))];
        if !rows.values {
            let key = self.model.keymap.label(Action::RowValues);
            let hint = format!("  {key} shows the values that were sent of it");
            lines.push(self.line(hint, Role::Quiet));
        } else if cells.all(|cell| cell.key) {
            lines.push(self.line("  nothing else was sent of it", Role::Quiet));
        } else {
            let values = row
                .cells
                .iter()
                .flat_map(|cell| self.block(&in_words(cell), Role::Text));
            lines.extend(values.map(|mut line| {
                line.spans.insert(0, self.span("  ", Role::Text));
                line
            }));
        }
        lines
    }

    /// What its rows went through last, newest first.
    fn latest_of(&self) -> Vec<Line<'static>> {
        let Some(look) = &self.model.rows.look else {
            return Vec::new();
        };
        let mut lines = vec![
            Line::default(),
            self.heading("Latest changes on the target"),
        ];
        if look.changes.is_empty() {
            lines.push(self.line("  none that the engine remembers", Role::Quiet));
        }
        let mut before = None;
        lines.extend(look.changes.iter().map(|change| {
            let at = format::moment(change.commit_time_ms, &self.model.zone);
            let same = before.replace(change.commit_lsn) == Some(change.commit_lsn);
            let key = change.key.escape_debug().to_string();
            let transaction = match same {
                true => String::new(),
                false => format!("  {at}  {}", change.commit_lsn),
            };
            Line::from(vec![
                self.span(format!("  {:<8} ", word(change.kind)), Role::Title),
                self.span(format!("{key:<24}"), Role::Text),
                self.span(transaction, Role::Quiet),
            ])
        }));
        lines
    }

    /// What is known of whether both sides are equal.
    fn verified(&self, name: &str) -> Vec<Line<'static>> {
        let proof = &self.model.proof;
        if let Some(one) = proof.compared.iter().find(|one| one.name == name) {
            let sign = status_glyph::of_verdict(one.verdict);
            let lsn = one.table.as_ref().map(|table| format!("at {}", table.lsn));
            return vec![self.state("Verified", sign, &lsn.unwrap_or_default())];
        }
        let record = proof.record.as_ref();
        let mut different = record.iter().flat_map(|(found, _)| &found.different_tables);
        if let Some(found) = different.find(|one| one.table == name) {
            let sign = status_glyph::of_verdict(Verdict::Different);
            return vec![self.state("Verified", sign, &format!("at {}", found.lsn))];
        }
        match self.proof() {
            Some(line) => vec![line],
            None if record.is_some() => vec![self.fact("verified", "never", "")],
            None => Vec::new(),
        }
    }

    /// How far the copy of a table is.
    fn copy_of(&self, name: &str) -> Vec<Line<'static>> {
        let snapshot = self.model.status().snapshot.as_ref();
        let mut tables = snapshot.iter().flat_map(|snapshot| snapshot.tables.iter());
        let Some(table) = tables.find(|table| table.name == name) else {
            return Vec::new();
        };
        let sign = status_glyph::of_copy(table.state);
        let rows = format!("{} rows copied", format::count(table.row_count));
        vec![Line::default(), self.state("Copy", sign, &rows)]
    }

    /// The latest schema changes of a table.
    fn changes_of(&self, name: &str) -> Vec<Line<'static>> {
        let of_table = |change: &&SchemaChange| {
            let mut objects = change.objects.iter();
            objects.any(|object| object.split_once(' ').map_or(&**object, |(_, one)| one) == name)
        };
        let changes = changes(self.model).into_iter().filter(of_table);
        let lines = changes.take(CHANGES_MAX).map(|change| {
            let sign = status_glyph::of_schema(change.state);
            let at = change
                .made_at_ms()
                .map(|at_ms| format::moment(at_ms, &self.model.zone));
            Line::from(vec![
                self.span(format!("  {} ", sign.glyph), sign.role),
                self.span(format!("{:<16} ", change.tag), Role::Text),
                self.span(at.unwrap_or_default(), Role::Quiet),
            ])
        });
        let lines: Vec<Line<'static>> = lines.collect();
        match lines.is_empty() {
            true => Vec::new(),
            false => [Line::default(), self.heading("Latest schema changes")]
                .into_iter()
                .chain(lines)
                .collect(),
        }
    }
}

const fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Insert => "INSERT",
        ChangeKind::Update => "UPDATE",
        ChangeKind::Delete => "DELETE",
        ChangeKind::Truncate => "TRUNCATE",
    }
}

fn in_words(cell: &Cell) -> String {
    match &cell.value {
        Some(value) => format!("{}={}", cell.column, value.escape_debug()),
        None => format!("{}=NULL", cell.column),
    }
}
