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
