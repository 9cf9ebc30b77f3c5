//! The one file that touches the terminal: opens it, draws, gives it back, whatever happens.

use std::io::{self, Stdout, Write as _};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{panic, thread};

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue, style};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Rect, Size};
use tracing::error;

use super::model::Model;
use super::view;

/// An open terminal; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Screen {
    /// Never dropped: it would show the cursor once more, and report to stderr that it cannot, which
    /// panics where a closed terminal is stderr, too.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, pasted text as one piece.
    ///
    /// # Errors
    /// When the terminal refuses; it is then given back.
    pub(super) fn open(mouse: bool) -> io::Result<Self> {
        // Our monochrome theme writes no colour; crossterm's own way of obeying NO_COLOR would
        // write full resets, and take the reverse of a selection with them.
        style::force_color_output(true);
        enter(mouse).inspect_err(|_| leave())?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        let terminal = ManuallyDrop::new(terminal.inspect_err(|_| leave())?);
        Ok(Self { terminal })
    }

    /// Returns the size of the window.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(super) fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Draws what has changed, within marks that keep a terminal from showing half of it.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        queue!(io::stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| {
            if let Some(position) = view::draw(model, frame.buffer_mut()) {
                frame.set_cursor_position(position);
            }
        })?;
        execute!(io::stdout(), EndSynchronizedUpdate)
    }

    /// Draws every cell anew at the next drawing. It does not ask the terminal where the cursor
    /// is, which not every terminal answers.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal
            .resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Takes the terminal again after it was given back.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub(super) fn reopen(&mut self, mouse: bool) -> io::Result<()> {
        enter(mouse)?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::Relaxed);
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        style::Print(KEEP_TITLE),
        EnterAlternateScreen,
        EnableBracketedPaste
    )?;
    set_mouse(mouse)
}

/// Whether the terminal is ours. The terminal is the process's, and so is this: a panic hook can
/// reach nothing else. Giving it back twice would move the cursor over what was written since.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back, once. Nothing can be done when it fails: it is what a panic and a lost
/// terminal end with.
pub(super) fn leave() {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let mut out = io::stdout();
    drop(execute!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        style::Print(TITLE_BACK),
        cursor::Show
    ));
    drop(disable_raw_mode());
    drop(out.flush());
}

/// Has the terminal remember the title of its window, and take it back.
const KEEP_TITLE: &str = "\x1b[22;2t";
const TITLE_BACK: &str = "\x1b[23;2t";

/// Gives the window a title, and rings the bell.
///
/// # Errors
/// When the terminal has gone.
pub(super) fn set_title(text: &str, bell: bool) -> io::Result<()> {
    let clean: String = text.chars().filter(|one| !one.is_control()).collect();
    let bell = if bell { "\x07" } else { "" };
    execute!(io::stdout(), SetTitle(clean), style::Print(bell))
}

/// Switches the mouse: while it is on, the terminal's own selection needs Shift.
///
/// # Errors
/// When the terminal has gone.
pub(super) fn set_mouse(mouse: bool) -> io::Result<()> {
    match mouse {
        true => execute!(io::stdout(), EnableMouseCapture),
        false => execute!(io::stdout(), DisableMouseCapture),
    }
}

type Hook = dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync;

/// While it lives, a panic of this thread gives the terminal back before it is reported, and a
/// panic of any other thread is only logged: the screen is not its own to break. The engine's
/// supervisor turns that one into the state «crashed».
pub(super) struct PanicGuard {
    before: Arc<Hook>,
}

impl PanicGuard {
    /// Installs the rule for the calling thread as the one that draws.
    pub(super) fn install() -> Self {
        let before: Arc<Hook> = Arc::from(panic::take_hook());
        let drawing = thread::current().id();
        let report = Arc::clone(&before);
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == drawing {
                leave();
                report(info);
            } else {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                error!(target: "pgstream", place, "a task panicked");
            }
        }));
        Self { before }
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        // A hook cannot be changed while its thread unwinds.
        if !thread::panicking() {
            let before = Arc::clone(&self.before);
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}
