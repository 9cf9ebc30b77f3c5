//! Plays the tutorial from the first lesson to the last and tells it line by line; what is told
//! goes to the writer of the caller.

use std::io::{self, Write};

use super::error::TutorialError;
use super::lesson::{Lesson, Side, Step};
use super::stage::{Shown, Stage};
use super::table::draw;
use crate::config::Plugin;

/// How the tutorial is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayOptions {
    /// The output plugin.
    pub plugin: Plugin,
    /// Leave the clusters running afterwards.
    pub keep: bool,
}

/// Plays every lesson; returns when everything was seen. Dropping the future ends the
/// performance and removes the clusters.
///
/// # Errors
/// [`TutorialError`]: the first step that failed, or what was not seen.
pub async fn play(options: PlayOptions, out: &mut impl Write) -> Result<(), TutorialError> {
    tell(out, "Starting two throw-away PostgreSQL clusters …")?;
    let mut stage = Stage::set_up(options.plugin).await?;
    tell(
        out,
        &format!("  source  psql \"{}\"", stage.url(Side::Source)),
    )?;
    tell(
        out,
        &format!("  target  psql \"{}\"", stage.url(Side::Target)),
    )?;
    let lessons = stage.lessons()?;
    for (lesson, number) in lessons.iter().zip(1..) {
        tell(
            out,
            &format!("\n{number}/{} {}", lessons.len(), lesson.title),
        )?;
        play_lesson(&mut stage, lesson, out).await?;
    }
    stage.stop_engine().await?;
    tell(
        out,
        "\nThe whole tutorial was played, and everything was seen.",
    )?;
    leave(stage, options.keep, out)
}

async fn play_lesson(
    stage: &mut Stage,
    lesson: &Lesson,
    out: &mut impl Write,
) -> Result<(), TutorialError> {
    if !lesson.text.is_empty() {
        tell(out, &indented(&lesson.text, "   "))?;
    }
    for step in &lesson.steps {
        tell(out, &announcement(step))?;
        match stage.perform(step).await? {
            Shown::Nothing => {}
            Shown::Text(text) => tell(out, &indented(&text, "     "))?,
            Shown::Table(answer) if answer.columns.is_empty() => {}
            Shown::Table(answer) => tell(out, draw(&answer, 5).trim_end())?,
        }
        if matches!(step, Step::Expect(_)) {
            tell(out, "     ✓ as expected")?;
        }
    }
    Ok(())
}

/// What is about to be done, as it would be typed.
fn announcement(step: &Step) -> String {
    match step {
        Step::Shell(line) => format!("\n   $ {line}"),
        Step::File { name, content } => {
            format!("\n   {name}:\n{}", indented(content, "     "))
        }
        Step::Sql { side, statement } => format!("\n   {side}> {statement}"),
        Step::Expect(expectation) => format!("\n   {}> {}", expectation.side, expectation.query),
    }
}

fn indented(text: &str, margin: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("{margin}{line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn leave(stage: Stage, keep: bool, out: &mut impl Write) -> Result<(), TutorialError> {
    if !keep {
        drop(stage);
        return tell(out, "The clusters are removed.");
    }
    tell(out, "The clusters stay:")?;
    for (kept, side) in stage.keep()?.iter().zip([Side::Source, Side::Target]) {
        tell(out, &format!("  {side}  psql \"{}\"", kept.url))?;
        tell(
            out,
            &format!("          remove it with: {}", kept.stop_command),
        )?;
    }
    Ok(())
}

fn tell(out: &mut impl Write, line: &str) -> Result<(), TutorialError> {
    let told: io::Result<()> = writeln!(out, "{line}").and_then(|()| out.flush());
    told.map_err(TutorialError::Print)
}
