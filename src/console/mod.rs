//! The terminal console: shows what the engine says of itself, and asks it for what an operator
//! wants. It sees the engine only through its status, its events and its commands; it may hang or
//! crash, and the engine does not notice.
//!
//! ```text
//!             pure                                          touches the world
//!   keys ─> update(model, message) ─> effects         shell     the loop
//!              │                                      terminal, input  opens, draws, gives back; keys
//!   layout, rows, detail, theme ─> view(model, cells) clipboard, link (engine, log)
//! ```
//!
//! Read in this order: `action`, `keys`, `model`, `message`, `update`, `layout`,
//! `view`, `shell`.

mod action;
mod availability;
mod chord;
mod clipboard;
mod detail;
mod error;
mod hint;
mod input;
mod item;
mod items;
mod keys;
mod layout;
mod lesson;
mod link;
mod message;
mod model;
mod options;
mod palette;
mod rows;
#[cfg(any(test, feature = "failpoints"))]
#[doc(hidden)]
pub mod scripted;
mod settings;
mod shell;
mod start;
mod status_glyph;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod threshold;
mod update;
mod view;
pub(crate) mod wizard;
mod yank;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use lesson::TutorialState;
use shell::{Outside, Shell};

pub use crate::attach::log::{LogFeed, LogHub};
pub(crate) use crate::format;
pub(crate) use availability::WORKERS_MAX;
pub use error::ConsoleError;
pub use keys::KeymapError;
pub use lesson::{ByHand, Lesson, LessonStep, Performed, Performer, Request, Seen, Tutorial};
pub use link::{EngineLink, Launch};
pub use options::{ConsoleOptions, Opening, is_capable};
pub use start::{Found, Opened, Opener, Stager, Starts};
pub use theme::ThemeError;
pub use wizard::WizardValues;

/// Opens the console on the terminal, starts the engine, and runs until the operator leaves. The
/// engine has then been asked to stop; whatever it had not finished comes again. Returns where the
/// pipeline stands and how to go on, when an engine has run.
///
/// It must run on the thread that calls it for all its time, as the future given to `block_on`
/// does: a panic of that thread gives the terminal back.
///
/// # Errors
/// [`ConsoleError`]: class Usage for keys that make no sense, Operator when the terminal refuses,
/// Bug when the console itself crashed.
pub async fn run(
    mut options: ConsoleOptions,
    launch: Launch,
) -> Result<Option<String>, ConsoleError> {
    let mut model = options.model()?;
    let outside = Outside {
        logs: options.logs.take(),
        observed: options.observed.take(),
        perform: options.tutorial.take().map(|tutorial| {
            model.tutorial = Some(TutorialState::new(tutorial.lessons, tutorial.addresses));
            tutorial.perform
        }),
        starts: options.starts.take(),
        launch,
    };
    let _guard = terminal::PanicGuard::install();
    let work = async {
        let mut shell = Shell::open(model, outside)?;
        shell.run().await?;
        Ok(shell.farewell())
    };
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended
        .map_err(|_panic| ConsoleError::Crashed)?
        .map_err(ConsoleError::Terminal)
}
