//! From tracing to whoever reads the log, unsampled: message first, fields in the order of the source,
//! the whole path of spans. Each reader has a bounded queue, so that a flood of events costs lines on a
//! screen and never a moment of the engine's.
//!
//! ```text
//!  tracing ──> filter: what any reader wants ──> LogLayer ──> LogHub ──┬──> LogFeed of a console
//!                                     lines of an engine elsewhere ──> ┘──> LogFeed of another
//! ```

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::format;
use crate::runtime::clock;

/// So many lines may wait for a reader: more than a second's worth of 5,000 a second, while a
/// picture is drawn five times in that time. Beyond, lines are counted and lost.
const WAITING_MAX: usize = 8192;
/// So many of those places are for lines that somebody may have to act on: a flood of details,
/// a line for each row at `trace`, must not push them out.
const RESERVED: usize = 1024;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// How severe it is.
    pub level: Level,
    /// A short name: `apply`, `slot`, `sql`.
    pub target: &'static str,
    /// What it says.
    pub message: String,
    /// In the order of the source.
    pub fields: Vec<(&'static str, String)>,
    /// The spans around it, outermost first, with their fields.
    pub spans: Vec<String>,
}

impl LogLine {
    /// Returns message, fields and spans as one text.
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            text.push_str(&format!(" {name}={value}"));
        }
        for span in &self.spans {
            text.push(' ');
            text.push_str(span);
        }
        text
    }

    /// Returns whether the line holds a text, without regard to case.
    pub fn holds(&self, needle: &str) -> bool {
        self.target.to_lowercase().contains(needle) || self.text().to_lowercase().contains(needle)
    }

    /// Returns the line as a text of its own, with its time.
    pub fn copied(&self, zone: &TimeZone) -> String {
        let at = format::moment(self.at_ms, zone);
        let text = self.text();
        format!("{at} {:5} {} {text}", self.level, self.target)
    }

    /// Returns the line as a JSON object.
    pub fn json(&self, zone: &TimeZone) -> String {
        let fields: serde_json::Map<String, serde_json::Value> = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        serde_json::json!({
            "at": format::moment(self.at_ms, zone),
            "level": self.level.as_str(),
            "target": self.target,
            "message": self.message,
            "fields": fields,
            "spans": self.spans,
        })
        .to_string()
    }
}

/// A target and the least severe level of it that is written down.
pub type Capture = (&'static str, LevelFilter);

/// Has the filter in front of the layer let these levels through.
type SetLevels = Box<dyn Fn(&[Capture]) + Send + Sync>;

/// Takes lines and hands each to all who read.
#[derive(Clone)]
pub struct LogHub(Arc<Shared>);

struct Shared {
    targets: &'static [&'static str],
    readers: RwLock<Vec<Arc<Reader>>>,
    /// What any reader wants.
    wanted: watch::Sender<Vec<Capture>>,
    set_levels: OnceLock<SetLevels>,
}

struct Reader {
    sender: mpsc::Sender<Captured>,
    lost: AtomicU64,
    levels: RwLock<Vec<Capture>>,
}

/// A layer of the process's subscriber that feeds a hub.
#[derive(Debug)]
pub struct LogLayer(LogHub);

/// A line on its way, and how many were lost before it.
#[derive(Debug)]
pub struct Captured {
    /// So many were lost before it.
    pub lost: u64,
    pub line: LogLine,
}

/// One who reads; dropping it ends that.
pub struct LogFeed {
    hub: LogHub,
    reader: Arc<Reader>,
    receiver: mpsc::Receiver<Captured>,
}

impl Default for LogHub {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl LogHub {
    /// Returns a hub that nobody reads; levels can be chosen for these targets before they have said
    /// anything.
    #[must_use]
    pub fn new(targets: &'static [&'static str]) -> Self {
        Self(Arc::new(Shared {
            targets,
            readers: RwLock::default(),
            wanted: watch::Sender::default(),
            set_levels: OnceLock::new(),
        }))
    }

    /// Returns the layer that feeds it, to be installed with a filter around it.
    #[must_use]
    pub fn layer(&self) -> LogLayer {
        LogLayer(self.clone())
    }

    /// Says how the filter in front of the layer is told what to let through, from now on.
    pub fn on_levels(&self, set_levels: impl Fn(&[Capture]) + Send + Sync + 'static) {
        set_levels(&self.0.wanted.borrow());
        // It is said once, by whoever installs the layer.
        drop(self.0.set_levels.set(Box::new(set_levels)));
    }

    /// Returns one who reads, from this level of our targets on.
    #[must_use]
    pub fn follow(&self, level: LevelFilter) -> LogFeed {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let targets = self.0.targets.iter();
        let reader = Arc::new(Reader {
            sender,
            lost: AtomicU64::new(0),
            levels: RwLock::new(targets.map(|target| (*target, level)).collect()),
        });
        let mut readers = self
            .0
            .readers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        readers.push(Arc::clone(&reader));
        drop(readers);
        self.levels_changed();
        LogFeed {
            hub: self.clone(),
            reader,
            receiver,
        }
    }

    /// Hands a line on that was written elsewhere, with how many were lost before it.
    pub fn put(&self, lost: u64, line: &LogLine) {
        for reader in self.readers().iter() {
            reader.lost.fetch_add(lost, Ordering::Relaxed);
            if reader.wants(line.target, line.level) {
                reader.send(line.clone());
            }
        }
    }

    /// Returns what any reader wants, and a way to wait for a change.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<Vec<Capture>> {
        self.0.wanted.subscribe()
    }

    /// Returns the targets whose levels can be chosen.
    #[must_use]
    pub fn targets(&self) -> &'static [&'static str] {
        self.0.targets
    }

    fn readers(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Reader>>> {
        self.0
            .readers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn levels_changed(&self) {
        let mut union: Vec<Capture> = Vec::new();
        for reader in self.readers().iter() {
            let levels = reader.levels.read().unwrap_or_else(PoisonError::into_inner);
            for (target, level) in levels.iter() {
                match union.iter_mut().find(|(known, _)| known == target) {
                    Some((_, known)) => *known = (*known).max(*level),
                    None => union.push((target, *level)),
                }
            }
        }
        if let Some(set_levels) = self.0.set_levels.get() {
            set_levels(&union);
        }
        self.0.wanted.send_replace(union);
    }
}

impl Reader {
    /// A target that nobody has chosen a level for was let through by the filter in front.
    fn wants(&self, target: &str, level: Level) -> bool {
        let levels = self.levels.read().unwrap_or_else(PoisonError::into_inner);
        let chosen = levels.iter().find(|(known, _)| *known == target);
        chosen.is_none_or(|(_, chosen)| level <= *chosen)
    }

    fn has_room(&self, level: Level) -> bool {
        let is_detail = level > Level::INFO;
        self.sender.capacity() > if is_detail { RESERVED } else { 0 }
    }

    fn send(&self, line: LogLine) {
        let lost = match self.lost.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.lost.swap(0, Ordering::Relaxed),
        };
        if !self.has_room(line.level) || self.sender.try_send(Captured { lost, line }).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

impl LogFeed {
    /// Returns where its lines come from.
    #[must_use]
    pub fn hub(&self) -> LogHub {
        self.hub.clone()
    }

    /// Returns the targets whose levels can be chosen.
    #[must_use]
    pub fn targets(&self) -> &'static [&'static str] {
        self.hub.0.targets
    }

    /// Waits for a line; none when no more can come. Cancel safe.
    pub async fn next(&mut self) -> Option<Captured> {
        self.receiver.recv().await
    }

    /// Returns the next line that has come already.
    pub fn take(&mut self) -> Option<Captured> {
        self.receiver.try_recv().ok()
    }

    /// Returns how many lines were lost behind the last one that was taken, when no other waits.
    #[must_use]
    pub fn take_lost(&self) -> u64 {
        self.reader.lost.swap(0, Ordering::Relaxed)
    }

    /// Has these levels written down from now on.
    pub fn capture(&self, levels: &[Capture]) {
        let mut own = self
            .reader
            .levels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        levels.clone_into(&mut own);
        drop(own);
        self.hub.levels_changed();
    }
}

impl Drop for LogFeed {
    fn drop(&mut self) {
        let mut readers = self
            .hub
            .0
            .readers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| !Arc::ptr_eq(reader, &self.reader));
        drop(readers);
        self.hub.levels_changed();
    }
}

impl fmt::Debug for LogHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHub").finish_non_exhaustive()
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
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let all = self.0.readers();
        let mut readers = all.iter().filter(|reader| {
            // What finds no place is not even put into words: that would cost the engine, not us.
            let wants = reader.wants(target, level);
            if wants && !reader.has_room(level) {
                reader.lost.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            wants
        });
        let Some(first) = readers.next() else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = LogLine {
            at_ms: clock::unix_ms(),
            level,
            target,
            message: fields.message,
            fields: fields.others,
            spans: spans(event, &context),
        };
        for other in readers {
            other.send(line.clone());
        }
        first.send(line);
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

    const TARGETS: &[&str] = &["apply", "slot"];

    /// Reads what a piece of work logs.
    fn logged(level: LevelFilter, work: impl FnOnce(&LogHub, &mut LogFeed)) -> LogFeed {
        let hub = LogHub::new(TARGETS);
        let mut feed = hub.follow(level);
        let subscriber = tracing_subscriber::registry().with(hub.layer());
        tracing::subscriber::with_default(subscriber, || work(&hub, &mut feed));
        feed
    }

    fn last(feed: &mut LogFeed) -> Option<(u64, String)> {
        let taken = std::iter::from_fn(|| feed.take());
        taken.last().map(|one| (one.lost, one.line.message))
    }

    #[test]
    fn events_arrive_with_fields_in_order_and_the_path_of_spans() {
        let mut feed = logged(LevelFilter::INFO, |_, _| {
            let _outer = tracing::info_span!("slot", name = "a").entered();
            let _inner = tracing::info_span!("batch", id = 7).entered();
            tracing::info!(target: "apply", rows = 3, lsn = %"0/1", "batch {}", "committed");
        });
        let captured = feed.take().unwrap();
        assert_eq!(captured.line.target, "apply");
        let text = "batch committed rows=3 lsn=0/1 slot{name=a} batch{id=7}";
        assert_eq!(captured.line.text(), text);
    }

    #[test]
    fn a_flood_blocks_nobody_and_is_counted_where_it_was() {
        let mut feed = logged(LevelFilter::INFO, |_, feed| {
            for _ in 0..WAITING_MAX + 10 {
                tracing::info!("one more");
            }
            let first = feed.take().unwrap();
            assert_eq!(first.lost, 0);
            tracing::info!("there is room again");
        });
        assert_eq!(
            last(&mut feed),
            Some((10, "there is room again".to_owned()))
        );
        assert_eq!(feed.take_lost(), 0);
    }

    #[test]
    fn a_flood_of_details_leaves_room_for_what_matters() {
        let mut feed = logged(LevelFilter::TRACE, |_, _| {
            for _ in 0..WAITING_MAX {
                tracing::trace!("a row");
            }
            tracing::error!("somebody must act");
        });
        let expected = (RESERVED as u64, "somebody must act".to_owned());
        assert_eq!(last(&mut feed), Some(expected));
    }

    #[test]
    fn each_reader_gets_what_it_wants_and_the_filter_lets_all_of_that_through() {
        let mut quiet = logged(LevelFilter::WARN, |hub, _| {
            let mut curious = hub.follow(LevelFilter::OFF);
            curious.capture(&[("slot", LevelFilter::TRACE)]);
            assert_eq!(
                *hub.wanted().borrow(),
                [("apply", LevelFilter::WARN), ("slot", LevelFilter::TRACE)]
            );
            tracing::trace!(target: "slot", "a detail");
            tracing::warn!(target: "slot", "a warning");
            assert_eq!(curious.take().unwrap().line.message, "a detail");
            assert_eq!(curious.take().unwrap().line.message, "a warning");
            drop(curious);
            assert_eq!(
                *hub.wanted().borrow(),
                [("apply", LevelFilter::WARN), ("slot", LevelFilter::WARN)]
            );
        });
        assert_eq!(last(&mut quiet), Some((0, "a warning".to_owned())));
    }
}
