//! Imports go down only: the table of layers in `src/lib.rs` is read and every reference of every source
//! file is held against it. The checker itself is tested on planted violations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Crates that only one room may touch.
const KEPT: &[(&str, &str)] = &[
    ("ratatui", "tui"),
    ("crossterm", "tui"),
    ("candle_core", "nn"),
    ("candle_nn", "nn"),
    ("candle_transformers", "nn"),
    ("gemm", "nn"),
    ("pulp", "nn"),
    ("hf_hub", "hub"),
    ("reqwest", "hub"),
    ("tokio", "hub"),
    ("clap", "cli"),
    ("indicatif", "cli"),
    ("sysinfo", "machine"),
    ("nvml_wrapper", "machine"),
];

/// What widgets may know of the interface: how things look, not what the program does.
const WIDGETS_KNOW: &[&str] = &["theme", "widgets"];

/// Rank (0 is the top) and side of each module.
type Table = BTreeMap<String, (usize, usize)>;

/// Reads the table in the crate documentation: one layer a line, `|` between sides that do not see each
/// other, spaces between modules that may, and two spaces before a description.
fn layers(lib: &str) -> Table {
    let after = lib.split_once("# Layers").expect("lib.rs has a heading for the layers").1;
    let block = after.split("```text").nth(1).and_then(|rest| rest.split("```").next());
    let mut table = Table::new();
    let lines = block.expect("a block of text holds the layers").lines();
    let lines = lines.filter_map(|line| line.strip_prefix("//! ")).filter(|line| !line.trim().is_empty());
    for (rank, line) in lines.enumerate() {
        let modules = line.split("  ").next().unwrap_or_default();
        for (side, part) in modules.split('|').enumerate() {
            for module in part.split_whitespace() {
                table.insert(module.to_owned(), (rank, side));
            }
        }
    }
    table
}

/// Whether `from` may import `to`.
fn may_see(table: &Table, from: &str, to: &str) -> bool {
    match (table.get(from), table.get(to)) {
        (Some((from_rank, from_side)), Some((to_rank, to_side))) => {
            from_rank < to_rank || (from_rank == to_rank && from_side == to_side)
        }
        _ => false,
    }
}

/// Source text without comments and without the contents of strings and characters.
fn stripped(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut kept = String::new();
    let mut i = 0;
    while i < chars.len() {
        let skip = not_code(&chars[i..], kept.ends_with(is_word));
        if skip == 0 {
            kept.push(chars[i]);
            i += 1;
        } else {
            kept.push(' ');
            i += skip;
        }
    }
    kept
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the comment or literal that `rest` begins with, 0 when it begins with code.
fn not_code(rest: &[char], in_word: bool) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['r', '"' | '#', ..] if !in_word => raw_string(rest),
        ['b', 'r', '"' | '#', ..] if !in_word => 1 + raw_string(&rest[1..]),
        ['"', ..] => quoted(rest, '"'),
        ['\'', '\\', ..] => quoted(rest, '\''),
        // A quote and then no second one is a lifetime.
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    for (i, pair) in rest.windows(2).enumerate() {
        match pair {
            ['/', '*'] => depth += 1,
            ['*', '/'] if depth == 1 => return i + 2,
            ['*', '/'] => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`; 0 for a raw name such as `r#type`.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[2 + hashes..];
    let found = body.windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |at| 2 + hashes + at + end.len())
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(rest.len())
}

/// Words, `::` and single signs.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut previous = ' ';
    for c in code.chars() {
        match tokens.last_mut() {
            Some(last)
                if (is_word(c) && is_word(previous)) || (c == ':' && last == ":" && previous == ':') =>
            {
                last.push(c);
            }
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        previous = c;
    }
    tokens
}

/// The paths below the crate's root that the code of a module names, each as its first two words
/// (`["spec", "keys"]`). `module` is the path of the file: `["tui", "widgets"]`.
fn references(module: &[String], tokens: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // Modules that are written inside the file, with the depth of braces that each was opened at.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.retain(|(_, at)| *at < depth + 1);
            }
            "mod" if tokens.get(i + 2).is_some_and(|token| token == "{") => {
                inner.push((tokens[i + 1].clone(), depth + 1));
            }
            "crate" | "glue_tui" if follows(tokens, i) => found.extend(paths(&tokens[i + 2..], &[])),
            "super" if follows(tokens, i) && (i == 0 || tokens[i - 1] != "::") => {
                let mut here: Vec<String> = module.to_vec();
                here.extend(inner.iter().map(|(name, _)| name.clone()));
                while tokens.get(i).is_some_and(|token| token == "super") && follows(tokens, i) {
                    here.pop();
                    i += 2;
                }
                found.extend(paths(&tokens[i..], &here));
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

fn follows(tokens: &[String], i: usize) -> bool {
    tokens.get(i + 1).is_some_and(|token| token == "::")
}

/// The first two words, counted from the root, of each path that begins here below `prefix`.
fn paths(tokens: &[String], prefix: &[String]) -> Vec<Vec<String>> {
    let Some(first) = tokens.first() else { return Vec::new() };
    if prefix.len() >= 2 {
        return vec![prefix[..2].to_vec()];
    }
    if first == "{" {
        // Each branch of the braces begins after the brace or a comma at its own depth.
        let mut found = Vec::new();
        let mut depth = 0;
        for (i, token) in tokens.iter().enumerate() {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && (i == 0 || token == ",") && tokens.get(i + 1).is_some_and(|next| next != "}") {
                found.extend(paths(&tokens[i + 1..], prefix));
            }
        }
        return found;
    }
    let path: Vec<String> = prefix.iter().chain([first]).cloned().collect();
    if path.len() < 2 && follows(tokens, 0) { paths(&tokens[2..], &path) } else { vec![path] }
}

/// What is wrong with a source file, one line each.
fn violations(table: &Table, file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(room) = module.first() else { return Vec::new() };
    let tokens = tokens(&stripped(source));
    let mut found = Vec::new();
    for path in references(&module, &tokens) {
        let to = path[0].as_str();
        if to != room && to != "self" && !may_see(table, room, to) {
            found.push(format!("{file}: {room} may not import {to}"));
        }
        let inside = path.get(1).map_or("", String::as_str);
        let is_widget = module.len() >= 2 && module[0] == "tui" && module[1] == "widgets";
        let is_item = inside.is_empty() || inside == "*";
        if is_widget && to == "tui" && (is_item || !WIDGETS_KNOW.contains(&inside)) {
            found.push(format!("{file}: a widget may not import tui::{inside}"));
        }
        if is_widget && to == "run" && !matches!(inside, "series" | "course" | "Repeats") {
            found.push(format!("{file}: a widget may not import run::{inside}"));
        }
    }
    for (i, token) in tokens.iter().enumerate() {
        let starts_path = follows(&tokens, i) && (i == 0 || tokens[i - 1] != "::");
        let kept = KEPT.iter().find(|(name, owner)| name == token && owner != room);
        if let (true, Some((name, owner))) = (starts_path, kept) {
            found.push(format!("{file}: {name} belongs to {owner}"));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// `tui/widgets/bars.rs` → `[tui, widgets, bars]`; `tui/mod.rs` → `[tui]`; the root itself → `[]`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn table() -> Table {
    layers(&std::fs::read_to_string(root().join("lib.rs")).unwrap())
}

#[test]
fn imports_go_down_only() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 20, "the sources were not found");
    let table = table();
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        found.extend(violations(&table, &file, &std::fs::read_to_string(&path).unwrap()));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let table = table();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(name == "lib" || table.contains_key(&name), "{name} is not in the table of lib.rs");
    }
}

#[test]
fn the_table_is_read_as_it_is_meant() {
    let lib = "//! # Layers\n//!\n//! ```text\n//! main\n//! cli | tui   two faces\n//! spec   one\n//! rng error\n//! ```\n";
    let table = layers(lib);
    assert!(
        may_see(&table, "main", "cli") && may_see(&table, "cli", "spec") && may_see(&table, "tui", "error")
    );
    assert!(may_see(&table, "rng", "error") && may_see(&table, "error", "rng"));
    assert!(
        !may_see(&table, "cli", "tui") && !may_see(&table, "spec", "cli") && !may_see(&table, "spec", "new")
    );
}

#[test]
fn planted_violations_are_found() {
    let planted = [
        ("spec/keys.rs", "use crate::train::train;"),
        ("spec/keys.rs", "use crate::{catalog::Metric, event};"),
        ("spec/keys.rs", "use crate::{\n    error::{Error, Result},\n    run::find,\n};"),
        ("spec/keys.rs", "fn f() { let _ = crate::hub::Hub::new(); }"),
        ("spec/keys.rs", "use super::super::train;"),
        ("spec/mod.rs", "use super::{error, train::train};"),
        ("spec/mod.rs", "mod tests { use super::super::train::train; }"),
        ("cli/train.rs", "use crate::tui::open;"),
        ("data/mod.rs", "use crate::nn::Engine;"),
        ("train/loop.rs", "use ratatui::Frame;"),
        ("train/loop.rs", "fn f(t: &candle_core::Tensor) {}"),
        ("data/find.rs", "let api = hf_hub::HFClient::new();"),
        ("tui/widgets/bars.rs", "use crate::tui::app::App;"),
        ("tui/widgets/bars.rs", "use super::super::app::App;"),
        ("tui/widgets/mod.rs", "use crate::{tui::{theme::Theme, screens::live}};"),
        ("tui/widgets/bars.rs", "use crate::tui::*;"),
        ("tui/widgets/bars.rs", "use crate::run::RunRow;"),
    ];
    let table = table();
    for (file, source) in planted {
        assert_eq!(violations(&table, file, source).len(), 1, "{file}: {source}");
    }
}

#[test]
fn what_is_allowed_passes() {
    let fine = [
        ("main.rs", "use glue_tui::{cli, tui};"),
        ("cli/train.rs", "use crate::{run::{self, TrainOutput}, spec}; use super::output; use clap::Parser;"),
        (
            "spec/keys.rs",
            "// crate::train\n/* use crate::train; /* ratatui::Frame */ */ const A: &str = \"crate::train::x\";",
        ),
        (
            "spec/keys.rs",
            "const A: &str = r#\"use \"crate::train;\"#; const B: char = '\"'; fn f<'a>(_: &'a str) {}",
        ),
        (
            "spec/keys.rs",
            "mod tests { use super::super::check; use super::*; mod deeper { use super::super::Key; } }",
        ),
        (
            "tui/widgets/bars.rs",
            "use super::put; use crate::tui::theme::{Role, Theme}; use crate::run::series::Series;",
        ),
        ("tui/widgets/mod.rs", "mod bars; pub use bars::Bars; use super::theme::Theme; use ratatui::Frame;"),
        ("nn/device.rs", "use candle_core::Device; use crate::error::{Error, Result};"),
        ("error.rs", "use std::fmt; impl From<u8> for super::error::Error {}"),
    ];
    let table = table();
    for (file, source) in fine {
        assert_eq!(violations(&table, file, source), Vec::<String>::new(), "{source}");
    }
}
