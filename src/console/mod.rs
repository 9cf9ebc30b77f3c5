//! The terminal console: shows what the engine says of itself, and asks it for what an operator
//! wants. It sees the engine only through its status, its events and its commands; it may hang or
//! crash, and the engine does not notice.

// Built from the pure inside out; the shell that uses all of it comes last.
#![expect(dead_code, reason = "the terminal shell is not built yet")]

mod action;
mod availability;
mod chord;
mod copy;
mod detail;
mod format;
mod keys;
mod layout;
mod message;
mod model;
mod palette;
mod rows;
mod scripted;
mod sign;
#[cfg(test)]
mod tests;
mod theme;
mod update;
mod view;

pub use keys::KeymapError;
pub use theme::{Palette, ParsePaletteError};
