//! From meaning to style. A view names a [`Role`]; only this file knows colours.
//!
//! `auto` uses the terminal's own sixteen colours, of those only the three that can be read on a dark
//! and on a light ground alike (a test computes it): cyan and yellow vanish on white, dark blue on
//! black, `DarkGray` on many palettes. Good and bad are blue and red, told apart without seeing
//! green. `mono` uses no
//! colour at all: crossterm answers `NO_COLOR` by writing a full reset where a colour would stand,
//! which would take the reverse of a selection with it.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::config::Palette;

mod file;
pub use file::ThemeError;
pub(crate) use file::{Own, parse};

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

/// The roles by the names that they have in a file of colours, in the order of [`Role`].
pub(crate) const ROLES: [(&str, Role); 12] = [
    ("text", Role::Text),
    ("quiet", Role::Quiet),
    ("good", Role::Good),
    ("bad", Role::Bad),
    ("warn", Role::Warn),
    ("accent", Role::Accent),
    ("title", Role::Title),
    ("key", Role::Key),
    ("selected", Role::Selected),
    ("found", Role::Found),
    ("focus", Role::Focus),
    ("frame", Role::Frame),
];

/// How the console draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) palette: Palette,
    /// ASCII frames and bars instead of box drawing and Braille.
    pub(crate) ascii: bool,
    /// Styles in place of the palette's.
    pub(crate) own: Own,
}

impl Theme {
    /// Returns the style of a role.
    pub(crate) fn style(self, role: Role) -> Style {
        if let Some(own) = self.own[role as usize] {
            return own;
        }
        match self.palette {
            Palette::Auto => auto(role),
            Palette::Truecolor => truecolor(role),
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
        Role::Good => plain.fg(Color::LightBlue),
        Role::Bad => plain.fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Role::Warn => plain.fg(Color::LightMagenta).add_modifier(Modifier::BOLD),
        Role::Accent | Role::Focus => plain.fg(Color::LightBlue).add_modifier(Modifier::BOLD),
        Role::Title | Role::Key => plain.add_modifier(Modifier::BOLD),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Found => plain.fg(Color::Black).bg(Color::Yellow),
    }
}

/// Colours of a luminance in the middle: each is as far from black as from white, so that it can be read
/// on either. Good and bad are blue and red, what needs attention is orange.
fn truecolor(role: Role) -> Style {
    let colour = |rgb: u32| Style::new().fg(Color::from_u32(rgb));
    match role {
        Role::Good => colour(TRUECOLORS[0]),
        Role::Bad => colour(TRUECOLORS[1]).add_modifier(Modifier::BOLD),
        Role::Warn => colour(TRUECOLORS[2]).add_modifier(Modifier::BOLD),
        Role::Accent => colour(TRUECOLORS[3]).add_modifier(Modifier::BOLD),
        Role::Focus => colour(TRUECOLORS[0]).add_modifier(Modifier::BOLD),
        Role::Key => colour(TRUECOLORS[4]).add_modifier(Modifier::BOLD),
        Role::Quiet | Role::Frame => colour(TRUECOLORS[5]),
        Role::Text | Role::Title | Role::Selected | Role::Found => auto(role),
    }
}

/// Blue, red, orange, purple, teal, grey.
const TRUECOLORS: [u32; 6] = [
    0x2a_7bd6, 0xe0_3c4c, 0xb8_6a00, 0x9b_5fd0, 0x0a_8a8a, 0x77_7777,
];

fn high_contrast(role: Role) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match role {
        Role::Text | Role::Frame | Role::Quiet => Style::new(),
        Role::Good => bold,
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
        '─' => "-",
        // The pane that has the keys stands out without colour, too.
        '━' | '═' => "=",
        '│' | '┃' | '║' | '▏' | '▕' => "|",
        '┌' | '┐' | '└' | '┘' | '┏' | '┓' | '┗' | '┛' | '╔' | '╗' | '╚' | '╝' | '├' | '┤' | '┴' => {
            "+"
        }
        '▶' | '→' | '›' | '⇉' => ">",
        '»' => "}",
        '←' | '‹' => "<",
        '↑' | '▲' => "^",
        '↓' | '▼' => "v",
        '✓' => "+",
        '✗' => "x",
        '●' | '◆' => "*",
        '○' => "o",
        '◦' => ".",
        '‖' => "=",
        '↻' => "@",
        '…' => "~",
        '·' | '•' => ".",
        '—' | '–' => "-",
        '▁' | '▂' | '░' => "_",
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What terminals make of the three colours, on the ground that goes with it.
    const PALETTES: [(&str, u32, [u32; 3]); 9] = [
        ("xterm, dark", 0x00_0000, [0xff_0000, 0x5c_5cff, 0xff_00ff]),
        ("xterm, light", 0xff_ffff, [0xff_0000, 0x5c_5cff, 0xff_00ff]),
        ("GNOME, dark", 0x1e_1e1e, [0xf6_6151, 0x2a_7bde, 0xc0_61cb]),
        ("GNOME, light", 0xff_ffff, [0xf6_6151, 0x2a_7bde, 0xc0_61cb]),
        (
            "VS Code, dark",
            0x1e_1e1e,
            [0xf1_4c4c, 0x3b_8eea, 0xd6_70d6],
        ),
        (
            "VS Code, light",
            0xff_ffff,
            [0xcd_3131, 0x04_51a5, 0xbc_05bc],
        ),
        (
            "Windows, dark",
            0x0c_0c0c,
            [0xe7_4856, 0x3b_78ff, 0xb4_009e],
        ),
        (
            "Windows, light",
            0xff_ffff,
            [0xe7_4856, 0x3b_78ff, 0xb4_009e],
        ),
        ("Alacritty", 0x1d_1f21, [0xd5_4e53, 0x7a_a6da, 0xc3_97d8]),
    ];

    /// The contrast of two colours (WCAG 2.2, relative luminance).
    fn contrast(one: u32, other: u32) -> f64 {
        let luminance = |colour: u32| {
            let linear = |shift: u32| {
                let part = f64::from(colour >> shift & 0xff) / 255.0;
                match part <= 0.03928 {
                    true => part / 12.92,
                    false => ((part + 0.055) / 1.055).powf(2.4),
                }
            };
            0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn colours_are_readable_on_dark_and_light_grounds() {
        for (_, role) in ROLES {
            let style = auto(role);
            let place = match style.fg {
                None => continue,
                Some(Color::LightRed) => 0,
                Some(Color::LightBlue) => 1,
                Some(Color::LightMagenta) => 2,
                // It brings its ground along.
                Some(Color::Black) if style.bg == Some(Color::Yellow) => continue,
                Some(other) => panic!("{role:?}: {other} is not in the list"),
            };
            for (name, ground, colours) in PALETTES {
                let seen = contrast(colours[place], ground);
                assert!(seen >= 2.9, "{role:?} in {name}: {seen:.1}");
            }
        }
    }

    #[test]
    fn each_truecolor_stands_out_on_dark_and_light_grounds() {
        for colour in TRUECOLORS {
            for ground in [0x00_0000, 0x1e_1e1e, 0xff_ffff] {
                let seen = contrast(colour, ground);
                assert!(seen >= 3.4, "{colour:06x} on {ground:06x}: {seen:.1}");
            }
        }
    }

    #[test]
    fn roles_stand_in_their_order() {
        for (index, (name, role)) in ROLES.into_iter().enumerate() {
            assert_eq!(role as usize, index, "{name}");
        }
    }
}
