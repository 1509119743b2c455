//! [`HostDevice`]: a [`Device`] without a GPU, for tests. The kernels of `kernels/` are compiled by the C++ compiler
//! of the machine and run in host memory. A graph is a list of operations.

use super::device::{Device, DeviceSlice, Gemm, GemmKind, GemmOperand, Launch};
use crate::error::{Error, Result};
use crate::machine::MemoryInfo;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The function `launch` of `kernels/host.cpp`.
type LaunchFn = unsafe extern "C" fn(*const c_char, u32, u32, u32, u32, u32, *mut *mut c_void) -> c_int;

/// A compiled library of the kernels to load instead of compiling one.
pub(super) const LIBRARY: &str = "GLUE_TUI_KERNEL_LIBRARY";

/// Seed of the order in which the threads of a block run; 0, the default, is the order of their numbers.
pub(super) const THREAD_ORDER: &str = "GLUE_TUI_KERNEL_THREAD_ORDER";

/// The compiled kernels, or the reason why there are none.
static KERNELS: OnceLock<std::result::Result<LaunchFn, String>> = OnceLock::new();

/// The device, or `None` with a message on stderr if the kernels cannot be compiled.
pub(super) fn host_device() -> Option<HostDevice> {
    match KERNELS.get_or_init(load) {
        Ok(launch) => {
            let thread_order =
                std::env::var(THREAD_ORDER).ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
            Some(HostDevice {
                launch: *launch,
                graph: None,
                thread_order,
                can_capture: true,
                operations: Vec::new(),
            })
        }
        Err(why) => {
            eprintln!("SKIPPED: the GPU kernels cannot run on the CPU: {why}");
            None
        }
    }
}

fn load() -> std::result::Result<LaunchFn, String> {
    if let Some(library) = std::env::var_os(LIBRARY) {
        return open(Path::new(&library));
    }
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    open(&compile(folder.path(), &[])?)
}

/// The C++ compiler of the machine.
pub(super) fn compiler() -> Command {
    Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()))
}

/// Compiles the kernels to a shared library in `folder`; returns its path.
pub(super) fn compile(folder: &Path, flags: &[&str]) -> std::result::Result<PathBuf, String> {
    if cfg!(not(target_os = "linux")) {
        return Err("kernels/host.h needs Linux".into());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nn/cuda/kernels/host.cpp");
    let library = folder.join("kernels.so");
    let mut command = compiler();
    // host.h switches between stacks with longjmp, which fortified sources forbid.
    command.args(["-std=c++17", "-O2", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-shared", "-fPIC"]);
    command.args(flags).arg("-o").arg(&library).arg(source);
    let output = command.output().map_err(|e| format!("the C++ compiler cannot be run: {e}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}

#[expect(unsafe_code, reason = "functions of the C library")]
unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

#[expect(unsafe_code, reason = "loads a function of a shared library")]
fn open(path: &Path) -> std::result::Result<LaunchFn, String> {
    const NOW: c_int = 2;
    let name = CString::new(path.to_str().expect("a path in Unicode")).expect("a path");
    // SAFETY: both strings end in NUL. The library is never closed, and it declares `launch` with the arguments of
    // `LaunchFn`.
    unsafe {
        let library = dlopen(name.as_ptr(), NOW);
        let launch = if library.is_null() { library } else { dlsym(library, c"launch".as_ptr()) };
        if launch.is_null() {
            return Err(format!("{} cannot be opened", path.display()));
        }
        Ok(std::mem::transmute::<*mut c_void, LaunchFn>(launch))
    }
}

/// A block of memory with the alignment that [`Device::address`] promises.
#[derive(Clone, Copy)]
#[repr(align(256))]
pub(super) struct AlignedBlock(#[expect(dead_code, reason = "read by address")] [u8; 256]);

/// The CPU as a [`Device`].
#[derive(Clone)]
pub(super) struct HostDevice {
    launch: LaunchFn,
    /// The operations captured so far, during a capture.
    graph: Option<Vec<Operation>>,
    /// Seed of the order in which the threads of a block run.
    pub(super) thread_order: u32,
    /// Whether captures succeed.
    pub(super) can_capture: bool,
    /// All operations so far, except those of graphs.
    pub(super) operations: Vec<Operation>,
}

/// An operation of a graph.
#[derive(Clone)]
pub(super) enum Operation {
    Launch(Launch),
    Gemm(Gemm),
}

impl Operation {
    /// Whether a GEMM may use TF32; `None` for a kernel.
    pub(super) fn allows_tf32(&self) -> Option<bool> {
        match self {
            Operation::Launch(_) => None,
            Operation::Gemm(gemm) => Some(gemm.allow_tf32),
        }
    }
}

/// The elements of a slice of device memory.
#[expect(unsafe_code, reason = "memory of the device is known by its address")]
fn elements<'a, T>(slice: DeviceSlice<T>) -> &'a mut [T] {
    // SAFETY: slices lie within live buffers of `allocate`, aligned to 4 bytes, and all bit patterns are valid. A
    // device runs one operation at a time, so nothing else accesses them.
    unsafe { std::slice::from_raw_parts_mut(slice.address() as *mut T, slice.len()) }
}

/// The elements of a GEMM operand as f32, rounded to the 10 fraction bits of TF32 if allowed.
fn operand(operand: GemmOperand, allow_tf32: bool) -> Vec<f32> {
    let rounded = |x: &f32| f32::from_bits((x.to_bits() + 0x1000) & !0x1fff);
    match operand {
        GemmOperand::F32(slice) if allow_tf32 => elements(slice).iter().map(rounded).collect(),
        GemmOperand::F32(slice) => elements(slice).to_vec(),
        GemmOperand::Bf16(slice) => {
            elements(slice).iter().map(|x| f32::from_bits(u32::from(*x) << 16)).collect()
        }
    }
}

/// A GEMM by its definition.
fn gemm(gemm: Gemm) {
    let Gemm { kind, rows, out_features, in_features, operands, output, accumulate, allow_tf32 } = gemm;
    let [left, right] = operands.map(|matrix| operand(matrix, allow_tf32));
    let output = elements(output);
    // The output is (m, n), and k is the number of terms of each sum.
    let (m, n, k) = match kind {
        GemmKind::Forward => (rows, out_features, in_features),
        GemmKind::InputGrad => (rows, in_features, out_features),
        GemmKind::WeightGrad => (out_features, in_features, rows),
    };
    for row in 0..m {
        for column in 0..n {
            let term = |i: usize| match kind {
                GemmKind::Forward => left[row * k + i] * right[column * k + i],
                GemmKind::InputGrad => left[row * k + i] * right[i * n + column],
                GemmKind::WeightGrad => left[i * m + row] * right[i * n + column],
            };
            let sum: f32 = (0..k).map(term).sum();
            output[row * n + column] = sum + if accumulate { output[row * n + column] } else { 0.0 };
        }
    }
}

impl HostDevice {
    fn run(&self, operation: Operation) {
        match operation {
            Operation::Gemm(product) => gemm(product),
            Operation::Launch(Launch { kernel, grid, threads, arguments }) => {
                let name = CString::new(kernel.name).expect("a name without NUL");
                let [x, y, z] = grid.map(|blocks| blocks as u32);
                let mut pointers: Vec<*mut c_void> =
                    arguments.pointers().map(|argument| (&raw const *argument).cast_mut().cast()).collect();
                #[expect(unsafe_code, reason = "a kernel takes raw pointers")]
                // SAFETY: the ops pass each kernel the arguments that it declares, with pointers into live buffers
                // whose lengths they have checked.
                let code = unsafe {
                    (self.launch)(
                        name.as_ptr(),
                        x,
                        y,
                        z,
                        threads as u32,
                        self.thread_order,
                        pointers.as_mut_ptr(),
                    )
                };
                assert_eq!(code, 0, "kernel {} failed (1: unknown name, 2: deadlock)", kernel.name);
            }
        }
    }

    /// Runs an operation, or appends it to the graph during a capture.
    fn enqueue(&mut self, operation: Operation) {
        if let Some(graph) = &mut self.graph {
            graph.push(operation);
        } else {
            self.run(operation.clone());
            self.operations.push(operation);
        }
    }
}

impl Device for HostDevice {
    type Buffer = Vec<AlignedBlock>;
    type Graph = Vec<Operation>;

    fn allocate(&mut self, bytes: usize) -> Result<Self::Buffer> {
        assert!(self.graph.is_none(), "allocations cannot be captured");
        Ok(vec![AlignedBlock([0; 256]); bytes.div_ceil(256)])
    }

    fn address(buffer: &Self::Buffer) -> u64 {
        buffer.as_ptr() as u64
    }

    fn write(&mut self, to: DeviceSlice<u32>, words: &[u32]) -> Result<()> {
        assert!(self.graph.is_none(), "writes cannot be captured");
        elements(to).copy_from_slice(words);
        Ok(())
    }

    fn read(&self, from: DeviceSlice<u32>, words: &mut [u32]) -> Result<()> {
        assert!(self.graph.is_none(), "reads cannot be captured");
        words.copy_from_slice(elements(from));
        Ok(())
    }

    fn copy(&mut self, from: DeviceSlice<f32>, to: DeviceSlice<f32>) -> Result<()> {
        assert!(self.graph.is_none(), "copies cannot be captured");
        elements(to).copy_from_slice(elements(from));
        Ok(())
    }

    fn launch(&mut self, launch: Launch) -> Result<()> {
        self.enqueue(Operation::Launch(launch));
        Ok(())
    }

    fn gemm(&mut self, gemm: Gemm) -> Result<()> {
        self.enqueue(Operation::Gemm(gemm));
        Ok(())
    }

    fn capture(&mut self, work: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Self::Graph> {
        self.graph = Some(Vec::new());
        let done = work(self);
        let graph = self.graph.take().unwrap_or_default();
        done?;
        if self.can_capture {
            return Ok(graph);
        }
        Err(Error::Device("the GPU could not capture a graph: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED".into()))
    }

    fn launch_graph(&mut self, graph: &Self::Graph) -> Result<()> {
        for operation in graph {
            self.run(operation.clone());
        }
        Ok(())
    }

    fn available_memory(&self) -> Option<MemoryInfo> {
        None
    }

    fn name(&self) -> String {
        "the GPU emulated on the CPU".into()
    }
}
