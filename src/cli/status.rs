//! `pgstream status`: one look at both sides.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::attach;
use crate::config::{ByteSize, Configuration, Pipeline};
use crate::diagnose::inspect::Side;
use crate::diagnose::{
    Inspection, SchemaChange, SchemaChangeState, TableCopy, UnfitPublication, inspect,
};
use crate::format;
use crate::schema::UNLOGGED;
use crate::snapshot::SnapshotError;
use crate::status::{CopyState, Slot, Verdict};

use super::Failure;
use super::output::{print, print_json, printable};
use super::runtime::block_on;

/// Prints what is to be seen. When a side does not answer, that is said and decides the exit code.
pub(super) fn run(configuration: &Configuration, json: bool) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let (inspection, failure) = block_on(inspect(&pipeline))?;
    let engine = Served::of(&pipeline);
    if json {
        print_json(&Report {
            inspection: &inspection,
            engine: engine.as_ref(),
        })?;
    } else {
        let engine = engine.as_ref().map(render_engine);
        let engine = engine.map_or_else(String::new, |text| line("engine", &text));
        print(&format!("{}{engine}", render(&inspection)).trim_end())?;
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    let missing = inspection.incomplete_copies();
    if !missing.is_empty() {
        return Err(SnapshotError::Incomplete { missing }.into());
    }
    let stopped = inspection.last_stop.as_ref();
    Ok(stopped.map_or(ExitCode::SUCCESS, |stop| stop.class.exit_code().into()))
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    engine: Option<&'a Served>,
}

/// An engine of this user and machine that consoles can attach to.
#[derive(Debug, Serialize)]
struct Served {
    pid: u32,
    socket: PathBuf,
}

impl Served {
    fn of(pipeline: &Pipeline) -> Option<Self> {
        let (socket, hello) = attach::find(pipeline)?;
        Some(Self {
            pid: hello.pid,
            socket,
        })
    }
}

fn render_engine(Served { pid, socket }: &Served) -> String {
    let socket = socket.display();
    format!("runs in process {pid}; pgstream console shows it, through {socket}")
}

fn render(seen: &Inspection) -> String {
    [
        line("source", &render_side(&seen.source)),
        line("target", &render_target(seen)),
        line("init", &render_init(seen)),
        line("slot", &render_slot(seen)),
        line("lag", &render_lag(seen)),
        line("checkpoint", &render_checkpoint(seen)),
        render_verified(seen),
        render_last_stop(seen),
        render_sequences(seen),
        render_copies(seen),
        render_schema_changes(seen),
    ]
    .concat()
}

/// One line a topic; more lines of the same topic are indented alike.
fn line(topic: &str, text: &str) -> String {
    let text = text.replace('\n', &format!("\n{:12}", ""));
    format!("{topic:12}{text}\n")
}

fn render_side(side: &Side) -> String {
    match (&side.version, &side.error) {
        (Some(version), _) => format!("{}  PostgreSQL {version}", side.endpoint),
        (None, Some(error)) => format!("{}  not reachable: {error}", side.endpoint),
        (None, None) => side.endpoint.clone(),
    }
}

fn render_target(seen: &Inspection) -> String {
    let side = render_side(&seen.target);
    match (&seen.target_grant, &seen.target.error) {
        (Some(grant), Some(error)) => {
            format!("{side}\nnot all can be read: {error}\nhint: {grant}")
        }
        _ => side,
    }
}

fn render_init(seen: &Inspection) -> String {
    let again = |why: &str| format!("{why}: {}", seen.init_command);
    match seen.init {
        None => match &seen.init_grant {
            Some(grant) => {
                format!("not known: permission denied on pgstream.installation\nhint: {grant}")
            }
            None => "not known".to_owned(),
        },
        Some(init) if !init.installed => again("not done"),
        Some(init) if !init.of_this_database => again("of another database, do it again"),
        Some(init) if !init.current => again("of another version of pgstream, do it again"),
        Some(init) if !init.triggers => again("event triggers are missing or disabled"),
        Some(init) => format!("done, schema version {}", init.version.unwrap_or_default()),
    }
}

fn render_slot(seen: &Inspection) -> String {
    match &seen.slot {
        Some(slot) => format!(
            "{}{}{}{}",
            render_found_slot(slot),
            strange_slot(slot, seen),
            unfit_publication(seen),
            unconfirmed(seen)
        ),
        None if seen.source.reachable => format!("{}  not found", seen.slot_name),
        None => format!("{}  not known", seen.slot_name),
    }
}

/// Of another database than the source's: `run` refuses it.
fn strange_slot(slot: &Slot, seen: &Inspection) -> String {
    match &seen.source_database {
        Some(here) if *here != slot.database => {
            let database = &slot.database;
            format!("\ndecodes database {database}, and the source is {here}: run refuses it")
        }
        _ => String::new(),
    }
}

fn unfit_publication(seen: &Inspection) -> String {
    let found = seen.publication.as_ref();
    found.map_or_else(String::new, |unfit| {
        let UnfitPublication { name, problem, fix } = unfit;
        format!("\npublication {name} {problem}: run refuses it\nfix: {fix}")
    })
}

fn unconfirmed(seen: &Inspection) -> String {
    let found = seen.unconfirmed.as_ref();
    found.map_or_else(String::new, |found| {
        format!(
            "\nnot confirmed: {} that are on the target are kept, {}",
            ByteSize(found.bytes),
            printable(&found.reason)
        )
    })
}

fn render_found_slot(slot: &Slot) -> String {
    let activity = match slot.active_pid {
        Some(pid) => format!("active, process {pid}"),
        None => "idle".to_owned(),
    };
    let lsn =
        |lsn: Option<crate::model::Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
    format!(
        "{}  {}  {activity}\nconfirmed {}  restart {}\nretains {}, {}; {}",
        slot.slot_name,
        slot.plugin,
        lsn(slot.confirmed_flush_lsn),
        lsn(slot.restart_lsn),
        bytes(slot.retained_bytes),
        slot.wal_status.as_deref().unwrap_or("not reserved"),
        match slot.safe_wal_bytes {
            Some(safe) => format!(
                "{} more can be written before it may be lost",
                bytes(Some(safe))
            ),
            None => "no limit".to_owned(),
        }
    )
}

fn bytes(count: Option<i64>) -> String {
    let count = count.map(|count| u64::try_from(count).unwrap_or(0));
    count.map_or_else(|| "-".to_owned(), |count| ByteSize(count).to_string())
}

fn render_lag(seen: &Inspection) -> String {
    let seconds = seen.lag.seconds.map(|seconds| format!(", {seconds:.1} s"));
    match seen.lag.bytes {
        Some(bytes) => format!("{}{}", ByteSize(bytes), seconds.unwrap_or_default()),
        None => "not known".to_owned(),
    }
}

fn render_checkpoint(seen: &Inspection) -> String {
    let Some(checkpoint) = &seen.checkpoint else {
        return match seen.target.reachable && seen.target_grant.is_none() {
            true => "none yet: run has not streamed to this target".to_owned(),
            false => "not known".to_owned(),
        };
    };
    let skipped = seen.skipped_transaction_count.filter(|count| *count > 0);
    let misfit = checkpoint.misfit.as_ref();
    let misfit = misfit.map(|reason| {
        format!("\nrun would refuse to go on from here: {reason}; pgstream check has the hint")
    });
    format!(
        "{}  {}here {}{}{}",
        checkpoint.end_lsn,
        checkpoint
            .commit_time
            .as_ref()
            .map_or_else(String::new, |at| format!("committed on the source {at}, ")),
        checkpoint.updated_at,
        skipped.map_or_else(String::new, |count| format!(
            "\n{count} transactions skipped on record"
        )),
        misfit.unwrap_or_default()
    )
}

/// Nothing, where nothing was compared.
fn render_verified(seen: &Inspection) -> String {
    let Some(verified) = &seen.verified else {
        return String::new();
    };
    let last = verified.last.as_ref().map(|last| {
        let verdict = match last.verdict {
            Verdict::Equal => "equal",
            Verdict::Different => "different",
            Verdict::NotCompared => "not wholly compared",
        };
        let open = match last.open_count {
            0 => String::new(),
            open => format!(", {open} of them not equal"),
        };
        format!(
            "{verdict} at {} ({}, {} ago): {} tables, {} objects, {} sequences{open}",
            last.lsn,
            last.at,
            format::seconds(last.age_s),
            last.table_count,
            last.object_count,
            last.sequence_count
        )
    });
    let different = verified.different_tables.iter();
    let different = different.map(|table| {
        format!(
            "✗ {}  {} missing, {} extra, {} with other values at {} ({})",
            printable(&table.table),
            table.missing,
            table.extra,
            table.differing,
            table.lsn,
            table.at
        )
    });
    let lines: Vec<String> = last.into_iter().chain(different).collect();
    line("verified", &lines.join("\n"))
}

/// Nothing, where none is to be overcome.
fn render_last_stop(seen: &Inspection) -> String {
    let Some(stop) = &seen.last_stop else {
        return String::new();
    };
    let hint = stop.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
    let text = format!("{}  {}", stop.at, printable(&stop.story()));
    line("stopped", &(text + &hint.unwrap_or_default()))
}

fn render_sequences(seen: &Inspection) -> String {
    let Some(look) = &seen.sequences else {
        return String::new();
    };
    let head = format!(
        "{}, looked at {} ago; {} times one was moved forward",
        look.count,
        look.age(),
        look.moved
    );
    let unfollowed = look.unfollowed.iter().map(|one| printable(one));
    let lines: Vec<String> = std::iter::once(head).chain(unfollowed).collect();
    line("sequences", &lines.join("\n"))
}

/// All that is ready in one line, each of the others in a line of its own.
fn render_copies(seen: &Inspection) -> String {
    let copies = &seen.copies;
    let Some(ready) = (!copies.is_empty()).then(|| {
        let ready = copies
            .iter()
            .filter(|table| table.state == CopyState::Ready);
        let stay = copies
            .iter()
            .filter(|table| table.state != CopyState::Failed);
        let rows: u64 = stay.map(|table| table.row_count).sum();
        format!(
            "{} of {} tables ready, {rows} rows copied",
            ready.count(),
            copies.len()
        )
    }) else {
        return String::new();
    };
    let open = copies
        .iter()
        .filter(|table| table.state != CopyState::Ready || table.error.is_some() || table.unlogged);
    let lines: Vec<String> = std::iter::once(ready)
        .chain(open.map(render_copy))
        .collect();
    line("snapshot", &lines.join("\n"))
}

fn render_copy(table: &TableCopy) -> String {
    let sign = match table.state {
        CopyState::Waiting => '○',
        CopyState::Copying | CopyState::Indexing | CopyState::CatchingUp => '…',
        CopyState::Ready => '✓',
        CopyState::Failed => '✗',
    };
    let state = format!("{sign} {}", table.state.words());
    let size = match table.state {
        CopyState::Waiting | CopyState::Failed => {
            format!("{} expected", ByteSize(table.bytes_expected))
        }
        CopyState::Copying => format!(
            "{} rows, {} of {} expected",
            table.row_count,
            ByteSize(table.byte_count),
            ByteSize(table.bytes_expected.max(table.byte_count))
        ),
        CopyState::Indexing | CopyState::CatchingUp | CopyState::Ready => {
            format!("{} rows, {}", table.row_count, ByteSize(table.byte_count))
        }
    };
    let unlogged = table.unlogged.then(|| format!("  it {UNLOGGED}"));
    let error = table.error.iter().map(|error| format!("  {error}"));
    let causes = table.causes.iter();
    let causes = causes.map(|cause| format!("  caused by: {cause}"));
    let hint = table.hint.iter().map(|hint| format!("  hint: {hint}"));
    std::iter::once(format!(
        "{state:14} {}  {size}",
        printable(&table.table.to_string())
    ))
    .chain(unlogged)
    .chain(error.chain(causes).chain(hint))
    .collect::<Vec<_>>()
    .join("\n")
}

fn render_schema_changes(seen: &Inspection) -> String {
    if let Some(grant) = &seen.schema_grant {
        let text = format!("not known: permission denied on pgstream.schema_log\nhint: {grant}");
        return line("schema", &text);
    }
    let lines: Vec<String> = seen
        .schema_changes
        .iter()
        .map(render_schema_change)
        .collect();
    match lines.as_slice() {
        [] => String::new(),
        lines => line("schema", &lines.join("\n")),
    }
}

fn render_schema_change(change: &SchemaChange) -> String {
    let state = match (change.state, change.ran, &*change.not_applied) {
        (SchemaChangeState::Pending, ..) => "… pending",
        (SchemaChangeState::Acked | SchemaChangeState::Applied, Some(false), [_, ..]) => {
            "! not applied"
        }
        (SchemaChangeState::Acked | SchemaChangeState::Applied, _, [_, ..]) => "! in part",
        (SchemaChangeState::Acked, ..) => "✓ acked",
        (SchemaChangeState::Applied, ..) => "✓ applied",
    };
    let objects = printable(&change.quoted_objects.join(", "));
    let first = format!("{state:13} {}  {}  {objects}", change.version, change.tag);
    let missing = change.not_applied.iter();
    let missing = missing.map(|part| format!("  not on the target: {}", printable(part)));
    let lines: Vec<String> = std::iter::once(first).chain(missing).collect();
    lines.join("\n")
}

#[cfg(test)]
#[path = "status/tests.rs"]
mod tests;
