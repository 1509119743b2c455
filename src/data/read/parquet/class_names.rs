//! The class names that the `datasets` library of Hugging Face stores in the schema metadata of a Parquet file.

use parquet::file::metadata::KeyValue;
use serde_json::Value;
use std::collections::HashMap;

/// The key of the metadata.
const KEY: &str = "huggingface";

/// The class names of the columns of type `ClassLabel`, or of lists of them, by the name of the column.
pub(super) fn class_names(metadata: &[KeyValue]) -> HashMap<String, Vec<String>> {
    let text = metadata.iter().find(|pair| pair.key == KEY).and_then(|pair| pair.value.as_deref());
    let Some(Ok(metadata)) = text.map(serde_json::from_str::<Value>) else { return HashMap::new() };
    let Some(features) = metadata.pointer("/info/features").and_then(Value::as_object) else {
        return HashMap::new();
    };
    features.iter().filter_map(|(column, feature)| Some((column.clone(), names(feature)?))).collect()
}

/// The class names of a feature. A list has the feature of its elements under `feature`, or is an array of it.
fn names(feature: &Value) -> Option<Vec<String>> {
    let feature = feature.get("feature").or_else(|| feature.get(0)).unwrap_or(feature);
    if feature.get("_type").and_then(Value::as_str) != Some("ClassLabel") {
        return None;
    }
    let names = feature.get("names")?.as_array()?.iter();
    names
        .map(|name| name.as_str().map(str::to_string))
        .collect::<Option<Vec<_>>>()
        .filter(|names| !names.is_empty())
}
