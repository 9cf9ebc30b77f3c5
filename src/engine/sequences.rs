//! Sequences follow, whatever draws from them.
//!
//! Logical decoding says nothing of sequences. Values that are stored in rows move the target's with the
//! rows ([`crate::apply`]); for all others the source is asked every few seconds where its sequences are,
//! and those of the target that are behind are moved forward. Never back: a sequence is set back where the
//! stream does so (`TRUNCATE … RESTART IDENTITY`), and a look from before that no longer counts.
//!
//! ```text
//!  source ──> read: all sequences, a batch a transaction ──> what changed ──> advance: those behind ──> target
//!                                                              ^                       │
//!                                                              └───── what is there <──┘
//! ```
//!
//! The stream is not kept waiting for it: both ends have sessions of their own.

mod advance;
mod look;
mod read;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tracing::{debug, info, warn};

use crate::config::{ConnectionSettings, Pipeline, TableFilter};
use crate::model::Lsn;
use crate::model::hint::run_command;
use crate::postgres::{PgError, Session, slot_or_default};
use crate::runtime::clock;
use crate::status::{Phase, SequenceStatus, StatusPublisher};

use super::EngineError;
use super::failure::failure_of;

pub(super) use advance::note;
use advance::{Advanced, Idle};
use look::{Look, Position};

/// How often the source is asked.
const EVERY: Duration = Duration::from_secs(5);

/// A look that takes longer has no answer: the next goes through new sessions.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The end of the stream waits no longer than this.
const LAST_MAX: Duration = Duration::from_secs(5);

/// After so many looks all are compared again, also those that did not change: somebody may have made one
/// anew on the target, or set it back.
const LOOKS_UNTIL_ALL: u32 = 12;

/// A look that the stream has overtaken is taken anew, so often.
const LOOKS_MAX: usize = 5;

/// So many sequences that do not follow are shown by name.
const SHOWN_MAX: usize = 20;

fn status_of(count: u64, advanced: &Advanced) -> SequenceStatus {
    let unfollowed = advanced.unfollowed.iter();
    SequenceStatus {
        looked_at_ms: clock::unix_ms(),
        count,
        moved: advanced.moved_count,
        unfollowed_count: u64::try_from(advanced.unfollowed.len()).unwrap_or(u64::MAX),
        unfollowed: unfollowed.take(SHOWN_MAX).cloned().collect(),
    }
}

/// Which sequences a look compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Those that moved since the target had them; of those that were never drawn from some, by turns.
    Moved,
    /// All.
    All,
}

/// What is known to be on the target.
#[derive(Debug, Default)]
struct Memory {
    there: HashMap<u32, Position>,
    changed_at: Lsn,
    look_count: u32,
    /// Where the turn is of those that were never drawn from.
    unused_from: u32,
}

impl Memory {
    /// Returns whether the target may be behind.
    fn is_news(&self, oid: u32, position: Position) -> bool {
        self.there.get(&oid) != Some(&position)
    }

    fn begin_look(&mut self, extent: Extent) {
        self.look_count += 1;
        if extent == Extent::All || self.look_count.is_multiple_of(LOOKS_UNTIL_ALL) {
            self.there.clear();
        }
    }

    /// Takes over what is on the target; where the stream has changed sequences, nobody knows.
    fn end_look(&mut self, look: &Look, there: &[u32], changed_at: Lsn) {
        if changed_at != self.changed_at {
            self.there.clear();
            self.changed_at = changed_at;
            return;
        }
        let there: HashSet<u32> = there.iter().copied().collect();
        let moved = look.moved.iter();
        let moved = moved.filter(|one| there.contains(&one.oid));
        self.there.extend(moved.map(|one| (one.oid, one.position)));
    }
}

/// Both ends, and what is known.
struct Follower {
    source: ConnectionSettings,
    target: ConnectionSettings,
    filter: TableFilter,
    sessions: Option<(Session, Session)>,
    memory: Memory,
}

impl Follower {
    fn new(pipeline: &Pipeline) -> Self {
        Self {
            source: pipeline.source.clone(),
            target: pipeline.target.clone(),
            filter: pipeline.filter.clone(),
            sessions: None,
            memory: Memory::default(),
        }
    }

    /// Looks once; what fails leaves nothing behind for the next.
    async fn look(
        &mut self,
        slot_name: &str,
        extent: Extent,
    ) -> Result<Result<SequenceStatus, Idle>, EngineError> {
        let looked = self.try_look(slot_name, extent).await;
        if looked.is_err() {
            self.forget();
        }
        looked
    }

    fn forget(&mut self) {
        self.sessions = None;
        self.memory = Memory::default();
    }

    async fn try_look(
        &mut self,
        slot_name: &str,
        extent: Extent,
    ) -> Result<Result<SequenceStatus, Idle>, EngineError> {
        let (source, target) = match self.sessions.take() {
            Some(sessions) => sessions,
            None => self.connect().await?,
        };
        self.memory.begin_look(extent);
        let memory = &self.memory;
        let from = (extent == Extent::Moved).then_some(memory.unused_from);
        let is_news = |oid, position| memory.is_news(oid, position);
        let look = read::look(&source, &self.filter, from, &is_news).await;
        let (look, next) = look.map_err(|error| self.source_failed(error))?;
        let advanced = advance::advance(&target, slot_name, &look).await;
        let advanced = advanced.map_err(|error| self.target_failed(error))?;
        self.memory.unused_from = next;
        self.sessions = Some((source, target));
        Ok(match advanced {
            Ok(advanced) => {
                let changed_at = advanced.changed_at;
                self.memory.end_look(&look, &advanced.there, changed_at);
                Ok(status_of(look.count, &advanced))
            }
            Err(Idle::Stale(changed_at)) => {
                self.memory.end_look(&look, &[], changed_at);
                Err(Idle::Stale(changed_at))
            }
            Err(Idle::NoCheckpoint) => Err(Idle::NoCheckpoint),
        })
    }

    /// As [`Follower::look`], until the stream does not come in between.
    async fn look_at_all(
        &mut self,
        slot_name: &str,
    ) -> Result<Result<SequenceStatus, Idle>, EngineError> {
        for _ in 1..LOOKS_MAX {
            let looked = self.look(slot_name, Extent::All).await?;
            if !matches!(looked, Err(Idle::Stale(_))) {
                return Ok(looked);
            }
        }
        self.look(slot_name, Extent::All).await
    }

    async fn connect(&self) -> Result<(Session, Session), EngineError> {
        let (source, target) =
            tokio::join!(read::connect(&self.source), advance::connect(&self.target));
        let source = source.map_err(|error| self.source_failed(error))?;
        Ok((source, target.map_err(|error| self.target_failed(error))?))
    }

    fn source_failed(&self, source: PgError) -> EngineError {
        EngineError::Source {
            operation: "look at the sequences",
            endpoint: self.source.endpoint(),
            source,
        }
    }

    fn target_failed(&self, source: PgError) -> EngineError {
        EngineError::Target {
            operation: "move the sequences forward",
            endpoint: self.target.endpoint(),
            source,
        }
    }
}

/// Follows until nobody is left who could ask for the last look.
pub(super) async fn run(
    pipeline: Pipeline,
    publisher: StatusPublisher,
    mut asked: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut follower = Follower::new(&pipeline);
    let mut reported = HashSet::new();
    let mut ticks = interval_at(clock::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            biased;
            last = asked.recv() => match last {
                Some(answer) => Some(answer),
                None => return,
            },
            _ = ticks.tick() => None,
        };
        let latest = publisher.latest();
        if last.is_none() && !streams(&latest.phase) {
            continue;
        }
        let slot_name = latest.slot_name.clone();
        let look = async {
            match last {
                Some(_) => follower.look_at_all(&slot_name).await,
                None => follower.look(&slot_name, Extent::Moved).await,
            }
        };
        match timeout(ANSWER_MAX, look).await {
            Ok(Ok(Ok(status))) => publish(&publisher, status, &mut reported),
            Ok(Ok(Err(idle))) => debug!(target: "apply", ?idle, "sequences are not moved"),
            Ok(Err(error)) => {
                let causes = failure_of(&error, None).why();
                debug!(target: "apply", causes, "{error}");
            }
            Err(_elapsed) => follower.forget(),
        }
        if let Some(answer) = last
            && answer.send(()).is_err()
        {
            debug!(target: "apply", "nobody waits for the last look at the sequences");
        }
    }
}

/// Before that nobody knows whether this target is the right one.
const fn streams(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Streaming { .. } | Phase::Copying | Phase::Paused
    )
}

fn publish(publisher: &StatusPublisher, status: SequenceStatus, reported: &mut HashSet<String>) {
    if status.moved > 0 {
        debug!(target: "apply", moved = status.moved, "sequences moved forward");
    }
    // Before the first copy is complete the target lacks some that come with it.
    if !matches!(publisher.latest().phase, Phase::Copying) {
        for one in &status.unfollowed {
            if reported.insert(one.clone()) {
                warn!(target: "apply", "a sequence does not follow the source's: {one}");
            }
        }
    }
    publisher.update(|latest| {
        let before = latest.sequences.as_ref().map_or(0, |before| before.moved);
        latest.sequences = Some(SequenceStatus {
            moved: before + status.moved,
            ..status.clone()
        });
    });
}

/// Has all sequences looked at once more, now that the stream has ended.
pub(super) async fn look_last(follower: &mpsc::Sender<oneshot::Sender<()>>) {
    let (answer, answered) = oneshot::channel();
    let looked = async {
        if follower.send(answer).await.is_ok() {
            // It ends with an answer, or with the engine.
            drop(answered.await);
        }
    };
    if timeout(LAST_MAX, looked).await.is_err() {
        info!(target: "apply", "the last look at the sequences got no answer: pgstream sequences repeats it");
    }
}

/// Brings the target's sequences forward once, whether an engine runs or not.
///
/// # Errors
/// By SQLSTATE; [`EngineError::SlotUnusable`] where nothing was streamed into this target yet.
pub async fn follow_sequences(pipeline: &Pipeline) -> Result<SequenceStatus, EngineError> {
    let mut follower = Follower::new(pipeline);
    let sessions = follower.connect().await?;
    let slot_name = slot_or_default(&sessions.0, pipeline.slot.as_ref()).await;
    let slot_name = slot_name.map_err(|error| follower.source_failed(error))?;
    let slot_name = slot_name.to_string();
    follower.sessions = Some(sessions);
    let unusable = |reason: String, hint: String| EngineError::SlotUnusable {
        slot_name: slot_name.clone(),
        reason,
        hint,
    };
    match follower.look_at_all(&slot_name).await? {
        Ok(status) => Ok(status),
        Err(Idle::NoCheckpoint) => Err(unusable(
            format!(
                "nothing was streamed into {} yet",
                pipeline.target.endpoint()
            ),
            run_command(&pipeline.source.as_argument()),
        )),
        Err(Idle::Stale(lsn)) => Err(unusable(
            format!("the stream changes sequences all the time, last at {lsn}"),
            "repeat the command".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::QualifiedName;

    use super::look::SequenceState;
    use super::*;

    fn look(moved: &[(u32, i64)]) -> Look {
        let state = |(oid, last_value): &(u32, i64)| SequenceState {
            oid: *oid,
            name: QualifiedName::new("public", "s"),
            owner: None,
            travels: true,
            position: Position::called(*last_value),
        };
        Look {
            lsn: Lsn(1),
            moved: moved.iter().map(state).collect(),
            count: 2,
            closed: Vec::new(),
        }
    }

    #[test]
    fn a_sequence_is_asked_for_again_when_it_moves_or_when_nobody_knows() {
        let mut memory = Memory::default();
        let seen = look(&[(1, 5), (2, 7)]);
        let news = |memory: &Memory, oid, value| memory.is_news(oid, Position::called(value));

        memory.end_look(&seen, &[1], Lsn::ZERO);
        assert!(!news(&memory, 1, 5) && news(&memory, 1, 6));
        assert!(news(&memory, 2, 7), "the target has none of that name yet");
        memory.end_look(&seen, &[1, 2], Lsn(9));
        assert!(news(&memory, 1, 5), "the stream set some back");
        memory.end_look(&seen, &[1, 2], Lsn(9));
        assert!(!news(&memory, 1, 5));
        memory.begin_look(Extent::All);
        assert!(news(&memory, 1, 5));
    }
}
