//! How an error leaves the program: what failed, `caused by:` lines, a `hint:` with the mend, and an
//! exit code by class.

use std::fmt;

use crate::engine::check::{CheckReport, Finding, Side};
use crate::engine::status;
use crate::model::remedy::on_side;
use crate::model::{Classify, ErrorClass};

/// An error of any module on its way to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    class: ErrorClass,
    message: String,
    causes: Vec<String>,
    /// What it was about, by name: the refused statement, the transaction.
    particulars: Vec<(&'static str, String)>,
    hints: Vec<String>,
}

impl<E: Classify> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
            class: error.class(),
            message: error.to_string(),
            causes,
            particulars: Vec::new(),
            hints: error.hint().into_iter().collect(),
        }
    }
}

impl Failure {
    /// Returns the failure that ended the engine.
    #[must_use]
    pub fn of_engine(failure: status::Failure) -> Self {
        let transaction = failure.transaction.map(|transaction| {
            let status::FailedTransaction { xid, commit_lsn } = transaction;
            (
                "transaction",
                format!("{xid} of the source, committed at {commit_lsn}"),
            )
        });
        let statement = failure.statement.as_deref().map(first_line);
        let statement = statement.map(|statement| ("statement", statement));
        Self {
            class: failure.class,
            message: failure.message,
            causes: failure.causes,
            particulars: statement.into_iter().chain(transaction).collect(),
            hints: failure.hint.into_iter().collect(),
        }
    }

    /// Puts what `check` found in the way in the place of the general hint, when it found anything.
    #[must_use]
    pub(super) fn explained_by(mut self, report: &CheckReport) -> Self {
        let blocking = report.findings.iter().filter(|finding| finding.blocking);
        let mut mends: Vec<String> = Vec::new();
        for mend in blocking.map(|finding| self.mend(finding)) {
            if !mends.contains(&mend) {
                mends.push(mend);
            }
        }
        if !mends.is_empty() {
            self.hints = mends;
        }
        self
    }

    /// The mend, and below it what it is for, unless the error has said so.
    fn mend(&self, finding: &Finding) -> String {
        let Finding {
            object,
            problem,
            mend,
            side,
            ..
        } = finding;
        let side = match side {
            Side::Source => "source",
            Side::Target => "target",
        };
        let mend = on_side(side, mend);
        let mut said = self.causes.iter().chain([&self.message]);
        let said = said.any(|text| text.contains(problem));
        if said {
            mend
        } else {
            format!("{mend}\n      ({object}: {problem})")
        }
    }

    /// Returns whether an operator must change something on a server.
    pub(super) fn is_for_an_operator(&self) -> bool {
        self.class == ErrorClass::Operator
    }

    /// Returns the process exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.class.exit_code()
    }

    /// Writes it into the log, for those who read that by machine.
    pub(super) fn log(&self) {
        let causes: Vec<&str> = self.distinct_causes().collect();
        let causes = Some(causes.join(": ")).filter(|causes| !causes.is_empty());
        let hint = Some(self.hints.join("; ")).filter(|hint| !hint.is_empty());
        let about = |name: &str| {
            let found = self.particulars.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| text.as_str())
        };
        tracing::error!(target: "pgstream", causes, hint, statement = about("statement"),
            transaction = about("transaction"), "{}", self.message);
    }

    /// Returns the causes without those that repeat what was said before.
    fn distinct_causes(&self) -> impl Iterator<Item = &str> {
        let mut said = self.message.as_str();
        self.causes.iter().filter_map(move |cause| {
            let new = !said.contains(cause.as_str());
            said = cause;
            new.then_some(cause.as_str())
        })
    }

    fn asks_for_a_report(&self) -> bool {
        let asked = self.hints.iter().any(|hint| hint.contains("report"));
        self.class == ErrorClass::Bug && !asked
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        for cause in self.distinct_causes() {
            write!(f, "\ncaused by: {cause}")?;
        }
        for (name, text) in &self.particulars {
            write!(f, "\n{name}: {text}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        if self.asks_for_a_report() {
            write!(f, "\n{REPORT}")?;
        }
        Ok(())
    }
}

/// Returns the first line that is no comment: enough to recognise a script by.
fn first_line(statement: &str) -> String {
    let mut lines = statement
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("--"));
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.next() {
        Some(_) => format!("{first} …"),
        None => first,
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
