//! `pgstream verify`: compares both sides, row by row, at one exact position.

use std::process::ExitCode;

use indicatif::HumanCount;

use crate::config::{Configuration, TableFilter};
use crate::model::ErrorClass;
use crate::verify::{Options, Report, RowDifference, RowKind, TableReport, Verdict, verify};

use super::Failure;
use super::args::VerifyArguments;
use super::output::{print, print_json};
use super::runtime::block_on;

/// Differing rows that are named, a table.
const ROWS_MAX: usize = 20;

/// Compares. Exit code 65 when something differs, 75 when a table could not be compared.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &VerifyArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let options = Options {
        tables: TableFilter::new(arguments.tables.clone(), Vec::new()),
        worker_count: arguments.jobs,
        rows_max: ROWS_MAX,
    };
    let show = |table: &TableReport| {
        if !arguments.json {
            // Where this finds no room, the summary finds none either, and says so.
            drop(print(&render(table)));
        }
    };
    let report = block_on(verify(&pipeline, &options, show))??;
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&summary(&report))?;
    }
    Ok(match report.verdict() {
        Verdict::Equal => ExitCode::SUCCESS,
        Verdict::Different => ExitCode::from(ErrorClass::Data.exit_code()),
        Verdict::NotCompared => ExitCode::from(ErrorClass::Transient.exit_code()),
    })
}

fn render(table: &TableReport) -> String {
    let name = &table.table;
    let reason = table.reason.as_deref().unwrap_or_default();
    match table.verdict {
        Verdict::Equal => format!(
            "✓ equal      {name}: {} rows in {:.1} s",
            HumanCount(table.source_rows),
            table.seconds
        ),
        Verdict::NotCompared => format!("! unknown    {name}: {reason}"),
        Verdict::Different if table.reason.is_some() => format!("✗ different  {name}: {reason}"),
        Verdict::Different => {
            let rows: String = table.rows.iter().map(row).collect();
            format!("✗ different  {name}: {}{rows}", counts(table))
        }
    }
}

fn counts(table: &TableReport) -> String {
    let least = if table.counted { "" } else { "at least " };
    format!(
        "{least}{} missing, {} extra, {} with other values; {} rows on the source, {} on the target",
        HumanCount(table.missing),
        HumanCount(table.extra),
        HumanCount(table.differing),
        HumanCount(table.source_rows),
        HumanCount(table.target_rows)
    )
}

fn row(row: &RowDifference) -> String {
    let key = match &row.key {
        Some(key) => format!("key {}", key.join(", ")),
        None => "a row without a key".to_owned(),
    };
    let columns = match row.columns.is_empty() {
        true => String::new(),
        false => format!(" in {}", row.columns.join(", ")),
    };
    let kind = match row.kind {
        RowKind::Missing => "missing on the target",
        RowKind::Extra => "only on the target",
        RowKind::Different => "different",
    };
    format!("\n    {kind}: {key}{columns}")
}

fn summary(report: &Report) -> String {
    let count = |verdict| {
        let tables = report.tables.iter();
        tables.filter(|table| table.verdict == verdict).count()
    };
    let rows: u64 = report.tables.iter().map(|table| table.source_rows).sum();
    let of = report.tables.len();
    let head = match report.verdict() {
        Verdict::Equal => format!("equal at {}: {of} tables", report.lsn),
        Verdict::Different => format!(
            "different at {}: {} of {of} tables",
            report.lsn,
            count(Verdict::Different)
        ),
        Verdict::NotCompared => format!(
            "equal at {} as far as compared: {} of {of} tables were not",
            report.lsn,
            count(Verdict::NotCompared)
        ),
    };
    let pause = report.pauses_ms.iter().copied().fold(0.0, f64::max);
    format!(
        "{head}, {} rows in {:.1} s; the stream stood still for {pause:.0} ms",
        HumanCount(rows),
        report.seconds
    )
}
