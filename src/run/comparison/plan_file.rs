//! The planned comparisons of a runs directory: `comparisons.toml`. It is replaced atomically under a lock, and never
//! shortened: a plan stays the rule of its comparison after its seeds are trained.

use super::sides::Side;
use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::files::{open_append, read_regular_to_string, remove_leftovers_of, write_atomic};
use crate::run::file_lock;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

const FILE: &str = "comparisons.toml";
const LOCK: &str = ".comparisons.lock";
/// Format number of the file.
const FORMAT: u32 = 1;

/// A planned comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SeedPlan {
    /// Its number, from 1.
    pub(super) id: u64,
    /// Name of a run of side A.
    pub(super) a: String,
    /// Name of a run of side B.
    pub(super) b: String,
    /// The metric that decides.
    pub(super) metric: Metric,
    /// The difference that the seeds would detect.
    pub(super) difference: f64,
    /// Seeds of A at the start.
    pub(super) seeds_a: u64,
    /// Seeds of B at the start.
    pub(super) seeds_b: u64,
    /// Further seeds on each side.
    pub(super) further: u64,
}

#[derive(Serialize, Deserialize)]
struct PlanFile {
    format: u32,
    #[serde(default, rename = "comparison")]
    plans: Vec<SeedPlan>,
}

/// The plans, oldest first; none without a file.
///
/// # Errors
/// [`Error::Read`] or [`Error::Data`] when the file cannot be read or parsed.
pub(super) fn read(runs_dir: &Path) -> Result<Vec<SeedPlan>> {
    let path = runs_dir.join(FILE);
    let text = match read_regular_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(Error::reading(&path))?,
    };
    let file: PlanFile = toml::from_str(&text).map_err(|error| {
        let problem = format!("{}; delete it to forget the planned comparisons", error.message());
        Error::data(&path, None, problem)
    })?;
    Ok(file.plans)
}

/// Adds a plan; returns its number.
///
/// # Errors
/// When another program holds the lock, or the file cannot be read or written.
pub(super) fn add(runs_dir: &Path, plan: SeedPlan) -> Result<u64> {
    let (path, lock_path) = (runs_dir.join(FILE), runs_dir.join(LOCK));
    let lock = open_append(&lock_path).map_err(Error::writing(&lock_path))?;
    file_lock::lock(&lock, &lock_path)?;
    remove_leftovers_of(&path)?;
    let mut plans = read(runs_dir)?;
    let id = plans.iter().map(|plan| plan.id).max().unwrap_or(0) + 1;
    plans.push(SeedPlan { id, ..plan });
    let file = PlanFile { format: FORMAT, plans };
    let text = toml::to_string(&file).map_err(|error| Error::writing(&path)(std::io::Error::other(error)))?;
    write_atomic(&path, text.as_bytes())?;
    Ok(id)
}

/// The newest plan for these sides, with the numbers of A and B as they are here.
///
/// # Errors
/// As [`read`].
pub(super) fn plan_of(runs_dir: &Path, a: &Side, b: &Side) -> Result<Option<SeedPlan>> {
    let plans = read(runs_dir)?;
    let on_sides = |plan: SeedPlan| {
        if a.has_run(&plan.a) && b.has_run(&plan.b) {
            return Some(plan);
        }
        let is_swapped = a.has_run(&plan.b) && b.has_run(&plan.a);
        is_swapped.then_some(SeedPlan {
            a: plan.b,
            b: plan.a,
            seeds_a: plan.seeds_b,
            seeds_b: plan.seeds_a,
            ..plan
        })
    };
    Ok(plans.into_iter().rev().find_map(on_sides))
}
