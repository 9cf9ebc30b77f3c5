//! Schema `pgstream` in the hands of somebody else: nothing in it is read or run, on either side, and what
//! is wrong is reported with the statement that ends it.

use pgstream::config::Plugin;
use pgstream::model::{Classify as _, ErrorClass};
use pgstream::postgres::{PgError, connect as enter};
use pgstream::schema::install::init;
use pgstream::schema::plan_init;

use crate::schema_mirror::session;
use crate::support::flow::{Flow, SLOT};
use crate::support::{Call, connect, execute, query_text};

/// A role that owns the database and is no superuser.
const OWNER: &str = "\
CREATE ROLE owner LOGIN PASSWORD 'postgres'; ALTER DATABASE postgres OWNER TO owner";

/// Whatever of ours is asked or written first, his code runs.
const PREPARED: &str = "\
CREATE SCHEMA pgstream;
CREATE FUNCTION pgstream.seize() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF current_user <> 'owner' THEN ALTER ROLE owner SUPERUSER; END IF;
  RETURN 'x';
END $$;
CREATE FUNCTION pgstream.on_write() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pgstream.seize(); RETURN NEW; END $$;
CREATE VIEW pgstream.installation AS SELECT 1 AS version, pgstream.seize() AS digest,
  ''::text AS system_identifier, 0::oid AS database_oid;
CREATE VIEW pgstream.pipeline AS SELECT pgstream.seize() AS slot_name;
CREATE TABLE pgstream.checkpoint (slot_name text PRIMARY KEY, system_identifier text,
  database_name text, timeline int, end_lsn pg_lsn, commit_time timestamptz, updated_at timestamptz);
CREATE TRIGGER on_write BEFORE INSERT OR UPDATE ON pgstream.checkpoint
  FOR EACH ROW EXECUTE FUNCTION pgstream.on_write();
CREATE FUNCTION pgstream.restore_identity_statements() RETURNS SETOF text LANGUAGE sql AS
  'SELECT pgstream.seize()';";

const SUPERUSERS: &str = "SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY 1";

fn as_owner(url: &str) -> String {
    url.replacen("postgres:postgres@", "owner:postgres@", 1)
}

/// Starts both servers; on one of them the owner of the database has been there before us.
async fn prepared(on_source: bool) -> Flow {
    let flow = Flow::bare().await;
    let (cluster, side) = match on_source {
        true => (&flow.source_cluster, &flow.source),
        false => (&flow.target_cluster, &flow.target),
    };
    execute(side, OWNER).await;
    execute(
        &connect(&as_owner(&cluster.url("postgres"))).await,
        PREPARED,
    )
    .await;
    flow
}

fn on_both(flow: &Flow, line: &str) -> Call {
    Call::line(line)
        .env(
            "PGSTREAM_POSTGRES_LISTENER_URL",
            &flow.source_cluster.url("postgres"),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &flow.target_cluster.url("postgres"),
        )
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
}

#[tokio::test]
async fn a_schema_that_the_databases_owner_made_on_the_source_is_not_touched() {
    let flow = prepared(true).await;
    for line in [
        "init",
        "init --plan",
        "check",
        "status",
        "run --headless",
        "snapshot",
        "tear-down",
    ] {
        let outcome = on_both(&flow, line).run().await;
        assert_eq!(outcome.code, Some(78), "{line}: {outcome:?}");
        let reported = outcome.stdout + &outcome.stderr;
        for part in [
            "schema pgstream belongs to role owner",
            "ALTER SCHEMA pgstream OWNER TO postgres",
        ] {
            assert!(reported.contains(part), "{line}: {reported}");
        }
    }

    assert_eq!(query_text(&flow.source, SUPERUSERS).await, ["postgres"]);
    let made = "SELECT evtname FROM pg_event_trigger";
    assert!(query_text(&flow.source, made).await.is_empty());
    flow.run("DROP SCHEMA pgstream CASCADE").await;
    let outcome = on_both(&flow, "init").run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_schema_that_the_databases_owner_made_on_the_target_is_not_touched() {
    let flow = prepared(false).await;
    flow.init(Plugin::Pgoutput).await;
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    for line in ["check", "status", "run --headless", "snapshot", "tear-down"] {
        let outcome = on_both(&flow, line).run().await;
        assert_eq!(outcome.code, Some(78), "{line}: {outcome:?}");
        let reported = outcome.stdout + &outcome.stderr;
        assert!(
            reported.contains("schema pgstream belongs to role owner"),
            "{line}: {reported}"
        );
    }

    assert_eq!(query_text(&flow.target, SUPERUSERS).await, ["postgres"]);
}

#[tokio::test]
async fn a_schema_made_between_the_look_and_the_installation_stops_it() {
    let flow = Flow::bare().await;
    flow.run(OWNER).await;
    let source = session(&flow.source_cluster, "postgres").await;
    let slot = SLOT.parse().unwrap();
    let steps = plan_init(&source, &slot, Plugin::Pgoutput).await.unwrap();
    let owner = connect(&as_owner(&flow.source_cluster.url("postgres"))).await;
    execute(&owner, "CREATE SCHEMA pgstream").await;

    let refused = source.run(&steps[0].sql).await.unwrap_err();
    source.run("ROLLBACK").await.unwrap();

    assert_eq!(refused.class(), ErrorClass::Operator);
    assert!(
        refused
            .to_string()
            .contains("schema pgstream belongs to role owner"),
        "{refused}"
    );
    let made = "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgstream'::regnamespace";
    assert_eq!(query_text(&flow.source, made).await, ["0"]);
}

/// What a session is reported; none: it was let in.
async fn refusal(flow: &Flow) -> Option<(String, String)> {
    match enter(&flow.pipeline.source, "test").await {
        Ok(_) => None,
        Err(error @ PgError::Strangers { .. }) => {
            Some((error.to_string(), error.hint().unwrap_or_default()))
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn whoever_could_write_what_we_believe_is_reported_and_how_that_ends() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run("CREATE ROLE other; CREATE SCHEMA theirs AUTHORIZATION other")
        .await;
    flow.run(
        "CREATE FUNCTION theirs.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         ALTER FUNCTION theirs.f() OWNER TO other; \
         CREATE FUNCTION theirs.b() RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
         ALTER FUNCTION theirs.b() OWNER TO other; \
         GRANT USAGE ON SCHEMA pgstream TO other; GRANT SELECT, UPDATE ON pgstream.schema_log TO other",
    )
    .await;
    assert_eq!(refusal(&flow).await, None);
    for (done, reported, fix) in [
        (
            "GRANT INSERT ON pgstream.schema_log TO PUBLIC",
            "everybody may INSERT in table pgstream.schema_log",
            "REVOKE INSERT ON TABLE pgstream.schema_log FROM PUBLIC",
        ),
        (
            "GRANT UPDATE (slot_name) ON pgstream.pipeline TO other",
            "role other may UPDATE in table pgstream.pipeline",
            "REVOKE UPDATE ON TABLE pgstream.pipeline FROM other",
        ),
        (
            "GRANT CREATE ON SCHEMA pgstream TO other",
            "role other may CREATE in schema pgstream",
            "REVOKE CREATE ON SCHEMA pgstream FROM other",
        ),
        (
            "ALTER FUNCTION pgstream.describe_table(oid) OWNER TO other",
            "function pgstream.describe_table(pg_catalog.oid) belongs to role other",
            "ALTER FUNCTION pgstream.describe_table(pg_catalog.oid) OWNER TO CURRENT_USER",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON pgstream.object FOR EACH ROW EXECUTE FUNCTION theirs.f()",
            "trigger t of pgstream.object runs a function of role other",
            "DROP TRIGGER t ON pgstream.object",
        ),
        (
            "ALTER TABLE pgstream.object ADD CONSTRAINT c CHECK (theirs.b())",
            "table constraint c on pgstream.object runs a function of role other",
            "ALTER TABLE pgstream.object DROP CONSTRAINT c",
        ),
    ] {
        flow.run(&format!("SET pgstream.busy = 'on'; {done}")).await;
        let refused = refusal(&flow).await.expect(done);
        assert!(refused.0.contains(reported), "{refused:?}");
        assert!(refused.1.contains(fix), "{refused:?}");
        flow.run(fix).await;
    }
    assert_eq!(refusal(&flow).await, None);
}

#[tokio::test]
async fn a_function_with_the_name_of_ours_goes_with_an_upgrade() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(
        "CREATE FUNCTION pgstream.capture(name, name, name) RETURNS void LANGUAGE sql AS 'SELECT'; \
         UPDATE pgstream.installation SET digest = 'older'",
    )
    .await;
    let source = session(&flow.source_cluster, "postgres").await;

    init(&source, &SLOT.parse().unwrap(), Plugin::Pgoutput)
        .await
        .unwrap();

    let named = "SELECT count(*) FROM pg_proc WHERE proname = 'capture' \
                 AND pronamespace = 'pgstream'::regnamespace";
    assert_eq!(query_text(&flow.source, named).await, ["1"]);
}

/// As builds before version 4 installed it.
const OPEN: &str = "\
SET pgstream.busy = 'on';
CREATE OR REPLACE FUNCTION pgstream.on_sql_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
AS $$ DECLARE message text; BEGIN END $$;
INSERT INTO pgstream.schema_log (version, schema_name, schema) VALUES (0, '', '{\"statement\": \"secret\"}');
UPDATE pgstream.installation SET version = 3, digest = 'older';";

#[tokio::test]
async fn an_installation_with_open_functions_is_refused_until_init_has_upgraded_it() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        flow.run(OPEN).await;
        for line in ["check", "run --headless"] {
            let outcome = on_both(&flow, line).run().await;
            assert_eq!(outcome.code, Some(78), "{line}: {outcome:?}");
            let reported = outcome.stdout + &outcome.stderr;
            for part in [
                "pgstream.on_sql_drop()",
                "gives any user a superuser's rights",
                "pgstream init --pgurl",
            ] {
                assert!(reported.contains(part), "{line}: {reported}");
            }
        }

        flow.init(plugin).await;
        let log = "SELECT schema FROM pgstream.schema_log WHERE version = 0";
        assert_eq!(query_text(&flow.source, log).await, ["{}"]);
        let outcome = on_both(&flow, "check").run().await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
}
