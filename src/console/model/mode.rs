//! Which screen stands. What stands over it, help or a question, is an overlay.

use crate::console::wizard::Wizard;

/// A screen that the others lead back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Home {
    /// What to do when no pipeline is known.
    Start,
    /// The panes of a pipeline.
    #[default]
    Dashboard,
}

/// The screen that stands.
#[derive(Debug)]
pub(crate) enum Mode {
    Dashboard,
    Start,
    /// The configuration, and what it leads back to.
    Settings(Home),
    /// A wizard, and what it leads back to.
    Wizard(Home, Box<Wizard>),
}

impl Mode {
    pub(super) const fn of(home: Home) -> Self {
        match home {
            Home::Start => Self::Start,
            Home::Dashboard => Self::Dashboard,
        }
    }

    pub(super) const fn home(&self) -> Home {
        match self {
            Self::Dashboard => Home::Dashboard,
            Self::Start => Home::Start,
            Self::Settings(home) | Self::Wizard(home, _) => *home,
        }
    }
}
