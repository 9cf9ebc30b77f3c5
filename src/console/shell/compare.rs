//! A comparison of both sides, begun from the console and given up with it.

use futures_util::future::abortable;
use tokio::sync::mpsc;

use crate::config::{TableFilter, TablePattern};
use crate::console::message::Message;
use crate::console::model::proof::{Comparison, News};
use crate::model::Classify as _;
use crate::status::failure::with_causes;
use crate::verify::{Event, Options, VerifyError, verify};

use super::Shell;
use super::comparing::Comparing;

/// What a comparison says on its way to the screen. What finds no room is in its result, too.
const NEWS_MAX: usize = 4_096;

/// Differing rows that are named, a table.
const ROWS_MAX: usize = 100;

impl Shell {
    /// Begins to compare.
    pub(super) fn compare(&mut self, comparison: Comparison) {
        let Some(pipeline) = self.pipeline.clone() else {
            let news = News::Ended(Err("no pipeline is known".to_owned()));
            self.jobs
                .push(Box::pin(async { Message::Compared(news).into() }));
            return;
        };
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let watch = move |event: Event<'_>| {
            let news = match event {
                Event::Table(table) => News::Table(Box::new(table.clone())),
                Event::Object(object) => News::Object(object.clone()),
                Event::Sequence(sequence) => News::Sequence(sequence.clone()),
                Event::Note(note) => News::Note(note.to_owned()),
                Event::Repaired(table, repaired) => News::Note(format!(
                    "{table}: {} inserted, {} updated, {} deleted",
                    repaired.inserted, repaired.updated, repaired.deleted
                )),
                Event::Progress(progress) => News::Progress(progress),
            };
            drop(sender.try_send(news));
        };
        let work = async move {
            let options = options(comparison);
            match Box::pin(verify(&pipeline, &options, watch)).await {
                Ok(report) => News::Ended(Ok(Box::new(report))),
                Err(error) => News::Ended(Err(words(&error))),
            }
        };
        let (work, handle) = abortable(work);
        self.comparing = Some(Comparing { news, handle });
        self.jobs.push(Box::pin(async move {
            Message::Compared(work.await.unwrap_or(News::Stopped)).into()
        }));
    }

    /// Gives the comparison up.
    pub(super) fn stop_comparing(&mut self) {
        if let Some(comparing) = self.comparing.take() {
            comparing.handle.abort();
        }
    }
}

fn options(comparison: Comparison) -> Options {
    let only = comparison.table.as_deref().map(str::parse::<TablePattern>);
    let only = only.and_then(Result::ok).into_iter().collect();
    Options {
        tables: TableFilter::new(only, Vec::new()),
        worker_count: 2,
        rows_max: ROWS_MAX,
        repair: comparison.repair,
        show_values: comparison.show_values,
        sample: None,
        bytes_per_s: None,
        resume: false,
    }
}

fn words(error: &VerifyError) -> String {
    let hint = error.hint().map(|hint| format!(" (hint: {hint})"));
    with_causes(error) + &hint.unwrap_or_default()
}
