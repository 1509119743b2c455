//! Throughput of matrix products on this machine. A measured rate is stored in the user's cache folder, and the
//! arithmetic of a training run is compared with it.

use super::config::ModelConfig;
use super::engine::KernelRate;
use super::fast;
use crate::batch::Batch;
use crate::catalog::shape;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Root, read_regular_to_string, write_atomic};
use crate::machine::cpu_model;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The model whose matrix products are measured; its matrices are large enough for peak throughput.
const SHAPE: &str = "bert-base";
/// Number of tokens of the measurement.
const TOKENS: usize = 512;

/// FLOP/s by processor, instruction set, threads and precision.
type Rates = BTreeMap<String, f64>;

/// FLOP/s of the matrix products of one encoder layer over `tokens` tokens, without the rest of the layer.
pub fn matmul_rate(config: &ModelConfig, tokens: usize, precision: &str, threads: Option<usize>) -> f64 {
    fast::matmul_rate(config, tokens, precision == "bf16", threads)
}

/// Like [`matmul_rate`], computed by the `gemm` crate in f32.
pub fn gemm_crate_rate(config: &ModelConfig, tokens: usize, threads: Option<usize>) -> f64 {
    fast::gemm_crate_rate(config, tokens, threads)
}

/// Throughput of each kernel of the CPU engine on one thread, over the tokens of `batch`.
pub fn kernel_rates(config: &ModelConfig, batch: &Batch, precision: &str) -> Vec<KernelRate> {
    fast::kernel_rates(config, batch, precision == "bf16")
}

/// FLOP/s of the CPU's matrix products, if [`measure_matmul_rate`] has measured them on this machine.
pub fn cached_matmul_rate(precision: &str, threads: Option<usize>) -> Option<f64> {
    read(&cache_file()?).get(&key(precision, threads)).copied()
}

/// Measures FLOP/s of the CPU's matrix products and stores the result in the cache. Uses all threads for about a
/// second.
///
/// # Errors
/// A cache file that cannot be written.
pub fn measure_matmul_rate(precision: &str, threads: Option<usize>) -> Result<f64> {
    let shape = shape(SHAPE).expect("SHAPE is a row of the static table");
    let folder = ModelFolder { name: SHAPE.into(), commit: None, root: Root::Embedded(shape.files) };
    let rate = matmul_rate(&ModelConfig::read(&folder)?, TOKENS, precision, threads);
    if let Some(file) = cache_file() {
        store(&file, key(precision, threads), rate)?;
    }
    Ok(rate)
}

fn key(precision: &str, threads: Option<usize>) -> String {
    let processor = cpu_model().unwrap_or_else(|| std::env::consts::ARCH.into());
    format!("{processor}, {}, {} threads, {precision}", fast::instruction_set(), fast::thread_count(threads))
}

/// `product-rates.toml` in this program's folder of the user's cache; `None` without a home folder.
fn cache_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cache"));
    Some(set("XDG_CACHE_HOME").or_else(home)?.join("glue-tui/product-rates.toml"))
}

/// The stored rates; empty if the file is missing or invalid.
fn read(file: &Path) -> Rates {
    read_regular_to_string(file).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
}

fn store(file: &Path, key: String, rate: f64) -> Result<()> {
    let mut rates = read(file);
    rates.insert(key, rate);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    }
    let text = toml::to_string(&rates).map_err(|e| Error::writing(file)(std::io::Error::other(e)))?;
    write_atomic(file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_rates_are_read_by_key_and_invalid_files_are_empty() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("deep/rates.toml");
        assert!(read(&file).is_empty());
        store(&file, key("f32", Some(2)), 1.5e11).unwrap();
        store(&file, key("bf16", Some(2)), 3e11).unwrap();
        let rates = read(&file);
        assert_eq!(rates.get(&key("f32", Some(2))), Some(&1.5e11));
        assert_eq!(rates.get(&key("f32", Some(3))), None, "rates of another number of threads are not used");
        std::fs::write(&file, "not = [toml").unwrap();
        assert!(read(&file).is_empty());
    }
}
