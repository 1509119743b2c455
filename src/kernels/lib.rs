//! The arithmetic of the engine for the CPU: loops over rows that are compiled for several instruction sets and selected
//! at run time; and the random numbers of all training.
//!
//! It is a crate of its own because it must be compiled as one part. A closure that is not inlined into its
//! `target_feature` function, such as a function of `std` that was compiled in another part, is compiled without vector
//! instructions.
//!
//! A kernel is an `#[inline(always)]` function that is generic over [`Fma`], how a · b + c is computed.
//! [`dispatch!`] inlines it into a function that is compiled for the instruction set of the machine (AVX-512, AVX2 or
//! NEON, detected by `pulp`), where the compiler vectorizes its loops over [`LANES`] elements. Other machines run the
//! same loops without vector instructions.

pub mod activation;
pub mod adamw;
pub mod attention;
mod attention_shape;
pub mod disentangled;
pub mod dropout;
pub mod element_type;
pub mod embedding;
pub mod huge_pages;
pub mod int8;
mod math;
pub mod matmul;
pub mod norm;
pub mod op_cost;
#[cfg_attr(not(target_arch = "x86_64"), path = "packed/unsupported.rs")]
pub mod packed;
pub mod relative_bias;
pub mod rng;
#[cfg(test)]
mod tests;
mod tile_gemm;
pub mod tiled_attention;

use pulp::Arch;

/// Elements of the widest vector register. Sums use this many partial sums on every machine, so their rounding
/// does not depend on it.
pub(crate) const LANES: usize = 16;

/// The instruction set that kernels run on.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    arch: Arch,
}

impl Cpu {
    /// The best instruction set of this machine.
    pub fn detect() -> Self {
        Cpu { arch: Arch::new() }
    }

    /// The baseline instruction set of the architecture.
    #[cfg(test)]
    pub fn plain() -> Self {
        Cpu { arch: Arch::Scalar }
    }

    /// Whether a · b + c is one instruction.
    fn is_fused(self) -> bool {
        !matches!(self.arch, Arch::Scalar)
    }

    /// Name to display: `AVX-512`, `AVX2`, `NEON` or `plain`.
    pub fn name(self) -> &'static str {
        match self.arch {
            Arch::Scalar => "plain",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "AVX2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "AVX-512",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "NEON",
            #[allow(unreachable_patterns, reason = "the enum is non-exhaustive on some architectures")]
            _ => "vector",
        }
    }
}

/// a · b + c, rounded once if the machine has an instruction for it.
pub(crate) trait Fma: Copy {
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// One instruction with one rounding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fused;

/// A multiplication and an addition. Without hardware support, a fused operation is a slow library function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Separate;

impl Fma for Fused {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Fma for Separate {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// A value that the closure in [`dispatch!`] consumes, so that the closure implements only `FnOnce`. A closure that
/// also implements `Fn` is called through a compiler-generated shim that is not inlined, and the kernel would be
/// compiled without the selected instruction set.
pub(crate) struct ForceFnOnce;

impl ForceFnOnce {
    #[inline(always)]
    fn consume(self) {
        let ForceFnOnce = self;
    }
}

/// Calls a kernel compiled for the instruction set of `cpu`.
macro_rules! dispatch {
    ($cpu:expr, $kernel:ident($($argument:expr),* $(,)?)) => {{
        let cpu: $crate::Cpu = $cpu;
        if cpu.is_fused() {
            let token = $crate::ForceFnOnce;
            cpu.arch.dispatch(
                #[inline(always)]
                || {
                    token.consume();
                    $kernel::<$crate::Fused>($($argument),*)
                },
            )
        } else {
            $kernel::<$crate::Separate>($($argument),*)
        }
    }};
}
pub(crate) use dispatch;

/// Σ term(a, b) over pairs of elements, in [`LANES`] partial sums that are added in a fixed order.
#[inline(always)]
pub(crate) fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
    horizontal_sum(sums) + rest
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn horizontal_sum(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}
