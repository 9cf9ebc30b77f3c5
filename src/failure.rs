//! An error on its way to people. `anyhow` carries it with its causes; beside it stand its class,
//! which is the exit code, and what fixes it.
//!
//! This is the one way from a chain of errors to text: for the command line, for what the console's
//! wizards ask of servers, for the tutorial.

use std::fmt;

use anyhow::Error;

use crate::model::{Classify, ErrorClass};

/// An error of any module on its way to the user.
#[derive(Debug)]
pub struct Failure {
    class: ErrorClass,
    error: Error,
    /// What it was about, by name: the refused statement, the transaction.
    particulars: Vec<(&'static str, String)>,
    hints: Vec<String>,
}

impl<E: Classify + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            class: error.class(),
            hints: error.hint().into_iter().collect(),
            particulars: Vec::new(),
            error: Error::new(error),
        }
    }
}

impl Failure {
    /// Returns the failure of an error that has no class of its own.
    #[must_use]
    pub fn of(class: ErrorClass, error: impl Into<Error>) -> Self {
        Self {
            class,
            error: error.into(),
            particulars: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Returns the failure of a chain that is known as texts: what failed, then its causes, outermost
    /// first.
    #[must_use]
    pub fn of_texts(class: ErrorClass, message: String, causes: Vec<String>) -> Self {
        let chain = std::iter::once(message).chain(causes).rev();
        let error = chain.fold(None, |error: Option<Error>, text| {
            Some(match error {
                None => Error::msg(text),
                Some(error) => error.context(text),
            })
        });
        Self::of(class, error.unwrap_or_else(|| Error::msg("")))
    }

    /// Returns it as the cause of something that failed because of it.
    #[must_use]
    pub fn context(self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self {
            error: self.error.context(what),
            ..self
        }
    }

    /// Returns it with other hints.
    #[must_use]
    pub fn with_hints(self, hints: Vec<String>) -> Self {
        Self { hints, ..self }
    }

    /// Returns it with what it was about.
    #[must_use]
    pub fn with_particulars(self, particulars: Vec<(&'static str, String)>) -> Self {
        Self {
            particulars,
            ..self
        }
    }

    /// Returns what can be done about it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// Returns what failed, in one text.
    #[must_use]
    pub fn message(&self) -> String {
        self.error.to_string()
    }

    /// Returns the causes, outermost first, without those that repeat what was said before.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut message = self.message();
        let causes = self.error.chain().skip(1).filter_map(|cause| {
            let cause = cause.to_string();
            let new = !message.contains(&cause);
            message.clone_from(&cause);
            new.then_some(cause)
        });
        causes.collect()
    }

    /// Returns whether a text stands in it already.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.error.chain().any(|one| one.to_string().contains(text))
    }

    /// Returns what it was about, by name.
    #[must_use]
    pub fn particulars(&self) -> &[(&'static str, String)] {
        &self.particulars
    }

    /// Returns what fixes it.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Returns it as lines for a screen: what failed, why, what fixes it.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.message().lines().map(str::to_owned).collect();
        lines.extend(
            self.causes()
                .iter()
                .map(|cause| format!("because  {cause}")),
        );
        lines.extend(self.hints.iter().map(|hint| format!("hint     {hint}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot create slot a_slot")]
    struct Sample(#[source] std::io::Error);

    impl Classify for Sample {
        fn class(&self) -> ErrorClass {
            ErrorClass::Operator
        }

        fn hint(&self) -> Option<String> {
            Some("make room".to_owned())
        }
    }

    #[test]
    fn a_chain_becomes_what_why_and_what_fixes_it() {
        let failure = Failure::from(Sample(std::io::Error::other("disk full")));
        assert_eq!(failure.class(), ErrorClass::Operator);
        assert_eq!(
            failure.lines(),
            [
                "cannot create slot a_slot",
                "because  disk full",
                "hint     make room"
            ]
        );
        let outer = failure.context("cannot initialise: cannot create slot a_slot");
        assert_eq!(outer.causes(), ["disk full"], "nothing is said twice");
    }
}
