//! Compiles the kernels of GPUs when the program is built for them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    kernels();
}

/// `src/nn/cuda/kernels/*.cu` as PTX, each a constant in `kernels.rs`.
#[cfg(feature = "cuda")]
fn kernels() {
    const FOLDER: &str = "src/nn/cuda/kernels";
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo says where"));
    let built = cudaforge::KernelBuilder::new()
        .source_dir(FOLDER)
        .watch(["attention.cuh", "common.cuh", "mma.cuh"].map(|file| format!("{FOLDER}/{file}")))
        .args(["-std=c++17", "-O3"])
        .build_ptx()
        .and_then(|built| built.write(out.join("kernels.rs")));
    if let Err(error) = built {
        panic!("the CUDA kernels cannot be compiled: {error}");
    }
}
