//! What the operator types: a thread that reads the terminal and hands each event on.
//!
//! crossterm's own stream of events waits for the terminal edge-triggered: keys that arrive
//! together with a resize then lie unread until the next key, because the resize is returned first
//! and nothing says again that there is more. So this thread waits level-triggered (crossterm's
//! `use-dev-tty`), which that stream does not work with.

use std::{io, thread};

use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind, read};
use tokio::sync::mpsc;

use super::message::Message;

/// Events that may wait for the console: more than a person types while one frame is drawn, and a
/// bound for pasted text, which a terminal without bracketed paste sends as keys.
const WAITING_MAX: usize = 1024;
/// Rows that one notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

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

/// Repeats and releases of keys are dropped: some terminals send them, none of ours means them.
pub(super) fn from_terminal(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => Some(Message::Key(key.into())),
        Event::Paste(text) => Some(Message::Paste(with_newlines(&text))),
        Event::Resize(width, height) => Some(Message::Resize((width, height).into())),
        Event::Mouse(mouse) => {
            let (column, row) = (mouse.column, mouse.row);
            match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Some(Message::Click { column, row }),
                MouseEventKind::ScrollDown => Some(wheel(column, row, WHEEL_ROWS)),
                MouseEventKind::ScrollUp => Some(wheel(column, row, -WHEEL_ROWS)),
                _ => None,
            }
        }
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

/// A terminal sends the line ends of pasted text as its Enter key would: as carriage returns.
fn with_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

const fn wheel(column: u16, row: u16, rows: isize) -> Message {
    Message::Wheel { column, row, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_lines_stay_lines_whatever_ends_them() {
        for pasted in [
            "-- one\rSELECT 1;",
            "-- one\r\nSELECT 1;",
            "-- one\nSELECT 1;",
        ] {
            let Some(Message::Paste(text)) = from_terminal(Event::Paste(pasted.to_owned())) else {
                panic!("no paste");
            };
            assert_eq!(text, "-- one\nSELECT 1;", "{pasted:?}");
        }
    }
}
