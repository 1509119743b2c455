//! A new experiment on data that were previewed, with settings that fit the model and the data.

use super::profile::DataProfile;
use crate::catalog::SplitName;
use crate::data::{ColumnRoles, Preview};
use crate::spec::{RunSpec, built_in, keys};
use std::path::Path;

/// The lengths that `max_seq_length` is chosen from, and the part of the rows that should not be truncated.
const LENGTHS: [usize; 3] = [128, 256, 512];
const UNTRUNCATED: f64 = 0.95;

/// A value of a key, and why it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftSetting {
    /// The key.
    pub key: &'static str,
    /// The value as typed into a form.
    pub value: String,
    /// Why, as a clause; empty for what the data say.
    pub reason: String,
}

/// The settings of an experiment with `model` on the previewed data: the task, the files and the columns, then those
/// that fit the model and the number and length of the rows, as far as `profile` has them.
pub fn draft(
    preview: &Preview,
    roles: &ColumnRoles,
    model: &str,
    profile: Option<&DataProfile>,
) -> Vec<DraftSetting> {
    let base = built_in("");
    let spec = preview.apply(roles, base.clone());
    let of_data = keys().iter().filter_map(|key| {
        let value = key.get(&spec).filter(|_| key.get(&spec) != key.get(&base))?;
        Some(DraftSetting { key: key.name, value, reason: String::new() })
    });
    let model_setting = DraftSetting { key: "model", value: model.into(), reason: String::new() };
    let mut settings: Vec<DraftSetting> = std::iter::once(model_setting).chain(of_data).collect();
    let train = profile.and_then(|profile| {
        profile.splits.iter().find(|(split, _)| *split == SplitName::Train).map(|(_, found)| found)
    });
    let rows = train.map(|found| found.rows as u64);
    let spec = RunSpec { model: model.into(), ..spec };
    for setting in spec.recommendation(None, rows).settings {
        settings.push(DraftSetting {
            key: setting.key,
            value: setting.value.into(),
            reason: setting.reason.into(),
        });
    }
    if let Some(lengths) = train.and_then(|found| found.lengths.as_ref()) {
        let needed = lengths.quantile(UNTRUNCATED);
        let last = LENGTHS[LENGTHS.len() - 1];
        let length = LENGTHS.into_iter().find(|length| needed <= *length).unwrap_or(last);
        if length > LENGTHS[0] {
            settings.retain(|setting| setting.key != "max_seq_length");
            let reason = format!("95 % of the training rows have at most {needed} tokens");
            settings.push(DraftSetting { key: "max_seq_length", value: length.to_string(), reason });
        }
    }
    settings
}

/// The specification with these settings; `None` if one of them is invalid.
pub fn draft_spec(name: &str, settings: &[DraftSetting]) -> Option<RunSpec> {
    let set: Vec<(String, String)> =
        settings.iter().map(|setting| (setting.key.to_string(), setting.value.clone())).collect();
    built_in(name).with(&set).ok()
}

/// A name for an experiment on the data in `path`: that of the file or folder, without its extensions and with `-` for
/// characters that a name cannot have.
pub fn draft_name(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
    let parts: Vec<&str> =
        stem.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty()).collect();
    let mut joined = parts.join("-").trim_start_matches('_').to_string();
    joined.truncate(joined.floor_char_boundary(60));
    if joined.is_empty() { "data".into() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Preview;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn draft_trains_what_was_previewed_with_settings_for_the_model() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("My reviews (2).csv");
        let long = "word ".repeat(200);
        let rows: Vec<String> = (0..60).map(|n| format!("{long} {n},{}\n", ["good", "bad"][n % 2])).collect();
        std::fs::write(&file, format!("Kommentar,Stimmung\n{}", rows.concat())).unwrap();
        let cancelled = AtomicBool::new(false);
        let preview = Preview::read(&file, &cancelled).unwrap();
        assert_eq!(draft_name(&file), "My-reviews-2");
        let settings = draft(&preview, &preview.guess, "demo", None);
        let spec = draft_spec("x", &settings).unwrap();
        assert_eq!((spec.task.name(), spec.train_file.as_deref()), ("custom", Some(file.as_path())));
        assert_eq!(
            (spec.text_column.as_deref(), spec.label_column.clone()),
            (Some("Kommentar"), Some("Stimmung".into()))
        );
        assert!((spec.learning_rate - 5e-4).abs() < 1e-12);
        let profile = DataProfile::read(&spec, &cancelled).unwrap();
        let fitted = draft_spec("x", &draft(&preview, &preview.guess, "demo", Some(&profile))).unwrap();
        assert!(fitted.max_seq_length > 128 && fitted.num_train_epochs >= spec.num_train_epochs);
        let small = draft_spec("x", &draft(&preview, &preview.guess, "/models/minilm", None)).unwrap();
        assert!(small.learning_rate < 5e-4 && small.learning_rate > 1e-6);
    }

    #[test]
    fn names_of_experiments_come_from_the_path() {
        for (path, name) in [
            ("/a/reviews.csv", "reviews"),
            ("/a/reviews.tar.csv.gz", "reviews"),
            ("/data/SST-2/", "SST-2"),
            ("/a/___.csv", "data"),
            ("/a/文章 1.csv", "文章-1"),
            ("/", "data"),
        ] {
            assert_eq!(draft_name(Path::new(path)), name, "{path}");
        }
    }
}
