//! What can be wrong with a connection string.

use crate::model::{Classify, ErrorClass};

/// A connection string was refused. No part of it appears: a slip of the hand can make a password of
/// any of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// Neither a URI nor `key=value` words.
    #[error(
        "a connection string is a URI such as postgres://user@host:5432/db, or key=value words"
    )]
    Form,
    /// A parameter that libpq does not know either.
    #[error("connection string: one of its parameters does not exist{}", did_you_mean(*.suggestion))]
    Unknown {
        /// The nearest known name.
        suggestion: Option<&'static str>,
    },
    /// A parameter of libpq that has no meaning here.
    #[error("connection parameter {name} is not supported: {reason}")]
    Unsupported {
        /// The name.
        name: &'static str,
        /// Why, and what to do instead.
        reason: &'static str,
    },
    /// A value outside the parameter's rule.
    #[error("connection parameter {name} is not {rule}")]
    Value {
        /// The parameter, or the variable of the environment that stands for it.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
        /// The nearest word that is understood.
        nearest: Option<&'static str>,
    },
    /// A part of the string is malformed.
    #[error("connection string: {part} {rule}")]
    Malformed {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        rule: &'static str,
    },
    /// Hosts, addresses and ports are lists of different lengths.
    #[error("connection string: {count} {list} for {host_count} hosts")]
    ListLengths {
        /// `ports` or `hostaddr` values.
        list: &'static str,
        /// How many of them.
        count: usize,
        /// How many hosts.
        host_count: usize,
    },
    /// Nothing says who connects.
    #[error("connection string: no user, and this process has no login name")]
    NoUser,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

impl Classify for ConnectionError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { .. } => Some(
                "in a URI write these characters of a user or password as %XX: \
                 @ is %40, : is %3A, / is %2F, ? is %3F, # is %23, % is %25"
                    .to_owned(),
            ),
            Self::Value { nearest, .. } => nearest.map(|word| format!("did you mean {word}?")),
            Self::NoUser => Some("add one: postgres://USER@host/db, or set PGUSER".to_owned()),
            Self::Form
            | Self::Unknown { .. }
            | Self::Unsupported { .. }
            | Self::ListLengths { .. } => None,
        }
    }
}
