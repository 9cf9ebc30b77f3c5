//! A pseudo-terminal with a program in it, and what stands on its screen.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use pgstream::runtime::clock;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Nothing that a console does takes longer, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program in a terminal.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    child: Program,
    screen: vt100::Parser,
}

/// It does not outlive a test that has failed.
struct Program(Box<dyn Child + Send + Sync>);

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        drop(self.0.kill());
    }
}

impl Terminal {
    /// Starts a program in a terminal of so many columns and rows.
    pub fn start(command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let child = Program(pair.slave.spawn_command(command).unwrap());
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            output,
            child,
            screen: vt100::Parser::new(cells(rows), cells(columns), 0),
        }
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Gives the window another size.
    #[cfg(feature = "failpoints")]
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Returns what stands on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Returns the process id of the program.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.0.process_id().unwrap()).unwrap()
    }

    /// Waits until a text stands on the screen.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contents().contains(text));
    }

    /// Waits until the screen is as wanted.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let deadline = clock::now() + DEADLINE;
        while !wanted(self.screen.screen()) {
            let more = self.read_until(deadline);
            assert!(more, "no «{what}» on\n{}", self.text());
        }
    }

    /// Waits for the end of the program and of its output; returns its exit code.
    pub fn end(&mut self) -> u32 {
        let deadline = clock::now() + DEADLINE;
        while self.read_until(deadline) {}
        assert!(clock::now() < deadline, "still running:\n{}", self.text());
        self.child.0.wait().unwrap().exit_code()
    }

    /// Closes the window, and returns the program's exit code.
    pub fn close(self) -> u32 {
        let Self {
            master,
            writer,
            output,
            mut child,
            ..
        } = self;
        // Whoever reads for us ends with the next bytes that nobody takes.
        drop((master, writer, output));
        child.0.wait().unwrap().exit_code()
    }

    /// Asserts that the terminal is as it was before: ordinary screen, visible cursor, no mouse.
    pub fn assert_given_back(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is visible");
        assert!(!screen.bracketed_paste(), "pasted text is ordinary text");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        let settings = self.master.get_termios().unwrap();
        let cooked = nix::libc::ICANON | nix::libc::ECHO;
        assert_eq!(
            settings.local_flags.bits() & cooked,
            cooked,
            "raw mode is left"
        );
    }

    /// Takes in what the program has written; false when it writes no more, or not in time.
    pub fn read_until(&mut self, deadline: tokio::time::Instant) -> bool {
        let left = deadline.saturating_duration_since(clock::now());
        match self.output.recv_timeout(left) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}
