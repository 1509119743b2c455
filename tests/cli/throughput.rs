//! Release builds inline closures into the kernels of the fast engine. A closure that is not inlined into its
//! `target_feature` function is compiled without AVX-512, and nothing but the speed shows it.

use super::workspace::Workspace;
use serde_json::Value;

/// The share of a step that everything but matrix products takes, relative to that of the matrix products: 0.25 with
/// AVX-512, 0.8 without inlining.
const MAX_OTHER: f64 = 0.5;
/// The speed of matrix products relative to that of the `gemm` crate: about 1.
const MIN_PRODUCTS: f64 = 0.6;
/// The speed of attention in tiles and of disentangled attention relative to that of the `gemm` crate: 0.2 to 0.4 with
/// AVX-512, 0.02 without inlining.
const MIN_ATTENTION: f64 = 0.08;

/// Both ratios are of measurements that follow each other at once, so other processes hardly change them. The best of
/// three attempts counts.
#[test]
fn release_build_inlines_kernels() {
    if std::env::var_os("GLUE_TUI_LONG_TESTS").is_none() {
        println!("SKIPPED: set GLUE_TUI_LONG_TESTS=1 to measure the kernels");
        return;
    }
    let workspace = Workspace::new();
    let doctor = workspace.run(&["doctor", "--json"]).success().json();
    let instructions = doctor["cpu"]["instructions"].as_str().unwrap().to_owned();
    if cfg!(debug_assertions) || !instructions.contains("AVX-512") {
        println!("SKIPPED: needs a release build and AVX-512; this processor has {instructions}");
        return;
    }
    let attempts: Vec<(f64, f64)> = (0..3).map(|_| measure(&workspace)).collect();
    let other = attempts.iter().map(|(other, _)| *other).fold(f64::INFINITY, f64::min);
    let products = attempts.iter().map(|(_, products)| *products).fold(0.0, f64::max);
    assert!(
        other < MAX_OTHER,
        "kernels without AVX-512: other work / matrix products, GFLOP/s ratio: {attempts:?}"
    );
    assert!(
        products > MIN_PRODUCTS,
        "slow matrix products: other / matrix products, GFLOP/s ratio: {attempts:?}"
    );
    for shape in ["modernbert-base", "deberta-v3-small"] {
        let attempts: Vec<f64> = (0..3).map(|_| measure_attention(&workspace, shape)).collect();
        let best = attempts.iter().copied().fold(0.0, f64::max);
        assert!(best > MIN_ATTENTION, "{shape}: slow attention, GFLOP/s ratio: {attempts:?}");
    }
}

/// The share of other work relative to matrix products, and the speed of matrix products relative to the `gemm` crate.
fn measure(workspace: &Workspace) -> (f64, f64) {
    let args = ["bench", "--shape", "minilm", "--seconds", "3", "--set", "threads=1", "--json"];
    let report = workspace.run(&args).success().json();
    let share = |name: &str| {
        let phases = report["phases"].as_array().unwrap();
        phases.iter().find(|phase| phase["name"] == name).unwrap()["share"].as_f64().unwrap()
    };
    let number = |value: &Value| value.as_f64().unwrap();
    let other = share("attention") + share("norm and activation") + share("optimizer");
    (other / share("matrix products"), number(&report["product_gflops"]) / number(&report["gemm_gflops"]))
}

/// The speed of the attention of a shape relative to that of the `gemm` crate's matrix products.
fn measure_attention(workspace: &Workspace, shape: &str) -> f64 {
    let args = ["bench", "--shape", shape, "--seconds", "2", "--lengths", "128", "--batch", "4", "--json"];
    let report = workspace.run(&[&args[..], &["--set", "threads=1"]].concat()).success().json();
    let phases = report["phases"].as_array().unwrap();
    let attention = phases.iter().find(|phase| phase["name"] == "attention").unwrap();
    attention["gflops"].as_f64().unwrap() / report["gemm_gflops"].as_f64().unwrap()
}
