//! From meaning to style. A view names a [`Role`]; only this file knows colours.
//!
//! `auto` uses the terminal's own sixteen colours and never `DarkGray`, which is invisible on many
//! palettes; good and bad are cyan and red, told apart without seeing green. `mono` uses no
//! colour at all: crossterm answers `NO_COLOR` by writing a full reset where a colour would stand,
//! which would take the reverse of a selection with it.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::config::Palette;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Ordinary text.
    Text,
    /// Secondary text.
    Quiet,
    /// As it should be.
    Good,
    /// Failed.
    Bad,
    /// Needs attention.
    Warn,
    /// Moving, or worth noticing.
    Accent,
    /// Headings of columns and panes.
    Title,
    /// A key in a hint.
    Key,
    /// The row under the cursor.
    Selected,
    /// What a search has found.
    Found,
    /// The frame of the pane that has the keys.
    Focus,
    /// Any other frame.
    Frame,
}

/// How the console draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) palette: Palette,
    /// ASCII frames and bars instead of box drawing and Braille.
    pub(crate) ascii: bool,
}

impl Theme {
    /// Returns the style of a role.
    pub(crate) fn style(self, role: Role) -> Style {
        match self.palette {
            Palette::Auto => auto(role),
            Palette::HighContrast => high_contrast(role),
            Palette::Mono => mono(role),
        }
    }
}

fn auto(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Frame => plain,
        Role::Quiet => plain.add_modifier(Modifier::DIM),
        Role::Good => plain.fg(Color::Cyan),
        Role::Bad => plain.fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Role::Warn => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Role::Accent | Role::Focus => plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Title | Role::Key => plain.add_modifier(Modifier::BOLD),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Found => plain.fg(Color::Black).bg(Color::Yellow),
    }
}

fn high_contrast(role: Role) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match role {
        Role::Text | Role::Frame | Role::Quiet => Style::new(),
        Role::Good => bold.fg(Color::LightCyan),
        Role::Bad => Style::new().fg(Color::White).bg(Color::Red),
        Role::Warn => Style::new().fg(Color::Black).bg(Color::LightYellow),
        Role::Accent | Role::Focus | Role::Title | Role::Key => bold,
        Role::Selected => bold.add_modifier(Modifier::REVERSED),
        Role::Found => bold.add_modifier(Modifier::REVERSED | Modifier::UNDERLINED),
    }
}

fn mono(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Frame | Role::Quiet | Role::Good => plain,
        Role::Bad => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Warn | Role::Accent | Role::Focus | Role::Title | Role::Key => {
            plain.add_modifier(Modifier::BOLD)
        }
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Found => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
    }
}

/// Replaces every sign of ours by an ASCII one of the same width. It works on the finished buffer,
/// so that no view can forget it; letters of the user's own names stay as they are.
pub(crate) fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if let Some(replacement) = cell.symbol().chars().next().and_then(ascii_of) {
            cell.set_symbol(replacement);
        }
    }
}

/// Returns the ASCII twin of a sign, none when it has none or is ASCII already.
pub(crate) fn ascii_of(sign: char) -> Option<&'static str> {
    Some(match sign {
        '─' | '━' | '═' => "-",
        '│' | '┃' | '║' | '▏' | '▕' => "|",
        '┌' | '┐' | '└' | '┘' | '┏' | '┓' | '┗' | '┛' | '╔' | '╗' | '╚' | '╝' | '├' | '┤' => {
            "+"
        }
        '▶' | '→' | '›' | '⇉' => ">",
        '»' => "}",
        '←' | '‹' => "<",
        '↑' | '▲' => "^",
        '↓' | '▼' => "v",
        '✓' => "+",
        '✗' => "x",
        '●' => "*",
        '○' => "o",
        '◦' => ".",
        '‖' => "=",
        '↻' => "@",
        '…' => "~",
        '·' | '•' => ".",
        '—' | '–' => "-",
        '▁' | '▂' => "_",
        '▃' | '▄' => ":",
        '▅' | '▆' => "|",
        '▇' | '█' => "#",
        '«' | '“' | '”' => "\"",
        '×' => "x",
        '≤' => "<",
        '≥' => ">",
        _ => return None,
    })
}
