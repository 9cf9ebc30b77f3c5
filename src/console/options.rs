//! How the console is asked for: by flags, by the environment, by the terminal itself.

use std::path::PathBuf;
use std::{env, fs};

use jiff::tz::TimeZone;
use tracing::Level;

use crate::attach::log::LogFeed;
use crate::config::{Palette, Pipeline, Resolved, Screen};

use super::error::ConsoleError;
use super::keys::Keymap;
use super::lesson::Tutorial;
use super::model::logs::Logs;
use super::model::{DisplayOptions, Model};
use super::settings::Settings;
use super::start::{Start, Starts};
use super::theme::{self, Own, Theme};
use super::update::ask;
use super::wizard::{Kind, Wizard, WizardValues};

/// The wizard that a console opens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Set a pipeline up.
    Init,
    /// Take one down.
    TearDown,
}

/// How the console opens.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct ConsoleOptions {
    /// The name of the pipeline, such as that of the configuration file.
    pub pipeline: String,
    pub palette: Palette,
    /// A file with colours of one's own.
    pub colours: Option<PathBuf>,
    /// ASCII frames and bars.
    pub ascii: bool,
    /// Whether the running time ticks by itself.
    pub motion: bool,
    /// Whether the mouse is taken from the terminal.
    pub mouse: bool,
    /// Whether it only shows.
    pub read_only: bool,
    /// Keys to move: `pause = ctrl-s, quit = Q`.
    pub keys: String,
    /// The level that the log shows to begin with: what the subscriber lets through.
    pub level: Level,
    /// What is logged.
    pub logs: Option<LogFeed>,
    /// The configuration with its origins, and the file into which changes are saved.
    pub settings: Option<(Vec<Resolved>, Option<PathBuf>)>,
    /// The servers to look at beside the engine.
    pub observed: Option<Pipeline>,
    /// Whether to offer an engine, because none runs.
    pub offer: bool,
    /// A wizard to open with; none: the dashboard.
    pub opening: Option<Opening>,
    /// What wizards may know beforehand.
    pub wizard_values: WizardValues,
    /// The start screen, for a console without a pipeline.
    pub starts: Option<Starts>,
    /// A tutorial to be played beside the panes.
    pub tutorial: Option<Tutorial>,
}

impl ConsoleOptions {
    /// Returns the options that the environment asks for: `NO_COLOR`, a locale that is not UTF-8.
    #[must_use]
    pub fn of_environment(pipeline: impl Into<String>) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let has_truecolor = set("COLORTERM").is_some_and(|it| it == "truecolor" || it == "24bit");
        let palette = match set("NO_COLOR") {
            Some(_) => Palette::Mono,
            None if has_truecolor => Palette::Truecolor,
            None => Palette::Auto,
        };
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        Self {
            pipeline: pipeline.into(),
            palette,
            colours: None,
            ascii: locale.is_some_and(|name| !is_utf8(&name)),
            motion: true,
            mouse: true,
            read_only: false,
            keys: String::new(),
            level: Level::INFO,
            logs: None,
            settings: None,
            observed: None,
            offer: false,
            opening: None,
            wizard_values: WizardValues::default(),
            starts: None,
            tutorial: None,
        }
    }

    /// Takes in what the configuration says of the screen.
    #[must_use]
    pub fn with_screen(mut self, screen: Screen) -> Self {
        self.keys = screen.keys.unwrap_or(self.keys);
        self.palette = match screen.palette {
            // What the terminal can show is known already.
            None | Some(Palette::Auto) => self.palette,
            Some(palette) => palette,
        };
        self.colours = screen.colours.or(self.colours);
        self.ascii = screen.ascii.unwrap_or(self.ascii);
        self.motion = screen.motion.unwrap_or(self.motion);
        self.mouse = screen.mouse.unwrap_or(self.mouse);
        self.read_only = screen.read_only.unwrap_or(self.read_only);
        self
    }

    fn own_colours(&self) -> Result<Own, ConsoleError> {
        let Some(file) = &self.colours else {
            return Ok(Own::default());
        };
        let text = fs::read_to_string(file).map_err(|source| ConsoleError::ReadColours {
            file: file.clone(),
            source,
        })?;
        theme::parse(&text).map_err(|source| ConsoleError::Colours {
            file: file.clone(),
            source,
        })
    }

    /// Returns the state that the console opens with.
    ///
    /// # Errors
    /// Class Usage, when the keys make no sense.
    pub(super) fn model(&self) -> Result<Model, ConsoleError> {
        let keymap = Keymap::new(&self.keys).map_err(ConsoleError::Keys)?;
        let display = DisplayOptions {
            theme: Theme {
                palette: self.palette,
                ascii: self.ascii,
                own: self.own_colours()?,
            },
            motion: self.motion,
            mouse: self.mouse,
            read_only: self.read_only,
        };
        let targets = self.logs.as_ref().map_or(&[][..], LogFeed::targets);
        let logs = Logs::new(self.level, targets);
        let mut model = Model::new(display, keymap, self.pipeline.clone(), logs);
        let settings = self.settings.clone();
        model.settings = settings.map(|(rows, path)| Settings::new(rows, path));
        model.zone = TimeZone::system();
        model.wizard_values = self.wizard_values.clone();
        if self.observed.is_some() {
            model.servers.begin();
        }
        if self.offer {
            ask::offer(&mut model);
        }
        if let Some(starts) = &self.starts {
            model.begin_at(Start::new(starts.notice.clone(), &starts.files));
        }
        let kind = self.opening.map(|opening| match opening {
            Opening::Init => Kind::Init,
            Opening::TearDown => Kind::TearDown,
        });
        if let Some(kind) = kind {
            model.open_wizard(Wizard::new(kind, &self.wizard_values));
        }
        Ok(model)
    }
}

/// Returns whether a locale's text is UTF-8; no locale at all is taken for a modern system.
fn is_utf8(locale: &str) -> bool {
    let name = locale.to_ascii_lowercase();
    name.ends_with("utf-8") || name.ends_with("utf8")
}

/// Returns whether the terminal can hold the console at all: `TERM=dumb` cannot.
#[must_use]
pub fn is_capable() -> bool {
    env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        for (name, expected) in [
            ("en_US.UTF-8", true),
            ("C.utf8", true),
            ("C", false),
            ("de_DE.ISO-8859-1", false),
        ] {
            assert_eq!(is_utf8(name), expected, "{name}");
        }
    }
}
