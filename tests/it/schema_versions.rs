//! Every server that can be tested: the tutorial's statements, and what only newer versions know.

use pgstream::cluster::ClusterOptions;
use pgstream::config::Plugin;

use crate::schema_mirror::Mirror;
use crate::support::flow::{Flow, stop};
use crate::support::{cluster_with, every_server};

const EVERYWHERE: [&str; 10] = [
    "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    "ALTER TABLE test RENAME TO tutorial_test",
    "ALTER TABLE tutorial_test ADD COLUMN age INT DEFAULT 0",
    "ALTER TABLE tutorial_test ALTER COLUMN age TYPE bigint",
    "ALTER TABLE tutorial_test RENAME COLUMN age TO new_age",
    "ALTER TABLE tutorial_test DROP COLUMN new_age",
    "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
    "ALTER TABLE p DETACH PARTITION p1",
    "DROP TABLE tutorial_test",
];

/// Partitions share the identity of their parent.
const SINCE_17: [&str; 5] = [
    "CREATE TABLE i (id int GENERATED ALWAYS AS IDENTITY, r int NOT NULL, PRIMARY KEY (id, r)) \
     PARTITION BY LIST (r)",
    "CREATE TABLE i1 PARTITION OF i FOR VALUES IN (1)",
    "CREATE TABLE i2 (id int NOT NULL, r int NOT NULL)",
    "ALTER TABLE i ATTACH PARTITION i2 FOR VALUES IN (2)",
    "ALTER TABLE i DETACH PARTITION i1",
];

/// NOT NULL has a name, constraints may be not enforced, generated columns virtual.
const SINCE_18: [&str; 38] = [
    "CREATE TABLE nn (a int CONSTRAINT my_nn NOT NULL, b int NOT NULL NO INHERIT, c int)",
    "ALTER TABLE nn RENAME CONSTRAINT my_nn TO other",
    "ALTER TABLE nn ADD CONSTRAINT c_nn NOT NULL c NOT VALID",
    "ALTER TABLE nn VALIDATE CONSTRAINT c_nn",
    "ALTER TABLE nn ALTER CONSTRAINT nn_b_not_null INHERIT",
    "ALTER TABLE nn DROP CONSTRAINT c_nn",
    "ALTER TABLE nn ADD COLUMN d int CONSTRAINT d_nn NOT NULL",
    "ALTER TABLE nn RENAME COLUMN d TO dd",
    "CREATE TABLE kid () INHERITS (nn)",
    "CREATE TABLE kid2 (a int NOT NULL) INHERITS (nn)",
    "ALTER TABLE nn ALTER COLUMN c SET NOT NULL",
    "ALTER TABLE nn ALTER COLUMN c DROP NOT NULL",
    "CREATE TABLE kid3 (CONSTRAINT mine NOT NULL a) INHERITS (nn)",
    "CREATE TABLE kid4 (a int) INHERITS (nn)",
    "ALTER TABLE kid4 ALTER a SET NOT NULL",
    "ALTER TABLE kid ADD PRIMARY KEY (a)",
    "CREATE UNIQUE INDEX kid2_a ON kid2 (a)",
    "ALTER TABLE kid2 ADD PRIMARY KEY USING INDEX kid2_a",
    "ALTER TABLE nn ADD CONSTRAINT c_open NOT NULL c NOT VALID",
    "CREATE TABLE kid5 () INHERITS (nn)",
    "ALTER TABLE kid5 VALIDATE CONSTRAINT c_open",
    "ALTER TABLE kid NO INHERIT nn",
    "ALTER TABLE kid INHERIT nn",
    "ALTER TABLE nn VALIDATE CONSTRAINT c_open",
    "ALTER TABLE nn RENAME CONSTRAINT c_open TO c_done",
    "ALTER TABLE nn ALTER COLUMN c DROP NOT NULL",
    "CREATE TABLE top (a int CONSTRAINT a_top NOT NULL, b int) PARTITION BY LIST (a)",
    "CREATE TABLE part_1 PARTITION OF top FOR VALUES IN (1)",
    "CREATE TABLE part_2 (a int CONSTRAINT own NOT NULL, b int NOT NULL); \
     ALTER TABLE top ATTACH PARTITION part_2 FOR VALUES IN (2)",
    "ALTER TABLE top ADD PRIMARY KEY (a)",
    "ALTER TABLE top DETACH PARTITION part_1; ALTER TABLE top ALTER b SET NOT NULL",
    "ALTER TABLE top ALTER b DROP NOT NULL",
    "ALTER TABLE nn ADD COLUMN v int GENERATED ALWAYS AS (a * 2) VIRTUAL",
    "ALTER TABLE nn ALTER COLUMN v SET EXPRESSION AS (a * 3)",
    "COMMENT ON CONSTRAINT other ON nn IS 'named'",
    "CREATE TABLE f (x int, y int, CONSTRAINT fk FOREIGN KEY (x, y) REFERENCES i NOT ENFORCED)",
    "ALTER TABLE f ALTER CONSTRAINT fk ENFORCED",
    "ALTER TABLE f ADD CHECK (x > 0) NOT ENFORCED",
];

#[tokio::test]
async fn schema_changes_travel_on_every_server() {
    for server in every_server() {
        let mut mirror = Mirror::on(&server).await;
        let major = server.major();
        let seventeen = SINCE_17.iter().filter(|_| major >= 17);
        let eighteen = SINCE_18.iter().filter(|_| major >= 18);
        for sql in EVERYWHERE.iter().chain(seventeen).chain(eighteen) {
            mirror.run(sql).await;
            mirror.assert_equal(sql).await;
        }
    }
}

/// A key of periods (18), or where the server does not know that, a constraint that does the same without
/// being an identity.
fn periods(major: u32) -> [&'static str; 3] {
    match major >= 18 {
        true => [
            "CREATE TABLE stay (room int4range, period daterange, v text, \
             CONSTRAINT whole PRIMARY KEY (room, period WITHOUT OVERLAPS))",
            "CREATE TABLE part (id int PRIMARY KEY, room int4range, period daterange, \
             CONSTRAINT within FOREIGN KEY (room, PERIOD period) REFERENCES stay (room, PERIOD period))",
            "CREATE TABLE rate (room int4range NOT NULL, period daterange NOT NULL, v int, \
             CONSTRAINT one UNIQUE (room, period WITHOUT OVERLAPS)); ALTER TABLE rate REPLICA IDENTITY USING INDEX one",
        ],
        false => [
            "CREATE TABLE stay (room int4range, period daterange, v text, \
             CONSTRAINT whole EXCLUDE USING gist (room WITH =, period WITH &&))",
            "CREATE TABLE part (id int PRIMARY KEY, room int4range, period daterange)",
            "CREATE TABLE rate (room int4range NOT NULL, period daterange NOT NULL, v int, \
             CONSTRAINT one UNIQUE (room, period)); ALTER TABLE rate REPLICA IDENTITY USING INDEX one",
        ],
    }
}

/// Rows that are known by a period, with each identity that they may have.
const PERIODS: [&str; 9] = [
    "INSERT INTO stay VALUES ('[1,2)', '[2026-01-01,2026-02-01)', 'a'), ('[1,2)', '[2026-02-01,2026-03-01)', 'b'), \
     ('[2,3)', '[2026-01-01,infinity)', 'c')",
    "INSERT INTO part VALUES (1, '[1,2)', '[2026-01-15,2026-02-15)')",
    "UPDATE stay SET v = 'changed' WHERE room = '[1,2)' AND period @> date '2026-02-02'",
    "UPDATE stay SET period = '[2026-01-01,2026-06-01)' WHERE room = '[2,3)'",
    "DELETE FROM part; DELETE FROM stay WHERE v = 'a'",
    "ALTER TABLE stay REPLICA IDENTITY FULL; UPDATE stay SET v = v || '!'",
    "ALTER TABLE stay DROP CONSTRAINT whole CASCADE; \
     INSERT INTO stay VALUES ('[2,3)', '[2026-05-01,2026-07-01)', 'd'); DELETE FROM stay WHERE v = 'c!'",
    "UPDATE stay SET room = '[9,10)' WHERE v = 'd'",
    "INSERT INTO rate VALUES ('[1,2)', '[2026-01-01,2026-02-01)', 1), ('[2,3)', '[2026-01-01,infinity)', 2); \
     UPDATE rate SET v = 3 WHERE v = 1; UPDATE rate SET period = '[2026-03-01,2026-04-01)' WHERE v = 3; DELETE FROM rate WHERE v = 2",
];

#[tokio::test]
async fn rows_of_periods_follow_on_every_server() {
    for server in every_server() {
        let on = |name| cluster_with(ClusterOptions::new(name).on(&server));
        let mut flow = Flow::between((on("source"), on("target"))).await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        flow.init(Plugin::Pgoutput).await;
        let engine = flow.start();
        for sql in periods(server.major()).iter().chain(&PERIODS) {
            flow.run(sql).await;
            flow.equal().await;
        }
        stop(engine).await;
    }
}
