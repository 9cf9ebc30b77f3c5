//! A byte stream to a server: TCP, Unix socket, or TLS over TCP. Both kinds of session run on it.

use std::future::{self, Ready};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tracing::{debug, trace};

use super::inlet::Inlet;
use super::server_error::ServerError;
use super::socket::{self, Gather, SocketReader, SocketWriter};

/// The stream and what SCRAM may bind to.
#[derive(Debug)]
pub(super) struct Link {
    /// The server, for the log.
    object: String,
    transport: Transport,
    inlet: Inlet,
    /// Warnings that the server has sent.
    warnings: Arc<AtomicU64>,
    /// `tls-server-end-point`: the hash of the server's certificate (RFC 5929), if encrypted.
    pub(super) end_point: Option<Vec<u8>>,
}

/// The server sent what no PostgreSQL sends. It is wrapped into an [`io::Error`], as a stream's readers
/// know no other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unbelievable(pub(super) String);

#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// The receiving half of a [`Link`].
#[derive(Debug)]
pub(super) enum LinkReader {
    Plain(SocketReader),
    Tls(ReadHalf<Box<tokio_rustls::client::TlsStream<TcpStream>>>),
}

/// The sending half.
#[derive(Debug)]
pub(super) enum LinkWriter {
    Plain(SocketWriter),
    Tls(WriteHalf<Box<tokio_rustls::client::TlsStream<TcpStream>>>),
}

impl Link {
    pub(super) fn new(object: String, transport: Transport, end_point: Option<Vec<u8>>) -> Self {
        Self {
            object,
            transport,
            inlet: Inlet::default(),
            warnings: Arc::default(),
            end_point,
        }
    }

    /// Returns the count of warnings. One is counted before anything that the server has sent behind it
    /// is handed on.
    pub(super) fn warnings(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.warnings)
    }

    /// Writes down what the server said unasked: its code; its words, which may hold values, at the most
    /// talkative level only.
    fn log_notices(&mut self) {
        for fields in self.inlet.noticed() {
            let text = String::from_utf8_lossy(&fields);
            let fields = text.split('\0').filter_map(|field| {
                let kind = *field.as_bytes().first()?;
                Some((kind, field.get(1..)?))
            });
            let notice = ServerError::from_fields(&self.object, fields);
            if notice.severity == "WARNING" {
                self.warnings.fetch_add(1, Ordering::Relaxed);
            }
            debug!(target: "sql", server = %self.object, code = notice.code, "server notice");
            trace!(target: "sql", server = %self.object, "server notice: {}", notice.message);
        }
    }

    /// Readies the socket for a walsender's rows, and tells how long to let them gather.
    pub(super) fn gather(&self) -> io::Result<Gather> {
        match &self.transport {
            Transport::Tcp(stream) => Gather::from_tcp(stream),
            Transport::Tls(stream) => Gather::from_tcp(stream.get_ref().0),
            Transport::Unix(_) => Ok(Gather::Far),
        }
    }

    /// Splits into halves that two tasks can own.
    pub(super) fn split(self) -> io::Result<(LinkReader, LinkWriter)> {
        let socket: OwnedFd = match self.transport {
            Transport::Tcp(stream) => stream.into_std()?.into(),
            Transport::Unix(stream) => stream.into_std()?.into(),
            Transport::Tls(stream) => {
                let (reader, writer) = split(stream);
                return Ok((LinkReader::Tls(reader), LinkWriter::Tls(writer)));
            }
        };
        let (reader, writer) = socket::split(socket)?;
        Ok((LinkReader::Plain(reader), LinkWriter::Plain(writer)))
    }
}

impl LinkReader {
    /// Reads what is there; [`io::ErrorKind::WouldBlock`] when that is nothing.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read_now(buffer),
            Self::Tls(stream) => {
                let mut context = Context::from_waker(Waker::noop());
                match pin!(stream.read(buffer)).poll(&mut context) {
                    Poll::Ready(read) => read,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }

    /// Waits for bytes and reads them. Cancel safe.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
        }
    }

    /// Until the next [`read`](Self::read) nobody has to be woken by what arrives.
    pub(super) fn unwatch(&mut self) {
        match self {
            Self::Plain(socket) => socket.unwatch(),
            Self::Tls(_) => {}
        }
    }
}

/// Calls `$method` on whichever stream it is.
macro_rules! each {
    ($enum:ident { $($variant:ident)+ }, $stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            $($enum::$variant($inner) => $call,)+
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = buffer.filled().len();
            let read = each!(Transport { Tcp Unix Tls }, &mut self.transport, stream => Pin::new(stream).poll_read(context, buffer));
            ready!(read)?;
            let Some(received) = buffer.filled_mut().get_mut(before..) else {
                return Poll::Ready(Ok(()));
            };
            let byte_count = received.len();
            let kept = self.inlet.sift(received);
            let kept = kept.map_err(|what| io::Error::other(Unbelievable(what)))?;
            self.log_notices();
            buffer.set_filled(before + kept);
            // Nothing at all is how a stream says that it has ended.
            if kept > 0 || byte_count == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(Transport { Tcp Unix Tls }, &mut self.transport, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Transport { Tcp Unix Tls }, &mut self.transport, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Transport { Tcp Unix Tls }, &mut self.transport, stream => Pin::new(stream).poll_shutdown(context))
    }
}

impl AsyncWrite for LinkWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(Self { Plain Tls }, self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Self { Plain Tls }, self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Self { Plain Tls }, self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}

/// Gives tokio-postgres a link whose encryption is settled already: it is told to negotiate TLS
/// «directly», and its handshake is this no-op. That way it learns the channel binding too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled;

impl TlsConnect<Link> for Settled {
    type Stream = Link;
    type Error = io::Error;
    type Future = Ready<io::Result<Link>>;

    fn connect(self, link: Link) -> Self::Future {
        future::ready(Ok(link))
    }
}

impl TlsStream for Link {
    fn channel_binding(&self) -> ChannelBinding {
        self.end_point
            .clone()
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}
