//! A target that the slot does not go on from, taken over without a new copy.

use crate::cli_check::between;
use crate::cli_config::seen;
use crate::support::{connect, execute, pair, query_text, wait_until};

use super::anew::{Pair, SLOT};

/// What leads out where the slot has nothing of the pipeline any more.
const ANEW: &str = "pgstream verify --repair # makes another slot";

impl Pair {
    /// Its slot is gone, with an insert, a change and a delete; there is another one.
    async fn with_a_lost_slot() -> Self {
        let pair = Self::without_its_slot().await;
        assert_eq!(pair.call("init").await.code, Some(0));
        pair.on_source("INSERT INTO public.test VALUES (4)").await;
        pair
    }

    /// Its slot is gone, with an insert, a change and a delete.
    async fn without_its_slot() -> Self {
        let pair = Self::used().await;
        pair.on_source(&format!("SELECT pg_drop_replication_slot('{SLOT}')"))
            .await;
        pair.on_source(
            "INSERT INTO public.test VALUES (2), (3); DELETE FROM public.test WHERE id = 1",
        )
        .await;
        pair
    }

    /// Each command ends, and says what to do.
    async fn is_refused(&self, commands: &[&str], fix: &str) {
        for command in commands {
            let refused = self.call(command).await;
            assert_eq!(refused.code, Some(78), "{}", seen(&refused));
            assert!(seen(&refused).contains(fix), "{}", seen(&refused));
        }
    }

    async fn ids(&self) -> String {
        let target = connect(&self.target.url("postgres")).await;
        let sql = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM public.test";
        query_text(&target, sql).await.join("")
    }

    async fn streams_on(&self, ids: &str) {
        let running = self.run();
        self.on_source("INSERT INTO public.test VALUES (9)").await;
        self.arrives(ids).await;
        assert_eq!(running.terminate().await.code, Some(0));
        let proof = self.call("verify").await;
        assert_eq!(proof.code, Some(0), "{}", seen(&proof));
    }
}

#[tokio::test]
async fn a_lost_slot_needs_no_new_copy() {
    let pair = Pair::with_a_lost_slot().await;
    pair.is_refused(&["check", "run --headless"], "pgstream verify --repair")
        .await;

    let taken = pair.call("verify --repair").await;

    assert_eq!(taken.code, Some(0), "{}", seen(&taken));
    assert!(
        taken.stdout.contains("taken over: pgstream run goes on"),
        "{}",
        seen(&taken)
    );
    assert!(
        taken.stdout.contains("3 inserted, 0 updated, 1 deleted"),
        "{}",
        seen(&taken)
    );
    assert_eq!(pair.ids().await, "2 3 4");
    pair.streams_on("2 3 4 9").await;
}

/// `init` need not be run first: what brings the rows makes the slot.
#[tokio::test]
async fn a_slot_that_was_dropped_is_made_anew_where_the_target_is_taken_over() {
    let pair = Pair::without_its_slot().await;
    pair.is_refused(&["check", "run --headless"], ANEW).await;
    let compared = pair.call("verify").await;
    assert_eq!(compared.code, Some(78), "{}", seen(&compared));

    let taken = pair.call("verify --repair").await;

    assert_eq!(taken.code, Some(0), "{}", seen(&taken));
    assert_eq!(pair.ids().await, "2 3");
    pair.streams_on("2 3 9").await;
}

/// Without its publication nothing of a slot can be decoded: both are made anew, whether the slot is there or
/// not.
#[tokio::test]
async fn a_publication_that_was_dropped_is_made_anew_where_the_target_is_taken_over() {
    for slot_too in [true, false] {
        let pair = match slot_too {
            true => Pair::without_its_slot().await,
            false => Pair::used().await,
        };
        pair.on_source(&format!("DROP PUBLICATION {SLOT}_publication"))
            .await;
        pair.on_source("INSERT INTO public.test VALUES (5)").await;
        pair.is_refused(&["check", "run --headless"], ANEW).await;

        let taken = pair.call("verify --repair").await;

        assert_eq!(taken.code, Some(0), "{}", seen(&taken));
        let ids = if slot_too { "2 3 5" } else { "1 5" };
        assert_eq!(pair.ids().await, ids);
        pair.streams_on(&format!("{ids} 9")).await;
    }
}

#[tokio::test]
async fn a_slot_whose_wal_is_gone_is_made_anew_where_the_target_is_taken_over() {
    let pair = Pair::used().await;
    pair.on_source("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        .await;
    pair.on_source("SELECT pg_reload_conf()").await;
    pair.on_source("UPDATE public.test SET id = 2").await;
    let source = connect(&pair.source.url("postgres")).await;
    wait_until("the slot is lost", async || {
        execute(&source, "CREATE TABLE public.fill AS SELECT 1 AS id").await;
        execute(&source, "DROP TABLE public.fill").await;
        execute(&source, "SELECT pg_switch_wal()").await;
        execute(&source, "CHECKPOINT").await;
        let sql = "SELECT wal_status FROM pg_replication_slots";
        let status = query_text(&source, sql).await.join("");
        if status == "lost" {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
    pair.is_refused(&["run --headless"], ANEW).await;

    let taken = pair.call("verify --repair").await;

    assert_eq!(taken.code, Some(0), "{}", seen(&taken));
    assert_eq!(pair.ids().await, "2");
    pair.streams_on("2 9").await;
}

/// A slip of the hand is not a slot that was lost.
#[tokio::test]
async fn a_name_that_no_pipeline_has_makes_no_slot() {
    let pair = Pair::used().await;

    let refused = between("verify --repair", &pair.source, &pair.target)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", "another_slot")
        .run()
        .await;

    assert_eq!(refused.code, Some(78), "{}", seen(&refused));
    let source = connect(&pair.source.url("postgres")).await;
    let slots = "SELECT slot_name FROM pg_replication_slots";
    assert_eq!(query_text(&source, slots).await, [SLOT]);
}

impl Pair {
    /// As `pg_restore` or another tool leaves it: what was changed since is not there.
    async fn restored() -> Self {
        let (source, target) = pair();
        let pair = Self { source, target };
        assert_eq!(pair.call("init").await.code, Some(0));
        pair.on_source("CREATE TABLE public.test (id int PRIMARY KEY)")
            .await;
        pair.on_source("INSERT INTO public.test VALUES (1), (2), (3)")
            .await;
        let target = connect(&pair.target.url("postgres")).await;
        execute(&target, "CREATE TABLE public.test (id int PRIMARY KEY)").await;
        execute(&target, "INSERT INTO public.test VALUES (1), (2), (7)").await;
        pair
    }
}

#[tokio::test]
async fn a_target_that_was_filled_by_other_means_is_taken_over() {
    let pair = Pair::restored().await;
    wait_until("check says what is there", async || {
        let checked = pair.call("check").await;
        let said = "public.test: has rows, and the target has no checkpoint of this pipeline";
        let hint = "pgstream verify --repair # if they came with a dump";
        match checked.stdout.contains(said) && checked.stdout.contains(hint) {
            true => Ok(()),
            false => Err(seen(&checked)),
        }
    })
    .await;

    let taken = pair.call("verify --repair").await;

    assert_eq!(taken.code, Some(0), "{}", seen(&taken));
    assert_eq!(pair.ids().await, "1 2 3");
    pair.streams_on("1 2 3 9").await;
}

#[tokio::test]
async fn run_says_that_rows_of_a_dump_are_as_old_as_the_dump() {
    let pair = Pair::restored().await;
    let target = connect(&pair.target.url("postgres")).await;
    execute(&target, "ANALYZE public.test").await;

    let running = pair.run();

    running
        .logged("public.test has rows, and the target has no checkpoint of this pipeline")
        .await;
    drop(running.kill().await);
}

/// The stream stands at a change of a row that the target has lost: nothing brings it further but rows.
#[tokio::test]
async fn a_target_that_refuses_a_transaction_is_brought_past_it() {
    let pair = Pair::used().await;
    let target = connect(&pair.target.url("postgres")).await;
    execute(&target, "DELETE FROM public.test").await;
    pair.on_source("UPDATE public.test SET id = 2").await;
    let refused = pair.run().outcome().await;
    assert_eq!(refused.code, Some(65), "{}", seen(&refused));

    let repaired = pair.call("verify --repair").await;

    assert_eq!(repaired.code, Some(0), "{}", seen(&repaired));
    assert_eq!(pair.ids().await, "2");
    pair.streams_on("2 9").await;
}

#[tokio::test]
async fn a_schema_that_differs_keeps_a_target_from_being_taken_over() {
    let pair = Pair::with_a_lost_slot().await;
    let target = connect(&pair.target.url("postgres")).await;
    execute(&target, "ALTER TABLE public.test ADD CHECK (id < 100)").await;
    execute(&target, "ALTER TABLE public.test ALTER id TYPE bigint").await;

    let refused = pair.call("verify --repair").await;

    assert_eq!(refused.code, Some(65), "{}", seen(&refused));
    let said = "table public.test: column id is integer NOT NULL on the source and bigint NOT NULL";
    assert!(refused.stdout.contains(said), "{}", seen(&refused));
    assert_eq!(pair.run().outcome().await.code, Some(78));
}

#[tokio::test]
async fn taking_over_can_be_killed_at_each_step_and_done_again() {
    for place in [
        "verify.after_slot",
        "verify.before_repair",
        "verify.after_repair",
        "verify.before_adoption",
        "verify.after_adoption",
    ] {
        let pair = Pair::without_its_slot().await;
        let killed = between("verify --repair", &pair.source, &pair.target)
            .env("FAILPOINTS", &format!("{place}=return"))
            .run()
            .await;
        assert_ne!(killed.code, Some(0), "{place}: {}", seen(&killed));

        let again = pair.call("verify --repair").await;

        assert_eq!(again.code, Some(0), "{place}: {}", seen(&again));
        assert_eq!(pair.ids().await, "2 3", "{place}");
        pair.streams_on("2 3 9").await;
    }
}
