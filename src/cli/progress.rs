//! How far a copy is, on stderr: bars on a terminal, elsewhere a line for each table and interval.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::info;

use crate::format;
use crate::model::RelationId;
use crate::status::{CopyState, Snapshot, Status, TableCopy};

/// Lines come this often while rows move.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// Bars move this often.
const BARS_EVERY: Duration = Duration::from_millis(200);

/// More tables than these move at once only in the total.
const BARS_MAX: usize = 8;

/// The bars that are on the screen: whoever writes a line there must know of them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Writes something while no bar is in the way.
pub(super) fn above_bars(write: impl FnOnce()) {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Puts a bar on the screen.
pub(super) fn add_bar(bar: ProgressBar) -> ProgressBar {
    BARS.get_or_init(MultiProgress::new).add(bar)
}

/// Reports until the engine ends.
pub(super) async fn report(status: watch::Receiver<Arc<Status>>) {
    if io::stderr().is_terminal() {
        bars(status).await;
    } else {
        lines(status).await;
    }
}

/// Returns what was copied, in one line.
pub(super) fn summary(status: &Status) -> String {
    let Some(snapshot) = &status.snapshot else {
        return "SUCCESS  pgstream snapshot complete: there was nothing to copy".to_owned();
    };
    let rows = snapshot.tables.iter().map(|table| table.row_count).sum();
    let took_ms = snapshot.started_at_ms.zip(snapshot.finished_at_ms);
    let took_ms = took_ms.map_or(0, |(from, to)| u64::try_from(to - from).unwrap_or_default());
    format!(
        "SUCCESS  pgstream snapshot complete: {} tables, {} rows, {} in {:.1} s",
        snapshot.tables.len(),
        format::count(rows),
        format::bytes(snapshot.byte_count),
        Duration::from_millis(took_ms).as_secs_f64()
    )
}

async fn lines(mut status: watch::Receiver<Arc<Status>>) {
    let mut known = HashMap::new();
    let mut ticks = interval(LINES_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let periodic = tokio::select! {
            biased;
            changed = status.changed() => match changed {
                Ok(()) => false,
                Err(_) => return,
            },
            _ = ticks.tick() => true,
        };
        let snapshot = status.borrow_and_update().snapshot.clone();
        if let Some(snapshot) = snapshot {
            // What was ready before we began is no news.
            let begins = known.is_empty();
            for table in snapshot.tables.iter() {
                let before = known.insert(table.relation, table.state);
                let moves = table.state == CopyState::Copying && periodic;
                let stood = begins && table.state == CopyState::Ready;
                if before != Some(table.state) && !stood || moves {
                    line(table);
                }
            }
        }
    }
}

fn line(table: &TableCopy) {
    let (rows, bytes) = (table.row_count, table.byte_count);
    match table.state {
        CopyState::Copying => info!(
            target: "snapshot", table = table.name, percent = percent(table), rows, bytes,
            bytes_per_s = table.bytes_per_s.round(), left_s = table.left_s, "copying"
        ),
        CopyState::Indexing => info!(target: "snapshot", table = table.name, rows, "indexing"),
        CopyState::Ready => info!(target: "snapshot", table = table.name, rows, bytes, "ready"),
        // What fails is reported where it fails.
        CopyState::Waiting | CopyState::CatchingUp | CopyState::Failed => {}
    }
}

fn percent(table: &TableCopy) -> f64 {
    (table.done() * 100.0).round()
}

async fn bars(mut status: watch::Receiver<Arc<Status>>) {
    let mut screen = Screen::new();
    let mut ticks = interval(BARS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            changed = status.changed() => if changed.is_err() {
                return screen.clear();
            },
            _ = ticks.tick() => {
                let snapshot = status.borrow_and_update().snapshot.clone();
                if let Some(snapshot) = snapshot {
                    screen.show(&snapshot);
                }
            }
        }
    }
}

/// The bars: one for all, one for each table that moves.
struct Screen {
    all: MultiProgress,
    total: Option<ProgressBar>,
    tables: HashMap<RelationId, ProgressBar>,
}

impl Screen {
    fn new() -> Self {
        Self {
            all: BARS.get_or_init(MultiProgress::new).clone(),
            total: None,
            tables: HashMap::new(),
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        if snapshot.is_settled() {
            return self.clear();
        }
        let total = self.total.get_or_insert_with(|| {
            self.all
                .add(ProgressBar::new(0).with_style(style("{bar:30} {percent:>3} %  {msg}")))
        });
        total.set_length(snapshot.bytes_expected.max(snapshot.byte_count));
        total.set_position(snapshot.byte_count);
        total.set_message(format!(
            "{} of {} tables  {}  {}/s{}",
            snapshot.count(CopyState::Ready) + snapshot.count(CopyState::CatchingUp),
            snapshot.tables.len(),
            format::bytes(snapshot.byte_count),
            rate(snapshot.bytes_per_s),
            left(snapshot.left_s)
        ));
        let moves =
            |table: &&TableCopy| matches!(table.state, CopyState::Copying | CopyState::Indexing);
        let moving: Vec<&TableCopy> = snapshot
            .tables
            .iter()
            .filter(moves)
            .take(BARS_MAX)
            .collect();
        self.tables.retain(|relation, bar| {
            let stays = moving.iter().any(|table| table.relation == *relation);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for table in moving {
            self.table(table);
        }
    }

    fn table(&mut self, table: &TableCopy) {
        let all = &self.all;
        let bar = self.tables.entry(table.relation).or_insert_with(|| {
            all.add(ProgressBar::new(0).with_style(style("  {bar:28} {percent:>3} %  {msg}")))
        });
        bar.set_length(table.bytes_expected.max(table.byte_count));
        bar.set_position(table.byte_count);
        bar.set_message(match table.state {
            CopyState::Indexing => format!("{}  indexing", table.name),
            _ => format!(
                "{}  {} rows  {}/s{}",
                table.name,
                format::count(table.row_count),
                rate(table.bytes_per_s),
                left(table.left_s)
            ),
        });
    }

    fn clear(&mut self) {
        for (_, bar) in self.tables.drain() {
            bar.finish_and_clear();
        }
        if let Some(total) = self.total.take() {
            total.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▌ ")
}

fn rate(bytes_per_s: f64) -> String {
    format::bytes(format::whole(bytes_per_s))
}

fn left(seconds: Option<i64>) -> String {
    seconds.map_or_else(String::new, |seconds| {
        format!("  {} left", format::whole_seconds(seconds))
    })
}
