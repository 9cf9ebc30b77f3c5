//! Which screen stands in place of the panes: how one comes, and how it goes.

use crate::console::start::Start;
use crate::console::wizard::Wizard;

use super::Model;
use super::mode::{Home, Mode};

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
