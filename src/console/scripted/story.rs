//! The sample data: one shop, orders and refunds, at one fixed moment.

use std::sync::Arc;

use crate::console::format;
use crate::model::{ErrorClass, Lsn};
use crate::status::{
    BatchTimes, Checkpoint, FailedTransaction, Failure, Lag, Phase, Refusal, Sample, SchemaChange,
    SchemaState, SequenceStatus, Slot, Status, TableCounters, Totals,
};

use super::copies;
use super::sample::{NOW_MS, SampleState};

/// Returns the status of a sample.
pub(crate) fn status(sample: SampleState) -> Status {
    let running = running();
    match sample {
        SampleState::Opening => Status::default(),
        SampleState::Unreachable => Status {
            phase: retrying(3),
            started_at_s: NOW_MS / 1000 - 12,
            at_ms: NOW_MS,
            source: running.source,
            target: running.target,
            slot_name: running.slot_name,
            schema_log: true,
            last_error: Some(unreachable()),
            ..Status::default()
        },
        SampleState::Streaming => running,
        SampleState::Behind => Status {
            phase: Phase::Streaming { behind: true },
            lag: Lag {
                bytes: Some(3 << 30),
                seconds: Some(734.0),
                ..running.lag
            },
            ..running
        },
        SampleState::Paused => Status {
            phase: Phase::Paused,
            ..running
        },
        SampleState::Retrying => Status {
            phase: retrying(2),
            last_error: Some(lost()),
            ..running
        },
        SampleState::Held => held(running),
        SampleState::RowRefused => row_refused(running),
        SampleState::Crashed => Status {
            phase: Phase::Crashed,
            last_error: Some(crash()),
            ..running
        },
        SampleState::Stopped => Status {
            phase: Phase::Stopped,
            ..running
        },
        SampleState::CopyWaiting
        | SampleState::Copying
        | SampleState::Indexing
        | SampleState::CopyPaused
        | SampleState::CopyFailed
        | SampleState::Copied => copies::status(sample, running),
    }
}

const fn retrying(attempt: u32) -> Phase {
    Phase::Retrying {
        attempt,
        next_at_ms: NOW_MS + 4000,
    }
}

fn running() -> Status {
    Status {
        phase: Phase::Streaming { behind: false },
        started_at_s: NOW_MS / 1000 - 11_564,
        at_ms: NOW_MS,
        source: "db1:5432/shop".into(),
        target: "db2:5432/shop".into(),
        slot_name: "orders_slot".into(),
        plugin: "pgoutput".into(),
        slots: slots(),
        snapshot: None,
        seen: crate::status::Seen::default(),
        lag: Lag {
            bytes: Some(48 << 20),
            seconds: Some(0.4),
            source_wal_end: Lsn(0x4A3_B7C8),
            wal_bytes_per_s: 626_000.0,
        },
        checkpoint: Checkpoint {
            end_lsn: Lsn(0x4A3_B7C8),
            confirmed_lsn: Lsn(0x4A3_B0F0),
            commit_time_ms: Some(NOW_MS - 400),
        },
        unconfirmed: None,
        sequences: Some(SequenceStatus {
            looked_at_ms: NOW_MS - 3_000,
            count: 214,
            moved: 37,
            ..SequenceStatus::default()
        }),
        totals: Totals {
            transactions: 138_222,
            rows: 12_904_118,
            bytes: 3 << 30,
            batches: 130_441,
            schema_changes: 7,
            skipped: 0,
            reconnects: 1,
        },
        samples: Arc::new(samples()),
        batches: BatchTimes {
            p50_ms: 15.2,
            p95_ms: 19.4,
            max_ms: 88.1,
            rows_p50: 100,
            rows_p95: 1204,
            counts: [0, 2, 12, 88, 142, 9, 3, 0, 0],
        },
        tables: Arc::new(tables().into_iter().collect()),
        schema_changes: Arc::new(schema_changes()),
        last_error: None,
        schema_log: true,
    }
}

fn slots() -> Vec<Slot> {
    let ours = Slot {
        slot_name: "orders_slot".into(),
        plugin: "pgoutput".into(),
        database: "shop".into(),
        active: true,
        active_pid: Some(8121),
        restart_lsn: Some(Lsn(0x4A0_0028)),
        confirmed_flush_lsn: Some(Lsn(0x4A3_B7C8)),
        retained_bytes: Some(48 << 20),
        wal_status: Some("reserved".into()),
        reader: Some("pgstream stream, replicator, from 10.0.0.7".to_owned()),
        safe_wal_bytes: Some(10_630_044_057),
        spill_count: 1,
        spill_bytes: 64 << 20,
        ours: true,
        lost_in_s: Some(16_800),
    };
    let audit = Slot {
        slot_name: "audit_slot".into(),
        plugin: "wal2json".into(),
        active: false,
        active_pid: None,
        reader: None,
        restart_lsn: Some(Lsn(0x3F0_0000)),
        confirmed_flush_lsn: Some(Lsn(0x3F1_0000)),
        retained_bytes: Some(3_328_599_654),
        wal_status: Some("extended".into()),
        safe_wal_bytes: Some(7_301_444_403),
        spill_count: 0,
        spill_bytes: 0,
        ours: false,
        lost_in_s: Some(11_640),
        ..ours.clone()
    };
    vec![ours, audit]
}

/// Five minutes of a calm wave with one lull.
fn samples() -> Vec<Sample> {
    (0..300)
        .map(|second| {
            let angle = f64::from(second) / 21.0;
            let lull = if (200..215).contains(&second) {
                0.1
            } else {
                1.0
            };
            let rows = (1_204.0 + 420.0 * angle.sin()) * lull;
            let lag = if lull < 1.0 {
                3.2
            } else {
                0.4 + 0.3 * (angle * 3.0).sin().abs()
            };
            Sample {
                at_s: NOW_MS / 1000 - i64::from(299 - second),
                rows: short(rows),
                transactions: short(rows / 100.0),
                bytes: short(rows * 240.0),
                lag_bytes: format::whole(lag * 120e6),
                lag_s: short(lag),
            }
        })
        .collect()
}

fn short(value: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "sample data of four digits"
    )]
    let short = value as f32;
    short
}

fn tables() -> [(String, TableCounters); 5] {
    let table = |name: &str, [inserts, updates, deletes]: [u64; 3], ago_s: i64| {
        let counters = TableCounters {
            inserts,
            updates,
            deletes,
            truncates: 0,
            suppressed: 0,
            bytes: (inserts + updates) * 240,
            last_change_ms: NOW_MS - ago_s * 1000,
        };
        (name.to_owned(), counters)
    };
    [
        table("public.order_items", [6_212_004, 120_400, 31], 0),
        table("public.orders", [2_071_233, 4_112_004, 12], 0),
        table("public.products", [1204, 88_123, 4], 61),
        table("public.stock", [0, 297_770, 0], 2),
        table("public.users", [1333, 1000, 0], 7300),
    ]
}

fn change(version: i64, time: &str, tag: &str, object: &str, sql: &str) -> SchemaChange {
    SchemaChange {
        id: format!("c{version}"),
        version,
        created_at: format!("2026-11-22 {time}"),
        tag: tag.into(),
        objects: vec![object.into()],
        statement: sql.into(),
        sql: vec![sql.into()],
        not_applied: Vec::new(),
        state: SchemaState::Applied,
        before_after: String::new(),
        duration_ms: Some(41.0),
        error: None,
        end_lsn: Some(Lsn(
            0x4A2_0000 + u64::try_from(version).unwrap_or(0) * 0x2C10
        )),
    }
}

/// The statement that the sample target refuses.
const REFUSED: &str = "CREATE TABLE public.refunds (\n  id bigint GENERATED ALWAYS AS IDENTITY,\n  amount public.money2 NOT NULL\n)";

fn schema_changes() -> Vec<SchemaChange> {
    let mut changes = vec![
        change(
            9,
            "12:04:31",
            "ALTER TABLE",
            "public.orders",
            "ALTER TABLE public.orders ADD COLUMN note text",
        ),
        change(
            8,
            "12:04:02",
            "CREATE INDEX",
            "public.orders_ts_idx",
            "CREATE INDEX orders_ts_idx ON public.orders (ts)",
        ),
        change(7, "12:03:58", "CREATE TABLE", "public.refunds", REFUSED),
        change(
            6,
            "12:01:10",
            "ALTER TABLE",
            "public.users",
            "ALTER TABLE public.users DROP COLUMN legacy",
        ),
        change(
            5,
            "11:58:44",
            "CREATE TYPE",
            "public.order_state",
            "CREATE TYPE public.order_state AS ENUM ('open', 'paid')",
        ),
        change(
            4,
            "11:57:03",
            "COMMENT",
            "public.users",
            "COMMENT ON TABLE public.users IS 'people'",
        ),
        change(
            3,
            "11:51:19",
            "CREATE VIEW",
            "public.v_daily",
            "CREATE VIEW public.v_daily AS SELECT 1",
        ),
        change(
            2,
            "11:50:00",
            "GRANT",
            "public.orders",
            "GRANT SELECT ON public.orders TO app",
        ),
    ];
    changes[0].before_after = "+ note text".into();
    changes[5].state = SchemaState::Skipped;
    changes[5].duration_ms = None;
    changes[7].state = SchemaState::NotApplied;
    changes[7].sql = Vec::new();
    changes[7].duration_ms = None;
    changes[7].not_applied =
        vec!["GRANT: privileges are not replicated; run it on the target".into()];
    changes
}

fn unreachable() -> Failure {
    Failure {
        class: ErrorClass::Transient,
        message: "cannot connect to the source db1:5432/shop".into(),
        refusal: None,
        causes: vec!["Connection refused (os error 111)".into()],
        sqlstate: None,
        statement: None,
        hint: Some("is the server running, and does it listen on db1:5432?".into()),
        transaction: None,
        at_ms: NOW_MS,
    }
}

fn lost() -> Failure {
    Failure {
        message: "the target db2:5432/shop closed the connection".into(),
        causes: vec!["terminating connection due to administrator command".into()],
        sqlstate: Some("57P01".into()),
        hint: None,
        ..unreachable()
    }
}

fn crash() -> Failure {
    Failure {
        class: ErrorClass::Bug,
        message: "a fault of pgstream ended the engine".into(),
        causes: vec!["index out of bounds: the len is 3 but the index is 7".into()],
        hint: Some("the checkpoint is safe; please report it with the log".into()),
        ..unreachable()
    }
}

fn held(running: Status) -> Status {
    let mut changes = (*running.schema_changes).clone();
    changes.drain(..2);
    changes[0].state = SchemaState::Failed;
    changes[0].error = Some("ERROR: type \"public.money2\" does not exist (42704)".into());
    Status {
        phase: Phase::Held,
        last_error: Some(Failure {
            class: ErrorClass::Data,
            message: "the target refused CREATE TABLE public.refunds".into(),
            refusal: None,
            causes: vec!["type \"public.money2\" does not exist".into()],
            sqlstate: Some("42704".into()),
            statement: Some(REFUSED.into()),
            hint: Some("create the type on the target, then retry".into()),
            transaction: Some(FailedTransaction {
                xid: 88_123,
                commit_lsn: Lsn(0x4A3_9C00),
            }),
            at_ms: NOW_MS - 35_000,
        }),
        schema_changes: Arc::new(changes),
        ..running
    }
}

fn row_refused(running: Status) -> Status {
    let what = "the target refuses a change of public.orders";
    Status {
        phase: Phase::Held,
        last_error: Some(Failure {
            class: ErrorClass::Data,
            message: "cannot write to the target db2:5432/shop".into(),
            refusal: Some(Box::new(Refusal {
                what: what.into(),
                table: Some("public.orders".into()),
            })),
            causes: vec![
                what.into(),
                "new row for relation \"orders\" violates check constraint \"orders_total\"".into(),
            ],
            sqlstate: Some("23514".into()),
            statement: Some("UPDATE public.orders SET total = $2 WHERE id = $1".into()),
            hint: Some(
                "fix the target and run pgstream again: it goes on at this transaction (at log level trace the \
                 values that are refused are shown); or skip the transaction on record with --skip-transaction \
                 0/4A39C00"
                    .into(),
            ),
            transaction: Some(FailedTransaction {
                xid: 88_123,
                commit_lsn: Lsn(0x4A3_9C00),
            }),
            at_ms: NOW_MS - 35_000,
        }),
        ..running
    }
}

/// Returns schema changes with these numbers, the largest first.
#[cfg(test)]
pub(crate) fn sample_changes(numbers: std::ops::RangeInclusive<usize>) -> Vec<SchemaChange> {
    let sample = |number: usize| SchemaChange {
        id: format!("c{number}"),
        ..schema_changes().remove(0)
    };
    numbers.rev().map(sample).collect()
}
