//! Constraints, triggers and rules of the target see what they would see on the source.

use crate::support::query_text;
use crate::support::scene::{Case, PLUGINS, Scene, play};

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
    let scene = Scene::start_apart(plugin, source, &watched(kind), |pipeline| {
        pipeline.disable_triggers = disable_triggers;
    })
    .await;
    for deed in DEEDS {
        scene.flow.run(deed).await;
    }
    scene.settle().await;
    let seen = query_text(&scene.flow.target, "SELECT what FROM seen ORDER BY n").await;
    let rows = query_text(&scene.flow.target, "SELECT id, upper(v) FROM t ORDER BY id").await;
    assert_eq!(rows, ["1|D", "3|E"]);
    scene.stop().await;
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
        let scene = Scene::start_apart("pgoutput", source, target, |pipeline| {
            pipeline.disable_triggers = disable_triggers;
        })
        .await;
        scene
            .flow
            .run("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 45) AS i")
            .await;
        scene.flow.run("INSERT INTO t VALUES (46, 'w')").await;
        scene
            .flow
            .run("UPDATE t SET v = 'x' WHERE id IN (1, 2)")
            .await;
        scene.flow.run("DELETE FROM t WHERE id = 46").await;
        scene.settle().await;
        let look = "SELECT (SELECT count(*) FROM t), count(*) FILTER (WHERE what ~ 'u'), \
                    count(*) FILTER (WHERE what IN ('i1', 'i2', 'i44', 'i45', 'i46')) \
                    + count(*) FILTER (WHERE what = 'i46') FROM noted";
        assert_eq!(query_text(&scene.flow.target, look).await, [expected]);
        scene.stop().await;
    }
}
