//! What can stand over the dashboard: help, palette, details, questions. One at a time.

use crossterm::event::KeyCode;
use tui_input::{Input, InputRequest};

use crate::console::action::Pane;
use crate::console::chord::Chord;
use crate::model::{Lsn, RelationId};

/// What stands over the dashboard.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// All keys, filtered by what is typed.
    Help(Filtered),
    /// All actions, filtered by what is typed.
    Palette(Filtered),
    /// The selected row in plain words.
    Detail {
        /// The pane whose row it is.
        pane: Pane,
        /// Lines scrolled down.
        scroll: u16,
    },
    /// The SQL of a refused schema change, to be edited; the text is the model's.
    Editor,
    /// A question that must be answered.
    Question(Question),
}

/// A list with a filter above it.
#[derive(Debug, Default)]
pub(crate) struct Filtered {
    pub(crate) filter: Input,
    pub(crate) selected: usize,
}

/// A question before something that cannot be undone, or that costs something.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) purpose: Purpose,
    /// The words of «do it».
    pub(crate) go: String,
    /// The words of «leave it».
    pub(crate) keep: String,
    pub(crate) answer: Answer,
}

/// How a question is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// One of two; it starts on «leave it».
    Choice {
        /// Whether «do it» is chosen.
        go: bool,
    },
    /// By typing a text; «do it» waits until it matches.
    Typed {
        /// What must be typed.
        expected: String,
        /// What was typed so far.
        input: Input,
    },
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Stop the engine and leave.
    Quit,
    /// Let the shell have the terminal, while the engine stands still.
    Suspend,
    /// Start an engine where none runs.
    Start,
    /// Stop the engine and stay.
    Stop,
    /// Skip the transaction that the engine stands at.
    Skip(Lsn),
    /// Run the edited text in place of a refused schema change.
    Edit,
    /// Save what was changed in the configuration.
    Save,
    /// Bring rows that differ from the source.
    Repair,
    /// Copy this table again.
    Copy(RelationId),
}

impl Question {
    /// Returns whether Enter would do it.
    pub(crate) fn is_armed(&self) -> bool {
        match &self.answer {
            Answer::Choice { go } => *go,
            Answer::Typed { expected, input } => input.value().trim() == expected,
        }
    }
}

/// Lets a key edit a text; returns whether it meant something there.
pub(crate) fn edit(input: &mut Input, chord: Chord) -> bool {
    let request = match (chord.code, chord.ctrl) {
        (KeyCode::Left, false) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false) => InputRequest::GoToNextChar,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Home, _) | (KeyCode::Char('a'), true) => InputRequest::GoToStart,
        (KeyCode::End, _) | (KeyCode::Char('e'), true) => InputRequest::GoToEnd,
        (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        _ => match chord.typed() {
            Some(character) => InputRequest::InsertChar(character),
            None => return false,
        },
    };
    input.handle(request);
    true
}

/// Puts a line into a text, as if typed.
pub(crate) fn insert(input: &mut Input, line: &str) {
    for character in line.chars().filter(|one| !one.is_control()) {
        input.handle(InputRequest::InsertChar(character));
    }
}

/// Returns the first line of a text that is not blank, and whether others follow it.
pub(crate) fn first_line(text: &str) -> (&str, bool) {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    (first.trim_end(), lines.next().is_some())
}
