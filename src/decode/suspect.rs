//! Logical messages that pass themselves off as ours.

/// Whether a logical message passes itself off as one of ours. Earlier builds sent the rows of rewritten
/// tables so. The one that we still write, to bring a target's WAL to its disk, says nothing.
pub(super) fn is_suspect(prefix: &str) -> bool {
    prefix.starts_with("pgstream.") && prefix != "pgstream.flush"
}
