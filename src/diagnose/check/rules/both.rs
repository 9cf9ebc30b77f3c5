//! What the two sides must be to each other. Pure.

use std::collections::{HashMap, HashSet};

use crate::apply::{ApplyError, Stream, misfit};
use crate::config::TableFilter;
use crate::diagnose::check::facts::{
    CollationUse, ForeignType, SourceFacts, SourceTable, TargetFacts, TargetTable, TypeUse,
};
use crate::diagnose::check::finding::{bounded, remark, required};
use crate::diagnose::check::report::{Finding, Side};
use crate::diagnose::check::wanted::Wanted;
use crate::diagnose::{filled, requirements};
use crate::model::hint::{begin_anew, run_command, tear_down_command, verify_command};
use crate::model::{Classify as _, QualifiedName, quote_ident, quote_literal};

pub(crate) fn judge(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    if source.server.identity == target.server.identity {
        return vec![same_database(target)];
    }
    let mut findings = Vec::new();
    findings.extend(checkpoint(wanted, target));
    findings.extend(begins_anew(wanted, source, target));
    findings.extend(gone_checkpoint(wanted, source, target).filter(|_| target.checkpoint_gone));
    findings.extend(filled_before(wanted, target));
    findings.extend(other_pipelines(wanted, source, target));
    findings.extend(encoding(source, target));
    findings.extend(extensions(wanted, source, target));
    findings.extend(types(wanted, source, target));
    findings.extend(foreign_types(wanted, source, target));
    findings.extend(collations(wanted, source, target));
    findings.extend(tables(wanted, source, target));
    findings.extend(super::rows::judge(wanted, source, target));
    findings.extend(schemas(wanted, source, target));
    findings
}

fn same_database(target: &TargetFacts) -> Finding {
    required(
        Side::Target,
        requirements::same_database(&target.server.database),
    )
}

/// Returns whether it looks as if `run` would refuse at its start to go on from the checkpoint. The two
/// sides were not asked at the same time: it takes a closer look to know.
pub(crate) fn may_misfit(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> bool {
    let mut checkpoints = target.checkpoints.iter();
    let slot_name = wanted.slot_name.as_str();
    let Some(found) = checkpoints.find(|found| found.slot_name == slot_name) else {
        return false;
    };
    let Some(slot) = &source.slot else {
        return true;
    };
    let stream = Stream {
        slot_name: slot_name.to_owned(),
        system_identifier: source.server.identity.system_identifier.clone(),
        database_name: source.server.database.clone(),
        timeline: 0,
    };
    let owner = (&*found.system_identifier, &*found.database);
    let positions = slot.confirmed_lsn.zip(source.wal_end);
    positions.is_some_and(|positions| misfit(&stream, owner, found.end_lsn, positions).is_some())
}

fn checkpoint(wanted: &Wanted, target: &TargetFacts) -> Option<Finding> {
    let slot_name = wanted.slot_name.to_string();
    let reason = target.misfit.clone()?;
    let object = format!("checkpoint of slot {slot_name}");
    let problem = format!("does not fit to the slot: {reason}");
    let refusal = ApplyError::ForeignCheckpoint { slot_name, reason };
    Some(Finding {
        blocking: true,
        ..remark(
            Side::Target,
            object,
            problem,
            refusal.hint().unwrap_or_default(),
        )
    })
}

/// Not in the way, and to be known.
fn begins_anew(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Option<Finding> {
    let mut checkpoints = target.checkpoints.iter();
    let found = checkpoints.find(|found| found.slot_name == wanted.slot_name.as_str())?;
    let here = found.system_identifier == source.server.identity.system_identifier
        && found.database == source.server.database;
    let now = source.recorded.as_ref()?.identity.as_ref()?;
    let left = found
        .installation
        .as_ref()
        .filter(|left| here && *left != now);
    let stood_at = left.map(|_| found.end_lsn)?;
    Some(remark(
        Side::Target,
        format!("checkpoint of slot {}", wanted.slot_name),
        format!(
            "is of an earlier installation, which was removed when it stood at {stood_at}: run begins anew \
             here, and what has changed on the source in between is not here"
        ),
        format!(
            "{} # once run streams",
            verify_command(&wanted.init_argument)
        ),
    ))
}

/// Returns whether the stream begins on a target that no copy fills.
pub(crate) fn begins_without_rows(
    wanted: &Wanted,
    source: &SourceFacts,
    target: &TargetFacts,
) -> bool {
    let copies = wanted.copied.is_some() || wanted.has_checkpoint(target);
    source.slot.is_some() && !source.was_applied() && !copies
}

fn filled_before(wanted: &Wanted, target: &TargetFacts) -> Option<Finding> {
    let table = target.filled.as_ref()?;
    let hint = filled::hint(&wanted.source_argument);
    Some(remark(
        Side::Target,
        table.to_string(),
        filled::FILLED,
        hint,
    ))
}

/// Returns the finding of a checkpoint that looks gone. It takes a closer look to know.
pub(crate) fn gone_checkpoint(
    wanted: &Wanted,
    source: &SourceFacts,
    target: &TargetFacts,
) -> Option<Finding> {
    if wanted.has_checkpoint(target) {
        return None;
    }
    let slot_name = wanted.slot_name.as_str();
    let unmet = requirements::checkpoint(
        slot_name,
        (source.recorded.as_ref(), &target.server.identity),
        (wanted.copied.as_ref(), &wanted.filter),
        begin_anew(&wanted.init_argument, slot_name),
    )?;
    Some(required(Side::Target, unmet))
}

/// Other pipelines of this source that bring the same tables.
fn other_pipelines(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let server = &source.server;
    let others = target.checkpoints.iter().filter(|other| {
        other.slot_name != wanted.slot_name.as_str()
            && other.system_identifier == server.identity.system_identifier
            && other.database == server.database
            && source.slots.contains(&other.slot_name)
    });
    let both = |filter: &TableFilter| {
        let mut names = source.tables.iter().map(|table| &table.name);
        names.find(|name| filter.selects(name) && wanted.filter.selects(name))
    };
    let shared = others.filter_map(|other| Some((other, both(other.filter.as_ref()?)?)));
    bounded(shared.map(|(other, table)| Finding {
        blocking: true,
        ..remark(
            Side::Target,
            format!("pipeline of slot {}", other.slot_name),
            format!("brings {table} from this source, too: its rows would be here twice"),
            format!(
                "pgstream run # with PGSTREAM_FILTER_EXCLUDE_TABLES in one of the two; or remove it: {}",
                tear_down_command(&wanted.init_argument, &other.slot_name)
            ),
        )
    }))
}

fn encoding(source: &SourceFacts, target: &TargetFacts) -> Option<Finding> {
    let (from, to) = (&source.server.encoding, &target.server.encoding);
    (from != to && to != "UTF8").then(|| {
        let problem = format!(
            "is encoded in {to}, the source in {from}: some characters have no place in it"
        );
        let database = quote_ident(&target.server.database);
        let hint =
            format!("CREATE DATABASE {database} ENCODING '{from}' TEMPLATE template0; -- anew");
        remark(
            Side::Target,
            format!("database {}", target.server.database),
            problem,
            hint,
        )
    })
}

/// A snapshot of everything brings those whose files are there.
fn extensions(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let there: HashSet<&String> = target.server.extensions.iter().collect();
    let files: HashSet<&String> = target.server.available_extensions.iter().collect();
    let missing = source.server.extensions.iter();
    let missing = missing.filter(|name| !there.contains(name));
    let missing = missing.filter(|name| !(wanted.everything && files.contains(name)));
    let finding = |name: &String| {
        let create = format!("CREATE EXTENSION {};", quote_ident(name));
        let (problem, hint) = match files.contains(name) {
            true => (
                "is on the source and not here: tables that use it cannot be made here",
                create,
            ),
            false => (
                "is on the source, and its files are not on this server's machine: tables that use it \
                 cannot be made here",
                format!("{create} -- once the package that brings it is installed on this machine"),
            ),
        };
        remark(Side::Target, format!("extension {name}"), problem, hint)
    };
    missing.map(finding).collect()
}

fn types(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let uses = source
        .types
        .iter()
        .filter(|used| wanted.filter.selects(&used.used_by) && !wanted.brings(&used.used_by));
    let missing = uses.filter(|used| !target.types.contains(&used.name) && seen.insert(&used.name));
    bounded(missing.map(|used| {
        let problem = format!("is not here, and {} uses it", used.used_by);
        remark(
            Side::Target,
            format!("type {}", used.name),
            problem,
            type_hint(wanted, used),
        )
    }))
}

/// Only a later ALTER or DROP of such a type needs it.
fn foreign_types(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let uses = source.types.iter();
    let used: HashSet<&QualifiedName> = uses
        .filter(|used| wanted.schema_changes && wanted.filter.selects(&used.used_by))
        .map(|used| &used.name)
        .collect();
    let foreign = target.foreign_types.iter();
    let concerned = foreign.filter(|foreign| used.contains(&foreign.name));
    let user = &target.server.user;
    bounded(concerned.map(|ForeignType { name, owner }| {
        remark(
            Side::Target,
            format!("type {name}"),
            format!("belongs to {owner}: a schema change of it would be refused to role {user}"),
            format!(
                "ALTER TYPE {} OWNER TO {};",
                name.quoted(),
                quote_ident(user)
            ),
        )
    }))
}

fn type_hint(wanted: &Wanted, used: &TypeUse) -> String {
    match &used.labels {
        Some(labels) => {
            let labels = labels
                .iter()
                .map(|label| quote_literal(label))
                .collect::<Vec<_>>();
            format!(
                "CREATE TYPE {} AS ENUM ({});",
                used.name.quoted(),
                labels.join(", ")
            )
        }
        None => dump_command(
            wanted,
            &format!("--schema={}", shell_word(&used.name.schema)),
        ),
    }
}

fn collations(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let uses = source
        .collations
        .iter()
        .filter(|used| wanted.filter.selects(&used.used_by));
    let missing =
        uses.filter(|used| !target.collations.contains(&used.name) && seen.insert(&used.name));
    bounded(missing.map(|used| {
        let CollationUse {
            name,
            provider,
            locale,
            used_by,
        } = used;
        let locale = quote_literal(locale.as_deref().unwrap_or("C"));
        remark(
            Side::Target,
            format!("collation {name}"),
            format!("is not here, and {used_by} uses it"),
            format!(
                "CREATE COLLATION {} (provider = {provider}, locale = {locale});",
                name.quoted()
            ),
        )
    }))
}

/// Tables that were there before init come with a snapshot, or not by themselves: the stream starts at
/// the slot.
fn tables(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let there: HashMap<&QualifiedName, &TargetTable> = target
        .tables
        .iter()
        .map(|table| (&table.name, table))
        .collect();
    let tables = source
        .tables
        .iter()
        .filter(|table| wanted.filter.selects(&table.name));
    bounded(tables.filter_map(|table| match there.get(&table.name) {
        None if wanted.brings(&table.name) => None,
        None => Some(missing_table(wanted, table)),
        Some(found) => missing_columns(table, found),
    }))
}

/// Schemas in which tables are to be made. For a copy that is the first thing; for the stream only a
/// later CREATE TABLE needs it, and in schema public somebody will make one.
fn schemas(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let there: HashSet<&QualifiedName> = target.tables.iter().map(|table| &table.name).collect();
    let user = &target.server.user;
    let closed = target.schemas.iter().filter(|schema| !schema.creatable);
    bounded(closed.filter_map(|schema| {
        let tables = source.tables.iter();
        let mut made = tables.filter(|table| *table.name.schema == *schema.name);
        let brought = made
            .clone()
            .any(|table| wanted.brings(&table.name) && !there.contains(&table.name));
        let public = QualifiedName::new("public", "a table to come");
        let to_come = *schema.name == *public.schema && wanted.filter.selects(&public);
        let streamed = wanted.schema_changes
            && (to_come || made.any(|table| wanted.filter.selects(&table.name)));
        let why = match brought {
            true => "the initial snapshot makes tables there",
            false => "a CREATE TABLE there would be refused",
        };
        let name = quote_ident(&schema.name);
        (brought || streamed).then(|| Finding {
            blocking: brought,
            ..remark(
                Side::Target,
                format!("schema {}", schema.name),
                format!("permission denied: role {user} cannot create anything in it, and {why}"),
                format!(
                    "GRANT USAGE, CREATE ON SCHEMA {name} TO {};",
                    quote_ident(user)
                ),
            )
        })
    }))
}

fn missing_table(wanted: &Wanted, table: &SourceTable) -> Finding {
    let name = &table.name;
    let problem = "is on the source and not here: a change of one of its rows would stop the stream, \
                   unless the stream brings the table first";
    let copied = wanted.copied.as_ref().map(TableFilter::include_text);
    let copied = with(&copied.unwrap_or_default(), name);
    let left_out = with(&wanted.filter.exclude_text(), name);
    let run = run_command(&wanted.source_argument);
    let hint = format!(
        "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true \
         PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES={copied} {run} # or leave it out: \
         PGSTREAM_FILTER_EXCLUDE_TABLES={left_out} {run}"
    );
    remark(Side::Target, name.to_string(), problem, hint)
}

/// A list as a shell takes it, and one table more.
fn with(list: &str, name: &QualifiedName) -> String {
    shell_word(format!("{list} {name}").trim_start())
}

fn missing_columns(table: &SourceTable, found: &TargetTable) -> Option<Finding> {
    let missing = table
        .columns
        .iter()
        .filter(|column| !found.columns.contains(&column.name));
    let missing: Vec<_> = missing.collect();
    let names: Vec<&str> = missing.iter().map(|column| column.name.as_str()).collect();
    let add = |name: &str, type_text: &str| format!("ADD COLUMN {} {type_text}", quote_ident(name));
    let adds: Vec<String> = missing
        .iter()
        .map(|column| add(&column.name, &column.type_text))
        .collect();
    (!missing.is_empty()).then(|| {
        remark(
            Side::Target,
            table.name.to_string(),
            format!("has not all columns of the source's: {}", names.join(", ")),
            format!("ALTER TABLE {} {};", table.name.quoted(), adds.join(", ")),
        )
    })
}

fn dump_command(wanted: &Wanted, selection: &str) -> String {
    let source = shell_word(&wanted.source_uri);
    format!("pg_dump {selection} {source} | psql TARGET_URL")
}

/// Quotes a word for a POSIX shell.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
#[path = "both_tests.rs"]
mod tests;
