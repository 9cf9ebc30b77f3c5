//! A byte stream to a server: TCP, Unix socket, or TLS over TCP. Both kinds of session run on it.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The stream and what SCRAM may bind to.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) transport: Transport,
    /// `tls-server-end-point`: the hash of the server's certificate (RFC 5929), if encrypted.
    pub(super) end_point: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// The receiving half of a [`Link`]. Plain sockets split without a lock.
#[derive(Debug)]
pub(super) enum LinkReader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    Tls(ReadHalf<Box<tokio_rustls::client::TlsStream<TcpStream>>>),
}

/// The sending half.
#[derive(Debug)]
pub(super) enum LinkWriter {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    Tls(WriteHalf<Box<tokio_rustls::client::TlsStream<TcpStream>>>),
}

impl Link {
    pub(super) const fn plain(transport: Transport) -> Self {
        Self {
            transport,
            end_point: None,
        }
    }

    /// Splits into halves that two tasks can own.
    pub(super) fn split(self) -> (LinkReader, LinkWriter) {
        match self.transport {
            Transport::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (LinkReader::Tcp(reader), LinkWriter::Tcp(writer))
            }
            Transport::Unix(stream) => {
                let (reader, writer) = stream.into_split();
                (LinkReader::Unix(reader), LinkWriter::Unix(writer))
            }
            Transport::Tls(stream) => {
                let (reader, writer) = split(stream);
                (LinkReader::Tls(reader), LinkWriter::Tls(writer))
            }
        }
    }
}

/// Calls `$method` on whichever stream it is.
macro_rules! each {
    ($enum:ident, $stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            $enum::Tcp($inner) => $call,
            $enum::Unix($inner) => $call,
            $enum::Tls($inner) => $call,
        }
    };
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(Transport, &mut self.transport, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(Transport, &mut self.transport, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Transport, &mut self.transport, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Transport, &mut self.transport, stream => Pin::new(stream).poll_shutdown(context))
    }
}

impl AsyncRead for LinkReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(Self, self.get_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for LinkWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(Self, self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Self, self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(Self, self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
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
        ready(Ok(link))
    }
}

impl TlsStream for Link {
    fn channel_binding(&self) -> ChannelBinding {
        self.end_point
            .clone()
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}
