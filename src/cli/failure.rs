//! How an error leaves the program: what failed, `caused by:` lines, a `hint:` with what fixes it, and
//! an exit code by class.

use std::fmt;

use crate::diagnose::{CheckReport, Finding, Side};
use crate::failure::Failure as Carried;
use crate::model::hint::on_side;
use crate::model::{Classify, ErrorClass};
/// An error of any module on its way to the user.
#[derive(Debug)]
pub struct Failure(Carried);

impl<E: Classify + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Carried::from(error))
    }
}

impl From<Carried> for Failure {
    fn from(carried: Carried) -> Self {
        Self(carried)
    }
}

impl Failure {
    /// Returns the failure that ended the engine.
    #[must_use]
    pub fn of_engine(failure: crate::status::Failure) -> Self {
        let transaction = failure.transaction.map(|transaction| {
            let crate::status::FailedTransaction { xid, commit_lsn } = transaction;
            (
                "transaction",
                format!("{xid} of the source, committed at {commit_lsn}"),
            )
        });
        let statement = failure.statement.as_deref().map(first_line);
        let statement = statement.map(|statement| ("statement", statement));
        let carried = Carried::of_texts(failure.class, failure.message, failure.causes);
        let carried = carried.with_hints(failure.hint.into_iter().collect());
        Self(carried.with_particulars(statement.into_iter().chain(transaction).collect()))
    }

    /// Puts what `check` found in the way in the place of the general hint, when it found anything.
    #[must_use]
    pub(super) fn explained_by(self, report: &CheckReport) -> Self {
        let blocking = report.findings.iter().filter(|finding| finding.blocking);
        let mut fixes: Vec<String> = Vec::new();
        for fix in blocking.map(|finding| self.fix(finding)) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        match fixes.is_empty() {
            true => self,
            false => Self(self.0.with_hints(fixes)),
        }
    }

    /// The fix, and below it what it is for, unless the error has said so.
    fn fix(&self, finding: &Finding) -> String {
        let Finding {
            object,
            problem,
            hint,
            side,
            ..
        } = finding;
        let side = match side {
            Side::Source => "source",
            Side::Target => "target",
        };
        let fix = on_side(side, hint);
        let message = self.0.mentions(problem);
        match message {
            true => fix,
            false => format!("{fix}\n      ({object}: {problem})"),
        }
    }

    /// Returns whether an operator must change something on a server.
    pub(super) fn is_for_an_operator(&self) -> bool {
        self.0.class() == ErrorClass::Operator
    }

    /// Returns the process exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.0.class().exit_code()
    }

    /// Writes it into the log, for those who read that by machine.
    pub(super) fn log(&self) {
        let causes = Some(self.0.causes().join(": ")).filter(|causes| !causes.is_empty());
        let hint = Some(self.0.hints().join("; ")).filter(|hint| !hint.is_empty());
        let about = |name: &str| {
            let mut particulars = self.0.particulars().iter();
            let found = particulars.find(|(known, _)| *known == name);
            found.map(|(_, text)| text.as_str())
        };
        tracing::error!(target: "pgstream", causes, hint, statement = about("statement"),
            transaction = about("transaction"), "{}", self.0.message());
    }

    fn asks_for_a_report(&self) -> bool {
        let asked = self.0.hints().iter().any(|hint| hint.contains("report"));
        self.0.class() == ErrorClass::Bug && !asked
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.0.message())?;
        for cause in self.0.causes() {
            write!(f, "\ncaused by: {cause}")?;
        }
        for (name, text) in self.0.particulars() {
            write!(f, "\n{name}: {text}")?;
        }
        for hint in self.0.hints() {
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
    fn an_error_says_what_why_and_the_hint() {
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
