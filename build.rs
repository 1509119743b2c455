//! Compiles the CUDA kernels if the feature `cuda` is enabled.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    compile_kernels();
}

/// Compiles `src/nn/cuda/kernels/*.cu` to PTX and writes `kernels.rs`, with one constant per file, to `OUT_DIR`.
#[cfg(feature = "cuda")]
fn compile_kernels() {
    const FOLDER: &str = "src/nn/cuda/kernels";
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    // PTX of this version runs on every later GPU, whichever GPU this machine has.
    let result = cudaforge::KernelBuilder::new()
        .compute_cap(80)
        .source_dir(FOLDER)
        .watch(
            ["activation.cuh", "attention.cuh", "common.cuh", "mma.cuh"]
                .map(|file| format!("{FOLDER}/{file}")),
        )
        .args(["-std=c++17", "-O3"])
        .build_ptx()
        .and_then(|output| output.write(out.join("kernels.rs")));
    if let Err(error) = result {
        panic!("cannot compile the CUDA kernels: {error}");
    }
    // What the driver and the GPU are checked for: the toolkit, and the GPUs that candle's kernels are compiled for.
    let toolkit = cudaforge::CudaToolkit::detect().ok().and_then(|toolkit| toolkit.version);
    println!("cargo::rustc-env=GLUE_TUI_CUDA_VERSION={}", toolkit.unwrap_or_default());
    let capability = cudaforge::detect_compute_cap().map(|capability| capability.to_string());
    println!("cargo::rustc-env=GLUE_TUI_CUDA_COMPUTE_CAP={}", capability.unwrap_or_default());
}
