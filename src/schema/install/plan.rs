//! A plan as text: what `--plan` prints and what the console copies and saves.

use std::fmt;

use crate::model::Classify as _;

use super::{InstallError, PlannedStep, Side};

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Standby => "standby of the source",
            Self::Target => "target",
        })
    }
}

/// Returns what is to be said of a plan whose steps would be refused now.
#[must_use]
pub fn until_then(refusal: &InstallError) -> String {
    let hint = refusal.hint().unwrap_or_default();
    format!("{refusal}, and tear-down refuses until that ends: {hint}")
}

/// Returns the steps as SQL that psql would take, each under the side it is for.
#[must_use]
pub fn render_plan(steps: &[PlannedStep]) -> String {
    if steps.is_empty() {
        return "-- nothing to do\n".to_owned();
    }
    let texts: Vec<String> = steps.iter().map(render).collect();
    texts.join("\n")
}

fn render(step: &PlannedStep) -> String {
    let sql = step.sql.trim_end();
    let end = if sql.ends_with(';') || sql.starts_with("--") {
        ""
    } else {
        ";"
    };
    format!("-- {}: {}\n{sql}{end}\n", step.side, step.what)
}
