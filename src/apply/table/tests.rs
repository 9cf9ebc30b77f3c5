use bytes::Bytes;

use super::*;
use crate::model::{Column, RelationId, Tuple, Value};

/// A column of the target, of type `text`.
pub(in crate::apply) fn column(name: &str) -> TargetColumn {
    TargetColumn {
        name: name.into(),
        type_name: "\"pg_catalog\".\"text\"".into(),
        unnestable: true,
        generated: false,
        identity_always: false,
        equals: "OPERATOR(pg_catalog.=)".into(),
        sequence: None,
    }
}

/// A plain table of the target with these columns; `keys` are the columns of its unique indexes.
pub(in crate::apply) fn target(columns: Vec<TargetColumn>, keys: &[&[&str]]) -> TargetTable {
    let key = |names: &&[&str]| UniqueKey {
        columns: names.iter().map(|name| (*name).into()).collect(),
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
        rules: false,
        foreign_keys: false,
        cascades: false,
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
};

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
    let check = |triggers, foreign_keys, on_conflict, sets, identity, expected| {
        let mut target = target(vec![column("a")], &[]);
        (target.triggers, target.foreign_keys) = (triggers, foreign_keys);
        let plan = plan(
            relation(1, identity, &["a*"]),
            target,
            WriteRules {
                on_conflict,
                sets,
                ..RULES
            },
        );
        assert_eq!(plan.lane, expected);
    };
    use OnConflict::{Error, Nothing, Update};
    use ReplicaIdentity::{Default, Full};

    check(false, false, Error, true, Default, Lane::Net);
    check(false, false, Update, true, Default, Lane::Net);
    check(false, false, Error, true, Full, Lane::Multiset);
    check(true, false, Error, true, Default, Lane::Ordered);
    check(false, true, Error, true, Full, Lane::Ordered);
    check(false, false, Nothing, true, Default, Lane::Ordered);
    check(false, false, Error, false, Default, Lane::Rows);
    check(true, true, Error, false, Full, Lane::Rows);
}
