//! `pgstream verify`: compares both sides at one exact position.

mod progress;

use std::process::ExitCode;

use indicatif::HumanCount;

use crate::config::{Configuration, TableFilter};
use crate::model::{ErrorClass, QualifiedName};
use crate::verify::{
    Event, ObjectReport, Options, Repaired, Report, RowDifference, RowKind, SequenceReport,
    TableReport, Verdict, verify,
};

use super::Failure;
use super::args::VerifyArguments;
use super::output::{print, print_json, printable};
use super::runtime::block_on;
use progress::Shown;

/// Differing rows that are named, a table.
const ROWS_MAX: usize = 20;

/// Compares. Exit code 65 when something differs, 75 when something could not be compared.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &VerifyArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let options = Options {
        tables: TableFilter::new(arguments.tables.clone(), Vec::new()),
        worker_count: arguments.jobs,
        rows_max: ROWS_MAX,
        show_values: arguments.show_values,
        repair: arguments.repair,
        sample: arguments.sample.map(|sample| sample.0),
        bytes_per_s: arguments.rate_limit.map(|limit| limit.0),
        resume: arguments.resume,
    };
    let shown = Shown::new(arguments.json);
    let watch = |event: Event<'_>| match event {
        Event::Progress(progress) => shown.progress(progress),
        event => {
            if let Some(line) = render(&event).filter(|_| !arguments.json) {
                // Where this finds no room, the summary finds none either, and says so.
                shown.above(|| drop(print(&line)));
            }
        }
    };
    let report = block_on(verify(&pipeline, &options, watch));
    shown.clear();
    let report = report??;
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

fn render(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Table(table) => render_table(table),
        Event::Object(ObjectReport {
            object,
            verdict,
            reason,
        }) => line(*verdict, object, reason),
        Event::Sequence(SequenceReport {
            sequence,
            verdict,
            reason,
        }) => line(*verdict, &format!("sequence {sequence}"), reason),
        Event::Repaired(table, repaired) => render_repaired(table, *repaired),
        Event::Note(note) => format!("· note       {note}"),
        Event::Progress(_) => return None,
    })
}

fn line(verdict: Verdict, what: &str, text: &str) -> String {
    let sign = match verdict {
        Verdict::Equal => "✓ equal    ",
        Verdict::Different => "✗ different",
        Verdict::NotCompared => "! unknown  ",
    };
    format!("{sign}  {what}: {text}")
}

fn render_table(table: &TableReport) -> String {
    let text = match (table.verdict, &table.reason) {
        (_, Some(reason)) => reason.clone(),
        (Verdict::Equal | Verdict::NotCompared, None) => format!(
            "{} rows in {:.1} s",
            HumanCount(table.source_rows),
            table.seconds
        ),
        (Verdict::Different, None) => {
            let rows: String = table.rows.iter().map(row).collect();
            format!("{}{rows}", counts(table))
        }
    };
    line(table.verdict, &table.table.to_string(), &text)
}

fn render_repaired(table: &QualifiedName, repaired: Repaired) -> String {
    let Repaired {
        inserted,
        updated,
        deleted,
        range_count,
    } = repaired;
    format!(
        "↻ repaired   {table}: {} inserted, {} updated, {} deleted in {range_count} transactions",
        HumanCount(inserted),
        HumanCount(updated),
        HumanCount(deleted)
    )
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
        Some(key) => format!("key {}", printable(&key.join(", "))),
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
    let values = row.values.iter();
    let values: String = values
        .map(|one| format!("\n        {}", one.shown(printable)))
        .collect();
    format!("\n    {kind}: {key}{columns}{values}")
}

fn summary(report: &Report) -> String {
    let tables = report.tables.len();
    let objects = report.objects.iter().map(|object| object.verdict);
    let sequences = report.sequences.iter().map(|sequence| sequence.verdict);
    let different = [
        of(tables_with(report, Verdict::Different), tables, "tables"),
        of(
            objects.filter(|one| *one == Verdict::Different).count(),
            report.object_count.unwrap_or_default(),
            "objects",
        ),
        of(
            sequences.filter(|one| *one == Verdict::Different).count(),
            report.sequence_count,
            "sequences",
        ),
    ];
    let all = [
        Some(format!("{tables} tables")),
        report.object_count.map(|count| format!("{count} objects")),
        (report.sequence_count > 0).then(|| format!("{} sequences", report.sequence_count)),
    ];
    let join = |parts: &[Option<String>]| -> String {
        parts
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(", ")
    };
    let adopted = match report.adopted {
        true => "\ntaken over: pgstream run goes on from there",
        false => "",
    };
    let head = match report.verdict() {
        Verdict::Equal => format!("equal at {}: {}", report.lsn, join(&all)),
        Verdict::Different => format!("different at {}: {}", report.lsn, join(&different)),
        Verdict::NotCompared => format!(
            "equal at {} as far as compared: {} of {tables} tables were not",
            report.lsn,
            tables_with(report, Verdict::NotCompared)
        ),
    };
    let rows: u64 = report.tables.iter().map(|table| table.source_rows).sum();
    let sample = report
        .sample
        .map(|percent| format!(" (a sample of {percent} %)"));
    let pause = report.pauses_ms.iter().copied().fold(0.0, f64::max);
    format!(
        "{head}, {} rows{} in {:.1} s; the stream stood still for {pause:.0} ms{adopted}",
        HumanCount(rows),
        sample.unwrap_or_default(),
        report.seconds
    )
}

fn of(count: usize, all: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} of {all} {what}"))
}

fn tables_with(report: &Report, verdict: Verdict) -> usize {
    let tables = report.tables.iter();
    tables.filter(|table| table.verdict == verdict).count()
}
