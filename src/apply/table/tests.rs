use bytes::Bytes;

use crate::model::{Column, RelationId, Tuple, Value};

use super::*;

/// A column of the target, of type `text`.
pub(in crate::apply) fn column(name: &str) -> TargetColumn {
    TargetColumn {
        name: name.into(),
        type_name: "\"pg_catalog\".\"text\"".into(),
        bare_type: None,
        guarded: false,
        unnestable: true,
        generated: false,
        identity_always: false,
        equals: Some("OPERATOR(pg_catalog.=)".into()),
        sequence: None,
    }
}

/// A plain table of the target with these columns; `keys` are the columns of its unique indexes.
pub(in crate::apply) fn target(columns: Vec<TargetColumn>, keys: &[&[&str]]) -> TargetTable {
    let key = |names: &&[&str]| UniqueKey {
        columns: names.iter().map(|name| (*name).into()).collect(),
        equals: Vec::new(),
        not_null: true,
        immediate: true,
    };
    TargetTable {
        name: QualifiedName::new("public", "t"),
        kind: 'r',
        of_extension: false,
        columns,
        unique_keys: keys.iter().map(key).collect(),
        triggers: false,
        suppresses: false,
        keepers: Vec::new(),
        rules: false,
        foreign_keys: Vec::new(),
        row_security: false,
        moving_root: None,
        run_as: None,
    }
}

/// A relation of the source; a name that ends in `*` is part of its identity.
pub(in crate::apply) fn relation(
    id: u32,
    identity: ReplicaIdentity,
    names: &[&str],
) -> Arc<Relation> {
    let column = |name: &&str| Column {
        name: name.trim_end_matches('*').into(),
        key: name.ends_with('*') || identity == ReplicaIdentity::Full,
    };
    Arc::new(Relation {
        id: RelationId(id),
        name: QualifiedName::new("public", "t"),
        identity,
        columns: names.iter().map(column).collect(),
    })
}

/// What the built-in defaults say about writing.
pub(in crate::apply) const RULES: WriteRules = WriteRules {
    on_conflict: OnConflict::Error,
    sets: true,
    keep_order: false,
    run_as: RunAs::Applier,
    silence: false,
};

/// A foreign key of another table to column `b` of table `t`, which acts on UPDATE and DELETE.
pub(in crate::apply) fn cascading() -> ForeignKey {
    ForeignKey {
        table: QualifiedName::new("public", "child"),
        columns: vec!["t_b".into()],
        referenced: QualifiedName::new("public", "t"),
        referenced_columns: vec!["b".into()],
        from_here: false,
        to_here: true,
        on_update: 'c',
        on_delete: 'n',
    }
}

/// A row of texts; `None` is NULL.
pub(in crate::apply) fn tuple(values: &[Option<&str>]) -> Tuple {
    let value = |value: &Option<&str>| match value {
        Some(text) => Value::Text(Bytes::copy_from_slice(text.as_bytes())),
        None => Value::Null,
    };
    Tuple {
        values: values.iter().map(value).collect(),
    }
}

fn plan(relation: Arc<Relation>, target: TargetTable, rules: WriteRules) -> TablePlan {
    TablePlan::new(relation, Arc::new(target), rules).unwrap()
}

#[test]
fn columns_meet_by_name_and_generated_ones_are_not_written() {
    let mut generated = column("g");
    generated.generated = true;
    let target = target(
        vec![column("extra"), column("b"), generated, column("a")],
        &[&["a"]],
    );

    let plan = plan(
        relation(1, ReplicaIdentity::Default, &["a*", "b", "g"]),
        target,
        RULES,
    );

    assert_eq!(*plan.target_columns, [3, 1, 2]);
    assert_eq!(*plan.written, [0, 1]);
    assert_eq!(*plan.key, [0]);
}

#[test]
fn a_column_that_the_target_lacks_is_named() {
    let target = target(vec![column("a")], &[]);

    let error = TablePlan::new(
        relation(1, ReplicaIdentity::Default, &["a", "b"]),
        Arc::new(target),
        RULES,
    );

    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "column b of table public.t is not on the target"
    );
}

#[test]
fn full_identity_looks_rows_up_by_a_unique_key_that_never_holds_twins() {
    let check = |keys: Vec<UniqueKey>, expected: &[usize]| {
        let mut target = target(vec![column("a"), column("b")], &[]);
        target.unique_keys = keys;
        let plan = plan(
            relation(1, ReplicaIdentity::Full, &["a", "b"]),
            target,
            RULES,
        );
        assert_eq!(*plan.key, *expected);
    };
    let key = |column: &str, not_null, immediate| UniqueKey {
        columns: [column.into()].into(),
        equals: Vec::new(),
        not_null,
        immediate,
    };

    check(vec![], &[]);
    check(vec![key("b", true, true)], &[1]);
    check(vec![key("b", false, true)], &[]);
    check(vec![key("a", true, false), key("b", true, true)], &[1]);
    check(vec![key("a", true, false)], &[]);
    check(vec![key("other", true, true)], &[]);
}

#[test]
fn order_is_kept_where_somebody_can_see_it() {
    let check = |triggers, foreign_keys: bool, on_conflict, sets, identity, expected| {
        let mut target = target(vec![column("a")], &[]);
        target.triggers = triggers;
        target.foreign_keys.extend(foreign_keys.then(cascading));
        let plan = plan(
            relation(1, identity, &["a*"]),
            target,
            WriteRules {
                on_conflict,
                sets,
                ..RULES
            },
        );
        assert_eq!(plan.order, expected);
    };
    use OnConflict::{Error, Nothing, Update};
    use ReplicaIdentity::{Default, Full};

    check(false, false, Error, true, Default, ApplyOrder::Net);
    check(false, false, Update, true, Default, ApplyOrder::Net);
    check(false, false, Error, true, Full, ApplyOrder::Multiset);
    check(true, false, Error, true, Default, ApplyOrder::Ordered);
    check(false, true, Error, true, Full, ApplyOrder::Ordered);
    check(false, false, Nothing, true, Default, ApplyOrder::Ordered);
    check(false, false, Error, false, Default, ApplyOrder::Rows);
    check(true, true, Error, false, Full, ApplyOrder::Rows);
}

#[test]
fn a_key_is_compared_as_the_index_does_that_holds_it() {
    let mut point = column("p");
    point.equals = None;
    let mut target = target(vec![column("a"), column("b"), point], &[&["b", "a"]]);
    target.unique_keys[0].equals = vec!["OPERATOR(s.~)".into(), "OPERATOR(s.^)".into()];
    let check = |names: &[&str], expected: &[Option<&str>]| {
        let relation = relation(1, ReplicaIdentity::Default, names);
        let plan = plan(relation, target.clone(), RULES);
        let found: Vec<_> = plan.key_equals.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected);
    };

    check(
        &["a*", "b*", "p"],
        &[Some("OPERATOR(s.^)"), Some("OPERATOR(s.~)")],
    );
    check(&["a*", "b", "p"], &[Some("OPERATOR(pg_catalog.=)")]);
    check(&["a", "b", "p*"], &[None]);
}

#[test]
fn foreign_keys_are_silent_where_the_stream_brings_what_they_do() {
    let mut target = target(vec![column("a"), column("b")], &[]);
    let relation = relation(1, ReplicaIdentity::Default, &["a*", "b"]);
    target.foreign_keys.push(cascading());
    let planned = |silence| {
        let rules = WriteRules { silence, ..RULES };
        plan(Arc::clone(&relation), target.clone(), rules)
    };

    let silent = planned(true);
    assert!(silent.silent.deletes && !silent.acts());
    assert!(silent.is_silent_update(&[0, 1]) && !silent.is_silent_update(&[0]));
    let loud = planned(false);
    assert!(loud.acts() && !loud.silent.deletes && !loud.is_silent_update(&[0, 1]));
    assert!(!loud.target.is_acted_on() && !loud.has_key_of_others());
}

#[test]
fn a_key_that_refers_to_another_table_may_be_changed_by_it() {
    let mut target = target(vec![column("a"), column("b")], &[]);
    target.foreign_keys.push(ForeignKey {
        columns: vec!["b".into()],
        from_here: true,
        to_here: false,
        ..cascading()
    });
    let check = |names: &[&str], expected| {
        let relation = relation(1, ReplicaIdentity::Default, names);
        let plan = plan(relation, target.clone(), RULES);
        assert_eq!(plan.has_key_of_others(), expected);
        assert!(plan.target.is_acted_on() && !plan.target.loses_rows());
    };

    check(&["a*", "b*"], true);
    check(&["a*", "b"], false);
}
