//! A COPY between its beginning and its end.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::CopyInSink;

use super::bind::CopyRows;

/// A COPY that the target has begun: until its rows are sent, it reads nothing else.
pub(super) struct Reading {
    pub(super) copy: CopyRows,
    pub(super) sink: Pin<Box<CopyInSink<Bytes>>>,
}

/// The target's answer to the rows of a COPY.
pub(super) type Copied = (CopyRows, Result<u64, tokio_postgres::Error>);

/// Sends the rows of a COPY that has begun, if there is one. Its end makes way for what is sent behind it.
pub(super) async fn send_rows(reading: Option<Reading>) -> Option<Copied> {
    let Reading { mut copy, mut sink } = reading?;
    let rows = std::mem::take(&mut copy.rows);
    let answer = match sink.send(rows).await {
        Ok(()) => sink.as_mut().finish().await,
        Err(unsent) => Err(unsent),
    };
    Some((copy, answer))
}
