//! What must hold on the source. Pure.

use std::collections::HashSet;

use crate::config::{NullNumbers, Plugin, key};
use crate::diagnose::check::facts::{
    SchemaLogFacts, SlotFacts, SourceFacts, SourceTable, Wal2json,
};
use crate::diagnose::check::finding::{bounded, found, required, version};
use crate::diagnose::check::report::{Finding, Side};
use crate::diagnose::check::wanted::Wanted;
use crate::diagnose::requirements;
use crate::model::{QualifiedName, hint, quote_ident};
use crate::schema::{grant_descriptions, grant_log, install};

/// The first version that decodes on standbys.
const DECODES_ON_STANDBY: i32 = 160_000;

pub(crate) fn judge(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        version(
            Side::Source,
            facts.server.version_number,
            &facts.server.version,
        ),
        standby(facts),
        rows_kept(facts),
        log_on_standby(wanted, facts),
        wal_level(facts),
        wal_senders(facts),
        replication_role(facts),
        installation(wanted, facts),
        installed_elsewhere(wanted, facts),
        unseen_installation(facts),
        closed_record(facts),
        slot(wanted, facts),
        publication(wanted, facts),
        plugin_library(wanted, facts),
        wal2json(wanted, facts),
        schema_log(wanted, facts),
        foreign_log(wanted, facts),
        facts.closed_log.clone(),
        pruning(wanted, facts),
        event_triggers(wanted, facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.extend(identities(wanted, facts));
    findings.extend(unpublishable(wanted, facts));
    findings.extend(descriptions(wanted, facts));
    findings.extend(copied_rows(wanted, facts));
    findings.extend(copied_sequences(wanted, facts));
    findings.extend(hidden_rows(wanted, facts));
    findings
}

fn finding(
    object: impl Into<String>,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    found(Side::Source, object, problem, hint)
}

fn init_command(wanted: &Wanted) -> String {
    hint::init_command(&wanted.init_argument, wanted.slot_name.as_str())
}

fn begin_anew(wanted: &Wanted) -> String {
    hint::begin_anew(&wanted.init_argument, wanted.slot_name.as_str())
}

/// A standby decodes from version 16 on.
fn standby(facts: &SourceFacts) -> Option<Finding> {
    (facts.server.in_recovery && facts.server.version_number < DECODES_ON_STANDBY).then(|| {
        finding(
            format!("server {}", facts.server.version),
            "is a standby, where PostgreSQL decodes nothing before version 16",
            format!("let {} name its primary", key::SOURCE_URL),
        )
    })
}

/// Without it the primary removes rows of catalogs that the slot needs, and the slot is lost.
fn rows_kept(facts: &SourceFacts) -> Option<Finding> {
    (facts.server.in_recovery && !facts.hot_standby_feedback).then(|| Finding {
        blocking: false,
        ..finding(
            "hot_standby_feedback",
            "is off on this standby: its primary may remove what the slot needs, and then the slot is lost",
            "ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();",
        )
    })
}

/// Acknowledgements are written to the primary.
fn log_on_standby(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let log = facts.schema_log.as_ref()?;
    (wanted.schema_changes && log.on_standby).then(|| {
        finding(
            key::SCHEMA_LOG_URL,
            "names a standby, where applied schema changes cannot be marked",
            format!("let {} name the primary", key::SCHEMA_LOG_URL),
        )
    })
}

fn wal_level(facts: &SourceFacts) -> Option<Finding> {
    (facts.wal_level != "logical").then(|| {
        finding(
            "wal_level",
            format!("is {}, must be logical", facts.wal_level),
            "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server",
        )
    })
}

/// One walsender for the stream; the slot's own one, when it is active, is among those counted.
fn wal_senders(facts: &SourceFacts) -> Option<Finding> {
    let active = facts
        .slot
        .as_ref()
        .is_some_and(|slot| slot.active_pid.is_some());
    let full = facts.wal_sender_count >= facts.max_wal_senders && !active;
    full.then(|| {
        finding(
            "max_wal_senders",
            format!(
                "all {} are in use, one more is needed",
                facts.max_wal_senders
            ),
            format!(
                "ALTER SYSTEM SET max_wal_senders = {}; -- then restart the server",
                facts.max_wal_senders + 5
            ),
        )
    })
}

fn replication_role(facts: &SourceFacts) -> Option<Finding> {
    let user = &facts.server.user;
    (!facts.replication_role).then(|| {
        finding(
            format!("role {user}"),
            "permission denied to replicate: it has no REPLICATION right",
            format!("ALTER ROLE {} REPLICATION;", quote_ident(user)),
        )
    })
}

/// Without the schema log init has not run, and init needs a superuser: event triggers and a
/// publication for all tables (manual, CREATE EVENT TRIGGER, CREATE PUBLICATION).
fn installation(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    if facts.schema_log.is_some() {
        return None;
    }
    let user = &facts.server.user;
    Some(if facts.server.superuser {
        let problem = "is not there: pgstream has not been initialised in this database";
        finding("schema pgstream", problem, init_command(wanted))
    } else {
        let problem = format!(
            "is not there, and role {user} cannot make it: event triggers and a publication for \
             all tables need a superuser"
        );
        finding("schema pgstream", problem, init_command(wanted))
    })
}

/// The engine reads only what its own version writes, about this very database.
fn installed_elsewhere(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    if let Some(unmet) = requirements::open_functions(&facts.open_functions, &init_command(wanted))
    {
        return Some(required(Side::Source, unmet));
    }
    let installation = facts.installation?;
    let problem = if !installation.of_this_database {
        "was restored from a dump of another database: what it describes is not here"
    } else if !installation.current {
        "was installed by another version of pgstream"
    } else {
        return None;
    };
    Some(finding("schema pgstream", problem, init_command(wanted)))
}

/// `run` does without; `status` and `check` then do not know whether `init` is complete.
fn unseen_installation(facts: &SourceFacts) -> Option<Finding> {
    let user = &facts.server.user;
    (facts.installation_readable == Some(false)).then(|| Finding {
        blocking: false,
        ..finding(
            "pgstream.installation",
            format!(
                "permission denied for role {user}: status and check cannot tell whether init is \
                 complete and of this version"
            ),
            install::grant_state(user),
        )
    })
}

/// Without the right nobody would notice a checkpoint that is gone.
fn closed_record(facts: &SourceFacts) -> Option<Finding> {
    let user = &facts.server.user;
    let recorded = facts.recorded.as_ref()?;
    (!recorded.writable).then(|| Finding {
        blocking: false,
        ..finding(
            "pgstream.pipeline",
            format!(
                "permission denied for role {user}: it notes there where this pipeline is applied"
            ),
            install::grant_pipeline(user),
        )
    })
}

fn slot(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let object = format!("replication slot {}", wanted.slot_name);
    match &facts.slot {
        None if facts.was_applied() || facts.schema_log.is_some() => {
            let hint = match facts.was_applied() {
                true => wanted.lost_slot(facts),
                false => init_command(wanted),
            };
            Some(finding(object, "not found", hint))
        }
        None => slots_left(facts, "one more is needed"),
        Some(_) => slot_state(&object, wanted, facts).or_else(|| room_for_a_copy(wanted, facts)),
    }
}

/// A snapshot has a slot of its own while it copies.
fn room_for_a_copy(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let why = "the initial snapshot needs one more while it copies";
    wanted.copied.as_ref().and_then(|_| slots_left(facts, why))
}

fn slots_left(facts: &SourceFacts, why: &str) -> Option<Finding> {
    (facts.replication_slot_count >= facts.max_replication_slots).then(|| {
        finding(
            "max_replication_slots",
            format!("all {} are in use, {why}", facts.max_replication_slots),
            format!(
                "ALTER SYSTEM SET max_replication_slots = {}; -- then restart the server",
                facts.max_replication_slots + 5
            ),
        )
    })
}

fn slot_state(object: &str, wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let slot = facts.slot.as_ref()?;
    let drop_slot = format!("SELECT pg_drop_replication_slot('{}');", wanted.slot_name);
    let ours = |slot: &SlotFacts| {
        let application = slot.active_application.as_deref().unwrap_or_default();
        application.starts_with("pgstream")
    };
    let again = format!("{drop_slot} -- then {}", init_command(wanted));
    match (slot.active_pid, slot.wal_status.as_deref()) {
        _ if !slot.logical => Some(finding(
            object,
            "is a physical slot, not a logical one",
            again,
        )),
        _ if slot.database != facts.server.database => {
            let here = &facts.server.database;
            let problem = format!("decodes database {}, not {here}", slot.database);
            let hint = "choose another name in PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME";
            Some(finding(object, problem, hint))
        }
        _ if slot.plugin.parse::<Plugin>().is_err() => {
            let problem = format!(
                "has the output plugin {}, not pgoutput or wal2json",
                slot.plugin
            );
            Some(finding(object, problem, again))
        }
        (_, Some("lost")) => {
            let problem = "is lost: WAL that it needs is gone (max_slot_wal_keep_size)";
            Some(finding(object, problem, wanted.lost_slot(facts)))
        }
        (Some(pid), _) if !ours(slot) => {
            let application = slot.active_application.as_deref().unwrap_or("unknown");
            let problem = format!("is in use by process {pid} (application {application})");
            Some(finding(
                object,
                problem,
                format!("SELECT pg_terminate_backend({pid});"),
            ))
        }
        (_, Some("unreserved")) => Some(Finding {
            blocking: false,
            ..finding(
                object,
                "is about to be lost: it needs more WAL than max_slot_wal_keep_size keeps",
                "ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();",
            )
        }),
        _ => None,
    }
}

/// The plugin of the slot that is there, else of the slot that init would make.
pub(crate) fn plugin(wanted: &Wanted, facts: &SourceFacts) -> Plugin {
    let existing = facts
        .slot
        .as_ref()
        .and_then(|slot| slot.plugin.parse().ok());
    existing.unwrap_or(wanted.plugin)
}

fn publication(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    if plugin(wanted, facts) != Plugin::Pgoutput || facts.schema_log.is_none() {
        return None;
    }
    let name = &wanted.publication_name;
    let object = format!("publication {name}");
    match facts.publication {
        None if facts.slot.is_some() => Some(finding(
            object,
            "not found, and its slot lives: what was changed since it went cannot be decoded",
            wanted.lost_slot(facts),
        )),
        None => Some(finding(object, "not found", init_command(wanted))),
        Some(found) => requirements::publication(name, found, &init_command(wanted))
            .map(|unmet| required(Side::Source, unmet))
            .or_else(|| younger_publication(wanted, facts)),
    }
}

fn younger_publication(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    facts.publication_younger.then(|| Finding {
        blocking: false,
        ..finding(
            format!("publication {}", wanted.publication_name),
            "was made or altered after the changes that its slot is to decode next: those from \
             before it was there cannot be decoded",
            format!(
                "{} # if it says that the publication does not exist: {}",
                hint::run_command(&wanted.source_argument),
                begin_anew(wanted)
            ),
        )
    })
}

/// Current minor releases refuse plugins that this setting does not list; older ones do not know it.
fn plugin_library(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let allowed = facts.output_plugin_libraries.as_deref()?;
    let plugin = plugin(wanted, facts);
    let listed = |name: &str| {
        allowed
            .split(',')
            .any(|item| item.trim().trim_matches('"') == name)
    };
    if plugin == Plugin::Pgoutput || listed(&plugin.to_string()) || listed("*") {
        return None;
    }
    let list = match allowed.trim() {
        "" => plugin.to_string(),
        allowed => format!("{allowed}, {plugin}"),
    };
    Some(finding(
        "output_plugin_libraries",
        format!("permission denied: it does not list {plugin}"),
        format!("ALTER SYSTEM SET output_plugin_libraries = {list}; SELECT pg_reload_conf();"),
    ))
}

/// `run` streams all the same, and says so.
fn schema_log(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let log = facts.schema_log.as_ref();
    let log = log.filter(|log| wanted.schema_changes && !log.readable)?;
    Some(Finding {
        blocking: false,
        ..finding(
            "pgstream.schema_log",
            format!(
                "permission denied for role {}: it marks applied changes there",
                log.user
            ),
            grant_log(&log.user),
        )
    })
}

fn foreign_log(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let elsewhere = facts
        .foreign_log
        .as_ref()
        .filter(|_| wanted.schema_changes)?;
    let key = key::SCHEMA_LOG_URL;
    Some(finding(
        key,
        format!("names {elsewhere}, which is not the source: changes cannot be acknowledged there"),
        format!("let {key} name the database of {}", key::SOURCE_URL),
    ))
}

/// Without the right the log grows, which `run` says in a warning.
fn pruning(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let log = facts.schema_log.as_ref();
    let SchemaLogFacts { user, .. } = log.filter(|log| wanted.schema_changes && !log.prunes)?;
    Some(Finding {
        blocking: false,
        ..finding(
            "functions of pgstream.schema_log",
            format!(
                "permission denied for role {user}: old entries stay, and owners that REASSIGN OWNED changes are \
                 not noticed"
            ),
            format!(
                "GRANT USAGE ON SCHEMA pgstream TO {role}; \
                 GRANT EXECUTE ON FUNCTION pgstream.prune_schema_log, pgstream.record_owners TO {role};",
                role = quote_ident(user)
            ),
        )
    })
}

/// Where schema changes are not followed, nothing is missed.
fn event_triggers(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    facts.schema_log.as_ref()?;
    let unmet = requirements::event_triggers(&facts.event_triggers, &init_command(wanted))?;
    Some(Finding {
        blocking: wanted.schema_changes,
        ..required(Side::Source, unmet)
    })
}

/// Published tables without an identity refuse UPDATE and DELETE on the source itself; before init
/// this is only said, because init fixes it.
fn identities(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let published = facts.publication.is_some();
    let keyless = facts.tables.iter().filter(|table| table.without_identity);
    let problem = if published {
        "has no replica identity: UPDATE and DELETE on it fail"
    } else {
        "has no replica identity: init gives it REPLICA IDENTITY FULL"
    };
    let keyless = keyless.filter(|table| !cannot_be_published(wanted, facts, table));
    let concerned = keyless.filter(|table| published || wanted.filter.selects(&table.name));
    bounded(concerned.map(|table| Finding {
        blocking: published,
        ..finding(
            table.name.to_string(),
            problem,
            format!("ALTER TABLE {} REPLICA IDENTITY FULL;", table.name.quoted()),
        )
    }))
}

/// Where the whole row is the identity, or has to be, it must not have a virtual column.
fn cannot_be_published(wanted: &Wanted, facts: &SourceFacts, table: &SourceTable) -> bool {
    let whole_row = table.whole_row_identity || table.without_identity;
    plugin(wanted, facts) == Plugin::Pgoutput && table.virtual_columns && whole_row
}

/// The publication is for all tables, whatever the filter says.
fn unpublishable(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let concerned = facts.tables.iter();
    let concerned = concerned.filter(|table| cannot_be_published(wanted, facts, table));
    bounded(concerned.map(|table| {
        finding(
            table.name.to_string(),
            "has virtual generated columns and no key: with a publication for all tables UPDATE and \
             DELETE on it fail",
            format!(
                "ALTER TABLE {} ADD PRIMARY KEY …; or init with --plugin wal2json, which needs no publication",
                table.name.quoted()
            ),
        )
    }))
}

/// Half a table is no copy: it is refused.
fn hidden_rows(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let role = &facts.server.user;
    let copied = facts
        .tables
        .iter()
        .filter(|table| wanted.brings(&table.name));
    bounded(copied.filter(|table| table.hides_rows).map(|table| {
        finding(
            table.name.to_string(),
            format!(
                "row security hides rows of it from role {role}: the initial snapshot refuses it"
            ),
            format!("ALTER ROLE {} BYPASSRLS;", quote_ident(role)),
        )
    }))
}

/// A copy makes tables as they were in its snapshot, which only the records know.
fn descriptions(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    (wanted.copied.is_some() && facts.descriptions_closed).then(|| {
        let user = &facts.server.user;
        finding(
            "pgstream.object",
            format!("permission denied for role {user}: the initial snapshot reads it"),
            grant_descriptions(user).replace("on the source: ", ""),
        )
    })
}

fn copied_rows(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let user = &facts.server.user;
    let role = quote_ident(user);
    let copied = facts
        .tables
        .iter()
        .filter(|table| wanted.brings(&table.name));
    let closed = copied.filter(|table| !table.readable || !table.schema_usable);
    bounded(closed.map(|table| {
        let schema = quote_ident(&table.name.schema);
        let name = table.name.quoted();
        let usage = match table.schema_usable {
            true => String::new(),
            false => format!("GRANT USAGE ON SCHEMA {schema} TO {role}; "),
        };
        finding(
            table.name.to_string(),
            format!("permission denied for role {user}: the initial snapshot reads its rows"),
            format!("{usage}GRANT SELECT ON TABLE {name} TO {role};"),
        )
    }))
}

fn copied_sequences(wanted: &Wanted, facts: &SourceFacts) -> Vec<Finding> {
    let user = &facts.server.user;
    let copied = facts
        .tables
        .iter()
        .filter(|table| wanted.brings(&table.name));
    let of_tables = copied.flat_map(|table| &table.unreadable_sequences);
    let free = facts.unreadable_free_sequences.iter();
    let free = free.filter(|_| wanted.everything);
    let mut seen = HashSet::new();
    let all = of_tables.map(|sequence| (sequence, true));
    let whole = |sequence: &QualifiedName| {
        let copied = wanted.copied.as_ref();
        copied.is_some_and(|copied| copied.takes_schema(&sequence.schema))
    };
    let all = all.chain(free.map(|sequence| (sequence, whole(sequence))));
    let all = all.filter(|(sequence, _)| seen.insert(*sequence));
    bounded(all.map(|(sequence, blocking)| Finding {
        blocking,
        ..finding(
            format!("sequence {sequence}"),
            format!("permission denied for role {user}: the initial snapshot reads its value"),
            format!(
                "GRANT SELECT ON SEQUENCE {} TO {};",
                sequence.quoted(),
                quote_ident(user)
            ),
        )
    }))
}

/// Older releases print `NaN` and the infinities as null: the stream stops at the first null number.
fn wal2json(wanted: &Wanted, facts: &SourceFacts) -> Option<Finding> {
    let major = facts.server.version_number / 10_000;
    let object = "output plugin wal2json";
    let encoding = &facts.server.encoding;
    match facts.wal2json? {
        Wal2json::Current | Wal2json::PrintsNanAsNull if encoding != "UTF8" => Some(finding(
            object,
            format!(
                "writes texts as the database holds them, in {encoding}, which is no JSON: the first \
                 character outside ASCII would stop the stream"
            ),
            "use pgoutput, which carries every encoding: tear-down, then init --plugin pgoutput",
        )),
        Wal2json::Missing => Some(finding(
            object,
            "is not installed on the source",
            format!(
                "apt install postgresql-{major}-wal2json -- or use pgoutput, which every server has"
            ),
        )),
        Wal2json::PrintsNanAsNull if wanted.null_numbers == NullNumbers::Error => Some(Finding {
            blocking: false,
            ..finding(
                object,
                "is older than 2.6 and prints NaN and the infinities as null: a null in a column \
                 of numbers would stop the stream",
                "upgrade wal2json to 2.6 -- or use pgoutput, or set \
                 PGSTREAM_POSTGRES_WAL2JSON_NULL_NUMBERS=null if the source holds none of them",
            )
        }),
        Wal2json::PrintsNanAsNull | Wal2json::Current => None,
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
