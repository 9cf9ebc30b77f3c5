use crate::config::TableFilter;
use crate::diagnose::check::facts::{OwnTable, Server};

use super::*;
use crate::diagnose::check::rules::samples::{self, assert_only};

fn wanted() -> Wanted {
    Wanted {
        silent_triggers: true,
        ..samples::wanted()
    }
}

/// A target on which nothing is missing.
fn ready() -> TargetFacts {
    let own = |name: &str| OwnTable {
        name: name.to_owned(),
        usable: true,
    };
    TargetFacts {
        server: Server {
            version_number: 150_020,
            user: "writer".to_owned(),
            database: "postgres".to_owned(),
            ..Server::default()
        },
        creates_in_database: true,
        silences_triggers: true,
        own_schema: Some(OwnSchema {
            usable: true,
            creatable: true,
        }),
        makes_temporary: true,
        own_tables: [
            "checkpoint",
            "last_stop",
            "left_alone",
            "left_table",
            "paired_snapshot",
            "repair",
            "schema_change",
            "sequence_look",
            "silenced",
            "skipped_transaction",
            "snapshot_part",
            "snapshot_step",
            "snapshot_table",
            "verification",
            "verified_table",
        ]
        .map(own)
        .into(),
        tables: vec![TargetTable {
            name: QualifiedName::new("public", "test"),
            owned: true,
            owner: "writer".to_owned(),
            schema_usable: true,
            missing_privileges: Vec::new(),
            closed_sequences: Vec::new(),
            columns: Vec::new(),
        }],
        ..TargetFacts::default()
    }
}

/// Changes one thing of a ready target and expects one finding with this text and hint.
fn check(change: impl FnOnce(&mut TargetFacts), text: &str, hint: &str, blocking: bool) {
    let mut facts = ready();
    change(&mut facts);
    let findings = judge(&wanted(), &facts);
    assert_only(&findings, text, hint);
    assert_eq!(findings[0].blocking, blocking, "{findings:?}");
}

#[test]
fn a_ready_target_has_no_findings() {
    assert_eq!(judge(&wanted(), &ready()), []);
}

#[test]
fn each_missing_precondition_has_its_hint() {
    check(
        |f| f.server.version_number = 130_001,
        "older than 14",
        "pg_upgrade",
        true,
    );
    check(
        |f| f.server.in_recovery = true,
        "standby",
        "pg_promote",
        true,
    );
    check(
        |f| f.creates_in_database = false,
        "permission denied",
        "GRANT CREATE ON DATABASE \"postgres\" TO \"writer\"",
        false,
    );
    check(
        |f| f.server.superuser = true,
        "role writer is a superuser: a check, default, index or generated column",
        "CREATE ROLE pgstream LOGIN PASSWORD '…'; GRANT CREATE, TEMPORARY ON DATABASE \"postgres\" TO \
         pgstream; GRANT SET ON PARAMETER session_replication_role TO pgstream; GRANT USAGE, CREATE ON \
         SCHEMA \"public\" TO pgstream; ALTER SCHEMA pgstream OWNER TO pgstream; SELECT format(",
        false,
    );
    check(
        |f| f.silences_triggers = false,
        "session_replication_role permission denied",
        "GRANT SET ON PARAMETER session_replication_role TO \"writer\"",
        true,
    );
    check(
        |f| f.own_tables[0].usable = false,
        "pgstream.checkpoint permission denied",
        "ON pgstream.\"checkpoint\" TO \"writer\"",
        true,
    );
    check(
        |f| f.own_schema.as_mut().unwrap().usable = false,
        "schema pgstream permission denied",
        "GRANT USAGE, CREATE ON SCHEMA pgstream",
        true,
    );
}

#[test]
fn before_the_first_run_create_on_the_database_is_a_must() {
    let first = |facts: &mut TargetFacts| {
        facts.own_schema = None;
        facts.own_tables.clear();
        facts.creates_in_database = false;
    };
    check(first, "permission denied", "GRANT CREATE ON DATABASE", true);
}

#[test]
fn tables_need_privileges_and_their_changes_need_ownership() {
    check(
        |f| f.tables[0].missing_privileges = vec!["INSERT".to_owned(), "DELETE".to_owned()],
        "it lacks INSERT, DELETE",
        "GRANT INSERT, DELETE ON TABLE \"public\".\"test\" TO \"writer\"",
        true,
    );
    check(
        |f| f.tables[0].schema_usable = false,
        "in schema public",
        "GRANT USAGE ON SCHEMA \"public\" TO \"writer\"",
        true,
    );
    let foreign = |facts: &mut TargetFacts| {
        facts.tables[0].owned = false;
        facts.tables[0].owner = "boss".to_owned();
    };
    check(
        foreign,
        "belongs to boss",
        "ALTER TABLE \"public\".\"test\" OWNER TO \"writer\"",
        false,
    );
}

#[test]
fn tables_outside_the_filter_are_nobodys_concern() {
    let mut facts = ready();
    facts.tables[0].missing_privileges = vec!["INSERT".to_owned()];
    let wanted = Wanted {
        filter: TableFilter::new(Vec::new(), vec!["public.test".parse().unwrap()]),
        ..wanted()
    };
    assert_eq!(judge(&wanted, &facts), []);
}

#[test]
fn ten_thousand_findings_of_one_kind_are_summed_up() {
    let mut facts = ready();
    facts.tables[0].missing_privileges = vec!["INSERT".to_owned()];
    facts.tables = vec![facts.tables[0].clone(); 10_000];
    let findings = judge(&wanted(), &facts);
    assert_eq!(findings.len(), 21);
    assert_eq!(findings[20].object, "9980 more");
}

#[test]
fn values_of_sequences_and_temporary_objects_need_rights() {
    let closed = |facts: &mut TargetFacts| {
        facts.tables[0].closed_sequences = vec![QualifiedName::new("public", "test_id_seq")];
    };
    check(
        closed,
        "sequence public.test_id_seq permission denied",
        "GRANT SELECT, UPDATE ON SEQUENCE \"public\".\"test_id_seq\" TO \"writer\";",
        true,
    );

    let mut facts = ready();
    facts.makes_temporary = false;
    assert_eq!(judge(&wanted(), &facts), [], "nothing is copied");
    let copies = Wanted {
        copied: Some(TableFilter::default()),
        ..wanted()
    };
    let findings = judge(&copies, &facts);
    assert_eq!(
        findings[0].hint,
        "GRANT TEMPORARY ON DATABASE \"postgres\" TO \"writer\";"
    );
}
