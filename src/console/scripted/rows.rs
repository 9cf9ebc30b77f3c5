//! What the scripted engine remembers of a table's rows.

use crate::model::Lsn;
use crate::status::{Cell, ChangeKind, LatestChange, Phase, RefusedRow, Status, TableLook};

use super::sample::NOW_MS;

/// Returns what is remembered of a table.
pub(crate) fn look(status: &Status, table: &str, values: bool) -> TableLook {
    let change = |back: u32, kind, key: &str| LatestChange {
        kind,
        key: key.to_owned(),
        xid: 88_122 - back,
        commit_lsn: Lsn(0x4A3_9000 - 0x400 * u64::from(back)),
        commit_time_ms: NOW_MS - 36_000 - 410 * i64::from(back),
    };
    let held = status.phase == Phase::Held && table == "public.orders";
    let refused = held.then(refused);
    TableLook {
        changes: vec![
            change(0, ChangeKind::Update, "id=2071232"),
            change(1, ChangeKind::Insert, "id=2071233"),
            change(1, ChangeKind::Insert, "id=2071232"),
            change(4, ChangeKind::Delete, "id=2071190"),
        ],
        refused: match values {
            true => refused,
            false => refused.map(RefusedRow::identity),
        },
    }
}

fn refused() -> RefusedRow {
    let cell = |column: &str, value: Option<&str>| Cell {
        column: column.to_owned(),
        key: column == "id",
        value: value.map(str::to_owned),
    };
    RefusedRow {
        table: "public.orders".to_owned(),
        kind: ChangeKind::Update,
        cells: vec![
            cell("id", Some("2071231")),
            cell("customer", Some("Ærø Trading\tLtd")),
            cell("total", Some("-14.90")),
            cell("shipped", None),
        ],
    }
}
