//! Everything a key can ask for. A closed list: the key table, the palette and `update` match it
//! without a wildcard, so that a new action must be given a key, a text and a meaning.

/// The panes: those of the dashboard in the order of their numbers, then those that are screens of
/// their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pane {
    /// Is WAL safe?
    Slots,
    /// Which changes replicated?
    Schema,
    /// How fast, how far behind?
    Throughput,
    /// Why?
    Logs,
    /// Which tables?
    Tables,
    /// How far is the copy of existing tables? It takes the whole screen.
    Snapshot,
    /// Are both sides equal? It takes the whole screen.
    Verify,
}

impl Pane {
    /// The panes of the dashboard in the order in which Tab visits them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Slots,
        Self::Schema,
        Self::Throughput,
        Self::Logs,
        Self::Tables,
    ];

    /// Returns whether it takes the whole screen.
    pub(crate) const fn is_screen(self) -> bool {
        matches!(self, Self::Snapshot | Self::Verify)
    }

    /// Returns the number that jumps to the pane.
    pub(crate) const fn number(self) -> usize {
        self as usize + 1
    }

    /// Returns the title of the pane.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Slots => "Slots",
            Self::Schema => "Schema log",
            Self::Throughput => "Throughput",
            Self::Logs => "Logs",
            Self::Tables => "Tables",
            Self::Snapshot => "Snapshot",
            Self::Verify => "Verify",
        }
    }
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// On the dashboard, whichever pane has the keys.
    Everywhere,
    /// What the engine is asked to do; on the dashboard, whichever pane has the keys.
    Engine,
    /// In one pane.
    In(Pane),
}

impl Scope {
    /// Returns the heading that help gives to its keys.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Engine => "Engine",
            Self::In(pane) => pane.title(),
        }
    }
}

/// What the operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Action {
    Help,
    Palette,
    NextPane,
    PreviousPane,
    GoSlots,
    GoSchema,
    GoThroughput,
    GoLogs,
    GoTables,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Zoom,
    Find,
    FindNext,
    FindPrevious,
    Freeze,
    YankRow,
    YankPane,
    Back,
    Mouse,
    Redraw,
    Suspend,
    Quit,
    Interrupt,
    Pause,
    RetryNow,
    SkipTransaction,
    Stop,
    Init,
    TearDown,
    Config,
    OpenFile,
    Lessons,
    Snapshot,
    SlotsSort,
    SchemaTrouble,
    SchemaRetry,
    SchemaSkip,
    SchemaEdit,
    WindowShorter,
    WindowLonger,
    Unit,
    Follow,
    Targets,
    Wrap,
    YankJson,
    TablesSort,
    RowValues,
    SnapshotCopy,
    SnapshotPause,
    SnapshotMore,
    SnapshotFewer,
    SnapshotFailed,
    SnapshotSort,
    Verify,
    VerifyStart,
    VerifyStop,
    VerifyRepair,
    VerifyValues,
    VerifyTrouble,
}
