//! Checks which module uses which: imports lead down the table of layers in `src/lib.rs`, some crates
//! belong to one module, and no files of `src` use each other in a circle.
//!
//! `cargo test --test layers -- --nocapture` prints the cycles that are still allowed.

mod graph;
mod planted;
mod resolve;
mod rules;
mod source;

use graph::{cycles, describe};
use rules::{Layers, violations};
use source::Source;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            found.push((file, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The source of the program.
fn program() -> Source {
    let mut found = Vec::new();
    files(&root(), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    Source::parse(found.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

fn layers() -> Layers {
    Layers::read(&std::fs::read_to_string(root().join("lib.rs")).unwrap())
}

#[test]
fn modules_import_only_lower_layers() {
    let found = violations(&layers(), &program());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn files_form_no_cycles() {
    let graph = program().graph();
    let found: Vec<String> = cycles(&graph).iter().map(|component| describe(&graph, component)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let layers = layers();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(name == "lib" || layers.contains(&name), "{name} is not in the table of lib.rs");
    }
}
