//! From tracing to the log pane: message first, fields in the order of the source, the whole path
//! of spans. A bounded queue lies between, so that a flood of events costs lines on the screen and
//! never a moment of the engine's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::model::logs::{Capture, LogLine};
use crate::engine::clock;

/// So many lines may wait for the console: more than a second's worth of 5,000 a second, while a
/// picture is drawn five times in that time. Beyond, lines are counted and lost.
const WAITING_MAX: usize = 8192;
/// So many of those places are for lines that somebody may have to act on: a flood of details,
/// a line for each row at `trace`, must not push them out.
const RESERVED: usize = 1024;

/// Has other levels written down from now on.
type SetLevels = Box<dyn Fn(&[Capture]) + Send>;

/// A layer of the process's subscriber that feeds the console.
#[derive(Debug)]
pub struct LogLayer {
    sender: mpsc::Sender<Captured>,
    lost: Arc<AtomicU64>,
}

/// A line on its way, and how many were lost before it.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) lost: u64,
    pub(super) line: LogLine,
}

/// The console's end of a [`LogLayer`].
pub struct LogFeed {
    receiver: mpsc::Receiver<Captured>,
    lost: Arc<AtomicU64>,
    targets: &'static [&'static str],
    set_levels: SetLevels,
}

impl LogLayer {
    /// Returns a layer, to be installed with a level filter around it, and the feed for
    /// [`ConsoleOptions::logs`](super::ConsoleOptions::logs).
    #[must_use]
    pub fn new() -> (Self, LogFeed) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let layer = Self {
            sender,
            lost: Arc::clone(&lost),
        };
        let feed = LogFeed {
            receiver,
            lost,
            targets: &[],
            set_levels: Box::new(|_| {}),
        };
        (layer, feed)
    }

    fn send(&self, line: LogLine) {
        let lost = match self.lost.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.lost.swap(0, Ordering::Relaxed),
        };
        if self.sender.try_send(Captured { lost, line }).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

impl LogFeed {
    /// Names the targets whose levels can be chosen before they have said anything, and how to have
    /// other levels written down.
    #[must_use]
    pub fn with_levels(
        mut self,
        targets: &'static [&'static str],
        set_levels: impl Fn(&[(&'static str, LevelFilter)]) + Send + 'static,
    ) -> Self {
        self.targets = targets;
        self.set_levels = Box::new(set_levels);
        self
    }

    /// Returns the targets whose levels can be chosen.
    pub(super) const fn targets(&self) -> &'static [&'static str] {
        self.targets
    }

    /// Waits for a line; none when no more can come. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Captured> {
        self.receiver.recv().await
    }

    /// Returns the next line that has come already.
    pub(super) fn take(&mut self) -> Option<Captured> {
        self.receiver.try_recv().ok()
    }

    /// Returns how many lines were lost behind the last one that was taken, when no other waits.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Has these levels written down from now on.
    pub(super) fn capture(&self, levels: &[Capture]) {
        (self.set_levels)(levels);
    }
}

impl fmt::Debug for LogFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFeed").finish_non_exhaustive()
    }
}

/// The fields of a span, kept with the span.
struct SpanFields(Fields);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // What finds no place is not even put into words: that would cost the engine, not us.
        let is_detail = *event.metadata().level() > Level::INFO;
        if self.sender.capacity() <= if is_detail { RESERVED } else { 0 } {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = LogLine {
            at_ms: clock::unix_ms(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            message: fields.message,
            fields: fields.others,
            spans: spans(event, &context),
        };
        self.send(line);
    }
}

fn spans<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> Vec<String> {
    let scope = context.event_scope(event);
    let path = scope
        .into_iter()
        .flat_map(tracing_subscriber::registry::Scope::from_root);
    path.map(|span| {
        let extensions = span.extensions();
        let fields = extensions
            .get::<SpanFields>()
            .map(|SpanFields(fields)| fields.text());
        format!("{}{{{}}}", span.name(), fields.unwrap_or_default())
    })
    .collect()
}

/// Collects the fields of an event or a span.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn text(&self) -> String {
        let pairs = self
            .others
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    /// A measured number: digits beyond the third say nothing.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, format!("{value:.3}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn events_arrive_with_fields_in_order_and_the_path_of_spans() {
        let (layer, mut feed) = LogLayer::new();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let _outer = tracing::info_span!("slot", name = "a").entered();
            let _inner = tracing::info_span!("batch", id = 7).entered();
            tracing::info!(target: "apply", rows = 3, lsn = %"0/1", "batch {}", "committed");
        });
        let line = feed.take().unwrap().line;
        assert_eq!(line.target, "apply");
        let text = "batch committed rows=3 lsn=0/1 slot{name=a} batch{id=7}";
        assert_eq!(line.text(), text);
    }

    #[test]
    fn a_flood_blocks_nobody_and_is_counted_where_it_was() {
        let (layer, mut feed) = LogLayer::new();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..WAITING_MAX + 10 {
                tracing::info!("one more");
            }
            let first = feed.take().unwrap();
            assert_eq!(first.lost, 0);
            tracing::info!("there is room again");
        });
        let mut last = None;
        while let Some(captured) = feed.take() {
            last = Some((captured.lost, captured.line.message));
        }
        assert_eq!(last, Some((10, "there is room again".to_owned())));
        assert_eq!(feed.take_lost(), 0);
    }

    #[test]
    fn a_flood_of_details_leaves_room_for_what_matters() {
        let (layer, mut feed) = LogLayer::new();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..WAITING_MAX {
                tracing::trace!("a row");
            }
            tracing::error!("somebody must act");
        });
        let mut last = None;
        while let Some(captured) = feed.take() {
            last = Some((captured.lost, captured.line.message));
        }
        assert_eq!(
            last,
            Some((RESERVED as u64, "somebody must act".to_owned()))
        );
    }
}
