//! Where the tutorial is played: two throw-away clusters, a working directory, and the engine
//! between them. Headless player and console both play on it.
//!
//! A stage does what a lesson's step says and looks at what a lesson expects. It shows nothing;
//! leaving it, in whatever way, removes all of it.

use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::cluster::{
    Account, Cluster, ClusterError, ClusterOptions, KeptCluster, Server, Watcher,
};
use crate::config::Plugin;
use crate::engine::{Engine, EngineOptions, Handle};
use crate::status::{Command, Failure, Outcome, Phase, Status};

use super::command_line::{CommandLine, understand};
use super::database::{Answer, Database};
use super::error::TutorialError;
use super::lesson::{
    Expectation, Lesson, POSTGRES_TO_POSTGRES, Scenario, Side, Step, is_same_statement, parse,
};
use super::maintenance::{init, tear_down};

/// What a step brings must be there by then; on an idle machine it takes milliseconds.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The database of the tutorial.
const DATABASE: &str = "postgres";

/// What a step gives to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It was done, there is nothing to see.
    Nothing,
    /// What a command printed.
    Text(String),
    /// What a database answered.
    Table(Answer),
}

/// Two clusters, a directory, and perhaps a running engine.
#[derive(Debug)]
pub struct Stage {
    scenario: Scenario,
    engine: Option<Handle>,
    databases: [Database; 2],
    clusters: [Cluster; 2],
    directory: Directory,
}

impl Stage {
    /// Starts the clusters, source and target, and joins them.
    ///
    /// # Errors
    /// Operator: no server, no wal2json for it, or it does not start.
    pub async fn set_up(plugin: Plugin) -> Result<Self, TutorialError> {
        let starting = tokio::task::spawn_blocking(move || start_pair(plugin));
        let clusters = starting
            .await
            .unwrap_or_else(|ended| resume_unwind(ended.into_panic()));
        let clusters = clusters.map_err(TutorialError::Cluster)?;
        let scenario = Scenario {
            source_port: clusters[0].port(),
            target_port: clusters[1].port(),
            plugin: plugin.to_string(),
        };
        let databases = [
            join(Side::Source, &clusters[0]).await?,
            join(Side::Target, &clusters[1]).await?,
        ];
        let directory = Directory::make().map_err(|source| {
            let path = std::env::temp_dir();
            TutorialError::File { path, source }
        })?;
        Ok(Self {
            scenario,
            engine: None,
            databases,
            clusters,
            directory,
        })
    }

    /// Returns the lessons as they are played here.
    ///
    /// # Errors
    /// Bug: the built-in text is faulty.
    pub fn lessons(&self) -> Result<Vec<Lesson>, TutorialError> {
        let lessons = parse(POSTGRES_TO_POSTGRES).map_err(TutorialError::Lesson)?;
        Ok(lessons
            .iter()
            .map(|lesson| lesson.staged(&self.scenario))
            .collect())
    }

    /// Returns the address of one side, with the password, for psql.
    #[must_use]
    pub fn url(&self, side: Side) -> String {
        self.clusters[index(side)].url(DATABASE)
    }

    /// Returns the directory in which commands run and files are written.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.files.path()
    }

    /// Returns the running engine.
    #[must_use]
    pub fn engine(&self) -> Option<&Handle> {
        self.engine.as_ref()
    }

    /// Does a step and returns what it gives. An expectation is waited for.
    ///
    /// # Errors
    /// [`TutorialError`]: what failed, or what was not seen.
    pub async fn perform(&mut self, step: &Step) -> Result<Shown, TutorialError> {
        match step {
            Step::Shell(line) => self.run(line).await,
            Step::File { name, content } => self.write(name, content),
            Step::Sql { side, statement } => self.ask(*side, statement).await.map(Shown::Table),
            Step::Expect(expectation) => self.see(expectation).await.map(Shown::Table),
        }
    }

    /// Returns whether the source has by now what is expected, whichever side it is expected on.
    /// That a table is not there yet is an answer like any other.
    pub async fn sees(&self, expected: &Expectation) -> bool {
        let source = &self.databases[index(Side::Source)];
        let answer = source.ask(&expected.query).await;
        answer.is_ok_and(|answer| expected.is_met(&answer.rows))
    }

    /// Returns whether the source's schema log has this statement so many times: it then has been
    /// run, even if others came after it.
    pub async fn has_logged(&self, (statement, times): (&str, usize)) -> bool {
        let source = &self.databases[index(Side::Source)];
        let logged = source
            .ask("SELECT schema->>'statement' FROM pgstream.schema_log")
            .await;
        let same = |row: &Vec<String>| row.iter().any(|text| is_same_statement(text, statement));
        logged.is_ok_and(|answer| answer.rows.iter().filter(|row| same(row)).count() >= times)
    }

    async fn ask(&self, side: Side, statement: &str) -> Result<Answer, TutorialError> {
        let asked = self.databases[index(side)].ask(statement).await;
        asked.map_err(|source| TutorialError::Statement {
            side,
            statement: statement.to_owned(),
            source,
        })
    }

    fn write(&self, name: &str, content: &str) -> Result<Shown, TutorialError> {
        let path: PathBuf = self.directory.files.path().join(name);
        std::fs::write(&path, content).map_err(|source| TutorialError::File { path, source })?;
        Ok(Shown::Nothing)
    }

    /// Looks until it is there; gives up at once when the engine has. That a table is not there
    /// yet is an answer like any other.
    async fn see(&mut self, expected: &Expectation) -> Result<Answer, TutorialError> {
        let mut last = String::new();
        let looking = async {
            loop {
                last = match self.databases[index(expected.side)]
                    .ask(&expected.query)
                    .await
                {
                    Ok(answer) if expected.is_met(&answer.rows) => return Ok(answer),
                    Ok(answer) => format!("{:?}", answer.rows),
                    Err(refused) => server_message(&refused),
                };
                if let Some(failure) = self.failure() {
                    return Err(TutorialError::Engine { failure });
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let looked = tokio::time::timeout(SEEN_WITHIN, looking).await;
        looked.unwrap_or_else(|_| {
            let expected = Box::new(expected.clone());
            let deadline_s = SEEN_WITHIN.as_secs();
            Err(TutorialError::NotSeen {
                expected,
                deadline_s,
                seen: last,
            })
        })
    }

    fn failure(&self) -> Option<Box<Failure>> {
        let status: Arc<Status> = Arc::clone(&self.engine.as_ref()?.status().borrow());
        let ended = matches!(status.phase, Phase::Held | Phase::Stopped | Phase::Crashed);
        status.last_error.clone().filter(|_| ended).map(Box::new)
    }

    async fn run(&mut self, line: &str) -> Result<Shown, TutorialError> {
        let CommandLine {
            command,
            configuration,
        } = understand(line, self.directory.files.path(), &self.scenario.plugin)?;
        let wrong = |source| TutorialError::Configuration {
            command: line.to_owned(),
            source,
        };
        match command.as_str() {
            "init" => {
                let maintenance = configuration.maintenance().map_err(wrong)?;
                init(&maintenance).await.map(Shown::Text)
            }
            "run" => {
                let pipeline = configuration.pipeline().map_err(wrong)?;
                self.engine = Some(Engine::start(pipeline, EngineOptions::default()));
                Ok(Shown::Nothing)
            }
            "tear-down" => {
                self.stop_engine().await?;
                let maintenance = configuration.maintenance().map_err(wrong)?;
                tear_down(&maintenance).await.map(Shown::Text)
            }
            _ => Err(TutorialError::UnknownCommand {
                command: line.to_owned(),
            }),
        }
    }

    /// Stops the engine in order, if it runs.
    ///
    /// # Errors
    /// What ended the engine before.
    pub async fn stop_engine(&mut self) -> Result<(), TutorialError> {
        let Some(mut engine) = self.engine.take() else {
            return Ok(());
        };
        // Refused only when it has ended already, which joining tells.
        drop(engine.command(Command::Stop).await);
        match engine.join().await {
            Outcome::Stopped => Ok(()),
            Outcome::Failed(failure) => Err(TutorialError::Engine {
                failure: Box::new(failure),
            }),
        }
    }

    /// Leaves the clusters running for the user and returns them, source first.
    ///
    /// # Errors
    /// When a server cannot be handed over.
    pub fn keep(self) -> Result<[KeptCluster; 2], TutorialError> {
        let [source, target] = self.clusters;
        let kept = source
            .keep()
            .and_then(|source| Ok([source, target.keep()?]));
        kept.map_err(TutorialError::Cluster)
    }
}

/// What a server said, or what happened to the connection.
fn server_message(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |message| message.message().to_owned())
}

const fn index(side: Side) -> usize {
    match side {
        Side::Source => 0,
        Side::Target => 1,
    }
}

/// The working directory; it goes also when this process is killed.
#[derive(Debug)]
struct Directory {
    _watcher: Watcher,
    files: TempDir,
}

impl Directory {
    fn make() -> io::Result<Self> {
        let files = TempDir::with_prefix("pgstream-tutorial-")?;
        let watcher = Watcher::start(Account::Own, files.path())?;
        Ok(Self {
            _watcher: watcher,
            files,
        })
    }
}

/// Starts both clusters at the same time, from one template.
fn start_pair(plugin: Plugin) -> Result<[Cluster; 2], ClusterError> {
    let name = "source".to_owned();
    let server = match plugin {
        Plugin::Pgoutput => Server::find(),
        Plugin::Wal2json => Server::find_with_wal2json(),
    };
    let server = server.map_err(|source| ClusterError::Server {
        name: name.clone(),
        source,
    })?;
    let templates = TempDir::with_prefix("pgstream-template-")
        .map_err(|source| ClusterError::Prepare { name, source })?;
    let start = |name: &str| {
        let options = ClusterOptions::new(name).on(&server);
        Cluster::start(ClusterOptions {
            template_store: Some(templates.path().to_path_buf()),
            ..options
        })
    };
    std::thread::scope(|scope| {
        let source = scope.spawn(|| start("source"));
        let target = start("target");
        Ok([
            source.join().expect("starting a cluster never panics")?,
            target?,
        ])
    })
}

async fn join(side: Side, cluster: &Cluster) -> Result<Database, TutorialError> {
    let joined = Database::join(&cluster.url(DATABASE)).await;
    joined.map_err(|source| TutorialError::Statement {
        side,
        statement: "connect".to_owned(),
        source,
    })
}
