//! The oracle sees what it must see; a blind oracle would make every other test green.

use crate::support::clusters::TestCluster;
use crate::support::oracle::{differences, picture};
use crate::support::{assert_equal, cluster, connect, execute};

const SAMPLE: &str = "
CREATE TABLE ledger(n int, note text);
INSERT INTO ledger SELECT g, 'note ' || g FROM generate_series(1, 100) g;
CREATE SCHEMA \"Odd\";
CREATE TABLE \"Odd\".\"T.1\"(id bigserial PRIMARY KEY, v numeric DEFAULT 1 CHECK (v > 0));
INSERT INTO \"Odd\".\"T.1\"(v) VALUES (1), (2)";

/// Makes two equal databases, changes the second, and returns what the oracle says.
async fn seen(cluster: &TestCluster, number: usize, change: &str) -> Vec<String> {
    let admin = connect(&cluster.url("postgres")).await;
    let names = [format!("one_{number}"), format!("two_{number}")];
    for name in &names {
        execute(&admin, &format!("CREATE DATABASE {name}")).await;
    }
    let [one, two] = [
        connect(&cluster.url(&names[0])).await,
        connect(&cluster.url(&names[1])).await,
    ];
    execute(&one, SAMPLE).await;
    execute(&two, SAMPLE).await;
    assert_equal(&one, &two).await;

    execute(&two, change).await;

    differences(
        &picture(&one, &[]).await.expect("a picture"),
        &picture(&two, &[]).await.expect("a picture"),
    )
}

#[tokio::test]
async fn sees_each_kind_of_difference() {
    let cases = [
        (
            "a lost row",
            "DELETE FROM ledger WHERE n = 5",
            "rows of public.ledger",
        ),
        (
            "a doubled row",
            "INSERT INTO ledger VALUES (5, 'note 5')",
            "rows of public.ledger",
        ),
        (
            "one lost and another doubled",
            "UPDATE ledger SET n = 6, note = 'note 6' WHERE n = 5",
            "rows of public.ledger",
        ),
        (
            "a pair of rows swapped for another pair",
            "DELETE FROM ledger; INSERT INTO ledger SELECT 1, 'note 1' FROM generate_series(1, 100)",
            "rows of public.ledger",
        ),
        (
            "NULL for empty",
            "UPDATE ledger SET note = NULL WHERE n = 5",
            "rows of public.ledger",
        ),
        (
            "a column more",
            "ALTER TABLE ledger ADD x int",
            "column public.ledger.x",
        ),
        (
            "another default",
            "ALTER TABLE \"Odd\".\"T.1\" ALTER v SET DEFAULT 2",
            "column \"Odd\".\"T.1\".v",
        ),
        (
            "an index less",
            "CREATE INDEX more ON ledger(n)",
            "index public.more",
        ),
        (
            "a constraint less",
            "ALTER TABLE \"Odd\".\"T.1\" DROP CONSTRAINT \"T.1_v_check\"",
            "constraint \"Odd\".\"T.1\".\"T.1_v_check\"",
        ),
        (
            "a sequence behind",
            "SELECT setval('\"Odd\".\"T.1_id_seq\"', 1)",
            "sequence \"Odd\".\"T.1_id_seq\"",
        ),
    ];
    let cluster = cluster("oracle");
    for ((what, change, expected), number) in cases.into_iter().zip(1..) {
        let found = seen(&cluster, number, change).await;
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{what}: {found:?}"
        );
    }
}

#[tokio::test]
async fn does_not_mind_the_order_of_rows_nor_a_sequence_ahead() {
    let reordered = "
        CREATE TABLE copy AS SELECT * FROM ledger ORDER BY n DESC;
        TRUNCATE ledger;
        INSERT INTO ledger SELECT * FROM copy;
        DROP TABLE copy;
        SELECT nextval('\"Odd\".\"T.1_id_seq\"')";

    assert_eq!(
        seen(&cluster("oracle"), 1, reordered).await,
        Vec::<String>::new()
    );
}
