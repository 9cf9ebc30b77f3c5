//! What must hold on the target. Pure.

use std::collections::BTreeSet;

use crate::diagnose::check::facts::{OwnSchema, TargetFacts, TargetTable};
use crate::diagnose::check::finding::{bounded, found, version};
use crate::diagnose::check::report::{Finding, Side};
use crate::diagnose::check::wanted::Wanted;
use crate::model::hint::{run_command, sequences_command};
use crate::model::{QualifiedName, quote_ident, quote_literal};

pub(crate) fn judge(wanted: &Wanted, facts: &TargetFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        version(
            Side::Target,
            facts.server.version_number,
            &facts.server.version,
        ),
        writable(facts),
        creation(wanted, facts),
        triggers(wanted, facts),
        temporary(wanted, facts),
        superuser(wanted, facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.extend(own_records(facts));
    findings.extend(last_stop(wanted, facts));
    findings.extend(unfollowed(wanted, facts));
    findings.extend(old_look(wanted, facts));
    findings.extend(bounded(
        selected(wanted, facts).filter_map(|table| schema_usage(table, facts)),
    ));
    findings.extend(bounded(
        selected(wanted, facts).filter_map(|table| privileges(table, facts)),
    ));
    let sequences = selected(wanted, facts).flat_map(|table| &table.closed_sequences);
    findings.extend(bounded(
        sequences.map(|sequence| closed_sequence(sequence, facts)),
    ));
    if wanted.schema_changes {
        findings.extend(bounded(
            selected(wanted, facts).filter_map(|table| ownership(table, facts)),
        ));
    }
    findings
}

fn finding(
    object: impl Into<String>,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    found(Side::Target, object, problem, hint)
}

fn selected<'a>(
    wanted: &'a Wanted,
    facts: &'a TargetFacts,
) -> impl Iterator<Item = &'a TargetTable> {
    let tables = facts.tables.iter();
    tables.filter(|table| wanted.filter.selects(&table.name))
}

fn user(facts: &TargetFacts) -> String {
    quote_ident(&facts.server.user)
}

fn writable(facts: &TargetFacts) -> Option<Finding> {
    facts.server.in_recovery.then(|| {
        finding(
            "server",
            "is a standby: nothing can be written to it",
            "SELECT pg_promote(); -- or name the primary in PGSTREAM_POSTGRES_WRITER_TARGET_URL",
        )
    })
}

/// CREATE on the database is for our own schema once, and for schemas that the source creates.
fn creation(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    let needed = facts.own_schema.is_none() || wanted.schema_changes;
    (needed && !facts.creates_in_database).then(|| Finding {
        blocking: facts.own_schema.is_none(),
        ..finding(
            format!("database {}", facts.server.database),
            format!(
                "permission denied: role {} cannot create schemas in it",
                facts.server.user
            ),
            format!(
                "GRANT CREATE ON DATABASE {} TO {};",
                quote_ident(&facts.server.database),
                user(facts)
            ),
        )
    })
}

fn triggers(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    (wanted.silent_triggers && !facts.silences_triggers).then(|| {
        let problem = format!(
            "permission denied: role {} cannot set it, and PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS \
             asks for that",
            facts.server.user
        );
        finding("session_replication_role", problem, let_silence(facts))
    })
}

/// Returns the statement after which our role may silence triggers. Before 15 only a superuser may.
pub(super) fn let_silence(facts: &TargetFacts) -> String {
    let user = user(facts);
    match facts.server.version_number >= 150_000 {
        true => format!("GRANT SET ON PARAMETER session_replication_role TO {user};"),
        false => format!("ALTER ROLE {user} SUPERUSER;"),
    }
}

/// What the source defines runs with the rights of our role. Before 15 nobody else may silence triggers.
fn superuser(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    let silencing = wanted.silent_triggers && facts.server.version_number < 150_000;
    (facts.server.superuser && !silencing).then(|| Finding {
        blocking: false,
        ..finding(
            format!("role {}", facts.server.user),
            "is a superuser: a check, default, index or generated column that a user of the source \
             defines runs with its rights here",
            role_of_its_own(wanted, facts),
        )
    })
}

/// Returns the statements that make a role which may do what this pipeline does, and no more.
fn role_of_its_own(wanted: &Wanted, facts: &TargetFacts) -> String {
    let database = quote_ident(&facts.server.database);
    let mut sql = format!(
        "CREATE ROLE pgstream LOGIN PASSWORD '…'; \
         GRANT CREATE, TEMPORARY ON DATABASE {database} TO pgstream;"
    );
    if wanted.silent_triggers {
        sql += " GRANT SET ON PARAMETER session_replication_role TO pgstream;";
    }
    let schemas: BTreeSet<&str> = selected(wanted, facts)
        .map(|table| &*table.name.schema)
        .chain(["public"])
        .collect();
    for schema in &schemas {
        sql += &format!(
            " GRANT USAGE, CREATE ON SCHEMA {} TO pgstream;",
            quote_ident(schema)
        );
    }
    if facts.own_schema.is_some() {
        sql += " ALTER SCHEMA pgstream OWNER TO pgstream;";
    }
    let literals = schemas.iter().chain(&["pgstream"]);
    let literals: Vec<String> = literals.map(|schema| quote_literal(schema)).collect();
    sql + &format!(
        " SELECT format('ALTER TABLE %I.%I OWNER TO pgstream', schemaname, tablename) FROM pg_tables \
         WHERE schemaname IN ({}) \\gexec -- then name it in PGSTREAM_POSTGRES_WRITER_TARGET_URL",
        literals.join(", ")
    )
}

/// A copy describes what stands here with functions of its session's own.
fn temporary(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    (wanted.copied.is_some() && !facts.makes_temporary).then(|| {
        let problem = format!(
            "permission denied: role {} cannot make temporary objects in it, and the initial snapshot \
             does",
            facts.server.user
        );
        let database = quote_ident(&facts.server.database);
        finding(
            format!("database {}", facts.server.database),
            problem,
            format!("GRANT TEMPORARY ON DATABASE {database} TO {};", user(facts)),
        )
    })
}

/// What stopped the last run, and is not overcome. What could have caused it is judged by itself.
fn last_stop(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    let stop = facts.last_stop.as_ref()?;
    let again = || run_command(&wanted.source_argument);
    Some(Finding {
        blocking: false,
        ..finding(
            format!("pipeline of slot {}", wanted.slot_name),
            format!("has stopped at {}: {}", stop.at, stop.story()),
            stop.hint.clone().unwrap_or_else(again),
        )
    })
}

/// What `run` says once, for whoever looks later.
fn unfollowed(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    let look = facts.sequences.as_ref()?;
    let first = look.unfollowed.first()?;
    let more = match look.unfollowed.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more, which pgstream status names"),
    };
    Some(Finding {
        blocking: false,
        ..finding(
            "sequences",
            format!(
                "{} do not follow the source's: {first}{more}",
                look.unfollowed.len()
            ),
            format!(
                "make or alter them on the target as they are on the source, or GRANT our roles their use; \
                 {} then brings them forward",
                sequences_command(&wanted.source_argument)
            ),
        )
    })
}

/// `run` looks every few seconds: so long ago, none runs, or it cannot look.
const LOOK_OLD_S: i64 = 60;

fn old_look(wanted: &Wanted, facts: &TargetFacts) -> Option<Finding> {
    let look = facts.sequences.as_ref();
    let look = look.filter(|look| look.age_s >= LOOK_OLD_S)?;
    Some(Finding {
        blocking: false,
        ..finding(
            "sequences",
            format!("were last brought forward {} ago", look.age()),
            sequences_command(&wanted.source_argument),
        )
    })
}

/// How many tables our records are.
const OWN_TABLES: usize = 15;

/// The checkpoint and its companions, which `run` makes itself where they are missing.
fn own_records(facts: &TargetFacts) -> Vec<Finding> {
    let Some(OwnSchema { usable, creatable }) = facts.own_schema else {
        return Vec::new();
    };
    let user = user(facts);
    let missing = facts.own_tables.len() < OWN_TABLES;
    let mut findings = Vec::new();
    if !usable || (missing && !creatable) {
        findings.push(finding(
            "schema pgstream",
            format!(
                "permission denied for role {}: the checkpoint is kept there",
                facts.server.user
            ),
            format!("GRANT USAGE, CREATE ON SCHEMA pgstream TO {user};"),
        ));
    }
    let closed = facts.own_tables.iter().filter(|table| !table.usable);
    findings.extend(closed.map(|table| {
        finding(
            format!("pgstream.{}", table.name),
            format!("permission denied for role {}", facts.server.user),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON pgstream.{} TO {user};",
                quote_ident(&table.name)
            ),
        )
    }));
    findings
}

fn schema_usage(table: &TargetTable, facts: &TargetFacts) -> Option<Finding> {
    let QualifiedName { schema, .. } = &table.name;
    (!table.schema_usable).then(|| {
        finding(
            table.name.to_string(),
            format!(
                "permission denied for role {} in schema {schema}",
                facts.server.user
            ),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {};",
                quote_ident(schema),
                user(facts)
            ),
        )
    })
}

fn privileges(table: &TargetTable, facts: &TargetFacts) -> Option<Finding> {
    let missing = table.missing_privileges.join(", ");
    (!missing.is_empty()).then(|| {
        finding(
            table.name.to_string(),
            format!(
                "permission denied for role {}: it lacks {missing}",
                facts.server.user
            ),
            format!(
                "GRANT {missing} ON TABLE {} TO {};",
                table.name.quoted(),
                user(facts)
            ),
        )
    })
}

fn closed_sequence(sequence: &QualifiedName, facts: &TargetFacts) -> Finding {
    finding(
        format!("sequence {sequence}"),
        format!(
            "permission denied for role {}: its value follows the source's",
            facts.server.user
        ),
        format!(
            "GRANT SELECT, UPDATE ON SEQUENCE {} TO {};",
            sequence.quoted(),
            user(facts)
        ),
    )
}

/// Only a later ALTER or DROP of this table needs it, so it does not block.
fn ownership(table: &TargetTable, facts: &TargetFacts) -> Option<Finding> {
    (!table.owned).then(|| Finding {
        blocking: false,
        ..finding(
            table.name.to_string(),
            format!(
                "belongs to {}: a schema change of it would be refused to role {}",
                table.owner, facts.server.user
            ),
            format!(
                "ALTER TABLE {} OWNER TO {};",
                table.name.quoted(),
                user(facts)
            ),
        )
    })
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
