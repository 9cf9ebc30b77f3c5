use crate::config::TableFilter;
use crate::diagnose::check::facts::TargetTable;
use crate::model::ErrorClass;
use crate::schema::OtherObject;
use crate::status::Failure;

use crate::diagnose::check::rules::samples::{self, source_table};

use super::*;

fn wanted() -> Wanted {
    Wanted {
        filter: TableFilter::parse("", "out").unwrap(),
        ..samples::wanted()
    }
}

fn name(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

fn target_table(table: &str) -> TargetTable {
    TargetTable {
        name: name(table),
        owned: true,
        owner: String::new(),
        schema_usable: true,
        missing_privileges: Vec::new(),
        closed_sequences: Vec::new(),
        columns: Vec::new(),
    }
}

#[test]
fn a_copy_that_failed_blocks_with_its_cause_and_its_fix() {
    let copy = |state, slot_name: &str| CopyFacts {
        slot_name: slot_name.to_owned(),
        table: name("test"),
        state,
        failure: Some(Failure {
            class: ErrorClass::Data,
            message: "snapshot failed".to_owned(),
            refusal: None,
            causes: vec!["cannot copy".to_owned(), "no bob".to_owned()],
            sqlstate: None,
            statement: None,
            hint: Some("drop the check".to_owned()),
            transaction: None,
            at_ms: 0,
        }),
    };
    let target = TargetFacts {
        copies: vec![
            copy(CopyState::Failed, "a_slot"),
            copy(CopyState::Ready, "a_slot"),
            copy(CopyState::Failed, "another"),
        ],
        ..TargetFacts::default()
    };
    let findings = judge(&wanted(), &SourceFacts::default(), &target);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.blocking));
    assert_eq!(findings[0].object, "public.test");
    assert!(findings[0].problem.ends_with("cannot copy: no bob"));
    assert!(
        findings[0]
            .hint
            .starts_with("drop the check; pgstream run -c a.env")
    );
    assert!(
        findings[1]
            .problem
            .contains("lacks what the target has refused")
    );
}

#[test]
fn what_does_not_replicate_is_reported_by_kind_and_blocks_nothing() {
    let view = OtherObject {
        kind: "view".to_owned(),
        identity: "public.v".to_owned(),
        table: None,
    };
    let source = SourceFacts {
        unlogged_tables: vec![name("fast"), name("out")],
        others: vec![view],
        large_object_count: 3,
        ..SourceFacts::default()
    };
    let findings = judge(&wanted(), &source, &TargetFacts::default());
    let objects: Vec<&str> = findings.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(objects, ["public.fast", "view", "large objects"]);
    assert!(findings.iter().all(|finding| !finding.blocking));
    assert_eq!(
        findings[0].hint,
        "ALTER TABLE \"public\".\"fast\" SET LOGGED;"
    );
}

#[test]
fn a_trigger_that_acts_twice_or_writes_where_we_write_is_named() {
    let (source, mut target) = (
        SourceFacts {
            tables: vec![source_table("t"), source_table("audit"), source_table("u")],
            triggers: vec![Trigger::on("t", "")],
            ..SourceFacts::default()
        },
        TargetFacts {
            tables: vec![
                target_table("t"),
                target_table("audit"),
                target_table("own"),
            ],
            ..TargetFacts::default()
        },
    );
    target.triggers = vec![
        Trigger::on("t", ""),
        Trigger::on("u", "INSERT INTO audit VALUES (1)"),
        Trigger::on("audit", "INSERT INTO own VALUES (1)"),
        Trigger::on("out", "INSERT INTO audit VALUES (1)"),
    ];
    let mut wanted = wanted();
    let findings = judge(&wanted, &source, &target);
    let objects: Vec<&str> = findings.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(objects, ["trigger g on public.t", "trigger g on public.u"]);
    assert!(findings[0].problem.contains("done twice"));
    assert!(findings[1].problem.contains("writes to public.audit"));

    wanted.silent_triggers = true;
    assert_eq!(judge(&wanted, &source, &target), []);
}
