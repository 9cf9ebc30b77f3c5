//! What can happen to the console, and what it can ask the world to do: the two ends of `update`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ratatui::layout::Size;

use crate::config::Resolved;
use crate::status::{Command, CommandAnswer, EngineEvent, Status};

use super::chord::Chord;
use super::lesson::{Lesson, Request, Seen};
use super::model::logs::{Capture, LogLine};
use super::model::proof::{Comparison, News};
use super::model::servers::{Looked, Query};
use super::start::Found;
use super::wizard::{Answer, Job, Kind};

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// The clock, in milliseconds since 1970 UTC.
    Now(i64),
    Key(Chord),
    Paste(String),
    Click {
        column: u16,
        row: u16,
    },
    /// The wheel, in rows down.
    Wheel {
        column: u16,
        row: u16,
        rows: isize,
    },
    Resize(Size),
    Status(Arc<Status>),
    Event(EngineEvent),
    /// The engine is not there any more, and had not said that it would go.
    EngineGone,
    /// The engine answered a command; none: it is not there any more.
    Answered(Command, Option<CommandAnswer>),
    /// A line of the log, and how many were lost before it.
    Log {
        lost: u64,
        line: LogLine,
    },
    /// So many log lines were lost behind the last one.
    LogsLost(u64),
    /// What a comparison of both sides says.
    Compared(News),
    /// What the servers themselves have said.
    Looked(Looked),
    /// Where copied or written text went, or why it went nowhere.
    Told(Result<String, String>),
    /// Something was done on the tutorial's servers, or looked for.
    Performed(Request, Seen),
    /// The tutorial has written its configuration file.
    Configured(Vec<Resolved>, PathBuf),
    /// What stands in the configuration file now that it was changed, or why it was not.
    Saved(Result<String, String>),
    /// What a wizard of this kind has asked for.
    Wizard(Kind, Answer),
    /// A configuration file was opened, or why not.
    Opened(Result<Found, Vec<String>>),
    /// The tutorial's servers are there, with lessons and addresses, or why not.
    Staged(Result<(Vec<Lesson>, Vec<String>), Vec<String>>),
    /// The process was asked to end.
    Terminate,
}

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the engine.
    Command(Command),
    /// Start a fresh engine in place of one that has ended.
    StartEngine,
    /// Compare both sides.
    Compare(Comparison),
    /// Give the comparison up.
    StopComparing,
    /// Ask the servers themselves.
    DisplayOptions(Query),
    /// Write down other levels of the log.
    Capture(Vec<Capture>),
    /// Put text on the clipboard; `what` it is, for the toast.
    Yank { what: String, text: String },
    /// Switch the mouse on or off.
    Mouse(bool),
    /// Do something on the tutorial's servers.
    Perform(Request),
    /// Write changed values into the configuration file.
    Save {
        path: PathBuf,
        changes: BTreeMap<&'static str, String>,
    },
    /// Ask the servers for a wizard of this kind.
    Wizard(Kind, Job),
    /// Write text into a file of this name.
    Write { name: String, text: String },
    /// Open a configuration file and start its pipeline.
    Open(PathBuf),
    /// Start the tutorial's servers.
    Stage,
    /// Give the terminal's window a title, and ring its bell.
    Title { text: String, bell: bool },
    /// Draw every cell anew.
    Redraw,
    /// Give the terminal back until the shell says `fg`.
    Suspend,
}
