//! Everything for trying pgstream without a server at hand: throw-away clusters, the tutorial's
//! lessons, and a player that goes through them and looks at both sides after each step.
//!
//! ```text
//!   server::Server::find ──> template::Template ──copy──> cluster::Cluster (source)
//!   (binaries here)          (initdb once)      └─copy──> cluster::Cluster (target)
//!                                                                │
//!   lesson::parse (assets/tutorial) ──> player::play ──> stage::Stage: do a step, look at both
//! ```
//!
//! The clusters are also what the integration tests run on, so a test sees the same servers as
//! somebody who types `pgstream tutorial`.

pub mod database;
pub mod error;
pub mod lesson;
pub mod player;
pub mod stage;
pub mod table;

mod command_line;
mod maintenance;
