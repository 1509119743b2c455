//! How fast matrix products are on this machine, measured once and kept in the user's cache: what the arithmetic
//! of a training is held against.

use super::config::ModelConfig;
use super::fast;
use crate::catalog::shape;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Root, write_atomic};
use crate::machine::cpu_model;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The shape whose products are measured, large enough to reach what the machine can.
const SHAPE: &str = "bert-base";
/// Rows that they are measured with.
const ROWS: usize = 512;

/// Operations a second by what was measured: processor, threads and precision.
type Rates = BTreeMap<String, f64>;

/// Operations a second that the CPU's matrix products reach alone, where that was measured before.
pub fn known_product_rate(precision: &str, threads: Option<usize>) -> Option<f64> {
    read(&file()?).get(&key(precision, threads)).copied()
}

/// Measures the same, which takes a second of all threads, and keeps it.
pub fn measure_product_rate(precision: &str, threads: Option<usize>) -> Result<f64> {
    let shape = shape(SHAPE).expect("the table has it");
    let folder = ModelFolder { name: SHAPE.into(), commit: None, root: Root::Embedded(shape.files) };
    let rate = super::product_rate(&ModelConfig::read(&folder)?, ROWS, precision, threads);
    if let Some(file) = file() {
        keep(&file, key(precision, threads), rate)?;
    }
    Ok(rate)
}

fn key(precision: &str, threads: Option<usize>) -> String {
    let processor = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.into());
    format!("{processor}, {}, {} threads, {precision}", fast::instructions(), fast::threads(threads))
}

/// `product-rates.toml` in the folder of this program in the user's cache, if there is a place for one.
fn file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cache"));
    Some(set("XDG_CACHE_HOME").or_else(home)?.join("glue-tui/product-rates.toml"))
}

/// What is kept; nothing where it cannot be read.
fn read(file: &Path) -> Rates {
    std::fs::read_to_string(file).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
}

fn keep(file: &Path, key: String, rate: f64) -> Result<()> {
    let mut rates = read(file);
    rates.insert(key, rate);
    let folder = file.parent().expect("it is in a folder");
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    let text = toml::to_string(&rates).map_err(|e| Error::writing(file)(std::io::Error::other(e)))?;
    write_atomic(file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_found_again() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("deep/rates.toml");
        assert!(read(&file).is_empty());
        keep(&file, key("f32", Some(2)), 1.5e11).unwrap();
        keep(&file, key("bf16", Some(2)), 3e11).unwrap();
        let rates = read(&file);
        assert_eq!(rates.get(&key("f32", Some(2))), Some(&1.5e11));
        assert_eq!(rates.get(&key("f32", Some(3))), None, "other threads are another measure");
        std::fs::write(&file, "not = [toml").unwrap();
        assert!(read(&file).is_empty());
    }
}
