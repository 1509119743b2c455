//! Sweeps of tasks: one trial for each task, with the settings that are recommended for it.

use super::description::{Sweep, TASK};
use super::problem::SweepProblem;
use super::settings::{Search, SweepSettings};
use super::swept::{Axis, SweptValues};
use crate::catalog::{ModelSize, Recommendation, TaskId};
use crate::spec::key::Key;
use crate::spec::keys::{key_named, keys};
use crate::spec::run_spec::RunSpec;

impl Sweep {
    /// A sweep of `tasks` with the settings that are recommended for the model of `base` on each of them. `size` is that of
    /// the model; if it is `None`, its name decides. The keys in `fixed` keep their values in `base`.
    ///
    /// # Errors
    /// As [`Sweep::new`].
    pub fn of_tasks(
        mut base: RunSpec,
        tasks: &[TaskId],
        size: Option<ModelSize>,
        fixed: &[&str],
    ) -> Result<Sweep, Vec<SweepProblem>> {
        let recommended: Vec<Recommendation> = tasks
            .iter()
            .map(|task| RunSpec { task: *task, ..base.clone() }.recommendation(size, None))
            .collect();
        let names = tasks.iter().map(|task| task.name().to_owned()).collect();
        let mut axes: Vec<Axis> =
            key_named(TASK).map(|key| Axis { key, values: SweptValues::List(names) }).into_iter().collect();
        for key in keys().iter().filter(|key| key.name != TASK && !fixed.contains(&key.name)) {
            let values = values(key, &base, &recommended);
            match values.first() {
                Some(first) if values.iter().any(|value| value != first) => {
                    axes.push(Axis { key, values: SweptValues::List(values) });
                }
                Some(first) => {
                    key.set(&mut base, first).map_err(|why| vec![SweepProblem::at(key.name, why)])?;
                }
                None => {}
            }
        }
        Sweep::new(base, axes, &SweepSettings::of_search(Search::Zip))
    }
}

/// The value of a key for each task, as a user would type it: the recommended one, or that of `base`; none if no task has a
/// recommended one.
fn values(key: &Key, base: &RunSpec, recommended: &[Recommendation]) -> Vec<String> {
    if recommended.iter().all(|settings| settings.get(key.name).is_none()) {
        return Vec::new();
    }
    let own = key.get(base).unwrap_or_default();
    let value = |settings: &Recommendation| {
        settings.get(key.name).map_or_else(|| own.clone(), |setting| setting.value.to_owned())
    };
    recommended.iter().map(value).collect()
}
