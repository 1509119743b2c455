//! Recommended settings of a specification.

use super::run_spec::RunSpec;
use crate::catalog::{ModelSize, Recommendation, SplitName, recommended};

impl RunSpec {
    /// The recommended settings for the model, the task and the number of training rows of this specification. `size`
    /// is that of the model if its files were read; otherwise its name decides, and a name that does not reveal the
    /// size stands for [`ModelSize::Base`], whose learning rate is the lowest. `file_rows` is the number of
    /// rows of the training files if they were counted.
    pub fn recommendation(&self, size: Option<ModelSize>, file_rows: Option<u64>) -> Recommendation {
        let size = size.or_else(|| ModelSize::of_name(&self.model)).unwrap_or(ModelSize::Base);
        let limit = self.max_samples(SplitName::Train).map(|rows| rows as u64);
        let rows = [file_rows.or(self.task().train_rows), limit].into_iter().flatten().min();
        recommended(size, self.task(), rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{MODELS, trainable_tasks};
    use crate::spec::{built_in, key_named};

    #[test]
    fn every_model_and_task_has_recommended_settings_that_are_valid() {
        for model in MODELS {
            for task in trainable_tasks() {
                for rows in [None, Some(1), Some(300), Some(5000), Some(1_000_000)] {
                    let mut spec = RunSpec { model: model.id.into(), task: task.into(), ..built_in("x") };
                    spec.train_file = task.is_custom().then(|| "a.csv".into());
                    let found = spec.recommendation(None, rows);
                    for key in ["learning_rate", "num_train_epochs", "per_device_train_batch_size"] {
                        assert!(found.get(key).is_some(), "{} {}: no {key}", model.id, task.name);
                    }
                    for setting in &found.settings {
                        let key = key_named(setting.key).expect("a key");
                        assert!(key.is_part_of_recipe, "{}", setting.key);
                    }
                    spec.with(&found.overrides()).unwrap();
                }
            }
        }
    }

    #[test]
    fn the_number_of_rows_is_limited_by_max_train_samples() {
        let epochs = |file_rows, max_train_samples| {
            let spec = RunSpec { max_train_samples, task: "qqp".parse().unwrap(), ..built_in("x") };
            let found = spec.recommendation(Some(ModelSize::Base), file_rows);
            found.get("num_train_epochs").unwrap().value
        };
        assert_eq!((epochs(None, None), epochs(None, Some(2000)), epochs(None, Some(500))), ("3", "5", "20"));
        assert_eq!((epochs(Some(700), Some(2000)), epochs(Some(700_000), Some(2000))), ("20", "5"));
    }

    #[test]
    fn a_model_of_unknown_size_has_the_lowest_learning_rate() {
        let rate = |model: &str, size| {
            let spec = RunSpec { model: model.into(), ..built_in("x") };
            spec.recommendation(size, None).get("learning_rate").unwrap().value
        };
        assert_eq!(rate("models/my-encoder", None), "2e-5");
        assert_eq!(rate("models/my-encoder", Some(ModelSize::of_parameters(22_700_000))), "1e-4");
        assert_eq!(rate("demo", None), "5e-4");
    }
}
