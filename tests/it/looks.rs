//! What the engine shows of a table's rows to somebody who looks: the latest changes that are on the
//! target, and the row that it refuses.

use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::status::{ChangeKind, Command, CommandAnswer, Phase, TableLook};

use crate::support::flow::{Flow, stop, wait_for};
use crate::support::scenario::PLUGINS;
use crate::support::{execute, wait_until};

const SCHEMA: &str = "CREATE TABLE orders (region text, id int, note text, PRIMARY KEY (region, id)); \
                      CREATE TABLE other (id int PRIMARY KEY)";

async fn look(engine: &Handle, values: bool) -> TableLook {
    let table = "public.orders".to_owned();
    match engine.command(Command::Look { table, values }).await {
        CommandAnswer::Seen(look) => *look,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_latest_changes_of_a_table_are_shown_with_key_and_commit() {
    for plugin in PLUGINS {
        let flow = Flow::rows(plugin, SCHEMA).await;
        let engine = flow.start();
        let many = "INSERT INTO orders SELECT 'eu', i, 'note' FROM generate_series(1, 15000) AS i; \
                    INSERT INTO other SELECT generate_series(1, 15000)";
        flow.run(&format!("BEGIN; {many}; COMMIT")).await;
        flow.run("UPDATE orders SET id = 0 WHERE id = 15000").await;
        flow.run("DELETE FROM orders WHERE id = 1").await;
        flow.equal().await;
        wait_until("all is counted", async || {
            let found = look(&engine, false).await.changes;
            match found
                .first()
                .is_some_and(|one| one.kind == ChangeKind::Delete)
            {
                true => Ok(()),
                false => Err(format!("{found:?}")),
            }
        })
        .await;

        let found = look(&engine, true).await;
        assert_eq!(found.refused, None, "{plugin}");
        let found = found.changes;
        let shown: Vec<(ChangeKind, &str)> = found
            .iter()
            .map(|one| (one.kind, one.key.as_str()))
            .collect();
        assert_eq!(shown.len(), 20, "{plugin}");
        assert_eq!(
            shown[..4],
            [
                (ChangeKind::Delete, "region=eu, id=1"),
                (ChangeKind::Update, "region=eu, id=0"),
                (ChangeKind::Insert, "region=eu, id=15000"),
                (ChangeKind::Insert, "region=eu, id=14999"),
            ],
            "{plugin}"
        );
        assert!(found[0].commit_lsn > found[1].commit_lsn, "{plugin}");
        assert_eq!(found[2].commit_lsn, found[19].commit_lsn, "{plugin}");
        flow.run("TRUNCATE orders").await;
        wait_until("it is empty", async || {
            let found = look(&engine, false).await.changes;
            match (found[0].kind, found[0].key.as_str()) {
                (ChangeKind::Truncate, "") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        stop(engine).await;
    }
}

/// What the target lacks or has, the change that it refuses therefore, and its row.
const REFUSED: &[(&str, &str, ChangeKind, &str, Option<&str>)] = &[
    (
        "ALTER TABLE orders ADD CHECK (note <> 'secret')",
        "INSERT INTO orders VALUES ('eu', 3, 'fine'), ('eu', 4, 'secret'), ('eu', 5, NULL)",
        ChangeKind::Insert,
        "region=eu id=4",
        Some("secret"),
    ),
    (
        "ALTER TABLE orders ADD CHECK (note <> 'secret')",
        "UPDATE orders SET note = 'secret', id = 7 WHERE id = 2",
        ChangeKind::Update,
        "region=eu id=2 → 7",
        Some("secret"),
    ),
    (
        "DELETE FROM orders WHERE id = 2",
        "DELETE FROM orders",
        ChangeKind::Delete,
        "region=eu id=2",
        None,
    ),
];

#[tokio::test]
async fn the_row_that_the_target_refuses_is_named_and_its_values_are_told_when_asked_for() {
    for plugin in PLUGINS {
        for (differs, change, kind, identity, note) in REFUSED {
            let flow = Flow::rows(plugin, SCHEMA).await;
            let options = EngineOptions {
                hold_on_failure: true,
                ..EngineOptions::default()
            };
            let engine = Engine::start(flow.pipeline.clone(), options);
            flow.run("INSERT INTO orders VALUES ('eu', 1, 'one'), ('eu', 2, 'two')")
                .await;
            flow.equal().await;
            execute(&flow.target, differs).await;
            flow.run(change).await;
            wait_for(&engine, "held", |status| status.phase == Phase::Held).await;

            let row = look(&engine, true).await.refused.expect(change);
            assert_eq!(row.kind, *kind, "{plugin}: {change}");
            let cells = row.cells.iter();
            let of_note = cells.clone().find(|cell| cell.column == "note");
            let of_note = of_note.and_then(|cell| cell.value.as_deref());
            assert_eq!(of_note, *note, "{plugin}: {change}");
            let keys = cells.filter(|cell| cell.key);
            let keys =
                keys.map(|cell| format!("{}={}", cell.column, cell.value.as_deref().unwrap()));
            assert_eq!(
                keys.collect::<Vec<_>>().join(" "),
                *identity,
                "{plugin}: {change}"
            );
            let identity = look(&engine, false).await.refused.expect(change);
            assert!(
                identity.cells.iter().all(|cell| cell.key),
                "{plugin}: {change}"
            );

            let status = format!("{:?}", engine.status().borrow());
            assert!(!status.contains("secret"), "{plugin}: {status}");
            let transaction = engine
                .status()
                .borrow()
                .last_error
                .as_ref()
                .unwrap()
                .transaction;
            let commit_lsn = transaction.unwrap().commit_lsn;
            engine.command(Command::Skip { commit_lsn }).await;
            wait_for(&engine, "streaming", |status| status.totals.skipped == 1).await;
            assert_eq!(
                look(&engine, true).await.refused,
                None,
                "{plugin}: {change}"
            );
            stop(engine).await;
        }
    }
}
