//! What the operator types: a thread that reads the terminal and hands each event on.
//!
//! crossterm's own stream of events waits for the terminal edge-triggered: keys that arrive
//! together with a resize then lie unread until the next key, because the resize is returned first
//! and nothing says again that there is more. So this thread waits level-triggered (crossterm's
//! `use-dev-tty`), which that stream does not work with.

use std::io;
use std::thread;

use crossterm::event::{Event, read};
use tokio::sync::mpsc;

/// Events that may wait for the console: more than a person types while one frame is drawn, and a
/// bound for pasted text, which a terminal without bracketed paste sends as keys.
const WAITING_MAX: usize = 1024;

/// Starts to read the terminal. The events end when the terminal has gone. The thread ends then, or
/// with the first event after the receiver was dropped: nothing can end a read, and the process ends
/// with the console.
///
/// # Errors
/// When the system has no thread left.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Event>> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let reading = move || {
        while let Ok(event) = read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    };
    thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(reading)?;
    Ok(receiver)
}
