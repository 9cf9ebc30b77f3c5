//! All tables, under as many pairs of snapshots as it takes; the schema under one of them; sequences.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::apply;
use crate::config::{Pipeline, TableFilter};
use crate::engine::follow_sequences;
use crate::fault;
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{PgError, Session, slot_or_default};
use crate::runtime::clock;
use crate::status::{Verdict, failure_of};

use super::VerifyError;
use super::adopt::{self, Adoption};
use super::beside::Beside;
use super::compare::{Outcome, Settings};
use super::counters::Counters;
use super::opened::Opened;
use super::pair::{self, Pair, PairSessions};
use super::proved::{Proved, Reached};
use super::record::{record, record_all};
use super::report::{Event, ObjectReport, Progress, Repaired, Report, TableReport};
use super::schema::compare_schema;
use super::sequence::{self, compare_sequences};
use super::session::{beside, connect};
use super::table::{self, COPYING, Candidate, Differing, Sample, Tables};
use super::workers::{WorkerSessions, Workers};

/// Tables that none of so many pairs in a row can show are not compared.
const ROUNDS_MAX: usize = 5;

/// A schema that is changed under each of so many pairs is not compared.
const SCHEMA_TRIES_MAX: usize = 3;

/// Attempts to have a pair, each half a second after the last.
pub(super) const PAIRS_MAX: usize = 20;

pub(super) const BETWEEN_PAIRS: Duration = Duration::from_millis(500);

/// How far it is, is reported this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which of the tables that replicate.
    pub tables: TableFilter,
    /// Tables that are compared at the same time.
    pub worker_count: usize,
    /// Differing rows that are named, a table.
    pub rows_max: usize,
    /// Rows that differ are brought from the source, and compared again.
    pub repair: bool,
    /// Differing rows are told with their values.
    pub show_values: bool,
    /// So many in a hundred rows; none: all.
    pub sample: Option<f64>,
    /// What is read in a second, both sides together; none: as fast as it goes.
    pub bytes_per_s: Option<u64>,
    /// What a comparison that was not through has proved is not compared again.
    pub resume: bool,
}

/// Compares both sides and keeps the verdicts on the target. `watch` hears of everything as it comes.
/// Where no engine runs for the slot, one is started for as long as it takes, since the target must come
/// to the position of a snapshot of the source.
///
/// # Errors
/// [`VerifyError`] when there is no verdict.
pub async fn verify(
    pipeline: &Pipeline,
    options: &Options,
    watch: impl Fn(Event<'_>),
) -> Result<Report, VerifyError> {
    let source = connect(&pipeline.source).await;
    let source = source.map_err(VerifyError::of("connect to the source"))?;
    let slot = slot_or_default(&source, pipeline.slot.as_ref()).await;
    let slot = slot.map_err(VerifyError::of("ask for the database's name"))?;
    let slot_name = slot.to_string();
    let stranded = match options.repair {
        true => adopt::why(pipeline, &source, &slot_name).await?,
        false => None,
    };
    let adoption = match stranded {
        Some(stranded) => {
            let reason = &stranded.reason;
            info!(target: "slot", "the stream cannot go on from the target, {reason}: taking it over");
            Some(Adoption::open(pipeline, &slot, stranded).await?)
        }
        None => None,
    };
    // All that takes time by itself, at once.
    let beside = async {
        match adoption {
            Some(_) => Ok(Beside::default()),
            None => Beside::open(pipeline, &source, &slot_name).await,
        }
    };
    let (beside, opened) = tokio::join!(
        beside,
        Opened::open(pipeline, &source, options.worker_count)
    );
    let (beside, opened) = match (beside, opened) {
        (beside, Ok(opened)) => (beside?, opened),
        (beside, Err(error)) => {
            beside?.end().await;
            return Err(error);
        }
    };
    let seed = pair::random();
    let settings = Settings {
        seed,
        rows_max: options.rows_max,
        show_values: options.show_values,
        sample: options.sample.map(|percent| Sample { percent, seed }),
        counters: Counters::new(options.bytes_per_s),
        proved: Proved::new(&slot_name, options.sample.is_none() && !options.repair),
    };
    let run = Run {
        pipeline,
        options,
        source,
        slot_name,
        adoption,
        settings: Arc::new(settings),
        watch: &watch,
    };
    let report = Box::pin(run.all(opened)).await;
    beside.end().await;
    report
}

/// One comparison.
pub(super) struct Run<'r> {
    pub(super) pipeline: &'r Pipeline,
    pub(super) options: &'r Options,
    /// Sees what is committed now.
    pub(super) source: Session,
    pub(super) slot_name: String,
    /// Nobody streams: the target is taken over.
    pub(super) adoption: Option<Adoption>,
    pub(super) settings: Arc<Settings>,
    pub(super) watch: &'r dyn Fn(Event<'_>),
}

/// What is found, and what is still to be compared.
pub(super) struct Found {
    pub(super) report: Report,
    /// Tables for another pair, each with what kept it from being compared; none: all of them.
    pub(super) again: Option<Vec<(QualifiedName, String)>>,
    /// Tables whose rows can be repaired.
    pub(super) differing: Vec<Differing>,
    /// What was brought of each table.
    pub(super) repaired: BTreeMap<QualifiedName, Repaired>,
    progress: Progress,
    /// Sessions for the first pair.
    opened: Option<(PairSessions, WorkerSessions)>,
    /// Where the source's sequences stood at first.
    sequences: Option<sequence::Sequences>,
    schema_tries: usize,
    /// Why the schema is not compared, should it not be.
    schema_reason: String,
}

impl Found {
    /// Returns whether the schema is still to be compared.
    const fn awaits_schema(&self, pipeline: &Pipeline) -> bool {
        pipeline.schema_log.is_some()
            && self.report.object_count.is_none()
            && self.schema_tries < SCHEMA_TRIES_MAX
    }
}

impl Run<'_> {
    async fn all(&self, opened: Opened) -> Result<Report, VerifyError> {
        let started = clock::now();
        let Opened { records, sessions } = opened;
        let records = &records;
        let mut found = Found {
            report: self.empty_report(),
            again: None,
            differing: Vec::new(),
            repaired: BTreeMap::new(),
            progress: Progress::default(),
            opened: Some(sessions),
            sequences: None,
            schema_tries: 0,
            schema_reason: "it was changed under each pair of snapshots".to_owned(),
        };
        apply::install_records(records).await?;
        let begun = self.settings.proved.begin(records, self.options.resume);
        let begun = begun.await;
        begun.map_err(VerifyError::of("read how far the last comparison was"))?;
        self.compare(&mut found, records).await?;
        if self.options.repair {
            Box::pin(self.repair(&mut found, records)).await?;
        }
        let report = &mut found.report;
        if let Some(adoption) = &self.adoption
            && report.whole
            && report.verdict() == Verdict::Equal
        {
            adoption
                .finish(self.pipeline, (&self.source, &self.slot_name))
                .await?;
            report.adopted = true;
        }
        let sequences = std::mem::take(&mut found.sequences).unwrap_or_default();
        if !sequences.is_empty() {
            self.follow_sequences().await;
        }
        let report = &mut found.report;
        let behind = compare_sequences(&sequences, records).await;
        report.sequences = behind.map_err(VerifyError::of("read the target's sequences"))?;
        report.sequence_count = sequences.len();
        for sequence in &report.sequences {
            (self.watch)(Event::Sequence(sequence));
        }
        report
            .tables
            .sort_by(|one, other| one.table.cmp(&other.table));
        report.seconds = started.elapsed().as_secs_f64();
        fault::point(fault::VERIFY_BEFORE_VERDICT);
        let kept = self.keep(records, report).await;
        kept.map_err(VerifyError::of("keep the verdict on the target"))?;
        Ok(found.report)
    }

    /// Writes the verdict down; a comparison that is through has nothing to resume.
    async fn keep(&self, records: &Session, report: &Report) -> Result<(), PgError> {
        if report.is_whole() {
            record_all(records, report).await?;
        }
        let mut tables = report.tables.iter();
        match tables.any(|table| table.verdict == Verdict::NotCompared) {
            true => Ok(()),
            false => self.settings.proved.end(records).await,
        }
    }

    /// Compares what is left, under as many pairs as it takes.
    pub(super) async fn compare(
        &self,
        found: &mut Found,
        records: &Session,
    ) -> Result<(), VerifyError> {
        let mut fruitless = 0;
        while fruitless < ROUNDS_MAX && !self.is_complete(found) {
            let before = (found.report.tables.len(), found.report.object_count);
            if fruitless > 0 {
                // Whatever it is: it may take a moment to pass.
                sleep(BETWEEN_PAIRS).await;
            }
            if self.round(found, records).await?.is_break() {
                break;
            }
            let after = (found.report.tables.len(), found.report.object_count);
            fruitless = match before == after {
                true => fruitless + 1,
                false => 0,
            };
        }
        let report = &mut found.report;
        let is_restless = report.object_count.is_none() && self.pipeline.schema_log.is_some();
        if is_restless && report.objects.is_empty() {
            let object = ObjectReport {
                object: "schema".to_owned(),
                verdict: Verdict::NotCompared,
                reason: std::mem::take(&mut found.schema_reason),
            };
            (self.watch)(Event::Object(&object));
            report.objects.push(object);
        }
        for (table, reason) in found.again.take().into_iter().flatten() {
            let table = without_rows(table, Verdict::NotCompared, reason, report.lsn);
            (self.watch)(Event::Table(&table));
            report.tables.push(table);
        }
        Ok(())
    }

    /// What draws from a sequence without a row is brought, too; what cannot be is reported as behind.
    async fn follow_sequences(&self) {
        if let Err(error) = follow_sequences(self.pipeline).await {
            let causes = failure_of(&error, None).why();
            warn!(target: "apply", causes, "the sequences are not brought forward: {error}");
        }
    }

    fn is_complete(&self, found: &Found) -> bool {
        !found.awaits_schema(self.pipeline) && found.again.as_ref().is_some_and(Vec::is_empty)
    }

    fn empty_report(&self) -> Report {
        Report {
            slot_name: self.slot_name.clone(),
            whole: self.options.tables.selects_everything(),
            tables: Vec::new(),
            object_count: None,
            objects: Vec::new(),
            sequence_count: 0,
            sequences: Vec::new(),
            notes: Vec::new(),
            sample: self.options.sample,
            adopted: false,
            lsn: Lsn::ZERO,
            pauses_ms: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Reads where the source's sequences stand that belong to these tables.
    async fn read_sequences(&self, tables: &Tables, found: &mut Found) -> Result<(), VerifyError> {
        if found.sequences.is_none() {
            let all = self.options.tables.selects_everything();
            let read = sequence::of_source(&self.source, (&*tables.ready, all)).await;
            let read = read.map_err(VerifyError::of("read the source's sequences"))?;
            found.sequences = Some(read);
        }
        Ok(())
    }

    /// Compares what is left under another pair; breaks when there will be none.
    async fn round(
        &self,
        found: &mut Found,
        records: &Session,
    ) -> Result<ControlFlow<()>, VerifyError> {
        let (pair, sessions) = match Box::pin(self.pair(found.opened.take(), records)).await {
            Err(VerifyError::NoPair { reason }) => {
                return self.without_pair(reason, found, records).await;
            }
            pair => pair?,
        };
        found.report.lsn = pair.lsn;
        found
            .report
            .pauses_ms
            .push(pair.pause.as_secs_f64() * 1_000.0);
        if found.awaits_schema(self.pipeline) {
            found.schema_tries += 1;
            Box::pin(self.schema(&pair, found, records)).await?;
        }
        let tables = self
            .tables((&pair.source.session, &pair.target.session))
            .await?;
        self.read_sequences(&tables, found).await?;
        let (candidates, mut again) = self.candidates(tables, found, records).await?;
        let rows = candidates.iter().map(|table| table.row_estimate * 2);
        found.progress.rows_expected = self.settings.counters.rows() + rows.sum::<u64>();
        let settings = Arc::clone(&self.settings);
        let mut workers = Workers::start(sessions, pair, candidates, settings);
        let mut ticks = interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                came = workers.next() => match came {
                    Some(outcomes) => {
                        let mut reports = Vec::new();
                        for (table, outcome) in outcomes {
                            match outcome {
                                Outcome::Compared(report, keys) => {
                                    if report.verdict == Verdict::Different && !table.columns.is_empty() {
                                        found.differing.push(Differing { table, keys });
                                    }
                                    reports.push(*report);
                                }
                                Outcome::Again(reason) => again.push((table.name, reason)),
                            }
                        }
                        self.came(reports, found, records).await?;
                    }
                    None => break,
                },
                _ = ticks.tick() => {}
            }
            self.show(found);
        }
        again.extend(workers.end().await?);
        found.again = Some(again);
        Ok(ControlFlow::Continue(()))
    }

    async fn tables(&self, sides: (&Session, &Session)) -> Result<Tables, VerifyError> {
        let patterns = (&self.options.tables, &self.pipeline.filter);
        let range_bytes = self.pipeline.snapshot.part_size.0;
        let tables = table::list(sides, &self.slot_name, patterns, range_bytes).await;
        tables.map_err(VerifyError::of("list the tables"))
    }

    /// While the stream waits for a first copy there is no pair of snapshots: no table can be compared, and
    /// each is named with the reason.
    async fn without_pair(
        &self,
        reason: String,
        found: &mut Found,
        records: &Session,
    ) -> Result<ControlFlow<()>, VerifyError> {
        let mut tables = self.tables((&self.source, records)).await?;
        if tables.copying.is_empty() {
            return Err(VerifyError::NoPair { reason });
        }
        // What the target lacks it may be about to get.
        let mut lacking = std::mem::take(&mut tables.lacking);
        lacking.retain(|(name, _)| found.report.tables.iter().all(|known| known.table != *name));
        let lacking = lacking.into_iter();
        let lacking: Vec<_> = lacking.map(|(name, _)| (name, reason.clone())).collect();
        let (candidates, mut again) = self.candidates(tables, found, records).await?;
        again.extend(
            candidates
                .into_iter()
                .map(|table| (table.name, reason.clone())),
        );
        again.extend(lacking);
        found.again = Some(again);
        found.schema_reason = reason;
        Ok(ControlFlow::Break(()))
    }

    /// Returns the tables whose rows are to be compared and those that another pair may show, and reports what
    /// is known of others already.
    async fn candidates(
        &self,
        tables: Tables,
        found: &mut Found,
        records: &Session,
    ) -> Result<(Vec<Candidate>, Vec<(QualifiedName, String)>), VerifyError> {
        let wanted = &self.options.tables;
        if found.again.is_none() && tables.is_empty() && !wanted.selects_everything() {
            let patterns: Vec<String> = wanted.included().iter().map(ToString::to_string).collect();
            return Err(VerifyError::NoTable {
                patterns: patterns.join(", "),
            });
        }
        let again = found.again.take();
        let is_left = |name: &QualifiedName| {
            again
                .as_ref()
                .is_none_or(|left| left.iter().any(|(table, _)| table == name))
        };
        let lsn = found.report.lsn;
        let passed_over = tables.passed_over.into_iter();
        let passed_over = passed_over.map(|(name, reason)| (name, reason, Verdict::NotCompared));
        let lacking = tables.lacking.into_iter();
        let lacking = lacking.map(|(name, reason)| (name, reason, Verdict::Different));
        let mut known: Vec<TableReport> = (passed_over.chain(lacking))
            .filter(|(name, ..)| is_left(name))
            .map(|(name, reason, verdict)| without_rows(name, verdict, reason, lsn))
            .collect();
        let mut left = Vec::new();
        for table in tables.candidates {
            match self.settings.proved.reached(&table) {
                _ if !is_left(&table.name) => {}
                Some(reached) if reached.below.is_none() => {
                    known.push(proved_before(&table, &reached));
                }
                Some(_) | None => left.push(table),
            }
        }
        let copying = tables.copying.into_iter().filter(|name| is_left(name));
        let copying: Vec<_> = copying.map(|name| (name, COPYING.to_owned())).collect();
        self.came(known, found, records).await?;
        if again.is_none() {
            found.progress.table_count = found.report.tables.len() + left.len() + copying.len();
        }
        Ok((left, copying))
    }

    /// Keeps what came of tables, and reports it.
    async fn came(
        &self,
        mut tables: Vec<TableReport>,
        found: &mut Found,
        records: &Session,
    ) -> Result<(), VerifyError> {
        for table in &mut tables {
            table.repaired = found.repaired.get(&table.table).copied();
        }
        if self.options.sample.is_none() {
            let recorded = record(records, &self.slot_name, &tables).await;
            recorded.map_err(VerifyError::of("keep the verdict on the target"))?;
        }
        tables
            .iter()
            .for_each(|table| (self.watch)(Event::Table(table)));
        found.report.tables.extend(tables);
        Ok(())
    }

    async fn schema(
        &self,
        pair: &Pair,
        found: &mut Found,
        now: &Session,
    ) -> Result<(), VerifyError> {
        let target = beside(now).await;
        let target = target.map_err(VerifyError::of("connect to the target"))?;
        let what = (
            &*self.slot_name,
            &self.options.tables,
            &self.pipeline.filter,
        );
        let Some(compared) = compare_schema(pair, &target, now, what).await? else {
            return Ok(());
        };
        let report = &mut found.report;
        report.object_count = Some(compared.object_count);
        for object in compared.objects {
            (self.watch)(Event::Object(&object));
            report.objects.push(object);
        }
        for object in compared.only_on_target {
            let note = format!("{object} is only on the target");
            (self.watch)(Event::Note(&note));
            report.notes.push(note);
        }
        Ok(())
    }

    fn show(&self, found: &mut Found) {
        let counters = &self.settings.counters;
        found.progress = Progress {
            tables_done: found.report.tables.len(),
            rows: counters.rows(),
            bytes: counters.bytes(),
            ..found.progress
        };
        (self.watch)(Event::Progress(found.progress));
    }

    /// Takes a pair of snapshots, with the workers' sessions beside it.
    async fn pair(
        &self,
        opened: Option<(PairSessions, WorkerSessions)>,
        records: &Session,
    ) -> Result<(Pair, WorkerSessions), VerifyError> {
        let (first, workers) = opened.unzip();
        let sides = (&self.source, records);
        let workers = async {
            match workers {
                Some(workers) => Ok(workers),
                None => WorkerSessions::open(sides, self.options.worker_count).await,
            }
        };
        tokio::try_join!(self.pair_of_snapshots(first, records), workers)
    }

    async fn pair_of_snapshots(
        &self,
        mut opened: Option<PairSessions>,
        records: &Session,
    ) -> Result<Pair, VerifyError> {
        if let Some(adoption) = &self.adoption {
            return adoption.pair(self.pipeline).await;
        }
        let mut reason = String::new();
        for _ in 0..PAIRS_MAX {
            let sessions = match opened.take() {
                Some(sessions) => sessions,
                None => PairSessions::open(&self.source, records).await?,
            };
            match pair::take(sessions, &self.slot_name).await? {
                Ok(pair) => return Ok(pair),
                Err(refused) => {
                    debug!(target: "apply", "no pair of snapshots yet: {refused}");
                    reason = refused;
                }
            }
            sleep(BETWEEN_PAIRS).await;
        }
        Err(VerifyError::NoPair { reason })
    }
}

fn without_rows(table: QualifiedName, verdict: Verdict, reason: String, lsn: Lsn) -> TableReport {
    TableReport {
        reason: Some(reason),
        lsn,
        ..TableReport::without_rows(table, verdict)
    }
}

/// A table that another run has proved equal.
fn proved_before(table: &Candidate, reached: &Reached) -> TableReport {
    TableReport {
        source_rows: reached.row_count,
        target_rows: reached.row_count,
        counted: true,
        lsn: reached.lsn,
        ..TableReport::without_rows(table.name.clone(), Verdict::Equal)
    }
}
