//! A pipeline that was torn down and set up again on the same pair.

use crate::cli_check::between;
use crate::cli_config::seen;
use crate::support::clusters::TestCluster;
use crate::support::process::{Outcome, Running};
use crate::support::{Call, connect, execute, pair, query_text, wait_until};

pub(super) const SLOT: &str = "pgstream_tutorial_slot";

pub(super) struct Pair {
    pub(super) source: TestCluster,
    pub(super) target: TestCluster,
}

impl Pair {
    /// Has streamed once.
    pub(super) async fn used() -> Self {
        let (source, target) = pair();
        let pair = Self { source, target };
        assert_eq!(pair.call("init").await.code, Some(0));
        let running = pair.run();
        pair.on_source("CREATE TABLE public.test (id int PRIMARY KEY)")
            .await;
        pair.on_source("INSERT INTO public.test VALUES (1)").await;
        pair.arrives("1").await;
        assert_eq!(running.terminate().await.code, Some(0));
        pair
    }

    pub(super) async fn call(&self, command: &str) -> Outcome {
        between(command, &self.source, &self.target).run().await
    }

    pub(super) fn run(&self) -> Running {
        between("run --headless", &self.source, &self.target).spawn()
    }

    /// As the tutorial does: the source alone.
    async fn tear_down(&self) {
        let url = self.source.url("postgres");
        let call = Call::new(["tear-down", "--pgurl", &url, "--replication-slot", SLOT]);
        let done = call.run().await;
        assert_eq!(done.code, Some(0), "{}", seen(&done));
    }

    pub(super) async fn on_source(&self, sql: &str) {
        execute(&connect(&self.source.url("postgres")).await, sql).await;
    }

    pub(super) async fn arrives(&self, ids: &str) {
        let target = connect(&self.target.url("postgres")).await;
        wait_until(&format!("{ids} arrive"), async || {
            let sql = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM public.test";
            let there = crate::support::sql::try_query_text(&target, sql)
                .await?
                .join("");
            if there == ids { Ok(()) } else { Err(there) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_pair_can_be_used_again_after_tear_down_and_init() {
    let pair = Pair::used().await;
    pair.tear_down().await;
    pair.on_source("INSERT INTO public.test VALUES (2)").await;
    assert_eq!(pair.call("init").await.code, Some(0));

    let checked = pair.call("check").await;
    let said = "is of an earlier installation, which was removed when it stood at";
    assert!(checked.stdout.contains(said), "{}", seen(&checked));
    assert!(
        checked.stdout.contains("pgstream verify --repair"),
        "{}",
        seen(&checked)
    );
    assert_eq!(checked.code, Some(0), "{}", seen(&checked));
    let running = pair.run();
    running.logged("the mark of an earlier installation").await;
    pair.on_source("INSERT INTO public.test VALUES (3)").await;
    pair.arrives("1 3").await;

    let repaired = pair.call("verify --repair").await;
    assert_eq!(repaired.code, Some(0), "{}", seen(&repaired));
    pair.arrives("1 2 3").await;
    assert_eq!(running.terminate().await.code, Some(0));
    let again = pair.run();
    pair.on_source("INSERT INTO public.test VALUES (4)").await;
    pair.arrives("1 2 3 4").await;
    assert!(
        !again.stderr().contains("earlier installation"),
        "{}",
        again.stderr()
    );
    assert_eq!(again.terminate().await.code, Some(0));
}

impl Pair {
    async fn play(&self, running: &Running) {
        for statement in TUTORIAL {
            self.on_source(statement).await;
        }
        let target = connect(&self.target.url("postgres")).await;
        wait_until("the rows arrive", async || {
            let sql = "SELECT string_agg(name, ' ' ORDER BY id) FROM test";
            let there = crate::support::sql::try_query_text(&target, sql).await?;
            match there.join("") == "alice bob charlie" {
                true => Ok(()),
                false => Err(format!("{there:?}; {}", running.stderr())),
            }
        })
        .await;
    }
}

/// The statements of the tutorial; the table that it leaves is dropped first.
#[tokio::test]
async fn the_tutorial_can_be_played_twice_on_the_same_pair() {
    let (source, target) = pair();
    let pair = Pair { source, target };
    for time in 1..=2 {
        let made = pair.call("init").await;
        assert_eq!(made.code, Some(0), "{time}: {}", seen(&made));
        let running = pair.run();
        running.logged("streaming started").await;
        pair.on_source("DROP TABLE IF EXISTS test").await;
        let on_target = connect(&pair.target.url("postgres")).await;
        wait_until("the table of the first time is gone", async || {
            let sql = "SELECT count(*) FROM pg_class WHERE relname = 'test'";
            match query_text(&on_target, sql).await.join("").as_str() {
                "0" => Ok(()),
                other => Err(other.to_owned()),
            }
        })
        .await;
        pair.play(&running).await;
        assert_eq!(running.terminate().await.code, Some(0), "{time}");
        pair.tear_down().await;
    }
}

/// Dropped while nothing was streamed, it is still on the target.
#[tokio::test]
async fn what_the_target_has_of_a_first_time_stops_the_second_and_is_taken_over() {
    let pair = Pair::used().await;
    pair.tear_down().await;
    pair.on_source("DROP TABLE public.test").await;
    assert_eq!(pair.call("init").await.code, Some(0));
    let running = pair.run();
    pair.on_source("CREATE TABLE public.test (id int PRIMARY KEY)")
        .await;
    pair.on_source("INSERT INTO public.test VALUES (1), (2)")
        .await;
    let refused = running.outcome().await;
    assert_eq!(refused.code, Some(65), "{}", seen(&refused));

    let taken = pair.call("verify --repair").await;

    assert_eq!(taken.code, Some(0), "{}", seen(&taken));
    let running = pair.run();
    pair.on_source("INSERT INTO public.test VALUES (3)").await;
    pair.arrives("1 2 3").await;
    assert_eq!(running.terminate().await.code, Some(0));
}

const TUTORIAL: [&str; 9] = [
    "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    "ALTER TABLE test RENAME TO tutorial_test",
    "ALTER TABLE tutorial_test ADD COLUMN age INT DEFAULT 0",
    "ALTER TABLE tutorial_test ALTER COLUMN age TYPE bigint",
    "ALTER TABLE tutorial_test RENAME COLUMN age TO new_age",
    "ALTER TABLE tutorial_test DROP COLUMN new_age",
    "DROP TABLE tutorial_test",
    "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    "INSERT INTO test(name) VALUES('alice'),('bob'),('charlie')",
];

/// Nobody has torn it down: what the slot would have had is lost, and that is said.
#[tokio::test]
async fn a_slot_that_got_lost_stops_the_start_although_init_makes_another() {
    let pair = Pair::used().await;
    pair.on_source(&format!("SELECT pg_drop_replication_slot('{SLOT}')"))
        .await;
    pair.on_source("INSERT INTO public.test VALUES (2)").await;
    assert_eq!(pair.call("init").await.code, Some(0));

    let refused = pair.run().outcome().await;

    assert_eq!(refused.code, Some(78), "{}", seen(&refused));
    assert!(
        refused.stderr.contains("it was created anew"),
        "{}",
        seen(&refused)
    );
    let target = connect(&pair.target.url("postgres")).await;
    assert_eq!(
        query_text(&target, "SELECT id FROM public.test").await,
        ["1"]
    );
}
