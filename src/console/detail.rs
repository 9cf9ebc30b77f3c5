//! The selected row in plain words: what Enter shows, and what stands beside the lists on a full
//! screen.

mod proof;
mod snapshot;
mod table;

use ratatui::text::{Line, Span};

use crate::status::{Phase, SchemaChange, SchemaState, Slot};

use super::action::Pane;
use super::format;
use super::item::Item;
use super::items::{selected, selected_change, selected_compared, selected_copy, selected_table};
use super::model::Model;
use super::status_glyph::{self, StatusGlyph};
use super::theme::Role;

/// Returns the words about the selected row of a pane.
pub(crate) fn lines(model: &Model, pane: Pane) -> Vec<Line<'static>> {
    let words = Words { model };
    match pane {
        Pane::Slots => selected_slot(model).map_or_else(Vec::new, |slot| words.slot(slot)),
        Pane::Schema => selected_change(model).map_or_else(Vec::new, |one| words.change(one)),
        Pane::Throughput => words.throughput(),
        Pane::Tables => {
            selected_table(model).map_or_else(Vec::new, |(name, one)| words.table(name, one))
        }
        Pane::Logs => words.log_line(),
        Pane::Snapshot => selected_copy(model).map_or_else(Vec::new, |one| words.copy(one)),
        Pane::Verify => selected_compared(model).map_or_else(Vec::new, |one| words.compared(one)),
    }
}

fn selected_slot(model: &Model) -> Option<&Slot> {
    match selected(model, Pane::Slots)? {
        Item::Slot(slot) => Some(slot),
        Item::Change(_) | Item::Table(..) | Item::Copy(_) | Item::Compared(_) => None,
    }
}

/// Builds lines in the model's theme.
struct Words<'a> {
    model: &'a Model,
}

impl Words<'_> {
    fn span(&self, text: impl Into<String>, role: Role) -> Span<'static> {
        Span::styled(text.into(), self.model.display.theme.style(role))
    }

    fn line(&self, text: impl Into<String>, role: Role) -> Line<'static> {
        Line::from(self.span(text, role))
    }

    fn heading(&self, text: &'static str) -> Line<'static> {
        self.line(text, Role::Title)
    }

    /// A name, its value, and what it means.
    fn fact(&self, name: &str, value: impl Into<String>, meaning: &str) -> Line<'static> {
        let value = value.into();
        Line::from(vec![
            self.span(format!("  {name:<17}"), Role::Quiet),
            self.span(format!("{value:<12} "), Role::Text),
            self.span(meaning.to_owned(), Role::Quiet),
        ])
    }

    fn state(&self, name: &str, sign: StatusGlyph, more: &str) -> Line<'static> {
        Line::from(vec![
            self.span(name.to_owned(), Role::Title),
            self.span(format!("   {} {}", sign.glyph, sign.word), sign.role),
            self.span(format!("   {more}"), Role::Quiet),
        ])
    }

    /// Several lines of somebody's text, indented.
    fn block(&self, text: &str, role: Role) -> Vec<Line<'static>> {
        let lines = text.lines().map(|line| line.replace('\t', "    "));
        lines
            .map(|line| self.line(format!("  {line}"), role))
            .collect()
    }

    /// SQL, its words in capitals standing out.
    fn sql(&self, text: &str) -> Vec<Line<'static>> {
        let lines = text.lines().map(|line| line.replace('\t', "    "));
        let spans = |line: String| {
            let words = line.split_inclusive([' ', '(', ')', ',', ';']);
            let spans = words.map(|word| {
                let letters = word.trim_end_matches([' ', '(', ')', ',', ';']);
                let keyword =
                    letters.len() > 1 && letters.bytes().all(|one| one.is_ascii_uppercase());
                let role = if keyword { Role::Key } else { Role::Text };
                self.span(word.to_owned(), role)
            });
            let indent = std::iter::once(Span::raw("  "));
            Line::from(indent.chain(spans).collect::<Vec<_>>())
        };
        lines.map(spans).collect()
    }

    fn slot(&self, slot: &Slot) -> Vec<Line<'static>> {
        let lsn =
            |lsn: Option<crate::model::Lsn>| lsn.map_or("-".to_owned(), |lsn| lsn.to_string());
        let kind = format!("{}, database {}", slot.plugin, slot.database);
        let pid = slot
            .active_pid
            .map_or("-".to_owned(), |pid| pid.to_string());
        let wal_status = slot.wal_status.clone().unwrap_or_else(|| "-".to_owned());
        let spilled = format::maybe_bytes(Some(slot.spill_bytes));
        let phase = &self.model.status().phase;
        let mut lines = vec![
            self.state(&slot.slot_name, status_glyph::of_slot(slot, phase), &kind),
            Line::default(),
            self.fact(
                "restart",
                lsn(slot.restart_lsn),
                "oldest WAL the source must keep",
            ),
            self.fact(
                "confirmed flush",
                lsn(slot.confirmed_flush_lsn),
                "all before it is safe on the target",
            ),
            self.fact(
                "WAL kept",
                format::maybe_bytes(slot.retained_bytes),
                "on the source's disk for this slot",
            ),
            self.fact(
                "wal_status",
                wal_status,
                "reserved > extended > unreserved > lost",
            ),
            self.fact(
                "spilled",
                spilled,
                &format!("transactions: {}", slot.spill_count),
            ),
            self.fact(
                "read by pid",
                pid,
                slot.reader.as_deref().unwrap_or_default(),
            ),
        ];
        if slot.ours {
            lines.extend(self.copies());
            lines.extend(self.proof());
            lines.extend(self.unconfirmed());
            lines.extend(self.sequences());
        }
        lines.push(Line::default());
        lines.push(self.heading("What this means"));
        let meaning = slot_meaning(slot, phase);
        lines.extend(
            meaning
                .into_iter()
                .map(|text| self.line(format!("  {text}"), Role::Text)),
        );
        lines
    }

    /// Why the source keeps what is on the target already.
    fn unconfirmed(&self) -> Option<Line<'static>> {
        let found = self.model.status().unconfirmed.as_ref()?;
        let since_s = (self.model.now_ms - found.since_ms).max(0) / 1000;
        let since = format::whole_seconds(since_s);
        Some(self.fact("not confirmed", since, &found.reason()))
    }

    /// How long ago the source's sequences were looked at, and which do not follow.
    fn sequences(&self) -> Vec<Line<'static>> {
        let Some(seen) = &self.model.status().sequences else {
            return Vec::new();
        };
        let ago_s = (self.model.now_ms - seen.looked_at_ms).max(0) / 1000;
        let ago = format!("{} ago", format::whole_seconds(ago_s));
        let (count, moved) = (format::count(seen.count), format::count(seen.moved));
        let meaning = format!("{count} looked at, {moved} moved");
        let mut lines = vec![self.fact("sequences", ago, &meaning)];
        let unfollowed = seen.unfollowed.iter();
        lines.extend(unfollowed.map(|one| self.fact("", "does not follow", one)));
        lines
    }

    fn change(&self, change: &SchemaChange) -> Vec<Line<'static>> {
        let made_at = change.made_at_ms().map_or_else(
            || change.created_at.clone(),
            |at_ms| format::moment(at_ms, &self.model.zone),
        );
        let when = format!("version {}, {made_at}", change.version);
        let mut lines = vec![self.state(&change.tag, status_glyph::of_schema(change.state), &when)];
        if !change.objects.is_empty() {
            lines.push(self.line(format!("  {}", change.objects.join(", ")), Role::Text));
        }
        if let Some(error) = &change.error {
            lines.push(Line::default());
            lines.extend(self.block(error, Role::Bad));
        }
        lines.push(Line::default());
        lines.push(self.heading("As it was written on the source"));
        lines.extend(self.sql(&change.statement));
        lines.push(Line::default());
        lines.push(self.heading(match change.state {
            SchemaState::Applied => "What ran on the target",
            SchemaState::Running => "What is running on the target",
            SchemaState::Pending
            | SchemaState::Failed
            | SchemaState::Skipped
            | SchemaState::NotApplied => "What would run on the target",
        }));
        if change.sql.is_empty() {
            lines.push(self.line("  nothing", Role::Quiet));
        }
        for sql in &change.sql {
            lines.extend(self.sql(&format!("{};", sql.trim_end_matches(';'))));
        }
        for reason in &change.not_applied {
            lines.push(self.line(format!("  ! {reason}"), Role::Warn));
        }
        lines.extend(self.change_end(change));
        lines
    }

    fn change_end(&self, change: &SchemaChange) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if !change.before_after.is_empty() {
            lines.push(Line::default());
            lines.push(self.heading("Before and after"));
            for line in change.before_after.lines() {
                lines.extend(self.block(line, status_glyph::of_difference(line)));
            }
        }
        lines.push(Line::default());
        let took = change.duration_ms.map(format::millis);
        lines.extend(took.map(|took| self.fact("took", took, "on the target")));
        let end = change.end_lsn.map_or("-".to_owned(), |lsn| lsn.to_string());
        lines.push(self.fact("transaction ends", end, "on the source"));
        lines
    }

    fn throughput(&self) -> Vec<Line<'static>> {
        let status = self.model.status();
        let totals = status.totals;
        let latest = self.model.latest_sample();
        let batches = status.batches;
        vec![
            self.heading("Now"),
            self.fact("rows", format::rate(latest.rows.into()), "a second"),
            self.fact(
                "transactions",
                format::rate(latest.transactions.into()),
                "a second",
            ),
            self.fact(
                "bytes",
                format::bytes(format::whole(latest.bytes.into())),
                "a second",
            ),
            self.fact(
                "lag",
                format::known(self.model.lag().seconds, format::seconds),
                "age of the oldest change on its way",
            ),
            self.fact(
                "",
                format::known(self.model.lag().bytes, format::bytes),
                "of WAL not yet durable on the target",
            ),
            self.fact(
                "source writes",
                format::bytes(format::whole(status.lag.wal_bytes_per_s)),
                "of WAL a second",
            ),
            Line::default(),
            self.heading("Batches (one is one transaction on the target)"),
            self.fact(
                "time p50",
                format::millis(batches.p50_ms),
                "half are faster",
            ),
            self.fact(
                "time p95",
                format::millis(batches.p95_ms),
                "one in twenty is slower",
            ),
            self.fact("time max", format::millis(batches.max_ms), ""),
            self.fact(
                "rows p50",
                format::count(batches.rows_p50),
                "row changes in a batch",
            ),
            self.fact("rows p95", format::count(batches.rows_p95), ""),
            Line::default(),
            self.heading("Since the engine started"),
            self.fact("rows", format::count(totals.rows), ""),
            self.fact("transactions", format::count(totals.transactions), ""),
            self.fact("bytes", format::bytes(totals.bytes), ""),
            self.fact("batches", format::count(totals.batches), ""),
            self.fact("schema changes", format::count(totals.schema_changes), ""),
            self.fact(
                "skipped",
                format::count(totals.skipped),
                "transactions, on record",
            ),
            self.fact("reconnects", format::count(totals.reconnects), ""),
        ]
    }

    fn log_line(&self) -> Vec<Line<'static>> {
        let logs = &self.model.logs;
        let visible = logs.visible();
        let number = logs.selected.or_else(|| visible.last().copied());
        let Some(line) = number.and_then(|number| logs.get(number)) else {
            return Vec::new();
        };
        let time = format::moment(line.at_ms, &self.model.zone);
        let mut lines = vec![
            self.line(line.message.clone(), Role::Title),
            Line::default(),
            self.fact("time", time, ""),
            self.fact("level", line.level.to_string(), ""),
            self.fact("target", line.target, ""),
        ];
        for (name, value) in &line.fields {
            lines.push(self.fact(name, value.clone(), ""));
        }
        for span in &line.spans {
            lines.push(self.fact("in", span.clone(), ""));
        }
        lines
    }
}

/// Says what a slot's state means for the source's disk, and what to do.
fn slot_meaning(slot: &Slot, phase: &Phase) -> Vec<String> {
    if slot.is_lost() {
        return vec![
            "The source has removed WAL that this slot still needed.".to_owned(),
            "It can never be read again. Tear down, init anew, and copy the rows anew.".to_owned(),
        ];
    }
    let mut lines = Vec::new();
    let ours_waits = match phase {
        _ if !slot.ours => None,
        Phase::Held => {
            Some("The engine is held at a failure: until it goes on, nothing is confirmed.")
        }
        Phase::Retrying { .. } => {
            Some("The engine tries to come back to it; these are the latest figures known.")
        }
        _ => None,
    };
    let reads = slot.ours && matches!(phase, Phase::Streaming { .. } | Phase::Paused);
    let unread = !slot.active && !reads;
    if let Some(words) = ours_waits {
        lines.push(words.to_owned());
    } else if unread {
        let kept = format::maybe_bytes(slot.retained_bytes);
        lines.push(format!(
            "Nobody reads it: the source keeps {kept} of WAL and will keep more."
        ));
        lines.push(format!(
            "If it is not needed:  SELECT pg_drop_replication_slot('{}');",
            slot.slot_name
        ));
    } else if slot.ours {
        lines.push("It is healthy: this pgstream reads it.".to_owned());
    } else {
        lines.push("It is read by another process.".to_owned());
    }
    lines.push(match (slot.lost_in_s, slot.safe_wal_bytes) {
        (Some(seconds), _) if unread => format!(
            "It is lost in {} at the present rate.",
            format::whole_seconds(seconds)
        ),
        (Some(seconds), _) => format!(
            "If its reader stops, it is lost in {} at the present rate.",
            format::whole_seconds(seconds)
        ),
        (None, Some(safe)) if unread => format!(
            "{} more can be written before it is lost.",
            format::maybe_bytes(Some(safe))
        ),
        (None, Some(safe)) => format!(
            "If its reader stops, {} more can be written before it is lost.",
            format::maybe_bytes(Some(safe))
        ),
        (None, None) => {
            "max_slot_wal_keep_size sets no limit: kept WAL can fill the source's disk.".to_owned()
        }
    });
    lines
}
