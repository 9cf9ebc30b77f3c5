//! How far a comparison is, on stderr: a bar on a terminal, elsewhere a line now and then.

use std::cell::Cell;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tracing::info;

use crate::cli::progress::{above_bars, add_bar};
use crate::format;
use crate::runtime::clock;
use crate::verify::Progress;

/// Lines come this often while rows are read.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// Where progress goes.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    next_line: Cell<Instant>,
    lines: bool,
}

impl Shown {
    pub(super) fn new(json: bool) -> Self {
        let bar = (!json && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(1);
            let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
            // The template is a constant that a test renders.
            add_bar(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
        });
        Self {
            lines: bar.is_none() && !json,
            bar,
            next_line: Cell::new(clock::now() + LINES_EVERY),
        }
    }

    pub(super) fn progress(&self, progress: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.rows_expected.max(progress.rows).max(1));
            bar.set_position(progress.rows);
            bar.set_message(message(progress));
        } else if self.lines && clock::now() >= self.next_line.get() {
            self.next_line.set(clock::now() + LINES_EVERY);
            info!(target: "snapshot", tables = progress.table_count, done = progress.tables_done,
                rows = progress.rows, bytes = progress.bytes, "comparing");
        }
    }

    /// Writes a line of the result above the bar.
    pub(super) fn above(&self, write: impl FnOnce()) {
        above_bars(write);
    }

    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn message(progress: Progress) -> String {
    format!(
        "{} of {} tables  {} rows  {}",
        progress.tables_done,
        progress.table_count,
        format::count(progress.rows),
        format::bytes(progress.bytes)
    )
}
