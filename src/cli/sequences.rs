//! `pgstream sequences`: brings the target's sequences forward, once.

use std::process::ExitCode;

use super::Failure;
use super::output::{print, print_json};
use super::runtime::block_on;
use crate::config::Configuration;
use crate::engine::follow_sequences;
use crate::status::SequenceStatus;

/// Looks at the source, moves what is behind, and says what was done.
pub(super) fn run(configuration: &Configuration, json: bool) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let status = block_on(follow_sequences(&pipeline))??;
    if json {
        print_json(&status)?;
    } else {
        print(&render(&status))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(status: &SequenceStatus) -> String {
    let SequenceStatus {
        count,
        moved,
        unfollowed_count,
        unfollowed,
        ..
    } = status;
    let mut lines = vec![format!(
        "{count} sequences of the source looked at, {moved} of the target's moved forward"
    )];
    lines.extend(unfollowed.iter().map(|one| format!("! {one}")));
    let shown = u64::try_from(unfollowed.len()).unwrap_or(u64::MAX);
    if *unfollowed_count > shown {
        lines.push(format!("! and {} more", unfollowed_count - shown));
    }
    lines.join("\n")
}
