//! Lines told and lines typed. Reading has a thread of its own, so that a line may come while an
//! engine runs; it ends with the process.

use std::io::{self, BufRead as _};
use std::thread;

use tokio::sync::mpsc;

use crate::cli::output::{print, prompt};
use crate::model::{Classify, ErrorClass};

/// Lines that may wait to be read: more than anybody types ahead.
const WAITING_MAX: usize = 64;

/// The system has no thread left for reading.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what is typed")]
pub(super) struct TalkError(#[source] io::Error);

impl Classify for TalkError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Transient
    }
}

/// A conversation on the terminal.
pub(super) struct Talk {
    typed: mpsc::Receiver<String>,
}

impl Talk {
    /// Begins to read lines.
    pub(super) fn open() -> Result<Self, TalkError> {
        let (sender, typed) = mpsc::channel(WAITING_MAX);
        let reading = move || {
            let lines = io::stdin().lock().lines().map_while(Result::ok);
            for line in lines {
                if sender.blocking_send(line.trim().to_owned()).is_err() {
                    break;
                }
            }
        };
        let reader = thread::Builder::new().name("typed".to_owned());
        reader.spawn(reading).map_err(TalkError)?;
        Ok(Self { typed })
    }

    /// Waits for a line; none at the end of input. Cancel safe.
    pub(super) async fn line(&mut self) -> Option<String> {
        self.typed.recv().await
    }

    /// Tells a line.
    pub(super) fn print_line(&self, text: impl AsRef<str>) {
        // A conversation that nobody can hear ends with its input.
        drop(print(&text.as_ref()));
    }

    /// Tells several lines, indented.
    pub(super) fn print_lines<T: AsRef<str>>(&self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            self.print_line(format!("  {}", line.as_ref()));
        }
    }

    /// Asks for a line; none when there is nobody to answer any more.
    pub(super) async fn ask(&mut self, question: &str) -> Option<String> {
        prompt(question);
        self.line().await
    }

    /// Lets one of several be chosen by its number; an empty answer takes the preset.
    pub(super) async fn choose(
        &mut self,
        title: &str,
        choices: &[&str],
        preset: Option<usize>,
    ) -> Option<usize> {
        self.print_line(title);
        for (number, choice) in (1..).zip(choices) {
            self.print_line(format!("  {number} {choice}"));
        }
        let hint = preset.map_or(String::new(), |index| format!(" [{}]", index + 1));
        loop {
            let answer = self.ask(&format!("Number{hint}: ")).await?;
            if let (true, Some(index)) = (answer.is_empty(), preset) {
                return Some(index);
            }
            let number: Option<usize> = answer.parse().ok();
            match number.and_then(|number| number.checked_sub(1)) {
                Some(index) if index < choices.len() => return Some(index),
                _ => self.print_line(format!("Type a number from 1 to {}.", choices.len())),
            }
        }
    }
}
