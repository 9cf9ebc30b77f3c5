//! A comparison of both sides that runs.

use futures_util::future::AbortHandle;
use tokio::sync::mpsc;

use crate::console::message::Message;
use crate::console::model::proof::News;

/// A comparison that runs.
pub(super) struct Comparing {
    pub(super) news: mpsc::Receiver<News>,
    pub(super) handle: AbortHandle,
}

/// Waits for the next thing that a comparison says; for ever when there is none. Cancel safe.
pub(super) async fn next_news(comparing: &mut Option<Comparing>) -> Message {
    if let Some(comparing) = comparing
        && let Some(news) = comparing.news.recv().await
    {
        return Message::Compared(news);
    }
    std::future::pending().await
}
