use crate::config::TableFilter;
use crate::diagnose::check::facts::{
    Checkpoint, CopyFacts, InstallationFacts, Server, TargetFacts, TargetTable,
};
use crate::postgres::Publication;
use crate::schema::{EVENT_TRIGGERS, EventTrigger};

use super::*;
use crate::diagnose::check::rules::samples::{assert_only, source_table, wanted};

fn schema_log(readable: bool) -> SchemaLogFacts {
    SchemaLogFacts {
        on_standby: false,
        user: "repl".to_owned(),
        readable,
        prunes: true,
    }
}

/// A source on which nothing is missing.
fn ready() -> SourceFacts {
    SourceFacts {
        server: Server {
            version_number: 150_020,
            version: "15.20".to_owned(),
            user: "repl".to_owned(),
            superuser: true,
            database: "postgres".to_owned(),
            encoding: "UTF8".to_owned(),
            ..Server::default()
        },
        replication_role: true,
        wal_level: "logical".to_owned(),
        max_replication_slots: 10,
        max_wal_senders: 10,
        slot: Some(SlotFacts {
            plugin: "pgoutput".to_owned(),
            logical: true,
            database: "postgres".to_owned(),
            ..SlotFacts::default()
        }),
        publication: Some(Publication {
            all_tables: true,
            all_changes: true,
            via_root: false,
            generated: true,
        }),
        schema_log: Some(schema_log(true)),
        installation: Some(InstallationFacts {
            current: true,
            of_this_database: true,
        }),
        event_triggers: EVENT_TRIGGERS
            .map(|name| EventTrigger {
                name: name.to_owned(),
                always: true,
            })
            .into(),
        ..SourceFacts::default()
    }
}

/// Changes one thing of a ready source and expects one finding with this text and hint.
fn check(change: impl FnOnce(&mut SourceFacts), text: &str, hint: &str) {
    let mut facts = ready();
    change(&mut facts);
    let findings = judge(&wanted(), &facts);
    assert_only(&findings, text, hint);
}

fn slot(facts: &mut SourceFacts) -> &mut SlotFacts {
    facts.slot.as_mut().unwrap()
}

#[test]
fn a_ready_source_has_no_findings() {
    assert_eq!(judge(&wanted(), &ready()), []);
}

#[test]
fn each_missing_precondition_has_its_hint() {
    check(
        |f| f.server.version_number = 130_001,
        "older than 14",
        "pg_upgrade",
    );
    check(
        |f| f.wal_level = "replica".to_owned(),
        "wal_level is replica",
        "ALTER SYSTEM SET wal_level",
    );
    check(
        |f| f.wal_sender_count = 10,
        "max_wal_senders",
        "max_wal_senders = 15",
    );
    check(
        |f| f.replication_role = false,
        "permission denied",
        "ALTER ROLE \"repl\" REPLICATION",
    );
    check(
        |f| f.publication = None,
        "a_slot_publication not found, and its slot lives",
        "pgstream tear-down -c a.env --replication-slot a_slot && pgstream init -c a.env",
    );
    check(
        |f| f.publication_younger = true,
        "a_slot_publication was made or altered after the changes",
        "if it says that the publication does not exist: pgstream tear-down -c a.env",
    );
    check(
        |f| f.installation_readable = Some(false),
        "pgstream.installation permission denied for role repl",
        "GRANT USAGE ON SCHEMA pgstream TO \"repl\"; GRANT SELECT ON pgstream.installation, pgstream.pipeline, pgstream.schema_log TO \"repl\";",
    );
    check(
        |f| {
            f.open_functions = vec!["pgstream.on_sql_drop()".to_owned()];
            f.installation = None;
        },
        "function pgstream.on_sql_drop() as an earlier version of pgstream installed it, gives any \
         user a superuser's rights",
        "pgstream init -c a.env --replication-slot a_slot",
    );
    check(
        |f| f.event_triggers.clear(),
        "event triggers",
        "pgstream init",
    );
    check(
        |f| f.event_triggers[0].always = false,
        "event trigger pgstream_ddl_command_end does not fire in every session",
        "pgstream init -c a.env --replication-slot a_slot",
    );
    check(
        |f| f.schema_log = Some(schema_log(false)),
        "permission denied",
        "GRANT SELECT, UPDATE ON pgstream.schema_log TO \"repl\"",
    );
}

#[test]
fn an_installation_of_elsewhere_is_done_again() {
    let installation = |current, of_this_database| {
        move |facts: &mut SourceFacts| {
            facts.installation = Some(InstallationFacts {
                current,
                of_this_database,
            });
        }
    };
    check(
        installation(false, true),
        "another version",
        "pgstream init",
    );
    check(
        installation(true, false),
        "dump of another database",
        "pgstream init",
    );
}

#[test]
fn the_states_of_a_slot_are_told_apart() {
    check(
        |f| f.slot = None,
        "replication slot a_slot not found",
        "--replication-slot a_slot",
    );
    check(
        |f| slot(f).logical = false,
        "physical",
        "pg_drop_replication_slot('a_slot')",
    );
    check(
        |f| slot(f).database = "other".to_owned(),
        "decodes database other",
        "SLOT_NAME",
    );
    check(
        |f| slot(f).plugin = "test_decoding".to_owned(),
        "test_decoding",
        "pg_drop",
    );
    check(
        |f| slot(f).wal_status = Some("lost".to_owned()),
        "lost",
        "pgstream tear-down -c a.env --replication-slot a_slot && \
         pgstream init -c a.env --replication-slot a_slot && pgstream verify -c a.env --repair # the last brings",
    );
    check(
        |f| {
            slot(f).wal_status = Some("lost".to_owned());
            f.recorded = Some(crate::schema::PipelineRecord {
                target: Some("here".to_owned()),
                writable: true,
                ..crate::schema::PipelineRecord::default()
            });
        },
        "lost",
        "pgstream verify -c a.env --repair # makes another slot",
    );
    check(
        |f| slot(f).wal_status = Some("unreserved".to_owned()),
        "about to be lost",
        "= -1",
    );
    check(
        |f| slot(f).active_pid = Some(42),
        "process 42",
        "pg_terminate_backend(42)",
    );
}

#[test]
fn our_own_process_on_the_slot_is_no_finding() {
    let mut facts = ready();
    slot(&mut facts).active_pid = Some(42);
    slot(&mut facts).active_application = Some("pgstream".to_owned());
    facts.wal_sender_count = facts.max_wal_senders;
    assert_eq!(judge(&wanted(), &facts), []);
}

#[test]
fn before_init_the_one_finding_is_init_itself() {
    let before = |facts: &mut SourceFacts| {
        facts.schema_log = None;
        facts.slot = None;
        facts.publication = None;
        facts.event_triggers.clear();
    };
    check(before, "not been initialised", "pgstream init");
    let powerless = |facts: &mut SourceFacts| {
        before(facts);
        facts.server.superuser = false;
    };
    check(powerless, "need a superuser", "pgstream init");
}

#[test]
fn a_full_server_is_reported_before_init() {
    let mut facts = ready();
    facts.schema_log = None;
    facts.slot = None;
    facts.replication_slot_count = 10;
    let findings = judge(&wanted(), &facts);
    assert!(
        findings
            .iter()
            .any(|finding| finding.hint.contains("max_replication_slots = 15"))
    );
}

#[test]
fn a_snapshot_needs_a_slot_of_its_own() {
    let mut facts = ready();
    facts.replication_slot_count = 10;
    assert_eq!(judge(&wanted(), &facts), []);

    let wanted = Wanted {
        copied: Some(TableFilter::default()),
        ..wanted()
    };
    let findings = judge(&wanted, &facts);

    assert!(
        findings[0]
            .problem
            .contains("the initial snapshot needs one more")
    );
}

#[test]
fn wal2json_must_be_listed_where_the_setting_exists() {
    let wal2json = |allowed: Option<&str>| {
        let allowed = allowed.map(str::to_owned);
        move |facts: &mut SourceFacts| {
            slot(facts).plugin = "wal2json".to_owned();
            facts.publication = None;
            facts.output_plugin_libraries = allowed;
        }
    };
    check(wal2json(Some("")), "output_plugin_libraries", "= wal2json;");
    check(
        wal2json(Some("other")),
        "does not list wal2json",
        "= other, wal2json;",
    );
    for fine in [None, Some("other, wal2json"), Some("\"wal2json\"")] {
        let mut facts = ready();
        wal2json(fine)(&mut facts);
        assert_eq!(judge(&wanted(), &facts), []);
    }
}

#[test]
fn keyless_tables_block_only_once_they_are_published() {
    let keyless = |facts: &mut SourceFacts| {
        facts.tables = vec![SourceTable {
            without_identity: true,
            ..source_table("Log")
        }];
    };
    check(
        keyless,
        "UPDATE and DELETE on it fail",
        "ALTER TABLE \"public\".\"Log\" REPLICA IDENTITY FULL",
    );
    let mut facts = ready();
    keyless(&mut facts);
    assert!(judge(&wanted(), &facts)[0].blocking);
    facts.publication = None;
    facts.schema_log = None;
    let unblocked = judge(&wanted(), &facts);
    assert!(
        unblocked
            .iter()
            .any(|finding| finding.object == "public.\"Log\"" && !finding.blocking)
    );
}

#[test]
fn generated_columns_must_not_make_users_statements_fail() {
    check(
        |f| f.publication.as_mut().unwrap().generated = false,
        "a_slot_publication leaves out stored generated columns",
        "ALTER PUBLICATION \"a_slot_publication\" SET (publish_generated_columns = stored);",
    );
    let table = |whole_row_identity: bool, without_identity: bool| SourceTable {
        without_identity,
        virtual_columns: true,
        whole_row_identity,
        ..source_table("twice")
    };
    for (whole_row, without, found) in [(true, false, 1), (false, true, 1), (false, false, 0)] {
        let mut facts = ready();
        facts.tables = vec![table(whole_row, without)];
        let findings = judge(&wanted(), &facts);
        assert_eq!(findings.len(), found, "{findings:?}");
        let reported = "has virtual generated columns and no key";
        assert!(
            findings
                .iter()
                .all(|one| one.blocking && one.problem.starts_with(reported))
        );
        slot(&mut facts).plugin = "wal2json".to_owned();
        let findings = judge(&wanted(), &facts);
        assert!(!findings.iter().any(|one| one.problem.starts_with(reported)));
    }
}

#[test]
fn wal2json_must_be_there_and_print_every_number() {
    check(
        |facts| facts.wal2json = Some(Wal2json::Missing),
        "wal2json is not installed",
        "apt install postgresql-15-wal2json",
    );
    check(
        |facts| {
            facts.wal2json = Some(Wal2json::Current);
            facts.server.encoding = "SQL_ASCII".to_owned();
        },
        "in SQL_ASCII, which is no JSON",
        "--plugin pgoutput",
    );
    check(
        |facts| facts.wal2json = Some(Wal2json::PrintsNanAsNull),
        "older than 2.6",
        "upgrade wal2json to 2.6",
    );
    let mut facts = ready();
    facts.wal2json = Some(Wal2json::Current);
    assert_eq!(judge(&wanted(), &facts), []);

    facts.wal2json = Some(Wal2json::PrintsNanAsNull);
    let vouched = Wanted {
        null_numbers: NullNumbers::Null,
        ..wanted()
    };
    assert_eq!(judge(&vouched, &facts), []);
}

#[test]
fn what_a_copy_may_not_read_is_reported_with_its_grants() {
    let closed = |facts: &mut SourceFacts| {
        facts.descriptions_closed = true;
        facts.tables = vec![SourceTable {
            name: QualifiedName::new("shop", "order"),
            schema_usable: false,
            readable: false,
            hides_rows: true,
            unreadable_sequences: vec![QualifiedName::new("shop", "order_id_seq")],
            ..source_table("order")
        }];
    };
    let mut facts = ready();
    closed(&mut facts);
    assert_eq!(judge(&wanted(), &facts), [], "nothing is copied");

    let copies = Wanted {
        copied: Some(TableFilter::default()),
        ..wanted()
    };
    let findings = judge(&copies, &facts);
    let hints: Vec<&str> = findings.iter().map(|finding| &*finding.hint).collect();
    assert!(findings.iter().all(|finding| finding.blocking));
    assert_eq!(hints.len(), 4, "{hints:?}");
    assert!(hints[0].contains("; GRANT SELECT ON pgstream.object TO"));
    assert!(hints[0].starts_with("GRANT "), "a statement: {}", hints[0]);
    assert_eq!(hints[3], "ALTER ROLE \"repl\" BYPASSRLS;");
    assert_eq!(
        hints[1],
        "GRANT USAGE ON SCHEMA \"shop\" TO \"repl\"; \
         GRANT SELECT ON TABLE \"shop\".\"order\" TO \"repl\";"
    );
    assert_eq!(
        hints[2],
        "GRANT SELECT ON SEQUENCE \"shop\".\"order_id_seq\" TO \"repl\";"
    );
}

#[test]
fn each_event_trigger_is_missed_by_name() {
    check(
        |f| drop(f.event_triggers.pop()),
        "event trigger pgstream_table_rewrite not found",
        "pgstream init",
    );
}

#[test]
fn what_run_only_warns_of_does_not_block() {
    let mut facts = ready();
    facts.schema_log = Some(schema_log(false));
    facts.schema_log.as_mut().unwrap().prunes = false;
    let findings = judge(&wanted(), &facts);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| !finding.blocking));

    facts = ready();
    facts.foreign_log = Some("localhost:5432/other".to_owned());
    let findings = judge(&wanted(), &facts);
    assert!(findings[0].blocking, "{findings:?}");
    assert!(findings[0].hint.contains("SCHEMALOG_STORE_URL"));
}

/// A source whose one table our role may not read, and a target that has it.
fn going_on(copies: Vec<CopyFacts>) -> Vec<Finding> {
    let name = QualifiedName::new("public", "test");
    let mut facts = ready();
    facts.tables = vec![SourceTable {
        readable: false,
        ..source_table("test")
    }];
    let target = TargetFacts {
        checkpoints: vec![Checkpoint {
            slot_name: "a_slot".to_owned(),
            system_identifier: String::new(),
            database: String::new(),
            end_lsn: crate::model::Lsn::default(),
            filter: None,
            installation: None,
        }],
        copies,
        tables: vec![TargetTable {
            name,
            owned: true,
            owner: String::new(),
            schema_usable: true,
            missing_privileges: Vec::new(),
            closed_sequences: Vec::new(),
            columns: Vec::new(),
        }],
        ..TargetFacts::default()
    };
    let mut wanted = wanted();
    wanted.copied = Some(TableFilter::default());
    wanted.goes_on_with(&target);
    judge(&wanted, &facts)
}

#[test]
fn what_the_target_has_needs_no_right_to_be_copied() {
    assert_eq!(going_on(Vec::new()), []);
    let open = CopyFacts {
        slot_name: "a_slot".to_owned(),
        table: QualifiedName::new("public", "test"),
        state: crate::status::CopyState::Waiting,
        failure: None,
    };
    assert_eq!(going_on(vec![open]).len(), 1);
}
