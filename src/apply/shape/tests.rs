use std::sync::Arc;

use crate::apply::table::tests::{RULES, column, relation, target};
use crate::apply::{TargetColumn, WriteRules};
use crate::model::ReplicaIdentity;

use super::*;

fn plan(identity: ReplicaIdentity, columns: &[&str], targets: Vec<TargetColumn>) -> TablePlan {
    let relation = relation(1, identity, columns);
    TablePlan::new(relation, Arc::new(target(targets, &[])), RULES).unwrap()
}

fn keyed() -> TablePlan {
    plan(
        ReplicaIdentity::Default,
        &["id*", "a"],
        vec![column("id"), column("a")],
    )
}

fn check(plan: &TablePlan, shape: Shape, expected: &str) {
    let expected = expected.replace("TEXT", "\"pg_catalog\".\"text\"");
    assert_eq!(
        sql(plan, &shape).replace("OPERATOR(pg_catalog.=)", "="),
        expected
    );
}

#[test]
fn rows_are_found_by_their_key() {
    let plan = keyed();

    check(
        &plan,
        Shape::InsertMany,
        "INSERT INTO \"public\".\"t\" (\"id\", \"a\") OVERRIDING SYSTEM VALUE \
         SELECT v.c1, v.c2 FROM (SELECT pg_catalog.unnest($1::TEXT[]) AS c1, \
         pg_catalog.unnest($2::TEXT[]) AS c2) AS v",
    );
    check(
        &plan,
        Shape::UpdateOne(vec![1]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"a\" = $2::TEXT WHERE t.\"id\" = $1::TEXT",
    );
    check(
        &plan,
        Shape::UpdateMany(vec![1]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"a\" = v.c2 \
         FROM (SELECT pg_catalog.unnest($1::TEXT[]) AS c1, \
         pg_catalog.unnest($2::TEXT[]) AS c2) AS v WHERE t.\"id\" = v.c1",
    );
    check(
        &plan,
        Shape::DeleteMany,
        "DELETE FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = ANY ($1::TEXT[])",
    );
    check(
        &plan,
        Shape::Move(vec![0, 1]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"id\" = $2::TEXT, \"a\" = $3::TEXT \
         WHERE t.\"id\" = $1::TEXT",
    );
}

#[test]
fn types_without_an_array_that_can_be_unnested_go_as_text() {
    let mut tags = column("tags");
    tags.type_name = "\"public\".\"tags\"".into();
    tags.unnestable = false;
    let plan = plan(ReplicaIdentity::Default, &["tags*"], vec![tags]);

    check(
        &plan,
        Shape::InsertMany,
        "INSERT INTO \"public\".\"t\" (\"tags\") OVERRIDING SYSTEM VALUE \
         SELECT v.c1::\"public\".\"tags\" FROM (SELECT pg_catalog.unnest($1::pg_catalog.text[]) AS c1) AS v",
    );
    check(
        &plan,
        Shape::DeleteMany,
        "DELETE FROM ONLY \"public\".\"t\" AS t USING (SELECT pg_catalog.unnest($1::pg_catalog.text[]) AS c1) AS v \
         WHERE t.\"tags\" = v.c1::\"public\".\"tags\"",
    );
}

#[test]
fn old_values_are_looked_for_below_their_domains() {
    let mut small = column("s");
    small.type_name = "\"public\".\"small\"".into();
    small.bare_type = Some("\"pg_catalog\".\"int4\"".into());
    small.guarded = true;
    let plan = plan(
        ReplicaIdentity::Default,
        &["s*", "a"],
        vec![small, column("a")],
    );

    check(
        &plan,
        Shape::DeleteMany,
        "DELETE FROM ONLY \"public\".\"t\" AS t \
         WHERE t.\"s\"::\"pg_catalog\".\"int4\" = ANY ($1::\"pg_catalog\".\"int4\"[])",
    );
    check(
        &plan,
        Shape::Move(vec![0]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"s\" = CASE WHEN ROW(t.\"s\")::pg_catalog.text = \
         ROW($2::pg_catalog.text)::pg_catalog.text THEN t.\"s\" ELSE $2::pg_catalog.text::\"public\".\"small\" END \
         WHERE t.\"s\"::\"pg_catalog\".\"int4\" = $1::\"pg_catalog\".\"int4\"",
    );
}

#[test]
fn keys_without_an_operator_are_compared_as_they_are_printed() {
    let mut place = column("p");
    place.type_name = "\"pg_catalog\".\"point\"".into();
    place.equals = None;
    let plan = plan(
        ReplicaIdentity::Default,
        &["p*", "a"],
        vec![place, column("a")],
    );

    check(
        &plan,
        Shape::DeleteMany,
        "DELETE FROM ONLY \"public\".\"t\" AS t USING (SELECT pg_catalog.unnest($1::pg_catalog.text[]) AS c1) AS v \
         WHERE ROW(t.\"p\")::pg_catalog.text = ROW(v.c1)::pg_catalog.text",
    );
    check(
        &plan,
        Shape::FindOne,
        "SELECT FROM ONLY \"public\".\"t\" AS t \
         WHERE ROW(t.\"p\")::pg_catalog.text = ROW($1::pg_catalog.text)::pg_catalog.text",
    );
}

#[test]
fn what_generated_always_refuses_is_deleted_and_inserted_again() {
    let mut id = column("id");
    id.identity_always = true;
    let plan = plan(
        ReplicaIdentity::Default,
        &["id*", "a"],
        vec![id, column("a")],
    );

    check(
        &plan,
        Shape::Replace(vec![0]),
        "WITH gone AS (DELETE FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = $1::TEXT \
         RETURNING t.*) INSERT INTO \"public\".\"t\" (\"id\", \"a\") OVERRIDING SYSTEM VALUE \
         SELECT $2::TEXT, gone.\"a\" FROM gone",
    );
}

#[test]
fn what_generated_always_refuses_must_be_as_it_is() {
    let mut number = column("n");
    number.identity_always = true;
    let columns = vec![column("id"), number, column("a")];
    let plan = plan(ReplicaIdentity::Default, &["id*", "n", "a"], columns);

    assert_eq!(plan.checked(&[0, 1, 2]), [1, 2]);
    assert!(plan.checked(&[0, 1]).is_empty());
    check(
        &plan,
        Shape::UpdateOne(vec![1, 2]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"a\" = $3::TEXT \
         WHERE t.\"id\" = $1::TEXT AND t.\"n\" = $2::TEXT",
    );
}

#[test]
fn conflicts_are_decided_by_the_key() {
    let check = |on_conflict, names: &[&str], ending: &str| {
        let targets = names
            .iter()
            .map(|name| column(name.trim_end_matches('*')))
            .collect();
        let identity = match names.iter().any(|name| name.ends_with('*')) {
            true => ReplicaIdentity::Default,
            false => ReplicaIdentity::Full,
        };
        let target = Arc::new(target(targets, &[]));
        let rules = WriteRules {
            on_conflict,
            ..RULES
        };
        let plan = TablePlan::new(relation(1, identity, names), target, rules).unwrap();
        let found = sql(&plan, &Shape::InsertOne);
        let (_, tail) = found.rsplit_once(')').unwrap();
        assert!(
            found.ends_with(ending) && (!ending.is_empty() || tail.is_empty()),
            "{found}"
        );
    };

    check(OnConflict::Error, &["id*", "a"], "");
    check(
        OnConflict::Nothing,
        &["id*", "a"],
        " ON CONFLICT DO NOTHING",
    );
    check(
        OnConflict::Update,
        &["id*", "a"],
        " ON CONFLICT (\"id\") DO UPDATE SET \"a\" = EXCLUDED.\"a\"",
    );
    check(
        OnConflict::Update,
        &["id*"],
        " ON CONFLICT (\"id\") DO NOTHING",
    );
    check(OnConflict::Update, &["a"], "");
}

#[test]
fn names_are_quoted_whatever_they_are() {
    let plan = plan(
        ReplicaIdentity::Default,
        &["a\"b*", "Sélect"],
        vec![column("a\"b"), column("Sélect")],
    );

    check(
        &plan,
        Shape::UpdateOne(vec![1]),
        "UPDATE ONLY \"public\".\"t\" AS t SET \"Sélect\" = $2::TEXT WHERE t.\"a\"\"b\" = $1::TEXT",
    );
}

#[test]
fn tables_without_columns_have_statements_too() {
    let plan = plan(ReplicaIdentity::Full, &[], vec![]);

    check(
        &plan,
        Shape::InsertOne,
        "INSERT INTO \"public\".\"t\" DEFAULT VALUES",
    );
    check(
        &plan,
        Shape::DeleteAny,
        "DELETE FROM ONLY \"public\".\"t\" AS t WHERE (t.tableoid, t.ctid) IN (\
         SELECT t.tableoid, t.ctid FROM ONLY \"public\".\"t\" AS t LIMIT $1::pg_catalog.int8)",
    );
}

#[test]
fn a_guarded_statement_divides_by_zero_when_it_does_not_change_all_its_rows() {
    check(
        &keyed(),
        Shape::Guarded(Box::new(Shape::DeleteMany), 2),
        "WITH changed AS (DELETE FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = ANY ($1::TEXT[]) RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) (pg_catalog.count(*) = $2::pg_catalog.int8)::pg_catalog.int4 FROM changed",
    );
    for shape in [Shape::Replace(vec![1]), Shape::DeleteImages, Shape::FindOne] {
        assert!(!shape.can_be_guarded(), "{shape:?}");
    }
}

#[test]
fn a_statement_alone_moves_the_checkpoint_and_divides_by_zero_when_one_of_both_is_not_found() {
    check(
        &keyed(),
        Shape::Alone(Box::new(Shape::DeleteMany), 2),
        "WITH changed AS (DELETE FROM ONLY \"public\".\"t\" AS t WHERE t.\"id\" = ANY ($1::TEXT[]) RETURNING 1), \
         moved AS (UPDATE pgstream.checkpoint SET end_lsn = $4::pg_catalog.text::pg_catalog.pg_lsn, \
         commit_time = COALESCE(timestamptz '2000-01-01 00:00:00+00' + $5 * interval '1 microsecond', commit_time), \
         timeline = $7, updated_at = pg_catalog.clock_timestamp() \
         WHERE slot_name = $3 AND end_lsn = $6::pg_catalog.text::pg_catalog.pg_lsn RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) ((SELECT pg_catalog.count(*) FROM changed) = $2::pg_catalog.int8 \
         AND EXISTS (SELECT FROM moved))::pg_catalog.int4, \
         pg_catalog.set_config('synchronous_commit', 'off', true)",
    );
}
