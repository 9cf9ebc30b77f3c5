//! What is not on the target although nothing keeps `run` from starting: copies that failed, what does not
//! replicate, and what the target's own triggers add. Pure.

use std::collections::HashSet;

use crate::config::key;
use crate::diagnose::check::facts::{CopyFacts, SourceFacts, TargetFacts};
use crate::diagnose::check::finding::{bounded, found, remark};
use crate::diagnose::check::report::{Finding, Side};
use crate::diagnose::check::wanted::Wanted;
use crate::model::hint::run_command;
use crate::model::{QualifiedName, quote_ident};
use crate::schema::{Trigger, lacking};
use crate::schema::{UNLOGGED, copy_large_objects, large_objects_stay};
use crate::status::CopyState;

pub(crate) fn judge(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let mut findings = failed_copies(wanted, target);
    findings.extend(unlogged(wanted, source));
    findings.extend(doubling_triggers(wanted, source, target));
    findings.extend(left_out(wanted));
    findings.extend(other_kinds(wanted, source, target));
    findings.extend(large_objects(wanted, source));
    findings
}

/// Nothing of the stream reaches a table whose copy has failed, and a table may lack an index or a key that
/// the target has refused.
fn failed_copies(wanted: &Wanted, target: &TargetFacts) -> Vec<Finding> {
    let ours = target.copies.iter();
    let ours = ours.filter(|copy| copy.slot_name == wanted.slot_name.as_str());
    bounded(ours.filter_map(|copy| {
        let CopyFacts {
            table,
            state,
            failure: Some(failure),
            ..
        } = copy
        else {
            return None;
        };
        let what = match state {
            CopyState::Failed => "its copy failed, and nothing of the stream reaches it",
            _ => "it is copied, and lacks what the target has refused",
        };
        let why = failure.causes.join(": ");
        let hint = failure.hint.as_deref().map(|hint| format!("{hint}; "));
        let run = run_command(&wanted.source_argument);
        let hint = format!(
            "{}{run} # each start tries it again",
            hint.unwrap_or_default()
        );
        Some(found(
            Side::Target,
            table.to_string(),
            format!("{what}: {why}"),
            hint,
        ))
    }))
}

fn unlogged(wanted: &Wanted, source: &SourceFacts) -> Vec<Finding> {
    let tables = source.unlogged_tables.iter();
    let tables = tables.filter(|table| wanted.filter.selects(table));
    bounded(tables.map(|table| {
        let hint = format!("ALTER TABLE {} SET LOGGED;", table.quoted());
        remark(Side::Source, table.to_string(), UNLOGGED, hint)
    }))
}

/// A trigger that the source has, too, acts a second time; one that writes to a table which replicates
/// writes beside the stream.
fn doubling_triggers(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let selects = |table: &QualifiedName| wanted.filter.selects(table);
    let there: HashSet<&QualifiedName> = source.tables.iter().map(|table| &table.name).collect();
    let replicates = |table: &QualifiedName| selects(table) && there.contains(table);
    let firing = target.triggers.iter().filter(|trigger| {
        trigger.fires(wanted.silent_triggers) && !trigger.inherited && replicates(&trigger.table)
    });
    bounded(firing.filter_map(|trigger| {
        let problem = match trigger.is_among(&source.triggers) {
            true => {
                "fires for the rows that arrive, and the source has it, too: what it does is done \
                     twice"
                    .to_owned()
            }
            false => {
                let written = written(trigger, target).find(|table| replicates(table))?;
                format!(
                    "fires for the rows that arrive, and its function writes to {written}, which \
                     replicates, too"
                )
            }
        };
        let (name, table) = (quote_ident(&trigger.name), trigger.table.quoted());
        let disable = format!("ALTER TABLE {table} DISABLE TRIGGER {name};");
        let hint = match wanted.silent_triggers {
            true => disable,
            false => format!("{disable} -- or set {}=true", key::DISABLE_TRIGGERS),
        };
        let object = format!("trigger {} on {}", trigger.name, trigger.table);
        Some(remark(Side::Target, object, problem, hint))
    }))
}

/// The tables of the target that its function writes to, by what its text says.
fn written<'t>(
    trigger: &'t Trigger,
    target: &'t TargetFacts,
) -> impl Iterator<Item = &'t QualifiedName> {
    let names = trigger.written();
    let tables = target.tables.iter().map(|table| &table.name);
    tables.filter(move |table| {
        names.iter().any(|name| match name.as_slice() {
            [schema, name] => *schema == *table.schema && *name == *table.name,
            [name] => *name == *table.name,
            _ => false,
        })
    })
}

/// What somebody chose, and may have forgotten.
fn left_out(wanted: &Wanted) -> Option<Finding> {
    (!wanted.left_out.is_empty()).then(|| {
        remark(
            Side::Target,
            key::EXCLUDE_KINDS,
            format!("leaves out of what travels: {}", wanted.left_out),
            format!("without {} they travel", key::EXCLUDE_KINDS),
        )
    })
}

fn other_kinds(wanted: &Wanted, source: &SourceFacts, target: &TargetFacts) -> Vec<Finding> {
    let selects = |table: &QualifiedName| wanted.filter.selects(table);
    let kinds = lacking(&source.others, &target.others, &selects).into_iter();
    let kinds = kinds.filter(|kind| !wanted.left_out.has(&kind.kind));
    let hint = format!(
        "take their statements out of: pg_dump --schema-only {}",
        wanted.source_uri
    );
    kinds
        .map(|kind| remark(Side::Target, kind.kind.clone(), kind.reason(), hint.clone()))
        .collect()
}

fn large_objects(wanted: &Wanted, source: &SourceFacts) -> Option<Finding> {
    let count = source.large_object_count;
    let hint = || copy_large_objects(&wanted.source_uri);
    (count > 0).then(|| {
        remark(
            Side::Source,
            "large objects",
            large_objects_stay(count),
            hint(),
        )
    })
}

#[cfg(test)]
#[path = "left_tests.rs"]
mod tests;
