//! Findings as all rules make them. Pure.

use crate::diagnose::requirements::Unmet;

use super::report::{Finding, Side};

/// Oldest version that has what we need on either side (`pg_replication_slots.wal_status`, protocol
/// messages, `SET ACCESS METHOD` aside).
pub(crate) const VERSION_MIN: i32 = 140_000;

/// More findings of one kind than this are summed up: a schema of ten thousand tables shows a
/// pattern, not ten thousand lines.
const SAME_KIND_MAX: usize = 20;

/// Returns the findings of one kind, the rest of a long list summed up in a last one.
pub(crate) fn bounded(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut all: Vec<Finding> = findings.collect();
    let rest = all.len().saturating_sub(SAME_KIND_MAX);
    if rest > 1 {
        all.truncate(SAME_KIND_MAX);
        all.extend(all.last().cloned().map(|last| Finding {
            object: format!("{rest} more"),
            ..last
        }));
    }
    all
}

/// The rules that both sides share.
pub(crate) fn version(side: Side, version_number: i32, version: &str) -> Option<Finding> {
    (version_number < VERSION_MIN).then(|| Finding {
        side,
        object: format!("PostgreSQL {version}"),
        problem: "is older than 14, the oldest version that is supported".to_owned(),
        hint: "upgrade the server with pg_upgrade".to_owned(),
        blocking: true,
    })
}

/// Returns a finding that blocks.
pub(crate) fn found(
    side: Side,
    object: impl Into<String>,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    Finding {
        side,
        object: object.into(),
        problem: problem.into(),
        hint: hint.into(),
        blocking: true,
    }
}

/// Returns a finding that does not block.
pub(crate) fn remark(
    side: Side,
    object: impl Into<String>,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    Finding {
        blocking: false,
        ..found(side, object, problem, hint)
    }
}

/// Returns what `run` refuses to start with, too.
pub(crate) fn required(side: Side, unmet: Unmet) -> Finding {
    found(side, unmet.object, unmet.problem, unmet.hint)
}
