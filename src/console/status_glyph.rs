//! What a state looks like: a sign, a word, a role. The word and the sign carry the meaning alone;
//! colour is a third witness, so that every theme, the monochrome one included, can be read.

use crate::status::{CopyState, Phase, SchemaState, Slot, Verdict};

use super::model::MarkKind;
use super::theme::Role;

/// A state for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusGlyph {
    pub(crate) glyph: &'static str,
    pub(crate) word: &'static str,
    pub(crate) role: Role,
}

const fn sign(glyph: &'static str, word: &'static str, role: Role) -> StatusGlyph {
    StatusGlyph { glyph, word, role }
}

/// The sign of a pipeline whose slot can never be read again.
pub(crate) const LOST: StatusGlyph = sign("✗", "SLOT LOST", Role::Bad);

/// Returns the sign of a phase of the engine.
pub(crate) const fn of_phase(phase: &Phase) -> StatusGlyph {
    match phase {
        Phase::Starting => sign("◦", "STARTING", Role::Quiet),
        Phase::Copying => sign("⇉", "COPYING", Role::Accent),
        Phase::Streaming { behind: false } => sign("●", "STREAMING", Role::Good),
        Phase::Streaming { behind: true } => sign("»", "CATCHING UP", Role::Warn),
        Phase::Paused => sign("‖", "PAUSED", Role::Warn),
        Phase::Retrying { .. } => sign("↻", "RETRYING", Role::Warn),
        Phase::Held => sign("!", "HELD", Role::Bad),
        Phase::Stopping => sign("…", "STOPPING", Role::Quiet),
        Phase::Stopped => sign("○", "STOPPED", Role::Quiet),
        Phase::Crashed => sign("✗", "CRASHED", Role::Bad),
    }
}

/// Returns what a line of a difference means: `-` what was, `+` what is.
pub(crate) fn of_difference(line: &str) -> Role {
    match line.trim_start().chars().next() {
        Some('-') => Role::Bad,
        Some('+') => Role::Good,
        _ => Role::Text,
    }
}

/// Returns the sign of something that happened.
pub(crate) const fn of_mark(kind: MarkKind) -> StatusGlyph {
    match kind {
        MarkKind::Started => sign("▶", "start", Role::Accent),
        MarkKind::SchemaChange => sign("◆", "schema change", Role::Good),
        MarkKind::Reconnect => sign("↻", "reconnect", Role::Warn),
        MarkKind::Held => sign("!", "held", Role::Bad),
    }
}

/// Returns the sign of a schema change.
pub(crate) const fn of_schema(state: SchemaState) -> StatusGlyph {
    match state {
        SchemaState::Pending => sign("○", "pending", Role::Quiet),
        SchemaState::Running => sign("…", "running", Role::Accent),
        SchemaState::Applied => sign("✓", "applied", Role::Good),
        SchemaState::Skipped => sign("-", "skipped", Role::Quiet),
        SchemaState::NotApplied => sign("!", "not applied", Role::Warn),
        SchemaState::Failed => sign("✗", "failed", Role::Bad),
    }
}

/// Returns the sign of a table's copy.
pub(crate) const fn of_copy(state: CopyState) -> StatusGlyph {
    match state {
        CopyState::Waiting => sign("○", "waiting", Role::Quiet),
        CopyState::Copying => sign("⇉", "copying", Role::Accent),
        CopyState::Indexing => sign("…", "indexing", Role::Accent),
        CopyState::CatchingUp => sign("»", "catch-up", Role::Accent),
        CopyState::Ready => sign("✓", "ready", Role::Good),
        CopyState::Failed => sign("✗", "failed", Role::Bad),
    }
}

/// Returns the sign of whether both sides are equal.
pub(crate) const fn of_verdict(verdict: Verdict) -> StatusGlyph {
    match verdict {
        Verdict::Equal => sign("✓", "equal", Role::Good),
        Verdict::Different => sign("✗", "different", Role::Bad),
        Verdict::NotCompared => sign("!", "unknown", Role::Warn),
    }
}

/// Returns the sign of a slot: a lost one is lost whether it is read or not. Of ours, the engine
/// knows more than the source's last answer: whether it reads it, and why not.
pub(crate) fn of_slot(slot: &Slot, phase: &Phase) -> StatusGlyph {
    let state = match slot.wal_status.as_deref() {
        Some("lost") => return sign("✗", "lost", Role::Bad),
        Some("unreserved") => return sign("!", "in danger", Role::Warn),
        _ if slot.active => sign("●", "active", Role::Good),
        _ => sign("○", "idle", Role::Quiet),
    };
    match phase {
        _ if !slot.ours => state,
        Phase::Held => sign("!", "held", Role::Bad),
        Phase::Retrying { .. } => sign("↻", "retrying", Role::Warn),
        Phase::Starting if !slot.active => sign("◦", "starting", Role::Quiet),
        Phase::Streaming { .. } | Phase::Paused => sign("●", "active", Role::Good),
        Phase::Stopped | Phase::Crashed => sign("○", "idle", Role::Quiet),
        Phase::Starting | Phase::Copying | Phase::Stopping => state,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_of_a_kind_has_a_sign_and_a_word_of_its_own() {
        let phases = [
            Phase::Starting,
            Phase::Copying,
            Phase::Streaming { behind: false },
            Phase::Streaming { behind: true },
            Phase::Paused,
            Phase::Retrying {
                attempt: 1,
                next_at_ms: 0,
            },
            Phase::Held,
            Phase::Stopping,
            Phase::Stopped,
            Phase::Crashed,
        ];
        distinct(phases.iter().map(of_phase).collect());
        let states = [
            SchemaState::Pending,
            SchemaState::Running,
            SchemaState::Applied,
            SchemaState::Skipped,
            SchemaState::NotApplied,
            SchemaState::Failed,
        ];
        distinct(states.into_iter().map(of_schema).collect());
        let copies = [
            CopyState::Waiting,
            CopyState::Copying,
            CopyState::Indexing,
            CopyState::CatchingUp,
            CopyState::Ready,
            CopyState::Failed,
        ];
        distinct(copies.into_iter().map(of_copy).collect());
        let slot = |status: &str, active| Slot {
            wal_status: Some(status.to_owned()),
            active,
            ..Slot::default()
        };
        let slots = [
            slot("reserved", true),
            slot("reserved", false),
            slot("unreserved", true),
            slot("lost", false),
        ];
        let others = |slot| of_slot(slot, &Phase::Stopped);
        distinct(slots.iter().map(others).collect());
    }

    #[test]
    fn of_our_slot_the_engine_knows_more_than_the_sources_last_answer() {
        let slot = |ours| Slot {
            ours,
            ..Slot::default()
        };
        for (phase, expected) in [
            (Phase::Held, "held"),
            (Phase::Streaming { behind: false }, "active"),
            (Phase::Stopped, "idle"),
        ] {
            assert_eq!(of_slot(&slot(true), &phase).word, expected, "{phase:?}");
            assert_eq!(of_slot(&slot(false), &phase).word, "idle", "{phase:?}");
        }
    }

    fn distinct(signs: Vec<StatusGlyph>) {
        let glyphs: BTreeSet<_> = signs.iter().map(|sign| sign.glyph).collect();
        let words: BTreeSet<_> = signs.iter().map(|sign| sign.word).collect();
        assert_eq!((glyphs.len(), words.len()), (signs.len(), signs.len()));
    }
}
