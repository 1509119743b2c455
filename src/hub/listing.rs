//! Which files of a repository are wanted. Names are never built, only chosen from a listing.

use std::collections::BTreeSet;

/// Files of a model that are taken beside the weights, where the repository has them.
const BESIDE: [&str; 5] =
    ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

/// The index of weights that are cut into several files.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The files of a model that are wanted of `names`: configuration and tokenizer first, weights
/// last, or the sentence that says what is missing. Shards are named by the index, not here.
pub(super) fn model_files(names: &[String]) -> Result<Vec<String>, String> {
    let has = |name: &str| names.iter().any(|found| found == name);
    if !has("config.json") {
        return Err("has no config.json, so it is not a model for Transformers; choose another".to_string());
    }
    if !has("tokenizer.json") && !has("vocab.txt") {
        return Err(
            "has neither tokenizer.json nor vocab.txt; only models with one of them can be used".to_string()
        );
    }
    let mut files: Vec<String> = BESIDE.iter().filter(|name| has(name)).map(ToString::to_string).collect();
    let weights = ["model.safetensors", INDEX, "pytorch_model.bin"].into_iter().find(|name| has(name));
    files.push(weights.map(str::to_string).ok_or(
        "has no weights in model.safetensors or pytorch_model.bin; choose a repository that has them for PyTorch",
    )?);
    Ok(files)
}

/// The names of all shards that an index of weights speaks of.
pub(super) fn shards(index: &[u8]) -> Result<Vec<String>, String> {
    let index: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| format!("{INDEX} is not JSON ({e})"))?;
    let map = index["weight_map"].as_object().ok_or(format!("{INDEX} has no weight_map"))?;
    let names: BTreeSet<String> = map.values().filter_map(|name| name.as_str().map(str::to_string)).collect();
    if let Some(name) = names.iter().find(|name| !is_plain(name)) {
        return Err(format!("{INDEX} names {name:?}, which is no file of the repository"));
    }
    Ok(names.into_iter().collect())
}

/// Whether a name from outside stays inside the folder that it is put into.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', '\0', ':'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// The Parquet files among `names` of the split with these `stems`, sorted. Those under a folder called `config` win;
/// else all must lie in one folder.
pub fn split_files(names: &[String], config: &str, stems: &[&str]) -> Vec<String> {
    let mut files: Vec<&String> = names.iter().filter(|name| is_of_split(name, stems)).collect();
    let in_config = |name: &str| name.split('/').rev().skip(1).any(|folder| folder == config);
    if files.iter().any(|name| in_config(name)) {
        files.retain(|name| in_config(name));
    } else if !config.is_empty() {
        // A set of one configuration has its files in the root or in `data/`; any other folder
        // is some other configuration.
        files.retain(|name| set_folder(name, stems).is_empty() || set_folder(name, stems) == "data");
    }
    if let Some(first) = files.iter().map(|name| set_folder(name, stems)).min() {
        files.retain(|name| set_folder(name, stems) == first);
    }
    let mut files: Vec<String> = files.into_iter().cloned().collect();
    files.sort();
    files
}

/// Whether the shards that are there are all that their names speak of (`-of-00003`).
pub(super) fn all_shards(files: &[String]) -> bool {
    files.iter().all(|name| {
        let stem = name.strip_suffix(".parquet").unwrap_or(name);
        match stem.rsplit_once("-of-").and_then(|(_, count)| count.parse::<usize>().ok()) {
            Some(count) => files.len() == count,
            None => true,
        }
    })
}

/// The folder that holds the files of all splits: `data` of `data/train-00000-of-00001.parquet`
/// and of `data/train/0000.parquet`.
fn set_folder<'a>(name: &'a str, stems: &[&str]) -> &'a str {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let last = folder.rsplit('/').next().unwrap_or("");
    if !stems.contains(&last) {
        return folder;
    }
    folder.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Whether a file is of that split: `train.parquet`, `train-00000-of-00002.parquet` or
/// `train/0000.parquet`, in any folder.
fn is_of_split(name: &str, stems: &[&str]) -> bool {
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    let mut parts = stem.rsplit('/');
    let (file, folder) = (parts.next().unwrap_or(""), parts.next());
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    stems.iter().any(|split| {
        if folder == Some(*split) && number(file) {
            return true;
        }
        match file.strip_prefix(split) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('-')
                .and_then(|rest| rest.split_once("-of-"))
                .is_some_and(|(shard, of)| number(shard) && number(of)),
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SplitName, task};

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_configuration_is_a_folder_and_shards_are_sorted() {
        let all = names(&[
            "README.md",
            "sst2/train-00001-of-00002.parquet",
            "sst2/train-00000-of-00002.parquet",
            "qqp/train-00000-of-00001.parquet",
            "sst2/test-00000-of-00001.parquet",
            "mnli/validation_matched-00000-of-00001.parquet",
            "mnli/validation_mismatched-00000-of-00001.parquet",
            "mnli/test_matched-00000-of-00001.parquet",
            "mnli/test_mismatched-00000-of-00001.parquet",
        ]);
        let of_task = |name, split| task(name).unwrap().split(split).unwrap().hub_stems;
        let mnli = |split| split_files(&all, "mnli", of_task("mnli", split));
        assert_eq!(mnli(SplitName::Validation), ["mnli/validation_matched-00000-of-00001.parquet"]);
        let mismatched = mnli(SplitName::ValidationMismatched);
        assert_eq!(mismatched, ["mnli/validation_mismatched-00000-of-00001.parquet"]);
        assert_eq!(mnli(SplitName::Test), ["mnli/test_matched-00000-of-00001.parquet"]);
        let train = split_files(&all, "sst2", &["train"]);
        assert_eq!(train, ["sst2/train-00000-of-00002.parquet", "sst2/train-00001-of-00002.parquet"]);
        assert!(split_files(&all, "cola", &["train"]).is_empty());
        assert!(all_shards(&train) && !all_shards(&train[..1]));
    }

    #[test]
    fn other_layouts_of_the_hub_are_known() {
        let of_task = |name, split| task(name).unwrap().split(split).unwrap().hub_stems;
        let data = names(&["data/train-00000-of-00001.parquet", "data/dev-00000-of-00001.parquet"]);
        assert_eq!(split_files(&data, "default", &["train"]), [data[0].clone()]);
        assert_eq!(split_files(&data, "default", of_task("sst", SplitName::Validation)), [data[1].clone()]);
        let converted =
            names(&["default/train/0001.parquet", "default/train/0000.parquet", "ptb/train/0000.parquet"]);
        let train = split_files(&converted, "default", &["train"]);
        assert_eq!(train, ["default/train/0000.parquet", "default/train/0001.parquet"]);
        let plain =
            names(&["train.parquet", "train/0000.parquet", "trainer.parquet", "train-x-of-1.parquet"]);
        assert_eq!(split_files(&plain, "", &["train"]), ["train.parquet", "train/0000.parquet"]);
    }

    #[test]
    fn a_model_without_its_parts_is_refused() {
        let with = |more: &[&str]| model_files(&names(&[&["config.json", "README.md"], more].concat()));
        assert_eq!(
            with(&["vocab.txt", "pytorch_model.bin"]).unwrap(),
            ["config.json", "vocab.txt", "pytorch_model.bin"]
        );
        let both = with(&["tokenizer.json", "pytorch_model.bin", "model.safetensors"]).unwrap();
        assert_eq!(both, ["config.json", "tokenizer.json", "model.safetensors"]);
        assert_eq!(with(&["tokenizer.json", INDEX]).unwrap().last().unwrap(), INDEX);
        assert!(with(&["model.safetensors"]).unwrap_err().contains("vocab.txt"));
        assert!(with(&["vocab.txt", "tf_model.h5"]).unwrap_err().contains("no weights"));
        assert!(model_files(&names(&["vocab.txt"])).unwrap_err().contains("config.json"));
    }

    #[test]
    fn an_index_cannot_lead_out_of_the_folder() {
        let index =
            br#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(shards(index).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
        assert!(shards(br#"{"weight_map": {"a": "../../x"}}"#).is_err());
        assert!(shards(br#"{"weight_map": {"a": "/etc/passwd"}}"#).is_err());
        assert!(shards(b"[]").is_err());
    }
}
