//! Many subjects in one pair of clusters: each has a schema of its own and changes to go through.

use std::sync::Arc;

use pgstream::config::Pipeline;
use pgstream::engine::Handle;
use pgstream::status::{Command, CommandAnswer, Outcome, Phase, Status};

use super::flow::{Flow, stop, wait_for};
use super::{execute, query_text, wait_until};

/// The plugins that every scenario is played with.
pub const PLUGINS: [&str; 2] = ["pgoutput", "wal2json"];

/// One subject: what both sides have before the stream, and what then happens on the source.
pub struct Case {
    /// Name of its schema, which is the only one in the search path.
    pub name: &'static str,
    /// Statements for both sides.
    pub schema: &'static str,
    /// Changes; each is one transaction unless it says otherwise.
    pub changes: &'static [&'static str],
}

/// Where the end of the stream shows on the target.
const MARKER: &str = "CREATE TABLE public.marker (n int PRIMARY KEY)";

/// A running engine between two databases.
pub struct Scenario {
    /// Both sides.
    pub flow: Flow,
    handle: Handle,
    marker: std::cell::Cell<u32>,
}

/// Plays the cases with both plugins and compares both sides at the end.
pub async fn play(cases: &[Case], adjust: impl Fn(&mut Pipeline)) {
    for plugin in PLUGINS {
        play_with(plugin, cases, &adjust).await;
    }
}

/// Plays the cases with one plugin and compares both sides at the end.
pub async fn play_with(plugin: &str, cases: &[Case], adjust: impl Fn(&mut Pipeline)) {
    let schema = |case: &Case| {
        let Case { name, schema, .. } = case;
        format!("CREATE SCHEMA {name}; SET search_path = {name}; {schema};")
    };
    let schema: Vec<String> = cases.iter().map(schema).collect();
    let scenario = Scenario::start(plugin, &schema, adjust).await;
    for case in cases {
        scenario
            .flow
            .run(&format!("SET search_path = {}", case.name))
            .await;
        for change in case.changes {
            scenario.flow.run(change).await;
        }
    }
    scenario.flow.run("RESET search_path").await;
    scenario.equal().await;
    scenario.stop().await;
}

impl Scenario {
    /// Starts both servers with these statements on both sides, and the engine.
    pub async fn start(plugin: &str, schema: &[String], adjust: impl Fn(&mut Pipeline)) -> Self {
        let schema = schema.join(";");
        Self::start_apart(plugin, &schema, &schema, adjust).await
    }

    /// Starts both servers with other statements on each side, and the engine.
    pub async fn start_apart(
        plugin: &str,
        source: &str,
        target: &str,
        adjust: impl Fn(&mut Pipeline),
    ) -> Self {
        let mut flow = Flow::rows(plugin, MARKER).await;
        execute(&flow.source, source).await;
        execute(&flow.target, target).await;
        for side in [&flow.source, &flow.target] {
            execute(side, "RESET search_path").await;
        }
        adjust(&mut flow.pipeline);
        let handle = flow.start();
        Self {
            flow,
            handle,
            marker: 0.into(),
        }
    }

    /// Returns the engine's latest status.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.handle.status().borrow())
    }

    /// Waits until everything that the source has committed so far is on the target.
    pub async fn settle(&self) {
        let n = self.marker.get() + 1;
        self.marker.set(n);
        self.flow
            .run(&format!("INSERT INTO public.marker VALUES ({n})"))
            .await;
        let look = format!("SELECT FROM public.marker WHERE n = {n}");
        wait_until("the target has everything", || async {
            let status = self.status();
            let ended = matches!(status.phase, Phase::Stopped | Phase::Held | Phase::Crashed);
            assert!(!ended, "the engine ended: {}", shown(&status));
            let found = query_text(&self.flow.target, &look).await;
            if found.is_empty() {
                Err(shown(&status))
            } else {
                Ok(())
            }
        })
        .await;
    }

    /// Waits for the end of the stream and compares both sides.
    pub async fn equal(&self) {
        self.settle().await;
        self.flow.equal().await;
    }

    /// Asks the engine for something that it must accept.
    pub async fn command(&self, command: Command) {
        assert_eq!(self.handle.command(command).await, CommandAnswer::Accepted);
    }

    /// Pauses the engine.
    pub async fn pause(&self) {
        self.command(Command::Pause).await;
        wait_for(&self.handle, "a pause", |status| {
            status.phase == Phase::Paused
        })
        .await;
    }

    /// Stops the engine in order and starts another.
    pub async fn restart(&mut self) {
        self.command(Command::Stop).await;
        let outcome = self.handle.join().await;
        assert!(matches!(outcome, Outcome::Stopped), "{outcome:?}");
        self.handle = self.flow.start();
    }

    /// Stops the engine in order.
    pub async fn stop(self) {
        stop(self.handle).await;
    }
}

fn shown(status: &Status) -> String {
    let Status {
        phase,
        checkpoint,
        totals,
        last_error,
        ..
    } = status;
    format!("{phase:?}, {checkpoint:?}, {totals:?}, {last_error:#?}")
}
