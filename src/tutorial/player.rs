//! Plays the tutorial from the first lesson to the last and tells it line by line; what is reported
//! goes to the writer of the caller.

use std::io::{self, Write};

use crate::config::Plugin;

use super::error::TutorialError;
use super::lesson::{Lesson, Side, Step};
use super::stage::{Shown, Stage};
use super::table::draw;

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
    print_line(out, "Starting two throw-away PostgreSQL clusters …")?;
    let mut stage = Stage::set_up(options.plugin).await?;
    print_line(
        out,
        &format!("  source  psql \"{}\"", stage.url(Side::Source)),
    )?;
    print_line(
        out,
        &format!("  target  psql \"{}\"", stage.url(Side::Target)),
    )?;
    let lessons = stage.lessons()?;
    for (lesson, number) in lessons.iter().zip(1..) {
        print_line(
            out,
            &format!("\n{number}/{} {}", lessons.len(), lesson.title),
        )?;
        play_lesson(&mut stage, lesson, out).await?;
    }
    stage.stop_engine().await?;
    print_line(
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
        print_line(out, &indented(&lesson.text, "   "))?;
    }
    for step in &lesson.steps {
        print_line(out, &announcement(step))?;
        match stage.perform(step).await? {
            Shown::Nothing => {}
            Shown::Text(text) => print_line(out, &indented(&text, "     "))?,
            Shown::Table(answer) if answer.columns.is_empty() => {}
            Shown::Table(answer) => print_line(out, draw(&answer, 5).trim_end())?,
        }
        if matches!(step, Step::Expect(_)) {
            print_line(out, "     ✓ as expected")?;
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
        return print_line(out, "The clusters are removed.");
    }
    print_line(out, "The clusters stay:")?;
    for (kept, side) in stage.keep()?.iter().zip([Side::Source, Side::Target]) {
        print_line(out, &format!("  {side}  psql \"{}\"", kept.url))?;
        print_line(
            out,
            &format!("          remove it with: {}", kept.stop_command),
        )?;
    }
    Ok(())
}

fn print_line(out: &mut impl Write, line: &str) -> Result<(), TutorialError> {
    let reported: io::Result<()> = writeln!(out, "{line}").and_then(|()| out.flush());
    reported.map_err(TutorialError::Print)
}
