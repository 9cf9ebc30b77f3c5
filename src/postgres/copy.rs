//! COPY to COPY between two servers, in a few fixed buffers whatever a row's size.
//!
//! ```text
//!  source: COPY … TO STDOUT ──> pump ──> target: COPY … FROM STDIN
//!              │                  │                  │
//!              └─ its refusal: CopyFail to the target, which takes nothing in
//!                                 └─ the target's: the source is cancelled and drained
//! ```
//!
//! No value is looked at, and no row is put together: [`pump`] moves what the source sends, piece by
//! piece. The target hears `CopyDone` only after the source has said that its statement is complete
//! and that it is ready for the next, so that an error at the very end cannot leave a part behind.
//!
//! tokio-postgres gives COPY's rows one `Bytes` each and needs a row whole, hence our own session.

mod error;
mod piece;
mod pump;
mod reader;
mod session;

use self::pump::Pump;

pub use self::session::{Canceller, CopySession};
pub use error::CopyError;

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Rows, as the source counted them.
    pub row_count: u64,
    /// Rows that the target took in: fewer where a trigger of its own left some out.
    pub taken_row_count: u64,
    /// Their size in COPY's format.
    pub byte_count: u64,
}

/// Runs `copy_to` (`COPY … TO STDOUT`) on the source and `copy_from` (`COPY … FROM STDIN`) on the
/// target, in the transactions that are open there, and moves the rows. Both must name the same
/// format. `progress` is called with the rows and bytes that came since its last call, some tens of
/// times a second at most.
///
/// After an error both sessions are ready for the next statement (`ROLLBACK`, in a transaction), as
/// far as their connections live.
///
/// Not cancel safe: a future dropped midway leaves both sessions within COPY. They refuse whatever
/// is asked of them from then on and must be dropped, which makes their servers roll back. To stop
/// a copy in order, cancel the source's statement with its [`Canceller`].
///
/// # Errors
/// By SQLSTATE; Transient when a connection is lost.
pub async fn copy_through(
    source: &mut CopySession,
    copy_to: &str,
    target: &mut CopySession,
    copy_from: &str,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Copied, CopyError> {
    let moved = move_rows(source, copy_to, target, copy_from, progress).await;
    moved.map_err(|error| error.of(copy_to, copy_from))
}

async fn move_rows(
    source: &mut CopySession,
    copy_to: &str,
    target: &mut CopySession,
    copy_from: &str,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Copied, CopyError> {
    let (source_started, target_started) =
        tokio::join!(source.start(copy_to), target.start(copy_from));
    let moved = match source_started {
        Err(error) => Err(CopyError::Source(error)),
        Ok(format) => {
            let canceller = source.canceller();
            let mut pump = Pump::new(&mut source.wire, &mut target.wire, format, progress);
            let moved = match target_started {
                Ok(_) => pump.run().await,
                Err(error) => Err(CopyError::Target(error)),
            };
            if matches!(moved, Err(CopyError::Target(_))) {
                pump.stop_source(&canceller).await;
            }
            source.within_copy = !pump.leave();
            moved
        }
    };
    match moved {
        Ok((row_count, byte_count)) => Ok(Copied {
            row_count,
            taken_row_count: target.finish().await.map_err(CopyError::Target)?,
            byte_count,
        }),
        Err(error) => {
            target.give_up().await;
            Err(error)
        }
    }
}
