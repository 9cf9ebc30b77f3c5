//! What the tests are made of: clusters, certificates, the oracle, a proxy that fails on demand,
//! the real binary under guard, and waiting for a state.

pub mod clusters;
pub mod flow;
pub mod oracle;
pub mod pooler;
pub mod process;
pub mod proxy;
pub mod psql;
pub mod scenario;
pub mod sql;
pub mod tls;
pub mod wait;

pub use clusters::{cluster, cluster_with, every_server, pair};
pub use oracle::assert_equal;
pub use process::Call;
pub use proxy::Proxy;
pub use psql::psql;
pub use sql::{connect, execute, query_text};
pub use wait::wait_until;
