//! `pgstream check`: everything that is in the way, with its hint.

use std::process::ExitCode;

use crate::config::Configuration;
use crate::diagnose::{CheckReport, Finding, Side, check};
use crate::model::ErrorClass;

use super::Failure;
use super::output::{print, print_json};
use super::runtime::block_on;

/// Verifies both sides and prints what it found. Exit code 78 when something blocks.
pub(super) fn run(configuration: &Configuration, json: bool) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let report = block_on(check(&pipeline))?;
    if json {
        print_json(&report)?;
    } else {
        print(&render(&report).trim_end())?;
    }
    Ok(if report.passes() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(ErrorClass::Operator.exit_code())
    })
}

fn render(report: &CheckReport) -> String {
    let slot_name = report.slot_name.as_deref().unwrap_or("not known");
    let head = format!(
        "source  {}\ntarget  {}\nslot    {slot_name}\n\n",
        report.source, report.target
    );
    let findings: String = report.findings.iter().map(render_finding).collect();
    format!("{head}{findings}{}", summary(report))
}

fn render_finding(finding: &Finding) -> String {
    let sign = if finding.blocking { "✗" } else { "!" };
    let side = match finding.side {
        Side::Source => "source",
        Side::Target => "target",
    };
    let Finding {
        object,
        problem,
        hint,
        ..
    } = finding;
    format!("{sign} {side}  {object}: {problem}\n          hint: {hint}\n")
}

fn summary(report: &CheckReport) -> String {
    let count = report.findings.len();
    let blocking = report
        .findings
        .iter()
        .filter(|finding| finding.blocking)
        .count();
    match (count, blocking) {
        (0, _) => "✓ every precondition holds".to_owned(),
        (_, 0) => format!("✓ nothing blocks; {count} to look at"),
        _ => format!("✗ {blocking} of {count} findings must be fixed before pgstream can run"),
    }
}
