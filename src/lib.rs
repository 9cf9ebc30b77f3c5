//! Keeps one PostgreSQL database equal to another while both are in use.
pub mod config;
pub mod decode;
pub mod model;
pub mod postgres;
