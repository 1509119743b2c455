//! Recommended settings by the size of the model, the task and the number of training rows.

use super::model_size::ModelSize;
use super::tasks::Task;
use serde::Deserialize;
use std::sync::LazyLock;

/// A recommended value of a key of experiments.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecommendedSetting {
    /// Name of the key.
    pub key: &'static str,
    /// The value as typed into the form.
    pub value: &'static str,
    /// Why: one sentence without a full stop.
    pub reason: &'static str,
}

/// Recommended settings, at most one for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recommendation {
    /// The settings, in the order of assets/recommended.toml.
    pub settings: Vec<RecommendedSetting>,
}

impl Recommendation {
    /// The recommended setting of that key, if there is one.
    pub fn get(&self, key: &str) -> Option<&RecommendedSetting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// The settings as `(key, text)`, like those of `--set`.
    pub fn overrides(&self) -> Vec<(String, String)> {
        self.settings.iter().map(|setting| (setting.key.to_owned(), setting.value.to_owned())).collect()
    }
}

/// The recommended settings for fine-tuning a model of this size on `task` with `train_rows` training rows. If the
/// number of rows is `None`, it is that of the task's training split, or unknown for custom files.
pub fn recommended(size: ModelSize, task: &Task, train_rows: Option<u64>) -> Recommendation {
    let rows = train_rows.or(task.train_rows);
    let mut settings: Vec<RecommendedSetting> = Vec::new();
    for row in RECOMMENDED.iter().filter(|row| row.applies(size, task, rows)) {
        let setting = RecommendedSetting { key: &row.key, value: &row.value, reason: &row.reason };
        match settings.iter_mut().find(|other| other.key == setting.key) {
            Some(earlier) => *earlier = setting,
            None => settings.push(setting),
        }
    }
    Recommendation { settings }
}

/// A row of assets/recommended.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    value: String,
    reason: String,
    /// The sizes that it applies to; empty for all.
    #[serde(default)]
    sizes: Vec<ModelSize>,
    /// The tasks that it applies to; empty for all.
    #[serde(default)]
    tasks: Vec<String>,
    min_rows: Option<u64>,
    max_rows: Option<u64>,
}

impl Row {
    fn applies(&self, size: ModelSize, task: &Task, rows: Option<u64>) -> bool {
        let has_rows = match rows {
            Some(rows) => {
                self.min_rows.is_none_or(|min| min <= rows) && self.max_rows.is_none_or(|max| rows <= max)
            }
            None => self.min_rows.is_none() && self.max_rows.is_none(),
        };
        has_rows
            && (self.sizes.is_empty() || self.sizes.contains(&size))
            && (self.tasks.is_empty() || self.tasks.iter().any(|name| name == task.name))
    }
}

#[derive(Deserialize)]
struct File {
    setting: Vec<Row>,
}

static RECOMMENDED: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../assets/recommended.toml"))
        .expect("a test parses assets/recommended.toml");
    file.setting
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TASKS, task};

    fn value(size: ModelSize, name: &str, rows: Option<u64>, key: &str) -> Option<&'static str> {
        recommended(size, task(name).unwrap(), rows).get(key).map(|setting| setting.value)
    }

    #[test]
    fn the_rows_of_the_task_decide_unless_a_number_is_given() {
        let epochs = |name, rows| value(ModelSize::Base, name, rows, "num_train_epochs");
        assert_eq!(epochs("wnli", None), Some("20"));
        assert_eq!(epochs("mrpc", None), Some("5"));
        assert_eq!(epochs("qqp", None), Some("3"));
        assert_eq!(epochs("qqp", Some(2000)), Some("5"));
        assert_eq!(epochs("custom", None), Some("3"));
        assert_eq!(epochs("custom", Some(200)), Some("20"));
    }

    #[test]
    fn smaller_models_have_higher_learning_rates() {
        for task in TASKS {
            let rates = ModelSize::ALL.map(|size| {
                recommended(size, task, None).get("learning_rate").unwrap().value.parse::<f64>().unwrap()
            });
            assert!(rates.is_sorted_by(|a, b| a >= b) && rates[0] > rates[4], "{}: {rates:?}", task.name);
        }
        assert_eq!(value(ModelSize::Demo, "custom", Some(200), "learning_rate"), Some("5e-4"));
        assert_eq!(value(ModelSize::Demo, "custom", Some(200), "num_train_epochs"), Some("10"));
        assert_eq!(value(ModelSize::Demo, "rte", None, "max_seq_length"), Some("128"));
    }

    #[test]
    fn every_row_applies_to_something_and_has_a_reason() {
        let numbers = [None, Some(100), Some(1000), Some(10_000), Some(200_000)];
        for row in RECOMMENDED.iter() {
            assert!(!row.reason.is_empty() && !row.reason.ends_with('.'), "{row:?}");
            assert!(row.tasks.iter().all(|name| task(name).is_some()), "{row:?}");
            let wins = |(size, task, rows): (ModelSize, &Task, Option<u64>)| {
                let found = recommended(size, task, rows);
                found.get(&row.key).is_some_and(|setting| setting.reason == row.reason)
            };
            let cases = ModelSize::ALL.iter().flat_map(|size| {
                TASKS.iter().flat_map(move |task| numbers.map(move |rows| (*size, task, rows)))
            });
            assert!(cases.into_iter().any(wins), "{row:?} never applies");
        }
    }
}
