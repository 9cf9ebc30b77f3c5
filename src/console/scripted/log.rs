//! The log of the sample engine.

use tracing::Level;

use crate::console::model::logs::LogLine;

use super::sample::NOW_MS;

/// Returns the log, oldest line first.
pub(crate) fn log_lines() -> Vec<LogLine> {
    vec![
        batch(13, "963", "14", "0/4A3AC10"),
        line(
            12,
            Level::INFO,
            "slot",
            "status sent",
            &[("flush", "0/4A3AD00")],
        ),
        batch(11, "1042", "16", "0/4A3AD00"),
        line(10, Level::DEBUG, "sql", INSERT, &[("rows", "1187")]),
        batch(9, "1187", "19", "0/4A3AE00"),
        line(8, Level::ERROR, "ddl", "apply failed", REFUSED),
        batch(7, "1011", "16", "0/4A3AF10"),
        line(
            6,
            Level::DEBUG,
            "decode",
            "keepalive",
            &[("wal_end", "0/4A3B0F0")],
        ),
        batch(5, "1100", "17", "0/4A3B0F0"),
        line(
            4,
            Level::INFO,
            "slot",
            "status sent",
            &[("flush", "0/4A3B0F0")],
        ),
        batch(3, "998", "15", "0/4A3B200"),
        line(2, Level::WARN, "decode", "spilled to disk", SPILLED),
        line(1, Level::INFO, "ddl", "statement applied", APPLIED),
        batch(0, "1204", "18", "0/4A3B7C8"),
    ]
}

type Fields = &'static [(&'static str, &'static str)];

const INSERT: &str = "INSERT INTO public.orders SELECT * FROM unnest($1, $2)";
const REFUSED: Fields = &[
    ("object", "public.refunds"),
    ("error", "type \"public.money2\" does not exist"),
];
const SPILLED: Fields = &[("xid", "88123"), ("bytes", "67108864")];
const APPLIED: Fields = &[
    ("tag", "ALTER TABLE"),
    ("object", "public.orders"),
    ("ms", "41"),
];

fn batch(ago_s: i64, rows: &str, ms: &str, lsn: &str) -> LogLine {
    let fields = [("rows", rows), ("ms", ms), ("lsn", lsn)];
    line(ago_s, Level::INFO, "apply", "batch committed", &fields)
}

fn line(
    ago_s: i64,
    level: Level,
    target: &'static str,
    message: &str,
    fields: &[(&'static str, &str)],
) -> LogLine {
    let fields = fields.iter();
    LogLine {
        at_ms: NOW_MS - ago_s * 1000,
        level,
        target,
        message: message.into(),
        fields: fields
            .map(|(name, value)| (*name, (*value).into()))
            .collect(),
        spans: vec!["slot{name=orders_slot}".into()],
    }
}
