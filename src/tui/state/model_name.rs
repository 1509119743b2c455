//! Short names of models.

use crate::catalog::known_model;
use std::path::Path;

/// The title of a model in the catalog, or the last part of its id or path.
pub fn model_name(id: &str) -> String {
    if id == "demo" {
        return "demo".into();
    }
    match known_model(id) {
        Some(model) => model.title.split(',').next().unwrap_or(id).to_string(),
        None => Path::new(id).file_name().map_or(id.into(), |name| name.to_string_lossy().into_owned()),
    }
}
