//! How long the first copy of a database takes: the rows alone through one pair of connections, and
//! the whole of it, beside the programs that people use for that.
//!
//! ```text
//!  per load: a source database
//!    per round, per copier in turn: a fresh target database ─> (copy) ─> equal counts and sums
//! ```

pub(crate) mod copier;
pub(crate) mod load;
mod table;

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::servers::{Servers, connect};

use self::copier::{Copier, Task};
use self::load::{LOADS, Load};
use self::table::{Run, Table};

/// Copies every load with every copier.
pub(crate) async fn measure(servers: &Servers, options: &Options) -> anyhow::Result<Table> {
    let mut table = Table::default();
    for load in LOADS {
        let byte_count = fill(servers, load, options.rows).await?;
        let task = Task {
            servers,
            load,
            jobs: options.jobs,
        };
        for round in 0..options.rounds {
            for copier in in_turn(load, round) {
                let run = run(&task, copier, byte_count).await;
                let run = run.with_context(|| format!("{}, {copier}", load.name))?;
                eprintln!("  {:<12} {run}", load.name);
                table.add(load.name, round, run);
            }
        }
        let source = connect(&servers.source_url_of("postgres")).await?;
        drop_database(&source, load.name).await?;
    }
    Ok(table)
}

/// The copiers of a load; who is first changes with the round.
fn in_turn(load: Load, round: usize) -> Vec<Copier> {
    let rows = Copier::ROWS
        .into_iter()
        .filter(|_| load.only_table.is_some());
    let mut copiers: Vec<Copier> = rows.chain(Copier::DATABASE).collect();
    copiers.retain(|copier| copier.is_installed());
    let first = round % copiers.len();
    copiers.rotate_left(first);
    copiers
}

/// Makes the source. Returns the size of its tables.
pub(crate) async fn fill(servers: &Servers, load: Load, row_count: u64) -> anyhow::Result<u64> {
    create_database(&servers.source_url_of("postgres"), load.name).await?;
    let source = connect(&servers.source_url_of(load.name)).await?;
    source.batch_execute(&(load.fill)(row_count)).await?;
    source.batch_execute("VACUUM (ANALYZE, FREEZE)").await?;
    let sql = "SELECT sum(pg_table_size(c.oid))::bigint FROM pg_class AS c \
               WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace";
    let byte_count: i64 = source.query_one(sql, &[]).await?.get(0);
    Ok(byte_count.try_into()?)
}

async fn run(task: &Task<'_>, copier: Copier, byte_count: u64) -> anyhow::Result<Run> {
    let administrator = task.servers.target_url_of("postgres");
    create_database(&administrator, task.load.name).await?;
    if let Some(arguments) = copier.needs() {
        task.dump(arguments).await?;
    }
    task.servers.settle().await?;
    let (took, usage) = copier.copy(task).await?;
    require_equal(task, copier).await?;
    drop_database(&connect(&administrator).await?, task.load.name).await?;
    Ok(Run {
        copier,
        took,
        byte_count,
        usage,
    })
}

/// Counts and sums of every table, and the number of indexes and constraints where those were copied
/// too.
async fn require_equal(task: &Task<'_>, copier: Copier) -> anyhow::Result<()> {
    let source = connect(&task.servers.source_url_of(task.load.name)).await?;
    let target = connect(&task.servers.target_url_of(task.load.name)).await?;
    let sums = "SELECT string_agg(format('SELECT format(''%1$s: %%s rows, sum %%s'', count(*), \
                sum(hashtextextended(t::text, 0)::numeric)) FROM public.%1$I AS t', c.relname), \
                ' UNION ALL ' ORDER BY c.relname) FROM pg_class AS c \
                WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace";
    let sums: String = source.query_one(sums, &[]).await?.get(0);
    let mut questions = vec![sums.as_str()];
    if copier.needs().is_none() {
        questions.push(
            "SELECT format('%s indexes, %s constraints', \
             (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'), \
             (SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace))",
        );
    }
    for question in questions {
        let (wanted, found) = (answers(&source, question), answers(&target, question));
        let (wanted, found) = (wanted.await?, found.await?);
        ensure!(wanted.len() == found.len(), "not as many tables");
        for (wanted, found) in wanted.iter().zip(&found) {
            ensure!(wanted == found, "{found} instead of {wanted}");
        }
    }
    Ok(())
}

/// Sorted: parts of a UNION come as its workers are done.
async fn answers(session: &tokio_postgres::Client, question: &str) -> anyhow::Result<Vec<String>> {
    let rows = session.query(question, &[]).await?;
    let mut answers: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    answers.sort();
    Ok(answers)
}

pub(crate) async fn create_database(administrator: &str, name: &str) -> anyhow::Result<()> {
    let session = connect(administrator).await?;
    Ok(session
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await?)
}

/// Sessions that have just ended may still be seen.
pub(crate) async fn drop_database(
    administrator: &tokio_postgres::Client,
    name: &str,
) -> anyhow::Result<()> {
    let sql = format!("DROP DATABASE {name} WITH (FORCE)");
    Ok(administrator.batch_execute(&sql).await?)
}
