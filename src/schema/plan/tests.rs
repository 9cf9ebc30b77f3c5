//! Plans of descriptions written by hand: what only happens after missed changes, on other
//! versions, or in an order that a server would hide.

use serde_json::{Value, json};

use crate::model::QualifiedName;
use crate::schema::{Change, Entry, SchemaError};

use super::plan;
use super::planned::Plan;

fn entry(change: Value) -> Entry {
    let mut whole = json!({"format": 1, "tag": "ALTER TABLE", "statement": ""});
    for (key, value) in change.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let change: Change = serde_json::from_value(whole).unwrap();
    Entry {
        id: "1".to_owned(),
        version: 1,
        schema_name: "public".to_owned(),
        created_at: String::new(),
        tag: change.tag.clone(),
        statement: change.statement.clone().unwrap_or_default(),
        change,
    }
}

fn planned(change: Value) -> Plan {
    plan(&entry(change), &|name: &QualifiedName| {
        &*name.name != "left_out"
    })
    .unwrap()
}

fn check(change: Value, expected: &[&str]) {
    let plan = planned(change);
    let steps: Vec<_> = plan.steps.iter().map(|step| step.sql.as_str()).collect();
    assert_eq!(steps, expected);
}

fn table(name: &str, columns: Value) -> Value {
    json!({"schema": "public", "name": name, "persistence": "p", "replica_identity": "d",
           "columns": columns})
}

fn column(number: i32, name: &str) -> Value {
    json!({"number": number, "name": name, "type": "integer", "type_oid": 23, "typmod": -1,
           "storage": "p", "type_storage": "p", "local": true})
}

fn altered(before: Value, after: Value) -> Value {
    json!({"objects": [{"kind": "table", "oid": 1, "before": before, "after": after}]})
}

#[test]
fn columns_that_swapped_names_meet_in_a_third() {
    let before = table("t", json!([column(1, "a"), column(2, "b")]));
    let after = table("t", json!([column(1, "b"), column(2, "a")]));

    check(
        altered(before, after),
        &[
            "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"a\" TO \"pgstream_1\"",
            "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"b\" TO \"pgstream_2\"",
            "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"pgstream_1\" TO \"b\"",
            "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"pgstream_2\" TO \"a\"",
        ],
    );
}

#[test]
fn a_new_name_and_a_new_column_are_reported_in_the_order_that_works() {
    let before = table("t", json!([column(1, "a")]));
    let mut after = table("u", json!([column(2, "a")]));
    after["schema"] = json!("s");

    check(
        altered(before, after),
        &[
            "ALTER TABLE \"public\".\"t\" DROP COLUMN \"a\"",
            "ALTER TABLE \"public\".\"t\" SET SCHEMA \"s\"",
            "ALTER TABLE \"s\".\"t\" RENAME TO \"u\"",
            "ALTER TABLE \"s\".\"u\" ADD COLUMN \"a\" integer",
        ],
    );
}

#[test]
fn a_rewritten_table_is_emptied_before_its_column_gets_another_type() {
    let mut text = column(1, "a");
    text["type"] = json!("text");
    text["type_oid"] = json!(25);
    let mut change = altered(
        table("t", json!([text])),
        table("t", json!([column(1, "a")])),
    );
    change["sends_rows"] = json!([1]);

    let steps = planned(change).steps;

    assert!(
        steps[0].sql.contains("DELETE FROM ONLY \"public\".\"t\""),
        "{steps:?}"
    );
    assert_eq!(
        steps[1].sql,
        "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE integer USING NULL::integer"
    );
}

#[test]
fn tables_go_together_and_what_points_to_them_before() {
    let key = json!({"name": "fk", "table_oid": 3, "table": {"schema": "public", "name": "stays"},
        "type": "f", "definition": "FOREIGN KEY (a) REFERENCES t(a)", "validated": true,
        "referenced_oid": 1, "referenced": {"schema": "public", "name": "t"}});
    let gone = |oid: u32, name: &str| json!({"kind": "table", "oid": oid, "dropped": true, "before": table(name, json!([]))});

    check(
        json!({"objects": [gone(1, "t"), gone(2, "u"), gone(9, "left_out"),
            {"kind": "constraint", "oid": 4, "dropped": true, "before": key}]}),
        &[
            "ALTER TABLE \"public\".\"stays\" DROP CONSTRAINT \"fk\"",
            "DROP TABLE IF EXISTS \"public\".\"t\", \"public\".\"u\"",
        ],
    );
}

#[test]
fn labels_are_placed_beside_their_neighbours() {
    let of = |labels: &[(u32, &str)]| {
        let labels: Vec<_> = labels
            .iter()
            .map(|(oid, label)| json!({"oid": oid, "label": label}))
            .collect();
        json!({"schema": "public", "name": "e", "category": "enum", "labels": labels})
    };
    let change = json!({"objects": [{"kind": "type", "oid": 1,
        "before": of(&[(1, "b"), (2, "d")]),
        "after": of(&[(3, "a"), (1, "B"), (4, "c"), (2, "d"), (5, "e'")])}]});

    assert!(planned(change.clone()).commit_after);
    check(
        change,
        &[
            "ALTER TYPE \"public\".\"e\" RENAME VALUE 'b' TO 'B'",
            "ALTER TYPE \"public\".\"e\" ADD VALUE 'a' BEFORE 'B'",
            "ALTER TYPE \"public\".\"e\" ADD VALUE 'c' AFTER 'B'",
            "ALTER TYPE \"public\".\"e\" ADD VALUE 'e''' AFTER 'd'",
        ],
    );
}

#[test]
fn an_index_that_was_built_anew_is_the_same_index() {
    let index = |name: &str, definition: &str| {
        json!({"name": name, "table_oid": 1, "table": {"schema": "public", "name": "t"},
               "definition": definition, "valid": true})
    };
    let change = |vanished: Value, new: Value| {
        json!({"objects": [{"kind": "index", "oid": 5, "before": vanished},
                           {"kind": "index", "oid": 6, "after": new}]})
    };
    let on_a = "CREATE INDEX i ON public.t USING btree (a)";
    let on_b = "CREATE INDEX i ON public.t USING btree (b)";

    check(change(index("i", on_a), index("i", on_a)), &[]);
    check(
        change(index("i", on_a), index("j", on_a)),
        &["ALTER INDEX \"public\".\"i\" RENAME TO \"j\""],
    );
    check(
        change(index("i", on_a), index("i", on_b)),
        &["DROP INDEX IF EXISTS \"public\".\"i\"", on_b],
    );
}

#[test]
fn a_command_that_was_not_described_stops_everything() {
    let entry = entry(json!({"failure": "description failed: out of memory"}));

    let refused = plan(&entry, &|_| true);

    assert!(matches!(refused, Err(SchemaError::NotDescribed { .. })));
}

#[test]
fn a_table_that_leaves_the_filter_takes_its_new_name_there() {
    let plain = || table("t", json!([column(1, "a")]));
    let left_out = || table("left_out", json!([column(1, "a")]));

    assert_eq!(planned(altered(plain(), left_out())).steps.len(), 1);
    assert_eq!(planned(altered(left_out(), left_out())).steps, []);
}

#[test]
fn a_command_whose_object_nobody_names_is_reported_by_its_text() {
    let reported = |change: Value| planned(change).not_applied.remove(0).object;
    let grant = json!({"tag": "GRANT", "statement": "GRANT  SELECT ON a\n TO bob;",
                       "others": [{"tag": "GRANT"}]});
    let long = json!({"statement": "GRANT ".repeat(100), "others": [{"tag": "GRANT"}]});
    let nested = json!({"statement": "DO '...'", "nested": true, "others": [{"tag": "GRANT"}]});
    let hidden = json!({"statement": null, "others": [{"tag": "GRANT"}]});

    assert_eq!(reported(grant), "GRANT SELECT ON a TO bob");
    assert_eq!(reported(long).len(), 120);
    assert_eq!(reported(nested), "GRANT");
    assert_eq!(reported(hidden), "GRANT");
}
