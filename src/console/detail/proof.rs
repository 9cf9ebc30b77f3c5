//! The words about what was compared.

use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::model::proof::Compared;
use crate::console::theme::Role;
use crate::console::{format, status_glyph};
use crate::status::Verdict;
use crate::verify::{RowDifference, RowKind, TableReport};

use super::Words;

impl Words<'_> {
    pub(super) fn compared(&self, one: &Compared) -> Vec<Line<'static>> {
        let sign = status_glyph::of_verdict(one.verdict);
        let mut lines = vec![self.state(&one.name, sign, ""), Line::default()];
        if let Some(reason) = &one.reason {
            lines.extend(self.block(&reason.replace("; ", "\n"), Role::Text));
        }
        if let Some(table) = one.table.as_ref().filter(|table| table.reason.is_none()) {
            lines.extend(self.table_proof(table));
        }
        if one.verdict == Verdict::Different && one.table.is_some() {
            let key = |action| self.model.keymap.label(action);
            lines.push(Line::default());
            let hint = format!(
                "hint  {} shows the values of these rows, {} brings them from the source (asks)",
                key(Action::VerifyValues),
                key(Action::VerifyRepair)
            );
            lines.push(self.line(hint, Role::Text));
        }
        lines
    }

    fn table_proof(&self, table: &TableReport) -> Vec<Line<'static>> {
        let least = if table.counted { "" } else { "at least" };
        let mut lines = vec![
            self.fact("source", format::count(table.source_rows), "rows"),
            self.fact("target", format::count(table.target_rows), "rows"),
            self.fact(
                "compared at",
                table.lsn.to_string(),
                "the position of both sides",
            ),
        ];
        if table.verdict == Verdict::Different {
            lines.push(self.fact("missing", format::count(table.missing), least));
            lines.push(self.fact("extra", format::count(table.extra), least));
            lines.push(self.fact("other values", format::count(table.differing), least));
            lines.push(Line::default());
            lines.push(self.heading("Rows"));
            lines.extend(table.rows.iter().flat_map(|row| self.row_proof(row)));
        }
        if let Some(repaired) = table.repaired {
            let words = format!(
                "{} inserted, {} updated, {} deleted",
                repaired.inserted, repaired.updated, repaired.deleted
            );
            lines.push(self.fact("repaired", words, ""));
        }
        lines
    }

    fn row_proof(&self, row: &RowDifference) -> Vec<Line<'static>> {
        let key = match &row.key {
            Some(key) => format!("key {}", key.join(", ")),
            None => "a row without a key".to_owned(),
        };
        let (kind, role) = match row.kind {
            RowKind::Missing => ("missing on the target", Role::Bad),
            RowKind::Extra => ("only on the target", Role::Warn),
            RowKind::Different => ("other values", Role::Warn),
        };
        let columns = match row.columns.is_empty() {
            true => String::new(),
            false => format!(" in {}", row.columns.join(", ")),
        };
        let mut lines = vec![self.line(format!("  {kind}: {key}{columns}"), role)];
        let values = row.values.iter().map(|one| {
            let shown = one.shown(|text| text.escape_debug().to_string());
            self.line(format!("      {shown}"), Role::Text)
        });
        lines.extend(values);
        lines
    }

    /// The last proof on record, in the words about our slot.
    pub(super) fn proof(&self) -> Option<Line<'static>> {
        let (verified, at_ms) = self.model.proof.record.as_ref()?;
        let last = verified.last.as_ref()?;
        let word = status_glyph::of_verdict(last.verdict).word;
        let age = last.age_s + format::float(self.since(*at_ms));
        let more = format!("at {}, {} ago", last.lsn, format::seconds(age));
        Some(self.fact("verified", word, &more))
    }

    fn since(&self, at_ms: i64) -> u64 {
        u64::try_from((self.model.now_ms - at_ms) / 1000).unwrap_or(0)
    }
}
