//! Constraints, triggers and rules of the target see what they would see on the source.

use crate::support::flow::{Flow, failure};
use crate::support::scenario::{Case, PLUGINS, Scenario, play};
use crate::support::{execute, query_text};

/// Keys that are references, rows without a key, and defaults that others are set to.
const LINKS: &str = "\
CREATE TABLE p (id int PRIMARY KEY); \
CREATE TABLE link (a int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE, b int, PRIMARY KEY (a, b)); \
CREATE TABLE one (a int PRIMARY KEY REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE); \
CREATE TABLE two (a int PRIMARY KEY REFERENCES one ON UPDATE CASCADE ON DELETE CASCADE, v int); \
CREATE TABLE other (a int DEFAULT 0 REFERENCES p ON UPDATE CASCADE ON DELETE SET DEFAULT, b int, \
  PRIMARY KEY (a, b)); \
CREATE TABLE list (a int DEFAULT 0 REFERENCES p ON UPDATE CASCADE ON DELETE SET DEFAULT, \
  b int REFERENCES p ON UPDATE SET NULL ON DELETE SET NULL); \
ALTER TABLE list REPLICA IDENTITY FULL";

/// The rows of one statement follow each other: each takes the key that another has left.
const LINK_CHANGES: &[&str] = &[
    "INSERT INTO p SELECT i FROM generate_series(30, 0, -1) AS i; \
     INSERT INTO link SELECT i, n FROM generate_series(1, 30) AS i, generate_series(1, 2) AS n; \
     INSERT INTO one SELECT i FROM generate_series(1, 30) AS i; INSERT INTO two SELECT a, a FROM one; \
     INSERT INTO other SELECT i, i FROM generate_series(1, 30) AS i",
    "UPDATE p SET id = 100 WHERE id = 1",
    "UPDATE p SET id = id + 1 WHERE id BETWEEN 2 AND 30",
    "BEGIN; UPDATE p SET id = id + 1 WHERE id BETWEEN 10 AND 31; UPDATE two SET v = -v; \
     UPDATE p SET id = id + 1000 WHERE id > 20; COMMIT",
    "DELETE FROM p WHERE id BETWEEN 3 AND 6",
    "UPDATE one SET a = 0 WHERE a = 1100",
    "BEGIN; DELETE FROM p WHERE id = 7; INSERT INTO p VALUES (7); INSERT INTO link VALUES (7, 7); COMMIT",
];

/// Only who may keep foreign keys from acting can tell rows without a key apart.
const LIST_CHANGES: &[&str] = &[
    "INSERT INTO list SELECT (ARRAY[8, 9, 11, 12, 13, 14, 15])[i % 7 + 1], (ARRAY[8, 9, 11, 12, 13])[i % 5 + 1] \
     FROM generate_series(1, 60) AS i",
    "UPDATE p SET id = id + 1 WHERE id BETWEEN 8 AND 20",
    "DELETE FROM p WHERE id = 12; UPDATE p SET id = id + 500 WHERE id = 13",
];

/// What the target checks by itself while triggers are enabled, and leaves to the stream when not.
const CHECKED: &[Case] = &[
    Case {
        name: "swapped",
        schema: "CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v int)",
        changes: &[
            "INSERT INTO t SELECT i, 'u' || i, 0 FROM generate_series(1, 50) AS i",
            "BEGIN; UPDATE t SET u = 'tmp' WHERE id = 1; UPDATE t SET u = 'u1' WHERE id = 2; \
             UPDATE t SET u = 'u2' WHERE id = 1; COMMIT",
            "UPDATE t SET u = 'away' WHERE id = 3",
            "UPDATE t SET u = 'u3' WHERE id = 4",
            "UPDATE t SET u = 'u4' WHERE id = 3",
            "DELETE FROM t WHERE id = 5",
            "INSERT INTO t VALUES (105, 'u5')",
            "BEGIN; UPDATE t SET u = 'gone' WHERE id = 6; INSERT INTO t VALUES (106, 'u6'); COMMIT",
            "BEGIN; INSERT INTO t VALUES (107, 'x7'); DELETE FROM t WHERE id = 7; \
             UPDATE t SET u = 'u7' WHERE id = 107; COMMIT",
        ],
    },
    Case {
        name: "moved",
        schema: "CREATE TABLE t (id int PRIMARY KEY, v text)",
        changes: &[
            "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 20) AS i",
            "BEGIN; UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; \
             UPDATE t SET id = 2 WHERE id = -1; COMMIT",
            "UPDATE t SET id = id - 100; UPDATE t SET id = id + 101",
        ],
    },
    Case {
        name: "deferred",
        schema: "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE); \
                 CREATE TABLE p (id int PRIMARY KEY); \
                 CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE); \
                 CREATE TABLE other (id int PRIMARY KEY)",
        changes: &[
            "INSERT INTO t SELECT i, i FROM generate_series(1, 30) AS i",
            "UPDATE t SET u = u + 1",
            "BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE t SET u = 99 WHERE id < 3; \
             UPDATE t SET u = id WHERE id < 3; COMMIT",
            "BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO c VALUES (1, 1), (2, 2); \
             INSERT INTO p VALUES (1), (2); COMMIT",
            "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM p WHERE id = 1; \
             DELETE FROM c WHERE p = 1; COMMIT",
            "BEGIN; INSERT INTO other VALUES (1); SET CONSTRAINTS ALL DEFERRED; \
             INSERT INTO c VALUES (3, 3); TRUNCATE other; INSERT INTO p VALUES (3); COMMIT",
            "BEGIN; INSERT INTO c VALUES (4, 3); TRUNCATE c; INSERT INTO c VALUES (5, 3); COMMIT",
            "INSERT INTO c VALUES (6, 3)",
            "TRUNCATE c",
        ],
    },
    Case {
        name: "cascading",
        schema: "CREATE TABLE p (id int PRIMARY KEY, v text); \
                 CREATE TABLE gone (id int PRIMARY KEY, p int NOT NULL \
                   REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, v text); \
                 CREATE TABLE empty (id int PRIMARY KEY, p int \
                   REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE); \
                 CREATE TABLE part (p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, n int, \
                   v text, PRIMARY KEY (p, n)); \
                 CREATE TABLE below (p int, n int, id int, v text, PRIMARY KEY (p, n, id), \
                   FOREIGN KEY (p, n) REFERENCES part ON DELETE CASCADE ON UPDATE CASCADE); \
                 CREATE TABLE plain (id int, p int DEFAULT 1 REFERENCES p ON DELETE SET DEFAULT \
                   ON UPDATE CASCADE); \
                 ALTER TABLE plain REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO p SELECT i, 'p' FROM generate_series(1, 40) AS i",
            "INSERT INTO gone SELECT i, i, 'g' FROM generate_series(1, 40) AS i; \
             INSERT INTO empty SELECT i, i FROM generate_series(1, 40) AS i; \
             INSERT INTO part SELECT i, n, 'q' FROM generate_series(1, 40) AS i, \
               generate_series(1, 2) AS n; \
             INSERT INTO below SELECT p, n, 1, 'b' FROM part; \
             INSERT INTO plain SELECT i % 3, i FROM generate_series(1, 40) AS i",
            "DELETE FROM p WHERE id % 10 = 0",
            "UPDATE p SET id = id + 1000 WHERE id % 7 = 0",
            "BEGIN; UPDATE p SET id = 2000, v = 'new' WHERE id = 2; \
             UPDATE below SET v = 'c' WHERE p = 2000; UPDATE gone SET v = 'd' WHERE p = 2000; COMMIT",
            "BEGIN; DELETE FROM p WHERE id = 3; INSERT INTO p VALUES (3, 'again'); \
             INSERT INTO gone VALUES (3, 3, 'again'); COMMIT",
            "UPDATE gone SET p = 4 WHERE p = 5; DELETE FROM p WHERE id = 5",
        ],
    },
    Case {
        name: "partitions",
        schema: "CREATE TABLE p (id int, region text, v text, PRIMARY KEY (id, region)) \
                   PARTITION BY LIST (region); \
                 CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a'); \
                 CREATE TABLE p_b (v text, region text NOT NULL, id int NOT NULL, PRIMARY KEY (id, region)); \
                 ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b'); \
                 CREATE TABLE p_c PARTITION OF p FOR VALUES IN ('c') PARTITION BY RANGE (id); \
                 CREATE TABLE p_c1 PARTITION OF p_c FOR VALUES FROM (0) TO (1000); \
                 CREATE TABLE c (id int PRIMARY KEY, p int, region text, \
                   FOREIGN KEY (p, region) REFERENCES p ON UPDATE CASCADE); \
                 CREATE TABLE gone (id int PRIMARY KEY, p int, region text, \
                   FOREIGN KEY (p, region) REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE)",
        changes: &[
            "INSERT INTO p SELECT i, 'a', 'v' || i FROM generate_series(1, 60) AS i",
            "INSERT INTO c SELECT i, i, 'a' FROM generate_series(1, 60) AS i; \
             INSERT INTO gone SELECT i, i, 'a' FROM generate_series(1, 50) AS i",
            "UPDATE p SET region = 'b' WHERE id = 1",
            "UPDATE p SET region = 'b', v = 'w', id = id + 500 WHERE id BETWEEN 10 AND 20",
            "UPDATE p SET region = 'c' WHERE id < 10",
            "BEGIN; UPDATE p SET region = 'a' WHERE id = 2; UPDATE p SET v = 'x' WHERE id = 2; \
             UPDATE c SET id = -2 WHERE p = 2; UPDATE p SET region = 'b' WHERE id = 2; COMMIT",
            "BEGIN; DELETE FROM c WHERE p = 3; DELETE FROM p WHERE id = 3; \
             INSERT INTO p VALUES (903, 'a', 'new'); INSERT INTO c VALUES (903, 903, 'a'); COMMIT",
            "DELETE FROM c WHERE p < 6; DELETE FROM p WHERE id < 6",
        ],
    },
    Case {
        name: "between",
        schema: "CREATE TABLE m (id int PRIMARY KEY, v text) PARTITION BY LIST (id); \
                 CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1, 2) PARTITION BY LIST (id); \
                 CREATE TABLE m1_1 PARTITION OF m1 FOR VALUES IN (1); CREATE TABLE m1_2 (v text, id int NOT NULL); \
                 ALTER TABLE m1 ATTACH PARTITION m1_2 FOR VALUES IN (2); CREATE TABLE m2 PARTITION OF m FOR VALUES IN (3, 4); \
                 CREATE TABLE f (id int PRIMARY KEY, a int REFERENCES m1 ON UPDATE CASCADE ON DELETE CASCADE); \
                 CREATE TABLE g (id int PRIMARY KEY, a int REFERENCES m)",
        changes: &[
            "INSERT INTO m VALUES (1, 'x'), (3, 'y'); INSERT INTO f VALUES (1, 1); INSERT INTO g VALUES (3, 3)",
            "UPDATE m1 SET id = id + 1, v = 'z'",
            "UPDATE m1 SET id = id - 1; UPDATE m SET v = 'w'",
            "DELETE FROM m WHERE id = 1; INSERT INTO m VALUES (2, 'u')",
        ],
    },
    Case {
        name: "trees",
        schema: "CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t ON DELETE CASCADE); \
                 CREATE TABLE r (id int PRIMARY KEY, up int REFERENCES r)",
        changes: &[
            "INSERT INTO t VALUES (1, NULL); \
             INSERT INTO t SELECT i, i / 2 FROM generate_series(2, 60) AS i",
            "DELETE FROM t WHERE id IN (5, 7)",
            "UPDATE t SET up = 1 WHERE id = 12; DELETE FROM t WHERE id = 3",
            "INSERT INTO r SELECT i, CASE WHEN i < 40 THEN i + 1 END FROM generate_series(1, 40) AS i",
            "DELETE FROM r WHERE id < 10; DELETE FROM r",
            "INSERT INTO r VALUES (1, 1); UPDATE r SET up = NULL; DELETE FROM r",
        ],
    },
    Case {
        name: "links",
        schema: LINKS,
        changes: LINK_CHANGES,
    },
    Case {
        name: "selves",
        schema: "CREATE TABLE t (id int PRIMARY KEY, v int, \
                   up int REFERENCES t ON UPDATE CASCADE ON DELETE SET NULL); \
                 CREATE TABLE pair (a int, b int, up int, PRIMARY KEY (a, b), \
                   FOREIGN KEY (a, up) REFERENCES pair ON UPDATE CASCADE ON DELETE CASCADE); \
                 CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                   up int REFERENCES always ON UPDATE CASCADE ON DELETE CASCADE); \
                 CREATE TABLE coded (id int PRIMARY KEY, code text UNIQUE); \
                 CREATE TABLE codes (id int PRIMARY KEY, code text REFERENCES coded (code) \
                   ON UPDATE CASCADE ON DELETE SET NULL)",
        changes: &[
            "INSERT INTO t SELECT i, i, CASE WHEN i > 1 THEN i / 2 END FROM generate_series(1, 60) AS i; \
             INSERT INTO pair SELECT i, 1, NULL FROM generate_series(1, 20) AS i; \
             INSERT INTO pair SELECT i, 2, 1 FROM generate_series(1, 20) AS i; \
             INSERT INTO always (up) SELECT CASE WHEN i > 1 THEN i / 2 END FROM generate_series(1, 20) AS i; \
             INSERT INTO coded SELECT i, 'c' || i FROM generate_series(1, 20) AS i; \
             INSERT INTO codes SELECT i, 'c' || i FROM generate_series(1, 20) AS i",
            "UPDATE t SET id = id + 100",
            "UPDATE t SET id = CASE WHEN v % 3 = 0 THEN id + 1000 ELSE id END, v = v + 1",
            "BEGIN; UPDATE t SET id = id + 5000 WHERE v < 9; UPDATE t SET id = id - 5000 WHERE v < 9; COMMIT",
            "DELETE FROM t WHERE v % 5 = 0",
            "UPDATE pair SET a = a + 100; DELETE FROM pair WHERE a > 110 AND b = 1",
            "UPDATE always SET id = DEFAULT WHERE id IN (2, 3); DELETE FROM always WHERE id = 4",
            "UPDATE coded SET code = code || '!' WHERE id % 2 = 0; UPDATE coded SET id = -id WHERE id % 3 = 0; \
             DELETE FROM coded WHERE id = 5",
        ],
    },
    Case {
        name: "excluded",
        schema: "CREATE TABLE t (id int PRIMARY KEY, during int4range, \
                 EXCLUDE USING gist (during WITH &&), CHECK (NOT isempty(during)))",
        changes: &[
            "INSERT INTO t SELECT i, int4range(i, i + 1) FROM generate_series(1, 40) AS i",
            "BEGIN; UPDATE t SET during = '[900,901)' WHERE id = 1; \
             UPDATE t SET during = '[1,2)' WHERE id = 2; UPDATE t SET during = '[2,3)' WHERE id = 1; \
             COMMIT",
        ],
    },
];

#[tokio::test]
async fn constraints_see_no_state_that_the_source_did_not_have() {
    play(CHECKED, |_| {}).await;
}

#[tokio::test]
async fn rows_without_a_key_are_told_apart_where_foreign_keys_act() {
    let changes = [LINK_CHANGES, LIST_CHANGES].concat();
    let changes: &'static [&'static str] = changes.leak();
    let case = Case {
        name: "lists",
        schema: LINKS,
        changes,
    };
    play(&[case], |_| {}).await;
}

/// A role that may not keep foreign keys from acting: what they have done already is found.
#[tokio::test]
async fn what_foreign_keys_of_the_target_do_first_is_found_where_they_must_act() {
    let source = format!("CREATE SCHEMA links; SET search_path = links; {LINKS}");
    let target = format!("{source}; {WRITER}");
    for plugin in PLUGINS {
        let scenario = Scenario::start_apart(plugin, &source, &target, |pipeline| {
            pipeline.target.user = "writer".to_owned();
        })
        .await;
        scenario.flow.run("SET search_path = links").await;
        for change in LINK_CHANGES {
            scenario.flow.run(change).await;
        }
        scenario.flow.run("RESET search_path").await;
        scenario.equal().await;
        scenario.stop().await;
    }
}

/// A role that owns all tables and is no superuser.
const WRITER: &str = "\
CREATE ROLE writer LOGIN PASSWORD 'postgres'; GRANT CREATE ON DATABASE postgres TO writer; \
DO $$ DECLARE t regclass; BEGIN \
  FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384 LOOP \
    EXECUTE format('ALTER TABLE %s OWNER TO writer', t); END LOOP; \
  FOR t IN SELECT oid FROM pg_namespace WHERE nspname = 'links' LOOP \
    EXECUTE 'GRANT ALL ON SCHEMA links TO writer'; END LOOP; END $$";

/// Nothing of the source says that the children of such a row went.
#[tokio::test]
async fn children_stay_that_the_source_left_without_a_parent() {
    let schema = "CREATE TABLE p (id int PRIMARY KEY); \
                  CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)";
    for plugin in PLUGINS {
        let scenario = Scenario::start_apart(plugin, schema, schema, |_| {}).await;
        scenario
            .flow
            .run("INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)")
            .await;
        scenario
            .flow
            .run("SET session_replication_role = replica; DELETE FROM p WHERE id = 1; RESET session_replication_role")
            .await;
        scenario.equal().await;
        scenario.stop().await;
    }
}

/// Children that only the target has are its own business.
#[tokio::test]
async fn foreign_keys_of_tables_that_only_the_target_has_act() {
    let source = "CREATE TABLE p (id int PRIMARY KEY)";
    let target = "CREATE TABLE p (id int PRIMARY KEY); \
                  CREATE TABLE own (p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)";
    let scenario = Scenario::start_apart("pgoutput", source, target, |_| {}).await;
    scenario
        .flow
        .run("INSERT INTO p VALUES (1), (2), (3)")
        .await;
    scenario.settle().await;
    execute(
        &scenario.flow.target,
        "INSERT INTO own VALUES (1), (2), (3)",
    )
    .await;

    scenario.flow.run("UPDATE p SET id = 30 WHERE id = 3").await;
    scenario.flow.run("DELETE FROM p WHERE id = 1").await;

    scenario
        .flow
        .shows("SELECT p FROM own ORDER BY p", &["2", "30"])
        .await;
    scenario.stop().await;
}

/// A trigger of the target that keeps rows as they are has its will, and is told of once.
#[tokio::test]
async fn rows_that_a_trigger_of_the_target_keeps_are_passed_and_counted() {
    let source = "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE l (a int); \
                  ALTER TABLE l REPLICA IDENTITY FULL";
    let target = "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE l (a int); \
                  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                    IF TG_OP = 'INSERT' THEN RETURN CASE WHEN NEW.id % 10 <> 0 THEN NEW END; END IF; \
                    RETURN CASE WHEN OLD.id % 5 <> 0 THEN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END END; END $$; \
                  CREATE FUNCTION keep_all() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
                  CREATE TRIGGER keep BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep(); \
                  CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON l FOR EACH ROW EXECUTE FUNCTION keep_all()";
    for plugin in PLUGINS {
        let scenario = Scenario::start_apart(plugin, source, target, |_| {}).await;
        for change in [
            "INSERT INTO t SELECT i, 0 FROM generate_series(1, 49) AS i; INSERT INTO l VALUES (1), (1), (2)",
            "INSERT INTO t VALUES (50, 0)",
            "UPDATE t SET v = 1 WHERE id IN (5, 6, 7)",
            "DELETE FROM t WHERE id IN (15, 16)",
            "UPDATE t SET id = 1025 WHERE id = 25",
            "UPDATE l SET a = 3 WHERE a = 2; DELETE FROM l WHERE a = 1",
            "UPDATE t SET v = 2 WHERE id < 5",
        ] {
            scenario.flow.run(change).await;
        }
        scenario.settle().await;
        let look = "SELECT (SELECT string_agg(id || ':' || v, ' ' ORDER BY id) FROM t WHERE v > 0 OR id > 48), \
                    (SELECT count(*) FROM t), (SELECT string_agg(a::text, ' ' ORDER BY a) FROM l)";
        let found = query_text(&scenario.flow.target, look).await;
        assert_eq!(found, ["1:2 2:2 3:2 4:2 6:1 7:1 49:0|44|1 1 2"], "{plugin}");
        let tables = &scenario.status().tables;
        let suppressed = ["public.t", "public.l"].map(|name| tables[name].suppressed);
        assert_eq!(suppressed, [8, 3], "{plugin}");
        scenario.stop().await;
    }
}

/// What row level security hides is not said to be missing.
#[tokio::test]
async fn a_row_that_row_level_security_hides_is_reported_as_such() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)";
    let mut flow = Flow::rows("pgoutput", schema).await;
    let hidden = format!(
        "{WRITER}; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
         CREATE POLICY few ON t USING (id > 1)"
    );
    execute(&flow.target, &hidden).await;
    flow.pipeline.target.user = "writer".to_owned();
    flow.run("UPDATE t SET v = 2").await;

    let failed = failure(&mut flow.start()).await;

    let hint = failed.hint.unwrap_or_default();
    assert!(hint.contains("row level security"), "{hint}");
}

#[tokio::test]
async fn constraints_do_not_act_by_themselves_where_triggers_are_disabled() {
    play(CHECKED, |pipeline| pipeline.disable_triggers = true).await;
}

/// Triggers of the target write down what they see; `kind` is how they are enabled.
fn watched(kind: &str) -> String {
    format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
         CREATE TABLE seen (n serial, what text); \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO public.seen (what) VALUES (concat_ws(' ', TG_OP, OLD.id, OLD.v, NEW.id, NEW.v)); \
           RETURN NULL; END $$; \
         CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           NEW.v := upper(NEW.v); RETURN NEW; END $$; \
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(); \
         CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION loud(); \
         ALTER TABLE t {kind} TRIGGER note; ALTER TABLE t {kind} TRIGGER loud"
    )
}

/// What the triggers must have seen of [`DEEDS`], in order.
const SEEN: [&str; 7] = [
    "INSERT 1 A",
    "INSERT 2 B",
    "UPDATE 1 A 1 C",
    "UPDATE 1 C 1 D",
    "DELETE 2 B",
    "INSERT 2 E",
    "UPDATE 2 E 3 E",
];

const DEEDS: [&str; 4] = [
    "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    "BEGIN; UPDATE t SET v = 'c' WHERE id = 1; UPDATE t SET v = 'd' WHERE id = 1; COMMIT",
    "BEGIN; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'e'); COMMIT",
    "UPDATE t SET id = 3 WHERE id = 2",
];

/// Runs the deeds and returns what the target's triggers saw.
async fn seen_by_triggers(plugin: &str, kind: &str, disable_triggers: bool) -> Vec<String> {
    let source = "CREATE TABLE t (id int PRIMARY KEY, v text)";
    let scenario = Scenario::start_apart(plugin, source, &watched(kind), |pipeline| {
        pipeline.disable_triggers = disable_triggers;
    })
    .await;
    for deed in DEEDS {
        scenario.flow.run(deed).await;
    }
    scenario.settle().await;
    let seen = query_text(&scenario.flow.target, "SELECT what FROM seen ORDER BY n").await;
    let rows = query_text(
        &scenario.flow.target,
        "SELECT id, upper(v) FROM t ORDER BY id",
    )
    .await;
    assert_eq!(rows, ["1|D", "3|E"]);
    scenario.stop().await;
    seen
}

#[tokio::test]
async fn triggers_see_every_row_change_in_the_order_of_the_source() {
    for plugin in PLUGINS {
        assert_eq!(seen_by_triggers(plugin, "ENABLE", false).await, SEEN);
        assert_eq!(seen_by_triggers(plugin, "ENABLE ALWAYS", false).await, SEEN);
    }
}

#[tokio::test]
async fn disabled_triggers_see_nothing_unless_they_are_for_replicas() {
    let none: [&str; 0] = [];
    assert_eq!(seen_by_triggers("pgoutput", "ENABLE", true).await, none);
    assert_eq!(
        seen_by_triggers("pgoutput", "ENABLE ALWAYS", true).await,
        SEEN
    );
    assert_eq!(
        seen_by_triggers("pgoutput", "ENABLE REPLICA", true).await,
        SEEN
    );
    assert_eq!(
        seen_by_triggers("pgoutput", "ENABLE REPLICA", false).await,
        none
    );
    assert_eq!(seen_by_triggers("pgoutput", "DISABLE", false).await, none);
}

#[tokio::test]
async fn rules_of_the_target_act_as_its_triggers_do_however_many_rows_come() {
    let source = "CREATE TABLE t (id int PRIMARY KEY, v text)";
    let target = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE noted (what text); \
                  CREATE RULE i AS ON INSERT TO t DO ALSO INSERT INTO noted VALUES ('i' || NEW.id); \
                  CREATE RULE u AS ON UPDATE TO t DO ALSO INSERT INTO noted VALUES ('u' || NEW.id); \
                  CREATE RULE d AS ON DELETE TO t DO INSTEAD NOTHING";
    for (disable_triggers, expected) in [(false, "46|2|6"), (true, "45|0|0")] {
        let scenario = Scenario::start_apart("pgoutput", source, target, |pipeline| {
            pipeline.disable_triggers = disable_triggers;
        })
        .await;
        scenario
            .flow
            .run("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 45) AS i")
            .await;
        scenario.flow.run("INSERT INTO t VALUES (46, 'w')").await;
        scenario
            .flow
            .run("UPDATE t SET v = 'x' WHERE id IN (1, 2)")
            .await;
        scenario.flow.run("DELETE FROM t WHERE id = 46").await;
        scenario.settle().await;
        let look = "SELECT (SELECT count(*) FROM t), count(*) FILTER (WHERE what ~ 'u'), \
                    count(*) FILTER (WHERE what IN ('i1', 'i2', 'i44', 'i45', 'i46')) \
                    + count(*) FILTER (WHERE what = 'i46') FROM noted";
        assert_eq!(query_text(&scenario.flow.target, look).await, [expected]);
        scenario.stop().await;
    }
}
