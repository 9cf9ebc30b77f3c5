//! Rows that are written as the owner of their table: what the source defines runs with that role's rights,
//! and finds no way back to ours.

use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::engine::Handle;
use pgstream::model::ErrorClass;
use pgstream::status::{CopyState, Phase};
use pgstream::verify::{TableReport, Verdict};

use crate::support::flow::{Flow, failure, stop, wait_for};
use crate::support::{execute, query_text};
use crate::verify::repair::repair;

/// The owner, on both sides.
const OWNER: &str = "\
CREATE ROLE alice; CREATE SCHEMA shop AUTHORIZATION alice;
GRANT USAGE ON SCHEMA shop TO PUBLIC;";

/// The role that applies on the target has no right but those that the docs list.
const APPLIER: &str = "\
CREATE ROLE applier LOGIN PASSWORD 'postgres';
GRANT CREATE, TEMPORARY ON DATABASE postgres TO applier;
GRANT CREATE ON SCHEMA shop TO applier;
GRANT USAGE, CREATE ON SCHEMA public TO applier;
GRANT alice TO applier;";

/// On the target the expressions of a table refuse to run for anybody but its owner.
const FOR_THE_OWNER: &str = "\
CREATE FUNCTION shop.seen(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_user <> 'alice' THEN RAISE EXCEPTION 'ran as %', current_user; END IF;
  RETURN v;
END $$";
const FOR_ANYBODY: &str =
    "CREATE FUNCTION shop.seen(v int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT v'";

/// Expressions of every kind, a domain's check among them.
const TABLE: &str = "\
CREATE DOMAIN shop.positive AS int CHECK (shop.seen(VALUE) > 0);
CREATE TABLE shop.item (
  id int PRIMARY KEY,
  n shop.positive CHECK (shop.seen(n) > 0),
  twice int GENERATED ALWAYS AS (shop.seen(n) * 2) STORED,
  m int,
  bytes bytea,
  list int[]
);
ALTER TABLE shop.item ADD CHECK (current_setting('application_name') NOT LIKE '%pgstream%');
ALTER TABLE shop.item ADD CHECK (coalesce(current_setting('pgstream.applying', true), '') = '');
CREATE INDEX item_seen ON shop.item (shop.seen(n));
CREATE TABLE shop.keyless (n shop.positive);
ALTER TABLE shop.item OWNER TO alice; ALTER TABLE shop.keyless OWNER TO alice;
INSERT INTO shop.item (id, n, m, bytes, list)
  SELECT i, i, i, '\\x00ff', ARRAY[i, NULL] FROM generate_series(1, 100) AS i;
INSERT INTO shop.keyless VALUES (1), (1), (2);";

/// Sets and single rows, and changes of the table with rows in it.
const CHANGES: [&str; 10] = [
    "INSERT INTO shop.item (id, n) SELECT i, i FROM generate_series(101, 200) AS i; \
     INSERT INTO shop.item (id, n) VALUES (201, 3)",
    "UPDATE shop.item SET n = n + 1 WHERE id > 150; UPDATE shop.item SET id = -id WHERE id = 201",
    "DELETE FROM shop.item WHERE id BETWEEN 1 AND 5; DELETE FROM shop.keyless WHERE ctid = '(0,1)'",
    "UPDATE shop.keyless SET n = 5 WHERE n = 2",
    "ALTER TABLE shop.item ADD CONSTRAINT later CHECK (shop.seen(n) < 1000)",
    "ALTER TABLE shop.item ALTER m TYPE bigint USING shop.seen(n) + 1",
    "ALTER TABLE shop.item ADD COLUMN more int GENERATED ALWAYS AS (shop.seen(n)) STORED",
    "SET ROLE alice; \
     CREATE TABLE shop.made (id int PRIMARY KEY, n int CHECK (shop.seen(n) > 0)); \
     RESET ROLE; CREATE TABLE shop.given (id int PRIMARY KEY)",
    "ALTER TABLE shop.given OWNER TO alice",
    "TRUNCATE shop.keyless; INSERT INTO shop.keyless SELECT 7 FROM generate_series(1, 50)",
];

fn as_applier(url: &str) -> ConnectionSettings {
    let url = url.replacen("postgres:postgres@", "applier:postgres@", 1);
    ConnectionSettings::parse(&url).unwrap()
}

/// Starts both sides with the owner on both, and the engine not yet.
async fn prepared(plugin: Plugin, source: &str) -> Flow {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run(OWNER).await;
    flow.run(FOR_ANYBODY).await;
    flow.run(source).await;
    execute(&flow.target, OWNER).await;
    execute(&flow.target, APPLIER).await;
    execute(&flow.target, FOR_THE_OWNER).await;
    flow.init(plugin).await;
    flow.pipeline.target = as_applier(&flow.target_cluster.url("postgres"));
    flow.pipeline.run_as_owner = true;
    flow
}

async fn started(flow: &mut Flow) -> Handle {
    flow.pipeline.snapshot.enabled = true;
    let handle = flow.start();
    flow.shows("SELECT count(*) FROM shop.item", &["100"]).await;
    wait_for(&handle, "the end of the copy", |status| {
        let copied = status.snapshot.as_ref().is_some_and(|snapshot| {
            snapshot
                .tables
                .iter()
                .all(|table| table.state == CopyState::Ready)
        });
        copied && matches!(status.phase, Phase::Streaming { .. })
    })
    .await;
    handle
}

async fn as_owner(plugin: Plugin) {
    let mut flow = prepared(plugin, TABLE).await;
    let handle = started(&mut flow).await;
    for change in CHANGES {
        flow.run(change).await;
    }
    flow.run("INSERT INTO shop.made SELECT i, i FROM generate_series(1, 40) AS i")
        .await;
    flow.acknowledged().await;
    flow.equal().await;
    stop(handle).await;

    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'shop'";
    assert_eq!(query_text(&flow.target, owners).await, ["alice"]);
}

#[tokio::test]
async fn expressions_run_as_the_owner_of_their_table_with_pgoutput() {
    as_owner(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn expressions_run_as_the_owner_of_their_table_with_wal2json() {
    as_owner(Plugin::Wal2json).await;
}

#[tokio::test]
async fn rows_are_repaired_as_the_owner_of_their_table() {
    let mut flow = prepared(Plugin::Pgoutput, TABLE).await;
    let handle = started(&mut flow).await;
    let broken = "SET ROLE alice; DELETE FROM shop.item WHERE id = 7; \
                  UPDATE shop.item SET n = 900 WHERE id = 8; \
                  INSERT INTO shop.item (id, n) VALUES (-3, 3); INSERT INTO shop.keyless VALUES (9)";
    execute(&flow.target, broken).await;

    let report = repair(&flow).await;

    let is_equal = |table: &TableReport| table.verdict == Verdict::Equal;
    assert!(report.tables.iter().all(is_equal), "{report:?}");
    flow.equal().await;
    stop(handle).await;
}

/// Each tries to be the role that applies again, or to be run by it later.
const WAYS_BACK: [&str; 3] = [
    "set_config('role', 'none', true) IS NOT NULL",
    "set_config('role', 'applier', false) IS NOT NULL",
    "set_config('session_authorization', 'applier', true) IS NOT NULL",
];

#[tokio::test]
async fn an_expression_cannot_take_our_role_back() {
    for way in WAYS_BACK {
        let flow = prepared(
            Plugin::Pgoutput,
            "CREATE TABLE shop.item (id int PRIMARY KEY); ALTER TABLE shop.item OWNER TO alice",
        )
        .await;
        // The target has the check, the source has not: nothing stops the row there.
        execute(
            &flow.target,
            &format!(
                "CREATE TABLE shop.item (id int PRIMARY KEY, CHECK ({way})); \
                 ALTER TABLE shop.item OWNER TO alice"
            ),
        )
        .await;
        let mut handle = flow.start();
        flow.run("INSERT INTO shop.item VALUES (1)").await;

        let failure = failure(&mut handle).await;

        assert_eq!(failure.class, ErrorClass::Operator, "{failure:?}");
        let reported = failure.causes.join(": ");
        assert!(
            reported.contains("within security-definer function"),
            "{reported}"
        );
        assert!(!reported.contains("as_owner"), "{reported}");
    }
}

/// What a trigger of the owner leaves behind for the time when our rights are back: an operator that is found
/// before the server's, a cursor that is read at the commit, a trigger that waits for it.
const TRAPS: &str = "\
CREATE TABLE shop.loot (who text);
GRANT ALL ON shop.loot TO PUBLIC;
CREATE TABLE shop.item (id int PRIMARY KEY); ALTER TABLE shop.item OWNER TO alice;
CREATE FUNCTION shop.loot() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE place text;
BEGIN
  GET DIAGNOSTICS place = PG_CONTEXT;
  IF current_user = 'applier' THEN
    INSERT INTO shop.loot SELECT concat_ws(' | ', current_query(), place);
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION shop.equal(text, text) RETURNS boolean LANGUAGE sql AS
  'SELECT shop.loot() AND $1 OPERATOR(pg_catalog.=) $2';
CREATE OPERATOR shop.= (FUNCTION = shop.equal, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN
    PERFORM shop.loot();
    PERFORM set_config('search_path', 'shop, pg_catalog', false);
    RETURN NULL;
  END $$;
CREATE FUNCTION shop.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('search_path', 'shop, pg_catalog', false);
  PERFORM set_config('search_path', '', true);
  EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT shop.loot()';
  RETURN NEW;
END $$;
CREATE TRIGGER trap BEFORE INSERT ON shop.item FOR EACH ROW EXECUTE FUNCTION shop.trap();
CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON shop.item DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION shop.wait();
ALTER TABLE shop.item ENABLE ALWAYS TRIGGER trap, ENABLE ALWAYS TRIGGER waits;";

#[tokio::test]
async fn what_an_owner_leaves_behind_never_runs_with_our_rights() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = prepared(
            plugin,
            "CREATE TABLE shop.item (id int PRIMARY KEY); ALTER TABLE shop.item OWNER TO alice",
        )
        .await;
        execute(&flow.target, TRAPS).await;
        let handle = flow.start();
        flow.run("INSERT INTO shop.item SELECT generate_series(1, 100)")
            .await;
        flow.run("INSERT INTO shop.item VALUES (101)").await;
        flow.shows("SELECT count(*) FROM shop.item", &["101"]).await;
        flow.run("UPDATE shop.item SET id = 0 WHERE id = 1").await;
        flow.shows("SELECT count(*) FROM shop.item WHERE id = 0", &["1"])
            .await;
        stop(handle).await;

        let loot = "SELECT who FROM shop.loot";
        assert_eq!(query_text(&flow.target, loot).await, [""; 0]);
    }
}

#[tokio::test]
async fn an_owner_who_could_change_his_function_is_refused() {
    let flow = prepared(
        Plugin::Pgoutput,
        "CREATE TABLE shop.item (id int PRIMARY KEY); ALTER TABLE shop.item OWNER TO alice",
    )
    .await;
    execute(
        &flow.target,
        "CREATE TABLE shop.item (id int PRIMARY KEY); ALTER TABLE shop.item OWNER TO alice; \
         CREATE SCHEMA pgstream AUTHORIZATION applier; GRANT USAGE ON SCHEMA pgstream TO alice",
    )
    .await;
    let mut handle = flow.start();
    flow.run("INSERT INTO shop.item VALUES (1)").await;

    let failure = failure(&mut handle).await;

    assert_eq!(failure.class, ErrorClass::Operator, "{failure:?}");
    let hint = failure.hint.unwrap_or_default();
    assert!(
        hint.contains("REVOKE USAGE ON SCHEMA pgstream FROM \"alice\""),
        "{hint}"
    );
}
