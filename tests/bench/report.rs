//! Medians and ratios, as a table.

use std::fmt;
use std::time::Duration;

use crate::drain::Reader;
use crate::usage::Usage;
use crate::workload::Workload;

/// One reader through one backlog.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Who.
    pub(crate) reader: Reader,
    /// Row changes of the backlog.
    pub(crate) row_count: u64,
    /// From its start to the last row.
    pub(crate) took: Duration,
    /// What our process took.
    pub(crate) process: Option<Usage>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn rate(&self) -> f64 {
        self.row_count as f64 / self.took.as_secs_f64()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reader = format!("{:?}", self.reader);
        write!(
            f,
            "{reader:<13} {:>8.3} s {:>9.0} rows/s",
            self.took.as_secs_f64(),
            self.rate()
        )?;
        match self.process {
            Some(usage) => {
                write!(
                    f,
                    "  {:.0} MiB, {:.2} s CPU",
                    usage.peak_mib, usage.cpu_seconds
                )
            }
            None => Ok(()),
        }
    }
}

/// The rounds of every workload.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<(&'static str, Vec<Vec<Run>>)>,
}

impl Report {
    /// Adds one round.
    pub(crate) fn add(&mut self, workload: &Workload, runs: Vec<Run>) {
        match self
            .lines
            .iter_mut()
            .find(|(name, _)| *name == workload.name)
        {
            Some((_, rounds)) => rounds.push(runs),
            None => self.lines.push((workload.name, vec![runs])),
        }
    }
}

const HEAD: &str = "\
             rows/s (median)                       ours compared with      ours
load       pg_recvlogical  subscription      ours  recvlogical  subscr.    peak MiB   CPU s";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{HEAD}")?;
        for (name, rounds) in &self.lines {
            let of = |value: &dyn Fn(&[Run]) -> f64| median(rounds.iter().map(|runs| value(runs)));
            let rate = |reader| of(&move |runs| rate_of(runs, reader));
            let ratio = |to| of(&move |runs| rate_of(runs, Reader::Ours) / rate_of(runs, to));
            let usage = |part: fn(Usage) -> f64| of(&move |runs| usage_of(runs).map_or(0.0, part));
            writeln!(
                f,
                "{name:<10} {:>14.0} {:>13.0} {:>9.0} {:>11.2}x {:>7.2}x {:>11.0} {:>7.2}",
                rate(Reader::Nothing),
                rate(Reader::Subscription),
                rate(Reader::Ours),
                ratio(Reader::Nothing),
                ratio(Reader::Subscription),
                usage(|usage| usage.peak_mib),
                usage(|usage| usage.cpu_seconds),
            )?;
        }
        Ok(())
    }
}

fn rate_of(runs: &[Run], reader: Reader) -> f64 {
    runs.iter()
        .find(|run| run.reader == reader)
        .map_or(f64::NAN, Run::rate)
}

fn usage_of(runs: &[Run]) -> Option<Usage> {
    runs.iter().find_map(|run| run.process)
}

/// Returns the value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<_> = values.collect();
    let upper = values.iter().map(|value| -value).collect();
    f64::midpoint(percentile(values, 50), -percentile(upper, 50))
}

/// Returns the value below which `percent` of them lie.
pub(crate) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = values.len().saturating_sub(1) * percent / 100;
    values.get(at).copied().unwrap_or(f64::NAN)
}
