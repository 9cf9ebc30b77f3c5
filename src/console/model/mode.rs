//! Which screen stands. What stands over it, help or a question, is an overlay.

use crate::console::start::Start;
use crate::console::wizard::Wizard;

use super::Model;

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
    const fn of(home: Home) -> Self {
        match home {
            Home::Start => Self::Start,
            Home::Dashboard => Self::Dashboard,
        }
    }

    const fn home(&self) -> Home {
        match self {
            Self::Dashboard => Home::Dashboard,
            Self::Start => Home::Start,
            Self::Settings(home) | Self::Wizard(home, _) => *home,
        }
    }
}

impl Model {
    /// Returns whether no pipeline is known yet.
    pub(crate) fn is_starting(&self) -> bool {
        self.mode.home() == Home::Start
    }

    /// Returns whether another screen stands in place of the panes.
    pub(crate) const fn is_covered(&self) -> bool {
        !matches!(self.mode, Mode::Dashboard)
    }

    /// Shows the start screen, from now on that which the others lead back to.
    pub(crate) fn begin_at(&mut self, start: Start) {
        self.start = Some(start);
        self.mode = Mode::Start;
    }

    /// Shows the dashboard: there is a pipeline now.
    pub(crate) fn leave_start_screen(&mut self) {
        if let Some(start) = &mut self.start {
            start.choosing = None;
            start.waiting = None;
            start.trouble.clear();
        }
        self.mode = match std::mem::replace(&mut self.mode, Mode::Dashboard) {
            Mode::Dashboard | Mode::Start => Mode::Dashboard,
            Mode::Settings(_) => Mode::Settings(Home::Dashboard),
            Mode::Wizard(_, wizard) => Mode::Wizard(Home::Dashboard, wizard),
        };
    }

    /// Opens the configuration.
    pub(crate) fn open_settings(&mut self) {
        self.mode = Mode::Settings(self.mode.home());
    }

    /// Opens a wizard.
    pub(crate) fn open_wizard(&mut self, wizard: Wizard) {
        self.mode = Mode::Wizard(self.mode.home(), Box::new(wizard));
    }

    /// Leads back; returns the wizard that was left.
    pub(crate) fn leave_screen(&mut self) -> Option<Wizard> {
        let home = Mode::of(self.mode.home());
        match std::mem::replace(&mut self.mode, home) {
            Mode::Wizard(_, wizard) => Some(*wizard),
            Mode::Dashboard | Mode::Start | Mode::Settings(_) => None,
        }
    }

    /// Returns the wizard that is open.
    pub(crate) const fn wizard(&self) -> Option<&Wizard> {
        match &self.mode {
            Mode::Wizard(_, wizard) => Some(wizard),
            Mode::Dashboard | Mode::Start | Mode::Settings(_) => None,
        }
    }

    /// Returns the wizard that is open, to change it.
    pub(crate) const fn wizard_mut(&mut self) -> Option<&mut Wizard> {
        match &mut self.mode {
            Mode::Wizard(_, wizard) => Some(wizard),
            Mode::Dashboard | Mode::Start | Mode::Settings(_) => None,
        }
    }
}
