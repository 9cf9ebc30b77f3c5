//! The start screen: what to do when no pipeline is known. Plain data; what it chooses is done
//! outside, by whoever opened the console.

use std::fmt;
use std::path::{Path, PathBuf};

use futures_util::future::LocalBoxFuture;
use tracing::Level;
use tui_input::Input;

use crate::config::{Pipeline, Resolved};

use super::action::Action;
use super::lesson::Tutorial;
use super::link::Launch;
use super::wizard::WizardValues;

/// Opens a configuration file, or says why it cannot, line by line.
pub type Opener = Box<dyn FnMut(&Path) -> Result<Opened, Vec<String>>>;

/// Starts the tutorial's servers, or says why it cannot, line by line.
pub type Stager = Box<dyn FnMut() -> LocalBoxFuture<'static, Result<Tutorial, Vec<String>>>>;

/// What the start screen can reach outside.
pub struct Starts {
    /// Why there is no pipeline yet, when something was given.
    pub notice: Vec<String>,
    /// The configuration files that can be chosen.
    pub files: Vec<PathBuf>,
    /// Opens a configuration file.
    pub open: Opener,
    /// Starts the tutorial's servers.
    pub stage: Stager,
}

/// A configuration file that can be read.
pub struct Opened {
    /// What the screen shows of it.
    pub found: Found,
    /// Starts its engine; none when it names no pipeline.
    pub launch: Option<Launch>,
    /// The servers to look at.
    pub observed: Option<Pipeline>,
}

/// What the screen shows of a configuration file.
#[derive(Debug)]
pub struct Found {
    /// The name of the pipeline.
    pub pipeline: String,
    /// The settings with their origins, and the file.
    pub settings: (Vec<Resolved>, PathBuf),
    /// What a wizard may know beforehand.
    pub wizard_values: WizardValues,
    /// The level that the log shows to begin with.
    pub level: Level,
    /// Why it cannot be started, line by line; empty when it was.
    pub trouble: Vec<String>,
}

impl fmt::Debug for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starts")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// What the menu offers: the action, and what it leads to.
pub(crate) const MENU: [(Action, &str, &str); 5] = [
    (
        Action::Lessons,
        "Play the tutorial",
        "two throw-away servers, short lessons, every step shown on both sides",
    ),
    (
        Action::OpenFile,
        "Open a configuration file",
        "and start its pipeline",
    ),
    (
        Action::Init,
        "Set up a new pipeline",
        "asks for both servers, checks them, shows each statement before it runs",
    ),
    (
        Action::TearDown,
        "Take a pipeline down",
        "removes what init and run made, on both sides",
    ),
    (Action::Quit, "Quit", "nothing has been started"),
];

/// The start screen's state.
#[derive(Debug)]
pub(crate) struct Start {
    /// The selected line of the menu.
    pub(crate) selected: usize,
    /// The files that can be chosen.
    pub(crate) files: Vec<String>,
    /// The file being chosen.
    pub(crate) choosing: Option<Choosing>,
    /// What is being waited for.
    pub(crate) waiting: Option<String>,
    /// Why the latest choice came to nothing, or why there is no pipeline.
    pub(crate) trouble: Vec<String>,
}

/// A file being chosen: typed, or taken from the list.
#[derive(Debug, Default)]
pub(crate) struct Choosing {
    pub(crate) input: Input,
    /// The line of the list that the text came from.
    pub(crate) listed: Option<usize>,
}

impl Start {
    /// Returns the screen as it opens.
    pub(crate) fn new(notice: Vec<String>, files: &[PathBuf]) -> Self {
        Self {
            // Whoever has a configuration file here has come for it.
            selected: usize::from(!files.is_empty()),
            files: files
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            choosing: None,
            waiting: None,
            trouble: notice,
        }
    }

    /// Returns the action of the selected line.
    pub(crate) fn chosen(&self) -> Action {
        MENU[self.selected.min(MENU.len() - 1)].0
    }

    /// Moves in the menu.
    pub(crate) fn select(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by).min(MENU.len() - 1);
    }
}

impl Choosing {
    /// Takes the next file of the list, or the one before.
    pub(crate) fn take(&mut self, files: &[String], by: isize) {
        let Some(last) = files.len().checked_sub(1) else {
            return;
        };
        let next = match self.listed {
            Some(index) => index.saturating_add_signed(by).min(last),
            None if by < 0 => last,
            None => 0,
        };
        self.listed = Some(next);
        self.input = Input::new(files[next].clone());
    }
}
