//! The values of a chart as CSV: one line for each run, seed and step that has a value.

use crate::error::{Error, Result};
use crate::event::Event;
use crate::run::axis::Axis;
use crate::run::history::History;
use crate::run::replay;
use crate::run::run_chart::RunCurve;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A run whose values are written.
#[derive(Debug, Clone)]
pub struct TableRun {
    /// Its name.
    pub name: String,
    /// The directory of each seed that has started.
    pub seeds: Vec<PathBuf>,
}

/// Writes the exact values of `curves` of each seed of `runs` from their logs: the columns `run`, `seed`, `step`,
/// `epoch`, `seconds` and `examples`, then one for each curve. `curves` returns the name and the curve of each column
/// for a run. `path` is named in errors.
///
/// # Errors
/// [`Error::Read`] for a log that cannot be read, [`Error::Write`] for `path`.
pub fn write_csv(
    runs: &[TableRun],
    curves: &dyn Fn(&History) -> Vec<(&'static str, RunCurve)>,
    path: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let writing = |error: csv::Error| Error::writing(path)(std::io::Error::other(error));
    let mut writer = csv::Writer::from_writer(out);
    let mut has_header = false;
    for run in runs {
        for dir in &run.seeds {
            let events = replay(dir)?;
            let history = History::of(&events);
            let curves = curves(&history);
            if !has_header {
                let fixed = ["run", "seed", "step", "epoch", "seconds", "examples"].into_iter();
                writer.write_record(fixed.chain(curves.iter().map(|(name, _)| *name))).map_err(writing)?;
                has_header = true;
            }
            let seed =
                history.started.as_ref().map_or(String::new(), |started| started.spec.seed.to_string());
            for (step, values) in rows(&events, &curves) {
                let at = |axis| history.step_axis.mapper(axis).at(step as f64);
                let fixed = [run.name.clone(), seed.clone(), step.to_string()];
                let positions =
                    [at(Axis::Epoch), at(Axis::Time), at(Axis::Examples)].map(|at| at.to_string());
                let values =
                    values.into_iter().map(|value| value.map_or(String::new(), |value| value.to_string()));
                writer.write_record(fixed.into_iter().chain(positions).chain(values)).map_err(writing)?;
            }
        }
    }
    writer.flush().map_err(Error::writing(path))
}

/// The values of `curves` by step. A run that resumed from an earlier checkpoint has the values of its last attempt.
fn rows(events: &[Event], curves: &[(&'static str, RunCurve)]) -> BTreeMap<u64, Vec<Option<f64>>> {
    let mut rows: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for event in events {
        if let Event::Started(started) = event {
            rows.split_off(&started.first_step.saturating_add(1));
        }
        for (column, (_, curve)) in curves.iter().enumerate() {
            if let Some((step, value)) = curve.point(event) {
                rows.entry(step).or_insert_with(|| vec![None; curves.len()])[column] = Some(value);
            }
        }
    }
    rows
}
