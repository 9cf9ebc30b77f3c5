//! What stands on the target already: equal is left, another thing under a name is a conflict, and what
//! may do harm is reported before anything is touched.

use crate::schema_mirror::assert_same_dump;
use crate::support::flow::Flow;
use crate::support::process::Outcome;
use crate::support::{execute, query_text};

async fn pair(source: &str, target: &str) -> Flow {
    let flow = Flow::bare().await;
    execute(&flow.source, source).await;
    execute(&flow.target, target).await;
    flow
}

async fn snapshot<const N: usize>(flow: &Flow, arguments: [&str; N]) -> Outcome {
    super::on_both(arguments, &flow.source_cluster, &flow.target_cluster)
        .run()
        .await
}

fn assert_reported(outcome: &str, texts: &[&str]) {
    for text in texts {
        assert!(outcome.contains(text), "{text}\n{outcome}");
    }
}

/// Rows that break a check which nobody has validated, in every kind of table that can have one.
const UNVALIDATED: &str = "\
CREATE TABLE plain (id int PRIMARY KEY, x int);
INSERT INTO plain VALUES (1, -1);
ALTER TABLE plain ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
CREATE TABLE parts (id int, x int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts VALUES (1, -1);
ALTER TABLE parts ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
CREATE TABLE parent (id int, x int);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE child_2 (x int) INHERITS (parent);
INSERT INTO parent VALUES (1, -1); INSERT INTO child VALUES (2, -2); INSERT INTO child_2 VALUES (3, -3);
ALTER TABLE child_2 ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
ALTER TABLE parent ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
CREATE DOMAIN positive AS int;
CREATE TABLE of_domain (id int PRIMARY KEY, x positive);
INSERT INTO of_domain VALUES (1, -1);
ALTER DOMAIN positive ADD CONSTRAINT is_positive CHECK (VALUE > 0) NOT VALID;";

async fn assert_copied(flow: &Flow, outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
}

#[tokio::test]
async fn rows_that_break_a_check_which_is_not_valid_are_copied() {
    let flow = pair(UNVALIDATED, "").await;
    let outcome = snapshot(&flow, ["snapshot"]).await;
    assert_copied(&flow, &outcome).await;
}

#[tokio::test]
async fn so_are_they_into_tables_that_stand_with_that_check() {
    let flow = pair(UNVALIDATED, UNVALIDATED).await;
    execute(&flow.target, "TRUNCATE plain, parts, parent, of_domain").await;
    let outcome = snapshot(&flow, ["snapshot"]).await;
    assert_copied(&flow, &outcome).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn so_are_they_after_a_crash_behind_the_check() {
    let flow = pair(UNVALIDATED, "").await;
    let call = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster);
    let point = pgstream::fault::SNAPSHOT_BEFORE_HANDOVER;
    let armed = call.clone().env("FAILPOINTS", &format!("{point}=return"));
    assert_eq!(armed.run().await.code, None);
    let outcome = call.run().await;
    assert_copied(&flow, &outcome).await;
}

#[tokio::test]
async fn a_child_without_the_default_of_its_parent_stays_without() {
    let family = "\
CREATE TABLE parent (id serial, n int DEFAULT 7);
CREATE TABLE child () INHERITS (parent); ALTER TABLE child ALTER id DROP DEFAULT;
CREATE TABLE child_2 (n int) INHERITS (parent); ALTER TABLE child_2 ALTER n DROP DEFAULT;
CREATE TABLE grandchild () INHERITS (child);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3); INSERT INTO grandchild VALUES (4);";
    let flow = pair(family, "").await;
    let outcome = snapshot(&flow, ["snapshot"]).await;
    assert_copied(&flow, &outcome).await;
}

#[tokio::test]
async fn names_that_something_else_has_and_differences_are_reported_in_postgresqls_words() {
    let source = "\
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE feeling (id int PRIMARY KEY, m mood);
CREATE TABLE viewed (id int PRIMARY KEY);
CREATE TABLE typed (id int PRIMARY KEY);
CREATE TABLE hidden (id int, b text); CREATE INDEX hidden_b ON hidden (b);
CREATE UNLOGGED TABLE quick (id int GENERATED ALWAYS AS IDENTITY);";
    let target = "\
CREATE TYPE mood AS ENUM ('sad'); CREATE VIEW viewed AS SELECT 1 AS id; CREATE TYPE typed AS ENUM ('a');
CREATE TABLE hidden_b (i int); CREATE TABLE quick (id int NOT NULL DEFAULT 7);";
    let flow = pair(source, target).await;
    let outcome = snapshot(&flow, ["snapshot", "--plan"]).await;
    assert_eq!(outcome.code, Some(78), "{}", outcome.stderr);
    let message = [
        "type public.mood: it is ENUM ('sad', 'ok') on the source and ENUM ('sad') on the target",
        "table public.viewed: a view has its name on the target",
        "table public.typed: a type has its name on the target",
        "index public.hidden_b: a table has its name on the target",
        "column id is integer NOT NULL GENERATED ALWAYS AS IDENTITY on the source and integer NOT NULL \
         DEFAULT 7 on the target",
        "it is UNLOGGED on the source and logged on the target",
    ];
    assert_reported(&outcome.stderr, &message);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(query_text(&flow.target, tables).await, ["2"]);
}

const SOURCE: &str = "\
CREATE ROLE app; CREATE SCHEMA shop;
CREATE EXTENSION citext;
CREATE FUNCTION shop.norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE TABLE shop.mail (id int PRIMARY KEY, a citext[], b text);
CREATE INDEX mail_norm ON shop.mail (shop.norm(b));
CREATE TABLE shop.loud (id int PRIMARY KEY, x int, y text);
INSERT INTO shop.loud VALUES (1, 1, 'a');
ALTER TABLE shop.loud OWNER TO app;
CREATE TABLE shop.secret (id int PRIMARY KEY);
ALTER TABLE shop.secret ENABLE ROW LEVEL SECURITY;";

const TARGET: &str = "\
CREATE SCHEMA shop;
CREATE TABLE shop.loud (id int PRIMARY KEY, x int UNIQUE, y text CHECK (y <> 'zz'));
CREATE TABLE heard (id int);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.heard VALUES (NEW.id); RETURN NEW; END$$;
CREATE TRIGGER hears BEFORE INSERT ON shop.loud FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER \"on UPDATE\" BEFORE UPDATE ON shop.loud FOR EACH ROW EXECUTE FUNCTION hear();";

#[tokio::test]
async fn what_may_do_harm_is_noted_in_plan_and_log() {
    let flow = pair(SOURCE, TARGET).await;
    let plan = snapshot(&flow, ["snapshot", "--plan"]).await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let notes = [
        "table shop.loud: its triggers fire for the rows that are copied: hears; \
         PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=true keeps them silent",
        "constraint loud_x_key on shop.loud: it is only on the target",
        "constraint loud_y_check on shop.loud: it is only on the target",
        "role postgres: owns what is made on the target for roles that it has no rights of there (app on the source)",
    ];
    assert_reported(
        &plan.stdout,
        &notes
            .map(|note| format!("-- note: {note}"))
            .each_ref()
            .map(String::as_str),
    );

    let outcome = snapshot(&flow, ["snapshot"]).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_reported(&outcome.stderr, &[notes[0], notes[1], notes[3]]);
    assert!(!outcome.stderr.contains("citext"), "{}", outcome.stderr);
    let heard = query_text(&flow.target, "SELECT id FROM heard").await;
    assert_eq!(heard, ["1"]);
}

#[tokio::test]
async fn with_triggers_disabled_they_stay_silent_and_only_those_that_always_fire_are_noted() {
    let flow = pair(SOURCE, TARGET).await;
    execute(
        &flow.target,
        "ALTER TABLE shop.loud ENABLE ALWAYS TRIGGER \"on UPDATE\"",
    )
    .await;
    let tables = ("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES", "shop.loud");
    let silent = ("PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS", "true");
    let call = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster)
        .env(tables.0, tables.1)
        .env(silent.0, silent.1);
    let outcome = call.run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        !outcome.stderr.contains("triggers fire"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        query_text(&flow.target, "SELECT count(*) FROM heard").await,
        ["0"]
    );

    execute(
        &flow.target,
        "TRUNCATE shop.loud; ALTER TABLE shop.loud ENABLE ALWAYS TRIGGER hears",
    )
    .await;
    let outcome = call.run().await;
    let message = ["triggers fire for the rows that are copied: hears; ALTER TABLE"];
    assert_reported(&outcome.stderr, &message);
    assert_eq!(
        query_text(&flow.target, "SELECT count(*) FROM heard").await,
        ["1"]
    );
}
