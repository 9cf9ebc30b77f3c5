//! Tables that both sides have and that take rows otherwise. Pure.

use std::collections::HashMap;

use crate::config::Plugin;
use crate::diagnose::check::facts::{
    ComputedColumn, Partition, SourceFacts, TargetColumn, TargetFacts,
};
use crate::diagnose::check::finding::{bounded, found, remark};
use crate::diagnose::check::report::{Finding, Side};
use crate::diagnose::check::rules::target::let_silence;
use crate::diagnose::check::wanted::Wanted;
use crate::model::{QualifiedName, quote_ident};

pub(crate) fn judge(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let mut findings = computed(wanted, source, target);
    findings.extend(partitions(wanted, source, target));
    findings.extend(acting_keys(wanted, source, target));
    findings.extend(configuration_tables(source));
    findings
}

/// Where the source sends no generated columns, a plain one of the target stays empty.
fn computed(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let sends_stored = wanted.plugin == Plugin::Wal2json || source.server.version_number >= 180_000;
    let is_plain = |column: &&ComputedColumn| {
        let mut tables = target.tables.iter();
        let here = TargetColumn {
            table: column.table.clone(),
            column: column.column.clone(),
        };
        let has = tables
            .any(|table| table.name == column.table && table.columns.contains(&column.column));
        has && !target.computed.contains(&here)
    };
    let columns = source.computed.iter();
    let columns = columns.filter(|column| wanted.filter.selects(&column.table));
    let empty = columns.filter(|column| !(sends_stored && column.stored));
    bounded(empty.filter(is_plain).map(|column| {
        let (name, table) = (quote_ident(&column.column), column.table.quoted());
        let kind = if column.stored { "STORED" } else { "VIRTUAL" };
        remark(
            Side::Target,
            column.table.to_string(),
            format!(
                "column {} is computed on the source, which does not send it, and plain here: it stays NULL",
                column.column
            ),
            format!(
                "ALTER TABLE {table} DROP COLUMN {name}, ADD COLUMN {name} {} GENERATED ALWAYS AS ({}) {kind};",
                column.type_text, column.expression
            ),
        )
    }))
}

/// Rows are written to the partition that they come from.
fn partitions(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let here: HashMap<&QualifiedName, &Partition> = (target.partitions.iter())
        .map(|partition| (&partition.table, partition))
        .collect();
    let selected = source.partitions.iter();
    let selected = selected.filter(|partition| wanted.filter.selects(&partition.table));
    let differing = selected.filter_map(|there| {
        let here = here.get(&there.table)?;
        (here.bound != there.bound).then_some((there, *here))
    });
    bounded(differing.map(|(there, here)| {
        let (table, parent) = (there.table.quoted(), here.parent.quoted());
        found(
            Side::Target,
            there.table.to_string(),
            format!(
                "is the partition {} here and {} on the source: its rows would be refused",
                here.bound, there.bound
            ),
            format!(
                "ALTER TABLE {parent} DETACH PARTITION {table}; -- of all such, then \
                 ALTER TABLE {parent} ATTACH PARTITION {table} {};",
                there.bound
            ),
        )
    }))
}

/// The stream brings what foreign keys do on the source; those of the target must be kept from doing it, too.
fn acting_keys(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    if target.silences_triggers {
        return Vec::new();
    }
    let streamed = |table: &QualifiedName| {
        let mut tables = source.tables.iter();
        wanted.filter.selects(table) && tables.any(|there| there.name == *table)
    };
    let keys = target.acting_keys.iter().filter(|key| streamed(&key.table));
    bounded(keys.map(|key| {
        remark(
            Side::Target,
            format!("constraint {} on {}", key.name, key.table),
            "acts by itself on what the stream brings, too, and our role may not keep it from that: several rows \
             that take each other's keys in one statement would stop the stream",
            let_silence(target),
        )
    }))
}

fn configuration_tables(source: &SourceFacts) -> Vec<Finding> {
    bounded(source.configuration_tables.iter().map(|kept| {
        let (table, condition) = (kept.table.quoted(), kept.condition.as_deref());
        let rows = format!("SELECT * FROM {table} {}", condition.unwrap_or_default());
        Finding {
            side: Side::Source,
            ..remark(
            Side::Target,
                kept.table.to_string(),
                format!(
                    "holds rows of users, and belongs to extension {}: rows of extensions' tables do not travel",
                    kept.extension
                ),
                format!("COPY ({}) TO STDOUT; -- into the target's, with COPY {table} FROM STDIN", rows.trim_end()),
            )
        }
    }))
}
