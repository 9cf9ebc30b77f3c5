//! The sample data's copy of existing tables: the shop's forty-one tables, the largest first.

use std::sync::Arc;

use crate::console::format;
use crate::model::{ErrorClass, Lsn, RelationId};
use crate::status::{CopyCommand, CopyState, Failure, Phase, Snapshot, Status, TableCopy, Totals};

use super::sample::{NOW_MS, SampleState};

const MB: u64 = 1 << 20;

/// Name, bytes and rows of the tables that matter to the story; smaller ones follow.
const TABLES: [(&str, u64, u64); 7] = [
    ("public.order_items", 9 << 30, 41_204_118),
    ("public.orders", 5 << 30, 13_298_361),
    ("public.users", 2 << 30, 1_204_998),
    ("public.audit", 1200 * MB, 9_120_004),
    ("public.refunds", 380 * MB, 702_110),
    ("public.products", 44 * MB, 88_123),
    ("public.stock", 21 * MB, 41_077),
];

/// Tables beyond those, of one megabyte each.
const SMALL_TABLES: u32 = 34;

/// Returns the status of a sample that is about copies.
pub(super) fn status(sample: SampleState, running: Status) -> Status {
    let streams = matches!(sample, SampleState::CopyFailed | SampleState::Copied);
    let tables = (0..)
        .zip(all())
        .map(|(index, table)| reported(sample, index, table));
    let snapshot = Some(Arc::new(summed(sample, tables.collect())));
    if streams {
        return Status {
            snapshot,
            ..running
        };
    }
    let mut slots = running.slots;
    if let Some(ours) = slots.iter_mut().find(|slot| slot.ours) {
        ours.retained_bytes = Some(412 << 20);
    }
    Status {
        phase: Phase::Copying,
        started_at_s: NOW_MS / 1000 - 501,
        snapshot,
        slots,
        totals: Totals::default(),
        samples: Arc::default(),
        tables: Arc::default(),
        schema_changes: Arc::default(),
        ..running
    }
}

fn all() -> impl Iterator<Item = TableCopy> {
    let small = (1..=SMALL_TABLES).map(|number| (format!("public.lookup_{number:02}"), MB, 2048));
    let reported = TABLES.map(|(name, bytes, rows)| (name.to_owned(), bytes, rows));
    let named = reported.into_iter().chain(small);
    (16_384..)
        .zip(named)
        .map(|(oid, (name, bytes_expected, row_count))| TableCopy {
            relation: RelationId(oid),
            name,
            bytes_expected,
            row_count,
            ..TableCopy::default()
        })
}

/// Where a sample finds the table with this number.
fn reported(sample: SampleState, index: usize, table: TableCopy) -> TableCopy {
    match (sample, index) {
        (SampleState::CopyWaiting, _) => TableCopy {
            row_count: 0,
            ..table
        },
        (SampleState::Copying | SampleState::CopyPaused, 0) => copying(table, 30, 4_509_715),
        (SampleState::Copying, 1) => copying(table, 61, 10_276_045),
        (SampleState::Copying | SampleState::Indexing, 2) => complete(table, CopyState::Indexing),
        (SampleState::Indexing, 3) => complete(table, CopyState::CatchingUp),
        (SampleState::Copying | SampleState::CopyPaused | SampleState::CopyFailed, 4) => {
            failed(table)
        }
        (SampleState::CopyFailed, 1) => TableCopy {
            attempt: 2,
            ..copying(table, 61, 10_276_045)
        },
        (SampleState::Copying | SampleState::CopyPaused, 1..=3 | 19..) => TableCopy {
            row_count: 0,
            ..table
        },
        _ => complete(table, CopyState::Ready),
    }
}

fn complete(table: TableCopy, state: CopyState) -> TableCopy {
    TableCopy {
        state,
        attempt: 1,
        byte_count: table.bytes_expected,
        ..table
    }
}

fn copying(table: TableCopy, percent: u64, bytes_per_s: u32) -> TableCopy {
    let byte_count = table.bytes_expected / 100 * percent;
    let left = table.bytes_expected - byte_count;
    TableCopy {
        state: CopyState::Copying,
        attempt: 1,
        row_count: table.row_count / 100 * percent,
        byte_count,
        bytes_per_s: f64::from(bytes_per_s),
        left_s: i64::try_from(left / u64::from(bytes_per_s)).ok(),
        ..table
    }
}

fn failed(table: TableCopy) -> TableCopy {
    TableCopy {
        state: CopyState::Failed,
        attempt: 1,
        row_count: 120_000,
        byte_count: table.bytes_expected / 100 * 17,
        failure: Some(Failure {
            class: ErrorClass::Data,
            message: "cannot copy table public.refunds".into(),
            refusal: None,
            causes: vec!["integer out of range".into()],
            sqlstate: Some("22003".into()),
            statement: Some("COPY public.refunds (id, amount) FROM STDIN (FORMAT binary)".into()),
            hint: Some("column amount is integer on the target: ALTER it to bigint".into()),
            transaction: None,
            at_ms: NOW_MS - 95_000,
        }),
        ..table
    }
}

/// The whole, from its tables.
fn summed(sample: SampleState, tables: Vec<TableCopy>) -> Snapshot {
    let sum = |of: fn(&TableCopy) -> u64| tables.iter().map(of).sum();
    let (byte_count, bytes_expected) = (sum(|one| one.byte_count), sum(|one| one.bytes_expected));
    let bytes_per_s: f64 = tables.iter().map(|one| one.bytes_per_s).sum();
    let busy = |one: &&TableCopy| matches!(one.state, CopyState::Copying | CopyState::Indexing);
    let left = format::whole(format::float(bytes_expected - byte_count) / bytes_per_s.max(1.0));
    let settled = sample == SampleState::Copied;
    Snapshot {
        worker_count: 4,
        busy_count: tables.iter().filter(busy).count(),
        paused: sample == SampleState::CopyPaused,
        consistent_point: Some(Lsn(0x4A1_0028)),
        byte_count,
        bytes_expected,
        bytes_per_s,
        left_s: i64::try_from(left).ok().filter(|_| bytes_per_s > 0.0),
        started_at_ms: Some(NOW_MS - 501_000),
        finished_at_ms: settled.then_some(NOW_MS - 60_000),
        tables: Arc::new(tables),
    }
}

/// Returns what the sample engine makes of a command about copies.
pub(super) fn obey(status: &Status, command: CopyCommand) -> Status {
    let Some(mut snapshot) = status.snapshot.as_deref().cloned() else {
        return status.clone();
    };
    match command {
        CopyCommand::Pause => snapshot.paused = true,
        CopyCommand::Resume => snapshot.paused = false,
        CopyCommand::Workers { count } => snapshot.worker_count = count,
        CopyCommand::Table { relation } => {
            let again = |table: &TableCopy| match table.relation == relation {
                true => TableCopy {
                    relation,
                    name: table.name.clone(),
                    bytes_expected: table.bytes_expected,
                    attempt: table.attempt,
                    ..TableCopy::default()
                },
                false => table.clone(),
            };
            snapshot.tables = Arc::new(snapshot.tables.iter().map(again).collect());
        }
    }
    Status {
        snapshot: Some(Arc::new(snapshot)),
        ..status.clone()
    }
}
