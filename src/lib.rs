//! Keeps one PostgreSQL database equal to another while both are in use.
pub mod apply;
pub mod attach;
pub mod cli;
pub mod cluster;
pub mod config;
#[cfg(feature = "tui")]
pub mod console;
pub mod decode;
pub mod diagnose;
pub mod engine;
pub mod failure;
pub mod fault;
#[cfg_attr(
    not(feature = "tui"),
    expect(dead_code, reason = "most of it is for the console")
)]
mod format;
#[cfg(test)]
mod fuzz;
pub mod model;
pub mod postgres;
#[cfg(test)]
mod property;
pub mod runtime;
pub mod schema;
pub mod snapshot;
pub mod status;
pub mod tutorial;
pub mod verify;
