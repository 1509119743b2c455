//! A GPU as a device: kernels from PTX, products by cuBLAS, recordings as CUDA graphs.

use super::device::{Device, GemmKind, GemmOperand, Launch, Module, Product, Span};
use crate::error::{Error, Result};
use crate::machine::MemoryInfo;
use crate::nn::stored::first_line;
use candle_core::cuda_backend::cudarc::cublas::{CudaBlas, result, sys as blas_sys};
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaGraph, CudaModule, CudaSlice, CudaStream, DevicePtr, LaunchConfig, PushKernelArg,
    result as driver, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// The kernels, as build.rs left them.
#[allow(unreachable_pub, reason = "the file is made by another crate")]
mod ptx {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

/// Bytes that cuBLAS works in: what it asks for on an H100. It may not ask while a step is recorded.
const WORKSPACE: usize = 32 << 20;

/// An NVIDIA GPU with its stream.
pub(super) struct Gpu {
    stream: Arc<CudaStream>,
    blas: Arc<CudaBlas>,
    /// Held for as long as cuBLAS has its address.
    _workspace: CudaSlice<u8>,
    modules: Vec<(Module, Arc<CudaModule>)>,
    functions: BTreeMap<&'static str, CudaFunction>,
    name: String,
}

/// Memory of a GPU.
pub(super) struct GpuMemory {
    _slice: CudaSlice<u8>,
    address: u64,
}

/// A recorded step.
pub(super) struct Recording(CudaGraph);

#[expect(unsafe_code, reason = "handles of the driver are pointers")]
// SAFETY: the driver lets any thread use a graph, one at a time; an engine owns its recordings, and so one thread
// has them at a time.
unsafe impl Send for Recording {}

/// Where the numbers of a factor are.
fn address(factor: GemmOperand) -> u64 {
    match factor {
        GemmOperand::F32(span) => span.address(),
        GemmOperand::Bf16(span) => span.address(),
    }
}

fn failed(what: &str) -> impl Fn(&dyn Display) -> Error + '_ {
    move |e| Error::Device(format!("the GPU could not {what}: {e}"))
}

impl Gpu {
    /// The device that candle has opened, with its stream.
    pub(super) fn of(device: &candle_core::Device, name: &str) -> Result<Self> {
        let device = device.as_cuda_device().map_err(|e| Error::Device(first_line(&e)))?;
        let (stream, blas) = (device.cuda_stream(), device.cublas_handle());
        let room = |e| failed("give cuBLAS its memory")(&e);
        let workspace = stream.alloc_zeros::<u8>(WORKSPACE).map_err(room)?;
        {
            let (address, _guard) = workspace.device_ptr(&stream);
            #[expect(unsafe_code, reason = "cuBLAS takes an address")]
            // SAFETY: the memory is as long as is said, and held as long as the handle is used here.
            let status =
                unsafe { blas_sys::cublasSetWorkspace_v2(*blas.handle(), address as *mut _, WORKSPACE) };
            status.result().map_err(|e| failed("give cuBLAS its memory")(&format!("{e:?}")))?;
        }
        Ok(Gpu {
            stream,
            blas,
            _workspace: workspace,
            modules: Vec::new(),
            functions: BTreeMap::new(),
            name: name.to_owned(),
        })
    }

    /// A GPU by its number.
    #[cfg(test)]
    pub(super) fn open(ordinal: usize) -> Result<Self> {
        let place = crate::nn::device::open(&format!("cuda:{ordinal}"), None)?;
        Gpu::of(&place.device, &place.words)
    }

    /// The context belongs to a thread at a time, and engines move between them.
    fn bind(&self) -> Result<()> {
        self.stream.context().bind_to_thread().map_err(|e| failed("be reached")(&e))
    }

    fn function(&mut self, module: Module, name: &'static str) -> Result<CudaFunction> {
        if let Some(function) = self.functions.get(name) {
            return Ok(function.clone());
        }
        let error = |e| failed(&format!("load the kernel {name}"))(&e);
        let known = self.modules.iter().find(|(known, _)| *known == module);
        let loaded = if let Some((_, loaded)) = known {
            loaded.clone()
        } else {
            let source = match module {
                Module::Attention => ptx::ATTENTION,
                Module::AttentionBf16 => ptx::ATTENTION_BF16,
                Module::Columns => ptx::COLUMNS,
                Module::Head => ptx::HEAD,
                Module::Norm => ptx::NORM,
                Module::Optimizer => ptx::OPTIMIZER,
            };
            let loaded = self.stream.context().load_module(Ptx::from_src(source)).map_err(error)?;
            self.modules.push((module, loaded.clone()));
            loaded
        };
        let function = loaded.load_function(name).map_err(error)?;
        self.functions.insert(name, function.clone());
        Ok(function)
    }
}

impl Device for Gpu {
    type MemoryInfo = GpuMemory;
    type Recording = Recording;

    fn allocate(&mut self, bytes: usize) -> Result<Self::MemoryInfo> {
        let slice = self.stream.alloc_zeros::<u8>(bytes).map_err(|e| failed("give memory")(&e))?;
        let address = slice.device_ptr(&self.stream).0;
        Ok(GpuMemory { _slice: slice, address })
    }

    fn address(memory: &Self::MemoryInfo) -> u64 {
        memory.address
    }

    fn write(&mut self, to: Span<u32>, words: &[u32]) -> Result<()> {
        assert_eq!(to.len(), words.len(), "words for a span");
        self.bind()?;
        #[expect(unsafe_code, reason = "the driver takes an address")]
        // SAFETY: spans lie in memory that is held, and this one is as long as the words. The words are pageable
        // memory, of which the driver has made a copy when it returns.
        let done = unsafe { driver::memcpy_htod_async(to.address(), words, self.stream.cu_stream()) };
        done.map_err(|e| failed("take data")(&e))
    }

    fn read(&self, from: Span<u32>, words: &mut [u32]) -> Result<()> {
        assert_eq!(from.len(), words.len(), "words of a span");
        self.bind()?;
        #[expect(unsafe_code, reason = "the driver takes an address")]
        // SAFETY: as in `write`; the words are waited for while they are borrowed.
        let done = unsafe { driver::memcpy_dtoh_async(words, from.address(), self.stream.cu_stream()) };
        done.and_then(|()| self.stream.synchronize()).map_err(|e| failed("finish its work")(&e))
    }

    fn launch(&mut self, launch: Launch) -> Result<()> {
        let Launch { kernel, grid, threads, arguments } = launch;
        let function = self.function(kernel.module, kernel.name)?;
        let [x, y, z] = grid.map(|blocks| blocks as u32);
        let config =
            LaunchConfig { grid_dim: (x, y, z), block_dim: (threads as u32, 1, 1), shared_mem_bytes: 0 };
        let mut builder = self.stream.launch_builder(&function);
        for argument in arguments.firsts() {
            builder.arg(argument);
        }
        #[expect(unsafe_code, reason = "a kernel takes addresses")]
        // SAFETY: the ops give each kernel the arguments that it declares, over memory that is held, of lengths
        // that they have looked at; a structure goes on in the numbers behind its first.
        let done = unsafe { builder.launch(config) };
        done.map(drop).map_err(|e| failed(&format!("run the kernel {}", kernel.name))(&e))
    }

    fn multiply(&mut self, product: Product) -> Result<()> {
        use blas_sys::cublasOperation_t::{CUBLAS_OP_N, CUBLAS_OP_T};
        use blas_sys::{cublasComputeType_t, cublasGemmAlgo_t, cudaDataType};
        let Product { way, rows, outs, ins, factors, out, is_added, is_rounded } = product;
        // cuBLAS has matrices column by column: what is (a, b) here is its transpose (b, a) there, and a product
        // has its factors exchanged.
        let [left, right] = factors;
        let (turns, (m, n, k), ends) = match way {
            GemmKind::Forward => ([CUBLAS_OP_T, CUBLAS_OP_N], (outs, rows, ins), (ins, ins)),
            GemmKind::Backward => ([CUBLAS_OP_N, CUBLAS_OP_N], (ins, rows, outs), (ins, outs)),
            GemmKind::Weights => ([CUBLAS_OP_N, CUBLAS_OP_T], (ins, outs, rows), (ins, outs)),
        };
        let format = match left {
            GemmOperand::F32(_) => cudaDataType::CUDA_R_32F,
            GemmOperand::Bf16(_) => cudaDataType::CUDA_R_16BF,
        };
        let compute = match left {
            GemmOperand::F32(_) if is_rounded => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            _ => cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        let (alpha, beta) = (1.0f32, if is_added { 1.0f32 } else { 0.0 });
        self.bind()?;
        #[expect(unsafe_code, reason = "cuBLAS takes addresses")]
        // SAFETY: `Product::check` has held all lengths against the sizes; the spans lie in memory that is held.
        let done = unsafe {
            result::gemm_ex(
                *self.blas.handle(),
                turns[0],
                turns[1],
                m as i32,
                n as i32,
                k as i32,
                (&raw const alpha).cast(),
                address(right) as *const _,
                format,
                ends.0 as i32,
                address(left) as *const _,
                format,
                ends.1 as i32,
                (&raw const beta).cast(),
                out.address() as *mut _,
                cudaDataType::CUDA_R_32F,
                m as i32,
                compute,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        done.map_err(|e| failed("multiply")(&format!("{e:?}")))
    }

    fn record(&mut self, work: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Self::Recording> {
        let error = |e| failed("record a step")(&e);
        self.stream
            .begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(error)?;
        let done = work(self);
        // It has to be ended also where the work went wrong, which then is the better error.
        let graph = self.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        done?;
        let graph = graph.map_err(error)?;
        graph.map(Recording).ok_or_else(|| failed("record a step")(&"nothing was recorded"))
    }

    fn replay(&mut self, recording: &Self::Recording) -> Result<()> {
        recording.0.launch().map_err(|e| failed("repeat a step")(&e))
    }

    fn available_memory(&self) -> Option<MemoryInfo> {
        let (available, total) = self.stream.context().mem_get_info().ok()?;
        Some(MemoryInfo { total: total as u64, available: available as u64 })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
