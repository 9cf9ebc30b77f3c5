//! A message on the socket: its length in four bytes, then JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What an engine says at once is its whole status at most: an hour of samples and some thousand tables.
pub(super) const STATUS_MAX: usize = 64 << 20;
/// What a console says at once is a command: the longest is a statement that somebody has written.
pub(super) const COMMAND_MAX: usize = 4 << 20;

/// Reads a message; none when the other end has gone. Not cancel safe.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let mut body = vec![0; checked(length, bytes_max)?];
    stream.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Reads a message of a stream that blocks.
pub(super) fn read_blocking<T: DeserializeOwned>(
    stream: &mut impl io::Read,
    bytes_max: usize,
) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; checked(length, bytes_max)?];
    stream.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Writes a message. Not cancel safe.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&body).await?;
    stream.flush().await
}

fn checked(length: [u8; 4], bytes_max: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    match length <= bytes_max {
        true => Ok(length),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message of {length} bytes, and {bytes_max} are allowed"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_back_whole_and_an_absurd_length_is_refused() {
        let mut wire = Vec::new();
        write(&mut wire, &"one").await.unwrap();
        write(&mut wire, &"two").await.unwrap();
        let mut stream = wire.as_slice();
        for expected in [Some("one"), Some("two"), None] {
            let read: Option<String> = read(&mut stream, 100).await.unwrap();
            assert_eq!(read.as_deref(), expected);
        }
        let refused = read::<String>(&mut wire.as_slice(), 4).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let torn = read::<String>(&mut &wire[..6], 100).await;
        assert_eq!(torn.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
