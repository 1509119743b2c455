//! The rows of a benchmark: printed as they are measured, and saved as JSON.

use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::Command;

/// The measured rows.
pub(crate) struct Report {
    /// Words of the command line that select rows.
    names: Vec<String>,
    rows: Vec<Map<String, Value>>,
}

impl Report {
    /// A report of the rows whose names contain one of `names`, or of all rows if `names` is empty.
    pub(crate) fn new(names: Vec<String>) -> Report {
        Report { names, rows: Vec::new() }
    }

    /// Whether the command line selects the row.
    pub(crate) fn is_selected(&self, row: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| row.contains(name.as_str()))
    }

    /// Prints and adds a row: the value to compare with the goal, and further values with their names.
    pub(crate) fn row(&mut self, row: &str, unit: &str, value: f64, goal: f64, more: &[(&str, f64)]) {
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        let mut entry = Map::new();
        entry.insert("row".into(), json!(row));
        entry.insert("unit".into(), json!(unit));
        entry.insert("value".into(), json!(rounded(value)));
        entry.insert("goal".into(), json!(goal));
        let mut text = format!("{row:<58} {value:>9.3} {unit:<3} (goal {goal} {unit})");
        for (name, value) in more {
            entry.insert((*name).to_string(), json!(rounded(*value)));
            text += &format!("   {name} {value:.3}");
        }
        println!("{text}{}", if value <= goal { "" } else { "   MISSED" });
        self.rows.push(entry);
    }

    /// Writes `benches/results/NAME.json`; rows that were not measured keep their old values.
    pub(crate) fn save(self, name: &str) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
        let path = directory.join(format!("{name}.json"));
        let old = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Vec<Value>>(&text).ok());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let processor = glue_tui::machine::cpu_model().unwrap_or_else(|| std::env::consts::ARCH.into());
        let mut rows = old.unwrap_or_default();
        for mut entry in self.rows {
            entry.insert("date".into(), json!(first_line("date", &["+%Y-%m-%d"])));
            entry.insert("commit".into(), json!(first_line("git", &["rev-parse", "--short", "HEAD"])));
            entry.insert("machine".into(), json!(format!("{processor}, {cores} threads")));
            match rows.iter_mut().find(|old| old["row"] == entry["row"]) {
                Some(old) => *old = Value::Object(entry),
                None => rows.push(Value::Object(entry)),
            }
        }
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).expect("the results are writable");
        println!("written to {}", path.display());
    }
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout);
    String::from_utf8_lossy(&output.unwrap_or_default()).trim().to_string()
}

#[allow(dead_code, reason = "not every benchmark needs quantiles")]
/// The `q` quantile of `values`, for `q` in 0..=1. Sorts `values`.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}
