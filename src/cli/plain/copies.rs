//! What can be asked of the copies of existing tables: the Snapshot screen, by number.

use crate::console::WORKERS_MAX;
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
    let offered = offered(snapshot);
    let mut choices = vec!["Back"];
    choices.extend(offered.iter().map(|(words, _)| *words));
    let chosen = talk.choose("Copies", &choices, Some(0)).await?;
    let command = match offered.get(chosen.checked_sub(1)?)? {
        (_, Some(command)) => *command,
        (_, None) => again(talk, snapshot).await?,
    };
    Some(Command::Copy(command))
}

/// Returns what can be asked now, and nothing else; none: a table again, which is asked for by name.
fn offered(snapshot: &Snapshot) -> Vec<(&'static str, Option<CopyCommand>)> {
    let workers = snapshot.worker_count;
    let pause = match snapshot.paused {
        true => ("Resume copying", Some(CopyCommand::Resume)),
        false => ("Pause copying", Some(CopyCommand::Pause)),
    };
    let count = |count: usize| Some(CopyCommand::Workers { count });
    let mut offered = vec![pause];
    if workers < WORKERS_MAX {
        offered.push(("One more copy at the same time", count(workers + 1)));
    }
    if workers > 1 {
        offered.push(("One copy fewer at the same time", count(workers - 1)));
    }
    offered.push(("Copy a table again", None));
    offered
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_asked_of_copies_is_offered() {
        let words = |worker_count: usize, paused: bool| {
            let snapshot = Snapshot {
                worker_count,
                paused,
                ..Snapshot::default()
            };
            offered(&snapshot)
                .iter()
                .map(|(words, _)| words.split(' ').take(2).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        let of_one = ["Pause copying", "One more", "Copy a"];
        assert_eq!(words(1, false), of_one);
        let of_most = ["Resume copying", "One copy", "Copy a"];
        assert_eq!(words(WORKERS_MAX, true), of_most);
    }
}
