//! How an error leaves the program: what failed, `caused by:` lines, a `hint:` with the mend, and an
//! exit code by class.

use std::fmt;

use crate::model::{Classify, ErrorClass};

/// An error of any module on its way to the user.
#[derive(Debug)]
pub struct Failure(Box<dyn Classify + Send + Sync>);

impl<E: Classify + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Failure {
    /// Returns the process exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.0.class().exit_code()
    }

    /// Returns the causes, outermost first, without those that repeat what was said before.
    fn causes(&self) -> Vec<String> {
        let mut said = self.0.to_string();
        let mut causes = Vec::new();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.contains(&text) {
                causes.push(text.clone());
                said = text;
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.0)?;
        for cause in self.causes() {
            write!(f, "\ncaused by: {cause}")?;
        }
        if let Some(hint) = self.0.hint() {
            write!(f, "\nhint: {hint}")?;
        }
        if self.0.class() == ErrorClass::Bug {
            write!(f, "\n{REPORT}")?;
        }
        Ok(())
    }
}

/// What is asked of the user after a fault of ours.
pub(super) const REPORT: &str = concat!(
    "this is a fault of pgstream ",
    env!("CARGO_PKG_VERSION"),
    "; please report it with the lines above and the statement or change that led to it"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("cannot create slot a_slot")]
        Outer(#[source] std::io::Error),
        #[error("two and two are five")]
        Broken,
    }

    impl Classify for Sample {
        fn class(&self) -> ErrorClass {
            match self {
                Self::Outer(_) => ErrorClass::Operator,
                Self::Broken => ErrorClass::Bug,
            }
        }

        fn hint(&self) -> Option<String> {
            matches!(self, Self::Outer(_)).then(|| "make room".to_owned())
        }
    }

    #[test]
    fn an_error_says_what_why_and_the_mend() {
        let failure = Failure::from(Sample::Outer(std::io::Error::other("disk full")));
        let expected = "error: cannot create slot a_slot\ncaused by: disk full\nhint: make room";
        assert_eq!(
            (failure.to_string().as_str(), failure.exit_code()),
            (expected, 78)
        );
    }

    #[test]
    fn a_fault_of_ours_asks_for_a_report() {
        let failure = Failure::from(Sample::Broken);
        assert_eq!(failure.exit_code(), 70);
        assert!(failure.to_string().ends_with(REPORT));
    }
}
