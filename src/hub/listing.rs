//! Selection of files from the listing of a repository. File names are never constructed.

use crate::catalog::SplitSpec;
use crate::files::{ADAPTER_CONFIG, TOKENIZER_FILES, UNSUPPORTED_VOCABULARIES, VOCABULARIES};
use std::collections::BTreeSet;

/// The weights of a model, the preferred file first.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Whether a file is the index of sharded weights.
pub(super) fn is_index(name: &str) -> bool {
    WEIGHTS.contains(&name) && name.ends_with(".index.json")
}

/// The files to download.
pub(super) enum FileSelection<'a> {
    /// Configuration, tokenizer and weights of a model.
    Model,
    /// The Parquet files of one split of a dataset configuration, whose possible splits are `all`.
    Split { config: &'a str, split: &'a SplitSpec, all: &'a [SplitSpec] },
}

impl FileSelection<'_> {
    /// The selected files of a listing, empty if a dataset has no such split. The error is a clause that says why the
    /// repository cannot be used.
    pub(super) fn select(&self, names: &[String]) -> Result<Vec<String>, String> {
        match self {
            FileSelection::Model => model_files(names),
            FileSelection::Split { config, split, all } => {
                let files = split_files(names, config, split.hub_stems);
                let has_files = |split: &SplitSpec| !split_files(names, config, split.hub_stems).is_empty();
                if files.is_empty() && !all.iter().any(has_files) {
                    return Err(format!("has no Parquet files for configuration {config}"));
                }
                Ok(files)
            }
        }
    }
}

/// The files of a model: configuration and tokenizer first, weights last. For sharded weights only the index, which
/// names the shards. The error is a clause that says what is missing.
fn model_files(names: &[String]) -> Result<Vec<String>, String> {
    let has = |name: &str| names.iter().any(|found| found == name);
    if has(ADAPTER_CONFIG) && !WEIGHTS.into_iter().any(has) {
        return Err("has an adapter of peft; download it with `hf download` and give its folder".to_string());
    }
    if !has("config.json") {
        return Err("has no config.json and is not a Transformers model; choose another one".to_string());
    }
    if !VOCABULARIES.iter().any(|files| files.iter().all(|file| has(file))) {
        let names = VOCABULARIES.map(|files| files.join(" with ")).join(", ");
        let found = UNSUPPORTED_VOCABULARIES.into_iter().find(|name| has(name));
        let found = found.map_or_else(String::new, |name| format!(" but {name}, which is not supported"));
        return Err(format!("has no vocabulary ({names}){found}; choose a model with one of them"));
    }
    let files = std::iter::once("config.json").chain(TOKENIZER_FILES);
    let mut files: Vec<String> = files.filter(|name| has(name)).map(str::to_string).collect();
    let weights = WEIGHTS.into_iter().find(|name| has(name));
    files.push(weights.map(str::to_string).ok_or(
        "has no weights in model.safetensors or pytorch_model.bin; choose a model with PyTorch weights",
    )?);
    Ok(files)
}

/// The names of all shards in an index of weights. The error is a clause.
pub(super) fn shards(index: &[u8]) -> Result<Vec<String>, String> {
    let index: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| format!("the index of the weights is not JSON ({e})"))?;
    let map = index["weight_map"].as_object().ok_or("the index of the weights has no weight_map")?;
    let names: BTreeSet<String> = map.values().filter_map(|name| name.as_str().map(str::to_string)).collect();
    if let Some(name) = names.iter().find(|name| !is_plain(name)) {
        return Err(format!("the index of the weights names {name:?}, which is not a valid file name"));
    }
    Ok(names.into_iter().collect())
}

/// Whether a relative path from an untrusted source stays inside the folder it is joined to.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', '\0', ':'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// The Parquet files among `names` of the split with these `stems` (`train`, or `validation` and `dev`), sorted. Files in a folder called `config` take precedence; without
/// such files, only those in the root or in `data/` are considered. An empty `config` accepts any folder.
pub fn split_files(names: &[String], config: &str, stems: &[&str]) -> Vec<String> {
    let mut files: Vec<&String> = names.iter().filter(|name| is_of_split(name, stems)).collect();
    let in_config = |name: &str| name.split('/').rev().skip(1).any(|folder| folder == config);
    if files.iter().any(|name| in_config(name)) {
        files.retain(|name| in_config(name));
    } else if !config.is_empty() {
        // A dataset with one configuration has its files in the root or in `data/`. Any other folder is another
        // configuration.
        files.retain(|name| matches!(dataset_folder(name, stems), "" | "data"));
    }
    if let Some(first) = files.iter().map(|name| dataset_folder(name, stems)).min() {
        files.retain(|name| dataset_folder(name, stems) == first);
    }
    let mut files: Vec<String> = files.into_iter().cloned().collect();
    files.sort();
    files
}

/// Whether the files are all the shards that their names announce (`-of-00003`).
pub(super) fn has_all_shards(files: &[String]) -> bool {
    files.iter().all(|name| {
        let stem = name.strip_suffix(".parquet").unwrap_or(name);
        match stem.rsplit_once("-of-").and_then(|(_, count)| count.parse::<usize>().ok()) {
            Some(count) => files.len() == count,
            None => true,
        }
    })
}

/// The folder of all splits: `data` for both `data/train-00000-of-00001.parquet` and `data/train/0000.parquet`.
fn dataset_folder<'a>(name: &'a str, stems: &[&str]) -> &'a str {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let last = folder.rsplit('/').next().unwrap_or("");
    if !stems.contains(&last) {
        return folder;
    }
    folder.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Whether a file belongs to a split: `train.parquet`, `train-00000-of-00002.parquet` or `train/0000.parquet`, in any
/// folder.
fn is_of_split(name: &str, stems: &[&str]) -> bool {
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    let mut parts = stem.rsplit('/');
    let (file, folder) = (parts.next().unwrap_or(""), parts.next());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    stems.iter().any(|split| {
        if folder == Some(*split) && is_number(file) {
            return true;
        }
        match file.strip_prefix(split) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('-')
                .and_then(|rest| rest.split_once("-of-"))
                .is_some_and(|(shard, of)| is_number(shard) && is_number(of)),
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
    fn configuration_is_a_folder_and_shards_are_sorted() {
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
        let stems = |name, split| task(name).unwrap().split(split).unwrap().hub_stems;
        let mnli = |split| split_files(&all, "mnli", stems("mnli", split));
        assert_eq!(mnli(SplitName::Validation), ["mnli/validation_matched-00000-of-00001.parquet"]);
        let mismatched = mnli(SplitName::ValidationMismatched);
        assert_eq!(mismatched, ["mnli/validation_mismatched-00000-of-00001.parquet"]);
        assert_eq!(mnli(SplitName::Test), ["mnli/test_matched-00000-of-00001.parquet"]);
        let train = split_files(&all, "sst2", &["train"]);
        assert_eq!(train, ["sst2/train-00000-of-00002.parquet", "sst2/train-00001-of-00002.parquet"]);
        assert!(split_files(&all, "cola", &["train"]).is_empty());
        assert!(has_all_shards(&train) && !has_all_shards(&train[..1]));
    }

    #[test]
    fn other_layouts_are_supported() {
        let stems = task("sst").unwrap().split(SplitName::Validation).unwrap().hub_stems;
        let data = names(&["data/train-00000-of-00001.parquet", "data/dev-00000-of-00001.parquet"]);
        assert_eq!(split_files(&data, "default", &["train"]), [data[0].clone()]);
        assert_eq!(split_files(&data, "default", stems), [data[1].clone()]);
        let converted =
            names(&["default/train/0001.parquet", "default/train/0000.parquet", "ptb/train/0000.parquet"]);
        let train = split_files(&converted, "default", &["train"]);
        assert_eq!(train, ["default/train/0000.parquet", "default/train/0001.parquet"]);
        let plain =
            names(&["train.parquet", "train/0000.parquet", "trainer.parquet", "train-x-of-1.parquet"]);
        assert_eq!(split_files(&plain, "", &["train"]), ["train.parquet", "train/0000.parquet"]);
    }

    #[test]
    fn incomplete_model_is_rejected() {
        let with = |more: &[&str]| model_files(&names(&[&["config.json", "README.md"], more].concat()));
        assert_eq!(
            with(&["vocab.txt", "pytorch_model.bin"]).unwrap(),
            ["config.json", "vocab.txt", "pytorch_model.bin"]
        );
        let both = with(&["tokenizer.json", "pytorch_model.bin", "model.safetensors"]).unwrap();
        assert_eq!(both, ["config.json", "tokenizer.json", "model.safetensors"]);
        for index in [WEIGHTS[1], WEIGHTS[3]] {
            assert!(is_index(index));
            assert_eq!(with(&["tokenizer.json", index]).unwrap().last().unwrap(), index);
        }
        assert!(!is_index(WEIGHTS[0]) && !is_index("other.index.json"));
        assert_eq!(
            with(&["merges.txt", "vocab.json", "model.safetensors"]).unwrap(),
            ["config.json", "vocab.json", "merges.txt", "model.safetensors"]
        );
        assert!(with(&["vocab.json", "model.safetensors"]).unwrap_err().contains("merges.txt"));
        for model in ["sentencepiece.bpe.model", "spiece.model", "spm.model", "tokenizer.model"] {
            assert_eq!(
                with(&[model, "model.safetensors"]).unwrap(),
                ["config.json", model, "model.safetensors"]
            );
        }
        let unsupported = with(&["bpe_encoder.bin", "model.safetensors"]).unwrap_err();
        assert!(unsupported.contains("but bpe_encoder.bin, which is not supported"), "{unsupported}");
        assert!(with(&["model.safetensors"]).unwrap_err().contains("vocab.txt"));
        assert!(with(&["vocab.txt", "tf_model.h5"]).unwrap_err().contains("no weights"));
        assert!(model_files(&names(&["vocab.txt"])).unwrap_err().contains("config.json"));
        let adapter = model_files(&names(&["adapter_config.json", "adapter_model.safetensors", "vocab.txt"]));
        assert!(adapter.unwrap_err().contains("adapter of peft"));
    }

    #[test]
    fn shards_cannot_leave_the_folder() {
        let index =
            br#"{"weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}}"#;
        assert_eq!(shards(index).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
        assert!(shards(br#"{"weight_map": {"a": "../../x"}}"#).is_err());
        assert!(shards(br#"{"weight_map": {"a": "/etc/passwd"}}"#).is_err());
        assert!(shards(b"[]").is_err());
    }
}
