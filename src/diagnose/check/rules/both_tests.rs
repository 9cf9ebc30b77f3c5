use crate::diagnose::check::facts::{
    ActingKey, Checkpoint, ColumnFacts, ComputedColumn, ConfigurationTable, Partition, Server,
    SlotFacts, TargetColumn, TargetSchema,
};
use crate::model::Lsn;
use crate::postgres::DatabaseIdentity;
use crate::schema::PipelineRecord;

use super::*;
use crate::diagnose::check::rules::samples::{assert_only, source_table, wanted};

fn name(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

fn server(started_at: &str) -> Server {
    Server {
        identity: DatabaseIdentity {
            system_identifier: "1".to_owned(),
            started_at: started_at.to_owned(),
            oid: 5,
        },
        encoding: "UTF8".to_owned(),
        ..Server::default()
    }
}

/// Two clones of one data directory, with one table on each side.
fn sides() -> (SourceFacts, TargetFacts) {
    let columns = |names: &[&str]| {
        let column = |name: &&str| ColumnFacts {
            name: (*name).to_owned(),
            type_text: "integer".to_owned(),
        };
        names.iter().map(column).collect()
    };
    let source = SourceFacts {
        server: server("9:00"),
        tables: vec![SourceTable {
            columns: columns(&["id", "age"]),
            ..source_table("test")
        }],
        ..SourceFacts::default()
    };
    let target = TargetFacts {
        server: server("9:01"),
        tables: vec![TargetTable {
            name: name("test"),
            owned: true,
            owner: String::new(),
            schema_usable: true,
            missing_privileges: Vec::new(),
            closed_sequences: Vec::new(),
            columns: vec!["age".to_owned(), "id".to_owned(), "more".to_owned()],
        }],
        ..TargetFacts::default()
    };
    (source, target)
}

/// Changes one thing of two fitting sides and expects one finding with this text and hint.
fn check(change: impl FnOnce(&mut SourceFacts, &mut TargetFacts), text: &str, hint: &str) {
    let (mut source, mut target) = sides();
    change(&mut source, &mut target);
    let findings = judge(&wanted(), &source, &target);
    assert_only(&findings, text, hint);
}

#[test]
fn fitting_sides_have_no_findings() {
    let (source, target) = sides();
    assert_eq!(judge(&wanted(), &source, &target), []);
}

#[test]
fn one_database_on_both_sides_blocks() {
    let (source, mut target) = sides();
    target.server.identity.started_at = "9:00".to_owned();
    let findings = judge(&wanted(), &source, &target);
    assert!(findings.len() == 1 && findings[0].blocking, "{findings:?}");
}

#[test]
fn what_the_target_lacks_is_reported_with_its_statement() {
    check(
        |_, t| t.server.encoding = "LATIN1".to_owned(),
        "encoded in LATIN1",
        "ENCODING 'UTF8'",
    );
    check(
        |s, _| s.server.extensions.push("citext".to_owned()),
        "extension citext",
        "CREATE EXTENSION \"citext\";",
    );
    check(
        |_, t| t.tables.clear(),
        "public.test is on the source and not here",
        "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES='public.test' pgstream run",
    );
    check(
        |_, t| t.tables[0].columns.retain(|column| column != "age"),
        "has not all columns of the source's: age",
        "ALTER TABLE \"public\".\"test\" ADD COLUMN \"age\" integer;",
    );
}

#[test]
fn types_and_collations_are_reported_once_each() {
    let mood = |source: &mut SourceFacts, _: &mut TargetFacts| {
        let used = TypeUse {
            name: name("mood"),
            labels: Some(vec!["so-so".to_owned(), "it's".to_owned()]),
            used_by: name("test"),
        };
        source.types = vec![used.clone(), used];
    };
    check(
        mood,
        "public.test uses it",
        "CREATE TYPE \"public\".\"mood\" AS ENUM ('so-so', 'it''s');",
    );
    let german = |source: &mut SourceFacts, _: &mut TargetFacts| {
        source.collations = vec![CollationUse {
            name: name("german"),
            provider: "icu".to_owned(),
            locale: Some("de".to_owned()),
            used_by: name("test"),
        }];
    };
    check(
        german,
        "collation public.german",
        "(provider = icu, locale = 'de');",
    );
}

#[test]
fn a_checkpoint_that_the_slot_does_not_continue_blocks() {
    let (mut source, mut target) = sides();
    source.server.database = "shop".to_owned();
    source.wal_end = Some(Lsn(0x50));
    source.slot = Some(SlotFacts {
        confirmed_lsn: Some(Lsn(0x20)),
        ..SlotFacts::default()
    });
    let checkpoint = |slot_name: &str, end_lsn| Checkpoint {
        slot_name: slot_name.to_owned(),
        system_identifier: "1".to_owned(),
        database: "shop".to_owned(),
        end_lsn: Lsn(end_lsn),
        filter: None,
        installation: None,
    };
    target.checkpoints = vec![checkpoint("a_slot", 0x30), checkpoint("another", 0x10)];
    assert!(!may_misfit(&wanted(), &source, &target));

    target.checkpoints = vec![checkpoint("a_slot", 0x10)];
    assert!(may_misfit(&wanted(), &source, &target));
    source.slot = None;
    assert!(may_misfit(&wanted(), &source, &target));

    assert_eq!(judge(&wanted(), &source, &target), []);
    target.misfit = Some("the slot was created anew".to_owned());
    let findings = judge(&wanted(), &source, &target);
    assert!(findings.len() == 1 && findings[0].blocking, "{findings:?}");
    assert!(findings[0].problem.contains("was created anew"));
    assert!(findings[0].hint.contains("WHERE slot_name = 'a_slot'"));
}

#[test]
fn a_checkpoint_that_is_gone_blocks_where_the_source_remembers_it() {
    let (mut source, mut target) = sides();
    source.recorded = Some(PipelineRecord {
        target: Some("1/5".to_owned()),
        writable: true,
        identity: None,
    });
    assert!(gone_checkpoint(&wanted(), &source, &target).is_some());
    assert_eq!(judge(&wanted(), &source, &target), []);

    target.checkpoint_gone = true;
    let findings = judge(&wanted(), &source, &target);
    assert!(findings.len() == 1 && findings[0].blocking, "{findings:?}");
    assert!(findings[0].hint.contains("&& pgstream init"));
    let copies = Wanted {
        copied: Some(TableFilter::default()),
        ..wanted()
    };
    assert_eq!(judge(&copies, &source, &target), []);
    target.server.identity.oid = 6;
    assert_eq!(judge(&wanted(), &source, &target), []);
}

#[test]
fn another_pipeline_that_brings_the_same_table_blocks() {
    let (mut source, mut target) = sides();
    source.server.database = "shop".to_owned();
    let other = |filter: &str| Checkpoint {
        slot_name: "another".to_owned(),
        system_identifier: "1".to_owned(),
        database: "shop".to_owned(),
        end_lsn: Lsn(0x10),
        filter: TableFilter::parse(filter, "").ok(),
        installation: None,
    };
    target.checkpoints = vec![other("public.*")];
    assert_eq!(judge(&wanted(), &source, &target), []);

    source.slots.insert("another".to_owned());
    let findings = judge(&wanted(), &source, &target);
    assert!(findings.len() == 1 && findings[0].blocking, "{findings:?}");
    assert!(findings[0].problem.contains("public.test"), "{findings:?}");
    target.checkpoints = vec![other("other.*")];
    assert_eq!(judge(&wanted(), &source, &target), []);
}

#[test]
fn a_schema_that_takes_no_table_blocks_only_a_copy_into_it() {
    let (source, mut target) = sides();
    target.schemas = vec![TargetSchema {
        name: "public".to_owned(),
        creatable: false,
    }];
    let findings = judge(&wanted(), &source, &target);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(!findings[0].blocking);
    assert!(
        findings[0]
            .hint
            .starts_with("GRANT USAGE, CREATE ON SCHEMA \"public\" TO")
    );
    let empty = SourceFacts {
        tables: Vec::new(),
        ..source.clone()
    };
    assert_eq!(judge(&wanted(), &empty, &target).len(), 1);

    target.tables.clear();
    let copies = Wanted {
        copied: Some(TableFilter::default()),
        ..wanted()
    };
    let findings = judge(&copies, &source, &target);
    assert!(findings.len() == 1 && findings[0].blocking, "{findings:?}");
}

#[test]
fn lists_that_are_set_stay_in_what_fixes() {
    let (source, mut target) = sides();
    target.tables.clear();
    let lists = Wanted {
        filter: TableFilter::parse("", "public.secret").unwrap(),
        copied: Some(TableFilter::parse("public.other", "").unwrap()),
        ..wanted()
    };
    let findings = judge(&lists, &source, &target);
    let hint = &findings[0].hint;
    assert!(
        hint.contains("INITIAL_SNAPSHOT_TABLES='public.other public.test'"),
        "{hint}"
    );
    assert!(
        hint.contains("EXCLUDE_TABLES='public.secret public.test'"),
        "{hint}"
    );
}

#[test]
fn a_plain_column_stays_empty_where_the_source_sends_no_computed_ones() {
    let computed = |stored| ComputedColumn {
        table: name("test"),
        column: "age".to_owned(),
        type_text: "integer".to_owned(),
        stored,
        expression: "(id * 2)".to_owned(),
    };
    check(
        |s, _| s.computed.push(computed(true)),
        "column age is computed on the source",
        "DROP COLUMN \"age\", ADD COLUMN \"age\" integer GENERATED ALWAYS AS ((id * 2)) STORED;",
    );
    check(
        |s, _| {
            s.server.version_number = 180_000;
            s.computed.extend([computed(true), computed(false)]);
        },
        "column age is computed on the source",
        "VIRTUAL;",
    );
    let (mut source, mut target) = sides();
    source.computed.push(computed(true));
    let (table, column) = (name("test"), "age".to_owned());
    target.computed.insert(TargetColumn { table, column });
    assert_eq!(judge(&wanted(), &source, &target), []);
}

#[test]
fn partitions_with_other_bounds_would_refuse_their_rows() {
    let partition = |bound: &str| Partition {
        table: name("test"),
        parent: name("whole"),
        bound: bound.to_owned(),
    };
    check(
        |s, t| {
            s.partitions.push(partition("FOR VALUES IN (1)"));
            t.partitions.push(partition("FOR VALUES IN (2)"));
        },
        "is the partition FOR VALUES IN (2) here and FOR VALUES IN (1) on the source",
        "ATTACH PARTITION \"public\".\"test\" FOR VALUES IN (1);",
    );
}

#[test]
fn foreign_keys_that_act_need_a_role_that_keeps_them_from_it() {
    let key = |table| ActingKey {
        name: "key".to_owned(),
        table: name(table),
    };
    for (version_number, right) in [
        (
            150_000,
            "GRANT SET ON PARAMETER session_replication_role TO",
        ),
        (140_000, "ALTER ROLE"),
    ] {
        check(
            |_, t| {
                t.server.version_number = version_number;
                t.acting_keys.extend([key("test"), key("only_here")]);
            },
            "constraint key on public.test acts by itself",
            right,
        );
    }
}

#[test]
fn rows_that_users_keep_in_tables_of_extensions_are_named() {
    check(
        |s, _| {
            s.configuration_tables.push(ConfigurationTable {
                table: name("config"),
                extension: "geo".to_owned(),
                condition: Some("WHERE own".to_owned()),
            });
        },
        "belongs to extension geo",
        "COPY (SELECT * FROM \"public\".\"config\" WHERE own) TO STDOUT;",
    );
}
