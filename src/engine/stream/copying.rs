//! What a session does for the copies.

use tokio::sync::oneshot;

use crate::model::Lsn;
use crate::snapshot::{Answer, TablesRequest};

/// What the session does for copies.
#[derive(Debug, Default)]
pub(super) struct Copying {
    /// A consistent point to stand still at, and who waits for that.
    pub(super) reach: Option<(Option<Lsn>, oneshot::Sender<Answer>)>,
    /// Tables that are to be made when their consistent point is reached.
    pub(super) tables: Option<Box<TablesRequest>>,
    /// Nothing is read until the first copy is complete.
    pub(super) stream_waits: bool,
}

impl Copying {
    /// Returns the consistent point that something waits for.
    pub(super) fn consistent_point(&self) -> Option<Option<Lsn>> {
        let reach = self.reach.as_ref().map(|(at, _)| *at);
        reach.or_else(|| self.tables.as_ref().map(|copy_request| copy_request.at))
    }
}
