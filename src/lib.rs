//! Keeps one PostgreSQL database equal to another while both are in use.
pub mod cli;
pub mod config;
pub mod engine;
pub mod model;
pub mod tutorial;
