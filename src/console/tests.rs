//! The whole console without a terminal: samples of the scripted engine, keys, and what then stands
//! on the screen.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::Color;
use tracing::Level;

use crate::config::Palette;

use super::keys::Keymap;
use super::message::{Effect, Message};
use super::model::logs::Logs;
use super::model::{DisplayOptions, Model};
use super::scripted::{NOW_MS, SampleState, log_lines, status};
use super::theme::Theme;
use super::update::update;
use super::view;
use super::wizard::{Kind, Wizard, WizardValues};

mod pictures;
mod proof;
mod screens;

/// The sizes at which every screen is looked at: compact, standard, wide, full.
const SIZES: [(u16, u16); 4] = [(48, 12), (80, 24), (120, 40), (200, 60)];

/// Returns a console that shows a sample.
pub(super) fn console(sample: SampleState) -> Model {
    let display = DisplayOptions {
        theme: Theme::default(),
        motion: true,
        mouse: true,
        read_only: false,
    };
    let keymap = Keymap::new("").unwrap();
    let logs = Logs::new(Level::DEBUG, &["apply", "ddl", "decode", "slot", "sql"]);
    let mut model = Model::new(display, keymap, "orders_prod".into(), logs);
    model.now_ms = NOW_MS;
    update(&mut model, Message::Status(Arc::new(status(sample))));
    if sample != SampleState::Opening {
        for line in log_lines() {
            update(&mut model, Message::Log { lost: 0, line });
        }
    }
    model
}

/// Presses keys, written as in the key table, and returns what they cause.
pub(super) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let chords = keys.split(' ').map(|key| key.parse().unwrap());
    chords
        .flat_map(|chord| update(model, Message::Key(chord)))
        .collect()
}

/// Types a text.
pub(super) fn type_text(model: &mut Model, text: &str) {
    for character in text.chars() {
        let key = if character == ' ' {
            "space".to_owned()
        } else {
            character.to_string()
        };
        press(model, &key);
    }
}

/// Draws the console at a size.
pub(super) fn drawn(model: &mut Model, (width, height): (u16, u16)) -> Buffer {
    update(model, Message::Resize(Size::new(width, height)));
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let cursor = view::draw(model, &mut buffer);
    if let Some(position) = cursor {
        assert!(
            buffer.area.contains(position),
            "{position} at {width}x{height}"
        );
    }
    buffer
}

/// Returns what stands on the screen, blanks at line ends left out.
pub(super) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut text = String::new();
    for row in buffer.content.chunks(width) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// All samples.
const SAMPLES: [SampleState; 16] = [
    SampleState::Opening,
    SampleState::Unreachable,
    SampleState::Streaming,
    SampleState::Behind,
    SampleState::Paused,
    SampleState::Retrying,
    SampleState::Held,
    SampleState::RowRefused,
    SampleState::Crashed,
    SampleState::Stopped,
    SampleState::CopyWaiting,
    SampleState::Copying,
    SampleState::Indexing,
    SampleState::CopyPaused,
    SampleState::CopyFailed,
    SampleState::Copied,
];

/// Keys that lead to every overlay and mode.
const WAYS: [&str; 24] = [
    "esc",
    "enter",
    "?",
    ":",
    "q",
    "E",
    "X",
    "2 enter",
    "2 e",
    "2 e tab",
    "3 enter",
    "4 enter",
    "5 enter",
    "4 t",
    "4 w z",
    "4 / a enter",
    "5 / o",
    "space 3 z",
    "S",
    "S enter",
    "S r",
    "S / a enter z f",
    "V",
    "V r",
];

#[test]
fn no_size_panics_in_any_state() {
    for sample in SAMPLES {
        for keys in WAYS {
            let mut model = console(sample);
            press(&mut model, keys);
            for size in [
                (1, 1),
                (2, 60),
                (20, 5),
                (39, 9),
                (40, 10),
                (80, 24),
                (130, 45),
                (300, 80),
            ] {
                drawn(&mut model, size);
            }
            drawn(&mut model, (0, 0));
        }
    }
}

#[test]
fn no_size_panics_in_any_wizard() {
    for kind in [Kind::Init, Kind::TearDown] {
        for at in 0..kind.steps().len() {
            let mut model = console(SampleState::Stopped);
            let mut wizard = Wizard::new(kind, &WizardValues::default());
            wizard.at = at;
            model.open_wizard(wizard);
            for size in [(1, 1), (2, 60), (20, 5), (40, 10), (48, 12), (300, 80)] {
                drawn(&mut model, size);
            }
        }
    }
}

#[test]
fn the_monochrome_theme_has_no_colour_and_ascii_no_sign_of_ours() {
    for sample in SAMPLES {
        for keys in WAYS {
            let mut model = console(sample);
            model.display.theme = Theme {
                palette: Palette::Mono,
                ascii: true,
                ..Theme::default()
            };
            press(&mut model, keys);
            for size in SIZES {
                for cell in drawn(&mut model, size).content {
                    assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
                    assert!(cell.symbol().is_ascii(), "{:?} {keys}", cell.symbol());
                }
            }
        }
    }
}
