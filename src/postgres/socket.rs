//! The two halves of a plain socket that carries a replication stream.
//!
//! A walsender makes one send call a row. Where the receiver is woken by each of them, the waking
//! costs the sender more than the row does, and caps it. So the receiving half is registered with
//! the runtime only while somebody waits for the next byte; while we are busy it is read now and
//! then without anybody being woken, and what has gathered comes in one piece.
//!
//! Over TCP there is a second price: each send call goes through the network stack as a packet of its
//! own, as long as the receiver's window has room. When it has none, what is sent is put to the end of
//! the sender's queue, which is cheap, and leaves in large segments. Within one machine, where nothing
//! is under way for long, a [small window](NEAR_WINDOW) that is emptied [now and then](Gather) halves
//! the sender's work; between machines it would cap what the line can carry.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Bytes that a sender on this machine may have under way: they arrive faster than they are asked for.
/// With a quarter of it a sender waits for its timers.
const NEAR_WINDOW: usize = 32 << 10;

/// The pause in which a busy source's rows gather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gather {
    /// The sender is on this machine and does not wait for us as long as its own queue has room.
    Near,
    /// A few hundred rows.
    Far,
}

impl Gather {
    /// Readies a TCP stream for a walsender's rows, and tells how long to let them gather.
    pub(super) fn from_tcp(stream: &TcpStream) -> io::Result<Self> {
        if stream.peer_addr()?.ip() != stream.local_addr()?.ip() {
            return Ok(Self::Far);
        }
        SockRef::from(stream).set_recv_buffer_size(NEAR_WINDOW)?;
        Ok(Self::Near)
    }

    /// Returns the pause. Nobody notices either.
    pub(super) const fn pause(self) -> Duration {
        match self {
            Self::Near => Duration::from_millis(8),
            Self::Far => Duration::from_millis(1),
        }
    }
}

/// Splits a socket that does not block. The halves have descriptors of their own, so that one can
/// be watched for reading while the other is watched for writing.
pub(super) fn split(socket: OwnedFd) -> io::Result<(SocketReader, SocketWriter)> {
    let socket = Socket::from(socket);
    let reader = SocketReader::Unwatched(socket.try_clone()?);
    let writer = watched(socket, Interest::WRITABLE)?;
    Ok((reader, SocketWriter(writer)))
}

#[expect(
    deprecated,
    reason = "the successor is unsafe for types that may close their descriptor early; a Socket \
              owns it for as long as the AsyncFd lives"
)]
fn watched(socket: Socket, interest: Interest) -> io::Result<AsyncFd<Socket>> {
    AsyncFd::with_interest(socket, interest)
}

/// The receiving half.
#[derive(Debug)]
pub(super) enum SocketReader {
    /// Nobody is woken by what arrives.
    Unwatched(Socket),
    /// Somebody waits, or has just waited.
    Watched(AsyncFd<Socket>),
    /// Its descriptor was lost in between; never seen from outside.
    Closed,
}

impl SocketReader {
    /// Reads what is there; [`io::ErrorKind::WouldBlock`] when that is nothing.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unwatched(socket) => socket.read(buffer),
            Self::Watched(watched) => watched.get_ref().read(buffer),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Waits for bytes and reads them. Cancel safe.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.watch()?.readable().await?;
            if let Ok(read) = ready.try_io(|watched| watched.get_ref().read(buffer)) {
                return read;
            }
        }
    }

    /// From here on nobody is woken, until the next [`read`](Self::read).
    pub(super) fn unwatch(&mut self) {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Watched(watched) => Self::Unwatched(watched.into_inner()),
            other => other,
        };
    }

    fn watch(&mut self) -> io::Result<&AsyncFd<Socket>> {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Unwatched(socket) => Self::Watched(watched(socket, Interest::READABLE)?),
            other => other,
        };
        match self {
            Self::Watched(watched) => Ok(watched),
            Self::Unwatched(_) | Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// The sending half. Dropping it tells the server that nothing more comes.
#[derive(Debug)]
pub(super) struct SocketWriter(AsyncFd<Socket>);

impl AsyncWrite for SocketWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            if let Ok(written) = ready.try_io(|socket| socket.get_ref().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }
}

impl Drop for SocketWriter {
    fn drop(&mut self) {
        // A connection that is gone already needs no telling.
        drop(self.0.get_ref().shutdown(Shutdown::Write));
    }
}
