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
