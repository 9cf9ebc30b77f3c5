//! Functions, views, triggers and so on come with a copy: before the rows what tables need, after them the
//! rest.

use pgstream::config::Plugin;

use crate::schema_mirror::{assert_same_dump, assert_same_dump_but_for_silenced};
use crate::support::flow::{Flow, stop};
use crate::support::{execute, query_text};

use super::{enable, existing, on_both, ready};

/// Made in another order than that of their names, OIDs and kinds.
const OBJECTS: &str = "
SET check_function_bodies = off;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION is_good(mood) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = ''ok''::public.mood';
CREATE DOMAIN good AS mood CHECK (is_good(VALUE));
CREATE FUNCTION later() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.item';
CREATE TABLE item (id int PRIMARY KEY DEFAULT length('x'), m good, n int, UNIQUE (n));
CREATE FUNCTION first_of(item) RETURNS item LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION weight(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE TABLE heavy (id int PRIMARY KEY, w int GENERATED ALWAYS AS (weight(id)) STORED, i item DEFAULT first_of(ROW(1, 'ok', 1)::item),
  d int DEFAULT later(), CHECK (weight(id) > 0));
CREATE INDEX heavy_w ON heavy (weight(w));
CREATE VIEW a_view AS SELECT id, n FROM item;
CREATE VIEW \"View\" AS SELECT a.id, h.w FROM a_view AS a JOIN heavy AS h USING (id);
CREATE FUNCTION of_view(a_view) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT $1.n + count(*)::int FROM \"View\"; END;
CREATE VIEW z AS SELECT of_view(v) AS o FROM a_view AS v;
CREATE MATERIALIZED VIEW filled AS SELECT id, n FROM a_view;
CREATE UNIQUE INDEX filled_id ON filled (id);
CREATE MATERIALIZED VIEW above AS SELECT count(*) AS c FROM filled;
CREATE MATERIALIZED VIEW empty AS SELECT * FROM item WITH NO DATA;
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE VIEW totals AS SELECT total(n) FROM item;
CREATE TABLE audit (n serial PRIMARY KEY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit (what) VALUES (TG_OP || NEW.id); RETURN NEW; END $$;
CREATE TRIGGER notes AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION into_view() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.item VALUES (NEW.id, 'ok', NEW.n); RETURN NEW; END $$;
CREATE TRIGGER inserts INSTEAD OF INSERT ON a_view FOR EACH ROW EXECUTE FUNCTION into_view();
CREATE RULE quiet AS ON DELETE TO heavy DO INSTEAD NOTHING;
CREATE POLICY mine ON item FOR SELECT USING (id > 0);
ALTER TABLE item ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE STATISTICS st (dependencies) ON m, n FROM item;
COMMENT ON VIEW z IS 'z'; COMMENT ON FUNCTION note() IS 'note'; COMMENT ON TRIGGER notes ON item IS 'notes';
INSERT INTO item VALUES (1, 'ok', 1), (2, 'ok', 2); INSERT INTO heavy (id) VALUES (1), (2);
REFRESH MATERIALIZED VIEW filled; REFRESH MATERIALIZED VIEW above;
";

const FILLED: &str = "SELECT count(*), (SELECT c FROM above) FROM filled";

#[tokio::test]
async fn what_tables_need_comes_before_their_rows_and_the_rest_behind_them() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = existing(plugin, OBJECTS).await;
        enable(&mut flow, 2);
        let engine = flow.start();
        ready(&engine).await;
        flow.equal().await;
        assert_same_dump_but_for_silenced(&flow.source_cluster, &flow.target_cluster);
        assert_eq!(query_text(&flow.target, FILLED).await, ["2|2"]);
        flow.run("INSERT INTO a_view VALUES (3, 3); DELETE FROM heavy; REFRESH MATERIALIZED VIEW filled; \
                  ALTER VIEW z RENAME TO zz; DROP MATERIALIZED VIEW above")
            .await;
        flow.equal().await;
        flow.acknowledged().await;
        assert_same_dump_but_for_silenced(&flow.source_cluster, &flow.target_cluster);
        let audit = "SELECT what FROM audit ORDER BY n";
        assert_eq!(
            query_text(&flow.target, audit).await,
            ["INSERT1", "INSERT2", "INSERT3"]
        );
        stop(engine).await;
    }
}

#[tokio::test]
async fn a_copy_that_nothing_follows_leaves_triggers_as_they_are_on_the_source() {
    let flow = Flow::bare().await;
    execute(&flow.source, OBJECTS).await;
    let copied = on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster);
    let copied = copied.run().await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
}

/// What tables are made of, beside functions: some by a dependency that only a text shows.
const KINDS: &str = "
CREATE SCHEMA s; CREATE EXTENSION hstore WITH SCHEMA s; CREATE EXTENSION earthdistance CASCADE; CREATE EXTENSION btree_gist;
CREATE COLLATION ci (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION weight(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
CREATE CAST (pair AS int) WITH FUNCTION weight(pair); CREATE CAST (int AS pair) WITH INOUT;
CREATE FUNCTION less(pair, pair) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1.a < $2.a';
CREATE OPERATOR <# (FUNCTION = less, LEFTARG = pair, RIGHTARG = pair);
CREATE FUNCTION compare(pair, pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a - $2.a';
CREATE OPERATOR CLASS by_a FOR TYPE pair USING btree AS OPERATOR 1 <#, FUNCTION 1 compare(pair, pair);
ALTER OPERATOR FAMILY by_a USING btree ADD OPERATOR 1 < (int, bigint);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION conf (COPY = english);
ALTER TEXT SEARCH CONFIGURATION conf ALTER MAPPING FOR asciiword WITH plain;
CREATE TRUSTED LANGUAGE mine HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
CREATE FUNCTION in_mine(int) RETURNS int LANGUAGE mine IMMUTABLE AS 'BEGIN RETURN 1; END';
CREATE CONVERSION con FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h');
CREATE DOMAIN of_hstore AS s.hstore CHECK (VALUE IS NOT NULL);
CREATE TABLE made_of (id int PRIMARY KEY DEFAULT in_mine(1), h s.hstore, l s.hstore[], o of_hstore DEFAULT 'a=>1', t text COLLATE ci UNIQUE, p pair,
  w int GENERATED ALWAYS AS (p::int) STORED, v tsvector GENERATED ALWAYS AS (to_tsvector('conf', t)) STORED,
  EXCLUDE USING gist (id WITH =, w WITH <>)) USING heap2;
CREATE INDEX ON made_of USING gin (h); CREATE INDEX ON made_of (p by_a); CREATE INDEX ON made_of ((p <# p));
CREATE VIEW of_kinds AS SELECT 7::pair AS p, earth() AS e, h OPERATOR(s.->) 'a' AS a FROM made_of;
COMMENT ON COLLATION ci IS 'ci'; COMMENT ON CAST (pair AS int) IS 'cast'; COMMENT ON SERVER far IS 'far';
CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
INSERT INTO made_of (id, h, t, p) VALUES (1, 'a=>1', 'words', ROW(1, 2)), (2, NULL, 'other', ROW(3, 4));
CREATE EVENT TRIGGER sees ON ddl_command_start WHEN TAG IN ('CREATE SEQUENCE') EXECUTE FUNCTION see();
";

const EVENT_TRIGGERS: &str =
    "SELECT evtname, evtenabled FROM pg_event_trigger WHERE evtname NOT LIKE 'pgstream%'";

#[tokio::test]
async fn what_tables_and_indexes_are_made_of_comes_before_them() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = existing(plugin, KINDS).await;
        enable(&mut flow, 2);
        let engine = flow.start();
        ready(&engine).await;
        flow.equal().await;
        assert_same_dump_but_for_silenced(&flow.source_cluster, &flow.target_cluster);
        assert_eq!(query_text(&flow.target, EVENT_TRIGGERS).await, ["sees|D"]);
        flow.run(
            "ALTER COLLATION ci RENAME TO no_case; ALTER EXTENSION hstore SET SCHEMA public; \
             INSERT INTO made_of (id, h, t, p) VALUES (3, 'b=>2', 'third', ROW(5, 6)); \
             ALTER SERVER far OPTIONS (SET host 'i'); DROP CAST (int AS pair) CASCADE",
        )
        .await;
        flow.equal().await;
        flow.acknowledged().await;
        assert_same_dump_but_for_silenced(&flow.source_cluster, &flow.target_cluster);
        stop(engine).await;
    }
}

#[tokio::test]
async fn a_copy_that_nothing_follows_brings_all_kinds_and_event_triggers_last() {
    let flow = Flow::bare().await;
    execute(&flow.source, KINDS).await;
    let copied = on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster);
    let copied = copied.run().await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert!(!copied.stderr.contains("WARN"), "{}", copied.stderr);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    assert_eq!(query_text(&flow.target, EVENT_TRIGGERS).await, ["sees|O"]);
}
