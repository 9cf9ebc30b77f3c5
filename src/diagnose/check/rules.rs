//! Puts together the findings of both sides. Pure.

pub(crate) mod both;
mod left;
mod rows;
#[cfg(test)]
mod samples;
pub(crate) mod source;
pub(crate) mod target;

use super::facts::{SourceFacts, TargetFacts};
use super::report::Finding;
use super::wanted::Wanted;

/// Judges what is known; a side that did not answer has its own finding instead of facts.
pub(crate) fn judge(
    source: Result<(&Wanted, &SourceFacts), &Finding>,
    target: Result<&TargetFacts, &Finding>,
    wanted: &Wanted,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    match source {
        Ok((wanted, facts)) => findings.extend(source::judge(wanted, facts)),
        Err(finding) => findings.push(finding.clone()),
    }
    match target {
        Ok(facts) => findings.extend(target::judge(wanted, facts)),
        Err(finding) => findings.push(finding.clone()),
    }
    if let (Ok((wanted, source)), Ok(target)) = (source, target) {
        findings.extend(both::judge(wanted, source, target));
        findings.extend(left::judge(wanted, source, target));
    }
    findings.sort_by_key(|finding| (!finding.blocking, finding.side));
    findings
}
