//! Extensions, collations, operators, text search and what else names and services are: from the source's log
//! to the target.

use pgstream::config::Plugin;

use crate::schema_objects::check;
use crate::support::flow::{Flow, stop};
use crate::support::{execute, query_text};

#[tokio::test]
async fn extensions_travel_as_one_statement_and_their_members_never() {
    check(&[
        "CREATE EXTENSION hstore; CREATE TABLE t (a int PRIMARY KEY, h hstore DEFAULT 'a=>1', l hstore[])",
        "CREATE SCHEMA s; CREATE EXTENSION earthdistance WITH SCHEMA s CASCADE",
        "CREATE INDEX ON t USING gin (h); CREATE VIEW v AS SELECT h -> 'a' AS a FROM t",
        "CREATE EXTENSION pg_trgm VERSION '1.3'; CREATE EXTENSION \"uuid-ossp\"",
        "ALTER EXTENSION pg_trgm UPDATE; COMMENT ON EXTENSION pg_trgm IS 'similar'",
        "CREATE SCHEMA x; ALTER EXTENSION hstore SET SCHEMA x; ALTER TABLE t ADD COLUMN k x.hstore",
        "ALTER SCHEMA x RENAME TO y; ALTER TABLE t ADD COLUMN m y.hstore; COMMENT ON EXTENSION hstore IS NULL",
        "ALTER EXTENSION cube DROP FUNCTION s.cube(float8); DROP EXTENSION pg_trgm",
        "DROP EXTENSION hstore CASCADE; DROP EXTENSION cube CASCADE",
        "BEGIN; CREATE EXTENSION citext; SAVEPOINT a; DROP EXTENSION citext; ROLLBACK TO a; \
         CREATE TABLE c (a citext PRIMARY KEY); COMMIT",
        "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS ltree; END $$",
    ])
    .await;
}

#[tokio::test]
async fn collations_travel_with_what_is_done_to_them() {
    check(&[
        "CREATE COLLATION c (LOCALE = 'C'); CREATE TABLE t (a text COLLATE c PRIMARY KEY)",
        "CREATE COLLATION ci (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false); \
         CREATE COLLATION two (LC_COLLATE = 'C', LC_CTYPE = 'POSIX'); COMMENT ON COLLATION ci IS 'it''s'",
        "CREATE DOMAIN d AS text COLLATE ci; ALTER TABLE t ADD b d; CREATE INDEX ON t (a COLLATE two)",
        "ALTER COLLATION ci RENAME TO \"C i\"; CREATE SCHEMA s; ALTER COLLATION two SET SCHEMA s",
        "ALTER TABLE t ADD c text COLLATE \"C i\", ADD e text COLLATE s.two; ALTER COLLATION \"C i\" REFRESH VERSION",
        "CREATE COLLATION deep (LOCALE = 'C'); CREATE TYPE pair AS (a int, b text COLLATE deep); \
         CREATE TABLE u (a text COLLATE deep, n int)",
        "DROP COLLATION deep CASCADE",
        "COMMENT ON COLLATION \"C i\" IS NULL; DROP TABLE t; DROP DOMAIN d; DROP COLLATION c, \"C i\"",
        "DROP SCHEMA s CASCADE",
    ])
    .await;
}

#[tokio::test]
async fn casts_operators_and_what_indexes_are_made_of_travel() {
    check(&[
        "CREATE TYPE pair AS (a int, b int); CREATE SCHEMA s",
        "CREATE FUNCTION weight(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a'; \
         CREATE CAST (pair AS int) WITH FUNCTION weight(pair) AS ASSIGNMENT; \
         CREATE CAST (int AS pair) WITH INOUT; COMMENT ON CAST (pair AS int) IS 'heavy'",
        "CREATE FUNCTION less(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < $2.a'; \
         CREATE FUNCTION more(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1.a > $2.a'; \
         CREATE OPERATOR <# (FUNCTION = less, LEFTARG = pair, RIGHTARG = pair, COMMUTATOR = >#, RESTRICT = scalarltsel)",
        "CREATE OPERATOR ># (FUNCTION = more, LEFTARG = pair, RIGHTARG = pair, COMMUTATOR = <#); \
         CREATE OPERATOR s.!! (FUNCTION = int4um, RIGHTARG = int); COMMENT ON OPERATOR s.!! (NONE, int) IS 'minus'",
        "ALTER OPERATOR <# (pair, pair) SET (RESTRICT = NONE, JOIN = scalarltjoinsel); ALTER OPERATOR ># (pair, pair) SET SCHEMA s",
        "CREATE FUNCTION compare(pair, pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a - $2.a'; \
         CREATE OPERATOR FAMILY many USING btree; \
         CREATE OPERATOR CLASS by_a FOR TYPE pair USING btree FAMILY many AS OPERATOR 1 <#, OPERATOR 5 s.>#, FUNCTION 1 compare(pair, pair)",
        "CREATE TABLE t (p pair, n int); CREATE INDEX t_p ON t (p by_a)",
        "CREATE OPERATOR CLASS of_int FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int)",
        "ALTER OPERATOR FAMILY many USING btree ADD OPERATOR 1 < (int, bigint), FUNCTION 1 (int, bigint) btint48cmp(int, bigint)",
        "ALTER OPERATOR FAMILY many USING btree DROP OPERATOR 1 (int, bigint); ALTER OPERATOR CLASS of_int USING btree RENAME TO ints; \
         ALTER OPERATOR FAMILY many USING btree RENAME TO lots; ALTER OPERATOR CLASS ints USING btree SET SCHEMA s; \
         COMMENT ON OPERATOR CLASS s.ints USING btree IS 'i'; COMMENT ON OPERATOR FAMILY lots USING btree IS 'f'",
        "ALTER TYPE pair RENAME TO couple; ALTER FUNCTION compare(couple, couple) RENAME TO compared",
        "CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE h (a int) USING heap2; \
         COMMENT ON ACCESS METHOD heap2 IS 'the same'",
        "CREATE DEFAULT CONVERSION s.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; \
         ALTER CONVERSION s.conv RENAME TO con; COMMENT ON CONVERSION s.con IS 'c'",
        "CREATE TRUSTED LANGUAGE mine HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator; \
         CREATE FUNCTION in_mine() RETURNS int LANGUAGE mine AS 'BEGIN RETURN 1; END'; ALTER LANGUAGE mine RENAME TO ours",
        "CREATE FUNCTION prs(internal) RETURNS internal LANGUAGE internal AS 'prsd_lextype' STRICT",
        "DROP CAST (int AS couple); DROP OPERATOR CLASS s.ints USING btree; DROP OPERATOR FAMILY of_int USING btree; \
         DROP OPERATOR s.!! (NONE, int); DROP CONVERSION s.con; DROP ACCESS METHOD heap2 CASCADE; DROP LANGUAGE ours CASCADE",
        "DROP TYPE couple CASCADE; DROP OPERATOR FAMILY lots USING btree; DROP SCHEMA s CASCADE",
    ])
    .await;
}

#[tokio::test]
async fn text_search_travels_with_what_is_done_to_it() {
    check(&[
        "CREATE SCHEMA s; CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false)",
        "CREATE TEXT SEARCH CONFIGURATION conf (COPY = english); \
         CREATE TABLE t (a text, v tsvector GENERATED ALWAYS AS (to_tsvector('conf', a)) STORED); \
         CREATE INDEX ON t USING gin (to_tsvector('conf', a))",
        "ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword, word WITH plain, english_stem; \
         ALTER TEXT SEARCH CONFIGURATION conf DROP MAPPING FOR email, \"float\"; \
         ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING REPLACE simple WITH plain",
        "ALTER TEXT SEARCH DICTIONARY plain (ACCEPT = true, STOPWORDS); ALTER TEXT SEARCH DICTIONARY plain RENAME TO \"Plain\"",
        "ALTER TEXT SEARCH DICTIONARY \"Plain\" (STOPWORDS = 'dutch'); ALTER TEXT SEARCH DICTIONARY \"Plain\" SET SCHEMA s; \
         COMMENT ON TEXT SEARCH DICTIONARY s.\"Plain\" IS 'd'; COMMENT ON TEXT SEARCH CONFIGURATION conf IS 'c'",
        "CREATE TEXT SEARCH PARSER par (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); \
         CREATE TEXT SEARCH TEMPLATE tem (INIT = dsimple_init, LEXIZE = dsimple_lexize); \
         CREATE TEXT SEARCH CONFIGURATION s.own (PARSER = par); CREATE TEXT SEARCH DICTIONARY s.other (TEMPLATE = tem)",
        "ALTER TEXT SEARCH PARSER par RENAME TO parser; ALTER TEXT SEARCH TEMPLATE tem SET SCHEMA s; \
         COMMENT ON TEXT SEARCH PARSER parser IS 'p'; COMMENT ON TEXT SEARCH TEMPLATE s.tem IS 't'",
        "ALTER TEXT SEARCH CONFIGURATION s.own ADD MAPPING FOR int WITH s.other",
        "DROP TABLE t; DROP TEXT SEARCH CONFIGURATION conf; DROP TEXT SEARCH PARSER parser CASCADE",
        "DROP SCHEMA s CASCADE",
    ])
    .await;
}

#[tokio::test]
async fn wrappers_and_servers_travel_without_secrets() {
    check(&[
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far TYPE 'pg' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw \
           OPTIONS (host 'a''b', port '5433')",
        "ALTER SERVER far VERSION '2' OPTIONS (SET host '\\c', DROP port, ADD dbname 'd'); ALTER SERVER far RENAME TO \"Far\"",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER \"Far\" OPTIONS (user 'u', password_required 'false'); \
         DROP USER MAPPING FOR CURRENT_USER SERVER \"Far\"",
        "CREATE FOREIGN DATA WRAPPER w HANDLER postgres_fdw_handler OPTIONS (a '1', \"B b\" '2'); COMMENT ON FOREIGN DATA WRAPPER w IS 'w'",
        "ALTER FOREIGN DATA WRAPPER w NO HANDLER OPTIONS (SET a '3', DROP \"B b\"); ALTER FOREIGN DATA WRAPPER w RENAME TO ww; \
         COMMENT ON SERVER \"Far\" IS 'far'",
        "ALTER FOREIGN DATA WRAPPER ww VALIDATOR postgresql_fdw_validator",
        "DROP SERVER \"Far\"; DROP FOREIGN DATA WRAPPER ww; DROP EXTENSION postgres_fdw",
    ])
    .await;
}

/// Those that are put into a tree or taken out are made anew: they have no rows here.
#[tokio::test]
async fn foreign_tables_travel_with_what_is_done_to_them() {
    check(&[
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE FOREIGN TABLE ft (a int OPTIONS (column_name 'x') NOT NULL DEFAULT 5, b text COLLATE \"C\", \
           CONSTRAINT c CHECK (a > 1)) SERVER far OPTIONS (table_name 't', schema_name 'it''s')",
        "COMMENT ON FOREIGN TABLE ft IS 'ft'; COMMENT ON COLUMN ft.b IS 'b'; CREATE VIEW v AS SELECT * FROM ft",
        "ALTER FOREIGN TABLE ft ADD d int DEFAULT 7, ALTER a DROP DEFAULT, ALTER a DROP NOT NULL, \
           ALTER a OPTIONS (SET column_name 'y'), OPTIONS (SET table_name 'u', DROP schema_name), DROP CONSTRAINT c",
        "ALTER FOREIGN TABLE ft ALTER d TYPE bigint, ALTER d OPTIONS (ADD column_name 'dd'), ADD CONSTRAINT e CHECK (d > 0)",
        "ALTER FOREIGN TABLE ft RENAME COLUMN b TO bb; ALTER FOREIGN TABLE ft RENAME TO \"F t\"; \
         CREATE SCHEMA s; ALTER FOREIGN TABLE \"F t\" SET SCHEMA s",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER g BEFORE INSERT ON s.\"F t\" FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE FOREIGN TABLE fp PARTITION OF p FOR VALUES IN (1) SERVER far",
        "ALTER TABLE p DETACH PARTITION fp; CREATE TABLE par (q int); CREATE FOREIGN TABLE fi (r int) INHERITS (par) SERVER far",
        "ALTER TABLE par ADD COLUMN n int NOT NULL DEFAULT 3; ALTER TABLE par ALTER q SET NOT NULL; ALTER TABLE par DROP COLUMN n",
        "ALTER TABLE p ATTACH PARTITION fp FOR VALUES IN (2); ALTER FOREIGN TABLE fi NO INHERIT par",
        "DROP VIEW v; DROP FOREIGN TABLE fi; DROP TABLE p; DROP SERVER far CASCADE",
    ])
    .await;
}

/// Whose values may be a password, in whatever wrapper.
#[tokio::test]
async fn options_that_look_like_secrets_stay_on_the_source() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run(
        "CREATE FOREIGN DATA WRAPPER w OPTIONS (api_key 'hunter2', a 'b'); \
         CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (Password 'hunter2', host 'h'); \
         ALTER SERVER s OPTIONS (ADD secret_token 'hunter2', ADD port '1')",
    )
    .await;
    flow.acknowledged().await;
    let log = query_text(&flow.source, "SELECT schema::text FROM pgstream.schema_log").await;
    assert!(!log.concat().contains("hunter2"), "{log:?}");
    let servers = "SELECT srvoptions FROM pg_foreign_server";
    assert_eq!(query_text(&flow.target, servers).await, ["{host=h,port=1}"]);
    stop(handle).await;
}

/// Those of the source would act on what we run: they are made disabled, and are as on the source when nothing
/// streams any more.
#[tokio::test]
async fn event_triggers_of_the_source_come_with_the_next_change_and_never_fire_for_ours() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        flow.run(
            "CREATE TABLE seen (tag text); \
             CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
               INSERT INTO public.seen VALUES (TG_TAG); END $$; \
             CREATE EVENT TRIGGER sees ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION see(); \
             ALTER EVENT TRIGGER sees ENABLE ALWAYS; CREATE EVENT TRIGGER off ON sql_drop EXECUTE FUNCTION see(); \
             ALTER EVENT TRIGGER off DISABLE; COMMENT ON EVENT TRIGGER sees IS 'sees'",
        )
        .await;
        flow.run("CREATE TABLE one (id int PRIMARY KEY); DROP TABLE one")
            .await;
        flow.equal().await;
        let there = "SELECT evtname, evtenabled, evtevent, evttags, obj_description(oid) FROM pg_event_trigger \
                     WHERE evtname IN ('sees', 'saw', 'off') ORDER BY 1";
        flow.shows(
            there,
            &[
                "off|D|sql_drop|∅|∅",
                "sees|D|ddl_command_end|{\"CREATE TABLE\",\"DROP TABLE\"}|sees",
            ],
        )
        .await;
        flow.run(
            "ALTER EVENT TRIGGER sees RENAME TO saw; ALTER EVENT TRIGGER saw ENABLE REPLICA; \
             DROP EVENT TRIGGER off; COMMENT ON TABLE seen IS 'next'",
        )
        .await;
        flow.equal().await;
        flow.acknowledged().await;
        flow.shows(
            "SELECT e.evtname, e.evtenabled, s.enabled FROM pgstream.silenced AS s JOIN pg_event_trigger AS e ON e.oid = s.oid",
            &["saw|D|R"],
        )
        .await;
        flow.run("DROP EVENT TRIGGER saw; DROP FUNCTION see()")
            .await;
        flow.shows("SELECT FROM pg_proc WHERE proname = 'see'", &[])
            .await;
        stop(handle).await;
    }
}

/// No files of that version, or none at all: the report says what to do, and only what needs it stops.
#[tokio::test]
async fn an_extension_in_another_version_is_reported_and_one_that_is_refused_too() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.equal().await;
    execute(&flow.target, "CREATE EXTENSION ltree").await;
    flow.run("CREATE EXTENSION ltree; DROP EXTENSION ltree; INSERT INTO t VALUES (1)")
        .await;
    flow.equal().await;
    flow.acknowledged().await;
    let message = "SELECT not_applied FROM pgstream.schema_change WHERE tag LIKE '%EXTENSION' ORDER BY commit_lsn";
    let found = query_text(&flow.target, message).await;
    assert!(
        found[0].contains("extension ltree: the target refused it") && found[0].contains("42710"),
        "{found:?}"
    );
    let left = "SELECT extname FROM pg_extension WHERE extname = 'ltree'";
    assert_eq!(query_text(&flow.target, left).await, ["ltree"]);

    // What the target's machine has is shown by another version on the source.
    flow.run("CREATE EXTENSION citext; INSERT INTO t VALUES (2)")
        .await;
    flow.equal().await;
    execute(
        &flow.source,
        "UPDATE pg_extension SET extversion = '99' WHERE extname = 'citext'",
    )
    .await;
    flow.run("COMMENT ON EXTENSION citext IS 'new'; CREATE TABLE c (a citext PRIMARY KEY); INSERT INTO c VALUES ('A')")
        .await;
    flow.equal().await;
    flow.acknowledged().await;
    let found = query_text(&flow.target, message).await;
    assert!(
        found.iter().all(|found| !found.contains("citext")),
        "{found:?}"
    );
    let found = query_text(
        &flow.target,
        "SELECT not_applied FROM pgstream.schema_change WHERE tag = 'COMMENT'",
    )
    .await;
    assert!(
        found[0].contains("extension citext: the target refused it"),
        "{found:?}"
    );
    stop(handle).await;
}

/// Whatever was taken out of an extension does not go with it.
#[tokio::test]
async fn a_table_that_left_its_extension_keeps_its_rows_when_that_is_dropped() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::bare().await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        let came = "CREATE EXTENSION hstore; CREATE TABLE came (id int PRIMARY KEY); \
                    ALTER EXTENSION hstore ADD TABLE came";
        for client in [&flow.source, &flow.target] {
            execute(client, came).await;
        }
        flow.init(plugin).await;
        let handle = flow.start();
        flow.run("ALTER EXTENSION hstore DROP TABLE came; INSERT INTO came VALUES (1)")
            .await;
        flow.run("DROP EXTENSION hstore; INSERT INTO came VALUES (2)")
            .await;
        flow.equal().await;
        flow.shows(
            "SELECT count(*) FROM pg_extension WHERE extname = 'hstore'",
            &["0"],
        )
        .await;
        stop(handle).await;
    }
}
