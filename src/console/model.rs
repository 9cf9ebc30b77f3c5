//! All that the console knows, as plain data. `update` changes it, the views read it; neither does
//! I/O, so that a test can put the console into any state and look.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::tz::TimeZone;
use ratatui::layout::Size;
use tui_input::Input;

use crate::status::{CopyState, Lag, Phase, Sample, Status};

use super::action::Pane;
use super::keys::Keymap;
use super::lesson::TutorialState;
use super::settings::Settings;
use super::start::Start;
use super::theme::Theme;
use super::wizard::{Wizard, WizardValues};

pub(crate) mod cursor;
pub(crate) mod editor;
pub(crate) mod logs;
pub(crate) mod mode;
pub(crate) mod overlay;
pub(crate) mod proof;
pub(crate) mod rates;
pub(crate) mod rows;
mod screens;
pub(crate) mod servers;

use cursor::Cursor;
use editor::Editor;
use logs::Logs;
use mode::Mode;
use overlay::Overlay;
use proof::Proof;
use rates::TableRates;
use rows::RowsSeen;
use servers::Servers;

/// The whole state of the console.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now_ms: i64,
    /// The zone of all times that are shown.
    pub(crate) zone: TimeZone,
    pub(crate) size: Size,
    pub(crate) display: DisplayOptions,
    pub(crate) keymap: Keymap,
    /// The name of the pipeline: the configuration file's, or the slot's.
    pub(crate) pipeline: String,
    /// The latest status, shown or not.
    pub(crate) latest: Arc<Status>,
    pub(crate) frozen: Option<Frozen>,
    pub(crate) focus: Pane,
    pub(crate) shared: Pane,
    pub(crate) zoom: bool,
    pub(crate) slots: Cursor,
    pub(crate) schema: Cursor,
    pub(crate) tables: Cursor,
    pub(crate) copies: Cursor,
    pub(crate) compared: Cursor,
    pub(crate) proof: Proof,
    /// The pane that had the keys before a screen of its own opened.
    pub(crate) left: Pane,
    pub(crate) sorting: Sorting,
    pub(crate) only: Only,
    /// The number of copies at a time that was asked for and is not yet in the status.
    pub(crate) workers_asked: Option<usize>,
    pub(crate) window: Window,
    pub(crate) unit: Unit,
    /// What happened, oldest first.
    pub(crate) marks: VecDeque<Mark>,
    /// How fast each table changes.
    pub(crate) table_rates: TableRates,
    /// The rows of the table that is looked at.
    pub(crate) rows: RowsSeen,
    pub(crate) logs: Logs,
    /// What the servers themselves say, beside the engine.
    pub(crate) servers: Servers,
    pub(crate) find: Option<Find>,
    pub(crate) overlay: Option<Overlay>,
    /// What is written in place of a refused schema change; kept when it is left.
    pub(crate) editor: Option<Editor>,
    pub(crate) toasts: Vec<Toast>,
    /// The screen that stands.
    pub(crate) mode: Mode,
    /// What the start screen knows, when the console can show one.
    pub(crate) start: Option<Start>,
    /// What is known of the pipeline, for wizards to begin with.
    pub(crate) wizard_values: WizardValues,
    /// The configuration, when the console was given one.
    pub(crate) settings: Option<Settings>,
    /// Wizards that were left on their way.
    pub(crate) parked: Vec<Wizard>,
    /// The tutorial, when this is one.
    pub(crate) tutorial: Option<TutorialState>,
    /// The engine is another process's: it stays when the console goes.
    pub(crate) attached: bool,
    pub(crate) leaving: Leaving,
    /// What the window's title says.
    pub(crate) title: String,
    /// The latest click on a row.
    pub(crate) clicked: Option<Clicked>,
    /// Whether something on the screen has changed since it was last drawn.
    pub(crate) dirty: bool,
}

/// How it looks and behaves, from the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisplayOptions {
    pub(crate) theme: Theme,
    /// Whether the running time ticks by itself.
    pub(crate) motion: bool,
    pub(crate) mouse: bool,
    /// Whether it only shows: nothing is asked of the engine or changed on a server.
    pub(crate) read_only: bool,
}

/// The display stands still; the engine does not.
#[derive(Debug, Clone)]
pub(crate) struct Frozen {
    pub(crate) status: Arc<Status>,
    pub(crate) since_ms: i64,
}

/// In which order the lists stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sorting {
    pub(crate) slots: SlotOrder,
    pub(crate) tables: TableOrder,
    pub(crate) copies: CopyOrder,
}

/// Which lists show only what needs somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Only {
    pub(crate) schema_trouble: bool,
    pub(crate) failed_copies: bool,
}

/// Order of the other slots; ours is always first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SlotOrder {
    /// The slot that keeps most WAL first: will the disk fill up?
    #[default]
    Kept,
    /// The slot that is lost soonest first.
    TimeLeft,
    Name,
}

/// Order of the tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TableOrder {
    /// Most changes first.
    #[default]
    Changes,
    /// Latest change first.
    Latest,
    Name,
}

/// Order of the tables that are copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum CopyOrder {
    /// What needs somebody first, then what moves, what waits, what is done.
    #[default]
    State,
    /// The largest first.
    Size,
    Name,
}

/// The span of time that the charts show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Window {
    Minute,
    #[default]
    FiveMinutes,
    Quarter,
    Hour,
}

impl Window {
    /// All windows, the shortest first.
    pub(crate) const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour];

    /// Returns its length in seconds.
    pub(crate) const fn seconds(self) -> usize {
        match self {
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3600,
        }
    }

    /// Returns its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "1 m",
            Self::FiveMinutes => "5 m",
            Self::Quarter => "15 m",
            Self::Hour => "1 h",
        }
    }

    /// Returns the next longer or shorter one; the last stays.
    pub(crate) fn next(self, longer: bool) -> Self {
        let index = Self::ALL.iter().position(|one| *one == self).unwrap_or(0);
        let next = if longer {
            index + 1
        } else {
            index.saturating_sub(1)
        };
        Self::ALL[next.min(Self::ALL.len() - 1)]
    }
}

/// What the chart counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    #[default]
    Rows,
    Transactions,
    Bytes,
}

/// A search in the pane that has the keys.
#[derive(Debug)]
pub(crate) struct Find {
    pub(crate) input: Input,
    /// Whether keys go to the input.
    pub(crate) editing: bool,
}

/// Something that happened, for the axis of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Seconds since 1970 UTC.
    pub(crate) at_s: i64,
    pub(crate) kind: MarkKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// The engine started.
    Started,
    /// A schema change was applied.
    SchemaChange,
    /// A side was lost.
    Reconnect,
    /// The engine was held at a failure.
    Held,
}

/// More marks than an hour of samples has room for say nothing.
const MARKS_MAX: usize = 512;

/// A message that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) text: String,
    pub(crate) kind: ToastKind,
    pub(crate) until_ms: i64,
}

/// What a toast is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToastKind {
    /// What was done, or has happened.
    Told,
    /// Why nothing happens.
    Refused,
    /// What did not work.
    Failed,
}

/// A click on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clicked {
    pub(crate) pane: Pane,
    /// The line of the view.
    pub(crate) line: usize,
    pub(crate) at_ms: i64,
}

/// How far the operator is on the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Leaving {
    #[default]
    No,
    /// The engine was asked to stop; the console closes when it has, or at this moment, in
    /// milliseconds since 1970 UTC. Its checkpoint is safe either way.
    When { stopped_by_ms: i64 },
    /// The console closes.
    Now,
}

impl Model {
    /// Returns the console as it opens: nothing known yet.
    pub(crate) fn new(
        display: DisplayOptions,
        keymap: Keymap,
        pipeline: String,
        logs: Logs,
    ) -> Self {
        Self {
            now_ms: 0,
            zone: TimeZone::UTC,
            size: Size::new(80, 24),
            display,
            keymap,
            pipeline,
            latest: Arc::default(),
            frozen: None,
            focus: Pane::Slots,
            shared: Pane::Throughput,
            zoom: false,
            slots: Cursor::default(),
            schema: Cursor::default(),
            tables: Cursor::default(),
            copies: Cursor::default(),
            compared: Cursor::default(),
            proof: Proof::default(),
            left: Pane::Slots,
            sorting: Sorting::default(),
            only: Only::default(),
            workers_asked: None,
            window: Window::default(),
            unit: Unit::default(),
            marks: VecDeque::new(),
            table_rates: TableRates::default(),
            rows: RowsSeen::default(),
            logs,
            servers: Servers::default(),
            find: None,
            overlay: None,
            editor: None,
            toasts: Vec::new(),
            mode: Mode::Dashboard,
            start: None,
            wizard_values: WizardValues::default(),
            settings: None,
            parked: Vec::new(),
            tutorial: None,
            attached: false,
            leaving: Leaving::No,
            title: String::new(),
            clicked: None,
            dirty: true,
        }
    }

    /// Returns when something is due although nothing happens, in milliseconds since 1970 UTC.
    pub(crate) fn due_at_ms(&self) -> Option<i64> {
        self.wizard().and_then(|wizard| wizard.try_at_ms)
    }

    /// Returns whether keys go to a pane.
    pub(crate) fn has_keys(&self, pane: Pane) -> bool {
        self.focus == pane
            && !self
                .tutorial
                .as_ref()
                .is_some_and(|tutorial| tutorial.focused)
    }

    /// Returns whether keys go to the selector of the log's targets.
    pub(crate) fn has_selector_keys(&self) -> bool {
        self.logs.selector.keys && self.has_keys(Pane::Logs)
    }

    /// Remembers that something happened.
    pub(crate) fn mark(&mut self, at_s: i64, kind: MarkKind) {
        let mark = Mark { at_s, kind };
        if self.marks.back() == Some(&mark) {
            return;
        }
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// Returns the status to show: the latest, or the frozen one.
    pub(crate) fn status(&self) -> &Status {
        match &self.frozen {
            Some(frozen) => &frozen.status,
            None => &self.latest,
        }
    }

    /// Returns the lag as far as it is known: once the engine has ended, nobody measures it.
    pub(crate) fn lag(&self) -> Lag {
        match self.is_shown_at_rest() {
            // What the servers say of it is known, and not how old the oldest change is.
            true => Lag {
                bytes: self.servers.seen.as_ref().and_then(|seen| seen.lag.bytes),
                ..Lag::default()
            },
            false => self.status().lag,
        }
    }

    /// Returns what replicates now: nothing, once the engine has ended.
    pub(crate) fn latest_sample(&self) -> Sample {
        match self.is_shown_at_rest() {
            true => Sample::default(),
            false => self.status().samples.last().copied().unwrap_or_default(),
        }
    }

    /// Freezes the display, or lets it go on.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen.then(|| Frozen {
            status: Arc::clone(&self.latest),
            since_ms: self.now_ms,
        });
        self.logs.frozen = frozen.then(|| self.logs.end());
    }

    /// Returns whether the engine stands or waits because of a failure.
    pub(crate) fn has_trouble(&self) -> bool {
        let status = self.status();
        status.last_error.is_some()
            && matches!(
                status.phase,
                Phase::Retrying { .. }
                    | Phase::Held
                    | Phase::Crashed
                    | Phase::Starting
                    | Phase::Stopped
            )
    }

    /// Returns how many copies run at the same time, as it is or was asked to be; none without
    /// copies.
    pub(crate) fn worker_count(&self) -> Option<usize> {
        let snapshot = self.latest.snapshot.as_ref()?;
        Some(self.workers_asked.unwrap_or(snapshot.worker_count))
    }

    /// Returns whether a table is still to be copied, or could not be.
    pub(crate) fn has_unready_tables(&self) -> bool {
        let snapshot = self.status().snapshot.as_deref();
        snapshot.is_some_and(|one| one.count(CopyState::Ready) < one.tables.len())
    }

    /// Returns whether leaving now would stop a running stream, or copies.
    pub(crate) fn is_streaming(&self) -> bool {
        matches!(
            self.latest.phase,
            Phase::Copying
                | Phase::Streaming { .. }
                | Phase::Paused
                | Phase::Retrying { .. }
                | Phase::Held
        )
    }

    /// Returns whether the engine that is shown had ended.
    pub(crate) fn is_shown_at_rest(&self) -> bool {
        matches!(self.status().phase, Phase::Stopped | Phase::Crashed)
    }

    /// Returns whether the engine has ended, by itself or by request.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.latest.phase, Phase::Stopped | Phase::Crashed)
    }

    /// Returns how many rows of its own a pane shows, below its headings.
    pub(crate) fn view_rows(&self, pane: Pane) -> usize {
        let around = match pane {
            Pane::Logs | Pane::Throughput => 2,
            Pane::Slots | Pane::Schema | Pane::Tables | Pane::Snapshot | Pane::Verify => 3,
        };
        let place = self.layout().place(pane);
        place.map_or(0, |place| usize::from(place.height.saturating_sub(around)))
    }

    /// Returns the cursor of a list pane.
    pub(crate) const fn cursor(&self, pane: Pane) -> Option<&Cursor> {
        match pane {
            Pane::Slots => Some(&self.slots),
            Pane::Schema => Some(&self.schema),
            Pane::Tables => Some(&self.tables),
            Pane::Snapshot => Some(&self.copies),
            Pane::Verify => Some(&self.compared),
            Pane::Throughput | Pane::Logs => None,
        }
    }

    /// Returns the cursor of a list pane, to move it.
    pub(crate) const fn cursor_mut(&mut self, pane: Pane) -> Option<&mut Cursor> {
        match pane {
            Pane::Slots => Some(&mut self.slots),
            Pane::Schema => Some(&mut self.schema),
            Pane::Tables => Some(&mut self.tables),
            Pane::Snapshot => Some(&mut self.copies),
            Pane::Verify => Some(&mut self.compared),
            Pane::Throughput | Pane::Logs => None,
        }
    }

    /// Returns the text that is searched for, in lower case; none when there is no search.
    pub(crate) fn needle(&self) -> Option<String> {
        let text = self.find.as_ref()?.input.value().to_lowercase();
        (!text.is_empty()).then_some(text)
    }
}
