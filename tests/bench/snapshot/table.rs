//! Medians and ratios of copies, as a table.

use std::fmt;
use std::time::Duration;

use crate::report::median;
use crate::usage::Usage;

use super::copier::Copier;

/// One copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// By whom.
    pub(crate) copier: Copier,
    /// From its start to its end.
    pub(crate) took: Duration,
    /// The size of the source's tables.
    pub(crate) byte_count: u64,
    /// What our process took.
    pub(crate) usage: Option<Usage>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn mib_per_second(&self) -> f64 {
        self.byte_count as f64 / f64::from(1 << 20) / self.took.as_secs_f64()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copier = self.copier.to_string();
        write!(f, "{copier:<26} {:>8.3} s", self.took.as_secs_f64())?;
        match self.usage {
            Some(usage) => write!(
                f,
                "  {:.0} MiB, {:.2} s CPU",
                usage.peak_mib, usage.cpu_seconds
            ),
            None => Ok(()),
        }
    }
}

/// All copies of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Table {
    runs: Vec<(&'static str, usize, Run)>,
}

const HEAD: &str = "\
first copy                              median s     MiB/s  ours is faster     peak MiB   CPU s";

impl Table {
    /// Adds one.
    pub(crate) fn add(&mut self, load: &'static str, round: usize, run: Run) {
        self.runs.push((load, round, run));
    }

    /// The rounds of one copier with one load.
    fn of(&self, load: &str, copier: Copier) -> impl Iterator<Item = (usize, &Run)> {
        let wanted =
            move |(name, _, run): &&(&str, usize, Run)| *name == load && run.copier == copier;
        self.runs
            .iter()
            .filter(wanted)
            .map(|(_, round, run)| (*round, run))
    }

    /// How many times longer this one took than ours, in each round.
    fn ratios(&self, load: &str, copier: Copier) -> impl Iterator<Item = f64> {
        self.of(load, copier).filter_map(move |(round, run)| {
            let ours = self.of(load, copier.ours()).find(|(at, _)| *at == round)?;
            Some(run.took.as_secs_f64() / ours.1.took.as_secs_f64())
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{HEAD}")?;
        let mut lines: Vec<(&str, Copier)> = Vec::new();
        let order = Copier::ROWS.into_iter().chain(Copier::DATABASE);
        for copier in order {
            for (load, _, run) in &self.runs {
                if run.copier == copier && !lines.contains(&(load, copier)) {
                    lines.push((load, copier));
                }
            }
        }
        lines.sort_by_key(|(load, _)| *load);
        for (load, copier) in lines {
            let of = |value: &dyn Fn(&Run) -> f64| {
                median(self.of(load, copier).map(|(_, run)| value(run)))
            };
            let name = copier.to_string();
            write!(
                f,
                "{load:<11} {name:<26} {:>9.2} {:>9.1}",
                of(&|run| run.took.as_secs_f64()),
                of(&Run::mib_per_second),
            )?;
            if copier != copier.ours() {
                write!(f, " {:>14.2}x", median(self.ratios(load, copier)))?;
            }
            if let Some((_, Run { usage: Some(_), .. })) = self.of(load, copier).next() {
                let usage = |part: fn(Usage) -> f64| of(&move |run| run.usage.map_or(0.0, part));
                write!(
                    f,
                    " {:>27.0} {:>7.2}",
                    usage(|usage| usage.peak_mib),
                    usage(|usage| usage.cpu_seconds)
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
