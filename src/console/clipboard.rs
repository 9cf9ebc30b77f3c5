//! Copying, over ssh and inside tmux too. The text always goes into a file as well, whose path is
//! shown, because no terminal says whether it took an OSC 52.

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Stdio;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Where copied text goes.
#[derive(Debug, Default)]
pub(super) struct Clipboard {
    /// The file of this process, once there is one.
    file: Option<PathBuf>,
}

impl Clipboard {
    /// Writes the text into the file, readable by nobody else, and returns its path.
    ///
    /// # Errors
    /// When no file can be written.
    pub(super) fn write_file(&mut self, text: &str) -> io::Result<PathBuf> {
        if let Some(path) = &self.file {
            std::fs::write(path, text)?;
            return Ok(path.clone());
        }
        let mut file = tempfile::Builder::new()
            .prefix("pgstream-copied-")
            .suffix(".txt")
            .tempfile()?;
        file.write_all(text.as_bytes())?;
        let (_, path) = file.keep().map_err(|error| error.error)?;
        Ok(self.file.insert(path).clone())
    }
}

/// Gives the text to the terminal's clipboard; returns the words for it. tmux drops a program's
/// OSC 52 unless `set-clipboard` is on, and takes text for its buffer and its terminal instead.
pub(super) async fn offer(text: &str) -> &'static str {
    if env::var_os("TMUX").is_some() && tmux(text).await.is_ok() {
        return "to the tmux buffer and ";
    }
    match execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text)) {
        Ok(()) => "to the clipboard and ",
        Err(_) => "",
    }
}

async fn tmux(text: &str) -> io::Result<()> {
    let mut child = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).await?;
    }
    let status = child.wait().await?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other("tmux refused"))
}
