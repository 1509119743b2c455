//! A device without a GPU, for tests: the kernels of `kernels/`, compiled by the C++ compiler of the machine, over
//! memory of the CPU. Recordings are lists of launches, done later as a GPU would do them.

use super::device::{Device, GemmKind, GemmOperand, Launch, Product, Span};
use crate::error::Result;
use crate::machine::MemoryInfo;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The function `launch` of `kernels/host.cpp`.
type LaunchFn = unsafe extern "C" fn(*const c_char, u32, u32, u32, u32, *mut *mut c_void) -> c_int;

/// The kernels, or why they cannot be had.
static KERNELS: OnceLock<std::result::Result<LaunchFn, String>> = OnceLock::new();

/// The device, or nothing, and a word about it, where there is no C++ compiler.
pub(super) fn host() -> Option<Host> {
    match KERNELS.get_or_init(compile) {
        Ok(launch) => Some(Host { launch: *launch, recording: None }),
        Err(why) => {
            eprintln!("SKIPPED: kernels of the GPU on the CPU: {why}");
            None
        }
    }
}

/// Compiles the kernels and opens the library.
fn compile() -> std::result::Result<LaunchFn, String> {
    if cfg!(not(target_os = "linux")) {
        return Err("only Linux has what kernels/host.h stands on".into());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nn/cuda/kernels/host.cpp");
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let library = folder.path().join("kernels.so");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut command = Command::new(&compiler);
    // Threads of a block jump from stack to stack, which is what fortified sources forbid.
    command.args(["-std=c++17", "-O2", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-shared", "-fPIC", "-o"]);
    command.arg(&library).arg(source);
    let output = command.output().map_err(|e| format!("{compiler} cannot be run: {e}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = CString::new(library.to_str().expect("a path in Unicode")).expect("a path");
    open(&path)
}

#[expect(unsafe_code, reason = "the system opens libraries")]
unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

#[expect(unsafe_code, reason = "a library is opened and a function of it found")]
fn open(path: &CStr) -> std::result::Result<LaunchFn, String> {
    const NOW: c_int = 2;
    // SAFETY: both strings end in zero; the library is never closed, and `launch` is declared there with the
    // arguments of `LaunchFn`.
    unsafe {
        let library = dlopen(path.as_ptr(), NOW);
        let launch = if library.is_null() { library } else { dlsym(library, c"launch".as_ptr()) };
        if launch.is_null() {
            return Err(format!("{} cannot be opened", path.to_string_lossy()));
        }
        Ok(std::mem::transmute::<*mut c_void, LaunchFn>(launch))
    }
}

/// A piece of memory, where a GPU would begin one.
#[derive(Clone, Copy)]
#[repr(align(256))]
pub(super) struct Piece(#[expect(dead_code, reason = "read by address")] [u8; 256]);

/// The CPU as a device.
#[derive(Clone)]
pub(super) struct Host {
    launch: LaunchFn,
    /// What is taken down, while it is.
    recording: Option<Vec<Task>>,
}

/// What a device is asked to do.
#[derive(Clone)]
pub(super) enum Task {
    Launch(Launch),
    Multiply(Product),
}

/// Numbers at an address.
#[expect(unsafe_code, reason = "memory of the device is known by its address")]
fn numbers<'a, T>(span: Span<T>) -> &'a mut [T] {
    // SAFETY: spans lie in memory that `allocate` gave and that is still held, at a multiple of 4 bytes; all
    // numbers are plain bits. Nobody else looks at them meanwhile, since a device does one thing at a time.
    unsafe { std::slice::from_raw_parts_mut(span.address() as *mut T, span.len()) }
}

/// What a product reads; f32 perhaps with the ten bits of TF32's fraction.
fn factor(factor: GemmOperand, is_rounded: bool) -> Vec<f32> {
    let rounded = |x: &f32| f32::from_bits((x.to_bits() + 0x1000) & !0x1fff);
    match factor {
        GemmOperand::F32(span) if is_rounded => numbers(span).iter().map(rounded).collect(),
        GemmOperand::F32(span) => numbers(span).to_vec(),
        GemmOperand::Bf16(span) => {
            numbers(span).iter().map(|x| f32::from_bits(u32::from(*x) << 16)).collect()
        }
    }
}

/// The three loops.
fn multiply(product: Product) {
    let Product { way, rows, outs, ins, factors, out, is_added, is_rounded } = product;
    let [left, right] = factors.map(|given| factor(given, is_rounded));
    let out = numbers(out);
    // Sizes of the result and of what is summed over, and where both factors lie.
    let (m, n, k) = match way {
        GemmKind::Forward => (rows, outs, ins),
        GemmKind::Backward => (rows, ins, outs),
        GemmKind::Weights => (outs, ins, rows),
    };
    for row in 0..m {
        for column in 0..n {
            let term = |i: usize| match way {
                GemmKind::Forward => left[row * k + i] * right[column * k + i],
                GemmKind::Backward => left[row * k + i] * right[i * n + column],
                GemmKind::Weights => left[i * m + row] * right[i * n + column],
            };
            let sum: f32 = (0..k).map(term).sum();
            out[row * n + column] = sum + if is_added { out[row * n + column] } else { 0.0 };
        }
    }
}

impl Host {
    fn do_now(&self, task: Task) {
        match task {
            Task::Multiply(product) => multiply(product),
            Task::Launch(Launch { kernel, grid, threads, arguments }) => {
                let name = CString::new(kernel.name).expect("a name without zero");
                let [x, y, z] = grid.map(|blocks| blocks as u32);
                let mut pointers: Vec<*mut c_void> =
                    arguments.firsts().map(|first| (&raw const *first).cast_mut().cast()).collect();
                #[expect(unsafe_code, reason = "a kernel takes pointers")]
                // SAFETY: the ops give each kernel the arguments that it declares, over memory that is held, of
                // lengths that they have looked at.
                let code =
                    unsafe { (self.launch)(name.as_ptr(), x, y, z, threads as u32, pointers.as_mut_ptr()) };
                assert_eq!(code, 0, "kernel {}: 1 is unknown, 2 waits for ever", kernel.name);
            }
        }
    }

    fn task(&mut self, task: Task) {
        match &mut self.recording {
            Some(recording) => recording.push(task),
            None => self.do_now(task),
        }
    }
}

impl Device for Host {
    type MemoryInfo = Vec<Piece>;
    type Recording = Vec<Task>;

    fn allocate(&mut self, bytes: usize) -> Result<Self::MemoryInfo> {
        Ok(vec![Piece([0; 256]); bytes.div_ceil(256)])
    }

    fn address(memory: &Self::MemoryInfo) -> u64 {
        memory.as_ptr() as u64
    }

    fn write(&mut self, to: Span<u32>, words: &[u32]) -> Result<()> {
        assert!(self.recording.is_none(), "what is written would not be written again");
        numbers(to).copy_from_slice(words);
        Ok(())
    }

    fn read(&self, from: Span<u32>, words: &mut [u32]) -> Result<()> {
        assert!(self.recording.is_none(), "nothing is there yet");
        words.copy_from_slice(numbers(from));
        Ok(())
    }

    fn launch(&mut self, launch: Launch) -> Result<()> {
        self.task(Task::Launch(launch));
        Ok(())
    }

    fn multiply(&mut self, product: Product) -> Result<()> {
        self.task(Task::Multiply(product));
        Ok(())
    }

    fn record(&mut self, work: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Self::Recording> {
        self.recording = Some(Vec::new());
        let done = work(self);
        let recording = self.recording.take().unwrap_or_default();
        done.map(|()| recording)
    }

    fn replay(&mut self, recording: &Self::Recording) -> Result<()> {
        for task in recording {
            self.do_now(task.clone());
        }
        Ok(())
    }

    fn available_memory(&self) -> Option<MemoryInfo> {
        None
    }

    fn name(&self) -> String {
        "the kernels of the GPU on the CPU".into()
    }
}
