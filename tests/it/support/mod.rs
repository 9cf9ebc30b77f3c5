//! What the tests are made of: clusters, the oracle, a proxy that fails on demand, the real
//! binary under guard, and waiting for a state.

pub mod clusters;
pub mod oracle;
pub mod sql;
pub mod wait;

pub use clusters::{cluster, cluster_with, every_server, pair};
pub use oracle::assert_equal;
pub use sql::{connect, execute, query_text};
