//! Which module may use which.

use super::resolve::Target;
use super::source::{Module, Reference, Source};
use std::collections::BTreeMap;

/// Crates that only one module may use.
const CRATE_OWNERS: &[(&str, &str)] = &[
    ("ratatui", "tui"),
    ("crossterm", "tui"),
    ("candle_core", "nn"),
    ("candle_nn", "nn"),
    ("candle_transformers", "nn"),
    ("gemm", "kernels"),
    ("pulp", "kernels"),
    ("hf_hub", "hub"),
    ("reqwest", "hub"),
    ("futures_core", "hub"),
    ("base64", "hub"),
    ("tokio", "hub"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("nucleo_matcher", "tui"),
    ("indicatif", "cli"),
    ("sysinfo", "machine"),
    ("nvml_wrapper", "machine"),
    ("statrs", "stats"),
    ("ort", "export"),
];

/// A module and a module that it may not use.
const FORBIDDEN: &[(&[&str], &[&str])] = &[
    (&["tui", "state"], &["tui", "update"]),
    (&["tui", "state"], &["tui", "view"]),
    (&["tui", "state"], &["tui", "effects"]),
    (&["tui", "view"], &["tui", "update"]),
    (&["tui", "update"], &["tui", "view"]),
];

const WIDGETS: &[&str] = &["tui", "widgets"];

/// The modules of the interface that widgets may use: how things look, not what the program does.
const TUI_OF_WIDGETS: &[&str] = &["theme", "widgets"];

/// The modules and types of `run` that widgets may use.
const RUN_OF_WIDGETS: &[&str] = &["axis", "repeats", "Repeats", "series"];

/// Rank (0 is the top) and side of each module.
#[derive(Debug, Default)]
pub(crate) struct Layers(BTreeMap<String, (usize, usize)>);

impl Layers {
    /// Reads the table in the documentation of the crate: one layer a line, `|` between sides that do not
    /// use each other, one space between modules that may, and two spaces before a description.
    pub(crate) fn read(lib: &str) -> Self {
        let after = lib.split_once("# Layers").expect("lib.rs has a heading for the layers").1;
        let block = after.split("```text").nth(1).and_then(|rest| rest.split("```").next());
        let mut layers = Self::default();
        let lines = block.expect("a block of text holds the layers").lines();
        let lines = lines.filter_map(|line| line.strip_prefix("//! ")).filter(|line| !line.trim().is_empty());
        for (rank, line) in lines.enumerate() {
            let modules = line.split("  ").next().unwrap_or_default();
            for (side, part) in modules.split('|').enumerate() {
                for module in part.split_whitespace() {
                    layers.0.insert(module.to_owned(), (rank, side));
                }
            }
        }
        layers
    }

    pub(crate) fn contains(&self, module: &str) -> bool {
        self.0.contains_key(module)
    }

    /// Whether the top-level module `from` may use `to`.
    pub(crate) fn allow(&self, from: &str, to: &str) -> bool {
        match (self.0.get(from), self.0.get(to)) {
            (Some((from_rank, from_side)), Some((to_rank, to_side))) => {
                from_rank < to_rank || (from_rank == to_rank && from_side == to_side)
            }
            _ => false,
        }
    }
}

/// What breaks a rule, one line each, tests included.
pub(crate) fn violations(layers: &Layers, source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for reference in &source.references {
        check(layers, source, reference, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn check(layers: &Layers, source: &Source, reference: &Reference, found: &mut Vec<String>) {
    let Module { path: from, file, .. } = &source.modules[reference.module];
    let Some(owner) = from.first() else { return };
    let written = reference.path.join("::");
    let targets = source.resolve(reference.module, &reference.path);
    // A single name may be a variable.
    let owned = CRATE_OWNERS.iter().find(|(name, _)| *name == reference.path[0] && reference.path.len() > 1);
    if let Some((name, other)) = owned.filter(|(_, other)| targets.is_empty() && other != owner) {
        found.push(format!("{file}: only {other} may use {name}"));
    }
    // As the path is written, and where its item is defined.
    let mut paths: Vec<Vec<String>> =
        source.absolute(reference.module, &reference.path).into_iter().collect();
    for target in targets {
        if let Target::Item(module) = target {
            let item = reference.path.last().cloned();
            paths.push(source.modules[module].path.iter().cloned().chain(item).collect());
        }
    }
    for path in paths {
        let Some(to) = path.first() else { continue };
        if to != owner && !layers.allow(owner, to) {
            found.push(format!("{file}: {owner} may not use {to}: {written}"));
        }
        for (from_module, to_module) in FORBIDDEN {
            if is_inside(from, from_module) && is_inside(&path, to_module) {
                let (from_module, to_module) = (from_module.join("::"), to_module.join("::"));
                found.push(format!("{file}: {from_module} may not use {to_module}: {written}"));
            }
        }
        let second = path.get(1).map_or("", String::as_str);
        let is_forbidden = match to.as_str() {
            "tui" => !TUI_OF_WIDGETS.contains(&second),
            "run" => !RUN_OF_WIDGETS.contains(&second),
            _ => false,
        };
        if is_inside(from, WIDGETS) && is_forbidden {
            found.push(format!("{file}: a widget may not use {to}::{second}: {written}"));
        }
    }
}

fn is_inside(path: &[String], module: &[&str]) -> bool {
    path.len() >= module.len() && path.iter().zip(module).all(|(a, b)| a == b)
}
