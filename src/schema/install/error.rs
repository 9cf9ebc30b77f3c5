//! Why an installation or a removal did not happen, or only in part.

use crate::model::{Classify, ErrorClass};
use crate::postgres::{PgError, sqlstate};

/// A failure of `init`, `tear-down` or of the look at an installation.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A question to a server failed.
    #[error("cannot {what}")]
    Ask {
        /// What we wanted to know or do.
        what: &'static str,
        source: PgError,
    },
    /// Something must change on the server first. Nothing was done.
    #[error("{problem}")]
    Blocked {
        /// What is in the way, on which object.
        problem: String,
        /// The statement that fixes it.
        hint: String,
    },
    /// A step failed. The steps before it were taken back.
    #[error("cannot {what}{}", left_over(.left))]
    Step {
        what: String,
        /// What could not be taken back, each with the statement that does it.
        left: Vec<String>,
        /// A better hint than the server's, where the code alone does not tell.
        hint: Option<String>,
        source: PgError,
    },
    /// We were asked to stop. The steps before it were taken back.
    #[error("interrupted before it could {what}: everything was taken back{}", left_over(.left))]
    Interrupted {
        what: String,
        /// What could not be taken back.
        left: Vec<String>,
    },
    /// We were asked to stop twice.
    #[error("interrupted before everything was taken back")]
    Left,
    /// Somebody streams from the slot.
    #[error("slot {slot} is active for process {pid} (application {application})")]
    SlotActive {
        slot: String,
        pid: i32,
        /// What it calls itself.
        application: String,
        /// Where that is, if it is known.
        client: Option<String>,
    },
    /// One side is clean, the other could not be reached.
    #[error("cannot remove what is on the {side}")]
    Remains {
        /// `source` or `target`.
        side: &'static str,
        source: PgError,
    },
}

fn left_over(left: &[String]) -> String {
    match left {
        [] => String::new(),
        left => format!("; what could not be taken back: {}", left.join("; ")),
    }
}

impl Classify for InstallError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Ask { source, .. } | Self::Step { source, .. } | Self::Remains { source, .. } => {
                source.class()
            }
            Self::Interrupted { .. } | Self::Left => ErrorClass::Transient,
            Self::Blocked { .. } | Self::SlotActive { .. } => ErrorClass::Operator,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ask { source, .. } | Self::Remains { source, .. } => {
                source.hint().or_else(|| {
                    let refused = source.code() == Some(sqlstate::INSUFFICIENT_PRIVILEGE);
                    let hint = "run it as a superuser, or as the role that ran init here";
                    refused.then(|| hint.to_owned())
                })
            }
            Self::Step { hint, source, .. } => hint.clone().or_else(|| source.hint()),
            Self::Interrupted { .. } => None,
            Self::Left => Some(
                "pgstream init completes what is there, pgstream tear-down removes it".to_owned(),
            ),
            Self::Blocked { hint, .. } => Some(hint.clone()),
            Self::SlotActive { pid, client, .. } => {
                let place = client.as_ref().map(|client| format!(" ({client})"));
                Some(format!(
                    "stop the pgstream run that uses it{}, which would only connect again; where its process \
                     is gone, end the session on the source: SELECT pg_terminate_backend({pid})",
                    place.unwrap_or_default()
                ))
            }
        }
    }
}

/// Returns the statements that let a server load an output plugin. The setting takes effect with
/// a reload.
pub(super) fn allow_plugin_sql(plugin: &str, libraries: &str) -> String {
    let listed = libraries
        .split(',')
        .map(str::trim)
        .filter(|l| !l.is_empty());
    let others = listed.map(|library| library.trim_matches('"'));
    let list: Vec<String> = others
        .filter(|library| *library != plugin)
        .chain([plugin])
        .map(|library| format!("'{library}'"))
        .collect();
    format!(
        "ALTER SYSTEM SET output_plugin_libraries = {}; SELECT pg_reload_conf();",
        list.join(", ")
    )
}
