//! Settings: experiments, overrides, keys and themes.

use super::write;
use glue_tui::spec::{Experiments, RunSpec, built_in, from_toml, to_toml};
use glue_tui::tui::keymap::Keymap;
use glue_tui::tui::theme::{Role, Scheme};
use std::path::Path;

/// An experiments file.
pub fn experiments(folder: &Path, data: &[u8]) {
    let path = write(folder, "experiments.toml", data);
    let Ok(experiments) = Experiments::open(Some(&path)) else { return };
    for name in experiments.names() {
        let _ = (experiments.description(name), experiments.values(name));
        if let Ok(spec) = experiments.resolve(name, &[]) {
            check_text(&spec);
        }
        if let Ok(changed) = experiments.with_changes(name, &[("seed", "7".to_owned())]) {
            assert_eq!(changed.spec().seed, 7);
        }
    }
}

/// Lines of `KEY=VALUE`, as for `--set`.
pub fn overrides(_: &Path, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs: Vec<(String, String)> = text
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    if let Ok(spec) = built_in("fuzz").with(&pairs) {
        check_text(&spec);
    }
}

/// A specification is the same after it is written to `spec.toml` and read again.
fn check_text(spec: &RunSpec) {
    let text = to_toml(spec);
    match from_toml(&text, Path::new("spec.toml")) {
        Ok(read) => assert_eq!(read, *spec, "{text}"),
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// A file of key bindings.
pub fn keys(_: &Path, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Keymap::read(text, Path::new("keys.toml"));
}

/// A theme.
pub fn themes(_: &Path, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(scheme) = Scheme::read("fuzz", text, Path::new("fuzz.toml")).complete() {
        for role in Role::all() {
            let _ = scheme.paint(role);
        }
    }
}
