//! What can be asked of the copies of existing tables: the Snapshot screen, by number.

use crate::status::{Command, CopyCommand, Snapshot, Status};

use super::talk::Talk;

/// Shows how far the copies are and lets something be asked of them.
pub(super) async fn choose(talk: &mut Talk, status: &Status) -> Option<Command> {
    let Some(snapshot) = &status.snapshot else {
        talk.print_line("refused: no table is copied here");
        return None;
    };
    for table in snapshot.tables.iter() {
        talk.print_lines([format!("{:11}  {}", table.state.words(), table.name)]);
    }
    let pause = match snapshot.paused {
        true => "Resume copying",
        false => "Pause copying",
    };
    let choices = [
        "Back",
        pause,
        "One more copy at the same time",
        "One copy fewer at the same time",
        "Copy a table again",
    ];
    let workers = |count: usize| CopyCommand::Workers {
        count: count.max(1),
    };
    let command = match talk.choose("Copies", &choices, Some(0)).await? {
        1 if snapshot.paused => CopyCommand::Resume,
        1 => CopyCommand::Pause,
        2 => workers(snapshot.worker_count + 1),
        3 => workers(snapshot.worker_count.saturating_sub(1)),
        4 => again(talk, snapshot).await?,
        _ => return None,
    };
    Some(Command::Copy(command))
}

/// Its rows on the target are replaced, so its name must be typed.
async fn again(talk: &mut Talk, snapshot: &Snapshot) -> Option<CopyCommand> {
    talk.print_line("The table's rows on the target are replaced by those of the source.");
    let typed = talk
        .ask("Type the name of the table (empty: none): ")
        .await?;
    let table = snapshot.tables.iter().find(|table| table.name == typed);
    match table {
        Some(table) => Some(CopyCommand::Table {
            relation: table.relation,
        }),
        None => {
            talk.print_line("nothing is copied again: no table here has that name");
            None
        }
    }
}
