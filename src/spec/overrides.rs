//! Overrides of single keys: `--set KEY=VALUE` and the fields of a form.

use super::keys::{key_named, unknown_key};
use super::rules::violated_rules;
use super::run_spec::RunSpec;
use crate::error::{Error, Result};

impl RunSpec {
    /// A copy of this specification with `(key, text)` overrides; the last one of a key wins. Empty text makes
    /// an optional key absent.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown key, an invalid value, or values that do not fit together.
    pub fn with(&self, overrides: &[(String, String)]) -> Result<RunSpec> {
        let spec = self.with_unchecked(overrides)?;
        match violated_rules(&spec).first() {
            Some(violation) => Err(Error::Usage(format!(
                "experiment {}: `{}`: {}",
                self.experiment, violation.key.name, violation.message
            ))),
            None => Ok(spec),
        }
    }

    /// [`RunSpec::with`], whose values may not fit together.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown key or an invalid value.
    pub(super) fn with_unchecked(&self, overrides: &[(String, String)]) -> Result<RunSpec> {
        let mut spec = self.clone();
        for (name, text) in overrides {
            let set = match key_named(name) {
                Some(key) => key.set(&mut spec, text),
                None => Err(unknown_key(name)),
            };
            set.map_err(|why| Error::Usage(format!("--set {name}={text}: {why}")))?;
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::kind::ValueKind;
    use crate::spec::{built_in, keys};

    fn set(key: &str, text: &str) -> Vec<(String, String)> {
        vec![(key.into(), text.into())]
    }

    #[test]
    fn the_last_override_of_a_key_wins() {
        let both = [set("seed", "3"), set("seed", "4")].concat();
        assert_eq!(built_in("a").with(&both).unwrap().seed, 4);
        let cleared = [set("max_steps", "3"), set("max_steps", "")].concat();
        assert_eq!(built_in("a").with(&cleared).unwrap().max_steps, None);
    }

    #[test]
    fn every_key_sets_its_field() {
        for key in keys() {
            let text = match (key.kind, key.task) {
                (ValueKind::Task, _) => "sst",
                (ValueKind::Integer { .. }, _) if key.name == "max_tokens_per_batch" => "4096",
                (ValueKind::Integer { min, .. }, _) if min < 2 => "2",
                (ValueKind::Integer { .. }, _) => "64",
                (ValueKind::Real { .. }, _) => "0.5",
                (ValueKind::Choice(words), _) => words.last().copied().unwrap(),
                (ValueKind::Interval, _) => "7",
                (ValueKind::Boolean, _) if key.get(&built_in("a")).as_deref() == Some("false") => "true",
                (ValueKind::Boolean, _) => "false",
                (ValueKind::Text, _) if key.name == "delimiter" => ";",
                (ValueKind::Text, _) if key.name == "encoding" => "latin-1",
                (ValueKind::Device, _) => "cuda:1",
                (ValueKind::LabelMap, _) => "a=b",
                (ValueKind::Path, Some(_)) => "somewhere.csv",
                (ValueKind::Columns, _) => r#"["x", "y"]"#,
                (ValueKind::ClassWeights, _) => "[1.0, 2.5]",
                (ValueKind::Model | ValueKind::Text | ValueKind::Path, _) => "somewhere",
            };
            let mut overrides = set(key.name, text);
            if key.task == Some("custom") {
                let required =
                    [set("task", "custom"), set("train_file", "a.csv"), set("text_column", "a")].concat();
                overrides = [required, overrides].concat();
            }
            if ["lora_alpha", "lora_target_modules"].contains(&key.name) {
                overrides = [set("lora_r", "8"), overrides].concat();
            }
            if key.name == "fold" {
                overrides = [set("folds", "100"), overrides].concat();
            }
            if key.name.starts_with("distillation_") {
                overrides = [set("teacher", "somewhere"), overrides].concat();
            }
            let spec = built_in("a").with(&overrides).unwrap();
            assert_ne!(spec, built_in("a"), "{}", key.name);
            assert_eq!(key.get(&spec).as_deref(), Some(text), "{}", key.name);
        }
    }

    #[test]
    fn errors_name_the_key() {
        let error = |overrides: &[(String, String)]| built_in("a").with(overrides).unwrap_err();
        assert_eq!(
            error(&set("lr", "1")).to_string(),
            "--set lr=1: unknown key `lr`; did you mean `learning_rate`?"
        );
        assert_eq!(
            error(&set("learning_rate", "fast")).to_string(),
            "--set learning_rate=fast: expected a number above 0 and at most 1, found `fast`"
        );
        assert_eq!(error(&set("lr", "1")).exit_code(), 2);
        let both = [set("warmup_steps", "9"), set("max_steps", "3")].concat();
        assert!(error(&both).to_string().starts_with("experiment a: `warmup_steps`: "));
    }
}
